"""Recurrent layers over time, and the encoder that consists of them."""

from __future__ import annotations

import torch
from sklearn.utils._param_validation import StrOptions
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from sklearn_ser.neural_network.encoders._base import Encoder, LayerFactory, Parameter
from sklearn_ser.neural_network.encoders._pooling import POOLINGS, LastFrame


class LSTMLayers(nn.Module):
    """LSTM layers over the frames of a batch, each followed by dropout.

    `hidden_units` are the units of each layer, in each direction.
    """

    def __init__(self, n_features, hidden_units, factory: LayerFactory, bidirectional):
        super().__init__()
        layers, n_inputs = [], n_features
        for n_hidden in hidden_units:
            layers.append(factory.lstm(n_inputs, n_hidden, bidirectional))
            n_inputs = n_hidden * (2 if bidirectional else 1)
        self.layers = nn.ModuleList(layers)
        self.dropouts = nn.ModuleList(factory.dropout_layer() for _ in layers)
        self.n_outputs = n_inputs

    def forward(self, batch, hidden):
        """Apply the layers to `hidden`, of shape (n_frames, n_features), in the batch's order."""
        for layer, dropout in zip(self.layers, self.dropouts, strict=True):
            hidden = dropout(self._run(layer, batch, hidden))
        return hidden

    def _run(self, layer, batch, hidden):
        # torch has no kernel for packed sequences on the CPU: it computes step by step, and the
        # gradient of each step fills a tensor as large as all of them. That takes ten times as
        # long as running each direction separately, and more for long utterances.
        if hidden.device.type == "cpu" and torch.is_grad_enabled() and not batch.is_full:
            return self._run_directions(layer, batch, hidden)
        padded = batch.padded(hidden)
        if batch.is_full:
            return batch.unpadded(layer(padded)[0])
        packed = pack_padded_sequence(padded, batch.lengths, batch_first=True, enforce_sorted=False)
        output, _ = pad_packed_sequence(
            layer(packed)[0], batch_first=True, total_length=batch.longest
        )
        return batch.unpadded(output)

    @staticmethod
    def _run_directions(layer, batch, hidden):
        """Run each direction separately on padded sequences; the backward one on reversed ones."""

        def run(hidden, weights):
            padded = batch.padded(hidden)
            start = padded.new_zeros(1, len(batch), layer.hidden_size)
            # Biases, one layer, no dropout, training, one direction, batch first.
            output = torch.lstm(padded, (start, start), weights, True, 1, 0.0, True, False, True)
            return batch.unpadded(output[0])

        forward, *backward = layer.all_weights
        outputs = [run(hidden, forward)]
        for weights in backward:
            outputs.append(batch.turned(run(batch.turned(hidden), weights)))
        return torch.cat(outputs, dim=1)


class LSTMEncoder(Encoder):
    """LSTM layers over time, after Kim et al. (2017) and the first author's trainer.

    The original has two layers. With ``pooling="frames"`` the heads predict for every frame: each
    frame has the target of its utterance, and posteriors are averaged over frames. An LSTM has
    fixed activations: `activation` of the network is ignored. https://arxiv.org/abs/1708.03920
    """

    on_frames = True
    n_arrays_per_layer = 4
    specific_parameters = {
        "bidirectional": Parameter(False, "boolean"),
        "pooling": Parameter("last", StrOptions({"last", "frames", "mean", "attention"})),
    }

    def __init__(self, n_features, hidden_units, factory: LayerFactory, bidirectional, pooling):
        super().__init__()
        self.recurrent = LSTMLayers(n_features, hidden_units, factory, bidirectional)
        width = self.recurrent.n_outputs
        self.pool = (
            LastFrame(width, factory, bidirectional)
            if pooling == "last"
            else POOLINGS[pooling](width, factory)
        )
        self.frame_level = pooling == "frames"
        self.n_outputs = self.pool.n_outputs

    def forward(self, batch):
        return self.pool(batch, self.recurrent(batch, batch.frames))
