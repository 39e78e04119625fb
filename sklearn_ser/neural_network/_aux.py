"""Auxiliary targets: the table that comes with ``fit``, and the tasks that are made of it."""

import warnings
from collections.abc import Mapping
from numbers import Real

import numpy as np
import pandas as pd
from pandas.api import types

from sklearn_ser.exceptions import MetadataError, TrainingWarning
from sklearn_ser.neural_network._tasks import TASK_KINDS

#: The name of the main task (the emotion) among all tasks.
MAIN_TASK = "y"
#: Loss weight of an auxiliary task that `task_weights` does not name.
DEFAULT_TASK_WEIGHT = 0.3
#: A column of whole numbers with at most this many different ones holds classes.
MOST_INTEGER_CLASSES = 20


def check_aux(aux, n_rows):
    """The auxiliary targets as a DataFrame of `n_rows` rows with string column names, or None."""
    if aux is None:
        return None
    if isinstance(aux, Mapping):
        raise MetadataError(
            "aux is a dict, which scikit-learn does not slice along with X: cross-validation "
            "would silently give each fold the targets of other rows. Give aux as a DataFrame: "
            "pd.DataFrame(aux)."
        )
    if isinstance(aux, pd.Series):
        table = aux.to_frame("aux0" if aux.name is None else aux.name)
    elif isinstance(aux, pd.DataFrame):
        table = aux
    else:
        values = np.asarray(aux, dtype=None if isinstance(aux, np.ndarray) else object)
        if values.ndim not in (1, 2) or values.dtype.names:
            raise MetadataError(
                f"aux must be a DataFrame, a Series or an array of one or two dimensions, got a "
                f"{type(aux).__name__} with {values.ndim} dimensions and dtype {values.dtype}."
            )
        columns = values.reshape(len(values), -1)
        table = pd.DataFrame(columns, columns=[f"aux{i}" for i in range(columns.shape[1])])
    if len(table) != n_rows:
        raise MetadataError(
            f"aux has {len(table)} rows and X has {n_rows}: give one row of targets per row of X, "
            "with missing values where a target is not known."
        )
    table = table.set_axis([str(name) for name in table.columns], axis=1)
    if not table.columns.is_unique:
        raise MetadataError(f"aux has several columns of one name: {list(table.columns)}.")
    return table.reset_index(drop=True).infer_objects()


def make_tasks(aux, tasks, task_weights):
    """The auxiliary tasks to learn.

    Parameters
    ----------
    aux : DataFrame or None
        From :func:`check_aux`.
    tasks : "auto", None or dict of str to str
    task_weights : dict of str to float, or None

    Returns
    -------
    list of task objects
        In the order of `tasks`, or of aux's columns.
    dropped : dict of str to str
        Tasks that are constant here, and their one value. A TrainingWarning names them.
    """
    if tasks is None:
        return [], {}
    kinds = _kinds(aux, tasks)
    weights = _check_task_weights(task_weights, kinds)
    made = [
        TASK_KINDS[kind].from_column(name, weights.get(name, DEFAULT_TASK_WEIGHT), aux[name])
        for name, kind in kinds.items()
    ]
    dropped = {task.name: task.constant_value for task in made if task.constant_value is not None}
    if dropped:
        found = ", ".join(f"{name!r} (only {value})" for name, value in dropped.items())
        warnings.warn(
            f"auxiliary targets that are constant in these training rows are left out: {found}",
            TrainingWarning,
            stacklevel=4,
        )
    return [task for task in made if task.name not in dropped], dropped


def _kinds(aux, tasks):
    """Kind of each task by name."""
    if isinstance(tasks, str):
        names = [] if aux is None else list(aux.columns)
        asked = dict.fromkeys(names, "auto")
    else:
        asked = {str(name): kind for name, kind in tasks.items()}
        if aux is None and asked:
            raise MetadataError(
                f"tasks names {sorted(asked)} but fit got no aux: give the targets as "
                "fit(X, y, aux=DataFrame), or tasks=None for a single-task network."
            )
        unknown = [name for name in asked if name not in aux.columns] if asked else []
        if unknown:
            raise MetadataError(
                f"tasks names {unknown}, which aux does not have: its columns are "
                f"{list(aux.columns)}."
            )
    if MAIN_TASK in asked:
        raise MetadataError(
            f"an auxiliary task cannot be called {MAIN_TASK!r}, which is the main task's name in "
            "history_: rename that column of aux."
        )
    for name, kind in asked.items():
        if kind not in ("auto", *TASK_KINDS):
            raise MetadataError(
                f"tasks[{name!r}] must be one of {['auto', *TASK_KINDS]}, got {kind!r}."
            )
    return {
        name: _infer_kind(name, aux[name]) if kind == "auto" else kind
        for name, kind in asked.items()
    }


def _infer_kind(name, column):
    if types.is_bool_dtype(column.dtype) or isinstance(column.dtype, pd.CategoricalDtype):
        return "classification"
    if types.is_float_dtype(column.dtype):
        return "regression"
    if types.is_integer_dtype(column.dtype):
        few = column.nunique() <= MOST_INTEGER_CLASSES
        return "classification" if few else "regression"
    if types.is_string_dtype(column.dtype) or types.is_object_dtype(column.dtype):
        return "classification"
    raise MetadataError(
        f"aux column {name!r} has dtype {column.dtype}, from which no kind of task follows: leave "
        "it out, or convert it to strings (classification) or floats (regression)."
    )


def _check_task_weights(task_weights, known):
    weights = {str(name): weight for name, weight in (task_weights or {}).items()}
    unknown = [name for name in weights if name not in known]
    if unknown:
        raise MetadataError(
            f"task_weights names {unknown}, which are no auxiliary tasks of this fit: known are "
            f"{list(known)}."
        )
    for name, weight in weights.items():
        if not isinstance(weight, Real) or not 0.0 <= weight < np.inf:
            raise MetadataError(
                f"task_weights[{name!r}] must be a number of at least 0, got {weight!r}."
            )
    return {name: float(weight) for name, weight in weights.items()}
