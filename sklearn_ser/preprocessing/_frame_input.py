"""Frame sequences as the steps between an extractor and a classifier take them."""

import numpy as np
import pandas as pd

from sklearn_ser.utils._frames import (
    FEATURES_ATTR,
    as_sequences,
    check_no_feature_union,
    frame_features,
    is_frames,
)


def read_frames(X, step, known=None):
    """The sequences of X, its index, and the names of what a frame holds.

    Parameters
    ----------
    X : object
        In any of the forms of `utils._frames`; a table of no rows too.
    step : str
        Who asks, for messages.
    known : list of str, optional
        The names from fit, which those of X must equal where X has some.

    Returns
    -------
    sequences : list of ndarray of shape (n_frames, n_features), or None where the audio failed
    index : pandas.Index
    names : list of str

    Raises
    ------
    ValueError
        If X holds no frame sequences, some value is NaN or infinite, or the features are others
        than in fit; it names the row.
    """
    check_no_feature_union(X, step)
    if not is_frames(X) and not _is_empty(X):
        raise ValueError(
            f"{step} needs frame sequences: a table of a frame-level step such as "
            f"LogMelSpectrogram, a list of arrays (n_frames, n_features), or an array of three "
            f"dimensions. Found {_kind(X)}."
        )
    sequences = as_sequences(X)
    for row, sequence in enumerate(sequences):
        if sequence is not None:
            _check_numbers(sequence, row, step)
    has_index = isinstance(X, pd.DataFrame | pd.Series)
    index = X.index if has_index else pd.RangeIndex(len(sequences))
    return sequences, index, _names(X, sequences, step, known)


def _names(X, sequences, step, known):
    widths = [sequence.shape[1] for sequence in sequences if sequence is not None]
    given = list(getattr(X, "attrs", {}).get(FEATURES_ATTR, []))
    width = widths[0] if widths else len(given) or len(known or [])
    if known is None:
        if not width:
            raise ValueError(
                f"{step} finds no sequence in the {len(sequences)} rows of X to learn the number "
                f"of features from."
            )
        return frame_features(X, width)
    if width != len(known):
        raise ValueError(
            f"{step} was fitted on frames of {len(known)} features, and here they have {width}."
        )
    if len(given) == width and given != known:
        other = next(i for i, pair in enumerate(zip(given, known, strict=True)) if len({*pair}) > 1)
        raise ValueError(
            f"{step} was fitted on other features of frames: feature {other} was "
            f"{known[other]!r} and is {given[other]!r}."
        )
    return known


def _check_numbers(sequence, row, step):
    if sequence.dtype.kind not in "fiub":
        raise ValueError(f"row {row}: {step} needs numbers, found an array of {sequence.dtype}")
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


def _kind(X):
    shape = getattr(X, "shape", None)
    return type(X).__name__ + ("" if shape is None else f" of shape {shape}")
