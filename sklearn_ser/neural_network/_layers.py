"""A learned weighting of a pretrained model's layers, then fully connected layers."""

import torch
from torch import nn

from sklearn_ser.neural_network._mlp import MLPEncoder


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
