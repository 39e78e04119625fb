"""Layers over each frame, then pooling over time."""

import torch
from sklearn.utils._param_validation import StrOptions
from torch import nn

from sklearn_ser.neural_network.encoders._mlp import MLPEncoder
from sklearn_ser.neural_network.encoders._parameter import Parameter
from sklearn_ser.neural_network.encoders._pooling import POOLINGS


class AttentionEncoder(nn.Module):
    """The same fully connected layers over every frame, then pooling over time.

    Named "attention" this is attentive statistics pooling, whose representation is twice as wide as
    the last layer: means and deviations.

    Parameters
    ----------
    n_features, hidden_units, activation, dropout, init_generator, dropout_generator
        Of the layers over each frame; see MLPEncoder.
    pooling : {"attention", "mean"}, default="attention"
    """

    on_frames = True
    frame_level = False
    own_parameters = {"pooling": Parameter("attention", StrOptions({"attention", "mean"}))}

    def __init__(self, *, pooling, init_generator, **layers):
        super().__init__()
        self.frame_layers = MLPEncoder(init_generator=init_generator, residual=False, **layers)
        self.pool = POOLINGS[pooling](self.frame_layers.n_outputs, init_generator)
        self.n_outputs = self.pool.n_outputs

    def forward(self, batch):
        return self.pool(batch, self.frame_layers(batch.frames))


class FrameDNNEncoder(AttentionEncoder):
    """The per-frame network of Kim et al. (2017), after the first author's released trainer [1]_.

    Fully connected layers over every frame (two of 128 ReLU units there). With
    ``pooling="frames"`` the heads answer for every frame: the utterance's target is repeated on
    all of them, and their posteriors are averaged.

    Parameters
    ----------
    n_features, hidden_units, activation, dropout, init_generator, dropout_generator
        Of the layers over each frame; see MLPEncoder.
    pooling : {"frames", "mean", "attention"}, default="frames"

    References
    ----------
    .. [1] Kim, J., Englebienne, G., Truong, K. P., Evers, V. (2017). Towards Speech Emotion
       Recognition "in the wild" using Aggregated Corpora and Deep Multi-Task Learning.
       Interspeech 2017. https://arxiv.org/abs/1708.03920
    """

    own_parameters = {"pooling": Parameter("frames", StrOptions({"frames", "mean", "attention"}))}

    def __init__(self, *, pooling, **layers):
        super().__init__(pooling=pooling, **layers)
        self.frame_level = pooling == "frames"


class LayersEncoder(nn.Module):
    """A weighted sum over the layers of a pretrained model, then an MLP [1]_.

    The weights are the softmax of one learned number per layer, all equal at first.

    Parameters
    ----------
    n_layers : int
        Length of each sequence.
    n_features, hidden_units, activation, dropout, init_generator, dropout_generator
        Of the MLP; see MLPEncoder.

    References
    ----------
    .. [1] Yang, S. et al. (2021). SUPERB: Speech processing Universal PERformance Benchmark.
       Interspeech 2021. https://arxiv.org/abs/2105.01051
    """

    on_frames = True
    frame_level = False
    own_parameters = {}
    data_parameters = ("n_layers",)

    def __init__(self, n_layers, **mlp):
        super().__init__()
        device = "meta" if mlp["init_generator"] is None else "cpu"
        self.layer_scores = nn.Parameter(torch.zeros(n_layers, device=device))
        self.mlp = MLPEncoder(**mlp, residual=False)
        self.n_outputs = self.mlp.n_outputs

    @property
    def layer_weights(self):
        """Tensor of shape (n_layers,); they sum to 1."""
        return self.layer_scores.softmax(dim=0)

    def forward(self, batch):
        layers = batch.frames.view(-1, len(self.layer_scores), batch.frames.shape[1])
        return self.mlp(torch.tensordot(layers, self.layer_weights, dims=([1], [0])))
