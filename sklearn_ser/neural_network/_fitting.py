"""What ``fit`` and ``partial_fit`` do: from what they are given to trained networks."""

import contextlib
import sys

import numpy as np
import torch
from sklearn.utils import check_random_state

from sklearn_ser.exceptions import MetadataError, TrainingWarning
from sklearn_ser.neural_network._batches import pack_rows
from sklearn_ser.neural_network._encoders import choose_encoder
from sklearn_ser.neural_network._fitted_tasks import Labels
from sklearn_ser.neural_network._inputs import check_training_data
from sklearn_ser.neural_network._make_tasks import MAIN_TASK, make_tasks, rebind_tasks
from sklearn_ser.neural_network._members import member_seed, train_member
from sklearn_ser.neural_network._module import describe_network, resolve_device
from sklearn_ser.neural_network._random import global_randomness
from sklearn_ser.neural_network._tasks import ClassificationTask
from sklearn_ser.neural_network._training import TrainingSettings
from sklearn_ser.utils._ids import find_id
from sklearn_ser.utils._progress import progress
from sklearn_ser.utils._threads import torch_threads
from sklearn_ser.utils._user_line import warn_user

#: Modules of scikit-learn whose meta-estimators recode y, or count every label as a class.
_RECODING = {
    "sklearn.calibration": "CalibratedClassifierCV",
    "sklearn.ensemble._bagging": "BaggingClassifier",
    "sklearn.ensemble._voting": "VotingClassifier",
    "sklearn.ensemble._stacking": "StackingClassifier",
    "sklearn.multiclass": "a multiclass meta-estimator",
    "sklearn.multioutput": "a multioutput meta-estimator",
}


def fit_network(
    estimator, X, y, aux, groups, sample_weight, *, continued=False, one_epoch=False, classes=None
):
    """Train the networks of an estimator and store them in it.

    Parameters
    ----------
    estimator : MTLNeuralClassifier
    X, y, aux, groups, sample_weight
        As in its ``fit``.
    continued : bool
        Whether it goes on from the networks that it has.
    one_epoch : bool
        A single pass over all rows, with nothing held out (``partial_fit``).
    classes : array-like, optional
        All classes, where y may lack some.

    Returns
    -------
    int or None
        Epochs of the longest training, if it was interrupted; None otherwise.
    """
    if estimator.unlabelled is not None:
        refuse_recoding(estimator.unlabelled)
    device = resolve_device(estimator.device)
    encoder = choose_encoder(estimator.encoder, X)
    groups = validation_groups(estimator.validation_by, X, aux, groups)
    data = check_training_data(
        estimator,
        X,
        y,
        aux,
        groups,
        sample_weight,
        dtype=estimator.dtype,
        encoder=encoder,
        unlabelled=estimator.unlabelled,
        classes=estimator.classes_ if continued else classes,
        reset=not continued,
    )
    tasks, dropped = _tasks(estimator, data, continued, classes)
    _refuse_idle_guesses(tasks, estimator.unlabelled)
    architecture = describe_network(
        encoder,
        data.X,
        tasks,
        n_features=estimator.n_features_in_,
        encoder_params=estimator.encoder_params,
        hidden_units=estimator.hidden_units,
        activation=estimator.activation,
        dropout=estimator.dropout,
        dtype=estimator.dtype,
    )
    if continued:
        _refuse_other_network(estimator, architecture)
    rows = pack_rows(data, tasks)
    if continued and one_epoch:
        seed = member_seed(estimator._seed, estimator.n_iter_)
    else:
        seed = int(check_random_state(estimator.random_state).randint(np.iinfo(np.int32).max))
    settings = training_settings(estimator, one_epoch)
    held_out = (estimator.early_stopping or estimator.calibrate) and not one_epoch
    n_epochs = settings.max_epochs * estimator.n_estimators
    members, rows_there = [], rows.to(device)
    own = not isinstance(encoder, str)
    with (
        global_randomness(seed) if own else contextlib.nullcontext(),
        torch_threads(estimator.n_threads),
        progress(
            total=n_epochs, desc=type(estimator).__name__, unit="epoch", verbose=estimator.verbose
        ) as bar,
    ):
        for place in range(estimator.n_estimators):
            old = _old_member(estimator, place, one_epoch) if continued else {}
            member = train_member(
                architecture,
                tasks,
                rows_there,
                data.groups,
                data.weights,
                settings,
                fraction=estimator.validation_fraction if held_out else None,
                early_stopping=estimator.early_stopping and held_out,
                calibrate=estimator.calibrate,
                refit=estimator.refit,
                place=place,
                seed=member_seed(seed, place),
                device=device,
                bar=bar,
                **old,
            )
            if member is not None:
                members.append(member)
            if member is None or member.interrupted:
                break
    if not members:  # interrupted before there was anything to keep
        raise KeyboardInterrupt
    interrupted = members[-1].interrupted or len(members) < estimator.n_estimators
    if one_epoch and continued:
        _add_history(estimator, members)
    estimator.classes_ = tasks[0].classes
    estimator.aux_classes_ = {
        task.name: task.classes for task in tasks[1:] if isinstance(task, Labels)
    }
    estimator.dropped_tasks_ = dropped
    estimator._seed = seed if not (continued and one_epoch) else estimator._seed
    estimator._store_networks(architecture, members, tasks, keep_state=one_epoch)
    return estimator.n_iter_ if interrupted else None


def validation_groups(name, X, aux, groups):
    """Groups that early stopping keeps apart: those given, or those that `validation_by` names."""
    if name is None:
        return find_id(X, "speaker") if groups is None else groups
    found = find_id(X, name)
    if found is None and hasattr(aux, "columns") and name in aux.columns:
        found = aux[name].to_numpy()
    if found is None:
        raise MetadataError(
            f"validation_by={name!r} is neither a column nor an index level of X, nor a column of "
            "aux: give X as a DataFrame that has it, or leave validation_by=None for the groups "
            "(speakers) that fit is given."
        )
    return found


def training_settings(estimator, one_epoch=False):
    """The parameters of an estimator that are about training."""
    names = TrainingSettings.__dataclass_fields__
    values = {name: getattr(estimator, name) for name in names}
    if one_epoch:
        values |= {"max_epochs": 1, "lr_schedule": "constant", "warmup": 0.0}
    return TrainingSettings(**values)


def refuse_recoding(unlabelled):
    """Refuse a fit within a meta-estimator in which unlabelled rows would become a class.

    It hands on y as codes of a LabelEncoder's, or itself takes -1 for a class, neither of which
    shows in what arrives here: only who calls tells.
    """
    frame = sys._getframe(1)
    while frame is not None:
        name = _RECODING.get(frame.f_globals.get("__name__"))
        if name is not None:
            raise ValueError(
                f"unlabelled={unlabelled!r} does not work inside {name}, which recodes the labels: "
                "rows without a label would be taken for a class of their own. Fit it on labelled "
                "rows with unlabelled=None, or put the network outermost."
            )
        frame = frame.f_back


def _tasks(estimator, data, continued, classes):
    spec = ClassificationTask(
        class_weight=estimator.class_weight,
        label_smoothing=estimator.label_smoothing,
        focal_gamma=estimator.focal_gamma,
        logit_adjustment=estimator.logit_adjustment,
    )
    on_frames = not isinstance(data.X, torch.Tensor)

    def n_inputs(time_bins):
        return estimator.n_features_in_ * (time_bins if on_frames else 1)

    if continued:
        main = Labels(MAIN_TASK, 1.0, estimator.classes_, spec)
        tasks = rebind_tasks(
            estimator._fitted_tasks()[1:],
            estimator.dropped_tasks_,
            data.aux,
            estimator.tasks,
            aux_weight=estimator.aux_weight,
            main=main,
            n_inputs=n_inputs,
        )
        return [main, *tasks], estimator.dropped_tasks_
    labels = data.y[data.labelled] if classes is None else np.asarray(classes)
    main = Labels(MAIN_TASK, 1.0, np.unique(labels), spec)
    tasks, dropped = make_tasks(
        data.aux, estimator.tasks, aux_weight=estimator.aux_weight, main=main, n_inputs=n_inputs
    )
    return [main, *tasks], dropped


def _refuse_idle_guesses(tasks, unlabelled):
    for task in tasks:
        if task.kind == "consistency" and unlabelled is None:
            raise ValueError(
                f"tasks[{task.name!r}] learns from rows without a label, and unlabelled=None says "
                'that there are none: set unlabelled=-1 or "nan", as y marks them.'
            )


def _refuse_other_network(estimator, architecture):
    old = estimator._architecture
    changed = sorted(
        name for name in {*old, *architecture} if old.get(name) != architecture.get(name)
    )
    changed = [name for name in changed if name != "dropout"]
    if changed:
        name = changed[0]
        raise ValueError(
            f"the network cannot go on from the fitted one, which was built otherwise: {name} is "
            f"{architecture.get(name)!r} now and was {old.get(name)!r}. Set warm_start=False, or "
            "call fit, to begin anew."
        )
    if len(estimator._weights) != estimator.n_estimators:
        raise ValueError(
            f"n_estimators is {estimator.n_estimators} now, and {len(estimator._weights)} networks "
            "were fitted: set warm_start=False to begin anew."
        )


def _old_member(estimator, place, one_epoch):
    states = estimator._states
    return {
        "weights": estimator._weights[place],
        "state": states[place] if one_epoch and states else None,
    }


def _add_history(estimator, members):
    """Let the epochs of further training follow those that there were."""
    for member, old in zip(members, estimator._history, strict=False):
        start = old["epoch"][-1]
        new = {**member.history, "epoch": [start + epoch for epoch in member.history["epoch"]]}
        n_old, n_new = len(old["epoch"]), len(new["epoch"])
        member.history = {
            name: old.get(name, [np.nan] * n_old) + new.get(name, [np.nan] * n_new)
            for name in {**old, **new}
        }
        member.best_epoch += start


def warn_interrupted(n_epochs, estimator):
    """Say how far an interrupted training got."""
    warn_user(
        f"training was interrupted after {n_epochs} of at most {estimator.max_epochs} epochs: the "
        f"network is fitted with the weights of epoch {estimator.best_epoch_}"
        + (
            f", {len(estimator._weights)} of {estimator.n_estimators} networks"
            if estimator.n_estimators > 1
            else ""
        ),
        TrainingWarning,
    )
