"""Frame sequences as ``fit`` and the predictions are given them: checked, packed, names kept."""

import numpy as np
import torch

from sklearn_ser.neural_network._sequences import FrameSequences
from sklearn_ser.utils._frames import FEATURES_ATTR, as_sequences, frame_features


def check_sequences(estimator, X, dtype, *, reset):
    """Pack frame sequences, and tell which of them are failed audio (missing).

    Sets or compares the number of features of a frame and, where X brings them, their names.

    Returns
    -------
    FrameSequences
        Of all rows; a failed one has no frames.
    failed : ndarray of bool of shape (n_rows,)

    Raises
    ------
    ValueError
        Naming the row that cannot be used.
    """
    sequences = as_sequences(X)
    if not sequences:
        raise ValueError("X has no rows: at least one frame sequence is needed.")
    failed = np.array([sequence is None for sequence in sequences])
    known = [sequence for sequence in sequences if sequence is not None]
    width = known[0].shape[1] if known else _expected_width(estimator, reset)
    if not reset:
        _compare_features(estimator, X, width)
    lengths = [0 if sequence is None else len(sequence) for sequence in sequences]
    frames = np.empty((sum(lengths), width), dtype=dtype)
    end = 0
    for row, sequence in enumerate(sequences):
        if sequence is not None:
            start, end = end, end + len(sequence)
            _fill(frames[start:end], sequence, row, X)
    if reset:
        _keep_features(estimator, X, width)
    return FrameSequences.packed(torch.from_numpy(frames), lengths), failed


def check_equal_lengths(sequences, failed, n_layers):
    """Refuse sequences that do not all have `n_layers` (None: as many as the first) rows."""
    lengths, rows = sequences.lengths[~failed].tolist(), np.flatnonzero(~failed)
    if not lengths:
        return
    expected = lengths[0] if n_layers is None else n_layers
    for row, length in zip(rows, lengths, strict=True):
        if length != expected:
            raise ValueError(
                f"row {row}: encoder='layers' takes sequences of one length, the layers of a "
                f"pretrained model; this one has {length}, and "
                f"{'those of fit' if n_layers else f'row {rows[0]}'} {expected}. For frames over "
                'time use encoder="attention".'
            )


def _fill(place, sequence, row, X):
    """Copy one sequence; raise where it holds anything but finite numbers."""
    if sequence.dtype.kind not in "fiub":
        raise ValueError(
            f"row {row}: expected a sequence of numbers, found an array of dtype {sequence.dtype}"
        )
    with np.errstate(over="ignore"):  # what is too large for the dtype is found below
        place[:] = sequence
    if np.isfinite(place).all():
        return
    frame, feature = np.argwhere(~np.isfinite(place))[0]
    name = frame_features(X, place.shape[1])[feature]
    raise ValueError(
        f"row {row}: the sequence holds {sequence[frame, feature]} in frame {frame}, feature "
        f"{name!r}, where a finite {place.dtype} is needed. Audio that failed is None or NaN in "
        "place of the whole sequence."
    )


def _expected_width(estimator, reset):
    """Number of features where no sequence is there to tell it."""
    if reset:
        raise ValueError("no row of X has a frame sequence (failed audio): nothing to train on.")
    return estimator.n_features_in_


def _names(X):
    return [str(name) for name in getattr(X, "attrs", {}).get(FEATURES_ATTR, [])]


def _keep_features(estimator, X, width):
    estimator.n_features_in_ = width
    vars(estimator).pop("feature_names_in_", None)
    names = _names(X)
    if len(names) == width:
        estimator.feature_names_in_ = np.asarray(names, dtype=object)


def _compare_features(estimator, X, width):
    name, expected = type(estimator).__name__, estimator.n_features_in_
    if width != expected:
        raise ValueError(
            f"X has {width} features a frame, but {name} is expecting {expected} features a frame, "
            "as in fit."
        )
    found, known = _names(X), list(getattr(estimator, "feature_names_in_", []))
    if len(found) != width or not known or found == known:
        return
    place = next(i for i in range(width) if found[i] != known[i])
    raise ValueError(
        f"the frames of X do not have the features of fit: the first that differs is feature "
        f"{place}, {found[place]!r} here and {known[place]!r} in fit."
    )
