"""Recordings as the target of adversarial attacks, through a log-mel front end with gradients."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch.nn import functional

from sklearn_ser.audio import open_audio
from sklearn_ser.evaluation._audio_steps import all_audio_steps
from sklearn_ser.exceptions import AudioError, MetadataError
from sklearn_ser.feature_extraction import LogMelSpectrogram
from sklearn_ser.feature_extraction._spectral import DELTA_REACH, SAMPLING_RATE, _hann
from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.neural_network._sequences import FrameBatch, FrameSequences, batches_by_length
from sklearn_ser.neural_network.training._adversarial_training import Ball, values_of
from sklearn_ser.preprocessing import FrameScaler
from sklearn_ser.robustness._attacked_features import DifferentiableNetwork, open_chain

#: Maximum numbers of utterances and samples in a batch of a network with gradients.
_ROWS, _SAMPLES = 32, 2_000_000


class AttackedWaveform:
    """The recordings that an estimator predicts, as the target of an attack.

    Sizes are relative to the peak of an utterance, or (norm "l2") to its root mean square. A
    `surrogate` gives the gradients instead of the estimator.
    """

    def __init__(self, estimator: Any, X: Any, name: str, *, norm: str, surrogate: Any):
        self.X, self.norm = X, norm
        self.estimator = _without_stores(estimator)
        if surrogate is None:
            front, scalers, network = _front_end(estimator, name)
        else:
            front, scalers, network = _front_end(surrogate, "surrogate")
        self.audio = front.audio
        self.source = DifferentiableNetwork(network)
        self.device = self.source.device
        self.log_mel = TorchLogMel(front, self.device)
        self.scalers = [TorchFrameScaler(scaler, self.device) for scaler in scalers]
        self.dtype = next(self.source.modules[0].parameters()).dtype
        signals = _read(front, X)
        self.failed = np.array([signal is None for signal in signals])
        if self.failed.all():
            raise MetadataError(f"Estimator {name!r}: the audio of all rows of X failed.")
        waves = [torch.from_numpy(signal) for signal in signals if signal is not None]
        x = FrameSequences.packed(torch.cat(waves)[:, None], [len(wave) for wave in waves])
        self.x = x.to(self.device)

    def ball(self, epsilon: float) -> Ball:
        """Return the ball of radius `epsilon` dB."""
        return Ball(self.norm, 10.0 ** (epsilon / 20.0))

    def batches(self) -> Iterator[tuple[torch.Tensor, FrameBatch, torch.Tensor]]:
        """Generate indices, batch and scale of all rows that have not failed."""
        for rows in batches_by_length(self.x.lengths, _ROWS, most_frames=_SAMPLES):
            batch = self.x[rows].batch()
            reference = Ball(self.norm, 1.0).size(batch.frames, batch)
            yield rows, batch, reference[batch.row_of_frame][:, None]

    def limit(
        self, batch: FrameBatch, scale: torch.Tensor
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return the function that limits changes so that samples stay within full scale."""
        values = values_of(batch)
        return lambda change: ((values + change * scale).clamp(-1.0, 1.0) - values) / scale

    def log_probabilities(self, batch: FrameBatch) -> torch.Tensor:
        """Return log-probabilities of shape (n_rows, n_classes)."""
        parts = []
        for signal in batch.frames[:, 0].split(batch.lengths.tolist()):
            frames = self.log_mel(signal)
            for scaler in self.scalers:
                frames = scaler(frames)
            parts.append(frames.to(self.dtype))
        lengths = torch.tensor([len(part) for part in parts])
        return self.source.log_probabilities(FrameBatch(torch.cat(parts), lengths))

    def predict(self, x: Any) -> np.ndarray:
        """Return the predictions of the whole estimator for these recordings."""
        references = np.empty(len(x.lengths), dtype=object)
        spans = zip(x.starts.tolist(), x.lengths.tolist(), strict=True)
        for row, (start, length) in enumerate(spans):
            signal = x.frames[start : start + length, 0].clamp(-1.0, 1.0).cpu().numpy()
            references[row] = (signal, SAMPLING_RATE)
        table = _with_audio(self.X, ~self.failed, self.audio, references)
        return np.asarray(self.estimator.predict(table), dtype=object)


def _front_end(estimator, name):
    steps, last = open_chain(estimator)
    begins = steps and isinstance(steps[0], LogMelSpectrogram)
    scales = all(isinstance(step, FrameScaler) for step in steps[1:])
    if not (begins and scales and isinstance(last, MTLNeuralClassifier)):
        chain = " -> ".join(type(step).__name__ for step in [*steps, last])
        raise MetadataError(
            f'space="waveform" needs the gradient of every step, and supports '
            "LogMelSpectrogram, FrameScaler and MTLNeuralClassifier, in this order; estimator "
            f"{name!r} is {chain}. Give such a Pipeline as surrogate=: its adversarial recordings "
            "are then tested on the other estimators."
        )
    return steps[0], steps[1:], last


def _without_stores(estimator):
    """Return an estimator whose audio steps do not store features of attacked audio."""
    if all(step.store is None for step in all_audio_steps(estimator)):
        return estimator
    copied = copy.deepcopy(estimator)
    for step in all_audio_steps(copied):
        step.store = None
    return copied


def _read(front, X):
    """Return the signals that the front end gets; None for unusable ones."""
    table = open_audio(
        X,
        audio=front.audio,
        sampling_rate=SAMPLING_RATE,
        min_duration=front._min_duration,
        beyond_full_scale=front.beyond_full_scale,
        remove_dc=front.remove_dc,
    )
    signals = []
    for row in range(len(table)):
        try:
            signal = table.read(row)
        except AudioError:
            if front.on_error == "raise":
                raise
            signal = None
        # Changes are relative to the level, which is 0 for silence.
        signals.append(signal if signal is not None and signal.any() else None)
    return signals


def _with_audio(X, rows, audio, references):
    """Return these rows of X with other audio."""
    if not isinstance(X, pd.DataFrame):
        return references.tolist()
    table = X[rows].drop(columns=[audio, "start", "end"], errors="ignore")
    levels = [name for name in (audio, "start", "end") if name in table.index.names]
    if len(levels) == table.index.nlevels:
        table = table.reset_index(drop=True)
    elif levels:
        table = table.droplevel(levels)
    return table.assign(**{audio: references})


class TorchLogMel:
    """The output of a LogMelSpectrogram for a signal, with gradients."""

    def __init__(self, step: LogMelSpectrogram, device: torch.device | str = "cpu"):
        self.step = step
        self.window, self.hop, self.n_fft = step._samples()
        self.taper = torch.tensor(_hann(self.window, self.n_fft), device=device)
        self.filters = torch.tensor(step._filters().toarray(), device=device)
        self.floor = 10.0 ** (step.floor_db / 10.0)

    def __call__(self, signal: torch.Tensor) -> torch.Tensor:
        """Return the frames of one signal, mono at 16 kHz, of shape (n_frames, n_features)."""
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
    """The output of a fitted FrameScaler for a sequence, with gradients."""

    def __init__(self, step: FrameScaler, device: torch.device | str = "cpu"):
        self.step = step
        if step.per == "training":
            self.mean, self.scale = (
                torch.tensor(np.asarray(values, np.float32), device=device)
                for values in (step.mean_, step.scale_)
            )

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the scaled frames, of shape (n_frames, n_features)."""
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
    centered = frames - frames.mean(dim=0)
    variance = centered.square().mean(dim=0)
    constant = variance.detach().sqrt() <= 1e-6 * frames.abs().amax(dim=0)
    # Constant features are 0, divided by 1: the root of 0 has no gradient.
    return centered * ~constant / torch.where(constant, 1.0, variance).sqrt()
