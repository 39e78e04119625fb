"""Validation of the inputs of ``fit`` and of the predictions; failed audio is separated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, assert_all_finite, validate_data

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.neural_network._nested_params import parameter_object
from sklearn_ser.neural_network._sequences import FrameSequences
from sklearn_ser.neural_network.encoders._registry import check_kind, data_parameters, takes_frames
from sklearn_ser.utils._alignment import SAMPLER_HINT, check_aux, check_row_orders
from sklearn_ser.utils._failed_rows import failed_rows, warn_failed_rows
from sklearn_ser.utils._frames import FEATURES_ATTR, as_sequences, frame_features
from sklearn_ser.utils._ids import ids_as_levels, rows_text
from sklearn_ser.utils._unlabeled import labeled_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from torch import nn


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
    """Usable samples of a fit."""

    X: torch.Tensor | FrameSequences
    y: np.ndarray  # arbitrary values for unlabeled samples
    labeled: np.ndarray  # mask
    aux: pd.DataFrame | None
    groups: np.ndarray | None
    weights: np.ndarray  # sample weights
    sources: np.ndarray | None = None  # (n_samples, k): originals that each sample was made from

    def take(self, rows: np.ndarray) -> TrainingData:
        """Return the samples of a mask."""
        return TrainingData(
            X=self.X[rows],
            y=self.y[rows],
            labeled=self.labeled[rows],
            aux=None if self.aux is None else self.aux[rows].reset_index(drop=True),
            groups=None if self.groups is None else self.groups[rows],
            weights=self.weights[rows],
            sources=None if self.sources is None else self.sources[rows],
        )


def check_inputs(estimator: Any, X: ArrayLike) -> tuple[torch.Tensor | FrameSequences, np.ndarray]:
    """Return X for predictions, arbitrary values for failed samples, and the mask of these."""
    architecture = estimator._architecture
    X = feature_table(estimator, X)
    check_kind(architecture["encoder"], X)
    return _convert_inputs(
        estimator, X, architecture["dtype"], architecture["encoder"], reset=False
    )


def feature_table(estimator: Any, X: Any) -> Any:
    """Return X without its id columns, which become index levels; other kinds are unchanged."""
    # Numbers, too: speakers are often numbered, and the network would learn who speaks.
    by = parameter_object(estimator, "validation").by
    return ids_as_levels(X, () if by is None else (by,))


def _convert_inputs(estimator, X, dtype, encoder, *, reset):
    """Convert X, which is known to be of the kind that the encoder takes."""
    if takes_frames(encoder):
        x, failed = check_sequences(estimator, X, np.dtype(dtype), reset=reset)
        if "n_layers" in data_parameters(encoder):
            check_equal_lengths(x, failed, None if reset else estimator._architecture["n_layers"])
        return x, failed
    values, failed = _check_features(estimator, X, dtype, reset=reset)
    # torch shares memory with numpy, warns if that is read-only (a memmap of joblib), and cannot
    # share it backwards (X[::-1]).
    return torch.from_numpy(np.require(values, requirements=["C", "W"])), failed


def _check_features(estimator, X, dtype, *, reset):
    """Return X as a 2-D float array, and the mask of rows that are all NaN."""
    with np.errstate(over="ignore"):  # values too large for the dtype are reported below
        values = validate_data(
            estimator, X, dtype=np.dtype(dtype), ensure_all_finite=False, reset=reset
        )
    failed = failed_rows(values)
    bad = ~np.isfinite(values[~failed])
    if not bad.any():
        return values, failed
    position, column = np.argwhere(bad)[0]
    row = int(np.flatnonzero(~failed)[position])
    # (scikit-learn's checks look for these first words)
    too_large = f"infinity or a value too large for {values.dtype!r}"
    kind = "NaN" if np.isnan(values[row, column]) else too_large
    names = list(X.columns) if isinstance(X, pd.DataFrame) else None
    name = f"column {int(column)}" if names is None else f"column {names[column]!r}"
    n_rows = int(bad.any(axis=1).sum())
    raise ValueError(
        f"Input X contains {kind}: row {row}, {name} (one of {n_rows} such row(s)). Rows of failed "
        "audio are NaN throughout and are left out. If only some values are missing, impute them "
        "(SimpleImputer before the network) or leave the rows out."
    )


def check_training_data(
    estimator: Any,
    arguments: FitArguments,
    table: Any,
    encoder: str | type[nn.Module],
    *,
    groups: ArrayLike | None,
    dtype: str,
    classes: ArrayLike | None = None,
    reset: bool = True,
) -> TrainingData:
    """Validate the arguments of ``fit``, of which `table` is X without ids; drop failed audio."""
    X, y, unlabeled = arguments.X, arguments.y, estimator.unlabeled
    x, failed = _convert_inputs(estimator, table, dtype, encoder, reset=reset)
    if y is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None"
        )
    aux, sample_weight = arguments.aux, arguments.sample_weight
    check_row_orders(X, y, {"aux": aux, "groups": groups, "sample_weight": sample_weight})
    y = column_or_1d(_mixed_list_as_objects(y), warn=True)
    check_consistent_length(failed, y)
    y, labeled = _check_labels(y, unlabeled, classes)
    with np.errstate(over="ignore"):  # values too large for the dtype raise an error
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
        sources=_check_sources(arguments.sources, len(failed)),
    )
    warn_failed_rows(failed)
    if failed.any():
        data = data.take(~failed)
    _check_classes(estimator, data, classes)
    return data


def _check_labels(y, unlabeled, known):
    """Return y and the mask of labeled samples; with the classes `known`, there may be none."""
    if y.dtype.kind == "f":
        assert_all_finite(y, allow_nan=True, input_name="y")
    missing = ~labeled_rows(y)
    if missing.any() and unlabeled != "nan":
        raise ValueError(
            f"Input y has no label (None, NaN or an empty string) in {rows_text(missing)}. Leave "
            "these samples out, or set unlabeled='nan' to train only the auxiliary tasks on them."
        )
    labeled = labeled_rows(y, unlabeled)
    if y.dtype == object:
        _check_one_type(y, labeled)
    _check_sentinel_type(y, labeled, unlabeled)
    if unlabeled is None:
        return y, labeled
    if not labeled.any():
        if known is None:
            raise ValueError(
                f"y has no labeled sample (unlabeled={unlabeled!r}). At least 2 classes are needed."
            )
        return np.full(len(y), known[0]), labeled
    if y.dtype == object:
        # Without sentinel values, the labels may be plain numbers or plain strings.
        y = np.where(labeled, y, y[labeled][0])
        y = np.array(y.tolist())
    return y, labeled


def _mixed_list_as_objects(y):
    """Return a list with strings and others as an object array, not as an array of strings."""
    if not isinstance(y, list | tuple):
        return y
    kinds = {isinstance(value, str) for value in y}
    return np.array(y, dtype=object) if len(kinds) == 2 else y


def _check_one_type(y, labeled):
    """Check that labels are all strings or all others; numpy would convert numbers to strings."""
    is_text = np.array([isinstance(value, str) for value in y], dtype=bool)
    texts, others = (np.flatnonzero(labeled & kind) for kind in (is_text, ~is_text))
    if len(texts) and len(others):
        raise ValueError(
            f"y contains strings and other labels: {y[texts[0]]!r} in row {texts[0]}, "
            f"{y[others[0]]!r} in row {others[0]}. Pass labels of one type."
        )


def _check_sentinel_type(y, labeled, unlabeled):
    """Check for sentinel values as strings: np.array(["anger", -1]) contains "-1"."""
    if unlabeled is None or y.dtype.kind not in "UO":
        return
    texts = np.flatnonzero(labeled)[y[labeled] == str(unlabeled)]
    if len(texts):
        raise ValueError(
            f"y contains the string {str(unlabeled)!r} in {len(texts)} samples (the first in row "
            f"{texts[0]}), and unlabeled={unlabeled!r}: numpy converts all values beside strings "
            "to strings. Pass a list, a Series, or an array with dtype=object."
        )


def _check_classes(estimator, data, known):
    check_classification_targets(data.y[data.labeled])
    if known is not None:
        unknown = np.setdiff1d(data.y[data.labeled], known)
        if len(unknown):
            raise ValueError(
                f"y contains the labels {unknown.tolist()}, which are not among the classes "
                f"{np.asarray(known).tolist()} of the fitted network."
            )
        return
    classes = np.unique(data.y[data.labeled & (data.weights > 0)])
    if len(classes) < 2:
        # (scikit-learn's checks look for "1 class")
        remaining = f"only 1 class, {classes.tolist()[0]!r}" if len(classes) else "no class"
        raise ValueError(
            f"{type(estimator).__name__} needs samples of at least 2 classes in y; among the "
            f"labeled samples with a weight above 0 and usable features there is {remaining}."
        )


def _check_groups(groups, n_rows):
    if groups is None:
        return None
    groups = np.asarray(groups, dtype=object)
    if groups.shape != (n_rows,):
        raise MetadataError(
            f"groups must have one value per row of X, shape ({n_rows},), got {groups.shape}. "
            f"{SAMPLER_HINT}"
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
            f"sources must be integers of shape ({n_rows},) or ({n_rows}, k), the original rows "
            f"that each row of X was made from; got {sources.dtype} of shape {sources.shape}."
        )
    return sources


def check_sequences(
    estimator: Any, X: ArrayLike, dtype: np.dtype, *, reset: bool
) -> tuple[FrameSequences, np.ndarray]:
    """Pack frame sequences, and return which of them are failed audio (missing, without frames)."""
    sequences = as_sequences(X)
    if not sequences:
        raise ValueError("X has no rows. At least one frame sequence is required.")
    failed = np.array([sequence is None for sequence in sequences])
    usable = [sequence for sequence in sequences if sequence is not None]
    if usable:
        width = usable[0].shape[1]
    elif reset:
        raise ValueError("No row of X has a frame sequence (failed audio): nothing to train on.")
    else:
        width = estimator.n_features_in_
    if not reset:
        _compare_features(estimator, X, width)
    lengths = [0 if sequence is None else len(sequence) for sequence in sequences]
    frames = np.empty((sum(lengths), width), dtype=dtype)
    end = 0
    for row, sequence in enumerate(sequences):
        if sequence is not None:
            start, end = end, end + len(sequence)
            _copy_finite(frames[start:end], sequence, row, X)
    if reset:
        _store_features(estimator, X, width)
    return FrameSequences.packed(torch.from_numpy(frames), lengths), failed


def check_equal_lengths(
    sequences: FrameSequences, failed: np.ndarray, n_layers: int | None
) -> None:
    """Check that all sequences have `n_layers` rows, or as many as the first if it is None."""
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


def _copy_finite(target, sequence, row, X):
    """Copy a sequence; raise an error if it contains anything but finite numbers."""
    if sequence.dtype.kind not in "fiub":
        raise ValueError(
            f"row {row}: expected a sequence of numbers, found an array of dtype {sequence.dtype}"
        )
    with np.errstate(over="ignore"):  # values too large for the dtype are reported below
        target[:] = sequence
    if np.isfinite(target).all():
        return
    frame, feature = np.argwhere(~np.isfinite(target))[0]
    name = frame_features(X, target.shape[1])[feature]
    raise ValueError(
        f"row {row}: the sequence contains {sequence[frame, feature]} in frame {frame}, feature "
        f"{name!r}, where a finite {target.dtype} is needed. For failed audio, pass None or NaN "
        "instead of the whole sequence."
    )


def _feature_names(X) -> Sequence[str]:
    return [str(name) for name in getattr(X, "attrs", {}).get(FEATURES_ATTR, [])]


def _store_features(estimator, X, width):
    estimator.n_features_in_ = width
    vars(estimator).pop("feature_names_in_", None)
    names = _feature_names(X)
    if len(names) == width:
        estimator.feature_names_in_ = np.asarray(names, dtype=object)


def _compare_features(estimator, X, width):
    name, expected = type(estimator).__name__, estimator.n_features_in_
    if width != expected:
        raise ValueError(
            f"X has {width} features per frame, but {name} is expecting {expected} features per "
            "frame, as in fit."
        )
    names, known = _feature_names(X), list(getattr(estimator, "feature_names_in_", []))
    if len(names) != width or not known or names == known:
        return
    index = next(i for i in range(width) if names[i] != known[i])
    raise ValueError(
        f"The frames of X do not have the features of fit. The first that differs is feature "
        f"{index}, {names[index]!r} here and {known[index]!r} in fit."
    )
