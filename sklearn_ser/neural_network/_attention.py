"""Layers over each frame, then attentive statistics over time."""

import torch
from torch import nn

from sklearn_ser.neural_network._mlp import MLPEncoder
from sklearn_ser.neural_network._random import linear

# Added to a variance, so that a sequence of one frame has a gradient.
_LEAST_VARIANCE = 1e-6


class AttentionEncoder(nn.Module):
    """The same layers over every frame, then attentive statistics pooling over time [1]_.

    An attention of one hidden layer (as wide as the last of `hidden_units`, tanh) gives each frame
    a weight, softmax over the sequence. The representation is the weighted mean of the frames'
    last layer, and beside it their weighted standard deviation.

    Parameters
    ----------
    n_features, hidden_units, activation, dropout, init_generator, dropout_generator
        Of the layers over each frame; see MLPEncoder.

    References
    ----------
    .. [1] Okabe, K., Koshinaka, T., Shinoda, K. (2018). Attentive Statistics Pooling for Deep
       Speaker Embedding. Interspeech 2018. https://arxiv.org/abs/1803.10963
    """

    on_frames = True
    own_parameters = ()

    def __init__(
        self, n_features, hidden_units, activation, dropout, init_generator, dropout_generator
    ):
        super().__init__()
        self.frame_layers = MLPEncoder(
            n_features, hidden_units, activation, dropout, init_generator, dropout_generator
        )
        width = self.frame_layers.n_outputs
        self.attention = linear(width, width, init_generator)
        self.score = linear(width, 1, init_generator)
        self.n_outputs = 2 * width

    def forward(self, batch):
        hidden = self.frame_layers(batch.frames)
        scores = self.score(torch.tanh(self.attention(hidden))).squeeze(1)
        weights = batch.padded(scores, fill=-torch.inf).softmax(dim=1).unsqueeze(1)
        hidden = batch.padded(hidden)
        mean = weights @ hidden
        variance = weights @ (hidden - mean).square()
        return torch.cat([mean, (variance + _LEAST_VARIANCE).sqrt()], dim=2).squeeze(1)
