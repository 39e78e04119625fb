"""How far the optimizer is, at rest, so that training can go on after pickling."""

from safetensors.torch import load, save

_WEIGHTING = "weighting."


def training_state(net):
    """State of a skorch net's optimizer, and of what weighs its losses, as safetensors bytes."""
    values = {
        f"{place}.{name}": value
        for place, values in net.optimizer_.state_dict()["state"].items()
        for name, value in values.items()
    }
    for name, value in net.criterion_.weighting.state_dict().items():
        values[_WEIGHTING + name] = value
    return save({name: value.detach().cpu().contiguous() for name, value in values.items()})


def load_training_state(net, stored):
    """Give an initialized net what :func:`training_state` kept.

    A state that is not of such a training (another `loss_weighting`, or other tasks of weight 0)
    is left alone: the optimizer then begins anew.
    """
    values = load(stored)
    weighting = net.criterion_.weighting
    kept = {
        name.removeprefix(_WEIGHTING): values.pop(name)
        for name in list(values)
        if name.startswith(_WEIGHTING)
    }
    if _shapes(kept) != _shapes(weighting.state_dict()):
        return
    weighting.load_state_dict(kept)
    state = {}
    for name, value in values.items():
        place, _, part = name.partition(".")
        state.setdefault(int(place), {})[part] = value
    net.optimizer_.load_state_dict({**net.optimizer_.state_dict(), "state": state})


def _shapes(values):
    return {name: value.shape for name, value in values.items()}
