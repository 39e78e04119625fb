"""LogMelSpectrogram and FrameScaler in torch: the same numbers, with gradients for the samples."""

import numpy as np
import torch
from torch.nn import functional

from sklearn_ser.feature_extraction._spectral import DELTA_REACH, _hann


class TorchLogMel:
    """What a fitted LogMelSpectrogram gives for a signal, as a differentiable function.

    Parameters
    ----------
    step : LogMelSpectrogram
    device : torch.device or str, default="cpu"
    """

    def __init__(self, step, device="cpu"):
        self.step = step
        self.window, self.hop, self.n_fft = step._samples()
        self.taper = torch.tensor(_hann(self.window, self.n_fft), device=device)
        self.filters = torch.tensor(step._filters().toarray(), device=device)
        self.floor = 10.0 ** (step.floor_db / 10.0)

    def __call__(self, signal):
        """Frames of one signal.

        Parameters
        ----------
        signal : Tensor of float32 of shape (n_samples,)
            As the step gets it from its door: mono, 16 kHz.

        Returns
        -------
        Tensor of shape (1 + n_samples // hop, n_features)
        """
        if self.step.remove_dc:
            signal = signal - signal.mean()
        before = self.n_fft // 2
        padded = functional.pad(signal, (before, self.n_fft - before))
        frames = padded.unfold(0, self.n_fft, self.hop) * self.taper
        spectrum = torch.fft.rfft(frames, dim=1)
        power = spectrum.real.square() + spectrum.imag.square()
        decibels = 10.0 * (power @ self.filters).clamp_min(self.floor).log10()
        if self.step.top_db is not None:
            decibels = torch.maximum(decibels, decibels.max() - self.step.top_db)
        orders = [decibels]
        for _ in range(self.step.deltas):
            orders.append(_slopes(orders[-1]))
        decibels = torch.cat(orders, dim=1)
        return _standardized(decibels) if self.step.normalize == "utterance" else decibels


class TorchFrameScaler:
    """What a fitted FrameScaler makes of a sequence, as a differentiable function.

    Parameters
    ----------
    step : FrameScaler
    device : torch.device or str, default="cpu"
    """

    def __init__(self, step, device="cpu"):
        self.step = step
        if step.per == "training":
            self.mean, self.scale = (
                torch.tensor(np.asarray(values, np.float32), device=device)
                for values in (step.mean_, step.scale_)
            )

    def __call__(self, frames):
        """The scaled frames, a Tensor of shape (n_frames, n_features)."""
        if self.step.per == "training":
            mean, scale = self.mean, self.scale
        else:
            mean = frames.mean(dim=0)
            spread = (frames - mean).square().mean(dim=0)
            constant = spread <= (1e-6 * mean).square()
            scale = torch.where(constant, 1.0, spread).sqrt()
        if self.step.with_mean:
            frames = frames - mean
        return frames / scale if self.step.with_std else frames


def _slopes(frames):
    n_frames = len(frames)
    first, last = frames[:1], frames[-1:]
    padded = torch.cat([first.expand(DELTA_REACH, -1), frames, last.expand(DELTA_REACH, -1)])
    total = torch.zeros_like(frames)
    for step in range(1, DELTA_REACH + 1):
        later = padded[DELTA_REACH + step :][:n_frames]
        earlier = padded[DELTA_REACH - step :][:n_frames]
        total = total + step * (later - earlier)
    return total / (2 * sum(step**2 for step in range(1, DELTA_REACH + 1)))


def _standardized(frames):
    centerd = frames - frames.mean(dim=0)
    variance = centerd.square().mean(dim=0)
    constant = variance.detach().sqrt() <= 1e-6 * frames.abs().amax(dim=0)
    # Constant ones are 0, and divided by 1: the root of 0 has no gradient.
    return centerd * ~constant / torch.where(constant, 1.0, variance).sqrt()
