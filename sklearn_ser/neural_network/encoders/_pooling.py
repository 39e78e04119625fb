"""Pooling of frames to one representation of a sequence."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from sklearn_ser.neural_network.encoders._base import LayerFactory

#: Summand of variances, so that a sequence of one frame has a gradient.
_LEAST_VARIANCE = 1e-6


class AttentivePooling(nn.Module):
    """Attentive statistics pooling over time (Okabe et al., 2018).

    Attention with one hidden layer (tanh) gives each frame a weight, by softmax over the sequence.
    The output is the weighted mean and the weighted standard deviation of the frames.
    https://arxiv.org/abs/1803.10963
    """

    def __init__(self, width, factory: LayerFactory):
        super().__init__()
        self.attention = factory.linear(width, width)
        self.score = factory.linear(width, 1)
        self.n_outputs = 2 * width

    def forward(self, batch, hidden):
        """Pool `hidden`, of shape (n_frames, width), over the sequences of the batch."""
        scores = self.score(torch.tanh(self.attention(hidden))).squeeze(1)
        weights = batch.padded(scores, fill=-torch.inf).softmax(dim=1).unsqueeze(1)
        hidden = batch.padded(hidden)
        mean = weights @ hidden
        variance = weights @ (hidden - mean).square()
        return torch.cat([mean, (variance + _LEAST_VARIANCE).sqrt()], dim=2).squeeze(1)


class MeanPooling(nn.Module):
    """The mean over time."""

    def __init__(self, width, factory: LayerFactory):
        super().__init__()
        self.n_outputs = width

    def forward(self, batch, hidden):
        return batch.means(hidden)


class LastFrame(MeanPooling):
    """The final output of a recurrent layer: the last frame.

    If the layer is bidirectional, the second half of a frame is the output of the backward layer,
    which ends at the first frame.
    """

    def __init__(self, width, factory: LayerFactory, bidirectional):
        super().__init__(width, factory)
        self.bidirectional = bidirectional

    def forward(self, batch, hidden):
        ends = batch.lengths.cumsum(0)
        last = hidden[(ends - 1).to(hidden.device)]
        if not self.bidirectional:
            return last
        first = hidden[(ends - batch.lengths).to(hidden.device)]
        half = hidden.shape[1] // 2
        return torch.cat([last[:, :half], first[:, half:]], dim=1)


class EveryFrame(MeanPooling):
    """No pooling: the network predicts for each frame."""

    def forward(self, batch, hidden):
        return hidden


POOLINGS: dict[str, Callable[..., MeanPooling | AttentivePooling]] = {
    "attention": AttentivePooling,
    "mean": MeanPooling,
    "frames": EveryFrame,
}
