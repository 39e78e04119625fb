"""Pitch, voicing and energy as sequences of frames."""

from __future__ import annotations

import importlib.metadata
import os
from functools import cache
from numbers import Real
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.feature_extraction._base import (
    AudioExtractor,
    BeyondFullScale,
    OnError,
    document_audio_parameters,
)
from sklearn_ser.feature_extraction._spectral import (
    SAMPLING_RATE,
    check_frame_parameters,
    padded_frames,
)
from sklearn_ser.utils._extras import import_extra
from sklearn_ser.utils._frames import HOP_ATTR
from sklearn_ser.utils._public import public_module

#: Range of the pitch tracker in Hz.
LOWEST_F0, HIGHEST_F0 = 46.875, 2093.75
#: Reference frequency of semitones, as in GeMAPS: every pitch of the tracker is above 0.
SEMITONE_ZERO = 27.5
#: Minimum level in dB, so that no logarithm is infinite.
FLOOR_DB = -100.0
#: Samples that the tracker gets at a time (5 minutes): bounds the memory of long recordings.
PART = 300 * SAMPLING_RATE


@public_module("sklearn_ser.feature_extraction")
@document_audio_parameters
class Prosody(AudioExtractor):
    """Pitch, voicing and energy of each frame.

    The fundamental frequency (F0) is estimated by SwiftF0, a small convolutional network of the
    package ``swift-f0`` (MIT license): ``pip install 'sklearn-ser[prosody]'``. It gives a
    frequency and its confidence every 16 ms. Here both are interpolated to every `hop_length`
    seconds, so that with equal `hop_length` the frames are those of :class:`LogMelSpectrogram`.

    A frame has four features:

    - ``f0``: fundamental frequency in `unit`; **0 if the frame is unvoiced**;
    - ``voicing``: 1 if the frame is voiced, else 0;
    - ``f0_confidence``: confidence of the network, from 0 to 1, in this frequency;
    - ``energy``: root-mean-square level of `window_length` seconds around the frame in dB re full
      scale, at least -100.

    Parameters
    ----------
    hop_length : float, default=0.010
        Seconds from one frame to the next; the first is at the first sample.
    window_length : float, default=0.025
        Length of the window of the energy in seconds. The utterance is padded with zeros.
    fmin, fmax : float, default=60.0 and 600.0
        Range of F0 in Hz, within 46.875 and 2093.75.
    voicing_threshold : float, default=0.5
        Minimum confidence of a voiced frame.
    unit : {"hz", "semitone"}, default="semitone"
        Unit of F0. "semitone" counts from 27.5 Hz, ``12 * log2(f0 / 27.5)``. This is how pitch is
        perceived, and it makes female and male ranges similar.
    %(audio_parameters)s

    Attributes
    ----------
    %(failures_attribute)s

    Raises
    ------
    MissingDependencyError
        In `transform`, if the package ``swift-f0`` is not installed.

    See Also
    --------
    FunctionalsPooling : Statistics of voiced frames, and of the onsets and ends of voicing.

    References
    ----------
    L. Nieradzik, "SwiftF0: Fast and Accurate Monophonic Pitch Detection", 2025,
    https://arxiv.org/abs/2508.18440

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.feature_extraction import Prosody
    >>> times = np.arange(16000) / 16000
    >>> tone = sum(np.sin(2 * np.pi * 200 * k * times) / k for k in range(1, 10)) / 5
    >>> frames = Prosody(unit="hz").fit_transform([tone]).loc[0, "frames"]
    >>> frames.shape
    (101, 4)
    >>> print(round(float(np.median(frames[:, 0]))))
    200
    """

    _frame_level = True
    _parameter_constraints = {
        "hop_length": [Interval(Real, 0, None, closed="neither")],
        "window_length": [Interval(Real, 0, None, closed="neither")],
        "fmin": [Interval(Real, LOWEST_F0, HIGHEST_F0, closed="both")],
        "fmax": [Interval(Real, LOWEST_F0, HIGHEST_F0, closed="both")],
        "voicing_threshold": [Interval(Real, 0, 1, closed="right")],
        "unit": [StrOptions({"hz", "semitone"})],
        **AudioExtractor._parameter_constraints,
    }

    def __init__(
        self,
        hop_length: float = 0.010,
        window_length: float = 0.025,
        fmin: float = 60.0,
        fmax: float = 600.0,
        voicing_threshold: float = 0.5,
        unit: Literal["hz", "semitone"] = "semitone",
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
        self.hop_length = hop_length
        self.window_length = window_length
        self.fmin = fmin
        self.fmax = fmax
        self.voicing_threshold = voicing_threshold
        self.unit = unit

    def _validate_params(self) -> None:
        super()._validate_params()
        check_frame_parameters(self, *self._samples())

    def _samples(self) -> tuple[int, int]:
        """Return the lengths of window and hop in samples."""
        return round(self.window_length * SAMPLING_RATE), round(self.hop_length * SAMPLING_RATE)

    def _frame_marks(self) -> dict[str, Any]:
        return {HOP_ATTR: self._samples()[1] / SAMPLING_RATE}

    def _feature_names(self) -> list[str]:
        return ["f0", "voicing", "f0_confidence", "energy"]

    def _extract(self, signal: np.ndarray) -> ArrayLike:
        window, hop = self._samples()
        times, f0, confidence = track_f0(signal, self.fmin, self.fmax)
        at = np.arange(1 + len(signal) // hop) * (hop / SAMPLING_RATE)
        f0, confidence = resample_track(at, times, f0, confidence, self.voicing_threshold)
        voiced = confidence >= self.voicing_threshold
        if self.unit == "semitone":
            f0 = 12.0 * np.log2(f0 / SEMITONE_ZERO)
        frames = padded_frames(signal, window, hop)
        power = np.einsum("tw,tw->t", frames, frames, dtype=np.float64) / window
        energy = 10.0 * np.log10(np.maximum(power, 10.0 ** (FLOOR_DB / 10.0)))
        return np.stack([np.where(voiced, f0, 0.0), voiced, confidence, energy], axis=1)

    def _versions(self) -> dict[str, Any]:
        import_extra("swift_f0", "prosody", "Prosody")
        return {name: importlib.metadata.version(name) for name in ("swift-f0", "onnxruntime")}


def track_f0(
    signal: np.ndarray, fmin: float, fmax: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return times in seconds, F0 in Hz (within the range) and confidence, every 16 ms."""
    detector = load_detector(import_extra("swift_f0", "prosody", "Prosody"))
    if len(signal) <= PART:
        parts = [detector.detect(signal, SAMPLING_RATE, fmin=fmin, fmax=fmax)]
    else:
        stream = detector.stream(fmin=fmin, fmax=fmax)
        starts = range(0, len(signal), PART)
        parts = [stream.push(signal[start : start + PART], SAMPLING_RATE) for start in starts]
        parts.append(stream.flush())
    f0 = np.concatenate([part.pitch_hz for part in parts]).astype(np.float64)
    confidence = np.concatenate([part.confidence for part in parts]).astype(np.float64)
    return np.concatenate([part.timestamps for part in parts]), f0, confidence


def resample_track(
    at: np.ndarray, times: np.ndarray, f0: np.ndarray, confidence: np.ndarray, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Interpolate F0 and confidence of a track at other times, beyond its ends by its ends."""
    # Between two voiced estimates the logarithm of F0 is interpolated, unless they are more than
    # half an octave apart. Otherwise the nearest estimate is taken, or, if that is unvoiced, the
    # one of the higher confidence.
    after = np.clip(np.searchsorted(times, at, side="right"), 1, len(times) - 1)
    before = after - 1
    nearest = np.where(times[after] - at < at - times[before], after, before)
    more_confident = np.where(confidence[after] > confidence[before], after, before)
    chosen = np.where(confidence[nearest] >= threshold, nearest, more_confident)
    log_f0 = np.log2(f0)
    voiced = np.minimum(confidence[before], confidence[after]) >= threshold
    smooth = voiced & (np.abs(log_f0[after] - log_f0[before]) < 0.5)
    between = 2.0 ** np.interp(at, times, log_f0)
    return np.where(smooth, between, f0[chosen]), np.interp(at, times, confidence)


@cache
def load_detector(swift_f0: Any) -> Any:
    """Return the network, loaded once per process."""
    return swift_f0.SwiftF0(threads=1, spin=False)
