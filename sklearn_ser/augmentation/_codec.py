"""Augmenter that codes and decodes audio."""

from __future__ import annotations

import io
from collections.abc import Sequence
from numbers import Real
from typing import Any

import numpy as np
import soundfile
import soxr
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ser.augmentation._base import AudioAugmenter, Range, document_audio_augmenter, draw
from sklearn_ser.utils._public import public_module

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


@public_module("sklearn_ser.augmentation")
@document_audio_augmenter
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

    _parameter_constraints: dict[str, Any] = {
        "codec": [str, tuple, list],
        "compression": [Range(Real, 0, 0.99, closed="both")],
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        codec: str | Sequence[str] = ("mp3", "vorbis", "opus", "mulaw", "alaw"),
        *,
        compression: float | tuple[float, float] = (0.7, 0.95),
        p: float = 1.0,
        audio: str = "file",
        sampling_rate: float = 16000,
        train_only: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(p, audio, sampling_rate, train_only, random_state)
        self.codec = codec
        self.compression = compression

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
