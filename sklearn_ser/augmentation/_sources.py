"""What a parameter offers to mix in, noises or impulse responses: files, folders, arrays."""

import os
from numbers import Number
from pathlib import Path

import numpy as np
from scipy.fft import irfft, next_fast_len
from sklearn.utils._param_validation import InvalidParameterError

from sklearn_ser.augmentation._recording import Recording, from_array
from sklearn_ser.exceptions import AudioError

#: How files of a folder end that are taken for audio.
_ENDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff")


class Pool:
    """What a parameter such as `noises` offers to draw from.

    Each entry is drawn equally often, and within a folder each of its files.

    Parameters
    ----------
    entries : list of list of (str or Recording)
        A str is a keyword such as the color of a noise.
    """

    def __init__(self, entries):
        self.entries = entries

    @classmethod
    def of(cls, step, name, keywords, first_channel=False):
        """The pool that a step's parameter describes; folders are listed now.

        Parameters
        ----------
        step : AudioAugmenter
        name : str
            Of the parameter.
        keywords : collection of str
            What else than a path a str may be.
        first_channel : bool
            As in :meth:`Recording.read`.

        Returns
        -------
        Pool
        """
        entries = entries_of(step, name, keywords)
        try:
            return cls(
                [_found(entry, step.sampling_rate, keywords, first_channel) for entry in entries]
            )
        except AudioError as error:
            place = f"parameter {name!r} of {type(step).__name__}"
            raise AudioError(f"{error.reason} ({place})", file=error.file) from error

    def draw(self, rng):
        """A keyword or Recording."""
        entry = self.entries[rng.integers(len(self.entries))]
        return entry[rng.integers(len(entry))]

    def content(self):
        """What a store knows the pool by."""
        return [
            [item if isinstance(item, str) else item.content() for item in entry]
            for entry in self.entries
        ]


def entries_of(step, name, keywords):
    """The entries of a parameter, checked as far as that goes without reading any file.

    Parameters
    ----------
    step : AudioAugmenter
    name : str
    keywords : collection of str

    Returns
    -------
    list

    Raises
    ------
    InvalidParameterError
    """
    value = getattr(step, name)
    entries = [value] if _is_entry(value) else value
    if (
        isinstance(entries, list | tuple | np.ndarray)
        and len(entries)
        and all(map(_is_entry, entries))
    ):
        return list(entries)
    words = ", ".join(map(repr, keywords))
    raise InvalidParameterError(
        f"The {name!r} parameter of {type(step).__name__} must be {words}, a file, a folder, an "
        f"array, a pair (array, rate), or a list of these. Got {_brief(value)} instead."
    )


def _is_entry(value):
    if isinstance(value, str | os.PathLike):
        return bool(os.fspath(value))
    if isinstance(value, tuple) and len(value) == 2 and isinstance(value[1], Number):
        value = value[0]
    if isinstance(value, list):
        return bool(value) and isinstance(value[0], Number)
    return isinstance(value, np.ndarray) and value.dtype.kind in "iuf" and value.size > 0


def _found(entry, rate, keywords, first_channel):
    if isinstance(entry, str) and entry in keywords:
        return [entry]
    if not isinstance(entry, str | os.PathLike):
        return [Recording(samples=_from_array(entry, rate, first_channel))]
    path = os.path.abspath(os.fspath(entry))
    if not os.path.isdir(path):
        if not os.path.exists(path):
            words = ", ".join(map(repr, keywords))
            raise AudioError(
                f"there is no such file or folder (and it is none of {words}): correct the path; "
                f"relative ones start at the working directory ({os.getcwd()!r})",
                file=os.fspath(entry),
            )
        return [Recording(path)]
    paths = _audio_files(path)
    if not paths:
        raise AudioError(
            f"no audio in this folder: expected files that end in {', '.join(_ENDINGS)}",
            file=os.fspath(entry),
        )
    return [Recording(found) for found in paths]


def digests_of(path):
    """What a store knows a path by: the bytes of a file, or of all audio in a folder.

    Parameters
    ----------
    path : str or path

    Returns
    -------
    list of (bytes or None)
    """
    path = os.path.abspath(os.fspath(path))
    paths = _audio_files(path) if os.path.isdir(path) else [path]
    return [Recording(found).content() for found in paths]


def _audio_files(folder):
    """Paths of a folder's audio, in an order that is the same on every machine."""
    found = sorted(
        (path.relative_to(folder).as_posix(), str(path))
        for path in Path(folder).rglob("*")
        if path.suffix.lower() in _ENDINGS and not path.name.startswith(".")
    )
    return [path for _, path in found]


def _from_array(cell, rate, first_channel):
    array, own_rate = cell if isinstance(cell, tuple) else (cell, rate)
    array = np.asarray(array)
    if first_channel and array.ndim == 2:
        array = array[0]
    return from_array(array, own_rate, rate)


def _brief(value):
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


#: Color to the exponent of 1/f in its power: pink falls by 3 dB in each octave, brown by 6.
COLORS = {"white": 0.0, "pink": 1.0, "brown": 2.0, "blue": -1.0, "violet": -2.0}
#: Hz below which the power no longer changes: nearly all of brown noise's would be inaudible.
_LOWEST = 20.0


def colored_noise(color, n, rate, rng):
    """Noise without a mean, of any level.

    Parameters
    ----------
    color : str
        A key of `COLORS`.
    n : int
        Samples.
    rate : float
        Hz.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float32 of shape (n,)
    """
    exponent = COLORS[color]
    if exponent == 0:
        return rng.standard_normal(n, dtype=np.float32)
    size = 2 * next_fast_len((n + 1) // 2, real=True)
    # A random spectrum is that of white noise, which saves one of two transforms.
    spectrum = rng.standard_normal(size + 2, dtype=np.float32).view(np.complex64)
    step = np.float32(rate / size)
    frequencies = np.maximum(np.arange(size // 2 + 1, dtype=np.float32) * step, _LOWEST)
    frequencies /= np.float32(_LOWEST)
    gains = frequencies if abs(exponent) == 2 else np.sqrt(frequencies)
    spectrum = spectrum / gains if exponent > 0 else spectrum * gains
    spectrum[0] = 0
    return irfft(spectrum, size)[:n]
