"""Encoder of fully connected layers over feature vectors."""

from __future__ import annotations

from itertools import pairwise

from torch import nn

from sklearn_ser.neural_network._random import Dropout, layer_norm, linear
from sklearn_ser.neural_network.encoders._base import Encoder, Parameter

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


class MLPEncoder(Encoder):
    """Fully connected layers over a feature vector, each followed by dropout.

    The last width is that of the shared representation. With `residual`, from the second layer on,
    a layer as wide as the one before it is a residual block of normalization, linear layer,
    activation, dropout and linear layer (Gorishniy et al., 2021, https://arxiv.org/abs/2106.11959).
    """

    specific_parameters = {"residual": Parameter(False, "boolean")}

    def __init__(
        self,
        n_features,
        hidden_units,
        activation,
        dropout,
        init_generator,
        dropout_generator,
        residual,
    ):
        super().__init__()
        widths = [n_features, *hidden_units]
        layers, dropouts = [], []
        for index, (n_inputs, n_outputs) in enumerate(pairwise(widths)):
            block = residual and index > 0 and n_inputs == n_outputs
            layers.append(
                ResidualBlock(n_inputs, activation, dropout, init_generator, dropout_generator)
                if block
                else linear(n_inputs, n_outputs, init_generator)
            )
            dropouts.append(Dropout(dropout, dropout_generator))
        self.layers = nn.ModuleList(layers)
        self.dropouts = nn.ModuleList(dropouts)
        self.activation = ACTIVATIONS[activation]()
        self.n_outputs = widths[-1]

    def forward(self, x):
        for layer, dropout in zip(self.layers, self.dropouts, strict=True):
            x = layer(x) if isinstance(layer, ResidualBlock) else dropout(self.activation(layer(x)))
        return x


class ResidualBlock(nn.Module):
    """Two layers with a residual connection."""

    def __init__(self, width, activation, dropout, init_generator, dropout_generator):
        super().__init__()
        self.norm = layer_norm(width, init_generator)
        self.first = linear(width, width, init_generator)
        self.second = linear(width, width, init_generator)
        self.activation = ACTIVATIONS[activation]()
        self.dropout = Dropout(dropout, dropout_generator)

    def forward(self, x):
        return x + self.second(self.dropout(self.activation(self.first(self.norm(x)))))
