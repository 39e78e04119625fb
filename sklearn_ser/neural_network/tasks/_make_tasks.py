"""Kinds of tasks by name, and tasks made from `tasks` and the auxiliary targets."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd
from pandas.api import types

from sklearn_ser.exceptions import MetadataError, TrainingWarning
from sklearn_ser.neural_network.tasks._base import FittedTask, Task, TaskContext
from sklearn_ser.neural_network.tasks._classification import (
    ClassificationTask,
    FittedClassification,
    FittedDomainAdversarial,
)
from sklearn_ser.neural_network.tasks._consistency import FittedConsistency
from sklearn_ser.neural_network.tasks._contrastive import FittedContrastive
from sklearn_ser.neural_network.tasks._reconstruction import FittedReconstruction
from sklearn_ser.neural_network.tasks._regression import FittedRegression, RegressionTask
from sklearn_ser.utils._warnings import warn_user

#: All kinds of tasks, by their names in stored states.
TASK_KINDS: dict[str, type[FittedTask]] = {
    kind.kind: kind
    for kind in (
        FittedClassification,
        FittedRegression,
        FittedDomainAdversarial,
        FittedReconstruction,
        FittedContrastive,
        FittedConsistency,
    )
}
#: Task objects by their short names in the parameter `tasks`.
SHORT_NAMES: dict[str, Callable[[], Task]] = {}
for _fitted in TASK_KINDS.values():
    SHORT_NAMES |= {_fitted.kind: _fitted.spec_type, **_fitted.aliases}
#: Name of the main task (the emotion) among all tasks.
MAIN_TASK = "y"
#: Most distinct integers in a column that is still taken as a column of classes.
MOST_INTEGER_CLASSES = 20


def task_object(name: str, task: Task | str) -> Task:
    """Return the task object that a value of the mapping `tasks` stands for."""
    if isinstance(task, str):
        if task in SHORT_NAMES:
            return SHORT_NAMES[task]()
    elif any(isinstance(task, kind.spec_type) for kind in TASK_KINDS.values()):
        return task
    raise ValueError(
        f"tasks[{name!r}] must be a task object or one of {['auto', *SHORT_NAMES]}, got {task!r}."
    )


def task_from_state(state: Mapping[str, Any]) -> FittedTask:
    """Restore a task from the plain values that its ``state()`` returned."""
    values = dict(state)
    kind = TASK_KINDS[values.pop("kind")]
    return kind(**values | {"spec": kind.spec_type(**values["spec"])})


def make_tasks(context: TaskContext, tasks, aux_weight):
    """Make the auxiliary tasks, and a dict of those left out: names and their constant values."""
    bound = [
        next(kind for kind in TASK_KINDS.values() if isinstance(spec, kind.spec_type)).bind(
            name, _weight(spec, aux_weight), spec, context
        )
        for name, spec in _checked_specs(context.aux, tasks).items()
    ]
    dropped = {task.name: task.constant_value for task in bound if task.constant_value is not None}
    if dropped:
        values = ", ".join(f"{name!r} (only {value})" for name, value in dropped.items())
        warn_user(
            f"auxiliary targets that are constant in the training samples are left out: {values}",
            TrainingWarning,
        )
    return [task for task in bound if task.name not in dropped], dropped


def rebind_tasks(known, dropped, context: TaskContext, tasks, aux_weight):
    """Bind the tasks of a fitted network to other samples; classes and scales do not change.

    Tasks that `tasks` does not name get weight 0; it may name those `dropped` in the first fit.
    """
    names = [task.name for task in known]
    specs = _specs_by_name(names, tasks or {})
    unknown = sorted(set(specs) - {*names, *dropped})
    if unknown:
        raise ValueError(
            f"tasks names {unknown}, which the fitted network does not have: its tasks are "
            f"{names}. Set warm_start=False to train a new network."
        )
    rebound = []
    for task in known:
        named = task.name in specs
        spec = specs.get(task.name) or task.spec
        if not isinstance(spec, task.spec_type):
            raise ValueError(
                f"tasks[{task.name!r}] is a {type(spec).__name__}, and was a "
                f"{type(task.spec).__name__} when the network was fitted. Set warm_start=False to "
                "train a new network."
            )
        spec.check(task.name)
        # The targets of a task that is not named are not looked at.
        own_context = context if named else replace(context, aux=None)
        again = task.rebind(_weight(spec, aux_weight), spec, own_context)
        rebound.append(again if named else replace(again, weight=0.0))
    return rebound


def _weight(spec, aux_weight):
    return float(aux_weight if spec.weight is None else spec.weight)


def _checked_specs(aux, tasks):
    """Return the task object of each task by name, checked against the columns of `aux`."""
    if tasks is None:
        return {}
    columns = [] if aux is None else list(aux.columns)
    if isinstance(tasks, str) and tasks == "aux" and not columns:
        warn_user(
            'tasks="aux" and fit got no auxiliary targets (aux), so that the network learns y '
            "alone. Pass them as fit(X, y, aux=DataFrame), of a Pipeline as "
            "fit(X, y, net__aux=DataFrame); or set tasks=None for a single-task network.",
            TrainingWarning,
        )
    specs = _specs_by_name(columns, tasks)
    if MAIN_TASK in specs:
        raise MetadataError(
            f"an auxiliary task cannot be called {MAIN_TASK!r}, which is the name of the main task "
            "in history_. Rename that column of aux."
        )
    needed: list[str] = []
    for name, spec in specs.items():
        if spec is not None:
            spec.check(name)
        needed += [name] if spec is None else spec.columns(name)
    missing = [column for column in needed if column not in columns]
    if missing and aux is None:
        raise MetadataError(
            f"tasks names {sorted(missing)} but fit got no aux. Pass the targets as "
            "fit(X, y, aux=DataFrame), or set tasks=None for a single-task network."
        )
    if missing:
        raise MetadataError(
            f"tasks names {missing}, which aux does not have: its columns are {columns}."
        )
    return {
        name: _inferred(name, aux[name]) if spec is None else spec for name, spec in specs.items()
    }


def _specs_by_name(names, tasks):
    """Return the task object of each name in `tasks`, or of `names` for "auto"; None for "auto"."""
    if isinstance(tasks, str):
        return dict.fromkeys(names)
    if not isinstance(tasks, Mapping):
        raise TypeError(f'tasks must be "auto", "aux", None or a mapping, got {tasks!r}.')
    return {
        str(name): None if isinstance(task, str) and task == "auto" else task_object(name, task)
        for name, task in tasks.items()
    }


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
        f"aux column {name!r} has dtype {column.dtype}, from which no kind of task can be "
        "inferred. Leave it out, or convert it to strings (classification) or floats (regression)."
    )
