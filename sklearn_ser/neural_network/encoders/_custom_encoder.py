"""Custom encoders: any class of torch modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from sklearn_ser.neural_network.encoders._base import Encoder

#: Size of the batch in the trial run that determines the width of the representation.
_N_SAMPLES, _N_FRAMES = 2, 5


class CustomEncoder(Encoder):
    """A custom torch module as an encoder, ``module_type(n_features, **parameters)``.

    Its forward method receives a tensor of shape (n, n_features); with the class attribute
    ``on_frames = True`` it receives one of shape (n, longest, n_features), and the lengths. It
    returns (n, width).
    """

    def __init__(
        self, module_type: type[nn.Module], n_features: int, parameters: Mapping[str, Any]
    ):
        super().__init__()
        self.on_frames = bool(getattr(module_type, "on_frames", False))
        self.module = module_type(n_features, **parameters)
        self.n_outputs = self._width(module_type, n_features)

    def forward(self, x):
        if self.on_frames:
            return self.module(x.padded(x.frames), x.lengths.to(x.frames.device))
        return self.module(x)

    def _width(self, module_type, n_features):
        training = self.module.training
        self.module.eval()
        with torch.no_grad():
            if self.on_frames:
                x = torch.zeros(_N_SAMPLES, _N_FRAMES, n_features)
                output = self.module(x, torch.tensor([_N_FRAMES, 3]))
            else:
                output = self.module(torch.zeros(_N_SAMPLES, n_features))
        self.module.train(training)
        is_tensor = isinstance(output, torch.Tensor)
        if not is_tensor or output.dim() != 2 or len(output) != _N_SAMPLES:
            returned = tuple(output.shape) if is_tensor else type(output).__name__
            raise ValueError(
                f"encoder={module_type.__name__}: for {_N_SAMPLES} samples, forward must return a "
                f"tensor of shape ({_N_SAMPLES}, width); it returned {returned}."
            )
        return output.shape[1]
