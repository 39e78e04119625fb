"""The torch module (an encoder and one head per task), and its form at rest.

At rest a network is a dict of plain values (its architecture) and safetensors bytes (its
weights): both survive pickle and skops, and neither can hold code.
"""

import threading
from itertools import pairwise
from numbers import Integral

import torch
from safetensors.torch import load, save
from torch import nn

from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network._random import linear, torch_stream
from sklearn_ser.neural_network.encoders._own_encoder import build_own
from sklearn_ser.neural_network.encoders._parameter import resolve_parameters
from sklearn_ser.neural_network.encoders._registry import ENCODERS, data_parameters

DTYPES = {"float32": torch.float32, "float64": torch.float64}
#: The parts of an architecture that every encoder is made of.
ENCODER_PARAMETERS = ("n_features", "hidden_units", "activation", "dropout")


class MultiTaskModule(nn.Module):
    """An encoder shared by all tasks, and one linear head per task.

    Parameters
    ----------
    encoder : torch.nn.Module
    heads : sequence of torch.nn.Module
        In the order of the tasks.

    Attributes
    ----------
    reversal : dict of int to float
        Set by training: factors of the reversed gradients of the heads in these places.
    whole : set of int
        Set by training: heads that get one representation of a sequence, not one of each frame,
        from an encoder that works by frame.
    """

    def __init__(self, encoder, heads):
        super().__init__()
        self.encoder = encoder
        self.heads = nn.ModuleList(heads)
        self.frame_level = getattr(encoder, "frame_level", False)
        self.reversal = {}
        self.whole = set()

    def forward(self, x):
        """The outputs of all heads, in the order of the tasks (a tuple of tensors)."""
        shared = self._shared(x)
        outputs = []
        for place, head in enumerate(self.heads):
            given = x.means(shared) if self.frame_level and place in self.whole else shared
            if place in self.reversal:
                given = reverse_gradient(given, self.reversal[place])
            outputs.append(head(given))
        return tuple(outputs)

    def represent(self, x):
        """The shared representation of each row; of frames' representations the mean."""
        shared = self._shared(x)
        return x.means(shared) if self.frame_level else shared

    def _shared(self, x):
        # Not every layer takes an empty batch, which rows of failed audio alone leave.
        if getattr(self.encoder, "on_frames", False) and len(x) == 0:
            return x.frames.new_zeros(0, self.encoder.n_outputs)
        return self.encoder(x)


def build_module(architecture, *, device, seed=None):
    """Make the module that `architecture` describes.

    Parameters
    ----------
    architecture : dict
        ``encoder``, ``n_features``, ``hidden_units``, ``activation``, ``dropout``, ``dtype``,
        ``encoder_params``, the encoder's `own_parameters`, its `data_parameters`, ``heads``, a
        dict of task name to number of outputs, ``head_units``, one of task name to
        widths of hidden layers (for heads that have any).
    device : str
    seed : int, optional
        For the first weights and dropout. None, with ``device="meta"``: shapes only, without
        memory for weights, which are to be loaded.

    Returns
    -------
    MultiTaskModule
    """

    def stream(name, where="cpu"):
        return None if seed is None else torch_stream(seed, name, where)

    if isinstance(architecture["encoder"], str):
        kind = ENCODERS[architecture["encoder"]]
        encoder = kind(
            **{name: architecture[name] for name in ENCODER_PARAMETERS},
            **{name: architecture[name] for name in data_parameters(architecture["encoder"])},
            **architecture["encoder_params"],
            # First weights are always drawn on the CPU: the same on every device.
            init_generator=stream("encoder"),
            dropout_generator=stream("dropout", device),
        )
    else:
        encoder = build_own(architecture, seed)
    heads = [
        make_head(
            encoder.n_outputs,
            architecture["head_units"].get(name, []),
            n_outputs,
            stream(f"head {name}"),
        )
        for name, n_outputs in architecture["heads"].items()
    ]
    module = MultiTaskModule(encoder, heads)
    return module.to(device=device, dtype=DTYPES[architecture["dtype"]])


def describe_network(encoder, x, tasks, *, encoder_params, hidden_units, dropout, **settings):
    """The network as plain values, from which `build_module` makes it.

    Parameters
    ----------
    encoder : str or type
        Name of the encoder, or a class of a user's own.
    x : Tensor or FrameSequences
        The training rows.
    tasks : sequence of task objects
    encoder_params : dict or None
    hidden_units : sequence of int
    dropout : float
    **settings
        ``n_features``, ``activation`` and ``dtype``.

    Returns
    -------
    dict
    """
    widths = [*hidden_units]
    if not widths or not all(isinstance(width, Integral) and width > 0 for width in widths):
        raise ValueError(
            "hidden_units must be one or more positive whole numbers, the widths of the "
            f"layers, e.g. (128,); got {hidden_units!r}."
        )
    architecture = {
        "encoder": encoder,
        "encoder_params": resolve_parameters(
            encoder, ENCODERS[encoder].own_parameters, encoder_params
        )
        if isinstance(encoder, str)
        else dict(encoder_params or {}),
        "hidden_units": [int(width) for width in widths],
        "dropout": float(dropout),
        "heads": {task.name: task.n_outputs for task in tasks},
        "head_units": _head_units(tasks),
        **settings,
    }
    if "n_layers" in data_parameters(encoder):
        architecture["n_layers"] = int(x.lengths.max())
    return architecture


def _head_units(tasks):
    units = {task.name: list(task.head_units) for task in tasks if len(task.head_units)}
    for name, widths in units.items():
        if not all(isinstance(width, Integral) and width > 0 for width in widths):
            raise ValueError(
                f"hidden_units of tasks[{name!r}] must be positive whole numbers, got {widths!r}."
            )
    return {name: [int(width) for width in widths] for name, widths in units.items()}


def weights_to_bytes(module):
    """The module's weights as safetensors bytes."""
    # Copies: safetensors refuses tensors that share memory, as tied weights do.
    values = {name: value.cpu().contiguous() for name, value in module.state_dict().items()}
    return save({name: value.clone() for name, value in values.items()})


def module_from_bytes(architecture, weights, device):
    """A module ready to predict, from :func:`weights_to_bytes`."""
    module = module_of_shapes(architecture)
    if isinstance(architecture["encoder"], str):
        module = module.to_empty(device=device)
    module = module.to(device)
    load_weights(module, weights)
    return module.eval()


def module_of_shapes(architecture):
    """The module without memory for weights; an encoder of a user's own is made as it is."""
    if isinstance(architecture["encoder"], str):
        return build_module(architecture, device="meta")
    return build_module(architecture, device="cpu", seed=0)


def load_weights(module, weights):
    """Give a module the weights of :func:`weights_to_bytes`."""
    module.load_state_dict(load(weights))


def resolve_device(device):
    """The device to run on: the one asked for if it is there, or the best there is for "auto"."""
    n_gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    best = "cuda" if n_gpus else "mps" if torch.backends.mps.is_available() else "cpu"
    if device == "auto":
        return best
    gpus = [f"cuda:{place}" for place in range(n_gpus)]
    available = list(dict.fromkeys([*(gpus or [best]), "cpu"]))
    try:
        asked = torch.device(device)
        name = str(asked) if asked.index else asked.type
    except RuntimeError:
        name = None
    if name not in {best, *available}:
        raise SerError(
            f"device={device!r} is not available: this machine has {available}. "
            'Use device="auto" to take the first of them.'
        )
    return device


class NetCache:
    """Keeps the nets that were built from an estimator's weights, outside its pickled state.

    An estimator keeps one and the same cache object for the life of a fit, so that building the
    nets at the first prediction after loading changes nothing in the estimator's ``__dict__``.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._nets = self._key = None

    def get(self, key, build):
        """The nets; `build()` makes them at the first call, and when `key` is another one."""
        with self._lock:
            if self._nets is None or self._key != key:
                self._nets, self._key = build(), key
            return self._nets


def make_head(n_inputs, head_units, n_outputs, generator):
    """A linear layer, with ReLU layers of these widths before it; nothing for no outputs."""
    if n_outputs == 0:
        return NoHead()
    widths = [n_inputs, *head_units]
    layers = []
    for n_in, n_out in pairwise(widths):
        layers += [linear(n_in, n_out, generator), nn.ReLU()]
    last = linear(widths[-1], n_outputs, generator)
    return nn.Sequential(*layers, last) if layers else last


class NoHead(nn.Module):
    """Stands in the place of a task that looks at another head's outputs."""

    def forward(self, shared):
        return shared[:, :0]


class _Reversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, factor):
        ctx.factor = factor
        return x.view_as(x)

    @staticmethod
    def backward(ctx, gradient):
        return -ctx.factor * gradient, None


def reverse_gradient(x, factor):
    """`x`, whose gradient is multiplied by ``-factor`` on its way back."""
    return _Reversal.apply(x, factor)
