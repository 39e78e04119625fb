"""Parameters within parameters: ``tasks__gender__weight``, ``encoder_params__pooling``."""

from collections.abc import Mapping

from sklearn_ser.neural_network.tasks._make_tasks import task_object
from sklearn_ser.neural_network.tasks._tasks import Task
from sklearn_ser.neural_network.training._adversarial_training import AdversarialTraining
from sklearn_ser.neural_network.training._pseudo_labels import PseudoLabels

#: Parameters that are an object with parameters, and its class.
_OBJECTS = {"adversarial_training": AdversarialTraining, "pseudo_labels": PseudoLabels}


class NestedParams:
    """Lets ``get_params`` and ``set_params`` reach into mappings and into objects.

    `tasks` and `encoder_params` are mappings; `adversarial_training` and `pseudo_labels` objects.
    scikit-learn reaches into estimators, not into mappings. A change makes a new mapping and new
    task objects, so that clones and other estimators that share them are not changed with it.
    """

    def get_params(self, deep=True):
        """Parameters of this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Also those of tasks, as ``tasks__<task>`` and ``tasks__<task>__<parameter>``, and of
            the encoder, as ``encoder_params__<parameter>``, ``pseudo_labels__<parameter>`` and
            ``adversarial_training__<parameter>``.

        Returns
        -------
        dict
        """
        params = super().get_params(deep=False)
        if not deep:
            return params
        nested = dict(params)
        if isinstance(self.tasks, Mapping):
            for name, task in self.tasks.items():
                nested[f"tasks__{name}"] = task
                if isinstance(task, Task):
                    for parameter, value in task.get_params().items():
                        nested[f"tasks__{name}__{parameter}"] = value
        if isinstance(self.encoder_params, Mapping):
            for parameter, value in self.encoder_params.items():
                nested[f"encoder_params__{parameter}"] = value
        for name, kind in _OBJECTS.items():
            if isinstance(params[name], kind):
                for parameter, value in params[name].get_params().items():
                    nested[f"{name}__{parameter}"] = value
        return nested

    def set_params(self, **params):
        """Set parameters, also within `tasks` and `encoder_params`.

        Parameters
        ----------
        **params
            ``tasks__<task>`` replaces a task, ``tasks__<task>__<parameter>`` one of its
            parameters; a short name in `tasks` becomes the task object it stands for.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no such parameter or task.
        """
        nested = {name: params[name] for name in params if "__" in name}
        super().set_params(**{name: params[name] for name in params if "__" not in name})
        # Whole tasks before their parameters, in whatever order they are given.
        for name in sorted(nested, key=lambda name: name.count("__")):
            parameter, _, rest = name.partition("__")
            if parameter == "tasks":
                self._set_task(rest, nested[name])
            elif parameter == "encoder_params":
                self.encoder_params = {**(self.encoder_params or {}), rest: nested[name]}
            elif parameter in _OBJECTS:
                self._set_in_object(parameter, rest, nested[name])
            else:
                super().set_params(**{name: nested[name]})  # refuses it in scikit-learn's words
        return self

    def _set_in_object(self, name, parameter, value):
        found, kind = getattr(self, name), _OBJECTS[name]
        if not isinstance(found, kind):
            raise ValueError(
                f"cannot set {name}__{parameter}: {name} is {found!r}. "
                f"Set {name}={kind.__name__}() first."
            )
        setattr(self, name, type(found)(**found.get_params()).set_params(**{parameter: value}))

    def _set_task(self, path, value):
        first = path.partition("__")[0]
        if not isinstance(self.tasks, Mapping):
            raise ValueError(
                f"cannot set tasks__{path}: tasks is {self.tasks!r}. Name the tasks first, "
                f'e.g. tasks={{{first!r}: "classification"}}.'
            )
        # The longest that fits: a column's name, and so a task's, may have "__" in it.
        fitting = [key for key in self.tasks if f"{path}__".startswith(f"{key}__")]
        if not fitting:
            raise ValueError(
                f"cannot set tasks__{path}: there is no task {first!r}, the tasks are "
                f"{list(self.tasks)}."
            )
        name = max(fitting, key=lambda key: len(str(key)))
        parameter = path[len(str(name)) + 2 :]
        if parameter:
            task = self.tasks[name]
            if isinstance(task, str) and task == "auto":
                raise ValueError(
                    f"cannot set tasks__{path}: tasks[{name!r}] is 'auto', whose kind is known "
                    "only in fit. Name the kind first."
                )
            task = task_object(name, task)
            value = type(task)(**task.get_params()).set_params(**{parameter: value})
        self.tasks = {**self.tasks, name: value}
