"""Fully connected layers over one row of features."""

from itertools import pairwise

from torch import nn

from sklearn_ser.neural_network._random import Dropout, linear

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
    """

    on_frames = False
    own_parameters = ()

    def __init__(
        self, n_features, hidden_units, activation, dropout, init_generator, dropout_generator
    ):
        super().__init__()
        widths = [n_features, *hidden_units]
        layers, dropouts = [], []
        for n_inputs, n_outputs in pairwise(widths):
            layers.append(linear(n_inputs, n_outputs, init_generator))
            dropouts.append(Dropout(dropout, dropout_generator))
        self.layers = nn.ModuleList(layers)
        self.dropouts = nn.ModuleList(dropouts)
        self.activation = ACTIVATIONS[activation]()
        self.n_outputs = widths[-1]

    def forward(self, x):
        for layer, dropout in zip(self.layers, self.dropouts, strict=True):
            x = dropout(self.activation(layer(x)))
        return x
