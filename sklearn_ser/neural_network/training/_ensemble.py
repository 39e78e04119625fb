"""Fit of the networks of an ensemble: validation split, training, calibration and refit of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.neural_network._module import weights_to_bytes
from sklearn_ser.neural_network.training._batches import ResidentRows
from sklearn_ser.neural_network.training._calibration import validation_temperature
from sklearn_ser.neural_network.training._fit_one import (
    Start,
    TrainingRecord,
    TrainingSettings,
    fit_one,
    optimizer_state,
)
from sklearn_ser.neural_network.training._inputs import TrainingData
from sklearn_ser.neural_network.training._pseudo_labels import PseudoLabels, self_train
from sklearn_ser.neural_network.training._validation_split import hold_out
from sklearn_ser.utils._warnings import warn_user


@dataclass
class Member:
    """Fitted network of an ensemble, as plain values."""

    weights: bytes
    temperature: float
    history: dict[str, list]
    best_epoch: int
    split: dict[str, Any]
    state: bytes | None
    rounds: list[dict[str, Any]] | None


@dataclass(frozen=True)
class EnsembleSettings:
    """Settings of the fit of an ensemble around the training of its networks."""

    n_estimators: int
    validation_fraction: float | None  # None if nothing is held out
    early_stopping: bool
    calibrate: bool
    refit: bool
    pseudo_labels: PseudoLabels | None
    one_epoch: bool  # of partial_fit; the state of the optimizer is retained


def member_seed(seed: int, index: int) -> int:
    """Return the seed of the network with this index; the first has that of the ensemble."""
    if index == 0:
        return seed
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0] >> 1)


def fit_ensemble(
    rows: ResidentRows,
    data: TrainingData,
    settings: TrainingSettings,
    ensemble: EnsembleSettings,
    starts: Sequence[Start],
) -> tuple[list[Member], str | None]:
    """Fit the networks of an ensemble one after the other, until a user interrupt.

    `rows` are the packed `data`. The seed of `settings` is that of the ensemble; `starts` has one
    state per network. Return the networks that have weights, and where the user interrupted the
    fit and what is retained, or None. KeyboardInterrupt is raised if nothing can be retained: no
    epoch is complete, or the pass of ``partial_fit`` is not.
    """
    members: list[Member] = []
    for index, start in enumerate(starts):
        own = replace(settings, seed=member_seed(settings.seed, index), start=start)
        with settings.interrupts.during("training"):
            member = _fit_member(rows, data, own, ensemble, index)
            if member is not None:
                members.append(member)
        if settings.interrupts:
            if not members or ensemble.one_epoch:
                raise KeyboardInterrupt
            return members, _interrupt_report(settings, ensemble, members, index)
    return members, None


def _fit_member(rows, data, settings, ensemble, index):
    """Return the fitted network, or None if it was interrupted before the end of an epoch."""
    interrupts = settings.interrupts
    split = hold_out(rows, data, ensemble, settings.seed, index)
    valid_rows = rows.take(split.valid) if len(split.valid) else None

    def fit_labeled(labeled: ResidentRows) -> TrainingRecord:
        monitored = valid_rows if ensemble.early_stopping else None
        return fit_one(labeled.take(split.train), settings, monitored)

    labeled, rounds = rows, None
    if ensemble.pseudo_labels is None:
        record = fit_labeled(rows)
    else:
        record, labeled, rounds = self_train(
            ensemble.pseudo_labels, fit_labeled, rows, split, settings
        )
    if not record.epochs:
        return None
    result, temperature = record, settings.start.temperature
    if ensemble.calibrate and valid_rows is not None:
        with interrupts.during("calibration"):
            temperature = validation_temperature(record.module, settings.tasks, valid_rows)
    elif ensemble.calibrate and index == 0 and not ensemble.one_epoch:
        warn_user(
            f"calibrate=True: no samples could be held out, because {split.record['reason']}. "
            "Probabilities are not calibrated (the temperature is 1).",
            TrainingWarning,
        )
    if ensemble.refit and valid_rows is not None and not interrupts:
        settings.bar.total += record.best_epoch
        with interrupts.during("refit"):
            again = fit_one(labeled, replace(settings, max_epochs=record.best_epoch))
            if not interrupts:  # else the first network is the better one
                result = again
    return Member(
        weights_to_bytes(result.module),
        temperature,
        record.columns(),
        record.best_epoch,
        split.record,
        optimizer_state(result) if ensemble.one_epoch else None,
        rounds,
    )


def _interrupt_report(settings, ensemble, members, index):
    """Return where the user interrupted a fit and what is retained, for the warning."""
    n_epochs = len(members[index].history["epoch"]) if index < len(members) else 0
    after = f"after {n_epochs} of at most {settings.planned_epochs} epochs"
    if ensemble.n_estimators > 1:
        return (
            f"in network {index + 1} of {ensemble.n_estimators}, {after}: the estimator is fitted "
            f"with {len(members)} of them"
        )
    stage, member = settings.interrupts.interrupted_in, members[0]
    if stage == "refit":
        after = "in the refit on all samples (validation__refit=True)"
    elif stage == "calibration":
        after = "in the fit of the temperature (calibrate=True), which stays 1"
    elif stage == "self-training":
        after = f"after round {len(member.rounds) - 1} of self-training"
    return f"{after}: the network is fitted with the weights of epoch {member.best_epoch}"
