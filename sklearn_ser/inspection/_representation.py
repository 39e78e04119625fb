"""Representations of networks: embeddings in the plane, and silhouettes of held-out speakers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Literal, Self, cast

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.metrics import silhouette_score
from sklearn.utils import _safe_indexing, check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.inspection._plotting import (
    MARKERS,
    AxesLike,
    DisplayWithoutOptions,
    label_colors,
    legend_mark,
    shared_parameters,
)
from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.model_selection._base import Splitter
from sklearn_ser.utils._alignment import check_row_order
from sklearn_ser.utils._extras import import_extra
from sklearn_ser.utils._nested_estimators import Estimators, named_estimators
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._routing import arguments_for, fit_routed
from sklearn_ser.utils._types import Samples
from sklearn_ser.utils._unlabeled import labeled_rows, missing_as_none, sentinel_as_none

if TYPE_CHECKING:
    from matplotlib.collections import PathCollection
    from numpy.typing import ArrayLike

METRICS = ("euclidean", "cosine")
METHODS = ("tsne", "umap", "pca")
_AXIS_NAMES = {"tsne": "t-SNE {}", "umap": "UMAP {}", "pca": "principal component {}"}
_MIN_SAMPLES = 5


@public_module("sklearn_ser.inspection")
def representation_silhouette(
    estimators: Estimators,
    X: Samples,
    y: ArrayLike,
    *,
    aux: pd.DataFrame | None = None,
    speaker: ArrayLike | None = None,
    corpus: ArrayLike | None = None,
    cv: int | Splitter = 5,
    metric: Literal["euclidean", "cosine"] = "euclidean",
    n_jobs: int | None = None,
) -> pd.DataFrame:
    """Cross-validate the silhouette of emotions in representations of held-out speakers.

    In each fold a clone is fitted on the training set and transforms the test set, in which the
    silhouette of the classes is computed: for each sample (b - a) / max(a, b), with a the mean
    distance to the other samples of its class and b that to the samples of the nearest other
    class; and the mean over the samples [1]_. It is between -1 and 1; around 0 the clusters
    overlap. On the training set it means little: a network can separate any classes there.

    Parameters
    ----------
    estimators : estimator, dict of str to estimator, or list of (str, estimator)
        Estimators with ``transform``: :class:`~sklearn_ser.neural_network.MTLNeuralClassifier`, a
        Pipeline that ends in one, or any other transformer, such as a scaler for comparison. They
        are cloned.
    X : array-like of shape (n_samples, n_features), table or frame sequences
        Inputs of the estimators.
    y : array-like of shape (n_samples,)
        Emotions. Unlabeled samples (None, NaN, and -1 for an estimator with ``unlabeled=-1``) are
        not scored.
    aux : DataFrame of shape (n_samples, n_aux), default=None
        Auxiliary targets of the training set, for estimators that request them.
    speaker, corpus : array-like of shape (n_samples,), default=None
        Ids for the splitter and for estimators that request them. By default the splitters and
        networks of this package use the columns and index levels of X.
    cv : int or splitter, default=5
        Number of speaker-disjoint folds (:class:`~sklearn_ser.model_selection.SpeakerKFold`), or a
        splitter, such as ``LeaveOneCorpusOut()``. A splitter that takes `groups` gets `speaker`.
    metric : {"euclidean", "cosine"}, default="euclidean"
        Distance between representations.
    n_jobs : int, default=None
        Number of fits in parallel.

    Returns
    -------
    DataFrame
        One row per estimator and fold: ``estimator``, ``fold`` (from 0), ``n_rows`` (scored
        samples) and ``silhouette`` (NaN with fewer than two classes, or one sample per class).

    Raises
    ------
    MetadataError
        If no speaker is found, or `y`, `aux`, `speaker` or `corpus` are in another order than X.
    ValueError
        If an estimator has no ``transform``, or `metric` is unknown.

    References
    ----------
    .. [1] P. J. Rousseeuw, "Silhouettes: a graphical aid to the interpretation and validation of
       cluster analysis", Journal of Computational and Applied Mathematics, vol. 20, 1987,
       pp. 53-65.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ser.inspection import representation_silhouette
    >>> from sklearn_ser.neural_network import MTLNeuralClassifier
    >>> rng = np.random.default_rng(0)
    >>> y, speaker = np.tile(["anger", "sadness"], 100), np.repeat(["a", "b", "c", "d"], 50)
    >>> X = rng.normal(size=(200, 10)) + 2 * (y == "anger")[:, None] * (np.arange(10) < 2)
    >>> estimators = {"net": MTLNeuralClassifier(random_state=0), "features": StandardScaler()}
    >>> table = representation_silhouette(estimators, X, y, speaker=speaker, cv=4)
    >>> means = table.groupby("estimator")["silhouette"].mean()
    >>> bool(means["net"] > means["features"] > 0)
    True
    """
    metadata = {"aux": aux, "speaker": speaker, "corpus": corpus}
    if isinstance(aux, dict):
        raise MetadataError(
            "aux is a dict, but must be a DataFrame whose rows are those of X. Pass "
            "pandas.DataFrame(aux)."
        )
    by_name = _validate(estimators, X, metric, y=y, **metadata)
    splitter = SpeakerKFold(int(cv)) if isinstance(cv, int | np.integer) else cv
    ids = {"speaker": speaker, "corpus": corpus, "groups": speaker}
    folds = list(splitter.split(cast("ArrayLike", X), y, **arguments_for(splitter, "split", ids)))
    scores = Parallel(n_jobs=n_jobs)(
        delayed(_score_fold)(clone(estimator), X, y, metadata, train, test, metric)
        for estimator in by_name.values()
        for train, test in folds
    )
    keys = [(name, fold) for name in by_name for fold in range(len(folds))]
    return pd.DataFrame(
        [(*key, *score) for key, score in zip(keys, scores, strict=True)],
        columns=["estimator", "fold", "n_rows", "silhouette"],
    )


def _score_fold(estimator, X, y, metadata, train, test, metric):
    of_training = {
        name: None if values is None else _safe_indexing(values, train)
        for name, values in metadata.items()
    }
    fit_routed(estimator, _safe_indexing(X, train), _safe_indexing(y, train), **of_training)
    representation = _represent(estimator, _safe_indexing(X, test))
    labels = np.asarray(sentinel_as_none(estimator, _safe_indexing(y, test)), dtype=object)
    scored = labeled_rows(labels) & np.isfinite(representation).all(axis=1)
    return int(scored.sum()), _silhouette(representation[scored], labels[scored], metric)


def _represent(estimator, X):
    """Return the representation as a float64 array; rows of failed audio are NaN."""
    return np.asarray(estimator.transform(X), dtype=np.float64)


def _silhouette(representation, labels, metric):
    """Return the mean silhouette of the classes; NaN if it is undefined."""
    codes, classes = pd.factorize(missing_as_none(np.asarray(labels, dtype=object)))
    representation, codes = representation[codes >= 0], codes[codes >= 0]  # without missing values
    if not 2 <= len(classes) < len(codes):
        return float("nan")
    return float(silhouette_score(representation, codes, metric=metric))


def _validate(estimators, X, metric, *, fitted=False, **metadata):
    """Return the estimators by name; raise an error if they or the other arguments are invalid."""
    if metric not in METRICS:
        raise ValueError(f"metric must be one of {', '.join(METRICS)}, got {metric!r}.")
    by_name = named_estimators(estimators)
    for name, estimator in by_name.items():
        if fitted:
            check_is_fitted(estimator)
        if not hasattr(estimator, "transform"):
            raise ValueError(
                f"The estimator {name!r} has no transform, so it has no representation; it is of "
                f"type {type(estimator).__name__}. Pass an MTLNeuralClassifier, a Pipeline that "
                f"ends in one, or another transformer."
            )
    check_consistent_length(X, *metadata.values())
    for name, values in metadata.items():
        check_row_order(values, X, name, "X")
    return by_name


@public_module("sklearn_ser.inspection")
@dataclass(eq=False, repr=False)
class RepresentationDisplay(DisplayWithoutOptions):
    """Embeddings of the representations of several estimators, colored by emotion.

    Use :meth:`from_estimators`, with samples of speakers that the estimators were not trained on.
    There is a subplot for each estimator.

    The titles have silhouettes (see :func:`representation_silhouette`), computed in the
    representation and not in the plane: an embedding may split a cluster, and its distances and
    axes mean little. If the silhouette of the speakers is close to that of the emotions, the
    representation also distinguishes speakers.

    Parameters
    ----------
    embeddings : dict of str to ndarray of shape (n_samples, 2)
        Name -> coordinates in the plane.
    labels : ndarray of shape (n_samples,)
        Emotion of each sample.
    method : {"tsne", "umap", "pca"}
        Method of the embedding.
    style : ndarray of shape (n_samples,), optional
        Value of each sample that the marker shows.
    silhouettes : dict of str to dict of str to float, optional
        Name -> kind of cluster ("emotion", "speaker") -> silhouette in the representation.
    fold_silhouettes : DataFrame, optional
        Result of :func:`representation_silhouette`.
    n_left_out : int, default=0
        Number of samples that are not drawn, without a label or usable audio.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One for each estimator.
    figure_ : matplotlib Figure
    dots_ : dict of str to list of matplotlib PathCollection
        Name -> one for each marker.
    """

    embeddings: Mapping[str, np.ndarray]
    labels: np.ndarray
    _: KW_ONLY
    method: Literal["tsne", "umap", "pca"]
    style: np.ndarray | None = None
    silhouettes: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    fold_silhouettes: pd.DataFrame | None = None
    n_left_out: int = 0

    @classmethod
    @shared_parameters
    def from_estimators(
        cls,
        estimators: Estimators,
        X: Samples,
        y: ArrayLike,
        *,
        groups: ArrayLike | None = None,
        style: ArrayLike | None = None,
        method: Literal["tsne", "umap", "pca"] = "tsne",
        metric: Literal["euclidean", "cosine"] = "euclidean",
        fold_silhouettes: pd.DataFrame | None = None,
        random_state: int | np.random.RandomState | None = None,
        ax: AxesLike = None,
    ) -> Self:
        """Embed and draw the representations of the same samples by fitted estimators.

        Parameters
        ----------
        estimators : estimator, dict of str to estimator, or list of (str, estimator)
            Fitted estimators with ``transform``:
            :class:`~sklearn_ser.neural_network.MTLNeuralClassifier`, or a Pipeline or search that
            ends in one.
        X : array-like of shape (n_samples, n_features), table or frame sequences
            Samples of speakers that no estimator was trained on.
        y : array-like of shape (n_samples,)
            Emotions. Unlabeled samples (None, NaN, and -1 for an estimator with
            ``unlabeled=-1``), and samples of failed audio, are left out.
        groups : array-like of shape (n_samples,), default=None
            Speaker of each sample; adds the silhouette of the speakers to the titles.
        style : array-like of shape (n_samples,), default=None
            Value of each sample that the marker shows, such as the corpus; at most 8 different
            ones.
        method : {"tsne", "umap", "pca"}, default="tsne"
            Method of the embedding. "umap" needs the extra of that name:
            ``pip install 'sklearn-ser[umap]'``.
        metric : {"euclidean", "cosine"}, default="euclidean"
            Distance of the silhouettes, and of t-SNE and UMAP.
        fold_silhouettes : DataFrame, default=None
            Result of :func:`representation_silhouette` for the same names; adds mean and standard
            deviation over its folds to the titles.
        random_state : int, RandomState instance or None, default=None
            Seed of t-SNE and UMAP, which is the same for every estimator.
        %(ax_and_return)s

        Raises
        ------
        NotFittedError
            If an estimator is not fitted.
        MissingDependencyError
            If `method` is "umap" and UMAP is not installed.
        MetadataError
            If `y`, `groups` or `style` are in another order than X.
        ValueError
            If `method` or `metric` is unknown, an estimator has no ``transform``, fewer than 5
            samples are usable, `style` has too many values, `fold_silhouettes` lacks an estimator,
            or the number of Axes is wrong.
        """
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}.")
        by_name = _validate(estimators, X, metric, fitted=True, y=y, groups=groups, style=style)
        labels = np.asarray(y, dtype=object)
        for estimator in by_name.values():
            labels = np.asarray(sentinel_as_none(estimator, labels), dtype=object)
        representations = {name: _represent(estimator, X) for name, estimator in by_name.items()}
        usable = labeled_rows(labels)
        for representation in representations.values():
            usable &= np.isfinite(representation).all(axis=1)
        if usable.sum() < _MIN_SAMPLES:
            raise ValueError(
                f"{usable.sum()} of {len(usable)} samples have a label and usable features, but at "
                f"least {_MIN_SAMPLES} are needed."
            )
        clusters = {"emotion": labels[usable]}
        if groups is not None:
            clusters["speaker"] = np.asarray(groups, dtype=object)[usable]
        seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
        return cls(
            {
                name: _embed(representation[usable], method, metric, seed)
                for name, representation in representations.items()
            },
            labels[usable],
            method=method,
            style=None if style is None else _name_missing(style)[usable],
            silhouettes={
                name: {
                    kind: _silhouette(representation[usable], values, metric)
                    for kind, values in clusters.items()
                }
                for name, representation in representations.items()
            },
            fold_silhouettes=fold_silhouettes,
            n_left_out=int((~usable).sum()),
        ).plot(ax=ax)

    def _plot(self, ax: AxesLike) -> None:
        colors = label_colors(sorted(set(self.labels), key=str))
        markers = self._markers()
        titles = {name: self._title(name) for name in self.embeddings}
        self._make_subplots(ax, [*self.embeddings], size=(3.8, 4.2), n_columns=3)
        self.dots_: dict[str, list[PathCollection]] = {}
        # Samples are drawn in random order, so that no emotion covers the others.
        order = np.random.default_rng(0).permutation(len(self.labels))
        color = np.array([colors[label] for label in self.labels], dtype=object)
        shape = np.full(len(order), "") if self.style is None else self.style
        for axes, (name, points) in zip(self.axes_, self.embeddings.items(), strict=True):
            self.dots_[name] = []
            for value, marker in markers.items():
                rows = order[shape[order] == value]
                self.dots_[name].append(
                    axes.scatter(
                        points[rows, 0],
                        points[rows, 1],
                        c=list(color[rows]),
                        s=float(np.clip(9000 / len(order), 10, 40)),
                        marker=marker,
                        linewidths=0.3,
                        edgecolors="white",
                        alpha=0.9,
                    )
                )
            heading, *below = titles[name]
            axes.set_title(
                heading, loc="left", fontweight="bold", fontsize="medium", pad=7 + 11.5 * len(below)
            )
            axes.text(
                0,
                1.02,
                "\n".join(below),
                transform=axes.transAxes,
                fontsize="small",
                color="dimgray",
                verticalalignment="bottom",
            )
            axis_name = _AXIS_NAMES[self.method]
            axes.set(
                xticks=[],
                yticks=[],
                xlabel=axis_name.format(1),
                ylabel=axis_name.format(2),
                box_aspect=1,
            )
        self._legend_beside(handles=self._legend_handles(colors, markers))

    def _markers(self):
        if self.style is None:
            return {"": MARKERS[0]}
        values = sorted(set(self.style), key=str)
        if len(values) > len(MARKERS):
            raise ValueError(
                f"style has {len(values)} different values, but there are only {len(MARKERS)} "
                f"markers. Pass something with fewer values, such as the corpus."
            )
        return dict(zip(values, MARKERS, strict=False))

    def _title(self, name):
        lines = [name]
        if self.silhouettes:
            scores = [f"{kind} {score:.2f}" for kind, score in self.silhouettes[name].items()]
            lines.append(f"silhouette: {', '.join(scores)}")
        if self.fold_silhouettes is not None:
            table = self.fold_silhouettes
            scores = table.loc[table["estimator"] == name, "silhouette"]
            if scores.empty:
                raise ValueError(
                    f"fold_silhouettes has the estimators {list(table['estimator'].unique())}, "
                    f"but not {name!r}. Compute it for the same names."
                )
            spread = f" ± {scores.std():.2f}" if scores.count() > 1 else ""
            lines.append(f"in {scores.count()} folds: emotion {scores.mean():.2f}{spread}")
        return lines

    def _legend_handles(self, colors, markers):
        styles = [{"color": color, "marker": "o", "label": name} for name, color in colors.items()]
        if self.style is not None:
            styles.append({"label": " "})  # a gap
            gray = {"color": "dimgray"}
            styles += [{**gray, "marker": mark, "label": value} for value, mark in markers.items()]
        return [legend_mark(**style) for style in styles]


def _name_missing(style):
    """Return values with "unknown" for those that are missing."""
    values = np.asarray(style, dtype=object)
    return np.where(pd.isna(values), "unknown", values)


def _embed(representation, method, metric, seed):
    """Embed a representation in the plane; all zeros if it has collapsed to one point."""
    spread = np.ptp(representation, axis=0).max(initial=0.0)
    if not spread > 1e-9 * max(1.0, np.abs(representation).max(initial=0.0)):
        # The initialization of t-SNE by principal components would divide by their deviation.
        return np.zeros((len(representation), 2))
    n_samples = len(representation)
    if method == "tsne":
        from sklearn.manifold import TSNE

        model = TSNE(
            perplexity=min(30.0, (n_samples - 1) / 3), init="pca", metric=metric, random_state=seed
        )
    elif method == "umap":
        umap = import_extra("umap", "umap", 'RepresentationDisplay(method="umap")')
        # With a seed UMAP uses one thread, and warns about any other n_jobs.
        model = umap.UMAP(
            n_neighbors=min(15, n_samples - 1), metric=metric, random_state=seed, n_jobs=1
        )
    else:
        from sklearn.decomposition import PCA

        model = PCA(n_components=2, svd_solver="full")
    return np.asarray(model.fit_transform(representation), dtype=np.float64)
