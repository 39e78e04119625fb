"""Fully connected layers over one row of features."""

from itertools import pairwise

from torch import nn

from sklearn_ser.neural_network._random import Dropout, layer_norm, linear
from sklearn_ser.neural_network.encoders._parameter import Parameter

ACTIVATIONS = {"relu": nn.ReLU, "gelu": nn.GELU, "tanh": nn.Tanh}


class MLPEncoder(nn.Module):
    """Fully connected layers over one row of features, each with dropout behind it.

    Parameters
    ----------
    n_features : int
    hidden_units : sequence of int
        Width of each layer; the last one is the width of the shared representation.
    activation : {"relu", "gelu", "tanh"}
    dropout : float
    init_generator, dropout_generator : torch.Generator or None
        None in a network whose weights are loaded and which only predicts.
    residual : bool, default=False
        From the second layer on, a layer as wide as the one before it is a residual block: what
        goes in, plus normalization, linear, activation, dropout and linear of it [1]_.

    References
    ----------
    .. [1] Gorishniy, Y. et al. (2021). Revisiting Deep Learning Models for Tabular Data. NeurIPS
       2021. https://arxiv.org/abs/2106.11959
    """

    on_frames = False
    frame_level = False
    own_parameters = {"residual": Parameter(False, "boolean")}

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
        for place, (n_inputs, n_outputs) in enumerate(pairwise(widths)):
            block = residual and place > 0 and n_inputs == n_outputs
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
    """What goes in, plus two layers' view of it."""

    def __init__(self, width, activation, dropout, init_generator, dropout_generator):
        super().__init__()
        self.norm = layer_norm(width, init_generator)
        self.first = linear(width, width, init_generator)
        self.second = linear(width, width, init_generator)
        self.activation = ACTIVATIONS[activation]()
        self.dropout = Dropout(dropout, dropout_generator)

    def forward(self, x):
        return x + self.second(self.dropout(self.activation(self.first(self.norm(x)))))
