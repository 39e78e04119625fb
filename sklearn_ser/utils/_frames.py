"""Frame sequences: one array of shape (n_frames, n_features) per utterance, of any length.

The output of a frame-level audio step is a DataFrame with one object column, ``frames``, whose
values are float32 arrays of shape (n_frames, n_features), or NaN for failed audio. scikit-learn
splits and indexes such a table like any other, and its index levels are the ids. The names of the
features are in ``attrs["frame_features"]``. There are two optional attributes:
``attrs["frame_axis"]`` is "layers" where the rows of an array are the layers of a pretrained model
instead of points in time, and ``attrs["hop_length"]`` is the number of seconds between frames.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

#: Column of a table of frame sequences.
FRAMES = "frames"
#: Key of the names of the features in the ``attrs`` of the table.
FEATURES_ATTR = "frame_features"
#: Keys of the optional attributes in the ``attrs`` of a table.
AXIS_ATTR, HOP_ATTR = "frame_axis", "hop_length"
#: Value of `AXIS_ATTR` where the rows of a sequence are layers.
LAYERS = "layers"


def frames_table(sequences, index, names, attrs=None):
    """Build a table of frame sequences, of which some may be None.

    `names` are those of the features, and `attrs` the optional attributes, as of `frame_attrs`.
    """
    values = np.empty(len(sequences), dtype=object)
    for row, sequence in enumerate(sequences):
        values[row] = np.nan if sequence is None else sequence
    table = pd.DataFrame({FRAMES: pd.Series(values, index=index, dtype=object)})
    table.attrs[FEATURES_ATTR] = [str(name) for name in names]
    table.attrs.update(attrs or {})
    return table


def frame_attrs(X):
    """Return the optional attributes of X: `AXIS_ATTR` and `HOP_ATTR`, where present."""
    attrs = getattr(X, "attrs", {})
    return {key: attrs[key] for key in (AXIS_ATTR, HOP_ATTR) if key in attrs}


def is_frames(X: Any) -> bool:
    """Return whether X has frame sequences: an object column, 3 dimensions, or 2-D arrays."""
    if isinstance(X, pd.DataFrame):
        if X.shape[1] != 1 or X.iloc[:, 0].dtype.kind != "O":
            return False
        # A table of frames stays one where all of its audio failed.
        return X.columns[0] == FRAMES or _holds_sequences(X.iloc[:, 0])
    if isinstance(X, np.ndarray) and X.dtype != object:
        return X.ndim == 3
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1:
        return _holds_sequences(X[:, 0])
    return isinstance(X, list | tuple | pd.Series | np.ndarray) and _holds_sequences(X)


def as_sequences(X):
    """Return the sequences of any X that `is_frames` accepts, None where the audio failed.

    They have any numeric dtype and are not copied. In an array of three dimensions, failed audio is
    entirely NaN. An element that is not a sequence raises a ValueError.
    """
    values = X.iloc[:, 0] if isinstance(X, pd.DataFrame) else X
    if isinstance(values, np.ndarray) and values.dtype == object and values.ndim == 2:
        values = values[:, 0]
    stacked = isinstance(values, np.ndarray) and values.ndim == 3
    is_failed = _is_nan_throughout if stacked else _is_missing
    sequences = [None if is_failed(value) else value for value in values]
    width = None
    for row, sequence in enumerate(sequences):
        if sequence is None:
            continue
        if not isinstance(sequence, np.ndarray) or sequence.ndim != 2:
            raise ValueError(
                f"row {row}: expected an array (n_frames, n_features), found "
                f"{kind_and_shape(sequence)}"
            )
        if 0 in sequence.shape:
            raise ValueError(f"row {row}: the sequence is empty, of shape {sequence.shape}")
        width = sequence.shape[1] if width is None else width
        if sequence.shape[1] != width:
            raise ValueError(
                f"row {row}: the frames have {sequence.shape[1]} features, but those of earlier "
                f"rows have {width}"
            )
    return sequences


def frame_features(X, width):
    """Return the names of the features: those of X, or frame_000, frame_001, ..."""
    names = list(getattr(X, "attrs", {}).get(FEATURES_ATTR, []))
    return names if len(names) == width else [f"frame_{i:03d}" for i in range(width)]


def check_no_feature_union(X, step):
    """Raise for a table of several columns with sequences, as returned by a FeatureUnion."""
    if isinstance(X, pd.DataFrame):
        # A Series of each of thousands of columns of numbers would take longer than the step.
        positions = [i for i, dtype in enumerate(X.dtypes) if dtype.kind == "O"]
        columns = {X.columns[i]: X.iloc[:, i] for i in positions}
    elif isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype == object:
        columns = dict(enumerate(X.T))
    else:
        return
    of_sequences = [name for name, column in columns.items() if _holds_sequences(column)]
    if of_sequences and X.shape[1] > 1:
        shown = ", ".join(map(repr, of_sequences[:4])) + (", ..." if len(of_sequences) > 4 else "")
        raise ValueError(
            f"{step} is given {X.shape[1]} columns with frame sequences in {shown}. Sequences "
            f"cannot be united column by column: in the FeatureUnion, pool each to a row "
            f"(FunctionalsPooling after the frame-level step)."
        )


def check_numpy_sequences(X):
    """Raise for sequences that are not numpy arrays (tensors, nested lists)."""
    if getattr(X, "ndim", 0) == 3 and not isinstance(X, np.ndarray):
        found = kind_and_shape(X)
    else:
        values = X.iloc[:, 0] if isinstance(X, pd.DataFrame) and X.shape[1] == 1 else X
        if not isinstance(values, list | tuple | pd.Series):
            return
        row, value = next(((i, c) for i, c in enumerate(values) if not _is_missing(c)), (0, None))
        if isinstance(value, np.ndarray) or not _is_table(value):
            return
        found = f"{kind_and_shape(value)} in row {row}"
    raise ValueError(
        "frame sequences must be numpy arrays (n_frames, n_features), one for each row; found "
        f"{found}. Convert them: [numpy.asarray(sequence) for sequence in X]."
    )


def _is_table(value):
    try:
        return np.ndim(value) == 2
    except ValueError:  # of lists of several lengths
        return False


def _holds_sequences(values):
    """Return whether the first value that is not missing is a 2-D array."""
    for value in values:
        if not _is_missing(value):
            return isinstance(value, np.ndarray) and value.ndim == 2
    return False


def _is_missing(value):
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def _is_nan_throughout(sequence):
    if sequence.size == 0 or sequence.dtype.kind != "f":
        return False
    return bool(np.isnan(sequence[0, 0]) and np.isnan(sequence).all())


def kind_and_shape(value):
    """Describe an object by its type and shape, for an error message."""
    shape = getattr(value, "shape", None)
    return type(value).__name__ + ("" if shape is None else f" of shape {shape}")
