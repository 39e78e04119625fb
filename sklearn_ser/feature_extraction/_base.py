"""Base class of the steps that turn audio into features."""

from __future__ import annotations

import os
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils._param_validation import StrOptions

from sklearn_ser.audio import open_audio
from sklearn_ser.exceptions import AudioError, AudioWarning
from sklearn_ser.feature_extraction._parallel import extract_rows
from sklearn_ser.store._keys import CacheableMixin
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._frames import FRAMES, frames_table
from sklearn_ser.utils._output import OwnContainerMixin
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._types import AudioInput
from sklearn_ser.utils._warnings import warn_user

#: Descriptions of the parameters that all audio steps share.
AUDIO_PARAMETERS = """
audio : str, default="file"
    Column of X that holds the audio. The columns `start` and `end` (seconds) are used if present,
    id columns become index levels, and every other column is ignored.
on_error : {"raise", "warn", "ignore"}, default="raise"
    Handling of audio that cannot be used. "warn" and "ignore" give a row of NaN (or NaN instead
    of a sequence of frames) and a record in `failures_`.
beyond_full_scale : {"raise", "clip"}, default="raise"
    Handling of samples outside [-1, 1]. "clip" limits them to this range, with a warning.
remove_dc : bool, default=False
    Whether to subtract the mean of each utterance first.
store : str or Path, default=None
    Folder of a :class:`~sklearn_ser.store.FeatureStore`. Features in it are not computed again,
    new ones are added. The features do not depend on it.
n_jobs : int, default=None
    Number of utterances (or batches) that are processed at a time: in threads, unless
    `joblib.parallel_config` selects another backend. The features do not depend on it.
verbose : int, default=0
    Verbosity level. 1 shows a progress bar.
"""
#: Decorator of audio steps, whose docstrings have lines for the shared parameters and attribute.
document_audio_parameters = substitute_docstring(
    audio_parameters=AUDIO_PARAMETERS,
    failures_attribute="""
failures_ : list of dict
    Utterances that the last `transform` could not use: `row`, `file`, `reason`.
""",
)
OnError = Literal["raise", "warn", "ignore"]
BeyondFullScale = Literal["raise", "clip"]


@public_module("sklearn_ser.feature_extraction")
@document_audio_parameters
class AudioExtractor(
    CacheableMixin, OwnContainerMixin, TransformerMixin, BaseEstimator, metaclass=ABCMeta
):
    """Base class of the stateless steps that turn each utterance into features.

    A subclass passes the parameters of this class on, adds its own, and implements
    `_feature_names` and one of `_extract` (for one utterance) and `_extract_batch` (for several),
    each of which calls the other by default.
    It stores nothing large in the instance: networks and openSMILE objects belong into a cache of
    the process, so that extractors are cloned, pickled and sent to workers as parameters.

    The features of an utterance must depend on that utterance and the parameters alone. A
    subclass whose features are to be stored declares `cache_revision`; see
    :class:`~sklearn_ser.store.FeatureStore`.

    Parameters
    ----------
    %(audio_parameters)s

    Attributes
    ----------
    %(failures_attribute)s

    See Also
    --------
    sklearn_ser.testing.check_audio_step : Check a custom audio step.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.feature_extraction import AudioExtractor
    >>> class Level(AudioExtractor):
    ...     cache_revision = 1  # raise it whenever the features change
    ...
    ...     def _feature_names(self):
    ...         return ["level", "peak"]
    ...
    ...     def _extract(self, signal):  # float32 samples at 16 kHz
    ...         return [np.sqrt(np.mean(signal**2)), np.abs(signal).max()]
    >>> Level().fit_transform([np.array([0.5, -0.5, 0.5, -0.5] * 4000, dtype="float32")])
       level  peak
    0    0.5   0.5
    """

    _parameter_constraints: dict = {
        "audio": [str],
        "on_error": [StrOptions({"raise", "warn", "ignore"})],
        "beyond_full_scale": [StrOptions({"raise", "clip"})],
        "remove_dc": ["boolean"],
        "store": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }
    failures_: list[dict[str, Any]]

    def __init__(
        self,
        audio: str = "file",
        on_error: OnError = "raise",
        beyond_full_scale: BeyondFullScale = "raise",
        remove_dc: bool = False,
        store: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.audio = audio
        self.on_error = on_error
        self.beyond_full_scale = beyond_full_scale
        self.remove_dc = remove_dc
        self.store = store
        self.n_jobs = n_jobs
        self.verbose = verbose

    @property
    def _sampling_rate(self) -> float:
        """Sampling rate in Hz of the signals that `_extract` receives."""
        return 16000

    @property
    def _min_duration(self) -> float:
        """Minimum duration of an utterance in seconds."""
        return 0.06  # equal in most steps, so that the same rows fail in a FeatureUnion

    @property
    def _frame_level(self) -> bool:
        """Whether an utterance gives a sequence of frames (n_frames, n_features), not one row."""
        return False

    @property
    def _batch_size(self) -> int:
        """Maximum number of utterances, of similar length, in a call of `_extract_batch`."""
        return 1

    @abstractmethod
    def _feature_names(self) -> list[str]:
        """Return the names of the features of a row, or of a frame, in order."""

    def _extract(self, signal: np.ndarray) -> ArrayLike:
        """Return the features of one utterance, (n_features,) or (n_frames, n_features).

        The samples are float32, and not all of them are 0. An AudioError, to which the caller adds
        row and file, means that the utterance has no features.
        """
        (values,) = self._extract_batch([signal])
        if isinstance(values, AudioError):
            raise values
        return values

    def _extract_batch(self, signals: Sequence[np.ndarray]) -> list[Any]:
        """Return the features of several utterances, or the AudioError of each that has none.

        No utterance may influence another.
        """
        results: list[Any] = []
        for signal in signals:
            try:
                results.append(self._extract(signal))
            except AudioError as error:
                results.append(error)
        return results

    def _frame_marks(self) -> dict[str, Any]:
        """Return attributes of a table of frames, as `utils._frames.frame_attrs` does."""
        return {}

    def _computing(self) -> AbstractContextManager:
        """Return a context of the extraction, which may limit the number of threads."""
        return nullcontext()

    def _versions(self) -> dict[str, Any]:
        """Return the versions that the features depend on, and the content of named files.

        The libraries that load audio need not be included.
        """
        return {}

    def fit(self, X: AudioInput, y: None = None) -> Self:
        """Validate the parameters. The step is stateless, and no audio is read.

        Parameters
        ----------
        X : DataFrame, Series, list or array of audio
            Ignored.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted estimator.
        """
        self._validate_params()
        return self

    def transform(self, X: AudioInput) -> pd.DataFrame:
        """Compute the features of each utterance.

        Parameters
        ----------
        X : DataFrame, Series, list or array of audio
            A DataFrame with the column `audio` (a path, a 1-D array, or a pair of array and
            sampling rate in Hz; optional `start` and `end` in seconds), or these values alone. A
            bare array is assumed to be at 16 kHz.

        Returns
        -------
        DataFrame of float32 of shape (n_utterances, n_features)
            Its index levels are the id columns of X (corpus, speaker, ...) if there are any; if
            there are none, or all of them are levels of the index of X, it has that index. Ids in
            the index let the audio steps of a ColumnTransformer with pandas output stand beside
            other steps: ``X.set_index(["speaker"], append=True)``. No other column of X has any
            influence. The output of a frame-level step has one column, ``frames``, of float32
            arrays of shape (n_frames, n_features); where known, the seconds between frames are in
            ``attrs["hop_length"]``.

        Raises
        ------
        AudioError
            With ``on_error="raise"``, for the first utterance that cannot be used. The message
            names the row, the file, the reason and what to do.
        """
        self._validate_params()
        names = self._feature_names()
        table = open_audio(
            X,
            audio=self.audio,
            sampling_rate=self._sampling_rate,
            min_duration=self._min_duration,
            beyond_full_scale=self.beyond_full_scale,
            remove_dc=self.remove_dc,
        )
        if self._frame_level:
            sequences: list[np.ndarray | None] = [None] * len(table)
            failures = extract_rows(self, table, sequences.__setitem__)
        else:
            features = np.full((len(table), len(names)), np.nan, dtype=np.float32)
            failures = extract_rows(self, table, features.__setitem__)
        self.failures_ = _report_failures(failures, self.on_error, len(table))
        if self._frame_level:
            return frames_table(sequences, table.index, names, self._frame_marks())
        return pd.DataFrame(features, index=table.index, columns=names)

    @property
    def _own_container(self) -> bool:
        return self._frame_level

    def get_feature_names_out(self, input_features: None = None) -> np.ndarray:
        """Return the names of the output columns, which depend on the parameters only.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str of shape (n_features,)
            A frame-level step has one column, ``frames``. The names of the features of a frame
            are in ``attrs["frame_features"]`` of the output of `transform`.
        """
        self._validate_params()
        names = [FRAMES] if self._frame_level else self._feature_names()
        return np.asarray(names, dtype=object)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def leading_audio_steps(estimator: Any) -> list[tuple[str, Any]]:
    """Return the audio steps that a Pipeline begins with, by name; none of other estimators."""
    if not isinstance(estimator, Pipeline):
        return []
    leading = []
    for name, step in estimator.steps[:-1]:
        if not is_audio_step(step):
            break
        leading.append((name, step))
    return leading


def is_audio_step(step: Any) -> bool:
    """Return whether a step is an AudioExtractor, or a union or Pipeline of such steps alone."""
    if isinstance(step, FeatureUnion):
        return all(is_audio_step(part) for _, part in step.transformer_list)
    if isinstance(step, Pipeline):
        return all(is_audio_step(part) for _, part in step.steps)
    return isinstance(step, AudioExtractor)


def _report_failures(failures, on_error, n_rows):
    """Raise the first failure or warn about all, as `on_error` says; return them as records."""
    failures = sorted(failures, key=lambda failure: failure.row)
    if failures and on_error == "raise":
        failures[0].add_note("Set on_error='warn' or 'ignore' to get a row of NaN and continue.")
        raise failures[0]
    if failures and on_error == "warn":
        shown = "".join(f"\n  {failure}" for failure in failures[:3])
        more = f"\n  ... {len(failures) - 3} more" if len(failures) > 3 else ""
        warn_user(
            f"{len(failures)} of {n_rows} rows could not be used and became rows of NaN:"
            f"{shown}{more}",
            AudioWarning,
        )
    return [
        {"row": int(failure.row), "file": failure.file, "reason": failure.reason}
        for failure in failures
    ]
