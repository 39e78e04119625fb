"""Augmenters in time: masks and shifts."""

from __future__ import annotations

from dataclasses import KW_ONLY
from functools import lru_cache
from numbers import Integral, Real
from typing import Literal

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.augmentation._base import AudioAugmenter, Range, augmenter, draw


@augmenter
class TimeMask(AudioAugmenter):
    """Silence random parts, like dropouts of a transmission.

    This is the time mask of SpecAugment [1]_, applied to the waveform.

    Parameters
    ----------
    share : float or (float, float), default=(0.05, 0.2)
        Share of the utterance that is silenced, in all parts together. From a range, a value is
        drawn for each utterance.
    n_masks : int, default=1
        Number of parts, which have equal lengths and do not overlap.
    fade : float, default=0.005
        Duration in seconds of the fades at both ends of a part, within the part; at most half of
        it.
    %(common_parameters)s

    References
    ----------
    .. [1] D. S. Park et al., "SpecAugment: A simple data augmentation method for automatic speech
       recognition", Interspeech 2019.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import TimeMask
    >>> masked = read_audio(TimeMask(0.25, fade=0).augment([np.full(1000, 0.5)])["file"][0])
    >>> int((masked == 0).sum())
    250
    """

    share: float | tuple[float, float] = (0.05, 0.2)
    _: KW_ONLY
    n_masks: int = 1
    fade: float = 0.005

    _parameter_constraints = {
        "share": [Range(Real, 0, 1, closed="left")],
        "n_masks": [Interval(Integral, 1, None, closed="left")],
        "fade": [Interval(Real, 0, None, closed="left")],
        **AudioAugmenter._parameter_constraints,
    }

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        length = int(draw(self.share, rng) * len(signal) / self.n_masks)
        n_unmasked = len(signal) - self.n_masks * length
        # Positions of the masks among the unmasked samples.
        gaps = np.sort(rng.integers(n_unmasked + 1, size=self.n_masks))
        fade = min(round(self.fade * self.sampling_rate), length // 2)
        masked = signal.copy()
        for index, gap in enumerate(gaps.tolist()):
            start = gap + index * length
            masked[start + fade : start + length - fade] = 0
            _fade(masked[start : start + fade], out=True)
            _fade(masked[start + length - fade : start + length])
        return masked


@augmenter
class TimeShift(AudioAugmenter):
    """Move the speech in time; the duration stays the same.

    Parameters
    ----------
    shift : float or (float, float), default=(-0.25, 0.25)
        Delay as a share of the utterance's duration; negative values move the speech to an earlier
        time. From a range, a value is drawn for each utterance.
    mode : {"circular", "silence"}, default="circular"
        Content of the gap: the part that was moved beyond the other end, or silence (that part is
        then lost).
    fade : float, default=0.005
        Duration in seconds of the fades at the seam of end and beginning (or silence); 0 may leave
        a click there.
    %(common_parameters)s

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.audio import read_audio
    >>> from sklearn_ser.augmentation import TimeShift
    >>> ramp = np.arange(8) / 8
    >>> print(read_audio(TimeShift(0.25, fade=0).augment([ramp])["file"][0]) * 8)
    [6. 7. 0. 1. 2. 3. 4. 5.]
    >>> print(read_audio(TimeShift(-0.5, mode="silence", fade=0).augment([ramp])["file"][0]) * 8)
    [4. 5. 6. 7. 0. 0. 0. 0.]
    """

    shift: float | tuple[float, float] = (-0.25, 0.25)
    _: KW_ONLY
    mode: Literal["circular", "silence"] = "circular"
    fade: float = 0.005

    _parameter_constraints = {
        "shift": [Range(Real, -1, 1, closed="neither")],
        "mode": [StrOptions({"circular", "silence"})],
        "fade": [Interval(Real, 0, None, closed="left")],
        **AudioAugmenter._parameter_constraints,
    }

    def _augment(self, signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        most = len(signal) - 1  # 0.99 of 8 samples would round to all of them
        moved = min(max(round(draw(self.shift, rng) * len(signal)), -most), most)
        if not moved:
            return signal
        shifted = np.roll(signal, moved)
        seam = moved % len(signal)  # here the beginning of the audio follows its end
        before, after = shifted[:seam], shifted[seam:]
        fade = round(self.fade * self.sampling_rate)
        _fade(before[max(0, len(before) - fade) :], out=True)
        _fade(after[:fade])
        if self.mode == "silence":
            (before if moved > 0 else after)[:] = 0
        return shifted


def _fade(part, out=False):
    """Fade a part in or out, in place."""
    if len(part):
        gains = _fade_in(len(part))
        part *= gains[::-1] if out else gains


@lru_cache(maxsize=16)
def _fade_in(n):
    """Return the gains of a fade-in of n samples, read-only."""
    gains = np.sin(np.pi / 2 * (np.arange(n, dtype=np.float32) + 0.5) / n) ** 2
    gains.setflags(write=False)
    return gains
