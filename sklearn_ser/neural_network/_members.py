"""Training of one network of an ensemble, from its rows to what is kept of it."""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_ser.neural_network._calibration import fit_temperature
from sklearn_ser.neural_network._evaluate import main_outputs
from sklearn_ser.neural_network._module import build_module, load_weights, weights_to_bytes
from sklearn_ser.neural_network._pseudo_rounds import self_train
from sklearn_ser.neural_network._training import train
from sklearn_ser.neural_network._training_state import training_state
from sklearn_ser.neural_network._validation_split import hold_out


@dataclass
class Member:
    """What is kept of a trained network.

    Parameters
    ----------
    weights : bytes
    temperature : float
    history : dict of str to list
    best_epoch : int
    split : dict
        How rows were held out.
    interrupted : bool
    state : bytes
        Of the optimiser.
    rounds : list of dict or None
        Of self-training.
    """

    weights: bytes
    temperature: float
    history: dict
    best_epoch: int
    split: dict
    interrupted: bool
    state: bytes
    rounds: list | None = None


def member_seed(seed, place):
    """Seed of the network in this place of an ensemble; the first has the ensemble's own."""
    if place == 0:
        return seed
    return int(np.random.SeedSequence([seed, place]).generate_state(1)[0] >> 1)


def train_member(
    architecture,
    tasks,
    rows,
    groups,
    plain_weights,
    settings,
    *,
    fraction,
    early_stopping,
    calibrate,
    refit,
    place,
    seed,
    device,
    bar,
    weights=None,
    state=None,
    pseudo_labels=None,
):
    """Train one network.

    Parameters
    ----------
    architecture : dict
    tasks : list of fitted tasks
    rows : ResidentRows
        On the device.
    groups : ndarray of shape (n_rows,) or None
    plain_weights : ndarray of shape (n_rows,)
        The rows' weights, without those of classes.
    settings : TrainingSettings
    fraction : float or None
        Of the rows to hold out; None for none.
    early_stopping, calibrate, refit : bool
        What the held-out rows are for, and whether they are trained on in the end.
    place : int
        In the ensemble.
    seed : int
        Of this network.
    device : str
    bar : progress bar
    weights, state : bytes, optional
        Of a trained network to go on from.
    pseudo_labels : PseudoLabels, optional
        How rows without a label are labelled.

    Returns
    -------
    Member or None
        None if it was interrupted before there was anything to keep.
    """
    train_part, valid_part, split = hold_out(rows, groups, fraction, seed, turn=place)
    valid_rows = rows.take(valid_part) if len(valid_part) else None

    def train_on(given):
        module = _start(architecture, device, seed, weights)
        return module, train(
            module,
            tasks,
            given.take(train_part),
            valid_rows if early_stopping else None,
            settings,
            seed=seed,
            device=device,
            bar=bar,
            state=state,
        )

    rounds = None
    if pseudo_labels is None:
        module, record = train_on(rows)
    else:
        kept, rounds = self_train(
            pseudo_labels,
            train_on,
            rows,
            train_part,
            valid_part,
            plain_weights,
            tasks,
            seed=seed,
            device=device,
        )
        module, record, rows = kept.module, kept.record, kept.rows
    if not record.epochs:
        return None
    temperature = 1.0
    if calibrate and valid_rows is not None:
        temperature = _temperature(module, tasks, valid_rows, plain_weights[valid_part])
    net = record.net
    if refit and valid_rows is not None and not record.interrupted:
        module = _start(architecture, device, seed, weights)
        again = train(
            module,
            tasks,
            rows,
            None,
            replace(settings, max_epochs=record.best_epoch),
            seed=seed,
            device=device,
            bar=bar,
            state=state,
            horizon=settings.max_epochs,
        )
        if again.interrupted:
            record.interrupted = True
        if again.epochs:
            net = again.net
    return Member(
        weights_to_bytes(net.module_),
        temperature,
        record.columns(),
        record.best_epoch,
        split,
        record.interrupted,
        training_state(net),
        rounds,
    )


def _start(architecture, device, seed, weights):
    module = build_module(architecture, device=device, seed=seed)
    if weights is not None:
        load_weights(module, weights)
    return module


def _temperature(module, tasks, rows, weights):
    module.eval()
    codes = rows.targets[0].cpu().numpy()
    outputs = main_outputs(module, tasks, rows.x)
    known = codes >= 0
    return fit_temperature(outputs[known], codes[known], weights[known])
