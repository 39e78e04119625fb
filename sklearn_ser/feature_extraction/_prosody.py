"""Pitch, voicing and energy as sequences of frames."""

import importlib.metadata
import threading
from functools import cache
from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.feature_extraction._base import AudioExtractor
from sklearn_ser.feature_extraction._spectral import padded_frames
from sklearn_ser.utils._extras import import_extra
from sklearn_ser.utils._frames import HOP_ATTR
from sklearn_ser.utils._public import public_module

SAMPLING_RATE = 16000
#: What the tracker can find, in Hz.
LOWEST_F0, HIGHEST_F0 = 46.875, 2093.75
#: Semitones are counted from here, as in GeMAPS: every pitch that can be found is above 0.
SEMITONE_ZERO = 27.5
#: Of a window, 4 s: nothing is built for what is far from sound.
MOST_SAMPLES = 65536
#: Least level in dB, so that no logarithm is infinite.
FLOOR_DB = -100.0
#: Samples that the tracker gets at a time (5 minutes): bounds the memory of long recordings.
PART = 300 * SAMPLING_RATE
_loading = threading.Lock()


@public_module("sklearn_ser.feature_extraction")
class Prosody(AudioExtractor):
    """Pitch, voicing and energy of each frame.

    The fundamental frequency (F0) comes from SwiftF0, a small convolutional network that ships
    with the package ``swift-f0`` (MIT license): ``pip install 'sklearn-ser[prosody]'``. It gives a
    frequency and its confidence every 16 ms; here both are interpolated to every `hop_length`
    seconds, so that with equal `hop_length` the frames are those of :class:`LogMelSpectrogram`.

    A frame has four features:

    - ``f0``: fundamental frequency in `unit`; **0 where the frame is unvoiced**;
    - ``voicing``: 1 where the frame is voiced, else 0;
    - ``f0_confidence``: the network's confidence, 0 to 1, that it hears this frequency;
    - ``energy``: root-mean-square level of `window_length` seconds around the frame in dB re full
      scale, at least -100.

    Parameters
    ----------
    hop_length : float, default=0.010
        Seconds from one frame to the next; the first is at the first sample.
    window_length : float, default=0.025
        Seconds of the energy's window; beyond the ends of the utterance there are zeros.
    fmin, fmax : float, default=60.0 and 600.0
        Range of F0 in Hz, within 46.875 and 2093.75.
    voicing_threshold : float, default=0.5
        Confidence from which on a frame counts as voiced. Higher: fewer frames, surer ones.
    unit : {"hz", "semitone"}, default="semitone"
        "semitone" counts from 27.5 Hz, ``12 * log2(f0 / 27.5)``, which is how pitch is heard and
        makes female and male ranges alike.
    audio : str, default="file"
        Column of X that holds the audio. `start` and `end` (seconds) are read where present, id
        columns become index levels, every other column is ignored.
    on_error : {"raise", "warn", "ignore"}, default="raise"
        What to do with audio that cannot be used. "warn" and "ignore" give NaN in place of the
        sequence and a record in `failures_`.
    beyond_full_scale : {"raise", "clip"}, default="raise"
        What to do with samples outside [-1, 1]; "clip" cuts them off with a warning.
    remove_dc : bool, default=False
        Subtract the mean of each utterance first.
    store : str or Path, default=None
        Folder of a :class:`FeatureStore`: what is there is not computed again, what is new is
        added. It changes no number.
    n_jobs : int, default=None
        Utterances at a time; threads, unless `joblib.parallel_config` names another backend. Each
        uses one thread of onnxruntime, so that n_jobs changes no number.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    failures_ : list of dict
        The utterances that the last `transform` could not use: `row`, `file`, `reason`.

    Raises
    ------
    MissingDependencyError
        In `transform`, without the package ``swift-f0``.

    See Also
    --------
    FunctionalsPooling : Statistics of the voiced frames, and how voice comes and goes.

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
        hop_length=0.010,
        window_length=0.025,
        fmin=60.0,
        fmax=600.0,
        voicing_threshold=0.5,
        unit="semitone",
        *,
        audio="file",
        on_error="raise",
        beyond_full_scale="raise",
        remove_dc=False,
        store=None,
        n_jobs=None,
        verbose=0,
    ):
        self.hop_length = hop_length
        self.window_length = window_length
        self.fmin = fmin
        self.fmax = fmax
        self.voicing_threshold = voicing_threshold
        self.unit = unit
        self.audio = audio
        self.on_error = on_error
        self.beyond_full_scale = beyond_full_scale
        self.remove_dc = remove_dc
        self.store = store
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _validate_params(self):
        super()._validate_params()
        if min(self._samples()) < 1:
            raise ValueError(
                f"Prosody needs a window and a hop of one sample or more at {SAMPLING_RATE} Hz, "
                f"got window_length={self.window_length} s and hop_length={self.hop_length} s."
            )
        if self._samples()[0] > MOST_SAMPLES:
            raise ValueError(
                f"Prosody: a window_length of {self.window_length} s has more than the "
                f"{MOST_SAMPLES} samples it may have."
            )
        if self.fmin >= self.fmax:
            raise ValueError(f"Prosody: fmin={self.fmin} Hz is not below fmax={self.fmax} Hz.")

    def _samples(self):
        """Window and hop in samples."""
        return round(self.window_length * SAMPLING_RATE), round(self.hop_length * SAMPLING_RATE)

    def _frame_marks(self):
        return {HOP_ATTR: self._samples()[1] / SAMPLING_RATE}

    def _feature_names(self):
        return ["f0", "voicing", "f0_confidence", "energy"]

    def _extract(self, signal):
        window, hop = self._samples()
        times, f0, confidence = track_f0(signal, self.fmin, self.fmax)
        at = np.arange(1 + len(signal) // hop) * (hop / SAMPLING_RATE)
        f0, confidence = resample_track(at, times, f0, confidence, self.voicing_threshold)
        voiced = confidence >= self.voicing_threshold
        if self.unit == "semitone":
            f0 = 12.0 * np.log2(f0 / SEMITONE_ZERO)
        energy = level_in_decibels(signal, window, hop)
        return np.stack([np.where(voiced, f0, 0.0), voiced, confidence, energy], axis=1)

    def _versions(self):
        import_extra("swift_f0", "prosody", "Prosody")
        return {name: importlib.metadata.version(name) for name in ("swift-f0", "onnxruntime")}


def track_f0(signal, fmin, fmax):
    """SwiftF0's estimate every 16 ms.

    Parameters
    ----------
    signal : ndarray of float32 of shape (n_samples,)
        At 16 kHz.
    fmin, fmax : float
        In Hz.

    Returns
    -------
    times, f0, confidence : ndarray of float64 of shape (n_estimates,)
        In seconds, in Hz (always within the range), and 0 to 1.
    """
    detector = load_detector()
    if len(signal) <= PART:
        found = [detector.detect(signal, SAMPLING_RATE, fmin=fmin, fmax=fmax)]
    else:
        stream = detector.stream(fmin=fmin, fmax=fmax)
        parts = range(0, len(signal), PART)
        found = [stream.push(signal[start : start + PART], SAMPLING_RATE) for start in parts]
        found.append(stream.flush())
    f0 = np.concatenate([part.pitch_hz for part in found]).astype(np.float64)
    confidence = np.concatenate([part.confidence for part in found]).astype(np.float64)
    return np.concatenate([part.timestamps for part in found]), f0, confidence


def resample_track(at, times, f0, confidence, threshold):
    """A track of F0 at other times.

    Between two voiced estimates the logarithm of F0 is interpolated, unless they are more than
    half an octave apart; else the nearer one is taken, or the surer one where that is unvoiced.

    Parameters
    ----------
    at : ndarray of float of shape (n_frames,)
        The times asked for, in seconds; beyond the ends of the track its ends hold.
    times, f0, confidence : ndarray of float of shape (n_estimates,)
    threshold : float
        Confidence from which on an estimate is voiced.

    Returns
    -------
    f0, confidence : ndarray of float of shape (n_frames,)
    """
    after = np.clip(np.searchsorted(times, at, side="right"), 1, len(times) - 1)
    before = after - 1
    nearer = np.where(times[after] - at < at - times[before], after, before)
    surer = np.where(confidence[after] > confidence[before], after, before)
    chosen = np.where(confidence[nearer] >= threshold, nearer, surer)
    log_f0 = np.log2(f0)
    voiced = np.minimum(confidence[before], confidence[after]) >= threshold
    smooth = voiced & (np.abs(log_f0[after] - log_f0[before]) < 0.5)
    between = 2.0 ** np.interp(at, times, log_f0)
    return np.where(smooth, between, f0[chosen]), np.interp(at, times, confidence)


def level_in_decibels(signal, window, hop):
    """Root-mean-square level of each frame in dB re full scale, at least `FLOOR_DB`."""
    frames = padded_frames(signal, window, hop)
    power = np.einsum("tw,tw->t", frames, frames, dtype=np.float64) / window
    return 10.0 * np.log10(np.maximum(power, 10.0 ** (FLOOR_DB / 10.0)))


def load_detector():
    """The network, loaded once per process, safely from several threads."""
    swift_f0 = import_extra("swift_f0", "prosody", "Prosody")
    with _loading:
        return _load_detector(swift_f0)


@cache
def _load_detector(swift_f0):
    return swift_f0.SwiftF0(threads=1, spin=False)
