"""Fit of a network: from the arguments of ``fit`` and ``partial_fit`` to fitted networks."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike
from sklearn.utils import check_random_state

from sklearn_ser.exceptions import MetadataError, TrainingWarning
from sklearn_ser.neural_network._module import describe_network, resolve_device
from sklearn_ser.neural_network._nested_params import parameter_object
from sklearn_ser.neural_network._random import global_randomness
from sklearn_ser.neural_network._settings import OptimizationSettings, check_parameters
from sklearn_ser.neural_network.encoders._registry import choose_encoder
from sklearn_ser.neural_network.tasks._base import TaskContext
from sklearn_ser.neural_network.tasks._classification import FittedClassification
from sklearn_ser.neural_network.tasks._make_tasks import MAIN_TASK, make_tasks, rebind_tasks
from sklearn_ser.neural_network.training._batch_perturbation import resolve_batch_augmenters
from sklearn_ser.neural_network.training._batches import pack_rows
from sklearn_ser.neural_network.training._callbacks import Interrupts, check_callbacks
from sklearn_ser.neural_network.training._ensemble import (
    EnsembleSettings,
    fit_ensemble,
    member_seed,
)
from sklearn_ser.neural_network.training._fit_one import Start, TrainingSettings
from sklearn_ser.neural_network.training._inputs import (
    FitArguments,
    TrainingData,
    check_training_data,
)
from sklearn_ser.neural_network.training._skorch_net import SWA_START
from sklearn_ser.utils._ids import find_id
from sklearn_ser.utils._progress import progress
from sklearn_ser.utils._threads import torch_threads
from sklearn_ser.utils._warnings import warn_user

#: Parameters of the estimator that are settings of the training of each network.
TRAINING_PARAMETERS = (
    "batch_size",
    "lr",
    "loss_weighting",
    "patience",
    "callbacks",
    "adversarial_training",
)


@dataclass(frozen=True)
class FitMode:
    """Kind of a fit."""

    resume: bool = False  # from the networks of the estimator
    one_epoch: bool = False  # a single pass over all samples, with nothing held out (partial_fit)
    classes: np.ndarray | None = None  # all of them, where y may lack some


def fit_network(estimator: Any, arguments: FitArguments, mode: FitMode) -> None:
    """Fit the networks of an estimator and store them in it.

    At a user interrupt, what was trained so far is stored, with a warning, and KeyboardInterrupt is
    raised. If nothing can be retained, and after any error, the estimator is unchanged.
    """
    before = dict(vars(estimator))
    try:
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
    ensemble = _ensemble_settings(estimator, objects, mode)
    check_callbacks(estimator.callbacks, validated=estimator.early_stopping or mode.one_epoch)
    device = resolve_device(estimator.device)
    encoder = choose_encoder(estimator.encoder, arguments.X)
    groups = validation_groups(
        None if ensemble.validation_fraction is None else objects.validation.by, arguments
    )
    data = check_training_data(
        estimator,
        arguments,
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
    continues_passes = mode.resume and mode.one_epoch
    if continues_passes:
        seed = member_seed(estimator._seed, estimator.n_iter_)
    else:
        seed = int(check_random_state(estimator.random_state).randint(np.iinfo(np.int32).max))
    n_epochs = (1 if mode.one_epoch else estimator.max_epochs) * estimator.n_estimators
    is_custom = not isinstance(encoder, str)
    with (
        global_randomness(seed) if is_custom else contextlib.nullcontext(),
        torch_threads(objects.compute.n_threads),
        progress(
            total=n_epochs, desc=type(estimator).__name__, unit="epoch", verbose=estimator.verbose
        ) as bar,
    ):
        settings = TrainingSettings(
            architecture=architecture,
            tasks=tasks,
            device=device,
            seed=seed,
            bar=bar,
            interrupts=Interrupts(),
            planned_epochs=estimator.max_epochs,
            start=Start(),
            max_epochs=1 if mode.one_epoch else estimator.max_epochs,
            optimization=_optimization(objects.optimization, mode),
            perturbation=objects.perturbation,
            compute=objects.compute,
            monitor=objects.validation.monitor,
            **{name: getattr(estimator, name) for name in TRAINING_PARAMETERS},
        )
        members, report = fit_ensemble(
            rows.to(device), data, settings, ensemble, _starts(estimator, mode)
        )
    if not mode.one_epoch:
        _warn_if_without_effect(estimator, objects, tasks, members, interrupted=bool(report))
    if continues_passes:
        _append_history(estimator, members)
    estimator.classes_ = tasks[0].classes
    estimator.aux_classes_ = {
        task.name: task.classes for task in tasks[1:] if isinstance(task, FittedClassification)
    }
    estimator.dropped_tasks_ = dropped
    if not continues_passes:
        estimator._seed = seed
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


def _ensemble_settings(estimator, objects, mode):
    pseudo_labels = None if mode.one_epoch else estimator.pseudo_labels
    needs_validation = estimator.early_stopping or estimator.calibrate or pseudo_labels is not None
    holds_out = needs_validation and not mode.one_epoch
    return EnsembleSettings(
        n_estimators=estimator.n_estimators,
        validation_fraction=estimator.validation_fraction if holds_out else None,
        early_stopping=estimator.early_stopping and holds_out,
        calibrate=estimator.calibrate,
        refit=objects.validation.refit,
        pseudo_labels=pseudo_labels,
        one_epoch=mode.one_epoch,
    )


def _optimization(settings, mode):
    """Return the settings of the optimizer; in partial_fit, how many epochs follow is unknown."""
    if not mode.one_epoch:
        return settings
    constant = {"lr_schedule": "constant", "warmup": 0.0, "weight_averaging": None}
    return OptimizationSettings(**{**settings.get_params(), **constant})


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


def validation_groups(name: str | None, arguments: FitArguments) -> ArrayLike | None:
    """Return the groups that early stopping holds out as a whole.

    `name` is a column or index level of X, or a column of `aux`; None stands for the groups passed
    to ``fit``, or the speakers of X.
    """
    X, aux = arguments.X, arguments.aux
    if name is None:
        return find_id(X, "speaker") if arguments.groups is None else arguments.groups
    groups = find_id(X, name)
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
    """Warn of tasks and of weight averaging that start after the epoch that was retained."""
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
