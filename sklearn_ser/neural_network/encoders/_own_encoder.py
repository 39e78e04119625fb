"""Encoders of a user's own: any nn.Module class."""

import torch
from torch import nn

from sklearn_ser.neural_network._random import global_randomness

# Of the dry run that finds out how wide the representation is.
_ROWS, _FRAMES = 2, 5


class OwnEncoder(nn.Module):
    """A module of a user's own, called as encoders are.

    Parameters
    ----------
    kind : type
        The class; made as ``kind(n_features, **parameters)``. Its forward gets (n, n_features);
        with the class attribute ``on_frames = True`` it gets (n, longest, n_features) and the
        lengths. It returns (n, width).
    n_features : int
    parameters : dict
    """

    frame_level = False

    def __init__(self, kind, n_features, parameters):
        super().__init__()
        self.on_frames = bool(getattr(kind, "on_frames", False))
        self.module = kind(n_features, **parameters)
        self.n_outputs = self._width(kind, n_features)

    def forward(self, x):
        if self.on_frames:
            return self.module(x.padded(x.frames), x.lengths.to(x.frames.device))
        return self.module(x)

    def _width(self, kind, n_features):
        training = self.module.training
        self.module.eval()
        with torch.no_grad():
            if self.on_frames:
                given = torch.zeros(_ROWS, _FRAMES, n_features), torch.tensor([_FRAMES, 3])
            else:
                given = (torch.zeros(_ROWS, n_features),)
            found = self.module(*given)
        self.module.train(training)
        if not isinstance(found, torch.Tensor) or found.dim() != 2 or len(found) != _ROWS:
            what = tuple(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
            raise ValueError(
                f"encoder={kind.__name__}: forward must give one row of numbers for each row it "
                f"gets, a tensor of shape ({_ROWS}, width) for {_ROWS}; it gave {what}."
            )
        return found.shape[1]


def is_own(encoder):
    """Whether `encoder` is a class of a user's own; anything that is neither that nor a name fails.

    Raises
    ------
    TypeError
        If it is an instance, or a class of another kind.
    """
    if isinstance(encoder, str):
        return False
    if isinstance(encoder, nn.Module):
        raise TypeError(
            f"encoder is an instance of {type(encoder).__name__}: give the class itself, which fit "
            "makes anew as encoder(n_features, **encoder_params)."
        )
    if not (isinstance(encoder, type) and issubclass(encoder, nn.Module)):
        raise TypeError(
            f"encoder must be a name or a subclass of torch.nn.Module, got {encoder!r}."
        )
    return True


def build_own(architecture, seed):
    """An encoder of a user's own, its first weights drawn from torch's global generator."""
    with global_randomness(seed):
        return OwnEncoder(
            architecture["encoder"], architecture["n_features"], architecture["encoder_params"]
        )
