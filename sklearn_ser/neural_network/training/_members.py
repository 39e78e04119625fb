"""Training of one network of an ensemble, from its rows to what is kept of it."""

from dataclasses import dataclass, replace

import numpy as np

from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.neural_network._module import build_module, load_weights, weights_to_bytes
from sklearn_ser.neural_network.training._calibration import fit_temperature
from sklearn_ser.neural_network.training._evaluate import main_outputs
from sklearn_ser.neural_network.training._self_training import INTERRUPTED, self_train
from sklearn_ser.neural_network.training._train import train, training_state
from sklearn_ser.neural_network.training._validation_split import hold_out
from sklearn_ser.utils._warnings import warn_user


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
    interrupted : {"training", "self-training", "calibration", "refit"} or None
        Where.
    state : bytes or None
        Of the optimizer.
    rounds : list of dict or None
        Of self-training.
    """

    weights: bytes
    temperature: float
    history: dict
    best_epoch: int
    split: dict
    interrupted: str | None
    state: bytes | None
    rounds: list | None


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
    one_epoch=False,
    weights=None,
    state=None,
    temperature=1.0,
    epochs_before=0,
    pseudo_labels=None,
    sources=None,
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
    one_epoch : bool
        Whether this is an epoch of ``partial_fit``, out of the `max_epochs` of `settings`; the
        optimizer's state is then kept.
    weights, state : bytes, optional
        Of a trained network to go on from.
    temperature : float
        Its temperature, which holds until another is found.
    epochs_before : int
        How many epochs of `max_epochs` are over.
    pseudo_labels : PseudoLabels, optional
        How rows without a label get one.
    sources : ndarray of int of shape (n_rows, k), optional
        See :func:`hold_out`.

    Returns
    -------
    Member or None
        None if it was interrupted before there was anything to keep.
    """
    train_part, valid_part, split = hold_out(
        rows,
        groups,
        fraction,
        seed,
        turn=place,
        purpose=_purpose(early_stopping, calibrate),
        reason="partial_fit holds nothing out" if one_epoch else "early_stopping=False",
        sources=sources,
    )
    valid_rows = rows.take(valid_part) if len(valid_part) else None

    def train_on(given):
        module = _start(architecture, device, seed, weights)
        if given is not rows:  # a further round
            bar.total += settings.max_epochs
        return module, train(
            module,
            tasks,
            given.take(train_part),
            valid_rows if early_stopping else None,
            replace(settings, max_epochs=1) if one_epoch else settings,
            seed=seed,
            device=device,
            bar=bar,
            state=state,
            horizon=settings.max_epochs,
            epochs_before=epochs_before,
        )

    learned, rounds = rows, None
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
        module, record, learned = kept.module, kept.record, kept.rows
    if not record.epochs:
        return None
    net, interrupted = record.net, "training" if record.interrupted else None
    if not interrupted and rounds and rounds[-1]["stopped"] == INTERRUPTED:
        interrupted = "self-training"
    if calibrate and valid_rows is not None:
        try:
            temperature = _temperature(module, tasks, valid_rows, plain_weights[valid_part])
        except KeyboardInterrupt:
            interrupted = interrupted or "calibration"
    elif calibrate and place == 0 and not one_epoch:
        warn_user(
            f"calibrate=True: no rows could be held out, because {split['reason']}. Probabilities "
            "are not calibrated (the temperature is 1).",
            TrainingWarning,
        )
    if refit and valid_rows is not None and not interrupted:
        bar.total += record.best_epoch
        try:
            again = train(
                _start(architecture, device, seed, weights),
                tasks,
                learned,
                None,
                replace(settings, max_epochs=record.best_epoch),
                seed=seed,
                device=device,
                bar=bar,
                horizon=settings.max_epochs,
            )
        except KeyboardInterrupt:  # before its first epoch
            again = None
        if again is None or again.interrupted:  # the first network is the better one
            interrupted = "refit"
        else:
            net = again.net
    return Member(
        weights_to_bytes(net.module_),
        temperature,
        record.columns(),
        record.best_epoch,
        split,
        interrupted,
        training_state(net) if one_epoch else None,
        rounds,
    )


def _purpose(early_stopping, calibrate):
    if early_stopping:
        return "early stopping watches"
    return "calibration uses" if calibrate else "self-training is judged by"


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
