"""A fitted network as one torch module of plain tensors, for exporters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import nn
from torch.nn import functional

from sklearn_ser.neural_network._module import MultiTaskModule
from sklearn_ser.neural_network.encoders._recurrent import LSTMLayers


class FullBatch:
    """Sequences of equal length in the form that encoders take; sizes may be symbolic.

    Has the attributes and methods of a FrameBatch that encoders use, without its computations on
    lengths. `frames` has shape (n_sequences * longest, n_features).
    """

    is_full = True

    def __init__(self, frames, n_sequences, longest):
        self.frames = frames
        self.n_sequences = n_sequences
        self.longest = longest

    @classmethod
    def of(cls, x):
        """Return the batch of a tensor of shape (n_sequences, longest, n_features)."""
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

    def shortened(self, factor):
        longest = (self.longest + factor - 1) // factor
        return FullBatch(self.frames[:0], self.n_sequences, longest)

    def averaged(self, size):
        shorter = self.shortened(size)
        n_padded = shorter.longest * size - self.longest
        frames = functional.pad(self.padded(self.frames), (0, 0, 0, n_padded))
        sums = frames.unflatten(1, (shorter.longest, size)).sum(dim=2)
        is_frame = functional.pad(torch.ones(self.longest, dtype=frames.dtype), (0, n_padded))
        counts = is_frame.unflatten(0, (shorter.longest, size)).sum(dim=1)
        return FullBatch.of(sums / counts[:, None])


class OnnxLSTM(nn.Module):
    """ONNX's LSTM operator, which replaces torch's layer (a single one, ``batch_first``).

    torch's exporter unrolls an LSTM over time, which fixes the number of frames. This module
    cannot run in torch; it defines a node of the exported graph.
    """

    inputs: torch.Tensor
    recurrence: torch.Tensor
    biases: torch.Tensor

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
        """Return the gates in ONNX's order (input, output, forget, cell) instead of torch's."""
        inputs, forget, cell, output = values.chunk(4)
        return torch.cat([inputs, output, forget, cell])

    def forward(self, x):
        """Return the outputs (n_sequences, time, width), and None instead of a state."""
        n_sequences, longest = x.shape[:2]
        output = torch.onnx.ops.symbolic(
            "LSTM",
            (x.transpose(0, 1), self.inputs, self.recurrence, self.biases),
            {"hidden_size": self.hidden_size, "direction": self.direction},
            dtype=x.dtype,
            shape=(longest, self.n_directions, n_sequences, self.hidden_size),
        )
        return output.permute(2, 0, 1, 3).flatten(start_dim=2), None


class Exported(nn.Module):
    """Encoders and main heads of the networks of an ensemble, from tensors to tensors."""

    def __init__(self, modules: Iterable[MultiTaskModule], temperatures: Sequence[float]):
        super().__init__()
        self.members = nn.ModuleList(modules)
        for part in list(self.modules()):
            if isinstance(part, LSTMLayers):
                part.layers = nn.ModuleList(map(OnnxLSTM, part.layers))
        self.temperatures = temperatures

    def forward(self, x):
        """Return mean probabilities, and the concatenated representations.

        The input has shape (n_samples, n_features) or (n_samples, n_frames, n_features).
        """
        probabilities, representations = [], []
        for module, temperature in zip(self.members, self.temperatures, strict=True):
            assert isinstance(module, MultiTaskModule)
            batch = FullBatch.of(x) if module.encoder.on_frames else x
            shared = module.encoder(batch)
            outputs = module.heads[0](shared)
            if module.frame_level:
                shared = batch.means(shared)
                # As in predictions, the temperature scales the logarithm of the mean posterior.
                outputs = batch.means(outputs.softmax(dim=1)).log()
            probabilities.append((outputs / temperature).softmax(dim=1))
            representations.append(shared)
        return torch.stack(probabilities).mean(dim=0), torch.cat(representations, dim=1)
