"""Attacks on the samples of recordings, through a log-mel front end with gradients."""

import copy

import numpy as np
import pandas as pd
import torch

from sklearn_ser.audio import open_audio
from sklearn_ser.evaluation._extraction import all_audio_steps
from sklearn_ser.exceptions import AudioError, MetadataError
from sklearn_ser.feature_extraction import LogMelSpectrogram
from sklearn_ser.feature_extraction._spectral import SAMPLING_RATE
from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.neural_network._sequences import FrameBatch, FrameSequences, batches_by_length
from sklearn_ser.neural_network.training._attack import Ball, values_of
from sklearn_ser.preprocessing import FrameScaler
from sklearn_ser.robustness._attack_targets import gradients_of, open_chain
from sklearn_ser.robustness._torch_mel import TorchFrameScaler, TorchLogMel

#: Utterances, and samples, that go through a network with gradients at a time.
_ROWS, _SAMPLES = 32, 2_000_000


class AttackedWaveform:
    """An estimator whose recordings are attacked.

    Parameters
    ----------
    estimator : estimator
        Takes audio.
    X : object
        Audio, as its first step takes it.
    name : str
    norm : {"inf", "l2"}
        Sizes are in parts of an utterance's peak, or of its root mean square.
    surrogate : estimator or None
        Gives the gradients.
    """

    def __init__(self, estimator, X, name, *, norm, surrogate):
        self.X, self.norm = X, norm
        self.estimator = _without_stores(estimator)
        given = estimator if surrogate is None else surrogate
        front, scalers, last = _front_end(given, name if surrogate is None else "surrogate")
        self.audio = front.audio
        self.source = gradients_of(last, name)
        self.device = device = self.source.device
        self.log_mel = TorchLogMel(front, device)
        self.scalers = [TorchFrameScaler(scaler, device) for scaler in scalers]
        self.dtype = next(self.source.modules[0].parameters()).dtype
        signals = _read(front, X)
        self.failed = np.array([signal is None for signal in signals])
        if self.failed.all():
            raise MetadataError(f"estimator {name!r}: the audio of all rows of X failed")
        there = [torch.from_numpy(signal) for signal in signals if signal is not None]
        self.x = FrameSequences.packed(torch.cat(there)[:, None], [len(one) for one in there])
        self.x = self.x.to(device)

    def ball(self, epsilon):
        return Ball(self.norm, 10.0 ** (epsilon / 20.0))

    def batches(self):
        """Positions, batch and scale of all usable rows, in parts."""
        for rows in batches_by_length(self.x.lengths, _ROWS, most_frames=_SAMPLES):
            batch = self.x[rows].batch()
            reference = Ball(self.norm, 1.0).size(batch.frames, batch)
            yield rows, batch, reference[batch.row_of_frame][:, None]

    def limit(self, batch, scale):
        """Samples stay within full scale."""
        values = values_of(batch)
        return lambda change: ((values + change * scale).clamp(-1.0, 1.0) - values) / scale

    def log_probabilities(self, batch):
        parts = []
        for signal in batch.frames[:, 0].split(batch.lengths.tolist()):
            frames = self.log_mel(signal)
            for scaler in self.scalers:
                frames = scaler(frames)
            parts.append(frames.to(self.dtype))
        lengths = torch.tensor([len(part) for part in parts])
        return self.source.log_probabilities(FrameBatch(torch.cat(parts), lengths))

    def predict(self, x):
        """What the whole estimator says of these recordings."""
        cells = [
            x.frames[start : start + length, 0].clamp(-1.0, 1.0).cpu().numpy()
            for start, length in zip(x.starts.tolist(), x.lengths.tolist(), strict=True)
        ]
        table = _with_audio(self.X, ~self.failed, self.audio, cells)
        return np.asarray(self.estimator.predict(table), dtype=object)


def _front_end(estimator, name):
    steps, last = open_chain(estimator)
    ends = isinstance(last, MTLNeuralClassifier)
    begins = steps and isinstance(steps[0], LogMelSpectrogram)
    if not (ends and begins and all(isinstance(step, FrameScaler) for step in steps[1:])):
        found = " -> ".join(type(step).__name__ for step in [*steps, last])
        raise MetadataError(
            f'space="waveform" needs the gradient of every step, and knows those of '
            f"LogMelSpectrogram, FrameScaler and MTLNeuralClassifier, in this order; estimator "
            f"{name!r} is {found}. Give such a Pipeline as surrogate=: the recordings that mislead "
            "it are tried on the others."
        )
    return steps[0], steps[1:], last


def _without_stores(estimator):
    """The estimator, or a copy of it, whose audio steps keep no features of attacked audio."""
    if all(step.store is None for step in all_audio_steps(estimator)):
        return estimator
    copied = copy.deepcopy(estimator)
    for step in all_audio_steps(copied):
        step.store = None
    return copied


def _read(front, X):
    """The signals as the front end gets them; None where they cannot be used."""
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
        # Silence has nothing that an attack could be measured against.
        signals.append(signal if signal is not None and signal.any() else None)
    return signals


def _with_audio(X, kept, audio, cells):
    pairs = pd.Series([None] * len(cells), dtype=object)
    for row, cell in enumerate(cells):
        pairs[row] = (cell, SAMPLING_RATE)
    if not isinstance(X, pd.DataFrame):
        return pairs.tolist()
    table = X[kept].drop(columns=[audio, "start", "end"], errors="ignore")
    levels = [name for name in (audio, "start", "end") if name in table.index.names]
    if len(levels) == table.index.nlevels:
        table = table.reset_index(drop=True)
    elif levels:
        table = table.droplevel(levels)
    return table.assign(**{audio: pairs.to_numpy()})
