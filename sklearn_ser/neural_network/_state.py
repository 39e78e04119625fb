"""Validation of the state of a fitted network, which may come from a file."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, NoReturn

import numpy as np
from safetensors import SafetensorError, deserialize
from torch import nn

from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network._module import DTYPES, ENCODER_PARAMETERS, build_module
from sklearn_ser.neural_network._settings import ComputeSettings
from sklearn_ser.neural_network.encoders._mlp import ACTIVATIONS
from sklearn_ser.neural_network.encoders._registry import ENCODERS, data_parameters
from sklearn_ser.neural_network.tasks._classification import FittedClassification
from sklearn_ser.neural_network.tasks._make_tasks import MAIN_TASK, task_from_state

_FITTED = ("_architecture", "_weights", "_tasks", "_history", "classes_", "n_features_in_")
_CHOICES: dict[str, dict[str, Any]] = {
    "encoder": ENCODERS,
    "activation": ACTIVATIONS,
    "dtype": DTYPES,
}
_ARCHITECTURE = {*_CHOICES, *ENCODER_PARAMETERS, "encoder_params", "heads", "head_units"}

#: Names of dtypes in safetensors.
_DTYPE_NAMES = {"float32": "F32", "float64": "F64"}

_SPLIT = {"kind": str, "n_train": Integral, "n_valid": Integral, "groups": list, "reason": str}
_SPLIT_KINDS = ("groups", "stratified", "none")
#: State of AdamW for each parameter, and further names that a training state may have.
_MOMENTS = ("exp_avg", "exp_avg_sq")
_STEP = "step"
_LEARNED_WEIGHTS = "weighting.log_variances"
#: Types in the record of a round of self-training.
_ROUND = {
    "selected": int,
    "counts": list,
    "agreement": float,
    "valid_loss": float,
    "valid_score": float,
    "kept": bool,
    "stopped": str,
}
#: Limit of the number of threads, above the number of cores of any machine.
_MOST_THREADS = 4096
_SEEDS = 2**31


def check_state(state: dict[str, Any]) -> None:
    """Check the state of a multi-task network; the state of an unfitted estimator is valid.

    Nothing larger than the stored weights is allocated, whatever the state contains.

    Parameters
    ----------
    state : dict
        The estimator's ``__dict__``.

    Raises
    ------
    SerError
        If the state is not one that `fit` can produce. The message names the first invalid part.
    """
    if not isinstance(state, dict):
        _fail(f"it is a {type(state).__name__}")
    if not any(name in state for name in _FITTED[:4]):
        return
    missing = [name for name in _FITTED if name not in state]
    if missing:
        _fail(f"it lacks {missing}")
    members = state["_weights"]
    if not isinstance(members, list) or not members:
        _fail(f"its weights are a {type(members).__name__}, not a list of networks")
    architecture = state["_architecture"]
    parameters = None
    for weights in members:
        shapes = _read_shapes(weights, "its weights")
        if not _is_custom(architecture):  # only the code of a custom encoder defines its shapes
            _check_architecture(architecture, largest=len(weights), n_arrays=len(shapes))
            parameters = _check_shapes(architecture, shapes)
    _check_members(state, len(members))
    _check_tasks(state, architecture)
    _check_rounds(state.get("_rounds"), len(members), len(state["classes_"]))
    _check_training_states(state.get("_states"), len(members), parameters, len(state["_tasks"]))
    n_features = state["n_features_in_"]
    if not isinstance(n_features, Integral) or n_features != architecture["n_features"]:
        _fail(
            f"n_features_in_ is {n_features!r}, and the network has {architecture['n_features']} "
            "input features"
        )
    _check_parameters(state)


def _fail(what: str) -> NoReturn:
    raise SerError(f"the state of the neural network is damaged: {what}")


def _is_custom(architecture):
    """Return whether the encoder is a custom class, which is built by its own code.

    Loading such a network requires trust in the class: a pickle can run any code anyway, and a
    model file loads only if its reader lists the class as trusted.
    """
    if not isinstance(architecture, dict) or not isinstance(architecture.get("encoder"), type):
        return False
    if not issubclass(architecture["encoder"], nn.Module):
        # Such as a type that every model file may hold: it would be called.
        _fail(f"encoder is {architecture['encoder']!r}, not a class of torch modules")
    if _ARCHITECTURE - set(architecture):
        _fail(f"its architecture must have {sorted(_ARCHITECTURE)}")
    return True


def _check_architecture(architecture, largest, n_arrays):
    """Check an architecture; `largest` and `n_arrays` limit widths and depth by actual weights."""
    if not isinstance(architecture, dict) or _ARCHITECTURE - set(architecture):
        _fail(f"its architecture must have {sorted(_ARCHITECTURE)}")
    for name, choices in _CHOICES.items():
        value = architecture[name]
        if not isinstance(value, str) or value not in choices:
            _fail(f"{name} is {value!r}, not one of {sorted(choices)}")
    from_data = data_parameters(architecture["encoder"])
    if set(architecture) != {*_ARCHITECTURE, *from_data}:
        _fail(
            f"its architecture must have {sorted({*_ARCHITECTURE, *from_data})}, it has "
            f"{sorted(map(str, architecture))}"
        )
    dropout, heads = architecture["dropout"], architecture["heads"]
    if not isinstance(dropout, float) or not 0.0 <= dropout < 1.0:
        _fail(f"dropout is {dropout!r}")
    if not isinstance(heads, dict) or not isinstance(architecture["hidden_units"], list):
        _fail("hidden_units must be a list, and heads a dict")
    head_units = architecture["head_units"]
    if (
        not isinstance(head_units, dict)
        or set(head_units) - set(heads)
        or not all(isinstance(units, list) for units in head_units.values())
    ):
        _fail("head_units must be a dict of lists, by the names of heads")
    widths = {
        "n_features": [architecture["n_features"]],
        "hidden_units": architecture["hidden_units"],
        "heads": [value for value in heads.values() if type(value) is not int or value != 0],
        **{name: [architecture[name]] for name in from_data},
        "encoder_params": _check_encoder_params(architecture, n_arrays),
        "head_units": [width for units in head_units.values() for width in units],
    }
    for name, values in widths.items():
        positive = all(type(value) is int and value > 0 for value in values)
        if not positive or (not values and name not in ("head_units", "encoder_params")):
            _fail(f"{name} is {architecture[name]!r}, not positive integers")
        if max(values, default=0) > largest or len(values) > n_arrays:
            _fail(f"{name} is {architecture[name]!r}, too large for {largest} bytes of weights")


def _check_encoder_params(architecture, n_arrays):
    """Check the encoder's parameters, and return all positive numbers among them."""
    known = ENCODERS[architecture["encoder"]].specific_parameters
    given = architecture["encoder_params"]
    if not isinstance(given, dict) or set(given) != set(known):
        _fail(f"encoder_params is {given!r}, it must have {sorted(known)}")
    numbers = []
    for name, value in given.items():
        if not known[name].accepts(value) or known[name].plain(value) != value:
            _fail(f"encoder_params[{name!r}] is {value!r}, not {known[name]}")
        if isinstance(value, list) and len(value) > n_arrays:
            _fail(f"encoder_params[{name!r}] is longer than the network")
        if not isinstance(value, str | bool):
            numbers += value if isinstance(value, list) else [value]
    return [number for number in numbers if number]


def _check_shapes(architecture, stored):
    """Check that weights fit an architecture; return the dtype and shape of each parameter."""
    dtype = _DTYPE_NAMES[architecture["dtype"]]
    try:
        module = build_module(architecture, device="meta")
    except ValueError as error:
        raise SerError(
            "the state of the neural network is damaged: no network can be built from its "
            f"architecture ({error})"
        ) from error
    needed = {name: (dtype, tuple(value.shape)) for name, value in module.state_dict().items()}
    for name in sorted({*needed, *stored}):
        if needed.get(name) != stored.get(name):
            _fail(
                f"{name!r} is {stored.get(name, 'absent')} in its weights and "
                f"{needed.get(name, 'absent')} in its architecture"
            )
    return [(dtype, tuple(value.shape)) for value in module.parameters()]


def _read_shapes(stored, what):
    """Return the dtype (as named by safetensors) and shape of each array in safetensors bytes."""
    if not isinstance(stored, bytes):
        _fail(f"{what} are a {type(stored).__name__}, not bytes")
    try:
        arrays = deserialize(stored)
    except SafetensorError as error:
        raise SerError(
            f"the state of the neural network is damaged: {what} cannot be read ({error})"
        ) from error
    return {name: (array["dtype"], tuple(array["shape"])) for name, array in arrays}


def _check_members(state, n_members):
    """Check that everything stored per network beside its weights is stored once per network."""
    for name in ("_temperatures", "_history", "_best_epochs", "_splits"):
        values = state.get(name)
        if not isinstance(values, list) or len(values) != n_members:
            _fail(f"{name} is not a list of {n_members}")
    for temperature in state["_temperatures"]:
        if not isinstance(temperature, float) or not 0.0 < temperature < np.inf:
            _fail(f"a temperature is {temperature!r}")
    for history in state["_history"]:
        _check_history(history)
    lengths = [len(history["epoch"]) for history in state["_history"]]
    for best, history in zip(state["_best_epochs"], state["_history"], strict=True):
        if not _is_count(best, 1) or best > history["epoch"][-1]:
            _fail(f"a best epoch is {best!r}, of {history['epoch'][-1]}")
    for split in [*state["_splits"], state.get("validation_split_")]:
        _check_split(split)
    summary = {
        "n_iter_": max(lengths),
        "best_epoch_": state["_best_epochs"][0],
        "validation_split_": state["_splits"][0],
    }
    for name, expected in summary.items():
        if type(state.get(name)) is not type(expected) or state[name] != expected:
            _fail(f"{name} is {state.get(name)!r}, and its networks imply {expected!r}")
    if not _is_count(state.get("_seed")) or state["_seed"] >= _SEEDS:
        _fail(f"its seed is {state.get('_seed')!r}")


def _check_rounds(members, n_members, n_classes):
    """Check that rounds of self-training are records of plain values; None if there were none."""
    if members is None:
        return
    if not isinstance(members, list) or len(members) != n_members:
        _fail(f"_rounds is not a list of {n_members}")
    for records in members:
        if records is None:
            continue
        if not isinstance(records, list) or not records:
            _fail("the rounds of a network are not a list of records")
        for record in records:
            counts = record.get("counts") if isinstance(record, dict) else None
            if (
                not isinstance(counts, list)
                or len(counts) != n_classes
                or not all(type(count) is int for count in counts)
                or {name: type(value) for name, value in record.items()} != _ROUND
            ):
                _fail(f"a round of self-training is {record!r}")


def _check_parameters(state):
    """Check the names of features, and the parameters that predictions use."""
    names = state.get("feature_names_in_")
    if "feature_names_in_" in state and not (
        _is_array(names)
        and names.shape == (state["n_features_in_"],)
        and all(isinstance(name, str) for name in names)
    ):
        _fail(f"feature_names_in_ are not {state['n_features_in_']} names")
    if not isinstance(state.get("device"), str):
        _fail(f"device is {state.get('device')!r}")
    compute = state.get("compute")
    if compute is None:
        return
    if not isinstance(compute, ComputeSettings):
        _fail(f"compute is {compute!r}")
    threads = getattr(compute, "n_threads", 0)
    if threads is not None and not (_is_count(threads, 1) and threads <= _MOST_THREADS):
        _fail(f"n_threads is {threads!r}")


def _check_training_states(states, n_members, parameters, n_tasks):
    """Check that the states of optimizers (none, or one per network) fit the networks.

    `parameters` are the dtype (as named by safetensors) and shape of each parameter of the network,
    or None if unknown.
    """
    if not isinstance(states, list) or len(states) not in (0, n_members):
        _fail(f"_states is not a list of {n_members}, or an empty list")
    for stored in states:
        shapes = _read_shapes(stored, "its training states")
        if parameters is None:
            continue
        weighting = shapes.pop(_LEARNED_WEIGHTS, None)
        known = parameters
        if weighting is not None:
            dtype, shape = weighting
            if dtype != "F32" or len(shape) != 1 or shape[0] > n_tasks:
                _fail(f"{_LEARNED_WEIGHTS!r} in its training states is {weighting}")
            known = [weighting, *parameters]  # skorch's order: the criterion's come first
        by_name: dict[str, tuple] = {}
        for index, parameter in enumerate(known):
            by_name |= {f"{index}.{name}": parameter for name in _MOMENTS}
            by_name[f"{index}.{_STEP}"] = ("F32", ())
        for name, shape in shapes.items():
            if by_name.get(name) != shape:
                _fail(
                    f"{name!r} in its training states is {shape}, and its networks have "
                    f"{by_name.get(name, 'none')}"
                )
        for index in {name.partition(".")[0] for name in shapes}:
            missing = [n for n in (*_MOMENTS, _STEP) if f"{index}.{n}" not in shapes]
            if missing:
                _fail(f"its training states lack {missing} of parameter {index}")


def _check_tasks(state, architecture):
    """Check the tasks, and that they match the heads and the classes of the estimator."""
    heads = architecture["heads"]
    try:
        tasks = [task_from_state(each) for each in state["_tasks"]]
        outputs = {task.name: task.n_outputs for task in tasks}
        for task in tasks:
            task.spec.check(task.name)
        modified = [
            task.name
            for task, each in zip(tasks, state["_tasks"], strict=True)
            if _names_in(task.state()) != _names_in(each)
        ]
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise SerError(
            f"the state of the neural network is damaged: its tasks cannot be read ({error!r})"
        ) from error
    if modified:
        _fail(f"task {modified[0]!r} has more values than a task of its kind")
    for task in tasks:
        if not isinstance(task.name, str) or not _is_number(task.weight) or task.weight < 0.0:
            _fail(f"task {task.name!r} has the weight {task.weight!r}")
        problem = task.state_error(architecture["n_features"])
        if problem is not None:
            _fail(f"task {task.name!r} {problem}")
    if list(outputs.items()) != list(heads.items()) or len(tasks) != len(heads):
        _fail(f"its tasks have {outputs} outputs, and its heads {heads}")
    units = {task.name: list(task.head_units) for task in tasks if len(task.head_units)}
    if units != architecture["head_units"]:
        _fail(f"its tasks have hidden units {units}, not those of its heads")
    main = tasks[0]
    if main.name != MAIN_TASK or type(main) is not FittedClassification:
        _fail(f"its first task is {main.name!r}, not the classes of {MAIN_TASK!r}")
    if not _are_equal(state["classes_"], main.classes):
        _fail("classes_ are not those of its first task")
    aux_classes = {
        task.name: task.classes for task in tasks[1:] if isinstance(task, FittedClassification)
    }
    stored = state.get("aux_classes_")
    if (
        not isinstance(stored, dict)
        or list(stored) != list(aux_classes)
        or not all(_are_equal(stored[name], aux_classes[name]) for name in stored)
    ):
        _fail("aux_classes_ are not those of its tasks")
    if not _is_dict_of(state.get("dropped_tasks_"), str):
        _fail(f"dropped_tasks_ is {state.get('dropped_tasks_')!r}")


def _names_in(task_state):
    return task_state.keys(), task_state["spec"].keys()


def _check_history(history):
    if not _is_dict_of(history, list) or not history.get("epoch"):
        _fail("its history has no epochs")
    epochs = history["epoch"]
    if not all(_is_count(epoch, 1) for epoch in epochs) or sorted(set(epochs)) != epochs:
        _fail(f"the epochs of its history are {epochs[:5]!r}")
    for name, column in history.items():
        if len(column) != len(epochs) or not all(isinstance(value, Real) for value in column):
            _fail(f"{name!r} in its history is not {len(epochs)} numbers")


def _check_split(split):
    if not isinstance(split, dict) or split.keys() != _SPLIT.keys():
        _fail(f"a validation split must have {sorted(_SPLIT)}")
    for name, kind in _SPLIT.items():
        value = split[name]
        if not isinstance(value, kind) or (kind is Integral and not _is_count(value)):
            _fail(f"{name} of a validation split is {value!r}")
    if split["kind"] not in _SPLIT_KINDS:
        _fail(f"kind of a validation split is {split['kind']!r}")
    if not all(isinstance(group, str) for group in split["groups"]):
        _fail("the groups of a validation split are not names")


def _is_count(value, least=0):
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= least


def _is_number(value):
    return isinstance(value, float) and np.isfinite(value)


def _is_dict_of(values, kind):
    return isinstance(values, dict) and all(
        isinstance(name, str) and isinstance(value, kind) for name, value in values.items()
    )


def _is_array(value):
    """Return whether a value is an array, in memory or memory-mapped (joblib's ``mmap_mode``)."""
    return type(value) in (np.ndarray, np.memmap)


def _are_equal(stored, expected):
    return _is_array(stored) and stored.dtype == expected.dtype and np.array_equal(stored, expected)
