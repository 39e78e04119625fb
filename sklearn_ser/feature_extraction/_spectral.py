"""Log-mel spectrograms and cepstra as sequences of frames."""

import importlib.metadata
from functools import lru_cache
from numbers import Integral, Real

import numpy as np
import scipy.fft
import scipy.sparse
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.feature_extraction._base import AudioExtractor
from sklearn_ser.feature_extraction._mel import mel_filterbank
from sklearn_ser.utils._frames import HOP_ATTR
from sklearn_ser.utils._public import public_module

SAMPLING_RATE = 16000
#: Of a Fourier transform, 4 s: nothing is built for what is far from sound.
MOST_SAMPLES = 65536
DELTAS = ("", "_delta", "_delta2")


class _SpectralExtractor(AudioExtractor):
    """What the log-mel spectrogram and the cepstra have in common."""

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

    def _validate_params(self):
        super()._validate_params()
        window, hop, n_fft = self._samples()
        name = type(self).__name__
        if min(window, hop) < 1:
            raise ValueError(
                f"{name} needs a window and a hop of one sample or more at {SAMPLING_RATE} Hz, got "
                f"window_length={self.window_length} s and hop_length={self.hop_length} s."
            )
        if n_fft > MOST_SAMPLES:
            raise ValueError(
                f"{name}: a Fourier transform of n_fft={n_fft} samples (window_length="
                f"{self.window_length} s) is more than the {MOST_SAMPLES} it may have."
            )
        if n_fft < window:
            raise ValueError(
                f"{name}: a window_length of {self.window_length} s has {window} samples, which "
                f"n_fft={n_fft} cannot hold. Raise n_fft, or leave it None."
            )
        if self.fmin >= self.fmax:
            raise ValueError(f"{name}: fmin={self.fmin} Hz is not below fmax={self.fmax} Hz.")
        n_bins = n_fft // 2 + 1
        if self.n_mels > n_bins:
            raise ValueError(
                f"{name}: n_mels={self.n_mels} is more than the {n_bins} bins of a Fourier "
                f"transform of n_fft={n_fft} samples. Take fewer bands or a larger n_fft."
            )
        n_empty = self.n_mels - np.count_nonzero(self._filters().sum(axis=0))
        if n_empty:
            raise ValueError(
                f"{name}: {n_empty} of the {self.n_mels} mel bands from {self.fmin} to "
                f"{self.fmax} Hz fall between the bins of a Fourier transform of n_fft={n_fft} "
                f"samples, so they would always be empty. Take fewer bands or a larger n_fft."
            )

    def _samples(self):
        """Window, hop and Fourier transform in samples."""
        window = round(self.window_length * SAMPLING_RATE)
        hop = round(self.hop_length * SAMPLING_RATE)
        power_of_two = 1 << max(1, (window - 1).bit_length())
        return window, hop, power_of_two if self.n_fft is None else self.n_fft

    def _frame_marks(self):
        return {HOP_ATTR: self._samples()[1] / SAMPLING_RATE}

    def _filters(self):
        n_fft = self._samples()[2]
        return sparse_filters(SAMPLING_RATE, n_fft, self.n_mels, self.fmin, self.fmax)

    def _decibels(self, signal):
        window, hop, n_fft = self._samples()
        decibels = mel_decibels(
            signal,
            sampling_rate=SAMPLING_RATE,
            window=window,
            hop=hop,
            n_fft=n_fft,
            n_mels=self.n_mels,
            fmin=self.fmin,
            fmax=self.fmax,
            floor_db=self.floor_db,
        )
        if self.top_db is not None:
            np.maximum(decibels, decibels.max() - np.float32(self.top_db), out=decibels)
        return decibels

    def _completed(self, frames):
        frames = with_deltas(frames, self.deltas)
        return standardized(frames) if self.normalize == "utterance" else frames

    def _with_delta_names(self, names):
        return [name + suffix for suffix in DELTAS[: 1 + self.deltas] for name in names]

    def _versions(self):
        return {name: importlib.metadata.version(name) for name in ("numpy", "scipy")}


@public_module("sklearn_ser.feature_extraction")
class LogMelSpectrogram(_SpectralExtractor):
    """Mel power spectrogram in decibels: a picture of sound for a network.

    Each utterance, as mono audio at 16 kHz, gives a sequence of frames: the power in mel bands
    (Slaney's scale, filters of equal area) of a Hann window around every `hop_length` seconds, as
    10 log10, where 0 dB is a power of 1. The first window is centerd on the first sample; beyond
    the ends of the utterance there are zeros. The numbers are those of
    ``librosa.power_to_db(librosa.feature.melspectrogram(...), ref=1.0)``.

    Parameters
    ----------
    window_length : float, default=0.025
        Seconds that one frame looks at.
    hop_length : float, default=0.010
        Seconds from one frame to the next.
    n_fft : int, default=None
        Samples of a Fourier transform, the window being filled up with zeros on both sides. None:
        the next power of two, 512 for 25 ms. At most 65,536.
    n_mels : int, default=80
        Number of mel bands, at most n_fft // 2 + 1.
    fmin, fmax : float, default=0.0 and 8000.0
        Where the lowest band begins and the highest ends, in Hz.
    floor_db : float, default=-100.0
        Lowest level in dB: less power counts as this much, so that no logarithm is infinite.
    top_db : float or None, default=80.0
        Range in dB below the loudest band of the utterance: what is lower counts as that low, so
        that the noise floor of a recording does not show. None leaves it.
    deltas : {0, 1, 2}, default=0
        1 appends the slope of each band over time (the regression line through five frames, per
        frame), 2 also the slope of the slope.
    normalize : {"utterance"} or None, default=None
        "utterance" gives every column mean 0 and standard deviation 1 within the utterance (0
        where it is constant): this removes the level and the color of microphone and room, and
        much of the speaker. To scale by the training set use :class:`FrameScaler`.
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
        Utterances at a time; threads, unless `joblib.parallel_config` names another backend. It
        changes no number.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    failures_ : list of dict
        The utterances that the last `transform` could not use: `row`, `file`, `reason`.

    See Also
    --------
    MFCC : Fewer numbers a frame, less correlated.
    FunctionalsPooling : One row of statistics from each sequence.
    FrameScaler : Scales sequences by the training set.

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

    def __init__(
        self,
        window_length=0.025,
        hop_length=0.010,
        n_fft=None,
        n_mels=80,
        fmin=0.0,
        fmax=8000.0,
        floor_db=-100.0,
        top_db=80.0,
        deltas=0,
        normalize=None,
        *,
        audio="file",
        on_error="raise",
        beyond_full_scale="raise",
        remove_dc=False,
        store=None,
        n_jobs=None,
        verbose=0,
    ):
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
        self.audio = audio
        self.on_error = on_error
        self.beyond_full_scale = beyond_full_scale
        self.remove_dc = remove_dc
        self.store = store
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _feature_names(self):
        return self._with_delta_names([f"mel_{band:02d}" for band in range(self.n_mels)])

    def _extract(self, signal):
        return self._completed(self._decibels(signal))


@public_module("sklearn_ser.feature_extraction")
class MFCC(_SpectralExtractor):
    """Mel-frequency cepstral coefficients: the envelope of the spectrum in few numbers.

    The orthonormal discrete cosine transform (type II) over the bands of each frame of a
    :class:`LogMelSpectrogram`. Coefficient 0 is the mean level times the square root of `n_mels`.
    The numbers are those of ``librosa.feature.mfcc``.

    Parameters
    ----------
    n_mfcc : int, default=20
        Number of coefficients, at most `n_mels`, the first being 0.
    window_length : float, default=0.025
        Seconds that one frame looks at.
    hop_length : float, default=0.010
        Seconds from one frame to the next.
    n_fft : int, default=None
        Samples of a Fourier transform. None: the next power of two.
    n_mels : int, default=40
        Number of mel bands behind the coefficients.
    fmin, fmax : float, default=0.0 and 8000.0
        Where the lowest band begins and the highest ends, in Hz.
    floor_db : float, default=-100.0
        Lowest level of a band in dB.
    top_db : float or None, default=80.0
        Range of the bands in dB below the loudest of the utterance; None leaves it.
    deltas : {0, 1, 2}, default=2
        1 appends the slope of each coefficient over time (the regression line through five
        frames, per frame), 2 also the slope of the slope.
    normalize : {"utterance"} or None, default=None
        "utterance" gives every column mean 0 and standard deviation 1 within the utterance (0
        where it is constant), known as cepstral mean and variance normalization.
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
        Utterances at a time; threads, unless `joblib.parallel_config` names another backend. It
        changes no number.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    failures_ : list of dict
        The utterances that the last `transform` could not use: `row`, `file`, `reason`.

    See Also
    --------
    LogMelSpectrogram : The bands themselves; what a convolutional network takes.
    FunctionalsPooling : One row of statistics from each sequence.

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
        n_mfcc=20,
        window_length=0.025,
        hop_length=0.010,
        n_fft=None,
        n_mels=40,
        fmin=0.0,
        fmax=8000.0,
        floor_db=-100.0,
        top_db=80.0,
        deltas=2,
        normalize=None,
        *,
        audio="file",
        on_error="raise",
        beyond_full_scale="raise",
        remove_dc=False,
        store=None,
        n_jobs=None,
        verbose=0,
    ):
        self.n_mfcc = n_mfcc
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
        self.audio = audio
        self.on_error = on_error
        self.beyond_full_scale = beyond_full_scale
        self.remove_dc = remove_dc
        self.store = store
        self.n_jobs = n_jobs
        self.verbose = verbose

    def _validate_params(self):
        super()._validate_params()
        if self.n_mfcc > self.n_mels:
            raise ValueError(
                f"MFCC: {self.n_mels} mel bands have {self.n_mels} coefficients, n_mfcc="
                f"{self.n_mfcc} is more. Raise n_mels or lower n_mfcc."
            )

    def _feature_names(self):
        return self._with_delta_names([f"mfcc_{order:02d}" for order in range(self.n_mfcc)])

    def _extract(self, signal):
        return self._completed(cepstrum(self._decibels(signal), self.n_mfcc))


#: Frames transformed at a time: bounds the memory that a long recording takes.
BLOCK = 4096
#: Frames on each side that a delta looks at.
DELTA_REACH = 2


def padded_frames(signal, frame_samples, hop_samples):
    """Overlapping frames centerd on every `hop_samples`-th sample, zeros beyond the ends.

    Parameters
    ----------
    signal : ndarray of shape (n_samples,)
    frame_samples, hop_samples : int

    Returns
    -------
    ndarray of shape (1 + n_samples // hop_samples, frame_samples)
        A read-only view of one padded copy of the signal.
    """
    before = frame_samples // 2
    padded = np.pad(signal, (before, frame_samples - before))
    return np.lib.stride_tricks.sliding_window_view(padded, frame_samples)[::hop_samples]


def mel_decibels(signal, *, sampling_rate, window, hop, n_fft, n_mels, fmin, fmax, floor_db):
    """Mel power spectrogram in dB.

    Parameters
    ----------
    signal : ndarray of float32 of shape (n_samples,)
    sampling_rate : int
        In Hz.
    window, hop, n_fft : int
        In samples; a Hann window, in the middle of the `n_fft` samples.
    n_mels : int
    fmin, fmax : float
        In Hz.
    floor_db : float
        Less power than this counts as this much.

    Returns
    -------
    ndarray of float32 of shape (1 + n_samples // hop, n_mels)
    """
    taper = _hann(window, n_fft)
    filters = sparse_filters(sampling_rate, n_fft, n_mels, fmin, fmax)
    frames = padded_frames(signal, n_fft, hop)
    mels = np.empty((len(frames), n_mels), dtype=np.float32)
    for start in range(0, len(frames), BLOCK):
        spectrum = scipy.fft.rfft(frames[start : start + BLOCK] * taper, axis=1, workers=1)
        mels[start : start + BLOCK] = (spectrum.real**2 + spectrum.imag**2) @ filters
    floor = np.float32(10.0 ** (floor_db / 10.0))
    return 10.0 * np.log10(np.maximum(mels, floor), dtype=np.float32)


def cepstrum(decibels, n_mfcc):
    """The first coefficients of the orthonormal DCT-II over the bands of each frame.

    Parameters
    ----------
    decibels : ndarray of float32 of shape (n_frames, n_mels)
    n_mfcc : int

    Returns
    -------
    ndarray of float32 of shape (n_frames, n_mfcc)
    """
    return scipy.fft.dct(decibels, type=2, axis=1, norm="ortho", workers=1)[:, :n_mfcc]


def with_deltas(frames, n_deltas):
    """Append the slopes over time of all columns, and the slopes of these, ...

    A slope is that of the regression line through a frame and its two neighbors on each side
    (the first and last frame repeated beyond the ends), per frame.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, n_features)
    n_deltas : int

    Returns
    -------
    ndarray of shape (n_frames, (1 + n_deltas) * n_features)
    """
    orders = [frames]
    for _ in range(n_deltas):
        orders.append(_slopes(orders[-1]))
    return np.concatenate(orders, axis=1)


def standardized(frames):
    """Each column with mean 0 and standard deviation 1; zeros where it is constant."""
    centerd = frames - frames.mean(axis=0, dtype=np.float64)
    spread = np.sqrt(np.mean(centerd**2, axis=0))
    # What rounding leaves of a constant column is no spread.
    constant = spread <= 1e-6 * np.abs(frames).max(axis=0)
    centerd[:, constant] = 0.0
    return centerd / np.where(constant, 1.0, spread)


def _slopes(frames):
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
    before = (n_fft - window) // 2
    taper = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)
    return np.pad(taper, (before, n_fft - window - before)).astype(np.float32)


@lru_cache(maxsize=8)
def sparse_filters(sampling_rate, n_fft, n_mels, fmin, fmax):
    """The filters of `mel_filterbank` as a sparse array of shape (n_fft // 2 + 1, n_mels)."""
    return scipy.sparse.csr_array(mel_filterbank(sampling_rate, n_fft, n_mels, fmin, fmax).T)
