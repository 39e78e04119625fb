"""Validation of the state of a fitted network, which may come from a file."""

from __future__ import annotations

from collections.abc import Callable, Collection
from numbers import Integral, Real
from typing import Any, NamedTuple, NoReturn

import numpy as np
from safetensors import SafetensorError, deserialize
from torch import nn

from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network._module import DTYPES, build_module
from sklearn_ser.neural_network._settings import ComputeSettings
from sklearn_ser.neural_network.encoders._base import ACTIVATIONS
from sklearn_ser.neural_network.encoders._registry import ENCODERS
from sklearn_ser.neural_network.tasks._classification import FittedClassification
from sklearn_ser.neural_network.tasks._make_tasks import MAIN_TASK, task_from_state
from sklearn_ser.utils._printable import short_repr


class Values(NamedTuple):
    """Valid values of a part of the state: a test, and a description."""

    test: Callable[[Any], bool]
    text: str


def _exactly(kind: type) -> Values:
    return Values(lambda value: type(value) is kind, f"of type {kind.__name__}")


def _one_of(choices: Collection[str]) -> Values:
    return Values(
        lambda value: isinstance(value, str) and value in choices, f"one of {sorted(choices)}"
    )


def _integer(least: int, most: int | None = None) -> Values:
    def test(value):
        is_integer = isinstance(value, Integral) and not isinstance(value, bool)
        return is_integer and value >= least and (most is None or value <= most)

    text = f"an integer of at least {least}"
    return Values(test, text if most is None else f"{text} and at most {most}")


_TEXT = Values(lambda value: isinstance(value, str), "a string")
#: A number that sizes an array: no other type of integer, since these are plain values.
_WIDTH = Values(lambda value: type(value) is int and value > 0, "a positive integer")
_WIDTHS = Values(
    lambda value: isinstance(value, list) and len(value) > 0 and all(map(_WIDTH.test, value)),
    "a list of positive integers",
)
_PLAIN = Values(
    lambda value: _is_plain(value), "a string, a number, an array, or a list or a dict of these"
)
_NUMBERS = Values(
    lambda value: isinstance(value, list) and all(isinstance(number, Real) for number in value),
    "a list of numbers",
)
_SPLIT = {
    "kind": _one_of(("groups", "stratified", "none")),
    "n_train": _integer(0),
    "n_valid": _integer(0),
    "groups": [_TEXT],
    "reason": _TEXT,
}
_ROUND_OF_SELF_TRAINING = {
    "selected": _exactly(int),
    "counts": [_exactly(int)],
    "agreement": _exactly(float),
    "valid_loss": _exactly(float),
    "valid_score": _exactly(float),
    "retained": _exactly(bool),
    "stopped": _exactly(str),
}
_PER_NETWORK: dict[str, Any] = {
    "_temperatures": [
        Values(lambda value: isinstance(value, float) and 0.0 < value < np.inf, "a positive float")
    ],
    "_history": [{str: _NUMBERS}],
    "_best_epochs": [_integer(1)],
    "_splits": [_SPLIT],
}
_FORMS = _PER_NETWORK | {
    "_seed": _integer(0, 2**31 - 1),
    "dropped_tasks_": {str: _TEXT},
    "device": _TEXT,
}
_ARCHITECTURE = {
    "encoder": _one_of(ENCODERS),
    "activation": _one_of(ACTIVATIONS),
    "dtype": _one_of(DTYPES),
    "dropout": Values(
        lambda value: isinstance(value, float) and 0.0 <= value < 1.0, "a float in [0, 1)"
    ),
    "n_features": _WIDTH,
    "hidden_units": _WIDTHS,
    "heads": {str: Values(lambda value: type(value) is int and value >= 0, "a width")},
    "head_units": {str: _WIDTHS},
    "encoder_params": {str: _PLAIN},
}
_REQUIRED = ("_architecture", "_weights", "_tasks", "_history", "classes_", "n_features_in_")
#: Names of dtypes in safetensors.
_DTYPE_NAMES = {"float32": "F32", "float64": "F64"}
#: Of a number in the state of an optimizer.
_NUMBER: tuple[str, tuple] = ("F32", ())
#: Limits of weights, whose many empty arrays may take little of a file.
_MAX_ARRAYS, _MAX_HEADER_BYTES = 4096, 4 * 2**20
#: Limit of the commas, colons and brackets of an array (of up to four dimensions) in a header.
_MARKS_PER_ARRAY = 14
#: Number of arrays that Adam stores per parameter.
_ARRAYS_OF_ADAM = 3
_LEARNED_WEIGHTS = "weighting.log_variances"
#: The limit is above the number of cores of any machine.
_N_THREADS = _integer(1, 4096)


def check_state(state: dict[str, Any]) -> None:
    """Raise a SerError if the state is neither that of an unfitted nor of a fitted network.

    Nothing larger than the stored weights is allocated, whatever the state contains. The module is
    built once, without memory for weights, and only if there are as many arrays as its layers need.
    """
    if not isinstance(state, dict):
        _fail(f"it is a {type(state).__name__}")
    if not any(name in state for name in _REQUIRED[:4]):
        return
    missing = [name for name in _REQUIRED if name not in state]
    if missing:
        _fail(f"it lacks {missing}")
    members, architecture = state["_weights"], state["_architecture"]
    if not isinstance(members, list) or not members:
        _fail(f"its weights are a {type(members).__name__}, not a list of networks")
    if not isinstance(architecture, dict) or _ARCHITECTURE.keys() - architecture.keys():
        _fail(f"its architecture must have {sorted(_ARCHITECTURE)}")
    # Loading a custom encoder, which is built by its own code, requires trust in its class: a
    # pickle can run any code anyway, and a model file loads only if its reader lists the class as
    # trusted. Other types may be in any model file, and would be called.
    is_custom = isinstance(architecture["encoder"], type)
    if is_custom and not issubclass(architecture["encoder"], nn.Module):
        _fail(f"encoder is {architecture['encoder']!r}, not a class of torch modules")
    needed, parameters = None, None
    for weights in members:
        shapes = _read_shapes(weights, "its weights", _MAX_ARRAYS)
        if is_custom:  # only the code of a custom encoder defines its shapes
            continue
        if needed is None:
            _check_architecture(architecture, largest=len(weights), n_arrays=len(shapes))
            needed, parameters = _needed_shapes(architecture)
        _check_arrays(shapes, needed, "its weights")
    for name, form in _FORMS.items():
        _check_form(state.get(name), form, name)
    _check_members(state, len(members))
    _check_tasks(state, architecture)
    _check_rounds(state.get("_rounds"), len(members), len(state["classes_"]))
    _check_training_states(state.get("_states"), len(members), parameters, len(state["_tasks"]))
    _check_inputs(state)


def _fail(what: str) -> NoReturn:
    raise SerError(f"the state of the neural network is damaged: {what}")


def _check_form(value, form, name):
    """Check that `value`, the part of the state called `name`, has a form.

    A form is a `Values`, a list with the form of each element, or a dict with the form of each
    value, in which the key `str` stands for any strings.
    """
    if isinstance(form, list):
        if not isinstance(value, list):
            _fail(f"{name} is {short_repr(value)}, not a list")
        for index, part in enumerate(value):
            _check_form(part, form[0], f"{name}[{index}]")
    elif isinstance(form, dict):
        any_keys = form.keys() == {str}
        if not isinstance(value, dict) or not (any_keys or value.keys() == form.keys()):
            keys = "" if any_keys else f" of {sorted(form)}"
            _fail(f"{name} is {short_repr(value)}, not a dict{keys}")
        for key, part in value.items():
            if not isinstance(key, str):
                _fail(f"{name} has the key {short_repr(key)}, not a string")
            _check_form(part, form[str if any_keys else key], f"{name}[{key!r}]")
    elif not form.test(value):
        _fail(f"{name} is {short_repr(value)}, not {form.text}")


def _check_architecture(architecture, largest, n_arrays):
    """Check an architecture; `largest` and `n_arrays` limit widths and depth by actual weights."""
    _check_form(architecture["encoder"], _ARCHITECTURE["encoder"], "_architecture['encoder']")
    encoder = ENCODERS[architecture["encoder"]]
    from_data = encoder.data_parameters
    form = _ARCHITECTURE | dict.fromkeys(from_data, _WIDTH)
    _check_form(architecture, form, "_architecture")
    sizes = {
        **{name: [architecture[name]] for name in ("n_features", *from_data)},
        "hidden_units": architecture["hidden_units"],
        "heads": list(architecture["heads"].values()),
        "head_units": [width for units in architecture["head_units"].values() for width in units],
        "encoder_params": _check_encoder_params(architecture),
    }
    for name, values in sizes.items():
        per_layer = encoder.n_arrays_per_layer if name == "hidden_units" else 1
        if max(values, default=0) > largest or len(values) * per_layer > n_arrays:
            _fail(
                f"{name} is {short_repr(architecture[name])}, too large for {largest} bytes of "
                f"weights in {n_arrays} arrays"
            )


def _check_encoder_params(architecture):
    """Check the encoder's parameters, and return all numbers among them."""
    known = ENCODERS[architecture["encoder"]].specific_parameters
    given = architecture["encoder_params"]
    if given.keys() != known.keys():
        _fail(f"encoder_params is {short_repr(given)}, it must have {sorted(known)}")
    numbers = []
    for name, value in given.items():
        if not known[name].accepts(value) or known[name].plain(value) != value:
            _fail(f"encoder_params[{name!r}] is {short_repr(value)}, not {known[name]}")
        if not isinstance(value, str | bool):
            numbers += value if isinstance(value, list) else [value]
    return numbers


def _needed_shapes(architecture):
    """Return the dtype and shape of each array by name, and those of the parameters in order."""
    dtype = _DTYPE_NAMES[architecture["dtype"]]
    try:
        module = build_module(architecture, device="meta")
    except ValueError as error:
        raise SerError(
            "the state of the neural network is damaged: no network can be built from its "
            f"architecture ({error})"
        ) from error
    needed = {name: (dtype, tuple(value.shape)) for name, value in module.state_dict().items()}
    return needed, [(dtype, tuple(value.shape)) for value in module.parameters()]


def _read_shapes(stored, what, max_arrays):
    """Return the dtype (as named by safetensors) and shape of each array in safetensors bytes."""
    if not isinstance(stored, bytes):
        _fail(f"{what} are a {type(stored).__name__}, not bytes")
    n_bytes = int.from_bytes(stored[:8], "little")
    n_marks = sum(stored.count(mark, 8, 8 + n_bytes) for mark in (b",", b":", b"[", b"{"))
    if n_bytes > _MAX_HEADER_BYTES or n_marks > _MARKS_PER_ARRAY * max_arrays:
        _fail(
            f"{what} have more than {max_arrays} arrays, or a header of more than "
            f"{_MAX_HEADER_BYTES} bytes"
        )
    try:
        arrays = deserialize(stored)
    except SafetensorError as error:
        raise SerError(
            f"the state of the neural network is damaged: {what} cannot be read ({error})"
        ) from error
    return {name: (array["dtype"], tuple(array["shape"])) for name, array in arrays}


def _check_arrays(stored, needed, what):
    """Check that arrays have the names, dtypes and shapes that follow from the architecture."""
    for name in sorted({*needed, *stored}):
        if needed.get(name) != stored.get(name):
            _fail(
                f"{name!r} is {stored.get(name, 'absent')} in {what} and "
                f"{needed.get(name, 'absent')} in its architecture"
            )


def _check_members(state, n_members):
    """Check that what is stored per network is consistent."""
    for name in _PER_NETWORK:
        if len(state[name]) != n_members:
            _fail(f"{name} is not a list of {n_members}")
    for history, best in zip(state["_history"], state["_best_epochs"], strict=True):
        epochs = history.get("epoch", [])
        if not epochs or not all(map(_integer(1).test, epochs)) or sorted(set(epochs)) != epochs:
            _fail(f"the epochs of its history are {epochs[:5]!r}")
        for name, column in history.items():
            if len(column) != len(epochs):
                _fail(f"{name!r} in its history is not {len(epochs)} numbers")
        if best > epochs[-1]:
            _fail(f"a best epoch is {best!r}, of {epochs[-1]}")


def _check_rounds(members, n_members, n_classes):
    """Check the rounds of self-training of each network; None if there were none."""
    if members is None:
        return
    if not isinstance(members, list) or len(members) != n_members:
        _fail(f"_rounds is not a list of {n_members}")
    for index, records in enumerate(members):
        if records is not None:
            _check_form(records, [_ROUND_OF_SELF_TRAINING], f"_rounds[{index}]")
            if not records or any(len(record["counts"]) != n_classes for record in records):
                _fail(f"_rounds[{index}] is {records!r}, not rounds of {n_classes} classes")


def _check_inputs(state):
    """Check the number and names of features, and the parameters that predictions use."""
    n_features, of_network = state["n_features_in_"], state["_architecture"]["n_features"]
    if not isinstance(n_features, Integral) or n_features != of_network:
        _fail(
            f"n_features_in_ is {short_repr(n_features)}, and the network has {of_network} input "
            "features"
        )
    names = state.get("feature_names_in_")
    if "feature_names_in_" in state and not (
        _is_array(names)
        and names.shape == (n_features,)
        and all(isinstance(name, str) for name in names)
    ):
        _fail(f"feature_names_in_ are not {n_features} names")
    compute = state.get("compute")
    if compute is None:
        return
    if not isinstance(compute, ComputeSettings):
        _fail(f"compute is {short_repr(compute)}")
    threads = getattr(compute, "n_threads", 0)
    if threads is not None:
        _check_form(threads, _N_THREADS, "n_threads")


def _check_training_states(states, n_members, parameters, n_tasks):
    """Check that the states of optimizers (none, or one per network) fit the networks."""
    if not isinstance(states, list) or len(states) not in (0, n_members):
        _fail(f"_states is not a list of {n_members}, or an empty list")
    for stored in states:
        shapes = _read_shapes(stored, "its training states", _ARRAYS_OF_ADAM * _MAX_ARRAYS)
        if parameters is None:
            continue
        weighting = shapes.pop(_LEARNED_WEIGHTS, None)
        known = parameters
        if weighting is not None:
            dtype, shape = weighting
            if dtype != "F32" or len(shape) != 1 or shape[0] > n_tasks:
                _fail(f"{_LEARNED_WEIGHTS!r} in its training states is {weighting}")
            known = [weighting, *parameters]  # skorch's order: the criterion's come first
        needed: dict[str, tuple] = {}
        for name, found in shapes.items():
            kind, index, _ = [*name.split(".", 2), "", ""][:3]
            if index.isdecimal() and int(index) < len(known):
                parameter = known[int(index)]
                needed.setdefault(name, _NUMBER if found == _NUMBER else parameter)
                if kind in ("Adam", "AdamW"):
                    start = f"{kind}.{index}"
                    needed |= {f"{start}.{part}": parameter for part in ("exp_avg", "exp_avg_sq")}
                    needed[f"{start}.step"] = _NUMBER
        _check_arrays(shapes, needed, "its training states")


def _check_tasks(state, architecture):
    """Check the tasks, and that they match the heads and the classes of the estimator."""
    _check_form(state["_tasks"], [_PLAIN], "_tasks")
    try:
        tasks = [task_from_state(each) for each in state["_tasks"]]
        outputs = [(task.name, task.n_outputs) for task in tasks]
        for task, stored in zip(tasks, state["_tasks"], strict=True):
            task.spec.check(task.name)
            again = task.state()
            if (again.keys(), again["spec"].keys()) != (stored.keys(), stored["spec"].keys()):
                _fail(f"task {task.name!r} has more values than a task of its kind")
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise SerError(
            f"the state of the neural network is damaged: its tasks cannot be read ({error!r})"
        ) from error
    for task in tasks:
        is_number = isinstance(task.weight, float) and 0.0 <= task.weight < np.inf
        if not isinstance(task.name, str) or not is_number:
            _fail(f"task {task.name!r} has the weight {task.weight!r}")
        problem = task.state_error(architecture["n_features"])
        if problem is not None:
            _fail(f"task {task.name!r} {problem}")
    heads = list(architecture["heads"].items())
    if not tasks or outputs != heads:
        _fail(f"its tasks have the outputs {outputs}, and its heads {heads}")
    units = {task.name: list(task.head_units) for task in tasks if len(task.head_units)}
    if units != architecture["head_units"]:
        _fail(f"its tasks have hidden units {units}, not those of its heads")
    main = tasks[0]
    if main.name != MAIN_TASK or type(main) is not FittedClassification:
        _fail(f"its first task is {main.name!r}, not the classes of {MAIN_TASK!r}")
    classes = state["classes_"]
    if (
        not _is_array(classes)
        or classes.dtype != main.classes.dtype
        or not np.array_equal(classes, main.classes)
    ):
        _fail("classes_ are not those of its first task")


def _is_plain(value):
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_plain(part) for key, part in value.items())
    return value is None or isinstance(value, str | int | float) or _is_array(value)


def _is_array(value):
    """Return whether a value is an array, in memory or memory-mapped (joblib's ``mmap_mode``)."""
    return type(value) in (np.ndarray, np.memmap)
