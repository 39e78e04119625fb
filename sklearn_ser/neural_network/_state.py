"""Is the state of a fitted estimator one that fit could have left? It may come from a file."""

import numpy as np
from safetensors import SafetensorError, deserialize

from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network._encoders import ENCODERS, data_parameters
from sklearn_ser.neural_network._fitted_tasks import Labels, Values, task_from_state
from sklearn_ser.neural_network._make_tasks import MAIN_TASK
from sklearn_ser.neural_network._mlp import ACTIVATIONS
from sklearn_ser.neural_network._module import DTYPES, ENCODER_PARAMETERS, build_module

_FITTED = ("_architecture", "_weights", "_tasks", "_history", "classes_", "n_features_in_")
_CHOICES = {"encoder": ENCODERS, "activation": ACTIVATIONS, "dtype": DTYPES}
_ARCHITECTURE = {*_CHOICES, *ENCODER_PARAMETERS, "encoder_params", "heads", "head_units"}

# By the names that safetensors has for them.
_DTYPE_NAMES = {"float32": "F32", "float64": "F64"}


def check_state(state):
    """Refuse a damaged state of a multi-task estimator; an unfitted one passes.

    Nothing larger than the stored weights is allocated, whatever the state says.

    Parameters
    ----------
    state : dict
        The estimator's ``__dict__``.

    Raises
    ------
    SerError
        Naming the first thing that does not fit.
    """
    if not isinstance(state, dict):
        raise _damage(f"it is a {type(state).__name__}")
    if not any(name in state for name in _FITTED[:4]):
        return
    missing = [name for name in _FITTED if name not in state]
    if missing:
        raise _damage(f"it lacks {missing}")
    members = state["_weights"]
    if not isinstance(members, list) or not members:
        raise _damage(f"its weights are a {type(members).__name__}, not a list of networks")
    architecture = state["_architecture"]
    for weights in members:
        shapes = _stored_shapes(weights)
        # A class of one's own comes by pickle, which has run whatever code it wanted by now.
        if not _is_own(architecture):
            _check_architecture(architecture, largest=len(weights), n_arrays=len(shapes))
            _check_shapes(architecture, shapes)
    _check_members(state, len(members))
    _check_tasks(state["_tasks"], architecture["heads"], state["classes_"])
    if state["n_features_in_"] != architecture["n_features"]:
        raise _damage(
            f"n_features_in_ is {state['n_features_in_']!r}, and the network takes "
            f"{architecture['n_features']}"
        )


def _check_members(state, n_members):
    """Is there of everything else, too, one for each network?"""
    for name in ("_temperatures", "_history", "_best_epochs", "_splits"):
        values = state.get(name)
        if not isinstance(values, list) or len(values) != n_members:
            raise _damage(f"{name} is not a list of {n_members}")
    for temperature in state["_temperatures"]:
        if not isinstance(temperature, float) or not 0.0 < temperature < np.inf:
            raise _damage(f"a temperature is {temperature!r}")
    if not all(isinstance(history, dict) and "epoch" in history for history in state["_history"]):
        raise _damage("its history has no epochs")


def _damage(what):
    return SerError(f"the state of the neural network is damaged: {what}")


def _stored_shapes(weights):
    """Name of each stored array to its dtype and shape."""
    if not isinstance(weights, bytes):
        raise _damage(f"its weights are a {type(weights).__name__}, not bytes")
    try:
        arrays = deserialize(weights)
    except SafetensorError as error:
        raise _damage(f"its weights cannot be read ({error})") from error
    return {name: (array["dtype"], tuple(array["shape"])) for name, array in arrays}


def _is_own(architecture):
    return isinstance(architecture, dict) and isinstance(architecture.get("encoder"), type)


def _check_architecture(architecture, largest, n_arrays):
    """`largest` and `n_arrays` bound widths and depth by the weights that are really there."""
    if not isinstance(architecture, dict) or _ARCHITECTURE - set(architecture):
        raise _damage(f"its architecture must have {sorted(_ARCHITECTURE)}")
    for name, choices in _CHOICES.items():
        value = architecture[name]
        if not isinstance(value, str) or value not in choices:
            raise _damage(f"{name} is {value!r}, not one of {sorted(choices)}")
    own = data_parameters(architecture["encoder"])
    if set(architecture) != {*_ARCHITECTURE, *own}:
        raise _damage(
            f"its architecture must have {sorted({*_ARCHITECTURE, *own})}, it has "
            f"{sorted(map(str, architecture))}"
        )
    dropout, heads = architecture["dropout"], architecture["heads"]
    if not isinstance(dropout, float) or not 0.0 <= dropout < 1.0:
        raise _damage(f"dropout is {dropout!r}")
    if not isinstance(heads, dict) or not isinstance(architecture["hidden_units"], list):
        raise _damage("hidden_units must be a list, and heads a dict")
    head_units = architecture["head_units"]
    if (
        not isinstance(head_units, dict)
        or set(head_units) - set(heads)
        or not all(isinstance(units, list) for units in head_units.values())
    ):
        raise _damage("head_units must be a dict of lists, by the names of heads")
    widths = {
        "n_features": [architecture["n_features"]],
        "hidden_units": architecture["hidden_units"],
        "heads": [value for value in heads.values() if type(value) is not int or value != 0],
        **{name: [architecture[name]] for name in own},
        "encoder_params": _check_encoder_params(architecture, n_arrays),
        "head_units": [width for units in head_units.values() for width in units],
    }
    for name, values in widths.items():
        positive = all(type(value) is int and value > 0 for value in values)
        if not positive or (not values and name not in ("head_units", "encoder_params")):
            raise _damage(f"{name} is {architecture[name]!r}, not positive whole numbers")
        if max(values, default=0) > largest or len(values) > n_arrays:
            raise _damage(
                f"{name} is {architecture[name]!r}, more than {largest} bytes of weights can hold"
            )


def _check_encoder_params(architecture, n_arrays):
    """All numbers above 0 among the encoder's own parameters; raise if they are not its own."""
    known, found = ENCODERS[architecture["encoder"]].own_parameters, architecture["encoder_params"]
    if not isinstance(found, dict) or set(found) != set(known):
        raise _damage(f"encoder_params is {found!r}, it must have {sorted(known)}")
    numbers = []
    for name, value in found.items():
        if not known[name].accepts(value) or known[name].plain(value) != value:
            raise _damage(f"encoder_params[{name!r}] is {value!r}, not {known[name]}")
        if isinstance(value, list) and len(value) > n_arrays:
            raise _damage(f"encoder_params[{name!r}] is longer than the network")
        if not isinstance(value, str | bool):
            numbers += value if isinstance(value, list) else [value]
    return [number for number in numbers if number]


def _check_shapes(architecture, stored):
    dtype = _DTYPE_NAMES[architecture["dtype"]]
    try:
        module = build_module(architecture, device="meta")
    except ValueError as error:
        raise _damage(f"no network can be built of its architecture ({error})") from error
    needed = {name: (dtype, tuple(value.shape)) for name, value in module.state_dict().items()}
    for name in sorted({*needed, *stored}):
        if needed.get(name) != stored.get(name):
            raise _damage(
                f"{name!r} is {stored.get(name, 'absent')} in its weights and "
                f"{needed.get(name, 'absent')} in its architecture"
            )


def _check_tasks(states, heads, classes):
    try:
        tasks = [task_from_state(state) for state in states]
        outputs = {task.name: task.n_outputs for task in tasks}
        for task in tasks:
            task.spec.check(task.name)
    except (TypeError, ValueError, KeyError) as error:
        raise _damage(f"its tasks cannot be read ({error!r})") from error
    if list(outputs.items()) != list(heads.items()) or len(tasks) != len(heads):
        raise _damage(f"its tasks have {outputs} outputs, and its heads {heads}")
    main = tasks[0]
    if main.name != MAIN_TASK or main.kind != "classification":
        raise _damage(f"its first task is {main.name!r}, not the classes of {MAIN_TASK!r}")
    for task in tasks:
        if isinstance(task, Labels):
            if not isinstance(task.classes, np.ndarray) or task.classes.ndim != 1:
                raise _damage(f"the classes of task {task.name!r} are not a list of labels")
        elif isinstance(task, Values) and not all(
            isinstance(value, float) for value in (task.mean, task.scale)
        ):
            raise _damage(f"task {task.name!r} has no mean and scale")
    if not np.array_equal(main.classes, classes):
        raise _damage("classes_ are not those of its first task")
