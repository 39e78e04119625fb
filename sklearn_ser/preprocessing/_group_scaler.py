"""Standardization of features within each corpus or speaker."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral, Real
from typing import NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pandas.api.types import is_numeric_dtype, is_object_dtype
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin, _fit_context
from sklearn.utils import check_array
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted, validate_data

from sklearn_ser.exceptions import AudioError, MetadataError
from sklearn_ser.preprocessing._transduction import batch_statistics_allowed, note_batch_statistics
from sklearn_ser.utils._failed_rows import failed_rows
from sklearn_ser.utils._frames import check_no_feature_union, is_frames
from sklearn_ser.utils._ids import (
    ID_COLUMNS,
    canonical_ids,
    find_id,
    id_columns,
    ids_as_levels,
    require_id,
)
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.preprocessing")
class GroupScaler(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Standardize features within each group: corpus, speaker, or speaker within corpus.

    Corpora differ in microphone, room and level, speakers in voice; both affect the features more
    than emotion does. Standardization within a group, z = (x - mean) / standard deviation, removes
    these differences.

    The ids of the groups are columns or index levels of X, as in the output of extractors.

    Parameters
    ----------
    by : str, list of str or None, default=None
        Id or ids that define a group, outermost first: ``"corpus"``, ``"speaker"``,
        ``["corpus", "speaker"]``. With several, a group is identified by all ids down to its
        level, and its statistics are shrunk towards those of its parent group (see `shrinkage`).
        None scales like
        :class:`~sklearn.preprocessing.StandardScaler`.
    shrinkage : float, default=20.0
        Strength of the shrinkage of a nested group (a speaker in its corpus) towards its parent
        group. The mean of a group of n rows is ``w * own + (1 - w) * parent`` with
        w = n / (n + shrinkage), and likewise its variance. 0 is no shrinkage. The first level is
        never shrunk.
    min_samples : int, default=10
        Minimum number of rows, at least 2, for computing the statistics of a group.

    Attributes
    ----------
    mean_, var_, scale_ : ndarray of shape (n_features_in_,)
        Mean, variance and divisor over the whole training set, in float64; the divisor of a
        constant feature is 1.
    n_samples_seen_ : int
        Number of training rows; rows of failed audio are left out.
    group_keys_ : list of list
        Groups of the training set, each as its ids (strings) down to its level.
    group_sizes_ : ndarray of shape (n_groups,)
        Number of training rows of each group.
    group_means_, group_vars_ : ndarray of shape (n_groups, n_features_in_)
        Means and variances of the groups, after shrinkage.
    n_features_in_ : int
        Number of features, without ids.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features, where X has names.

    See Also
    --------
    FrameScaler : Standardize the features of frames.

    Notes
    -----
    In `transform`, a row is scaled by the statistics of its innermost group that has any:

    - for a group of the training set (with at least `min_samples` rows): those from training;
    - for an unknown group with at least `min_samples` rows in this batch: those of its rows in
      this batch, shrunk like those from training. **This is transductive**: it uses other
      utterances to be predicted (never their labels), and should be reported separately;
    - for a row without the id (the column absent, or None or NaN), or of an unknown group that is
      too small in this batch: those of the parent group, and finally of the whole training set.

    A single utterance, or a table without ids, therefore never depends on the batch.

    Rows that are entirely NaN (failed audio) are left out of all statistics and remain NaN.

    A table (of pandas, polars, pyarrow, ...) gives a pandas DataFrame with the same row order.
    Columns with an id (those of `by`, and corpus, speaker, language, text, recording, also with the
    prefix of a ColumnTransformer) become index levels, so that later steps can access them but do
    not treat them as features. Beside other steps of a ColumnTransformer with pandas output, give
    ids as index levels of X: it pairs the outputs of its steps by their index. float32 is
    preserved.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.preprocessing import GroupScaler
    >>> X = pd.DataFrame({"loudness": [1.0, 3.0, 10.0, 14.0], "corpus": list("aabb")})
    >>> scaler = GroupScaler(by="corpus", min_samples=2).fit(X)
    >>> scaler.transform(X)
              loudness
      corpus
    0 a           -1.0
    1 a            1.0
    2 b           -1.0
    3 b            1.0

    A single new utterance of corpus b is scaled by the training statistics of b; one of an unknown
    corpus by those of the whole training set, whose mean is 7:

    >>> scaler.transform(pd.DataFrame({"loudness": [12.0], "corpus": ["b"]})).to_numpy()
    array([[0.]])
    >>> scaler.transform(pd.DataFrame({"loudness": [7.0], "corpus": ["c"]})).to_numpy()
    array([[0.]])

    The ids are required by fit:

    >>> scaler.fit(X[["loudness"]])
    Traceback (most recent call last):
        ...
    sklearn_ser.exceptions.MetadataError: GroupScaler(by='corpus') needs 'corpus' for each row: ...
    """

    _parameter_constraints = {
        "by": [None, str, list, tuple],
        "shrinkage": [Interval(Real, 0, None, closed="left")],
        "min_samples": [Interval(Integral, 2, None, closed="left")],
    }

    def __init__(
        self,
        by: str | Sequence[str] | None = None,
        *,
        shrinkage: float = 20.0,
        min_samples: int = 10,
    ):
        self.by = by
        self.shrinkage = shrinkage
        self.min_samples = min_samples

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: ArrayLike, y: ArrayLike | None = None) -> Self:
        """Compute the statistics of the training set and of its groups.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Features, with the ids of `by` as columns or index levels.
        y : None
            Ignored.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        MetadataError
            If an id of `by` is neither a column nor an index level of X.
        ValueError
            If X has infinite values or a row that is partly NaN, or holds frame sequences.
        """
        owner = f"GroupScaler(by={self.by!r})"
        values, failed, X = self._read(X, reset=True)
        ids = [canonical_ids(require_id(X, name, owner)) for name in self._names()]
        if failed.all():
            raise AudioError(
                "every row of X is NaN: GroupScaler needs at least one usable row to be fitted"
            )
        rows = np.flatnonzero(~failed)
        whole = statistics_of(values[rows])
        self.mean_, self.var_, self.scale_ = whole.mean, whole.var, whole.scale
        self.n_samples_seen_ = len(rows)

        groups = list(self._training_groups(values, ids, rows, (), whole))
        self.group_keys_ = [list(key) for key, _, _ in groups]
        self.group_sizes_ = np.array([size for _, size, _ in groups], dtype=np.intp)
        shape = (len(groups), self.n_features_in_)
        self.group_means_ = np.array([own.mean for _, _, own in groups]).reshape(shape)
        self.group_vars_ = np.array([own.var for _, _, own in groups]).reshape(shape)
        return self

    def transform(self, X: ArrayLike) -> pd.DataFrame | np.ndarray:
        """Scale each row by the statistics of its group, as described in the Notes.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            Features, with the ids of `by`, where known, as columns or index levels.

        Returns
        -------
        DataFrame or ndarray of shape (n_samples, n_features)
            Scaled features; for a DataFrame a DataFrame with ids as index levels.
        """
        check_is_fitted(self)
        values, failed, X = self._read(X, reset=False)
        levels = [find_id(X, name) for name in self._names()]
        missing = np.full(len(values), None, dtype=object)
        ids = [missing if level is None else canonical_ids(level) for level in levels]
        known = {
            tuple(key): Statistics(mean, var)
            for key, mean, var in zip(
                self.group_keys_, self.group_means_, self.group_vars_, strict=True
            )
        }
        scaled = np.full_like(values, np.nan) if failed.any() else np.empty_like(values)
        whole = Statistics(self.mean_, self.var_)
        rows = np.flatnonzero(~failed)
        for members, nearest in self._assigned(values, ids, rows, (), whole, known):
            part = _as_slice(members)
            z = values[part] - nearest.mean
            z /= nearest.scale
            scaled[part] = z
        if not isinstance(X, pd.DataFrame):
            return scaled
        return pd.DataFrame(scaled, index=X.index, columns=X.columns)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the features, which are those of the input without ids.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of the input, as a ColumnTransformer or Pipeline passes them.

        Returns
        -------
        ndarray of str
            Names of the output columns.
        """
        if input_features is not None:
            names = np.asarray(input_features, dtype=object)
            is_id = np.isin(names, list(id_columns(names.tolist(), self._names())))
            input_features = names[~is_id]
        return super().get_feature_names_out(input_features)

    def _training_groups(self, values, ids, rows, path, parent):
        """Yield (path, size, statistics) of each group that is large enough, parents first."""
        if len(path) == len(ids):
            return
        _, groups = subgroups(ids[len(path)], rows)
        for name, members in groups:
            if len(members) >= self.min_samples:
                own = self._statistics(values[members], path, parent)
                yield (*path, name), len(members), own
                yield from self._training_groups(values, ids, members, (*path, name), own)

    def _assigned(self, values, ids, rows, path, nearest, known):
        """Yield (rows, statistics), covering `rows`; `nearest` are the statistics of `path`."""
        rest = [rows]
        if len(path) < len(ids):
            without_id, groups = subgroups(ids[len(path)], rows)
            rest = [without_id]
            for name, members in groups:
                key = (*path, name)
                own = known.get(key)
                if own is None and len(members) >= self.min_samples and batch_statistics_allowed():
                    own = self._statistics(values[members], path, nearest)
                    note_batch_statistics(key)
                if own is None:
                    rest.append(members)
                else:
                    yield from self._assigned(values, ids, members, key, own, known)
        rest = [part for part in rest if len(part)]
        if rest:
            yield np.concatenate(rest), nearest

    def _statistics(self, members, path, parent):
        """Return the statistics of the rows of a group, shrunk unless it is of the first level."""
        own = statistics_of(members)
        return shrink(own, parent, len(members), self.shrinkage) if path else own

    def _names(self):
        """Return the names of the ids of `by` as a list."""
        names = [] if self.by is None else [self.by] if isinstance(self.by, str) else list(self.by)
        if self.by is not None and not names:
            raise ValueError(
                "by is empty, expected one or more names of ids. Use by=None to scale by the whole "
                "training set."
            )
        if not all(isinstance(name, str) for name in names) or len(set(names)) < len(names):
            raise ValueError(f"by must be one or more different names of ids, got {self.by!r}.")
        return names

    def _read(self, X, *, reset):
        """Return the features of X as floats, the mask of failed rows, and X with ids as levels."""
        X = ids_as_levels(X, self._names())
        check_no_feature_union(X, "GroupScaler")
        if is_frames(X):
            raise ValueError(
                "GroupScaler expects rows of features, but X holds frame sequences. Pool them to "
                "rows before (FunctionalsPooling), or scale the frames by FrameScaler."
            )
        checks = {"dtype": [np.float64, np.float32], "ensure_all_finite": False}
        if isinstance(X, pd.DataFrame):
            validate_data(self, X, skip_check_array=True, reset=reset)  # the names of the features
            values = check_array(_as_array(X), estimator=self, input_name="X", **checks)
        else:
            values = validate_data(self, X, reset=reset, **checks)
        failed = failed_rows(values)
        _check_finite(values, failed)
        return values, failed, X

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _as_array(X):
    """Return a table as an array if one dtype of numpy holds it, which scikit-learn checks fast."""
    kinds = list(X.dtypes)
    if not kinds:
        return np.empty(X.shape)
    if len(set(kinds)) == 1 and isinstance(kinds[0], np.dtype) and kinds[0].kind in "fiu":
        return X.to_numpy()
    is_number = {kind: is_numeric_dtype(kind) or is_object_dtype(kind) for kind in {*kinds}}
    text = [name for name, kind in zip(X.columns, kinds, strict=True) if not is_number[kind]]
    if text:
        raise MetadataError(
            f"GroupScaler expects numeric features, but these columns of X are not numeric: "
            f"{', '.join(map(repr, text[:5]))}{', ...' if len(text) > 5 else ''}. Give it "
            f"the output of a feature extractor, or drop these columns (all but the ids "
            f"{', '.join(ID_COLUMNS)})."
        )
    return X


def _check_finite(values, failed):
    """Raise for NaN and infinite values, except in rows of failed audio."""
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):
            return
    bad = ~np.isfinite(values)
    bad[failed] = False
    if not bad.any():
        return
    row, feature = np.argwhere(bad)[0]
    if np.isnan(values[row, feature]):
        raise ValueError(
            f"Input X contains NaN: row {row}, feature {feature}. GroupScaler accepts rows that "
            f"are entirely NaN (failed audio), but not single missing values. Impute them, or drop "
            f"the row."
        )
    raise ValueError(
        f"Input X contains infinity or a value too large for {values.dtype!r}: row {row}, feature "
        f"{feature}. A logarithm of zero or a division by zero in the feature is a frequent cause."
    )


class Statistics(NamedTuple):
    """Mean and variance of each feature, in float64."""

    mean: np.ndarray
    var: np.ndarray

    @property
    def scale(self):
        """Standard deviation; 1 for a constant feature."""
        return np.where(self.var > 0, np.sqrt(self.var), 1.0)


def statistics_of(values):
    """Compute the statistics of rows; the variance of a constant feature is exactly 0."""
    n_samples = len(values)
    mean = values.mean(axis=0, dtype=np.float64)
    squares = values - mean  # as in values.var, which computes the mean again
    squares *= squares
    var = squares.sum(axis=0) / n_samples
    # The rounded mean of a constant feature gives a tiny variance, as in StandardScaler.
    rounding = np.finfo(np.float64).eps * n_samples
    var[var <= rounding * var + (rounding * mean) ** 2] = 0
    return Statistics(mean, var)


def shrink(own, parent, n_samples, shrinkage):
    """Shrink the statistics of `n_samples` rows towards those of the parent group."""
    weight = n_samples / (n_samples + shrinkage)
    return Statistics(
        weight * own.mean + (1 - weight) * parent.mean, weight * own.var + (1 - weight) * parent.var
    )


def _as_slice(rows):
    """Return positions as a slice if they are contiguous, which saves two copies."""
    is_run = len(rows) and rows[-1] - rows[0] + 1 == len(rows) and (np.diff(rows) == 1).all()
    return slice(rows[0], rows[-1] + 1) if is_run else rows


def subgroups(ids, rows):
    """Split rows by their ids; return those without an id, and a list of (id, rows)."""
    codes, names = pd.factorize(ids[rows])
    rows = rows[np.argsort(codes, kind="stable")]
    sizes = np.bincount(codes + 1, minlength=len(names) + 1)  # code -1, no id, comes first
    without_id, *parts = np.split(rows, np.cumsum(sizes)[:-1])
    return without_id, list(zip(names, parts, strict=True))
