"""From `tasks` and the table of auxiliary targets to the tasks that a network learns."""

import warnings
from collections.abc import Mapping
from dataclasses import replace

import pandas as pd
from pandas.api import types

from sklearn_ser.exceptions import MetadataError, TrainingWarning
from sklearn_ser.neural_network._fitted_tasks import (
    AdversarialLabels,
    Contrast,
    Labels,
    Reconstruction,
    Values,
)
from sklearn_ser.neural_network._tasks import (
    SHORT_NAMES,
    AdversarialTask,
    ClassificationTask,
    ContrastiveTask,
    ReconstructionTask,
    RegressionTask,
    Task,
)

#: The name of the main task (the emotion) among all tasks.
MAIN_TASK = "y"
#: A column of whole numbers with at most this many different ones holds classes.
MOST_INTEGER_CLASSES = 20

_COLUMN_TASKS = {
    ClassificationTask: Labels,
    AdversarialTask: AdversarialLabels,
    RegressionTask: Values,
}


def task_object(name, task):
    """The task object that `task`, one value of the parameter `tasks`, stands for.

    Raises
    ------
    ValueError
        If it is no task object and no short name of one.
    """
    if isinstance(task, Task):
        return task
    if isinstance(task, str) and task in SHORT_NAMES:
        return SHORT_NAMES[task]()
    raise ValueError(
        f"tasks[{name!r}] must be a task object or one of {['auto', *SHORT_NAMES]}, got {task!r}."
    )


def make_tasks(aux, tasks, *, aux_weight, main=None, main_column=None, n_inputs=None):
    """The auxiliary tasks to learn.

    Parameters
    ----------
    aux : DataFrame or None
        From :func:`check_aux`.
    tasks : "auto", None or mapping of str to task object or str
    aux_weight : float
        Weight of the tasks that name none.
    main : Labels, optional
        The main task, and `main_column`, a Series of its labels: for tasks that use them too.
    main_column : Series, optional
    n_inputs : function, optional
        Number of values to reconstruct, given the number of time bins.

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
        if isinstance(spec, ReconstructionTask):
            made.append(Reconstruction(name, weight, n_inputs(spec.time_bins), spec))
        elif isinstance(spec, ContrastiveTask):
            made.append(_contrast(name, weight, spec, aux, main))
        else:
            kind = _COLUMN_TASKS[type(spec)]
            made.append(kind.from_column(name, weight, aux[spec.column or name], spec))
    dropped = {task.name: task.constant_value for task in made if task.constant_value is not None}
    if dropped:
        found = ", ".join(f"{name!r} (only {value})" for name, value in dropped.items())
        warnings.warn(
            f"auxiliary targets that are constant in these training rows are left out: {found}",
            TrainingWarning,
            stacklevel=6,
        )
    return [task for task in made if task.name not in dropped], dropped


def rebind_tasks(known, aux, tasks, *, aux_weight, main):
    """The tasks of a fitted network for further training on other rows.

    What a task knows (its classes, its scale) stays; how it is learnt follows `tasks`. Columns
    that `aux` does not have now are missing values.

    Parameters
    ----------
    known : list of fitted tasks
        Without the main task.
    aux, tasks, aux_weight, main
        As in :func:`make_tasks`.

    Raises
    ------
    MetadataError
        If a column has labels that the network does not know.
    ValueError
        If `tasks` names a task that the network was not built with, or another kind of task.
    """
    specs = {} if tasks is None or isinstance(tasks, str) else _named(tasks)
    strange = sorted(set(specs) - {task.name for task in known})
    if strange:
        raise ValueError(
            f"tasks names {strange}, which the fitted network has not: it has "
            f"{[task.name for task in known]}. Its tasks are those of the first fit; set "
            "warm_start=False to begin anew."
        )
    return [_rebound(task, specs.get(task.name, "auto"), aux, aux_weight, main) for task in known]


def _rebound(task, spec, aux, aux_weight, main):
    spec = task.spec if spec == "auto" else task_object(task.name, spec)
    if type(spec) is not type(task.spec):
        raise ValueError(
            f"tasks[{task.name!r}] is now a {type(spec).__name__}, and the fitted network has a "
            f"{type(task.spec).__name__}: set warm_start=False to begin anew."
        )
    spec.check(task.name)
    weight = float(aux_weight if spec.weight is None else spec.weight)
    changes = {"spec": spec, "weight": weight}
    if isinstance(task, Contrast):
        again = _contrast(task.name, weight, spec, aux, main)
        changes |= {"labels": again.labels, "across": again.across}
    elif isinstance(task, Labels):
        column = spec.column or task.name
        strange = [] if aux is None or column not in aux else task.unknown(aux[column])
        if strange:
            raise MetadataError(
                f"aux column {column!r} has the labels {strange}, which the fitted network does "
                f"not know: its classes are {task.classes.tolist()}."
            )
    return replace(task, **changes)


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
    specs = {
        name: _inferred(name, aux[name]) if task == "auto" else task_object(name, task)
        for name, task in given.items()
    }
    for name, spec in specs.items():
        spec.check(name)
    return specs


def _named(tasks):
    if not isinstance(tasks, Mapping):
        raise TypeError(f'tasks must be "auto", None or a mapping, got {tasks!r}.')
    return {str(name): task for name, task in tasks.items()}


def columns_of(name, task):
    """Columns of `aux` that a task of this name takes its targets from."""
    task = SHORT_NAMES["classification"]() if task == "auto" else task_object(name, task)
    if isinstance(task, ReconstructionTask):
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
