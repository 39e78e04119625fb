"""Log-mel spectrograms and mel-frequency cepstra as sequences of frames."""

from __future__ import annotations

import importlib.metadata
import os
from abc import abstractmethod
from functools import lru_cache
from numbers import Integral, Real
from typing import Any, Literal

import numpy as np
import scipy.fft
import scipy.sparse
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.feature_extraction._base import (
    AudioExtractor,
    BeyondFullScale,
    OnError,
    document_audio_parameters,
)
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._frames import HOP_ATTR
from sklearn_ser.utils._public import public_module

SAMPLING_RATE = 16000
#: Maximum length of a Fourier transform, 4 s: longer windows are checked before anything is built.
MAX_FFT_SAMPLES = 65536
#: Frames that are transformed at a time: bounds the memory that a long recording takes.
BLOCK = 4096
#: Frames on each side of a frame that enter its delta.
DELTA_REACH = 2
DELTAS = ("", "_delta", "_delta2")
# Slaney's mel scale: linear below 1 kHz (3 mels for 200 Hz), logarithmic above (27 mels for a
# factor of 6.4).
_HZ_PER_MEL = 200.0 / 3.0
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0

_document_spectral_parameters = substitute_docstring(
    window_parameters="""
window_length : float, default=0.025
    Length of the window in seconds.
hop_length : float, default=0.010
    Seconds from one frame to the next.
n_fft : int, default=None
    Length of the Fourier transform in samples, at most 65,536. The window is padded with zeros
    on both sides. None: the next power of two, 512 for 25 ms.
""",
    band_parameters="""
fmin, fmax : float, default=0.0 and 8000.0
    Lower edge of the lowest band and upper edge of the highest, in Hz.
floor_db : float, default=-100.0
    Minimum level of a band in dB, so that no logarithm is infinite.
top_db : float or None, default=80.0
    Range in dB below the loudest band of the utterance, to which lower levels are raised. This
    hides the noise floor of a recording. None: no limit.
""",
    normalize_parameter="""
normalize : {"utterance"} or None, default=None
    Normalization. "utterance" gives every column mean 0 and standard deviation 1 within the
    utterance (0 if it is constant); of cepstra this is cepstral mean and variance normalization.
    It removes the level and the frequency response of microphone and room, and much of the
    speaker. To scale by the training set, use :class:`FrameScaler`.
""",
)


class _SpectralExtractor(AudioExtractor):
    """Base class of the log-mel spectrogram and the cepstra."""

    _frame_level = True
    _parameter_constraints = {
        "window_length": [Interval(Real, 0, None, closed="neither")],
        "hop_length": [Interval(Real, 0, None, closed="neither")],
        "n_fft": [Interval(Integral, 2, None, closed="left"), None],
        "n_mels": [Interval(Integral, 1, None, closed="left")],
        "fmin": [Interval(Real, 0, None, closed="left")],
        "fmax": [Interval(Real, 0, SAMPLING_RATE / 2, closed="right")],
        "floor_db": [Interval(Real, -300, 0, closed="both")],
        "top_db": [Interval(Real, 0, None, closed="neither"), None],
        "deltas": [Interval(Integral, 0, 2, closed="both")],
        "normalize": [StrOptions({"utterance"}), None],
        **AudioExtractor._parameter_constraints,
    }

    def __init__(
        self,
        window_length: float = 0.025,
        hop_length: float = 0.010,
        n_fft: int | None = None,
        n_mels: int = 80,
        fmin: float = 0.0,
        fmax: float = 8000.0,
        floor_db: float = -100.0,
        top_db: float | None = 80.0,
        deltas: Literal[0, 1, 2] = 0,
        normalize: Literal["utterance"] | None = None,
        *,
        audio: str = "file",
        on_error: OnError = "raise",
        beyond_full_scale: BeyondFullScale = "raise",
        remove_dc: bool = False,
        store: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(audio, on_error, beyond_full_scale, remove_dc, store, n_jobs, verbose)
        self.window_length = window_length
        self.hop_length = hop_length
        self.n_fft = n_fft
        self.n_mels = n_mels
        self.fmin = fmin
        self.fmax = fmax
        self.floor_db = floor_db
        self.top_db = top_db
        self.deltas = deltas
        self.normalize = normalize

    def _validate_params(self) -> None:
        super()._validate_params()
        window, hop, n_fft = self._samples()
        name = type(self).__name__
        check_frame_parameters(self, window, hop, n_fft)
        if n_fft < window:
            raise ValueError(
                f"{name}: a window_length of {self.window_length} s has {window} samples, which is "
                f"more than n_fft={n_fft}. Increase n_fft, or set it to None."
            )
        n_bins = n_fft // 2 + 1
        if self.n_mels > n_bins:
            raise ValueError(
                f"{name}: n_mels={self.n_mels} is more than the {n_bins} bins of a Fourier "
                f"transform of n_fft={n_fft} samples. Use fewer bands or a larger n_fft."
            )
        n_empty = self.n_mels - np.count_nonzero(self._filters().sum(axis=0))
        if n_empty:
            raise ValueError(
                f"{name}: {n_empty} of the {self.n_mels} mel bands from {self.fmin} to "
                f"{self.fmax} Hz fall between the bins of a Fourier transform of n_fft={n_fft} "
                f"samples, so they would always be empty. Use fewer bands or a larger n_fft."
            )

    def _samples(self) -> tuple[int, int, int]:
        """Return the lengths of window, hop and Fourier transform in samples."""
        window = round(self.window_length * SAMPLING_RATE)
        hop = round(self.hop_length * SAMPLING_RATE)
        power_of_two = 1 << max(1, (window - 1).bit_length())
        return window, hop, power_of_two if self.n_fft is None else self.n_fft

    def _frame_marks(self) -> dict[str, Any]:
        return {HOP_ATTR: self._samples()[1] / SAMPLING_RATE}

    def _filters(self):
        return _sparse_filters(self._samples()[2], self.n_mels, self.fmin, self.fmax)

    def _decibels(self, signal: np.ndarray) -> np.ndarray:
        """Return the mel power spectrogram in dB, of shape (1 + n_samples // hop, n_mels)."""
        window, hop, n_fft = self._samples()
        taper, filters = _hann(window, n_fft), self._filters()
        frames = padded_frames(signal, n_fft, hop)
        mels = np.empty((len(frames), self.n_mels), dtype=np.float32)
        for start in range(0, len(frames), BLOCK):
            spectrum = scipy.fft.rfft(frames[start : start + BLOCK] * taper, axis=1, workers=1)
            mels[start : start + BLOCK] = (spectrum.real**2 + spectrum.imag**2) @ filters
        floor = np.float32(10.0 ** (self.floor_db / 10.0))
        decibels = 10.0 * np.log10(np.maximum(mels, floor), dtype=np.float32)
        if self.top_db is not None:
            np.maximum(decibels, decibels.max() - np.float32(self.top_db), out=decibels)
        return decibels

    @abstractmethod
    def _static_names(self) -> list[str]:
        """Return the names of the features of a frame without deltas."""

    def _static(self, signal: np.ndarray) -> np.ndarray:
        """Return the frames without deltas, not normalized."""
        return self._decibels(signal)

    def _feature_names(self) -> list[str]:
        names = self._static_names()
        return [name + suffix for suffix in DELTAS[: 1 + self.deltas] for name in names]

    def _extract(self, signal: np.ndarray) -> ArrayLike:
        frames = append_deltas(self._static(signal), self.deltas)
        return standardize_columns(frames) if self.normalize == "utterance" else frames

    def _versions(self) -> dict[str, Any]:
        return {name: importlib.metadata.version(name) for name in ("numpy", "scipy")}


@public_module("sklearn_ser.feature_extraction")
@document_audio_parameters
@_document_spectral_parameters
class LogMelSpectrogram(_SpectralExtractor):
    """Mel power spectrogram in decibels.

    Each utterance, as mono audio at 16 kHz, gives a sequence of frames: the power in mel bands
    (Slaney's scale, filters of equal area) of a Hann window around every `hop_length` seconds, as
    10 log10, where 0 dB is a power of 1. The first window is centered on the first sample, and the
    utterance is padded with zeros. The values equal those of
    ``librosa.power_to_db(librosa.feature.melspectrogram(...), ref=1.0)``.

    Parameters
    ----------
    %(window_parameters)s
    n_mels : int, default=80
        Number of mel bands, at most n_fft // 2 + 1.
    %(band_parameters)s
    deltas : {0, 1, 2}, default=0
        Order of the deltas. 1 appends the slope of each band over time (the regression line
        through five frames, per frame), 2 also the slope of the slope.
    %(normalize_parameter)s
    %(audio_parameters)s

    Attributes
    ----------
    %(failures_attribute)s

    See Also
    --------
    MFCC : Fewer features per frame, less correlated.
    FunctionalsPooling : One row of statistics per sequence.
    FrameScaler : Scaling of sequences by the training set.

    References
    ----------
    M. Slaney, "Auditory Toolbox", Version 2, Interval Research Corporation, 1998.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.feature_extraction import LogMelSpectrogram
    >>> noise = np.random.default_rng(0).normal(scale=0.05, size=(2, 8000))
    >>> table = LogMelSpectrogram(n_mels=40).fit_transform(list(noise))
    >>> table.loc[0, "frames"].shape
    (51, 40)
    >>> table.attrs["frame_features"][:2]
    ['mel_00', 'mel_01']
    """

    def _static_names(self) -> list[str]:
        return [f"mel_{band:02d}" for band in range(self.n_mels)]


@public_module("sklearn_ser.feature_extraction")
@document_audio_parameters
@_document_spectral_parameters
class MFCC(_SpectralExtractor):
    """Mel-frequency cepstral coefficients.

    They describe the spectral envelope: the orthonormal discrete cosine transform (type II) over
    the bands of each frame of a :class:`LogMelSpectrogram`. Coefficient 0 is the mean level times
    the square root of `n_mels`. The values equal those of ``librosa.feature.mfcc``.

    Parameters
    ----------
    n_mfcc : int, default=20
        Number of coefficients, counted from 0, at most `n_mels`.
    %(window_parameters)s
    n_mels : int, default=40
        Number of mel bands that the coefficients are computed from.
    %(band_parameters)s
    deltas : {0, 1, 2}, default=2
        Order of the deltas. 1 appends the slope of each coefficient over time (the regression line
        through five frames, per frame), 2 also the slope of the slope.
    %(normalize_parameter)s
    %(audio_parameters)s

    Attributes
    ----------
    %(failures_attribute)s

    See Also
    --------
    LogMelSpectrogram : The mel bands, the usual input of a convolutional network.
    FunctionalsPooling : One row of statistics per sequence.

    References
    ----------
    S. Davis, P. Mermelstein, "Comparison of parametric representations for monosyllabic word
    recognition in continuously spoken sentences", IEEE Transactions on Acoustics, Speech, and
    Signal Processing 28(4), 1980.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.feature_extraction import MFCC
    >>> noise = np.random.default_rng(0).normal(scale=0.05, size=(2, 8000))
    >>> table = MFCC(13).fit_transform(list(noise))
    >>> table.loc[0, "frames"].shape
    (51, 39)
    >>> table.attrs["frame_features"][13:15]
    ['mfcc_00_delta', 'mfcc_01_delta']
    """

    _parameter_constraints = {
        "n_mfcc": [Interval(Integral, 1, None, closed="left")],
        **_SpectralExtractor._parameter_constraints,
    }

    def __init__(
        self,
        n_mfcc: int = 20,
        window_length: float = 0.025,
        hop_length: float = 0.010,
        n_fft: int | None = None,
        n_mels: int = 40,
        fmin: float = 0.0,
        fmax: float = 8000.0,
        floor_db: float = -100.0,
        top_db: float | None = 80.0,
        deltas: Literal[0, 1, 2] = 2,
        normalize: Literal["utterance"] | None = None,
        *,
        audio: str = "file",
        on_error: OnError = "raise",
        beyond_full_scale: BeyondFullScale = "raise",
        remove_dc: bool = False,
        store: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(
            window_length,
            hop_length,
            n_fft,
            n_mels,
            fmin,
            fmax,
            floor_db,
            top_db,
            deltas,
            normalize,
            audio=audio,
            on_error=on_error,
            beyond_full_scale=beyond_full_scale,
            remove_dc=remove_dc,
            store=store,
            n_jobs=n_jobs,
            verbose=verbose,
        )
        self.n_mfcc = n_mfcc

    def _validate_params(self) -> None:
        super()._validate_params()
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"MFCC: n_mfcc={self.n_mfcc} is more than the number of mel bands, n_mels="
                f"{self.n_mels}. Increase n_mels or decrease n_mfcc."
            )

    def _static_names(self) -> list[str]:
        return [f"mfcc_{order:02d}" for order in range(self.n_mfcc)]

    def _static(self, signal: np.ndarray) -> np.ndarray:
        decibels = self._decibels(signal)
        return scipy.fft.dct(decibels, type=2, axis=1, norm="ortho", workers=1)[:, : self.n_mfcc]


def check_frame_parameters(step: Any, window: int, hop: int, n_fft: int | None = None) -> None:
    """Check the lengths of window, hop and Fourier transform in samples, and fmin and fmax."""
    name = type(step).__name__
    if min(window, hop) < 1:
        raise ValueError(
            f"{name} needs a window and a hop of one sample or more at {SAMPLING_RATE} Hz, got "
            f"window_length={step.window_length} s and hop_length={step.hop_length} s."
        )
    if max(window, n_fft or 0) > MAX_FFT_SAMPLES:
        transform = "" if n_fft is None else f" or a Fourier transform of n_fft={n_fft} samples"
        raise ValueError(
            f"{name}: a window_length of {step.window_length} s{transform} is longer than the "
            f"maximum of {MAX_FFT_SAMPLES} samples."
        )
    if step.fmin >= step.fmax:
        raise ValueError(f"{name}: fmin={step.fmin} Hz is not below fmax={step.fmax} Hz.")


def hz_to_mel(hz: ArrayLike) -> np.ndarray:
    """Convert frequencies in Hz to Slaney's mel scale."""
    hz = np.asarray(hz, dtype=np.float64)
    above = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _HZ_PER_MEL, above)


def mel_to_hz(mel: ArrayLike) -> np.ndarray:
    """Convert Slaney's mel scale to frequencies in Hz."""
    mel = np.asarray(mel, dtype=np.float64)
    above = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, above)


def mel_filterbank(
    sampling_rate: int, n_fft: int, n_mels: int, fmin: float = 0.0, fmax: float | None = None
) -> np.ndarray:
    """Return triangular filters (n_mels, n_fft // 2 + 1) of equal area, even on the mel scale."""
    fmax = sampling_rate / 2.0 if fmax is None else fmax
    bins = np.fft.rfftfreq(n_fft, 1.0 / sampling_rate)
    edges = mel_to_hz(np.linspace(hz_to_mel(fmin), hz_to_mel(fmax), n_mels + 2))
    widths = np.diff(edges)
    distance = edges[:, np.newaxis] - bins[np.newaxis, :]
    rising = -distance[:-2] / widths[:-1, np.newaxis]
    falling = distance[2:] / widths[1:, np.newaxis]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, np.newaxis]).astype(np.float32)


@lru_cache(maxsize=8)
def _sparse_filters(n_fft, n_mels, fmin, fmax):
    return scipy.sparse.csr_array(mel_filterbank(SAMPLING_RATE, n_fft, n_mels, fmin, fmax).T)


def padded_frames(signal: np.ndarray, frame_samples: int, hop_samples: int) -> np.ndarray:
    """Return a read-only view of frames around every `hop_samples`-th sample, padded with zeros."""
    before = frame_samples // 2
    padded = np.pad(signal, (before, frame_samples - before))
    return np.lib.stride_tricks.sliding_window_view(padded, frame_samples)[::hop_samples]


def append_deltas(frames: np.ndarray, n_deltas: int) -> np.ndarray:
    """Append the slopes of all columns over time, then the slopes of these, and so on."""
    orders = [frames]
    for _ in range(n_deltas):
        orders.append(_slopes(orders[-1]))
    return np.concatenate(orders, axis=1)


def standardize_columns(frames: np.ndarray) -> np.ndarray:
    """Give each column mean 0 and standard deviation 1, or zeros if it is constant."""
    centered = frames - frames.mean(axis=0, dtype=np.float64)
    spread = np.sqrt(np.mean(centered**2, axis=0))
    # Rounding errors of a constant column are not spread.
    constant = spread <= 1e-6 * np.abs(frames).max(axis=0)
    centered[:, constant] = 0.0
    return centered / np.where(constant, 1.0, spread)


def _slopes(frames):
    """Return the slope of the regression line through each frame and its neighbors."""
    n_frames = len(frames)
    padded = np.pad(frames, ((DELTA_REACH, DELTA_REACH), (0, 0)), mode="edge")
    total = np.zeros_like(frames)
    for step in range(1, DELTA_REACH + 1):
        later = padded[DELTA_REACH + step :][:n_frames]
        earlier = padded[DELTA_REACH - step :][:n_frames]
        total += step * (later - earlier)
    return total / (2 * sum(step**2 for step in range(1, DELTA_REACH + 1)))


@lru_cache(maxsize=8)
def _hann(window, n_fft):
    """Return a Hann window in the middle of `n_fft` samples."""
    before = (n_fft - window) // 2
    taper = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)
    return np.pad(taper, (before, n_fft - window - before)).astype(np.float32)
