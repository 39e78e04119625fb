"""Convolutions over time and frequency, then recurrent layers and attention."""

from numbers import Integral

import torch
from sklearn.utils._param_validation import Interval
from torch import nn
from torch.nn import functional

from sklearn_ser.neural_network._random import Dropout, convolution, layer_norm
from sklearn_ser.neural_network.encoders._mlp import ACTIVATIONS
from sklearn_ser.neural_network.encoders._parameter import Parameter
from sklearn_ser.neural_network.encoders._pooling import AttentivePooling
from sklearn_ser.neural_network.encoders._recurrent import LSTMLayers

KERNEL = 3


class CNNBLSTMEncoder(nn.Module):
    """CNN, bidirectional LSTM and attention over spectrograms, after Latif et al. (2022) [1]_.

    Reconstructed from the abstract: sizes are our choice. Each block is a 3 x 3 convolution over
    time and frequency, normalization over its channels at each place, the activation, dropout, and
    maximum pooling by 2 over frequency (and over time in the first `time_halvings` blocks). Batches
    have no part in the normalization, so that a result does not depend on them. Then come LSTM
    layers in both directions and attentive statistics pooling.

    Parameters
    ----------
    n_features : int
        Bands of the spectrogram, 2 to the power of the number of blocks or more.
    hidden_units : sequence of int
        Units of each LSTM layer, in each direction.
    activation, dropout, init_generator, dropout_generator
        As in MLPEncoder.
    channels : sequence of int, default=(16, 32, 64)
        Of each block.
    time_halvings : int, default=2

    References
    ----------
    .. [1] Latif, S., Rana, R., Khalifa, S., Jurdak, R., Schuller, B. W. (2022). Multitask Learning
       from Augmented Auxiliary Data for Improving Speech Emotion Recognition. IEEE Transactions on
       Affective Computing. https://arxiv.org/abs/2207.05298
    """

    on_frames = True
    frame_level = False
    own_parameters = {
        "channels": Parameter((16, 32, 64), Interval(Integral, 1, None, closed="left")),
        "time_halvings": Parameter(2, Interval(Integral, 0, 16, closed="both")),
    }

    def __init__(
        self,
        n_features,
        hidden_units,
        activation,
        dropout,
        init_generator,
        dropout_generator,
        channels,
        time_halvings,
    ):
        super().__init__()
        n_bands = n_features
        blocks, n_inputs = [], 1
        for place, n_channels in enumerate(channels):
            if n_bands < 2:
                raise ValueError(
                    f"encoder='cnn_blstm' halves the {n_features} features of a frame in each of "
                    f"its {len(channels)} blocks, which takes {2 ** len(channels)} or more: give "
                    "fewer encoder_params['channels'], or a spectrogram of more bands."
                )
            blocks.append(
                ConvolutionBlock(
                    n_inputs,
                    n_channels,
                    activation,
                    place < time_halvings,
                    dropout,
                    init_generator,
                    dropout_generator,
                )
            )
            n_inputs, n_bands = n_channels, n_bands // 2
        self.blocks = nn.ModuleList(blocks)
        self.recurrent = LSTMLayers(
            n_inputs * n_bands, hidden_units, True, dropout, init_generator, dropout_generator
        )
        self.pool = AttentivePooling(self.recurrent.n_outputs, init_generator)
        self.n_outputs = self.pool.n_outputs

    def forward(self, batch):
        x = batch.padded(batch.frames).unsqueeze(1)
        for block in self.blocks:
            x, batch = block(x, batch)
        hidden = batch.unpadded(x.permute(0, 2, 1, 3).flatten(start_dim=2))
        return self.pool(batch, self.recurrent(batch, hidden))


class ConvolutionBlock(nn.Module):
    """Convolution, normalization over channels, activation, dropout, pooling."""

    def __init__(
        self,
        n_inputs,
        n_outputs,
        activation,
        halves_time,
        dropout,
        init_generator,
        dropout_generator,
    ):
        super().__init__()
        self.convolution = convolution(nn.Conv2d, n_inputs, n_outputs, KERNEL, init_generator)
        self.norm = layer_norm(n_outputs, init_generator)
        self.activation = ACTIVATIONS[activation]()
        self.dropout = Dropout(dropout, dropout_generator)
        self.stride = (2 if halves_time else 1, 2)

    def forward(self, x, batch):
        """Run over (n_sequences, channels, time, bands), whose padding is 0 and stays 0.

        Returns
        -------
        x : Tensor
        batch : FrameBatch
            Of the lengths that are left; its frames are empty.
        """
        x = self.norm(self.convolution(x).permute(0, 2, 3, 1))
        x = self.dropout(self.activation(x)).permute(0, 3, 1, 2)
        if not batch.is_full:
            # What is beyond the end would be seen by pooling, and by the next block.
            x = x.masked_fill(_beyond(batch, x), -torch.inf)
        # Over time the last may be alone; a last band without a partner is left out.
        x = functional.max_pool2d(x[..., : x.shape[3] // 2 * 2], self.stride, ceil_mode=True)
        batch = batch.shortened(self.stride[0])
        if not batch.is_full:
            x = x.masked_fill(_beyond(batch, x), 0.0)
        return x, batch


def _beyond(batch, x):
    """Which places of (n_sequences, channels, time, bands) are beyond the end of a sequence."""
    there = torch.arange(x.shape[2]) < batch.lengths[:, None]
    return ~there.to(x.device)[:, None, :, None]
