"""Training of the networks of an estimator, from the arguments of ``fit``."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.base import clone
from sklearn.utils import check_random_state

from sklearn_ser.exceptions import MetadataError, TrainingWarning
from sklearn_ser.neural_network._module import describe_network, resolve_device, weights_to_bytes
from sklearn_ser.neural_network._nested_params import parameter_object
from sklearn_ser.neural_network._random import global_randomness
from sklearn_ser.neural_network._settings import check_parameters
from sklearn_ser.neural_network.encoders._registry import choose_encoder
from sklearn_ser.neural_network.tasks._base import TaskContext
from sklearn_ser.neural_network.tasks._classification import FittedClassification
from sklearn_ser.neural_network.tasks._make_tasks import MAIN_TASK, make_tasks, rebind_tasks
from sklearn_ser.neural_network.training._batch_perturbation import resolve_batch_augmenters
from sklearn_ser.neural_network.training._batches import ResidentRows, pack_rows
from sklearn_ser.neural_network.training._calibration import validation_temperature
from sklearn_ser.neural_network.training._callbacks import Interrupts, check_callbacks
from sklearn_ser.neural_network.training._inputs import (
    FitArguments,
    TrainingData,
    check_training_data,
    feature_table,
)
from sklearn_ser.neural_network.training._pseudo_labels import self_train
from sklearn_ser.neural_network.training._train_network import (
    Start,
    TrainingRecord,
    TrainingSettings,
    optimizer_state,
    train_network,
)
from sklearn_ser.neural_network.training._training_step import SWA_START
from sklearn_ser.neural_network.training._validation_split import hold_out
from sklearn_ser.utils._ids import find_id
from sklearn_ser.utils._progress import progress
from sklearn_ser.utils._threads import torch_threads
from sklearn_ser.utils._torch_state import default_torch_state
from sklearn_ser.utils._warnings import warn_user


@dataclass(frozen=True)
class FitMode:
    """Kind of a fit."""

    resume: bool = False  # from the networks of the estimator
    one_epoch: bool = False  # a single pass over all samples, with nothing held out (partial_fit)
    classes: np.ndarray | None = None  # all of them, where y may lack some


def fit_network(estimator: Any, arguments: FitArguments, mode: FitMode) -> None:
    """Fit the networks of an estimator, which stays unchanged after an error.

    At a user interrupt, what was trained so far is stored, with a warning.
    """
    before = dict(vars(estimator))
    try:
        with default_torch_state():
            report = _fit_network(estimator, arguments, mode)
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
    if report is not None:
        warn_user(f"training was interrupted {report}", TrainingWarning)
        raise KeyboardInterrupt


def _fit_network(estimator, arguments, mode):
    """Fit the networks; return where the user interrupted the fit, or None."""
    objects = check_parameter_objects(estimator)
    if mode.one_epoch:  # how many epochs follow is unknown
        constant = {"lr_schedule": "constant", "warmup": 0.0, "weight_averaging": None}
        objects.optimization = clone(objects.optimization).set_params(**constant)
    holds_out = not mode.one_epoch and (
        estimator.early_stopping or estimator.calibrate or estimator.pseudo_labels is not None
    )
    fraction = estimator.validation_fraction if holds_out else None
    check_callbacks(estimator.callbacks, validated=estimator.early_stopping or mode.one_epoch)
    device = resolve_device(estimator.device)
    table = feature_table(estimator, arguments.X)
    encoder = choose_encoder(estimator.encoder, table)
    by = None if fraction is None else objects.validation.by
    groups = validation_groups(by, table, arguments)
    data = check_training_data(
        estimator,
        arguments,
        table,
        encoder,
        groups=groups,
        dtype=objects.compute.dtype,
        classes=estimator.classes_ if mode.resume else mode.classes,
        reset=not mode.resume,
    )
    if not mode.one_epoch:
        _warn_if_none_unlabeled(estimator.unlabeled, data)
    tasks, dropped = _make_tasks(estimator, objects.y_task, data, mode)
    _check_unlabeled_tasks(tasks, estimator.unlabeled)
    architecture = describe_network(estimator, encoder, data.X, tasks, objects.compute.dtype)
    if mode.resume:
        _check_same_network(estimator, architecture)
    rows = pack_rows(data, tasks)
    if not mode.resume:
        estimator._seed = int(
            check_random_state(estimator.random_state).randint(np.iinfo(np.int32).max)
        )
    # A warm start holds the same samples out again: all others have been trained on.
    seed = estimator._seed
    if mode.resume and mode.one_epoch:
        seed = member_seed(seed, estimator.n_iter_)
    n_epochs = (1 if mode.one_epoch else estimator.max_epochs) * estimator.n_estimators
    is_custom = not isinstance(encoder, str)
    with (
        global_randomness(seed) if is_custom else contextlib.nullcontext(),
        torch_threads(objects.compute.n_threads),
        progress(
            total=n_epochs,
            desc=type(estimator).__name__,
            unit="epoch",
            verbose=estimator.verbose == 1,
        ) as bar,
    ):
        settings = TrainingSettings(
            params=estimator,
            objects=objects,
            architecture=architecture,
            tasks=tasks,
            device=device,
            seed=seed,
            bar=bar,
            interrupts=Interrupts(),
            start=Start(),
            max_epochs=1 if mode.one_epoch else estimator.max_epochs,
            one_epoch=mode.one_epoch,
            validation_fraction=fraction,
        )
        members, report = fit_ensemble(rows.to(device), data, settings, _starts(estimator, mode))
    if not mode.one_epoch:
        _warn_if_without_effect(estimator, objects, tasks, members, interrupted=bool(report))
    if mode.resume:
        _append_history(estimator, members)
    estimator.classes_ = tasks[0].classes
    estimator.dropped_tasks_ = dropped
    estimator._store_networks(architecture, members, tasks)
    return report


def check_parameter_objects(estimator: Any) -> SimpleNamespace:
    """Return the parameter objects of an estimator by their names, after validation."""
    by_name = {name: parameter_object(estimator, name) for name in estimator._default_objects}
    for name, instance in by_name.items():
        check_parameters(instance, name)
    objects = SimpleNamespace(**by_name)
    for name in ("column", "weight"):
        value = getattr(objects.y_task, name)
        if value is not None:
            raise ValueError(
                f"y_task: {name} is {value!r}, and must be None: the main task learns the labels "
                "of y with weight 1."
            )
    resolve_batch_augmenters(objects.perturbation.augmenters)
    if estimator.pseudo_labels is not None:
        estimator.pseudo_labels._check(estimator.unlabeled)
    if estimator.adversarial_training is not None:
        estimator.adversarial_training._check()
    return objects


def _starts(estimator, mode):
    """Return the state from which each network is trained."""
    if not mode.resume:
        return [Start()] * estimator.n_estimators
    if not mode.one_epoch:
        return [Start(weights) for weights in estimator._weights]
    states = estimator._states or [None] * estimator.n_estimators
    lengths = [len(history["epoch"]) for history in estimator._history]
    return [
        Start(*parts)
        for parts in zip(estimator._weights, states, estimator._temperatures, lengths, strict=True)
    ]


def validation_groups(name: str | None, table: Any, arguments: FitArguments) -> ArrayLike | None:
    """Return the groups that early stopping holds out, by an id or column if it is named."""
    aux = arguments.aux
    if name is None:
        return find_id(table, "speaker") if arguments.groups is None else arguments.groups
    groups = find_id(table, name)
    if groups is None and hasattr(aux, "columns") and name in aux.columns:
        groups = aux[name].to_numpy()
    if groups is None:
        raise MetadataError(
            f"validation__by={name!r} is neither a column nor an index level of X, nor a column of "
            "aux. Pass X as a DataFrame that has it, or set validation__by=None for the groups "
            "(speakers) passed to fit."
        )
    return groups


def _warn_if_none_unlabeled(unlabeled: Any, data: TrainingData) -> None:
    """Warn if -1 is the sentinel value and no sample has it: the labels may have been encoded."""
    if unlabeled == -1 and data.labeled.all():
        warn_user(
            "unlabeled=-1 is set, and y does not contain -1: all samples count as labeled. If "
            "they are, set unlabeled=None to avoid this warning. If they are not, y was encoded "
            "before it reached the network, and the unlabeled samples form a class: inside a "
            "meta-estimator that encodes labels (voting, bagging, stacking, one-vs-rest), fit on "
            "labeled samples alone, or make the network the outermost estimator.",
            TrainingWarning,
        )


def _make_tasks(estimator, spec, data, mode):
    """Return the tasks, the main one first, and those that are constant."""
    on_frames = not isinstance(data.X, torch.Tensor)

    def n_inputs(time_bins: int) -> int:
        return estimator.n_features_in_ * (time_bins if on_frames else 1)

    labels = data.y[data.labeled] if mode.classes is None else mode.classes
    classes = estimator.classes_ if mode.resume else np.unique(labels)
    main = FittedClassification(MAIN_TASK, 1.0, spec, classes)
    context = TaskContext(data.aux, main, n_inputs, counts=data.weights > 0)
    if not mode.resume:
        tasks, dropped = make_tasks(context, estimator.tasks, estimator.aux_weight)
        return [main, *tasks], dropped
    known, dropped = estimator._fitted_tasks()[1:], estimator.dropped_tasks_
    tasks = rebind_tasks(known, dropped, context, estimator.tasks, estimator.aux_weight)
    return [main, *tasks], dropped


def _check_unlabeled_tasks(tasks, unlabeled):
    for task in tasks:
        if task.uses_unlabeled and task.weight > 0.0 and unlabeled is None:
            raise ValueError(
                f"tasks[{task.name!r}] learns from unlabeled samples, and unlabeled=None says that "
                'every sample is labeled. Set unlabeled=-1 or "nan", and use that value in y.'
            )


def _warn_if_without_effect(estimator, objects, tasks, members, interrupted):
    """Warn of pseudo-labels without samples, and of what starts after the retained epoch."""
    if estimator.pseudo_labels is not None and all(
        [each["stopped"] for each in member.rounds or ()] == ["min_rows"] for member in members
    ):
        warn_user(
            f"pseudo_labels had no effect: fewer than min_rows={estimator.pseudo_labels.min_rows} "
            "of the unlabeled samples have a confident pseudo-label. Add unlabeled samples, or "
            "lower threshold or min_rows.",
            TrainingWarning,
        )
    n_epochs, best = estimator.max_epochs, max(member.best_epoch for member in members)
    without_effect = [
        (
            f"tasks[{task.name!r}] had no effect: with start={task.spec.start} it",
            task.spec.start,
            "Lower start or max_epochs, or set early_stopping=False.",
        )
        for task in tasks
        if task.uses_unlabeled and task.weight > 0.0 and task.spec.start > 0.0
    ]
    refitted = objects.validation.refit and members[0].split["n_valid"]
    if objects.optimization.weight_averaging == "swa" and not (refitted or interrupted):
        without_effect.append(
            (
                'weight_averaging="swa" had no effect: it',
                SWA_START,
                'Lower max_epochs, set validation__refit=True, or use "ema".',
            )
        )
    for what, start, advice in without_effect:
        if best <= start * n_epochs:
            warn_user(
                f"{what} starts after {start * n_epochs:g} of max_epochs={n_epochs} epochs, and "
                f"the retained weights are those of epoch {best}. {advice}",
                TrainingWarning,
            )


def _check_same_network(estimator, architecture):
    fitted = estimator._architecture
    changed = sorted(
        name
        for name in {*fitted, *architecture} - {"dropout"}
        if fitted.get(name) != architecture.get(name)
    )
    if changed:
        name = changed[0]
        raise ValueError(
            f"training cannot continue from the fitted network, which has another architecture: "
            f"{name} is {architecture.get(name)!r} now and was {fitted.get(name)!r}. Set "
            "warm_start=False, or call fit, to train a new network."
        )
    if len(estimator._weights) != estimator.n_estimators:
        raise ValueError(
            f"n_estimators is {estimator.n_estimators} now, and {len(estimator._weights)} networks "
            f"were fitted. Set n_estimators={len(estimator._weights)} to continue training these, "
            "or warm_start=False and call fit to train new ones."
        )


def _append_history(estimator, members):
    """Put the epochs before those of further training."""
    for member, old in zip(members, estimator._history, strict=False):
        start = old["epoch"][-1]
        new = {**member.history, "epoch": [start + epoch for epoch in member.history["epoch"]]}
        n_old, n_new = len(old["epoch"]), len(new["epoch"])
        member.history = {
            name: old.get(name, [np.nan] * n_old) + new.get(name, [np.nan] * n_new)
            for name in {**old, **new}
        }
        member.best_epoch += start


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


def member_seed(seed: int, index: int) -> int:
    """Return the seed of the network with this index; the first has that of the ensemble."""
    if index == 0:
        return seed
    return int(np.random.SeedSequence([seed, index]).generate_state(1)[0] >> 1)


def fit_ensemble(
    rows: ResidentRows,
    data: TrainingData,
    settings: TrainingSettings,
    starts: Sequence[Start],
) -> tuple[list[Member], str | None]:
    """Fit networks one after the other, and return them and where the user interrupted the fit.

    KeyboardInterrupt is raised if nothing can be retained.
    """
    members: list[Member] = []
    for index, start in enumerate(starts):
        own = replace(settings, seed=member_seed(settings.seed, index), start=start)
        with settings.interrupts.during("training"):
            member = _fit_member(rows, data, own, index)
            if member is not None:
                members.append(member)
        if settings.interrupts:
            if not members or settings.one_epoch:
                raise KeyboardInterrupt
            return members, _interrupt_report(settings, members, index)
    return members, None


def _fit_member(rows, data, settings, index):
    """Return the fitted network, or None if it was interrupted before the end of an epoch."""
    params, interrupts, one_epoch = settings.params, settings.interrupts, settings.one_epoch
    split = hold_out(rows, data, settings, index)
    valid_rows = rows.take(split.valid) if len(split.valid) else None

    def fit_labeled(labeled: ResidentRows) -> TrainingRecord:
        monitored = valid_rows if params.early_stopping else None
        return train_network(labeled.take(split.train), settings, monitored)

    labeled, rounds = rows, None
    if one_epoch or params.pseudo_labels is None:
        record = fit_labeled(rows)
    else:
        record, labeled, rounds = self_train(
            params.pseudo_labels, fit_labeled, rows, split, settings
        )
    if not record.epochs:
        return None
    result, temperature = record, settings.start.temperature
    if params.calibrate and valid_rows is not None:
        with interrupts.during("calibration"):
            temperature = validation_temperature(record.module, settings.tasks, valid_rows)
    elif params.calibrate and index == 0 and not one_epoch:
        warn_user(
            f"calibrate=True: no samples could be held out, because {split.record['reason']}. "
            "Probabilities are not calibrated (the temperature is 1).",
            TrainingWarning,
        )
    if settings.objects.validation.refit and valid_rows is not None and not interrupts:
        settings.bar.total += record.best_epoch
        with interrupts.during("refit"):
            again = train_network(labeled, replace(settings, max_epochs=record.best_epoch))
            if not interrupts:  # else the first network is the better one
                result = again
    return Member(
        weights_to_bytes(result.module),
        temperature,
        record.columns(),
        record.best_epoch,
        split.record,
        optimizer_state(result) if one_epoch else None,
        rounds,
    )


def _interrupt_report(settings, members, index):
    """Return where the user interrupted a fit and what is retained, for the warning."""
    n_epochs = len(members[index].history["epoch"]) if index < len(members) else 0
    after = f"after {n_epochs} of at most {settings.params.max_epochs} epochs"
    n_estimators = settings.params.n_estimators
    if n_estimators > 1:
        return (
            f"in network {index + 1} of {n_estimators}, {after}: the estimator is fitted with "
            f"{len(members)} of them"
        )
    stage, member = settings.interrupts.interrupted_in, members[0]
    if stage == "refit":
        after = "in the refit on all samples (validation__refit=True)"
    elif stage == "calibration":
        after = "in the fit of the temperature (calibrate=True), which stays 1"
    elif stage == "self-training":
        after = f"after round {len(member.rounds) - 1} of self-training"
    return f"{after}: the network is fitted with the weights of epoch {member.best_epoch}"
