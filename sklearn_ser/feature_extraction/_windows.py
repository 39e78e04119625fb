"""Another audio step, window by window: for recordings longer than it was made for."""

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction._base import AudioExtractor
from sklearn_ser.utils._frames import AXIS_ATTR, HOP_ATTR, LAYERS
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._window_bounds import in_samples, window_bounds

#: Statistics over the windows by `pooling`, each with the prefix of its columns.
_POOLS = {
    "mean": (("mean", lambda rows: rows.mean(axis=0)),),
    "max": (("max", lambda rows: rows.max(axis=0)),),
    "mean_std": (
        ("mean", lambda rows: rows.mean(axis=0)),
        ("std", lambda rows: rows.std(axis=0)),
    ),
}
#: What belongs to the step that reads the audio, which is the outer one.
_OUTER = {
    "audio": "file",
    "on_error": "raise",
    "beyond_full_scale": "raise",
    "remove_dc": False,
    "store": None,
}


@public_module("sklearn_ser.feature_extraction")
class SlidingWindows(AudioExtractor):
    """Run an audio step on overlapping windows of each utterance, and pool what it gives.

    Functionals and embeddings describe a few seconds; over minutes they average emotion away.
    Here each utterance is cut into windows, `extractor` describes every window, and the windows
    are pooled to one row, or handed on as a sequence (``pooling="frames"``), over which a network
    can attend: :class:`MTLNeuralClassifier` with ``encoder="attention"``.

    Windows of full length follow each other every `hop` seconds. A rest at the end becomes a
    shorter window if it has at least `min_window` seconds; else a window of full length ends with
    the utterance. An utterance shorter than a window is one window. Windows that are digital
    silence, or that `extractor` can make nothing of, are left out; an utterance fails where every
    window does.

    Parameters
    ----------
    extractor : audio step
        What describes a window: one that gives a row for each utterance, such as
        :class:`OpenSmileExtractor` or :class:`SpeakerEmbedding`. Its parameters are reached as
        ``extractor__<name>``. The settings on reading audio (`audio`, `on_error`,
        `beyond_full_scale`, `remove_dc`, `store`) are those of this step; they are refused in
        `extractor`, and its `n_jobs` and `verbose` have no effect.
    window : float, default=4.0
        Seconds of a window.
    hop : float, default=2.0
        Seconds from the beginning of a window to that of the next; at most `window`.
    pooling : {"mean", "max", "mean_std", "frames"}, default="mean"
        Over the windows of an utterance, feature by feature:

        - ``"mean"``, ``"max"``: one row as wide as that of `extractor`;
        - ``"mean_std"``: mean and standard deviation (0 with one window), twice as wide;
        - ``"frames"``: no pooling, the sequence of the windows' rows.
    min_window : float, default=None
        Seconds that a rest at the end must have to be a window; at most `window`. None: half a
        window.
    audio : str, default="file"
        Column of X that holds the audio. `start` and `end` (seconds) are read where present, id
        columns become index levels, every other column is ignored.
    on_error : {"raise", "warn", "ignore"}, default="raise"
        What to do with audio that cannot be used. "warn" and "ignore" give a row of NaN and a
        record in `failures_`.
    beyond_full_scale : {"raise", "clip"}, default="raise"
        What to do with samples outside [-1, 1]; "clip" cuts them off with a warning.
    remove_dc : bool, default=False
        Subtract the mean of each utterance (not of each window) first.
    store : str or Path, default=None
        Folder of a :class:`FeatureStore`: what is there is not computed again, what is new is
        added. It changes no number. An utterance is kept as a whole, not by its windows.
    n_jobs : int, default=None
        Utterances at a time; threads, unless `joblib.parallel_config` names another backend. The
        windows of one utterance are worked on by one job: cut few long recordings with
        :func:`window_table` instead.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    failures_ : list of dict
        The utterances that the last `transform` could not use: `row`, `file`, `reason`.

    See Also
    --------
    sklearn_ser.preprocessing.window_table : A table with one row a window.
    sklearn_ser.evaluation.predict_timeline : What a model says of each window of a recording.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.feature_extraction import OpenSmileExtractor, SlidingWindows
    >>> noise = np.random.default_rng(0).normal(scale=0.05, size=24000)  # 1.5 s
    >>> step = SlidingWindows(OpenSmileExtractor("GeMAPSv01b"), window=0.5, hop=0.25)
    >>> step.fit_transform([noise]).shape
    (1, 62)
    >>> print(step.get_feature_names_out()[0])
    mean_F0semitoneFrom27.5Hz_sma3nz_amean
    >>> sequences = step.set_params(pooling="frames").fit_transform([noise])
    >>> sequences.loc[0, "frames"].shape
    (5, 62)
    """

    _parameter_constraints = {
        "extractor": "no_validation",  # see _validate_params
        "window": [Interval(Real, 0, None, closed="neither")],
        "hop": [Interval(Real, 0, None, closed="neither")],
        "pooling": [StrOptions({*_POOLS, "frames"})],
        "min_window": [Interval(Real, 0, None, closed="neither"), None],
        **AudioExtractor._parameter_constraints,
    }

    def __init__(
        self,
        extractor,
        window=4.0,
        hop=2.0,
        pooling="mean",
        min_window=None,
        *,
        audio="file",
        on_error="raise",
        beyond_full_scale="raise",
        remove_dc=False,
        store=None,
        n_jobs=None,
        verbose=0,
    ):
        self.extractor = extractor
        self.window = window
        self.hop = hop
        self.pooling = pooling
        self.min_window = min_window
        self.audio = audio
        self.on_error = on_error
        self.beyond_full_scale = beyond_full_scale
        self.remove_dc = remove_dc
        self.store = store
        self.n_jobs = n_jobs
        self.verbose = verbose

    # What the inner step depends on (its revision, the versions of its libraries) is part of the
    # key of a store by way of the parameter `extractor`.

    @property
    def _sampling_rate(self):
        return self.extractor._sampling_rate

    @property
    def _min_duration(self):
        return self.extractor._min_duration

    @property
    def _batch_size(self):
        return self.extractor._batch_size

    @property
    def _frame_level(self):
        return self.pooling == "frames"

    def _computing(self):
        return self.extractor._computing()

    def _validate_params(self):
        inner = self.extractor
        if not isinstance(inner, AudioExtractor):
            found = f"the class {inner.__name__}" if isinstance(inner, type) else repr(inner)
            raise ValueError(
                f"The 'extractor' parameter of SlidingWindows must be an audio step of "
                f"sklearn_ser.feature_extraction, such as SpeakerEmbedding(). Got {found} "
                f"instead. Steps that come after the audio step in a Pipeline come after "
                f"SlidingWindows as well; in a FeatureUnion each audio step has windows of its own."
            )
        super()._validate_params()
        inner._validate_params()
        name = type(inner).__name__
        if inner._frame_level and inner._frame_marks().get(AXIS_ATTR) == LAYERS:
            raise ValueError(
                f"The 'extractor' parameter of SlidingWindows must give one row for each "
                f"utterance, but {name} gives all layers of its model here, a sequence for each "
                f"utterance. Choose one layer, or their mean (layer='mean')."
            )
        if inner._frame_level:
            raise ValueError(
                f"The 'extractor' parameter of SlidingWindows must give one row for each "
                f"utterance, but {name} gives frames here, which are shorter than windows. Set "
                f"its parameters such that it gives a row, or use it without windows."
            )
        for parameter, default in _OUTER.items():
            value = getattr(inner, parameter, default)
            if value != default:
                raise ValueError(
                    f"{parameter}={value!r} is set in the {name} inside SlidingWindows, which "
                    f"reads no audio itself: set it in SlidingWindows."
                )
        if self.hop > self.window:
            raise ValueError(
                f"The 'hop' parameter of SlidingWindows must be at most its window, {self.window} "
                f"s, so that nothing goes unheard. Got {self.hop} instead."
            )
        if self.window < inner._min_duration:
            raise ValueError(
                f"The 'window' parameter of SlidingWindows must be at least the "
                f"{inner._min_duration} s that {name} needs. Got {self.window} instead."
            )
        if self.min_window is not None and self.min_window > self.window:
            raise ValueError(
                f"The 'min_window' parameter of SlidingWindows must be at most its window, "
                f"{self.window} s. Got {self.min_window} instead."
            )

    def _feature_names(self):
        names = self.extractor._feature_names()
        if self._frame_level:
            return names
        return [f"{prefix}_{name}" for prefix, _ in _POOLS[self.pooling] for name in names]

    def _frame_marks(self):
        return {HOP_ATTR: self.hop}

    def _extract(self, signal):
        (found,) = self._extract_batch([signal])
        if isinstance(found, AudioError):
            raise found
        return found

    def _extract_batch(self, signals):
        windows, owners = [], []
        for owner, signal in enumerate(signals):
            for start, stop in self._bounds(len(signal)):
                if signal[start:stop].any():
                    windows.append(signal[start:stop])
                    owners.append(owner)
        rows = [[] for _ in signals]
        reasons = {}
        for owner, found in zip(owners, self._rows_of(windows), strict=True):
            if isinstance(found, AudioError):
                reasons.setdefault(owner, found.reason)
            else:
                rows[owner].append(found)
        return [
            self._pooled(rows[owner]) if rows[owner] else _nothing_left(reasons[owner])
            for owner in range(len(signals))
        ]

    def _bounds(self, n_samples):
        shortest = self.window / 2 if self.min_window is None else self.min_window
        seconds = (self.window, self.hop, max(shortest, self._min_duration))
        return window_bounds(n_samples, *(in_samples(s, self._sampling_rate) for s in seconds))

    def _rows_of(self, windows):
        """What the inner step gives for each window, in order: windows of like length together."""
        results = [None] * len(windows)
        order = sorted(range(len(windows)), key=lambda i: (len(windows[i]), i))
        size = self.extractor._batch_size
        for first in range(0, len(order), size):
            batch = order[first : first + size]
            found = self.extractor._extract_batch([windows[i] for i in batch])
            for i, values in zip(batch, found, strict=True):
                results[i] = _checked(values)
        return results

    def _pooled(self, rows):
        rows = np.stack(rows)
        if self._frame_level:
            return rows
        rows = rows.astype(np.float64)
        return np.concatenate([pool(rows) for _, pool in _POOLS[self.pooling]])


def _checked(values):
    if isinstance(values, AudioError):
        return values
    values = np.asarray(values, dtype=np.float32)
    n_bad = np.count_nonzero(~np.isfinite(values))
    if n_bad or not values.size:
        return AudioError(f"{n_bad} of the {values.size} features are NaN or infinite")
    return values


def _nothing_left(reason):
    return AudioError(f"no window of this utterance can be used: {reason}")
