"""What ``fit`` and the predictions are given: checked, aligned, rows of failed audio set apart."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, assert_all_finite, validate_data

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.neural_network._sequences import FrameSequences
from sklearn_ser.neural_network.encoders._registry import check_kind, data_parameters, takes_frames
from sklearn_ser.utils._alignment import OF_SAMPLERS, check_aux, check_row_orders
from sklearn_ser.utils._failed import failed_rows, report_left_out
from sklearn_ser.utils._frames import FEATURES_ATTR, as_sequences, frame_features
from sklearn_ser.utils._ids import ID_COLUMNS
from sklearn_ser.utils._unlabeled import labeled_rows


def check_inputs(estimator, X, dtype, encoder, *, reset):
    """X as the network takes it, and which of its rows are failed audio.

    Parameters
    ----------
    estimator : estimator
        Its number (and names) of features are set or compared.
    X : array-like of shape (n_rows, n_features), or frame sequences
    dtype : {"float32", "float64"}
    encoder : str or type
        The encoder that X is for.
    reset : bool
        Whether this is `fit`.

    Returns
    -------
    x : Tensor of shape (n_rows, n_features), or FrameSequences
        What it holds of failed rows means nothing.
    failed : ndarray of bool of shape (n_rows,)

    Raises
    ------
    ValueError
        Where a row has only some NaN, or an infinite value, or is of the wrong kind.
    MetadataError
        If ids stand among the features.
    """
    check_kind(encoder, X)
    if takes_frames(encoder):
        x, failed = check_sequences(estimator, X, np.dtype(dtype), reset=reset)
        if "n_layers" in data_parameters(encoder):
            check_equal_lengths(x, failed, None if reset else estimator._architecture["n_layers"])
        return x, failed
    values, failed = _check_features(estimator, X, dtype, reset=reset)
    # torch shares memory with numpy, warns where that is read-only (a memmap of joblib's), and
    # cannot share it backwards (X[::-1]).
    return torch.from_numpy(np.require(values, requirements=["C", "W"])), failed


def _check_features(estimator, X, dtype, *, reset):
    """X as a 2-D float array, and which of its rows are all NaN."""
    if isinstance(X, pd.DataFrame):
        # (numbers too: actors are numbered, and a network would learn who speaks)
        ids = [name for name in ID_COLUMNS if name in X.columns]
        if ids:
            raise MetadataError(
                f"X has the id columns {ids} among its features. Ids travel to a network as index "
                f"levels: X.set_index({ids}, append=True), as the extractors of "
                "sklearn_ser.feature_extraction give them."
            )
    with np.errstate(over="ignore"):  # what is too large for the dtype is found below
        values = validate_data(
            estimator, X, dtype=np.dtype(dtype), ensure_all_finite=False, reset=reset
        )
    failed = failed_rows(values)
    _refuse_not_finite(values, failed, X)
    return values, failed


def _refuse_not_finite(values, failed, X):
    """Raise at the first value that is NaN or infinite in a row that has others."""
    bad = ~np.isfinite(values[~failed])
    if not bad.any():
        return
    place, column = np.argwhere(bad)[0]
    row = int(np.flatnonzero(~failed)[place])
    # (scikit-learn's checks look for these first words)
    too_large = f"infinity or a value too large for {values.dtype!r}"
    kind = "NaN" if np.isnan(values[row, column]) else too_large
    names = list(X.columns) if isinstance(X, pd.DataFrame) else None
    name = f"column {int(column)}" if names is None else f"column {names[column]!r}"
    n_rows = int(bad.any(axis=1).sum())
    raise ValueError(
        f"Input X contains {kind}: row {row}, {name} (one of {n_rows} such row(s)). A row of "
        "failed audio is NaN throughout and left out; where only some values are missing, impute "
        "them (SimpleImputer before the network) or leave the rows out."
    )


@dataclass(frozen=True)
class FitArguments:
    """Arguments of ``fit``, as they were passed."""

    X: Any
    y: Any
    aux: Any = None
    groups: Any = None
    sample_weight: Any = None
    sources: Any = None


@dataclass
class TrainingData:
    """The rows of a fit that can be trained on, and what is known of each of them.

    Parameters
    ----------
    X : Tensor of shape (n_rows, n_features), or FrameSequences
    y : ndarray of shape (n_rows,)
        Values in rows that are not `labeled` mean nothing.
    labeled : ndarray of bool of shape (n_rows,)
    aux : DataFrame of n_rows rows, or None
    groups : ndarray of shape (n_rows,) or None
    weights : ndarray of shape (n_rows,)
    sources : ndarray of int of shape (n_rows, k) or None
        The original rows that each row was made from.
    """

    X: torch.Tensor | FrameSequences
    y: np.ndarray
    labeled: np.ndarray
    aux: pd.DataFrame | None
    groups: np.ndarray | None
    weights: np.ndarray
    sources: np.ndarray | None = None

    def take(self, rows):
        """The same data with only the rows of this mask."""
        return TrainingData(
            X=self.X[rows],
            y=self.y[rows],
            labeled=self.labeled[rows],
            aux=None if self.aux is None else self.aux[rows].reset_index(drop=True),
            groups=None if self.groups is None else self.groups[rows],
            weights=self.weights[rows],
            sources=None if self.sources is None else self.sources[rows],
        )


def check_training_data(
    estimator,
    X,
    y,
    aux,
    groups,
    sample_weight,
    *,
    sources=None,
    dtype,
    encoder,
    unlabeled,
    classes=None,
    reset=True,
):
    """Check everything that ``fit`` got, and drop the rows of failed audio with a warning.

    With `classes`, y must have none but these, and may lack some. ``reset=False`` compares X with
    the features of an earlier fit.

    Returns
    -------
    TrainingData
    """
    x, failed = check_inputs(estimator, X, dtype, encoder, reset=reset)
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None"
        )
    check_row_orders(X, y, {"aux": aux, "groups": groups, "sample_weight": sample_weight})
    y = column_or_1d(_list_as_it_is(y), warn=True)
    check_consistent_length(failed, y)
    y, labeled = _check_labels(y, unlabeled, classes)
    with np.errstate(over="ignore"):  # what is too large for the dtype is refused
        weights = _check_sample_weight(
            sample_weight, failed, dtype=np.dtype(dtype), ensure_non_negative=True
        )
    data = TrainingData(
        X=x,
        y=y,
        labeled=labeled,
        aux=check_aux(aux, len(failed)),
        groups=_check_groups(groups, len(failed)),
        weights=weights,
        sources=_check_sources(sources, len(failed)),
    )
    report_left_out(failed)
    if failed.any():
        data = data.take(~failed)
    _check_classes(estimator, data, classes)
    return data


def _check_labels(y, unlabeled, known=None):
    """y, and which of its rows have a label; missing labels are refused unless asked for.

    With the classes `known`, no row needs to have one.
    """
    if y.dtype.kind == "f":
        assert_all_finite(y, allow_nan=True, input_name="y")
    missing = ~labeled_rows(y)
    if missing.any() and unlabeled != "nan":
        raise ValueError(
            f"Input y contains NaN (or None) in {missing.sum()} rows, the first is row "
            f"{np.flatnonzero(missing)[0]}. Leave these rows out, or set unlabeled='nan' to "
            "train only the auxiliary tasks on them."
        )
    labeled = labeled_rows(y, unlabeled)
    if y.dtype == object:
        _refuse_mixed_labels(y, labeled)
    _refuse_text_marks(y, labeled, unlabeled)
    if unlabeled is None:
        return y, labeled
    if not labeled.any():
        if known is None:
            raise ValueError(f"no row of y has a label (unlabeled={unlabeled!r}).")
        return np.full(len(y), known[0]), labeled
    if y.dtype == object:
        # Without the markers the rest may be plain numbers or plain strings.
        y = np.where(labeled, y, y[labeled][0])
        y = np.array(y.tolist())
    return y, labeled


def _list_as_it_is(y):
    """A list as an object array where numpy would make texts of its marks (-1, NaN)."""
    if not isinstance(y, list | tuple):
        return y
    kinds = {isinstance(value, str) for value in y}
    return np.array(y, dtype=object) if len(kinds) == 2 else y


def _refuse_mixed_labels(y, labeled):
    """Texts among numbers would become texts, which equal none of the numbers."""
    is_text = np.array([isinstance(value, str) for value in y], dtype=bool)
    texts, others = (np.flatnonzero(labeled & kind) for kind in (is_text, ~is_text))
    if len(texts) and len(others):
        raise ValueError(
            f"y holds texts and other labels: {y[texts[0]]!r} in row {texts[0]}, "
            f"{y[others[0]]!r} in row {others[0]}. Give labels of one kind."
        )


def _refuse_text_marks(y, labeled, unlabeled):
    """np.array(["anger", -1]) holds the text "-1", which marks nothing."""
    if unlabeled is None or y.dtype.kind not in "UO":
        return
    marks = np.flatnonzero(labeled)[y[labeled] == str(unlabeled)]
    if len(marks):
        raise ValueError(
            f"y holds the text {str(unlabeled)!r} in {len(marks)} rows (the first is row "
            f"{marks[0]}), and unlabeled={unlabeled!r}: numpy makes texts of all that stands "
            "beside texts. Give a list, a Series, or an array with dtype=object."
        )


def _check_classes(estimator, data, known):
    check_classification_targets(data.y[data.labeled])
    if known is not None:
        strange = np.setdiff1d(data.y[data.labeled], known)
        if len(strange):
            raise ValueError(
                f"y has the labels {strange.tolist()}, which are none of the classes "
                f"{np.asarray(known).tolist()} that the network was fitted for."
            )
        return
    classes = np.unique(data.y[data.labeled & (data.weights > 0)])
    if len(classes) < 2:
        found = f"only 1 class, {classes.tolist()[0]!r}" if len(classes) else "no class"
        raise ValueError(
            f"{type(estimator).__name__} needs rows of at least 2 classes in y; among the rows "
            f"with a label, a weight above 0 and usable features there is {found}."
        )


def _check_groups(groups, n_rows):
    if groups is None:
        return None
    groups = np.asarray(groups, dtype=object)
    if groups.shape != (n_rows,):
        raise MetadataError(
            f"groups must have one value per row of X, shape ({n_rows},), got {groups.shape}. "
            f"{OF_SAMPLERS}"
        )
    return groups


def _check_sources(sources, n_rows):
    if sources is None:
        return None
    sources = np.asarray(sources)
    if sources.ndim == 1:
        sources = sources[:, None]
    if sources.ndim != 2 or len(sources) != n_rows or sources.dtype.kind not in "iu":
        raise MetadataError(
            f"sources must be whole numbers of shape ({n_rows},) or ({n_rows}, k), the original "
            f"rows that each row of X was made from; got {sources.dtype} of shape {sources.shape}."
        )
    return sources


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
        raise ValueError("X has no rows. At least one frame sequence is required.")
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
