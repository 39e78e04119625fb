"""Base class and input validation of the preprocessing steps for frame sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._frames import (
    FEATURES_ATTR,
    as_sequences,
    check_no_feature_union,
    frame_features,
    is_frames,
    kind_and_shape,
)
from sklearn_ser.utils._ids import ids_as_levels

#: Decorator for a docstring of `fit` with the line ``%(training_frames)s``.
document_frames = substitute_docstring(
    training_frames="""\
        X : DataFrame, Series, list or array of frame sequences
            Output of a frame-level step, a list or object array of arrays of shape
            (n_frames, n_features), or an array of shape (n_sequences, n_frames, n_features). NaN
            in place of a sequence is failed audio.
        y : None
            Ignored."""
)


class FrameStep(TransformerMixin, BaseEstimator):
    """Base of the preprocessing steps that take frame sequences."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def read_frames(
    X: Any, step: str, fitted_names: list[str] | None = None
) -> tuple[list[np.ndarray | None], pd.Index, list[str]]:
    """Validate X; return its sequences (None: failed), its index, and the names of the features."""
    X = ids_as_levels(X)
    check_no_feature_union(X, step)
    if not is_frames(X) and not _is_empty(X):
        raise ValueError(
            f"{step} needs frame sequences: a table of a frame-level step such as "
            f"LogMelSpectrogram, a list of arrays (n_frames, n_features), or an array of three "
            f"dimensions. Found {kind_and_shape(X)}."
        )
    sequences = as_sequences(X)
    for row, sequence in enumerate(sequences):
        if sequence is not None:
            _check_numbers(sequence, row, step)
    has_index = isinstance(X, pd.DataFrame | pd.Series)
    index = X.index if has_index else pd.RangeIndex(len(sequences))
    return sequences, index, _names(X, sequences, step, fitted_names)


def _names(X, sequences, step, fitted_names):
    widths = [sequence.shape[1] for sequence in sequences if sequence is not None]
    given = list(getattr(X, "attrs", {}).get(FEATURES_ATTR, []))
    width = widths[0] if widths else len(given) or len(fitted_names or [])
    if fitted_names is None:
        if not width:
            raise ValueError(
                f"{step} cannot be fitted: none of the {len(sequences)} rows of X has a "
                f"frame sequence."
            )
        return frame_features(X, width)
    if width != len(fitted_names):
        raise ValueError(
            f"{step} was fitted on frames of {len(fitted_names)} features, those of X have {width}."
        )
    if len(given) == width and given != fitted_names:
        pairs = enumerate(zip(given, fitted_names, strict=True))
        other = next(i for i, pair in pairs if len({*pair}) > 1)
        raise ValueError(
            f"{step} was fitted on other features of frames: feature {other} was "
            f"{fitted_names[other]!r}, but it is {given[other]!r} in X."
        )
    return fitted_names


def _check_numbers(sequence, row, step):
    if sequence.dtype.kind not in "fiub":
        raise ValueError(
            f"row {row}: {step} expects numbers, but the sequence has the dtype {sequence.dtype}"
        )
    n_bad = np.count_nonzero(~np.isfinite(sequence))
    if n_bad:
        frame, feature = np.argwhere(~np.isfinite(sequence))[0]
        raise ValueError(
            f"row {row}: {n_bad} values of the sequence are NaN or infinite, the first in frame "
            f"{frame}, feature {feature}. {step} accepts a row without a sequence (NaN: failed "
            f"audio), but no single missing values."
        )


def _is_empty(X):
    return hasattr(X, "__len__") and not isinstance(X, str) and len(X) == 0
