"""Nested parameters of the networks: ``tasks__gender__weight``, ``perturbation__noise``.

scikit-learn resolves nested parameters of estimators, but not of mappings, nor of a parameter that
is None and stands for an object with default values. The functions here do both. A change creates
a new mapping and a new object, so that clones and other estimators that share the old ones are not
changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn.base import BaseEstimator

from sklearn_ser.neural_network._parameter_names import unknown_parameters
from sklearn_ser.neural_network.tasks._base import Task
from sklearn_ser.neural_network.tasks._make_tasks import task_object


def parameter_object(estimator: BaseEstimator, name: str) -> Any:
    """Return the object that a parameter holds, or the default object that None stands for."""
    value = getattr(estimator, name)
    return estimator._default_objects[name]() if value is None else value


def get_nested_params(estimator: BaseEstimator) -> dict[str, Any]:
    """Return the parameters of a network and those within its tasks, mappings and objects."""
    params = BaseEstimator.get_params(estimator, deep=False)
    nested = dict(params)
    for name in estimator._default_objects:
        _add(nested, name, parameter_object(estimator, name))
    for name in estimator._optional_objects:
        _add(nested, name, params[name])
    if isinstance(params["tasks"], Mapping):
        for name, task in params["tasks"].items():
            nested[f"tasks__{name}"] = task
            if isinstance(task, Task):
                _add(nested, f"tasks__{name}", task)
    if isinstance(params["encoder_params"], Mapping):
        for parameter, value in params["encoder_params"].items():
            nested[f"encoder_params__{parameter}"] = value
    return nested


def _add(nested, name, instance):
    if isinstance(instance, BaseEstimator):
        for parameter, value in instance.get_params(deep=False).items():
            nested[f"{name}__{parameter}"] = value


def set_nested_params(estimator: BaseEstimator, params: Mapping[str, Any]) -> None:
    """Set parameters of a network, also those within its tasks, mappings and objects."""
    objects = {**estimator._default_objects, **estimator._optional_objects}
    known = estimator.get_params(deep=False)
    nested = ("tasks", "encoder_params", *objects)
    unknown = [
        name
        for name in params
        if name not in known and (name.partition("__")[0] not in nested or "__" not in name)
    ]
    if unknown:
        raise unknown_parameters(estimator, unknown)
    # Whole objects before their parameters, in whatever order they are given.
    for name in sorted(params, key=lambda name: name.count("__")):
        parameter, _, rest = name.partition("__")
        if not rest:
            setattr(estimator, parameter, params[name])
        elif parameter == "tasks":
            _set_task(estimator, rest, params[name])
        elif parameter == "encoder_params":
            estimator.encoder_params = {**(estimator.encoder_params or {}), rest: params[name]}
        else:
            _set_in_object(estimator, parameter, rest, params[name])


def _set_in_object(estimator, name, parameter, value):
    instance = getattr(estimator, name)
    if name in estimator._default_objects:
        kind = estimator._default_objects[name]
        if instance is None:
            instance = kind()
            default = instance.get_params(deep=False).get(parameter, estimator)
            if default is value or (type(default) is type(value) and default == value):
                return  # None already stands for this value
    else:
        kind = estimator._optional_objects[name]
    if not isinstance(instance, kind):
        raise ValueError(
            f"cannot set {name}__{parameter}: {name} is {instance!r}. "
            f"Set {name}={kind.__name__}() first."
        )
    setattr(estimator, name, _changed(instance, parameter, value))


def _changed(instance, parameter, value):
    """Return a copy of a parameter object with one parameter changed."""
    params = instance.get_params(deep=False)
    if parameter not in params:
        raise unknown_parameters(instance, [parameter])
    return type(instance)(**{**params, parameter: value})


def _set_task(estimator, path, value):
    tasks = estimator.tasks
    first = path.partition("__")[0]
    if not isinstance(tasks, Mapping):
        raise ValueError(
            f"cannot set tasks__{path}: tasks is {tasks!r}. Name the tasks first, "
            f'e.g. tasks={{{first!r}: "classification"}}.'
        )
    # The longest that fits: the name of a column, and so of a task, may contain "__".
    fitting = [key for key in tasks if f"{path}__".startswith(f"{key}__")]
    if not fitting:
        raise ValueError(
            f"cannot set tasks__{path}: there is no task {first!r}, the tasks are {list(tasks)}."
        )
    name = max(fitting, key=lambda key: len(str(key)))
    parameter = path[len(str(name)) + 2 :]
    if parameter:
        task = tasks[name]
        if isinstance(task, str) and task == "auto":
            raise ValueError(
                f"cannot set tasks__{path}: tasks[{name!r}] is 'auto', whose kind is known "
                "only in fit. Name the kind first."
            )
        value = _changed(task_object(name, task), parameter, value)
    estimator.tasks = {**tasks, name: value}
