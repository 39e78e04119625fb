"""Codec: what is left of speech after coding and decoding."""

import io
from numbers import Real

import numpy as np
import soundfile
import soxr
from sklearn.utils._param_validation import Interval, InvalidParameterError

from sklearn_ser.augmentation._base import AudioAugmenter, check_range, draw
from sklearn_ser.utils._public import public_module

#: Codec to libsndfile's format and subtype, what more it is told, and the rates that it takes.
_CODECS = {
    "mp3": (
        "MP3",
        "MPEG_LAYER_III",
        # Of its three modes the one in which every file tells the decoder of the delay.
        {"bitrate_mode": "AVERAGE"},
        (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000),
    ),
    "vorbis": ("OGG", "VORBIS", {}, None),
    "opus": ("OGG", "OPUS", {}, (8000, 12000, 16000, 24000, 48000)),
    "mulaw": ("RAW", "ULAW", None, (8000,)),
    "alaw": ("RAW", "ALAW", None, (8000,)),
}


@public_module("sklearn_ser.augmentation")
class Codec(AudioAugmenter):
    """Code and decode: MP3, Ogg Vorbis, Ogg Opus, or a telephone's G.711.

    In memory, by libsndfile. The delay of the coding is taken out and the length stays. A codec
    that does not take the sampling rate gets the next higher one that it takes (resampled with
    soxr and back); G.711 gets 8 kHz, the only one it is made for, and so ends at 4 kHz.

    Of 3 s of speech, mp3 and opus take some 20 to 60 ms, vorbis 10 and G.711 1: a feature store
    pays where the same copies are extracted more than once. :class:`AudiomentationsAugmenter` of
    audiomentations' ``Mp3Compression`` (with the package fast-mp3-augment) is three times as fast.

    Parameters
    ----------
    codec : str or sequence of str, default=("mp3", "vorbis", "opus", "mulaw", "alaw")
        One of these is drawn for each utterance.
    compression : float or (float, float), default=(0.7, 0.95)
        libsndfile's level from 0 (best) to 0.99 (smallest) of the first three, which decides the
        bit rate. At 16 kHz, 0.5, 0.7, 0.9 and 0.99 stand for about 82, 52, 25 and 11 kbit/s of
        mp3 and 137, 87, 34 and 12 of opus; vorbis goes by quality, here about 54, 45, 37 and 34.
        G.711 always has 64.
    p : float, default=1.0
        Share of the utterances that are changed.
    audio : str, default="file"
        Column of X that holds the audio.
    sampling_rate : int or float, default=16000
        Rate in Hz that the audio is changed and handed on at.
    train_only : bool, default=True
        `transform` hands the audio on untouched; only `fit_transform` (so `fit` of a Pipeline) and
        `augment` change it.
    random_state : int, RandomState instance or None, default=None
        An int gives an utterance the same change wherever it stands.

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

    _parameter_constraints = {
        "codec": [str, tuple, list],
        "compression": [Real, tuple, list],
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        codec=("mp3", "vorbis", "opus", "mulaw", "alaw"),
        *,
        compression=(0.7, 0.95),
        p=1.0,
        audio="file",
        sampling_rate=16000,
        train_only=True,
        random_state=None,
    ):
        self.codec = codec
        self.compression = compression
        self.p = p
        self.audio = audio
        self.sampling_rate = sampling_rate
        self.train_only = train_only
        self.random_state = random_state

    def _validate_params(self):
        super()._validate_params()
        check_range(self, "compression", Interval(Real, 0, 0.99, closed="both"))
        codecs = self._codecs()
        if not codecs or not all(isinstance(name, str) and name in _CODECS for name in codecs):
            raise InvalidParameterError(
                f"The 'codec' parameter of Codec must be one or several of {list(_CODECS)}. Got "
                f"{self.codec!r} instead."
            )

    def _codecs(self):
        return [self.codec] if isinstance(self.codec, str) else list(self.codec)

    def _augment(self, signal, rng):
        codecs = self._codecs()
        codec = codecs[rng.integers(len(codecs))]
        compression = draw(self.compression, rng)
        rate = self.sampling_rate
        coded_at = _rate_for(codec, rate)
        made = signal if coded_at == rate else soxr.resample(signal, rate, coded_at)
        made = _coded(made, codec, coded_at, compression)
        made = made if coded_at == rate else soxr.resample(made, coded_at, rate)
        return np.pad(made[: len(signal)], (0, max(0, len(signal) - len(made))))


def _rate_for(codec, rate):
    """The rate in Hz at which a codec gets audio of `rate`."""
    rates = _CODECS[codec][-1]
    if rates is None:
        return round(rate)
    return next((known for known in rates if known >= rate), rates[-1])


def _coded(signal, codec, rate, compression):
    """A signal through a codec, as long as before."""
    kind, subtype, options, _ = _CODECS[codec]
    # What resampling let ring beyond full scale would be clipped in a converter as well.
    signal = np.clip(signal, -1, 1)
    file = io.BytesIO()
    if options is None:
        soundfile.write(file, signal, rate, format=kind, subtype=subtype)
        file.seek(0)
        return soundfile.read(
            file, dtype="float32", format=kind, subtype=subtype, samplerate=rate, channels=1
        )[0]
    soundfile.write(
        file,
        signal,
        rate,
        format=kind,
        subtype=subtype,
        compression_level=compression,
        **options,
    )
    file.seek(0)
    return soundfile.read(file, dtype="float32")[0][: len(signal)]
