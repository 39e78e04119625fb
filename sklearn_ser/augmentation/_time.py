"""TimeMask and TimeShift: parts that are missing, parts that come at another time."""

from functools import lru_cache
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.augmentation._base import AudioAugmenter, check_range, draw
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.augmentation")
class TimeMask(AudioAugmenter):
    """Silence random parts, as dropouts of a transmission or of attention do.

    SpecAugment's mask over time [1]_, on the waveform.

    Parameters
    ----------
    share : float or (float, float), default=(0.05, 0.2)
        Share of the utterance that is silent, all parts together; of a range, a value is drawn
        for each utterance.
    n_masks : int, default=1
        Parts, all of one length, that do not overlap.
    fade : float, default=0.005
        Seconds at both ends of a part in which the audio fades, within the part; at most half of
        it.
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

    _parameter_constraints = {
        "share": [Real, tuple, list],
        "n_masks": [Interval(Integral, 1, None, closed="left")],
        "fade": [Interval(Real, 0, None, closed="left")],
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        share=(0.05, 0.2),
        *,
        n_masks=1,
        fade=0.005,
        p=1.0,
        audio="file",
        sampling_rate=16000,
        train_only=True,
        random_state=None,
    ):
        self.share = share
        self.n_masks = n_masks
        self.fade = fade
        self.p = p
        self.audio = audio
        self.sampling_rate = sampling_rate
        self.train_only = train_only
        self.random_state = random_state

    def _validate_params(self):
        super()._validate_params()
        check_range(self, "share", Interval(Real, 0, 1, closed="left"))

    def _augment(self, signal, rng):
        length = int(draw(self.share, rng) * len(signal) / self.n_masks)
        left = len(signal) - self.n_masks * length
        # Where the masks are, among the samples that stay.
        gaps = np.sort(rng.integers(left + 1, size=self.n_masks))
        fade = min(round(self.fade * self.sampling_rate), length // 2)
        made = signal.copy()
        for index, gap in enumerate(gaps.tolist()):
            start = gap + index * length
            made[start + fade : start + length - fade] = 0
            _fade(made[start : start + fade], out=True)
            _fade(made[start + length - fade : start + length])
        return made


@public_module("sklearn_ser.augmentation")
class TimeShift(AudioAugmenter):
    """Move the speech in time; the duration stays.

    Parameters
    ----------
    shift : float or (float, float), default=(-0.25, 0.25)
        Share of the utterance's duration by which it comes later (below 0: earlier); of a range,
        a value is drawn for each utterance.
    mode : {"circular", "silence"}, default="circular"
        What comes where the speech has left: the part that was moved beyond the other end, or
        silence (that part is lost then).
    fade : float, default=0.005
        Seconds in which the audio fades in and out where its end and its beginning (or silence)
        meet; 0 may leave a click there.
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
    >>> from sklearn_ser.augmentation import TimeShift
    >>> ramp = np.arange(8) / 8
    >>> print(read_audio(TimeShift(0.25, fade=0).augment([ramp])["file"][0]) * 8)
    [6. 7. 0. 1. 2. 3. 4. 5.]
    >>> print(read_audio(TimeShift(-0.5, mode="silence", fade=0).augment([ramp])["file"][0]) * 8)
    [4. 5. 6. 7. 0. 0. 0. 0.]
    """

    _parameter_constraints = {
        "shift": [Real, tuple, list],
        "mode": [StrOptions({"circular", "silence"})],
        "fade": [Interval(Real, 0, None, closed="left")],
        **AudioAugmenter._parameter_constraints,
    }

    def __init__(
        self,
        shift=(-0.25, 0.25),
        *,
        mode="circular",
        fade=0.005,
        p=1.0,
        audio="file",
        sampling_rate=16000,
        train_only=True,
        random_state=None,
    ):
        self.shift = shift
        self.mode = mode
        self.fade = fade
        self.p = p
        self.audio = audio
        self.sampling_rate = sampling_rate
        self.train_only = train_only
        self.random_state = random_state

    def _validate_params(self):
        super()._validate_params()
        check_range(self, "shift", Interval(Real, -1, 1, closed="neither"))

    def _augment(self, signal, rng):
        most = len(signal) - 1  # of 8 samples 0.99 would round to all of them
        moved = min(max(round(draw(self.shift, rng) * len(signal)), -most), most)
        if not moved:
            return signal
        made = np.roll(signal, moved)
        seam = moved % len(signal)  # here the beginning of the audio follows on its end
        before, after = made[:seam], made[seam:]
        fade = round(self.fade * self.sampling_rate)
        _fade(before[max(0, len(before) - fade) :], out=True)
        _fade(after[:fade])
        if self.mode == "silence":
            (before if moved > 0 else after)[:] = 0
        return made


def _fade(part, out=False):
    """Fade a part in or out, in place."""
    if len(part):
        gains = _rising(len(part))
        part *= gains[::-1] if out else gains


@lru_cache(maxsize=16)
def _rising(n):
    """Gains of a fade-in of n samples; not to be written to."""
    gains = np.sin(np.pi / 2 * (np.arange(n, dtype=np.float32) + 0.5) / n) ** 2
    gains.setflags(write=False)
    return gains
