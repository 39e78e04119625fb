"""From `tasks` and the table of auxiliary targets to the tasks that a network learns."""

from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
from pandas.api import types

from sklearn_ser.exceptions import MetadataError, TrainingWarning
from sklearn_ser.neural_network.tasks._fitted_tasks import (
    TASK_KINDS,
    Consistency,
    Contrast,
    Labels,
    Reconstruction,
    Values,
)
from sklearn_ser.neural_network.tasks._tasks import (
    SHORT_NAMES,
    ClassificationTask,
    ConsistencyTask,
    ContrastiveTask,
    ReconstructionTask,
    RegressionTask,
)
from sklearn_ser.utils._warnings import warn_user

#: The name of the main task (the emotion) among all tasks.
MAIN_TASK = "y"
#: A column of whole numbers with at most this many different ones holds classes.
MOST_INTEGER_CLASSES = 20


def task_object(name, task):
    """The task object that `task`, one value of the parameter `tasks`, stands for.

    Raises
    ------
    ValueError
        If it is no task object and no short name of one.
    """
    if isinstance(task, tuple(kind.spec_type for kind in TASK_KINDS.values())):
        return task
    if isinstance(task, str) and task in SHORT_NAMES:
        return SHORT_NAMES[task]()
    raise ValueError(
        f"tasks[{name!r}] must be a task object or one of {['auto', *SHORT_NAMES]}, got {task!r}."
    )


def make_tasks(aux, tasks, *, aux_weight, main=None, n_inputs=None, counts=None):
    """The auxiliary tasks to learn.

    Parameters
    ----------
    aux : DataFrame or None
        From :func:`check_aux`.
    tasks : "auto", None or mapping of str to task object or str
    aux_weight : float
        Weight of the tasks that name none.
    main : Labels, optional
        The main task, for tasks that use its labels too.
    n_inputs : function, optional
        Number of values to reconstruct, given the number of time bins.
    counts : ndarray of bool of shape (n_rows,), optional
        Rows whose weight is above 0: the scale of values is theirs.

    Returns
    -------
    list of fitted tasks
        In the order of `tasks`, or of aux's columns.
    dropped : dict of str to str
        Tasks that are constant here, and their one value. A TrainingWarning names them.

    Raises
    ------
    MetadataError
        If `tasks` and `aux` do not fit together.
    ValueError
        If a task, or a parameter of one, cannot be.
    """
    made = []
    for name, spec in _specs(aux, tasks).items():
        weight = float(aux_weight if spec.weight is None else spec.weight)
        kind = _kind(spec)
        if kind is Reconstruction:
            made.append(kind(name, weight, n_inputs(spec.time_bins), spec))
        elif kind is Consistency:
            made.append(kind(name, weight, spec))
        elif kind is Contrast:
            made.append(_contrast(name, weight, spec, aux, main))
        else:
            column = aux[spec.column or name]
            if kind is Values and counts is not None and not counts.all():
                column = column.where(counts)
            made.append(kind.from_column(name, weight, column, spec))
    dropped = {task.name: task.constant_value for task in made if task.constant_value is not None}
    if dropped:
        found = ", ".join(f"{name!r} (only {value})" for name, value in dropped.items())
        warn_user(
            f"auxiliary targets that are constant in these training rows are left out: {found}",
            TrainingWarning,
        )
    return [task for task in made if task.name not in dropped], dropped


def rebind_tasks(known, dropped, aux, tasks, *, aux_weight, main, n_inputs):
    """The tasks of a fitted network for further training on other rows.

    What a task knows (its classes, its scale) stays; how it is learned follows `tasks`. One that
    `tasks` does not name any more has weight 0. Columns that `aux` does not have now are missing
    values.

    Parameters
    ----------
    known : list of fitted tasks
        Without the main task.
    dropped : dict of str to str
        Tasks that were constant in the first fit, which may still be named.
    aux, tasks, aux_weight, main, n_inputs
        As in :func:`make_tasks`.

    Raises
    ------
    MetadataError
        If a column has labels that the network does not know.
    ValueError
        If `tasks` names a task that the network was not built with, or another kind of task.
    """
    names = [task.name for task in known]
    specs = dict.fromkeys(names, "auto") if isinstance(tasks, str) else _named(tasks or {})
    strange = sorted(set(specs) - {*names, *dropped})
    if strange:
        raise ValueError(
            f"tasks names {strange}, which the fitted network has not: it has {names}. Its tasks "
            "are those of the first fit; set warm_start=False to begin anew."
        )
    rebound = []
    for task in known:
        named = task.name in specs
        # Nobody asked for one that is not named: it is not trained, and no column is its own.
        again = _rebound(
            task, specs.get(task.name, "auto"), aux if named else None, aux_weight, main, n_inputs
        )
        rebound.append(again if named else replace(again, weight=0.0))
    return rebound


def _rebound(task, spec, aux, aux_weight, main, n_inputs):
    spec = task.spec if _is_auto(spec) else task_object(task.name, spec)
    if _kind(spec) is not type(task):
        raise ValueError(
            f"tasks[{task.name!r}] is of the type {type(spec).__name__} now, and of the type "
            f"{type(task.spec).__name__} in the fitted network: set warm_start=False to begin anew."
        )
    spec.check(task.name)
    weight = float(aux_weight if spec.weight is None else spec.weight)
    if isinstance(task, Contrast):
        return _contrast(task.name, weight, spec, aux, main)
    if isinstance(task, Reconstruction):
        return replace(task, weight=weight, spec=spec, n_outputs=n_inputs(spec.time_bins))
    if isinstance(task, Labels):
        column = spec.column or task.name
        strange = [] if aux is None or column not in aux else task.unknown(aux[column])
        if strange:
            raise MetadataError(
                f"aux column {column!r} has the labels {strange}, which the fitted network does "
                f"not know: its classes are {task.classes.tolist()}. Mark such labels as missing "
                "(None), and the rest of these rows is learned; or begin anew, with "
                "warm_start=False and fit."
            )
    return replace(task, weight=weight, spec=spec)


def _kind(spec):
    """The fitted form of a task object."""
    return next(kind for kind in TASK_KINDS.values() if isinstance(spec, kind.spec_type))


def _contrast(name, weight, spec, aux, main):
    def labels_of(column):
        missing = aux is None or column not in aux
        values = pd.Series([], dtype=object) if missing else aux[column]
        return Labels.from_column(column, 0.0, values)

    labels = main if spec.column is None else labels_of(spec.column)
    across = None if spec.across is None else labels_of(spec.across)
    return Contrast(name, weight, spec.n_components, labels, across, spec)


def _specs(aux, tasks):
    """Task object of each task by name, checked against the columns that there are."""
    if tasks is None:
        return {}
    columns = [] if aux is None else list(aux.columns)
    given = dict.fromkeys(columns, "auto") if isinstance(tasks, str) else _named(tasks)
    if MAIN_TASK in given:
        raise MetadataError(
            f"an auxiliary task cannot be called {MAIN_TASK!r}, which is the main task's name in "
            "history_: rename that column of aux."
        )
    for name, task in given.items():
        if not _is_auto(task):
            task_object(name, task).check(name)
    needed = {name: columns_of(name, task) for name, task in given.items()}
    missing = [column for wanted in needed.values() for column in wanted if column not in columns]
    if missing and aux is None:
        raise MetadataError(
            f"tasks names {sorted(missing)} but fit got no aux: give the targets as "
            "fit(X, y, aux=DataFrame), or tasks=None for a single-task network."
        )
    if missing:
        raise MetadataError(
            f"tasks names {missing}, which aux does not have: its columns are {columns}."
        )
    return {
        name: _inferred(name, aux[name]) if _is_auto(task) else task_object(name, task)
        for name, task in given.items()
    }


def _named(tasks):
    if not isinstance(tasks, Mapping):
        raise TypeError(f'tasks must be "auto", None or a mapping, got {tasks!r}.')
    return {str(name): task for name, task in tasks.items()}


def _is_auto(task):
    return isinstance(task, str) and task == "auto"


def columns_of(name, task):
    """Columns of `aux` that a task of this name takes its targets from."""
    if _is_auto(task):
        return [name]
    task = task_object(name, task)
    if isinstance(task, ReconstructionTask | ConsistencyTask):
        return []
    if isinstance(task, ContrastiveTask):
        return [column for column in (task.column, task.across) if column is not None]
    return [task.column or name]


def _inferred(name, column):
    if types.is_bool_dtype(column.dtype) or isinstance(column.dtype, pd.CategoricalDtype):
        return ClassificationTask()
    if types.is_float_dtype(column.dtype):
        return RegressionTask()
    if types.is_integer_dtype(column.dtype):
        few = column.nunique() <= MOST_INTEGER_CLASSES
        return ClassificationTask() if few else RegressionTask()
    if types.is_string_dtype(column.dtype) or types.is_object_dtype(column.dtype):
        return ClassificationTask()
    raise MetadataError(
        f"aux column {name!r} has dtype {column.dtype}, from which no kind of task follows: leave "
        "it out, or convert it to strings (classification) or floats (regression)."
    )
