"""Encoder of convolutions over time and frequency, recurrent layers and attention."""

from __future__ import annotations

from numbers import Integral

import torch
from sklearn.utils._param_validation import Interval
from torch import nn
from torch.nn import functional

from sklearn_ser.neural_network.encoders._base import Encoder, LayerFactory, Parameter
from sklearn_ser.neural_network.encoders._pooling import AttentivePooling
from sklearn_ser.neural_network.encoders._recurrent import LSTMLayers


class CNNBLSTMEncoder(Encoder):
    """CNN, bidirectional LSTM and attention over spectrograms, after Latif et al. (2022).

    The abstract of https://arxiv.org/abs/2207.05298 gives no sizes; those here are our choice. Each
    block consists of a 3 x 3 convolution over time and frequency, normalization over channels at
    each position, the activation, dropout, and max pooling by 2 over frequency (and over time in
    the first `time_halvings` blocks). There is no batch normalization, so that results do not
    depend on the batch. Bidirectional LSTM layers, of `hidden_units` in each direction, and
    attentive statistics pooling follow.
    """

    on_frames = True
    n_arrays_per_layer = 8
    specific_parameters = {
        "channels": Parameter((16, 32, 64), Interval(Integral, 1, None, closed="left")),
        "time_halvings": Parameter(2, Interval(Integral, 0, 16, closed="both")),
    }

    def __init__(self, n_features, hidden_units, factory: LayerFactory, channels, time_halvings):
        super().__init__()
        n_bands = n_features
        blocks, n_inputs = [], 1
        for index, n_channels in enumerate(channels):
            if n_bands < 2:
                raise ValueError(
                    f"encoder='cnn_blstm' halves the {n_features} features of a frame in each of "
                    f"its {len(channels)} blocks, which requires {2 ** len(channels)} or more "
                    "features. Use fewer encoder_params['channels'], or a spectrogram of more "
                    "bands."
                )
            blocks.append(ConvolutionBlock(n_inputs, n_channels, factory, index < time_halvings))
            n_inputs, n_bands = n_channels, n_bands // 2
        self.blocks = nn.ModuleList(blocks)
        self.recurrent = LSTMLayers(n_inputs * n_bands, hidden_units, factory, bidirectional=True)
        self.pool = AttentivePooling(self.recurrent.n_outputs, factory)
        self.n_outputs = self.pool.n_outputs

    def forward(self, batch):
        x = batch.padded(batch.frames).unsqueeze(1)
        for block in self.blocks:
            x, batch = block(x, batch)
        hidden = batch.unpadded(x.permute(0, 2, 1, 3).flatten(start_dim=2))
        return self.pool(batch, self.recurrent(batch, hidden))


class ConvolutionBlock(nn.Module):
    """A block of convolution, normalization over channels, activation, dropout and pooling."""

    def __init__(self, n_inputs, n_outputs, factory: LayerFactory, halves_time):
        super().__init__()
        self.convolution = factory.convolution(nn.Conv2d, n_inputs, n_outputs, 3)
        self.norm = factory.norm(n_outputs)
        self.activation = factory.activation_layer()
        self.dropout = factory.dropout_layer()
        self.stride = (2 if halves_time else 1, 2)

    def forward(self, x, batch):
        """Apply the block to (n_sequences, channels, time, bands), whose padding stays 0.

        The batch that is returned has the new lengths and no features.
        """
        x = self.norm(self.convolution(x).permute(0, 2, 3, 1))
        x = self.dropout(self.activation(x)).permute(0, 3, 1, 2)
        if not batch.is_full:
            # Otherwise pooling and the next block would see values beyond the end.
            x = x.masked_fill(_beyond(batch, x), -torch.inf)
        # Over time the last window may hold one frame; an odd last band is left out.
        x = functional.max_pool2d(x[..., : x.shape[3] // 2 * 2], self.stride, ceil_mode=True)
        batch = batch.shortened(self.stride[0])
        if not batch.is_full:
            x = x.masked_fill(_beyond(batch, x), 0.0)
        return x, batch


def _beyond(batch, x):
    """Return a mask of the positions in time that are beyond the end of a sequence."""
    is_frame = torch.arange(x.shape[2]) < batch.lengths[:, None]
    return ~is_frame.to(x.device)[:, None, :, None]
