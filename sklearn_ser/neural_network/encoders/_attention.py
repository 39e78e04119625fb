"""Encoders of fully connected layers over frames, and over the layers of pretrained models."""

from __future__ import annotations

import torch
from sklearn.utils._param_validation import StrOptions
from torch import nn

from sklearn_ser.neural_network.encoders._base import Encoder, Parameter
from sklearn_ser.neural_network.encoders._mlp import MLPEncoder
from sklearn_ser.neural_network.encoders._pooling import POOLINGS


class AttentionEncoder(Encoder):
    """Fully connected layers over every frame, then pooling over time.

    With attentive statistics pooling the representation is twice as wide as the last layer: it
    consists of means and standard deviations.
    """

    on_frames = True
    specific_parameters = {"pooling": Parameter("attention", StrOptions({"attention", "mean"}))}

    def __init__(self, *, pooling, init_generator, **layers):
        super().__init__()
        self.frame_layers = MLPEncoder(init_generator=init_generator, residual=False, **layers)
        self.pool = POOLINGS[pooling](self.frame_layers.n_outputs, init_generator)
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

    def __init__(self, *, pooling, **layers):
        super().__init__(pooling=pooling, **layers)
        self.frame_level = pooling == "frames"


class LayersEncoder(Encoder):
    """A weighted sum over the layers of a pretrained model, then an MLP (Yang et al., 2021).

    The weights are the softmax of one learned number per layer, and are equal initially. The length
    of each sequence is the number of layers. https://arxiv.org/abs/2105.01051
    """

    on_frames = True
    data_parameters = ("n_layers",)

    def __init__(self, n_layers, **mlp):
        super().__init__()
        device = "meta" if mlp["init_generator"] is None else "cpu"
        self.layer_scores = nn.Parameter(torch.zeros(n_layers, device=device))
        self.mlp = MLPEncoder(**mlp, residual=False)
        self.n_outputs = self.mlp.n_outputs

    @property
    def layer_weights(self):
        """Weights of the layers, a tensor of shape (n_layers,) with sum 1."""
        return self.layer_scores.softmax(dim=0)

    def forward(self, batch):
        layers = batch.frames.view(-1, len(self.layer_scores), batch.frames.shape[1])
        return self.mlp(torch.tensordot(layers, self.layer_weights, dims=([1], [0])))
