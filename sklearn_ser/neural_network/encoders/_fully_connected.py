"""Encoders of fully connected layers over features, frames and layers of pretrained models."""

from __future__ import annotations

from itertools import pairwise

import torch
from sklearn.utils._param_validation import StrOptions
from torch import nn

from sklearn_ser.neural_network.encoders._base import Encoder, LayerFactory, Parameter
from sklearn_ser.neural_network.encoders._pooling import POOLINGS


class MLPEncoder(Encoder):
    """Fully connected layers over a feature vector, each followed by dropout.

    The last width is that of the shared representation. With `residual`, from the second layer on,
    a layer as wide as the one before it is a residual block of normalization, linear layer,
    activation, dropout and linear layer (Gorishniy et al., 2021, https://arxiv.org/abs/2106.11959).
    """

    specific_parameters = {"residual": Parameter(False, "boolean")}

    def __init__(self, n_features, hidden_units, factory: LayerFactory, residual=False):
        super().__init__()
        widths = [n_features, *hidden_units]
        self.layers = nn.ModuleList(
            ResidualBlock(n_inputs, factory)
            if residual and index > 0 and n_inputs == n_outputs
            else factory.linear(n_inputs, n_outputs)
            for index, (n_inputs, n_outputs) in enumerate(pairwise(widths))
        )
        self.dropouts = nn.ModuleList(factory.dropout_layer() for _ in self.layers)
        self.activation = factory.activation_layer()
        self.n_outputs = widths[-1]

    def forward(self, x):
        for layer, dropout in zip(self.layers, self.dropouts, strict=True):
            x = layer(x) if isinstance(layer, ResidualBlock) else dropout(self.activation(layer(x)))
        return x


class ResidualBlock(nn.Module):
    """Two layers with a residual connection."""

    def __init__(self, width, factory: LayerFactory):
        super().__init__()
        self.norm = factory.norm(width)
        self.first = factory.linear(width, width)
        self.second = factory.linear(width, width)
        self.activation = factory.activation_layer()
        self.dropout = factory.dropout_layer()

    def forward(self, x):
        return x + self.second(self.dropout(self.activation(self.first(self.norm(x)))))


class AttentionEncoder(Encoder):
    """Fully connected layers over every frame, then pooling over time.

    With attentive statistics pooling the representation is twice as wide as the last layer: it
    consists of means and standard deviations.
    """

    on_frames = True
    specific_parameters = {"pooling": Parameter("attention", StrOptions({"attention", "mean"}))}

    def __init__(self, n_features, hidden_units, factory: LayerFactory, pooling):
        super().__init__()
        self.frame_layers = MLPEncoder(n_features, hidden_units, factory)
        self.pool = POOLINGS[pooling](self.frame_layers.n_outputs, factory)
        self.frame_level = pooling == "frames"
        self.n_outputs = self.pool.n_outputs

    def forward(self, batch):
        return self.pool(batch, self.frame_layers(batch.frames))


class FrameDNNEncoder(AttentionEncoder):
    """The frame-level network of Kim et al. (2017), after the first author's trainer.

    Fully connected layers over every frame (in the original, two of 128 ReLU units). With
    ``pooling="frames"`` the heads predict for every frame: each frame has the target of its
    utterance, and posteriors are averaged over frames. https://arxiv.org/abs/1708.03920
    """

    specific_parameters = {
        "pooling": Parameter("frames", StrOptions({"frames", "mean", "attention"}))
    }


class LayersEncoder(Encoder):
    """A weighted sum over the layers of a pretrained model, then an MLP (Yang et al., 2021).

    The weights are the softmax of one learned number per layer, and are equal initially. The length
    of each sequence is the number of layers. https://arxiv.org/abs/2105.01051
    """

    on_frames = True
    data_parameters = ("n_layers",)

    def __init__(self, n_features, hidden_units, factory: LayerFactory, n_layers):
        super().__init__()
        self.layer_scores = nn.Parameter(torch.zeros(n_layers, device=factory.device))
        self.mlp = MLPEncoder(n_features, hidden_units, factory)
        self.n_outputs = self.mlp.n_outputs

    @property
    def layer_weights(self):
        """Weights of the layers, a tensor of shape (n_layers,) with sum 1."""
        return self.layer_scores.softmax(dim=0)

    def forward(self, batch):
        layers = batch.frames.view(-1, len(self.layer_scores), batch.frames.shape[1])
        return self.mlp(torch.tensordot(layers, self.layer_weights, dims=([1], [0])))
