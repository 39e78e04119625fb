"""Augmenter that adds noise at a signal-to-noise ratio."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np

from sklearn_ser.augmentation._base import AudioAugmenter, Range, document_audio_augmenter, draw
from sklearn_ser.augmentation._recordings import COLORS, Pool, colored_noise, entries_of
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.augmentation")
@document_audio_augmenter
class AddNoise(AudioAugmenter):
    """Add noise at a signal-to-noise ratio.

    The ratio is that of the RMS levels of the whole utterance and of the added noise, each about
    its mean. Pauses count, so that in an utterance with long pauses the speech itself has a higher
    ratio. If the sum exceeds full scale, both are scaled down.

    A noise recording that is longer than the utterance contributes a random part, if possible none
    that is 40 dB softer than the whole, such as the silence between the events of a file (none that
    is digital silence, if the recording exceeds 5 minutes). A shorter one is repeated, starting at
    a random position. The level of a recording does not matter.

    Parameters
    ----------
    snr : float or (float, float), default=(5.0, 20.0)
        Signal-to-noise ratio in dB. From a range, a value is drawn for each utterance.
    noises : str, path, array, (array, rate), or list of these, default=("white", "pink", "brown")
        Noises: a color ("white", "pink", "brown", "blue" or "violet", which is Gaussian noise whose
        power changes by 0, -3, -6, 3 or 6 dB per octave above 20 Hz), a file, a folder of files
        (and of folders), or samples. Each entry is drawn equally often, and within a folder each
        of its files. Files are read by :mod:`sklearn_ser.audio` and cached in memory (256 MB in
        all; files of more than 5 minutes are read in parts). Folders are listed when `augment` or
        `fit_transform` is called.
    %(common_parameters)s

    Raises
    ------
    AudioError
        From `augment`, if a file or folder does not exist or an array is digital silence; when
        the audio is read, if a noise file cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import AddNoise
    >>> tone = 0.1 * np.sin(np.arange(16000) / 5).astype("float32")
    >>> noisy = read_audio(AddNoise(10.0, "pink", random_state=0).augment([tone])["file"][0])
    >>> print(round(20 * np.log10(tone.std() / (noisy - tone).std()), 2))
    10.0
    >>> AddNoise(noises="no_such_folder").augment([tone])
    Traceback (most recent call last):
        ...
    sklearn_ser.exceptions.AudioError: file 'no_such_folder': there is no such file or folder ...
    """

    _parameter_constraints: dict[str, Any] = {
        "snr": [Range(Real, -100, 100, closed="both")],
        "noises": "no_validation",
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        snr: float | tuple[float, float] = (5.0, 20.0),
        noises: Any = ("white", "pink", "brown"),
        *,
        p: float = 1.0,
        audio: str = "file",
        sampling_rate: float = 16000,
        train_only: bool = True,
        random_state: int | np.random.RandomState | None = None,
    ):
        super().__init__(p, audio, sampling_rate, train_only, random_state)
        self.snr = snr
        self.noises = noises

    def _validate_params(self):
        super()._validate_params()
        entries_of(self, "noises", COLORS)

    def _frozen(self):
        frozen = super()._frozen()
        frozen._listed = Pool.of(self, "noises", COLORS)
        return frozen

    def _pool(self):
        return getattr(self, "_listed", None) or Pool.of(self, "noises", COLORS)

    def _contents(self):
        return {"noises": self._pool().content()}

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        ratio = 10.0 ** (-draw(self.snr, rng) / 20.0)
        kind = self._pool().draw(rng)
        if isinstance(kind, str):
            noise = colored_noise(kind, len(signal), self.sampling_rate, rng)
        else:
            noise = kind.part(len(signal), self.sampling_rate, rng)
        level = np.std(noise, dtype=np.float64)
        if not level:  # a single sample
            return signal
        gain = ratio * np.std(signal, dtype=np.float64) / level
        return signal + np.float32(gain) * (noise - noise.mean())
