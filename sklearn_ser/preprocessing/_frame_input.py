"""Validation of frame sequences that are given to a preprocessing step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklearn_ser.utils._frames import (
    FEATURES_ATTR,
    as_sequences,
    check_no_feature_union,
    frame_features,
    is_frames,
    kind_and_shape,
)


def read_frames(
    X: Any, step: str, fitted_names: list[str] | None = None
) -> tuple[list[np.ndarray | None], pd.Index, list[str]]:
    """Validate X; return its sequences, its index, and the names of the features of a frame.

    X has any form of `utils._frames`; a table may be empty, and a sequence is None where the audio
    failed. A ValueError is raised if X holds no frame sequences, some value is NaN or infinite, or
    the features differ from those of fit (`fitted_names`) where X has names.
    """
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
