"""Augmenters of the acoustic environment: noise and reverberation."""

from __future__ import annotations

from dataclasses import KW_ONLY
from numbers import Real

import numpy as np
from scipy.signal import fftconvolve

from sklearn_ser.augmentation._base import AudioAugmenter, Range, augmenter, draw
from sklearn_ser.augmentation._recordings import COLORS, Pool, PoolAugmenter, colored_noise
from sklearn_ser.utils._types import AudioSource

#: Seconds between the direct sound and the first of a synthetic room's reflections.
_FIRST_REFLECTION = 0.0025
#: The direct sound is the first peak of at least this share of the largest one ...
_DIRECT = 0.5
#: ... and anything more than so many seconds before it is noise.
_BEFORE_DIRECT = 0.001


@augmenter
class AddNoise(PoolAugmenter):
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

    snr: float | tuple[float, float] = (5.0, 20.0)
    noises: AudioSource = ("white", "pink", "brown")

    _pool_parameter, _keywords = "noises", COLORS
    _parameter_constraints = {
        "snr": [Range(Real, -100, 100, closed="both")],
        "noises": "no_validation",
        **AudioAugmenter._parameter_constraints,
    }

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        ratio = 10.0 ** (-draw(self.snr, rng) / 20.0)
        kind = Pool(self).draw(rng)
        if isinstance(kind, str):
            noise = colored_noise(kind, len(signal), self.sampling_rate, rng)
        else:
            noise = kind.part(len(signal), self.sampling_rate, rng)
        level = np.std(noise, dtype=np.float64)
        if not level:  # a single sample
            return signal
        gain = ratio * np.std(signal, dtype=np.float64) / level
        return signal + np.float32(gain) * (noise - noise.mean())


@augmenter
class AddReverb(PoolAugmenter):
    """Add the reverberation of a room, by convolution with an impulse response.

    The direct sound is not delayed (the delay from source to microphone is removed), and the level
    stays the same (RMS over the duration of the utterance). The direct sound of an impulse response
    is the first peak of at least half the largest value.

    Parameters
    ----------
    impulse_responses : str, path, array, (array, rate), or list of these, default="synthetic"
        Impulse responses. "synthetic" generates one for each utterance: the direct sound, followed
        after 2.5 ms by exponentially decaying Gaussian noise (Polack's model, [1]_) of
        reverberation time `rt60` and direct-to-reverberant ratio `drr`. Otherwise files, folders of
        files, or samples, as in :class:`AddNoise`; of several channels the first is used (a mean
        would be a comb filter).
    rt60 : float or (float, float), default=(0.2, 0.8)
        Reverberation time of a synthetic room: seconds in which it decays by 60 dB.
    drr : float or (float, float), default=(0.0, 12.0)
        Direct-to-reverberant energy ratio of a synthetic room, in dB.
    tail : bool, default=False
        Whether to retain the reverberation after the end of the utterance, which extends the audio
        by the length of the impulse response.
    %(common_parameters)s

    Raises
    ------
    AudioError
        As in :class:`AddNoise`.

    References
    ----------
    .. [1] J.-D. Polack, "La transmission de l'énergie sonore dans les salles", thesis, Université
       du Maine, 1988.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import AddReverb
    >>> click = np.zeros(8000, "float32")
    >>> click[800] = 0.5
    >>> room = read_audio(AddReverb(rt60=0.3, drr=0.0, random_state=0).augment([click])["file"][0])
    >>> len(room), int(np.abs(room).argmax())
    (8000, 800)
    """

    impulse_responses: AudioSource = "synthetic"
    _: KW_ONLY
    rt60: float | tuple[float, float] = (0.2, 0.8)
    drr: float | tuple[float, float] = (0.0, 12.0)
    tail: bool = False

    _pool_parameter, _keywords = "impulse_responses", ("synthetic",)
    _first_channel = True
    _parameter_constraints = {
        "impulse_responses": "no_validation",
        "rt60": [Range(Real, 0.01, 20, closed="both")],
        "drr": [Range(Real, -60, 60, closed="both")],
        "tail": ["boolean"],
        **AudioAugmenter._parameter_constraints,
    }

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        kind = Pool(self).draw(rng)
        if isinstance(kind, str):
            room = synthetic_room(
                draw(self.rt60, rng), draw(self.drr, rng), self.sampling_rate, rng
            )
            direct = 0
        else:
            room = kind.read(self.sampling_rate, first_channel=True).wave
            direct = direct_sound(room, self.sampling_rate)
            first = max(0, direct - round(_BEFORE_DIRECT * self.sampling_rate))
            room, direct = room[first:], direct - first
        n = len(signal)
        # Without the tail, the end of the impulse response has no effect.
        wet = fftconvolve(signal, room if self.tail else room[: n + direct])
        wet = wet[direct:] if self.tail else wet[direct : direct + n]
        # np.dot would depend on the number of BLAS threads in its last digits.
        energy = np.square(wet[:n]).sum()
        if not energy:
            return signal
        wet *= np.sqrt(np.square(signal).sum() / energy)
        return wet


def synthetic_room(rt60: float, drr: float, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Return an impulse response: the direct sound, then decaying noise for `rt60` seconds."""
    room = np.zeros(max(2, round(rt60 * rate)), dtype=np.float32)
    first = min(max(1, round(_FIRST_REFLECTION * rate)), len(room) - 1)
    decay = np.exp(np.arange(len(room) - first) * (-np.log(1000.0) / (rt60 * rate)))
    tail = rng.standard_normal(len(room) - first, dtype=np.float32) * decay
    room[first:] = tail * (10.0 ** (-drr / 20.0) / np.sqrt(np.sum(np.square(tail))))
    room[0] = 1
    return room


def direct_sound(room: np.ndarray, rate: float) -> int:
    """Return the index of the sample of an impulse response at which the direct sound arrives."""
    size = np.abs(room)
    onset = int(np.argmax(size >= _DIRECT * size.max()))
    return onset + int(np.argmax(size[onset : onset + round(0.001 * rate) + 1]))
