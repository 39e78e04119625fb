"""Conformer encoder: self-attention and convolution over time."""

from __future__ import annotations

import math
from numbers import Integral

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn
from torch.nn import functional

from sklearn_ser.neural_network.encoders._base import Encoder, LayerFactory, Parameter
from sklearn_ser.neural_network.encoders._pooling import POOLINGS


class ConformerEncoder(Encoder):
    """Conformer blocks (Gulati et al., 2020) over means of groups of frames.

    A block consists of a feed-forward layer, self-attention, a convolution over time and a second
    feed-forward layer, each with a residual connection (the feed-forward layers with the factor
    0.5), and normalization. Positions are sinusoids. The convolution is normalized over its
    channels instead of the batch, so that results do not depend on the batch. The activations are
    fixed: `activation` of the network is ignored. `subsampling` frames are averaged to one before
    the first block. https://arxiv.org/abs/2005.08100
    """

    on_frames = True
    n_arrays_per_layer = 30
    specific_parameters = {
        "n_heads": Parameter(4, Interval(Integral, 1, None, closed="left")),
        "kernel_size": Parameter(15, Interval(Integral, 1, None, closed="left")),
        "subsampling": Parameter(4, Interval(Integral, 1, None, closed="left")),
        "pooling": Parameter("attention", StrOptions({"attention", "mean"})),
    }

    def __init__(
        self,
        n_features,
        hidden_units,
        factory: LayerFactory,
        n_heads,
        kernel_size,
        subsampling,
        pooling,
    ):
        super().__init__()
        width = hidden_units[0]
        if any(units != width for units in hidden_units) or width % n_heads or width % 2:
            raise ValueError(
                f"encoder='conformer' requires hidden_units that are equal, even and a multiple of "
                f"its {n_heads} heads, such as (64, 64) for two blocks; got {tuple(hidden_units)}."
            )
        if kernel_size % 2 == 0:
            raise ValueError(
                "encoder_params['kernel_size'] of encoder='conformer' must be odd, got "
                f"{kernel_size}."
            )
        self.subsampling = subsampling
        self.project = factory.linear(n_features, width)
        self.blocks = nn.ModuleList(
            ConformerBlock(width, n_heads, kernel_size, factory) for _ in hidden_units
        )
        self.pool = POOLINGS[pooling](width, factory)
        self.n_outputs = self.pool.n_outputs

    def forward(self, batch):
        if self.subsampling > 1:
            batch = batch.averaged(self.subsampling)
        hidden = self.project(batch.frames)
        hidden = hidden + batch.unpadded(_positions(batch, hidden))
        for block in self.blocks:
            hidden = block(batch, hidden)
        return self.pool(batch, hidden)


class ConformerBlock(nn.Module):
    """A conformer block over the frames of a batch."""

    def __init__(self, width, n_heads, kernel_size, factory: LayerFactory):
        super().__init__()

        def feed_forward():
            return nn.Sequential(
                factory.norm(width),
                factory.linear(width, 4 * width),
                nn.SiLU(),
                factory.dropout_layer(),
                factory.linear(4 * width, width),
                factory.dropout_layer(),
            )

        self.before = feed_forward()
        self.attention = SelfAttention(width, n_heads, factory)
        self.attention_norm = factory.norm(width)
        self.convolution = GatedConvolution(width, kernel_size, factory)
        self.convolution_norm = factory.norm(width)
        self.after = feed_forward()
        self.norm = factory.norm(width)
        self.attention_dropout = factory.dropout_layer()
        self.convolution_dropout = factory.dropout_layer()

    def forward(self, batch, x):
        x = x + 0.5 * self.before(x)
        x = x + self.attention_dropout(self.attention(batch, self.attention_norm(x)))
        x = x + self.convolution_dropout(self.convolution(batch, self.convolution_norm(x)))
        x = x + 0.5 * self.after(x)
        return self.norm(x)


class SelfAttention(nn.Module):
    """Multi-head self-attention over the frames of each sequence."""

    def __init__(self, width, n_heads, factory: LayerFactory):
        super().__init__()
        self.n_heads = n_heads
        self.inputs = factory.linear(width, 3 * width)
        self.output = factory.linear(width, width)

    def forward(self, batch, x):
        parts = batch.padded(self.inputs(x)).unflatten(2, (3, self.n_heads, -1))
        query, key, value = parts.permute(2, 0, 3, 1, 4).unbind(0)
        mask = None
        if not batch.is_full:
            is_frame = torch.arange(batch.longest) < batch.lengths[:, None]
            mask = is_frame.to(x.device)[:, None, None, :]
        heads = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        return self.output(batch.unpadded(heads.transpose(1, 2).flatten(start_dim=2)))


class GatedConvolution(nn.Module):
    """A gated depth-wise convolution over time."""

    def __init__(self, width, kernel_size, factory: LayerFactory):
        super().__init__()
        self.gate = factory.linear(width, 2 * width)
        self.depthwise = factory.convolution(nn.Conv1d, width, width, kernel_size, width)
        self.norm = factory.norm(width)
        self.output = factory.linear(width, width)

    def forward(self, batch, x):
        x = batch.padded(functional.glu(self.gate(x), dim=1))
        x = batch.unpadded(self.depthwise(x.transpose(1, 2)).transpose(1, 2))
        return self.output(functional.silu(self.norm(x)))


def _positions(batch, like):
    """Return sinusoids of frame positions (Vaswani et al., 2017), padded like the batch."""
    width = like.shape[1]
    # bfloat16 has no integers between 256 and 258, and no exact sines of large angles.
    exact = torch.promote_types(like.dtype, torch.float32)
    time = torch.arange(batch.longest, dtype=exact, device=like.device)[:, None]
    rates = torch.arange(0, width, 2, dtype=exact, device=like.device)
    angles = time * torch.exp(rates * (-math.log(10000.0) / width))
    table = torch.stack([angles.sin(), angles.cos()], dim=2).flatten(start_dim=1)
    return table.to(like.dtype).expand(batch.n_sequences, -1, -1)
