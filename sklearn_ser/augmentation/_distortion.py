"""Augmenters of the level and the transmission: gain, clipping, telephone band, codecs."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import KW_ONLY
from numbers import Real

import numpy as np
import soundfile
import soxr
from scipy.fft import irfft, next_fast_len, rfft
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ser.augmentation._base import AudioAugmenter, Range, augmenter, draw


@augmenter
class Gain(AudioAugmenter):
    """Make each utterance louder or softer.

    A gain that would exceed full scale is reduced as far as needed (see :class:`Clip` for
    distortion).

    Parameters
    ----------
    gain_db : float or (float, float), default=(-12.0, 6.0)
        Gain in dB. From a range, a value is drawn for each utterance.
    %(common_parameters)s

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import Gain
    >>> softer = Gain(-6.0).augment([np.full(8, 0.5)])
    >>> print(read_audio(softer["file"][0]).round(3)[:3])
    [0.251 0.251 0.251]
    """

    gain_db: float | tuple[float, float] = (-12.0, 6.0)

    _parameter_constraints = {
        "gain_db": [Range(Real, -100, 100, closed="both")],
        **AudioAugmenter._parameter_constraints,
    }

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return signal * np.float32(10.0 ** (draw(self.gain_db, rng) / 20.0))


@augmenter
class Clip(AudioAugmenter):
    """Clip the peaks, like an overdriven microphone or converter.

    Samples within the threshold are unchanged (put :class:`Gain` behind it for another level).

    Parameters
    ----------
    overdrive : float or (float, float), default=(3.0, 15.0)
        Distance in dB of the threshold from the peak of the utterance. From a range, a value is
        drawn for each utterance.
    share : float or (float, float), default=None
        Share of the samples that are clipped, instead of `overdrive`.
    %(common_parameters)s

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import Clip
    >>> print(read_audio(Clip(20.0).augment([np.array([0.01, -0.8, 0.4])])["file"][0]).round(3))
    [ 0.01 -0.08  0.08]
    """

    overdrive: float | tuple[float, float] = (3.0, 15.0)
    _: KW_ONLY
    share: float | tuple[float, float] | None = None

    _parameter_constraints = {
        "overdrive": [Range(Real, 0, 100, closed="both")],
        "share": [Range(Real, 0, 1, closed="left"), None],
        **AudioAugmenter._parameter_constraints,
    }

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if self.share is None:
            peak = max(-float(signal.min()), float(signal.max()))
            threshold = np.float32(peak * 10.0 ** (-draw(self.overdrive, rng) / 20.0))
        else:
            size = np.abs(signal)
            n_clipped = min(round(draw(self.share, rng) * len(size)), len(size) - 1)
            threshold = np.partition(size, -1 - n_clipped)[-1 - n_clipped]
            if not threshold:  # more samples are zero than are not to be clipped
                return signal
        return np.clip(signal, -threshold, threshold)


#: Widths in Hz over which the gain falls from 1 to 0, below and above the band.
_BELOW, _ABOVE = 100.0, 400.0
#: Seconds of silence between the end and the beginning, which are adjacent for the transform.
_GUARD = 0.05


@augmenter
class TelephoneBand(AudioAugmenter):
    """Restrict the audio to the band of a telephone line: 300 to 3400 Hz.

    The gain is 1 within the band, falls (as half a cosine) to 0 over the 100 Hz below and the
    400 Hz above it, and is 0 beyond; there is no delay. The level falls accordingly. For the 8 kHz
    of a telephone line set ``sampling_rate=8000``, for its coding use :class:`Codec`.

    Parameters
    ----------
    low : float or (float, float), default=300.0
        Lower end of the band in Hz. From a range, a value is drawn for each utterance.
    high : float or (float, float), default=3400.0
        Upper end of the band in Hz; above half the sampling rate nothing is removed there.
    %(common_parameters)s

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import TelephoneBand
    >>> time = np.arange(16000) / 16000
    >>> chord = sum(0.1 * np.sin(2 * np.pi * f * time) for f in (100, 1000, 5000))
    >>> heard = read_audio(TelephoneBand().augment([chord])["file"][0])
    >>> print(np.abs(np.fft.rfft(heard))[[100, 1000, 5000]].round() / 800)
    [0. 1. 0.]
    """

    low: float | tuple[float, float] = 300.0
    high: float | tuple[float, float] = 3400.0

    _parameter_constraints = {
        "low": [Range(Real, 0, None, closed="left")],
        "high": [Range(Real, 0, None, closed="left")],
        **AudioAugmenter._parameter_constraints,
    }

    def _validate_params(self):
        super()._validate_params()
        if np.max(self.low) >= np.min(self.high):
            raise InvalidParameterError(
                f"The 'low' parameter of TelephoneBand must lie below 'high'. Got low={self.low!r} "
                f"and high={self.high!r} instead."
            )

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        low, high = draw(self.low, rng), draw(self.high, rng)
        rate = self.sampling_rate
        size = next_fast_len(len(signal) + round(_GUARD * rate), real=True)
        spectrum = rfft(signal, size)
        spectrum *= _gains(len(spectrum), rate / size, low, high)
        return irfft(spectrum, size)[: len(signal)]


def _gains(n_bins, step, low, high):
    frequencies = np.arange(n_bins, dtype=np.float32) * np.float32(step)
    gains = np.zeros(n_bins, dtype=np.float32)
    first, last = np.searchsorted(frequencies, (low, high))
    gains[first:last] = 1
    for edge, width in ((low, -_BELOW), (high, _ABOVE)):
        ends = sorted((edge, edge + width))
        start, stop = np.searchsorted(frequencies, ends)
        distance = (frequencies[start:stop] - edge) / width
        gains[start:stop] = 0.5 + 0.5 * np.cos(np.pi * distance)
    return gains


#: Format, subtype, options and supported sampling rates in libsndfile of each codec.
_CODECS = {
    "mp3": (
        "MP3",
        "MPEG_LAYER_III",
        # The only one of its three modes in which every file states the delay of the coder.
        {"bitrate_mode": "AVERAGE"},
        (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
    ),
    "vorbis": ("OGG", "VORBIS", {}, None),
    "opus": ("OGG", "OPUS", {}, (8000, 12000, 16000, 24000, 48000)),
    "mulaw": ("RAW", "ULAW", None, (8000,)),
    "alaw": ("RAW", "ALAW", None, (8000,)),
}


@augmenter
class Codec(AudioAugmenter):
    """Code and decode audio: MP3, Ogg Vorbis, Ogg Opus, or G.711 of telephones.

    The coding is done in memory, by libsndfile. Its delay is removed, and the length stays the
    same. For a codec that does not support the sampling rate, audio is resampled (with soxr) to the
    next higher supported one and back; G.711 supports 8 kHz only, so that its result ends at 4 kHz.

    For 3 s of speech, mp3 and opus take some 20 to 60 ms, vorbis 10 and G.711 1: use a feature
    store if the same copies are extracted more than once. :class:`AudiomentationsAugmenter` with
    ``Mp3Compression`` of audiomentations (and the package fast-mp3-augment) is three times as fast.

    Parameters
    ----------
    codec : str or sequence of str, default=("mp3", "vorbis", "opus", "mulaw", "alaw")
        Codecs, of which one is drawn for each utterance.
    compression : float or (float, float), default=(0.7, 0.95)
        Compression level of libsndfile for the first three codecs, from 0 (best quality) to 0.99
        (smallest size). At 16 kHz, 0.5, 0.7, 0.9 and 0.99 correspond to about 82, 52, 25 and 11
        kbit/s of mp3, 137, 87, 34 and 12 of opus, and 54, 45, 37 and 34 of vorbis. G.711 always
        has 64.
    %(common_parameters)s

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import Codec
    >>> tone = (0.1 * np.sin(np.arange(16000) / 5)).astype("float32")
    >>> coded = read_audio(Codec("mulaw").augment([tone])["file"][0])
    >>> len(coded), bool(np.abs(coded - tone)[500:-500].max() < 0.01)
    (16000, True)
    """

    codec: str | Sequence[str] = ("mp3", "vorbis", "opus", "mulaw", "alaw")
    _: KW_ONLY
    compression: float | tuple[float, float] = (0.7, 0.95)

    _parameter_constraints = {
        "codec": [str, tuple, list],
        "compression": [Range(Real, 0, 0.99, closed="both")],
        **AudioAugmenter._parameter_constraints,
    }

    def _validate_params(self):
        super()._validate_params()
        codecs = self._codecs()
        if not codecs or not all(isinstance(name, str) and name in _CODECS for name in codecs):
            raise InvalidParameterError(
                f"The 'codec' parameter of Codec must be one or several of {list(_CODECS)}. Got "
                f"{self.codec!r} instead."
            )

    def _codecs(self):
        return [self.codec] if isinstance(self.codec, str) else list(self.codec)

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        codecs = self._codecs()
        codec = codecs[rng.integers(len(codecs))]
        compression = draw(self.compression, rng)
        rate = self.sampling_rate
        coded_at = _rate_for(codec, rate)
        coded = signal if coded_at == rate else soxr.resample(signal, rate, coded_at)
        coded = _coded(coded, codec, coded_at, compression)
        coded = coded if coded_at == rate else soxr.resample(coded, coded_at, rate)
        return np.pad(coded[: len(signal)], (0, max(0, len(signal) - len(coded))))


def _rate_for(codec, rate):
    """Return the rate in Hz at which a codec codes audio of `rate`."""
    rates = _CODECS[codec][-1]
    if rates is None:
        return round(rate)
    return next((known for known in rates if known >= rate), rates[-1])


def _coded(signal, codec, rate, compression):
    """Code and decode a signal; the length stays the same."""
    kind, subtype, options, _ = _CODECS[codec]
    kinds = {"format": kind, "subtype": subtype}
    # Overshoots of the resampling would be clipped in a converter as well.
    signal = np.clip(signal, -1, 1)
    file = io.BytesIO()
    if options is None:  # without a header, and without a choice of the compression
        soundfile.write(file, signal, rate, **kinds)
        header = {**kinds, "samplerate": rate, "channels": 1}
    else:
        soundfile.write(file, signal, rate, **kinds, compression_level=compression, **options)
        header = {}
    file.seek(0)
    return soundfile.read(file, dtype="float32", **header)[0][: len(signal)]
