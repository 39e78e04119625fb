"""Audio steps applied to windows of an utterance: for recordings longer than a few seconds."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from numbers import Real
from typing import Any, Literal

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.audio._signal import in_samples, window_bounds
from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction._base import (
    AudioExtractor,
    BeyondFullScale,
    OnError,
    document_audio_parameters,
)
from sklearn_ser.feature_extraction._parallel import validated
from sklearn_ser.utils._frames import AXIS_ATTR, HOP_ATTR, LAYERS
from sklearn_ser.utils._public import public_module

#: Statistics over the windows by `pooling`, with the prefixes of their columns.
_STATISTICS = {
    "mean": (("mean", lambda rows: rows.mean(axis=0)),),
    "max": (("max", lambda rows: rows.max(axis=0)),),
    "mean_std": (
        ("mean", lambda rows: rows.mean(axis=0)),
        ("std", lambda rows: rows.std(axis=0)),
    ),
}
#: Parameters of audio loading, and the values that they must have in the inner step.
_LOADING_DEFAULTS = {
    "audio": "file",
    "on_error": "raise",
    "beyond_full_scale": "raise",
    "remove_dc": False,
    "store": None,
}


@public_module("sklearn_ser.feature_extraction")
@document_audio_parameters
class SlidingWindows(AudioExtractor):
    """Apply an audio step to overlapping windows of each utterance, and pool the results.

    Functionals and embeddings describe a few seconds; over minutes they average emotion out. Here
    each utterance is cut into windows, `extractor` is applied to every window, and the results are
    pooled to one row, or returned as a sequence (``pooling="frames"``) for a network with
    attention: :class:`MTLNeuralClassifier` with ``encoder="attention"``.

    Windows of full length follow each other every `hop` seconds. A remainder at the end becomes a
    shorter window if it has at least `min_window` seconds; else a window of full length ends with
    the utterance. An utterance shorter than a window is one window. Windows of digital silence,
    and windows for which `extractor` fails, are omitted; an utterance fails if every window does.

    Parameters
    ----------
    extractor : audio step
        Step that is applied to each window and gives a row for each utterance, such as
        :class:`OpenSmileExtractor` or :class:`SpeakerEmbedding`. Its parameters are set as
        ``extractor__<name>``. Those of audio loading (`audio`, `on_error`, `beyond_full_scale`,
        `remove_dc`, `store`) must be set in this step, not in `extractor`, whose `n_jobs` and
        `verbose` have no effect.
    window : float, default=4.0
        Length of a window in seconds.
    hop : float, default=2.0
        Seconds from the beginning of a window to that of the next; at most `window`.
    pooling : {"mean", "max", "mean_std", "frames"}, default="mean"
        Pooling over the windows of an utterance, feature by feature:

        - ``"mean"``, ``"max"``: one row as wide as that of `extractor`;
        - ``"mean_std"``: mean and standard deviation (0 with one window), twice as wide;
        - ``"frames"``: no pooling, the sequence of the rows of all windows.
    min_window : float, default=None
        Minimum length in seconds of a remainder at the end that becomes a window; at most
        `window`. None: half a window.
    %(audio_parameters)s

    Attributes
    ----------
    %(failures_attribute)s

    See Also
    --------
    sklearn_ser.preprocessing.window_table : Table with one row per window.
    sklearn_ser.evaluation.predict_timeline : Predictions for each window of a recording.

    Notes
    -----
    A feature store holds the features of whole utterances, not those of windows. The windows of
    one utterance are processed by one job: to process a few long recordings in parallel, cut them
    with :func:`window_table`. `remove_dc` subtracts the mean of the utterance, not of each window.

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
        "pooling": [StrOptions({*_STATISTICS, "frames"})],
        "min_window": [Interval(Real, 0, None, closed="neither"), None],
        **AudioExtractor._parameter_constraints,
    }

    def __init__(
        self,
        extractor: AudioExtractor,
        window: float = 4.0,
        hop: float = 2.0,
        pooling: Literal["mean", "max", "mean_std", "frames"] = "mean",
        min_window: float | None = None,
        *,
        audio: str = "file",
        on_error: OnError = "raise",
        beyond_full_scale: BeyondFullScale = "raise",
        remove_dc: bool = False,
        store: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(audio, on_error, beyond_full_scale, remove_dc, store, n_jobs, verbose)
        self.extractor = extractor
        self.window = window
        self.hop = hop
        self.pooling = pooling
        self.min_window = min_window

    # The revision of the inner step and the versions of its libraries enter cache keys through the
    # parameter `extractor`.

    @property
    def _sampling_rate(self) -> float:
        return self.extractor._sampling_rate

    @property
    def _min_duration(self) -> float:
        return self.extractor._min_duration

    @property
    def _batch_size(self) -> int:
        return self.extractor._batch_size

    @property
    def _frame_level(self) -> bool:
        return self.pooling == "frames"

    def _computing(self) -> AbstractContextManager:
        return self.extractor._computing()

    def _validate_params(self) -> None:
        inner = self.extractor
        if not isinstance(inner, AudioExtractor):
            found = f"the class {inner.__name__}" if isinstance(inner, type) else repr(inner)
            raise ValueError(
                f"The 'extractor' parameter of SlidingWindows must be an audio step of "
                f"sklearn_ser.feature_extraction, such as SpeakerEmbedding(). Got {found} "
                f"instead. In a Pipeline, put the steps that follow the audio step after "
                f"SlidingWindows; in a FeatureUnion, wrap each audio step in its own "
                f"SlidingWindows."
            )
        super()._validate_params()
        inner._validate_params()
        name = type(inner).__name__
        if inner._frame_level:
            found = "frames here, which are shorter than windows. Set its parameters such that it "
            found += "gives a row, or use it without windows"
            if inner._frame_marks().get(AXIS_ATTR) == LAYERS:
                found = "all layers of its model. Choose one layer, or their mean (layer='mean')"
            raise ValueError(
                f"The 'extractor' parameter of SlidingWindows must give one row for each "
                f"utterance, but {name} gives {found}."
            )
        for parameter, default in _LOADING_DEFAULTS.items():
            value = getattr(inner, parameter, default)
            if value != default:
                raise ValueError(
                    f"{parameter}={value!r} is set in the {name} inside SlidingWindows, which does "
                    f"not load audio itself: set it in SlidingWindows."
                )
        for parameter in ("hop", "min_window"):
            value = getattr(self, parameter)
            if value is not None and value > self.window:
                raise ValueError(
                    f"The {parameter!r} parameter of SlidingWindows must be at most its window, "
                    f"{self.window} s. Got {value} instead."
                )
        if self.window < inner._min_duration:
            raise ValueError(
                f"The 'window' parameter of SlidingWindows must be at least the "
                f"{inner._min_duration} s that {name} needs. Got {self.window} instead."
            )

    def _feature_names(self) -> list[str]:
        names = self.extractor._feature_names()
        if self._frame_level:
            return names
        return [f"{prefix}_{name}" for prefix, _ in _STATISTICS[self.pooling] for name in names]

    def _frame_marks(self) -> dict[str, Any]:
        return {HOP_ATTR: self.hop}

    def _extract_batch(self, signals: Sequence[np.ndarray]) -> list[Any]:
        windows, owners = [], []
        for owner, signal in enumerate(signals):
            for start, stop in self._bounds(len(signal)):
                if signal[start:stop].any():
                    windows.append(signal[start:stop])
                    owners.append(owner)
        rows: list[list[np.ndarray]] = [[] for _ in signals]
        reasons: dict[int, str] = {}
        for owner, values in zip(owners, self._window_rows(windows), strict=True):
            if isinstance(values, AudioError):
                reasons.setdefault(owner, values.reason)
            else:
                rows[owner].append(values)
        return [
            self._pool(rows[owner])
            if rows[owner]
            else AudioError(f"no window of this utterance can be used: {reasons[owner]}")
            for owner in range(len(signals))
        ]

    def _bounds(self, n_samples: int) -> list[tuple[int, int]]:
        shortest = self.window / 2 if self.min_window is None else self.min_window
        seconds = (self.window, self.hop, max(shortest, self._min_duration))
        return window_bounds(n_samples, *(in_samples(s, self._sampling_rate) for s in seconds))

    def _window_rows(self, windows: Sequence[np.ndarray]) -> list[Any]:
        """Return the result of the inner step for each window; similar lengths share a batch."""
        results: list[Any] = [None] * len(windows)
        order = sorted(range(len(windows)), key=lambda i: (len(windows[i]), i))
        size = self.extractor._batch_size
        for first in range(0, len(order), size):
            batch = order[first : first + size]
            rows = self.extractor._extract_batch([windows[i] for i in batch])
            for i, values in zip(batch, rows, strict=True):
                results[i] = validated(self.extractor, values, len(windows[i]))
        return results

    def _pool(self, rows: Sequence[np.ndarray]) -> np.ndarray:
        stacked = np.stack(rows)
        if self._frame_level:
            return stacked
        stacked = stacked.astype(np.float64)
        return np.concatenate([statistic(stacked) for _, statistic in _STATISTICS[self.pooling]])
