"""A fitted network as one torch module of plain tensors, for exporters."""

import torch
from torch import nn
from torch.nn import functional

from sklearn_ser.neural_network.encoders._recurrent import LSTMLayers


class FullBatch:
    """Sequences of one length, as an encoder gets them; sizes may be symbols of an exporter's.

    Has what encoders use of a FrameBatch, without its arithmetic on lengths.

    Parameters
    ----------
    frames : Tensor of shape (n_sequences * longest, n_features)
    n_sequences, longest : int
    """

    is_full = True

    def __init__(self, frames, n_sequences, longest):
        self.frames = frames
        self.n_sequences = n_sequences
        self.longest = longest

    @classmethod
    def of(cls, x):
        """The batch of a tensor of shape (n_sequences, longest, n_features)."""
        return cls(x.flatten(end_dim=1), x.shape[0], x.shape[1])

    @property
    def lengths(self):
        return torch.full((self.n_sequences,), self.longest, dtype=torch.int64)

    def padded(self, values, fill=0.0):
        return values.unflatten(0, (self.n_sequences, self.longest))

    def unpadded(self, padded):
        return padded.flatten(end_dim=1)

    def means(self, values):
        return self.padded(values).mean(dim=1)

    def with_frames(self, frames):
        return FullBatch(frames, self.n_sequences, self.longest)

    def shortened(self, factor):
        longest = (self.longest + factor - 1) // factor
        return FullBatch(self.frames[:0], self.n_sequences, longest)

    def averaged(self, size):
        shorter = self.shortened(size)
        room = shorter.longest * size - self.longest
        frames = functional.pad(self.padded(self.frames), (0, 0, 0, room))
        sums = frames.unflatten(1, (shorter.longest, size)).sum(dim=2)
        there = functional.pad(torch.ones(self.longest, dtype=frames.dtype), (0, room))
        counts = there.unflatten(0, (shorter.longest, size)).sum(dim=1)
        return FullBatch.of(sums / counts[:, None])


class OnnxLSTM(nn.Module):
    """ONNX's own LSTM operator in the place of torch's layer, which exporters take to pieces.

    torch's exporter unrolls an LSTM over time, whose length is then fixed. This module cannot run
    in torch; it only says what stands in the graph.

    Parameters
    ----------
    layer : torch.nn.LSTM
        Of one layer, ``batch_first``.
    """

    def __init__(self, layer):
        super().__init__()
        ends = ["", "_reverse"] if layer.bidirectional else [""]
        self.hidden_size = layer.hidden_size
        self.direction = "bidirectional" if layer.bidirectional else "forward"
        self.n_directions = len(ends)

        def stacked(*names):
            parts = [
                torch.cat([self._reordered(getattr(layer, f"{name}_l0{end}")) for name in names])
                for end in ends
            ]
            return torch.stack(parts).detach()

        self.register_buffer("inputs", stacked("weight_ih"))
        self.register_buffer("recurrence", stacked("weight_hh"))
        self.register_buffer("biases", stacked("bias_ih", "bias_hh"))

    @staticmethod
    def _reordered(values):
        """Gates in ONNX's order (input, output, forget, cell) instead of torch's."""
        inputs, forget, cell, output = values.chunk(4)
        return torch.cat([inputs, output, forget, cell])

    def forward(self, x):
        """As torch's layer: (n_sequences, time, width), and in the place of its state None."""
        n_sequences, longest = x.shape[:2]
        found = torch.onnx.ops.symbolic(
            "LSTM",
            (x.transpose(0, 1), self.inputs, self.recurrence, self.biases),
            {"hidden_size": self.hidden_size, "direction": self.direction},
            dtype=x.dtype,
            shape=(longest, self.n_directions, n_sequences, self.hidden_size),
        )
        return found.permute(2, 0, 1, 3).flatten(start_dim=2), None


class Exported(nn.Module):
    """Encoder and main head of all networks of an ensemble: tensors in, tensors out.

    Parameters
    ----------
    modules : list of MultiTaskModule
    temperatures : list of float
    """

    def __init__(self, modules, temperatures):
        super().__init__()
        self.members = nn.ModuleList(modules)
        for layers in [part for part in self.modules() if isinstance(part, LSTMLayers)]:
            layers.layers = nn.ModuleList(map(OnnxLSTM, layers.layers))
        self.temperatures = temperatures

    def forward(self, x):
        """Mean probabilities, and the representations side by side.

        Parameters
        ----------
        x : Tensor of shape (n_rows, n_features) or (n_rows, n_frames, n_features)
        """
        probabilities, representations = [], []
        for module, temperature in zip(self.members, self.temperatures, strict=True):
            batch = FullBatch.of(x) if module.encoder.on_frames else x
            shared = module.encoder(batch)
            outputs = module.heads[0](shared)
            if module.frame_level:
                shared = batch.means(shared)
                # As utterance_outputs and _outputs have it: the temperature scales the logarithm
                # of the mean posterior.
                outputs = batch.means(outputs.softmax(dim=1)).log()
            probabilities.append((outputs / temperature).softmax(dim=1))
            representations.append(shared)
        return torch.stack(probabilities).mean(dim=0), torch.cat(representations, dim=1)
