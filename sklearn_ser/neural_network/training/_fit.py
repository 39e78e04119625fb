"""What ``fit`` and ``partial_fit`` do: from what they are given to trained networks."""

import contextlib
import sys

import numpy as np
import torch
from sklearn.utils import check_random_state

from sklearn_ser.exceptions import MetadataError, TrainingWarning
from sklearn_ser.neural_network._module import describe_network, resolve_device
from sklearn_ser.neural_network._nested_params import parameter_object
from sklearn_ser.neural_network._random import global_randomness
from sklearn_ser.neural_network._settings import OptimizationSettings, check_parameters
from sklearn_ser.neural_network.encoders._registry import choose_encoder
from sklearn_ser.neural_network.tasks._classification import FittedClassification
from sklearn_ser.neural_network.tasks._make_tasks import MAIN_TASK, make_tasks, rebind_tasks
from sklearn_ser.neural_network.training._batch_augmenters import resolve_batch_augmenters
from sklearn_ser.neural_network.training._batches import pack_rows
from sklearn_ser.neural_network.training._callbacks import check_callbacks
from sklearn_ser.neural_network.training._inputs import check_training_data
from sklearn_ser.neural_network.training._members import member_seed, train_member
from sklearn_ser.neural_network.training._net import SWA_START
from sklearn_ser.neural_network.training._train import TrainingSettings
from sklearn_ser.utils._ids import find_id
from sklearn_ser.utils._progress import progress
from sklearn_ser.utils._threads import torch_threads
from sklearn_ser.utils._warnings import warn_user


def fit_network(estimator, arguments, *, resume=False, one_epoch=False, classes=None):
    """Train the networks of an estimator and store them in it.

    Parameters
    ----------
    estimator : MTLNeuralClassifier
    arguments : FitArguments
    resume : bool
        Whether training continues from the networks of the estimator.
    one_epoch : bool
        Whether to train for a single pass over all samples, with nothing held out
        (``partial_fit``).
    classes : array-like, optional
        All classes, where y may lack some.

    Raises
    ------
    KeyboardInterrupt
        If it was interrupted, with what was trained so far stored, and a warning. Where there is
        nothing to keep (or nothing whole: of a pass over all rows), and after any other error,
        the estimator is as it was.
    """
    with _unchanged_on_error(estimator):
        interrupted = _fit_network(estimator, arguments, resume, one_epoch, classes)
    if interrupted is not None:
        warn_user(f"training was interrupted {interrupted}", TrainingWarning)
        raise KeyboardInterrupt


@contextlib.contextmanager
def _unchanged_on_error(estimator):
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


def _fit_network(estimator, arguments, continued, one_epoch, classes):
    """As `fit_network`; returns where it was interrupted, or None."""
    settings = check_settings(estimator)
    X, y, aux, groups, sample_weight, sources = vars(arguments).values()
    if estimator.unlabeled is not None:
        refuse_recoding(estimator.unlabeled)
    check_callbacks(estimator.callbacks, held_out=estimator.early_stopping or one_epoch)
    device = resolve_device(estimator.device)
    encoder = choose_encoder(estimator.encoder, X)
    held_out = _holds_out(estimator, one_epoch)
    groups = validation_groups(settings["validation"].by if held_out else None, X, aux, groups)
    data = check_training_data(
        estimator,
        X,
        y,
        aux,
        groups,
        sample_weight,
        sources=sources,
        dtype=settings["compute"].dtype,
        encoder=encoder,
        unlabeled=estimator.unlabeled,
        classes=estimator.classes_ if continued else classes,
        reset=not continued,
    )
    tasks, dropped = _tasks(estimator, data, continued, classes)
    _refuse_idle_guesses(tasks, estimator.unlabeled)
    architecture = describe_network(
        encoder,
        data.X,
        tasks,
        n_features=estimator.n_features_in_,
        encoder_params=estimator.encoder_params,
        hidden_units=estimator.hidden_units,
        activation=estimator.activation,
        dropout=estimator.dropout,
        dtype=settings["compute"].dtype,
    )
    if continued:
        _refuse_other_network(estimator, architecture)
    rows = pack_rows(data, tasks)
    if continued and one_epoch:
        seed = member_seed(estimator._seed, estimator.n_iter_)
    else:
        seed = int(check_random_state(estimator.random_state).randint(np.iinfo(np.int32).max))
    own = not isinstance(encoder, str)
    with global_randomness(seed) if own else contextlib.nullcontext():
        members, interrupted = _train_members(
            estimator, architecture, tasks, rows, data, seed, device, continued, one_epoch
        )
    if not one_epoch:
        _warn_of_unlearned_guesses(tasks, members, estimator.max_epochs)
        _warn_of_idle_averaging(estimator, members, interrupted)
    if one_epoch and continued:
        _add_history(estimator, members)
    estimator.classes_ = tasks[0].classes
    estimator.aux_classes_ = {
        task.name: task.classes for task in tasks[1:] if isinstance(task, FittedClassification)
    }
    estimator.dropped_tasks_ = dropped
    if not (continued and one_epoch):
        estimator._seed = seed
    estimator._store_networks(architecture, members, tasks)
    return interrupted


def _train_members(estimator, architecture, tasks, rows, data, seed, device, continued, one_epoch):
    """The trained networks, and where the training was interrupted, or None."""
    settings = training_settings(estimator, one_epoch)
    pseudo_labels = None if one_epoch else estimator.pseudo_labels
    held_out = _holds_out(estimator, one_epoch)
    n_epochs = (1 if one_epoch else settings.max_epochs) * estimator.n_estimators
    members, rows = [], rows.to(device)
    with (
        torch_threads(parameter_object(estimator, "compute").n_threads),
        progress(
            total=n_epochs, desc=type(estimator).__name__, unit="epoch", verbose=estimator.verbose
        ) as bar,
    ):
        for place in range(estimator.n_estimators):
            old = _old_member(estimator, place, one_epoch) if continued else {}
            try:
                member = train_member(
                    architecture,
                    tasks,
                    rows,
                    data.groups,
                    data.weights,
                    settings,
                    fraction=estimator.validation_fraction if held_out else None,
                    early_stopping=estimator.early_stopping and held_out,
                    calibrate=estimator.calibrate,
                    refit=parameter_object(estimator, "validation").refit,
                    place=place,
                    seed=member_seed(seed, place),
                    device=device,
                    bar=bar,
                    one_epoch=one_epoch,
                    pseudo_labels=pseudo_labels,
                    sources=data.sources,
                    **old,
                )
            except KeyboardInterrupt:  # between epochs
                member = None
            if member is not None:
                members.append(member)
            if member is None or member.interrupted:
                if not members or one_epoch:
                    raise KeyboardInterrupt
                return members, _how_far(estimator, members, place, member)
    return members, None


def _how_far(estimator, members, place, member):
    """Where a training was interrupted, and what is left of it."""
    n_epochs = 0 if member is None else len(member.history["epoch"])
    after = f"after {n_epochs} of at most {estimator.max_epochs} epochs"
    if estimator.n_estimators > 1:
        return (
            f"in network {place + 1} of {estimator.n_estimators}, {after}: the estimator is "
            f"fitted with {len(members)} of them"
        )
    if member.interrupted == "refit":
        after = "while the network was trained anew on all rows (refit=True)"
    if member.interrupted == "calibration":
        after = "while its temperature was looked for (calibrate=True), which stays 1"
    if member.interrupted == "self-training":
        after = f"after round {len(member.rounds) - 1} of self-training"
    return f"{after}: the network is fitted with the weights of epoch {member.best_epoch}"


def _holds_out(estimator, one_epoch):
    """Whether rows are held out: for early stopping, a temperature or the rounds' judge."""
    watched = estimator.early_stopping or estimator.calibrate or estimator.pseudo_labels is not None
    return watched and not one_epoch


def validation_groups(name, X, aux, groups):
    """Groups that early stopping keeps apart: those given, or those that `validation__by` names."""
    if name is None:
        return find_id(X, "speaker") if groups is None else groups
    found = find_id(X, name)
    if found is None and hasattr(aux, "columns") and name in aux.columns:
        found = aux[name].to_numpy()
    if found is None:
        raise MetadataError(
            f"validation__by={name!r} is neither a column nor an index level of X, nor a column of "
            "aux: give X as a DataFrame that has it, or leave validation__by=None for the groups "
            "(speakers) that fit is given."
        )
    return found


def check_settings(estimator):
    """Return the parameter objects of an estimator by name, after validating them.

    Raises
    ------
    ValueError
    """
    settings = {name: parameter_object(estimator, name) for name in estimator._default_objects}
    for name, found in settings.items():
        check_parameters(found, name)
    for name in ("column", "weight"):
        value = getattr(settings["y_task"], name)
        if value is not None:
            raise ValueError(
                f"y_task: {name} is {value!r}, and must be None: the main task learns the labels "
                "of y with weight 1."
            )
    resolve_batch_augmenters(settings["perturbation"].augmenters)
    if estimator.pseudo_labels is not None:
        estimator.pseudo_labels.check(estimator.unlabeled)
    if estimator.adversarial_training is not None:
        estimator.adversarial_training.check()
    return settings


def training_settings(estimator, one_epoch=False):
    """The parameters of an estimator that are about training."""
    values = {
        name: parameter_object(estimator, name)
        if name in estimator._default_objects
        else getattr(estimator, name)
        for name in TrainingSettings.__dataclass_fields__
    }
    if one_epoch:  # how many there will be is not known
        params = values["optimization"].get_params()
        params |= {"lr_schedule": "constant", "warmup": 0.0, "weight_averaging": None}
        values["optimization"] = OptimizationSettings(**params)
    return TrainingSettings(**values)


def _tasks(estimator, data, continued, classes):
    spec = parameter_object(estimator, "y_task")
    on_frames = not isinstance(data.X, torch.Tensor)

    def n_inputs(time_bins):
        return estimator.n_features_in_ * (time_bins if on_frames else 1)

    if continued:
        main = FittedClassification(MAIN_TASK, 1.0, estimator.classes_, spec)
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
    labels = data.y[data.labeled] if classes is None else np.asarray(classes)
    main = FittedClassification(MAIN_TASK, 1.0, np.unique(labels), spec)
    tasks, dropped = make_tasks(
        data.aux,
        estimator.tasks,
        aux_weight=estimator.aux_weight,
        main=main,
        n_inputs=n_inputs,
        counts=data.weights > 0,
    )
    return [main, *tasks], dropped


def _refuse_idle_guesses(tasks, unlabeled):
    for task in tasks:
        if task.uses_unlabeled and task.weight > 0.0 and unlabeled is None:
            raise ValueError(
                f"tasks[{task.name!r}] learns from rows without a label, and unlabeled=None says "
                'that there are none: set unlabeled=-1 or "nan", as y marks them.'
            )


def _warn_of_unlearned_guesses(tasks, members, max_epochs):
    for task in tasks:
        if not task.uses_unlabeled or task.weight == 0.0 or task.spec.start == 0.0:
            continue
        begins = task.spec.start * max_epochs
        best = max(member.best_epoch for member in members)
        if best <= begins:
            warn_user(
                f"tasks[{task.name!r}] has taught nothing: with start={task.spec.start} it begins "
                f"after {begins:g} of max_epochs={max_epochs} epochs, and the weights that are "
                f"kept are of epoch {best}. Lower start or max_epochs, or set "
                "early_stopping=False.",
                TrainingWarning,
            )


def _warn_of_idle_averaging(estimator, members, interrupted):
    anew = parameter_object(estimator, "validation").refit and members[0].split["n_valid"]
    if parameter_object(estimator, "optimization").weight_averaging != "swa" or interrupted or anew:
        return
    begins = SWA_START * estimator.max_epochs
    best = max(member.best_epoch for member in members)
    if best <= begins:
        warn_user(
            f'weight_averaging="swa" has averaged nothing: it begins after {begins:g} of '
            f"max_epochs={estimator.max_epochs} epochs, and the weights that are kept are of epoch "
            f'{best}. Lower max_epochs, set refit=True, or take "ema".',
            TrainingWarning,
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
            f"were fitted: set n_estimators={len(estimator._weights)} to go on with these, or "
            "warm_start=False and call fit to begin anew."
        )


def _old_member(estimator, place, one_epoch):
    old = {"weights": estimator._weights[place]}
    if one_epoch:
        old["temperature"] = estimator._temperatures[place]
        old["epochs_before"] = len(estimator._history[place]["epoch"])
        if estimator._states:
            old["state"] = estimator._states[place]
    return old


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


#: All that is seen of these two in a worker, where a function of a module that they share fits.
_EITHER = "VotingClassifier or StackingClassifier"
#: Modules whose meta-estimators recode y, or take every value of y for a class.
_RECODING = {
    "sklearn.calibration": "CalibratedClassifierCV",
    "sklearn.ensemble._bagging": "BaggingClassifier",
    "sklearn.ensemble._voting": "VotingClassifier",
    "sklearn.ensemble._stacking": "StackingClassifier",
    "sklearn.ensemble._base": _EITHER,
    "sklearn.ensemble._weight_boosting": "AdaBoostClassifier",
    "sklearn.multiclass": "a multiclass meta-estimator",
    "sklearn.multioutput": "a multioutput meta-estimator",
}
#: Methods for which cross_val_predict recodes y.
_PREDICTING_CLASSES = ("predict_proba", "predict_log_proba", "decision_function")


def refuse_recoding(unlabeled):
    """Refuse a fit within a meta-estimator in which unlabeled rows would become a class.

    It hands on y as codes of a LabelEncoder's, or itself takes -1 for a class, neither of which
    shows in what arrives here: only who calls tells.

    Raises
    ------
    ValueError
    """
    names = [name for frame in _frames(sys._getframe(1)) if (name := _recoder(frame))]
    if names:
        name = next((name for name in names if name != _EITHER), _EITHER)
        raise ValueError(
            f"unlabeled={unlabeled!r} does not work inside {name}, which recodes the labels: "
            "rows without a label would be taken for a class of their own. Fit it on labeled "
            "rows with unlabeled=None, or put the network outermost."
        )


def _recoder(frame):
    """What recodes labels there, or None."""
    module = frame.f_globals.get("__name__")
    if module == "sklearn.model_selection._validation":
        # cross_val_predict encodes the labels where it is asked for more than predictions.
        method = frame.f_locals.get("method")
        if frame.f_code.co_name == "_fit_and_predict" and method in _PREDICTING_CLASSES:
            return f"cross_val_predict(method={method!r})"
    return _RECODING.get(module)


def _frames(frame):
    """A frame and all that called it, from the inside out."""
    while frame is not None:
        yield frame
        frame = frame.f_back
