"""Is the state of a fitted estimator one that fit could have left? It may come from a file."""

from numbers import Integral

from torch import nn

from sklearn_ser.neural_network._encoders import ENCODERS, data_parameters
from sklearn_ser.neural_network._mlp import ACTIVATIONS
from sklearn_ser.neural_network._module import DTYPES, ENCODER_PARAMETERS, build_module
from sklearn_ser.neural_network._state_parts import (
    check_members,
    check_rounds,
    check_surroundings,
    check_tasks,
    check_training_states,
    read_shapes,
)
from sklearn_ser.neural_network._state_parts import damage as _damage

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
        raise _damage(
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
        raise _damage(f"encoder is {architecture['encoder']!r}, no class of torch modules")
    if _ARCHITECTURE - set(architecture):
        raise _damage(f"its architecture must have {sorted(_ARCHITECTURE)}")
    return True


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
    """Refuse weights that are not the architecture's; the dtype and shape of each parameter."""
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
    return [(dtype, tuple(value.shape)) for value in module.parameters()]
