"""Is the state of a fitted estimator one that fit could have left? It may come from a file."""

from numbers import Integral, Real

import numpy as np
from safetensors import SafetensorError, deserialize
from torch import nn

from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network._module import DTYPES, ENCODER_PARAMETERS, build_module
from sklearn_ser.neural_network._settings import ComputeSettings
from sklearn_ser.neural_network.encoders._mlp import ACTIVATIONS
from sklearn_ser.neural_network.encoders._registry import ENCODERS, data_parameters
from sklearn_ser.neural_network.tasks._fitted_tasks import (
    Contrast,
    Labels,
    Reconstruction,
    Values,
    task_from_state,
)
from sklearn_ser.neural_network.tasks._make_tasks import MAIN_TASK

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
        raise damage(f"it is a {type(state).__name__}")
    if not any(name in state for name in _FITTED[:4]):
        return
    missing = [name for name in _FITTED if name not in state]
    if missing:
        raise damage(f"it lacks {missing}")
    members = state["_weights"]
    if not isinstance(members, list) or not members:
        raise damage(f"its weights are a {type(members).__name__}, not a list of networks")
    architecture = state["_architecture"]
    for weights in members:
        shapes = read_shapes(weights, "its weights")
        if _is_own(architecture):
            parameters = None  # only its code could tell
        else:
            _check_architecture(architecture, largest=len(weights), n_arrays=len(shapes))
            parameters = _check_shapes(architecture, shapes)
    check_members(state, len(members))
    check_tasks(state, architecture)
    check_rounds(state.get("_rounds"), len(members), len(state["classes_"]))
    check_training_states(state.get("_states"), len(members), parameters, len(state["_tasks"]))
    n_features = state["n_features_in_"]
    if not isinstance(n_features, Integral) or n_features != architecture["n_features"]:
        raise damage(
            f"n_features_in_ is {n_features!r}, and the network takes {architecture['n_features']}"
        )
    check_surroundings(state)


def _is_own(architecture):
    """Whether its encoder is a class of a user's own, which is then made as its code says.

    Whoever loads it trusts that class: a pickle has run whatever code it wanted by now, and a
    model file is refused unless its reader names the class as trusted.
    """
    if not isinstance(architecture, dict) or not isinstance(architecture.get("encoder"), type):
        return False
    if not issubclass(architecture["encoder"], nn.Module):
        # Such as a type that every model file may hold: it would be called.
        raise damage(f"encoder is {architecture['encoder']!r}, no class of torch modules")
    if _ARCHITECTURE - set(architecture):
        raise damage(f"its architecture must have {sorted(_ARCHITECTURE)}")
    return True


def _check_architecture(architecture, largest, n_arrays):
    """`largest` and `n_arrays` bound widths and depth by the weights that are really there."""
    if not isinstance(architecture, dict) or _ARCHITECTURE - set(architecture):
        raise damage(f"its architecture must have {sorted(_ARCHITECTURE)}")
    for name, choices in _CHOICES.items():
        value = architecture[name]
        if not isinstance(value, str) or value not in choices:
            raise damage(f"{name} is {value!r}, not one of {sorted(choices)}")
    own = data_parameters(architecture["encoder"])
    if set(architecture) != {*_ARCHITECTURE, *own}:
        raise damage(
            f"its architecture must have {sorted({*_ARCHITECTURE, *own})}, it has "
            f"{sorted(map(str, architecture))}"
        )
    dropout, heads = architecture["dropout"], architecture["heads"]
    if not isinstance(dropout, float) or not 0.0 <= dropout < 1.0:
        raise damage(f"dropout is {dropout!r}")
    if not isinstance(heads, dict) or not isinstance(architecture["hidden_units"], list):
        raise damage("hidden_units must be a list, and heads a dict")
    head_units = architecture["head_units"]
    if (
        not isinstance(head_units, dict)
        or set(head_units) - set(heads)
        or not all(isinstance(units, list) for units in head_units.values())
    ):
        raise damage("head_units must be a dict of lists, by the names of heads")
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
            raise damage(f"{name} is {architecture[name]!r}, not positive whole numbers")
        if max(values, default=0) > largest or len(values) > n_arrays:
            raise damage(
                f"{name} is {architecture[name]!r}, more than {largest} bytes of weights can hold"
            )


def _check_encoder_params(architecture, n_arrays):
    """All numbers above 0 among the encoder's own parameters; raise if they are not its own."""
    known, found = ENCODERS[architecture["encoder"]].own_parameters, architecture["encoder_params"]
    if not isinstance(found, dict) or set(found) != set(known):
        raise damage(f"encoder_params is {found!r}, it must have {sorted(known)}")
    numbers = []
    for name, value in found.items():
        if not known[name].accepts(value) or known[name].plain(value) != value:
            raise damage(f"encoder_params[{name!r}] is {value!r}, not {known[name]}")
        if isinstance(value, list) and len(value) > n_arrays:
            raise damage(f"encoder_params[{name!r}] is longer than the network")
        if not isinstance(value, str | bool):
            numbers += value if isinstance(value, list) else [value]
    return [number for number in numbers if number]


def _check_shapes(architecture, stored):
    """Refuse weights that are not the architecture's; the dtype and shape of each parameter."""
    dtype = _DTYPE_NAMES[architecture["dtype"]]
    try:
        module = build_module(architecture, device="meta")
    except ValueError as error:
        raise damage(f"no network can be built of its architecture ({error})") from error
    needed = {name: (dtype, tuple(value.shape)) for name, value in module.state_dict().items()}
    for name in sorted({*needed, *stored}):
        if needed.get(name) != stored.get(name):
            raise damage(
                f"{name!r} is {stored.get(name, 'absent')} in its weights and "
                f"{needed.get(name, 'absent')} in its architecture"
            )
    return [(dtype, tuple(value.shape)) for value in module.parameters()]


_SPLIT = {"kind": str, "n_train": Integral, "n_valid": Integral, "groups": list, "reason": str}
_SPLIT_KINDS = ("groups", "stratified", "none")
#: What AdamW keeps of each parameter, and what else a training state may have.
_MOMENTS = ("exp_avg", "exp_avg_sq")
_STEP = "step"
_LEARNED_WEIGHTS = "weighting.log_variances"
#: A line of the record of self-training.
_ROUND = {
    "selected": int,
    "counts": list,
    "agreement": float,
    "valid_loss": float,
    "valid_score": float,
    "kept": bool,
    "stopped": str,
}
#: More threads than any machine of today has cores.
_MOST_THREADS = 4096
_SEEDS = 2**31


def damage(what):
    """The error of a state that fit cannot have left."""
    return SerError(f"the state of the neural network is damaged: {what}")


def read_shapes(stored, what):
    """Name of each array in safetensors bytes to its dtype (as safetensors has it) and shape."""
    if not isinstance(stored, bytes):
        raise damage(f"{what} are a {type(stored).__name__}, not bytes")
    try:
        arrays = deserialize(stored)
    except SafetensorError as error:
        raise damage(f"{what} cannot be read ({error})") from error
    return {name: (array["dtype"], tuple(array["shape"])) for name, array in arrays}


def check_members(state, n_members):
    """Is there of everything that networks have beside their weights one for each?"""
    for name in ("_temperatures", "_history", "_best_epochs", "_splits"):
        values = state.get(name)
        if not isinstance(values, list) or len(values) != n_members:
            raise damage(f"{name} is not a list of {n_members}")
    for temperature in state["_temperatures"]:
        if not isinstance(temperature, float) or not 0.0 < temperature < np.inf:
            raise damage(f"a temperature is {temperature!r}")
    for history in state["_history"]:
        _check_history(history)
    lengths = [len(history["epoch"]) for history in state["_history"]]
    for best, history in zip(state["_best_epochs"], state["_history"], strict=True):
        if not _is_count(best, 1) or best > history["epoch"][-1]:
            raise damage(f"a best epoch is {best!r}, of {history['epoch'][-1]}")
    for split in [*state["_splits"], state.get("validation_split_")]:
        _check_split(split)
    summary = {
        "n_iter_": max(lengths),
        "best_epoch_": state["_best_epochs"][0],
        "validation_split_": state["_splits"][0],
    }
    for name, expected in summary.items():
        if type(state.get(name)) is not type(expected) or state[name] != expected:
            raise damage(f"{name} is {state.get(name)!r}, and its networks say {expected!r}")
    if not _is_count(state.get("_seed")) or state["_seed"] >= _SEEDS:
        raise damage(f"its seed is {state.get('_seed')!r}")


def check_rounds(members, n_members, n_classes):
    """Are the rounds of self-training lines of plain values? Of None, there were none."""
    if members is None:
        return
    if not isinstance(members, list) or len(members) != n_members:
        raise damage(f"_rounds is not a list of {n_members}")
    for lines in members:
        if lines is None:
            continue
        if not isinstance(lines, list) or not lines:
            raise damage("the rounds of a network are not a list of lines")
        for line in lines:
            counts = line.get("counts") if isinstance(line, dict) else None
            if (
                not isinstance(counts, list)
                or len(counts) != n_classes
                or not all(type(count) is int for count in counts)
                or {name: type(value) for name, value in line.items()} != _ROUND
            ):
                raise damage(f"a round of self-training is {line!r}")


def check_surroundings(state):
    """Are the names of features, and the parameters that predictions use, such?"""
    names = state.get("feature_names_in_")
    if "feature_names_in_" in state and not (
        _is_array(names)
        and names.shape == (state["n_features_in_"],)
        and all(isinstance(name, str) for name in names)
    ):
        raise damage(f"feature_names_in_ are not {state['n_features_in_']} names")
    if not isinstance(state.get("device"), str):
        raise damage(f"device is {state.get('device')!r}")
    compute = state.get("compute")
    if compute is None:
        return
    if not isinstance(compute, ComputeSettings):
        raise damage(f"compute is {compute!r}")
    threads = getattr(compute, "n_threads", 0)
    if threads is not None and not (_is_count(threads, 1) and threads <= _MOST_THREADS):
        raise damage(f"n_threads is {threads!r}")


def check_training_states(states, n_members, parameters, n_tasks):
    """Do the optimizers' states (none, or one for each network) fit the networks?

    Parameters
    ----------
    states : list of bytes
    n_members : int
    parameters : list of (dtype, shape) or None
        Of the network, dtypes as safetensors names them. None if that is not known.
    n_tasks : int
    """
    if not isinstance(states, list) or len(states) not in (0, n_members):
        raise damage(f"_states is not a list of {n_members}, or of none")
    for stored in states:
        shapes = read_shapes(stored, "its training states")
        if parameters is None:
            continue
        weighting = shapes.pop(_LEARNED_WEIGHTS, None)
        known = parameters
        if weighting is not None:
            dtype, shape = weighting
            if dtype != "F32" or len(shape) != 1 or shape[0] > n_tasks:
                raise damage(f"{_LEARNED_WEIGHTS!r} in its training states is {weighting}")
            known = [weighting, *parameters]  # skorch's order: the criterion's come first
        by_name = {}
        for place, parameter in enumerate(known):
            by_name |= {f"{place}.{name}": parameter for name in _MOMENTS}
            by_name[f"{place}.{_STEP}"] = ("F32", ())
        for name, found in shapes.items():
            if by_name.get(name) != found:
                raise damage(
                    f"{name!r} in its training states is {found}, and its networks have "
                    f"{by_name.get(name, 'none')}"
                )
        for place in {name.partition(".")[0] for name in shapes}:
            missing = [n for n in (*_MOMENTS, _STEP) if f"{place}.{n}" not in shapes]
            if missing:
                raise damage(f"its training states lack {missing} of parameter {place}")


def check_tasks(state, architecture):
    """Are the tasks such, with the heads of the network and the classes of the estimator?"""
    heads = architecture["heads"]
    try:
        tasks = [task_from_state(each) for each in state["_tasks"]]
        outputs = {task.name: task.n_outputs for task in tasks}
        for task in tasks:
            task.spec.check(task.name)
        strange = [
            task.name
            for task, each in zip(tasks, state["_tasks"], strict=True)
            if _names_in(task.state()) != _names_in(each)
        ]
    except (TypeError, ValueError, KeyError, AttributeError, OverflowError) as error:
        raise damage(f"its tasks cannot be read ({error!r})") from error
    if strange:
        raise damage(f"task {strange[0]!r} has more than a task of its kind")
    for task in tasks:
        _check_task(task)
    if list(outputs.items()) != list(heads.items()) or len(tasks) != len(heads):
        raise damage(f"its tasks have {outputs} outputs, and its heads {heads}")
    units = {task.name: list(task.head_units) for task in tasks if len(task.head_units)}
    if units != architecture["head_units"]:
        raise damage(f"its tasks have hidden units {units}, not those of its heads")
    _check_widths(tasks, architecture["n_features"])
    main = tasks[0]
    if main.name != MAIN_TASK or main.kind != "classification":
        raise damage(f"its first task is {main.name!r}, not the classes of {MAIN_TASK!r}")
    if not _are_equal(state["classes_"], main.classes):
        raise damage("classes_ are not those of its first task")
    aux_classes = {task.name: task.classes for task in tasks[1:] if isinstance(task, Labels)}
    stored = state.get("aux_classes_")
    if (
        not isinstance(stored, dict)
        or list(stored) != list(aux_classes)
        or not all(_are_equal(stored[name], aux_classes[name]) for name in stored)
    ):
        raise damage("aux_classes_ are not those of its tasks")
    if not _is_dict_of(state.get("dropped_tasks_"), str):
        raise damage(f"dropped_tasks_ is {state.get('dropped_tasks_')!r}")


def _check_task(task):
    if not isinstance(task.name, str) or not _is_number(task.weight) or task.weight < 0.0:
        raise damage(f"task {task.name!r} has the weight {task.weight!r}")
    if isinstance(task, Labels):
        if not _are_classes(task.classes):
            raise damage(f"the classes of task {task.name!r} are not a sorted list of labels")
    elif isinstance(task, Values):
        if not (_is_number(task.mean) and _is_number(task.scale) and task.scale > 0.0):
            raise damage(f"task {task.name!r} has no mean and scale")
    elif type(task.n_outputs) is not int:
        raise damage(f"task {task.name!r} has {task.n_outputs!r} outputs")


def _check_widths(tasks, n_features):
    for task in tasks:
        if isinstance(task, Contrast):
            possible = {task.spec.n_components}
        elif isinstance(task, Reconstruction):
            possible = {n_features, n_features * task.spec.time_bins}
        else:
            continue
        if task.n_outputs not in possible:
            raise damage(f"task {task.name!r} has {task.n_outputs} outputs, not {sorted(possible)}")


def _names_in(task_state):
    return task_state.keys(), task_state["spec"].keys()


def _check_history(history):
    if not _is_dict_of(history, list) or not history.get("epoch"):
        raise damage("its history has no epochs")
    epochs = history["epoch"]
    if not all(_is_count(epoch, 1) for epoch in epochs) or sorted(set(epochs)) != epochs:
        raise damage(f"the epochs of its history are {epochs[:5]!r}")
    for name, column in history.items():
        if len(column) != len(epochs) or not all(isinstance(value, Real) for value in column):
            raise damage(f"{name!r} in its history is not {len(epochs)} numbers")


def _check_split(split):
    if not isinstance(split, dict) or split.keys() != _SPLIT.keys():
        raise damage(f"a validation split must have {sorted(_SPLIT)}")
    for name, kind in _SPLIT.items():
        value = split[name]
        if not isinstance(value, kind) or (kind is Integral and not _is_count(value)):
            raise damage(f"{name} of a validation split is {value!r}")
    if split["kind"] not in _SPLIT_KINDS:
        raise damage(f"kind of a validation split is {split['kind']!r}")
    if not all(isinstance(group, str) for group in split["groups"]):
        raise damage("the groups of a validation split are not names")


def _is_count(value, least=0):
    return isinstance(value, Integral) and not isinstance(value, bool) and value >= least


def _is_number(value):
    return isinstance(value, float) and np.isfinite(value)


def _is_dict_of(found, kind):
    return isinstance(found, dict) and all(
        isinstance(name, str) and isinstance(value, kind) for name, value in found.items()
    )


def _is_array(found):
    """Whether it is an array, in memory or mapped from a file (joblib's ``mmap_mode``)."""
    return type(found) in (np.ndarray, np.memmap)


def _are_classes(classes):
    """Whether they are an array of sorted labels, of which there is each once."""
    if not _is_array(classes) or classes.ndim != 1 or not len(classes):
        return False
    try:
        return np.array_equal(np.unique(classes), classes) and not any(
            value != value for value in classes.tolist()
        )
    except (TypeError, ValueError):
        return False


def _are_equal(stored, expected):
    return _is_array(stored) and stored.dtype == expected.dtype and np.array_equal(stored, expected)
