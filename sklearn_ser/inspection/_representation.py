"""The shared representations of several networks, side by side in the plane."""

import numpy as np
import pandas as pd
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.inspection._panels import MARKERS, colors_of, make_panels
from sklearn_ser.inspection._silhouette import (
    check_metric,
    represent,
    require_transform,
    silhouette,
)
from sklearn_ser.utils._alignment import check_row_order
from sklearn_ser.utils._extras import import_extra
from sklearn_ser.utils._nested_estimators import named_estimators
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._unlabeled import labeled_rows, sentinel_as_none

_AXIS_NAMES = {"tsne": "t-SNE {}", "umap": "UMAP {}", "pca": "principal component {}"}
_FEWEST_ROWS = 5
_PANELS_A_ROW = 3


@public_module("sklearn_ser.inspection")
class RepresentationDisplay:
    """Representations of the same rows by several estimators, colored by emotion; a panel each.

    Use :meth:`from_estimators`, with rows of speakers that the estimators were not trained on.

    The titles give silhouettes (see :func:`representation_silhouette`), taken in the
    representation itself, not in the plane: an embedding may tear apart what is one, and its
    distances and axes mean little. Where the speakers' silhouette comes near the emotions', the
    representation is also one of the speakers.

    Parameters
    ----------
    embeddings : dict of str to ndarray of shape (n_rows, 2)
        Name -> places in the plane.
    labels : ndarray of shape (n_rows,)
        The emotion of each row.
    method : {"tsne", "umap", "pca"}
    style : ndarray of shape (n_rows,), optional
        What the shape of the markers shows.
    silhouettes : dict of str to dict of str to float, optional
        Name -> what the clusters are ("emotion", "speaker") -> silhouette in the representation.
    fold_silhouettes : DataFrame, optional
        As :func:`representation_silhouette` gives it.
    n_left_out : int, default=0
        Rows not drawn, since they have no label or no usable audio.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        One for each estimator.
    figure_ : matplotlib Figure
    dots_ : dict of str to list of matplotlib PathCollection
        Name -> one for each marker.
    """

    def __init__(
        self,
        embeddings,
        labels,
        *,
        method,
        style=None,
        silhouettes=None,
        fold_silhouettes=None,
        n_left_out=0,
    ):
        self.embeddings = embeddings
        self.labels = labels
        self.method = method
        self.style = style
        self.silhouettes = silhouettes
        self.fold_silhouettes = fold_silhouettes
        self.n_left_out = n_left_out

    @classmethod
    def from_estimators(
        cls,
        estimators,
        X,
        y,
        *,
        groups=None,
        style=None,
        method="tsne",
        metric="euclidean",
        fold_silhouettes=None,
        random_state=None,
        ax=None,
    ):
        """Embed and draw what fitted estimators make of the same held-out rows.

        Parameters
        ----------
        estimators : estimator, dict of str to estimator, or list of (str, estimator)
            Fitted, with ``transform``:
            :class:`~sklearn_ser.neural_network.MTLNeuralClassifier`, or a Pipeline or search that
            ends in one.
        X : array-like of shape (n_samples, n_features), table or frame sequences
            Rows of speakers whom no estimator was trained on.
        y : array-like of shape (n_samples,)
            Emotions. Rows without one (None, NaN, and -1 where an estimator has
            ``unlabeled=-1``), and rows of failed audio, are left out.
        groups : array-like of shape (n_samples,), default=None
            The speaker of each row; the titles then give the silhouette of the speakers too.
        style : array-like of shape (n_samples,), default=None
            What the shape of the markers shows, such as the corpus: at most 8 different values.
        method : {"tsne", "umap", "pca"}, default="tsne"
            Embedding. "umap" needs the extra of that name: ``pip install 'sklearn-ser[umap]'``.
        metric : {"euclidean", "cosine"}, default="euclidean"
            Distance of the silhouettes, and of t-SNE and UMAP.
        fold_silhouettes : DataFrame, default=None
            As :func:`representation_silhouette` gives it, for the same names: the titles then give
            mean and standard deviation over its folds.
        random_state : int, RandomState instance or None, default=None
            For t-SNE and UMAP; every estimator's embedding has the same seed.
        ax : matplotlib Axes or array of Axes, default=None
            One for each estimator.

        Returns
        -------
        RepresentationDisplay

        Raises
        ------
        NotFittedError
            If an estimator is not fitted.
        MissingDependencyError
            If UMAP is asked for and is not installed.
        MetadataError
            If `y`, `groups` or `style` are in another order than X.
        ValueError
            If `method` or `metric` is not known, an estimator has no ``transform``, fewer than 5
            rows are left, `style` has too many values, `fold_silhouettes` lacks an estimator, or
            there is another number of Axes.
        """
        if method not in METHODS:
            raise ValueError(f"method must be one of {', '.join(METHODS)}, got {method!r}")
        check_metric(metric)
        estimators = named_estimators(estimators)
        for name, estimator in estimators.items():
            check_is_fitted(estimator)
            require_transform(name, estimator)
        check_consistent_length(X, y, groups, style)
        for name, values in {"y": y, "groups": groups, "style": style}.items():
            check_row_order(values, X, name, "X")
        labels = np.asarray(y, dtype=object)
        for estimator in estimators.values():
            labels = np.asarray(sentinel_as_none(estimator, labels), dtype=object)
        found = {name: represent(estimator, X) for name, estimator in estimators.items()}
        kept = labeled_rows(labels)
        for representation in found.values():
            kept &= np.isfinite(representation).all(axis=1)
        if kept.sum() < _FEWEST_ROWS:
            raise ValueError(
                f"{kept.sum()} of {len(kept)} rows have a label and usable features: at least "
                f"{_FEWEST_ROWS} are needed to draw them"
            )
        clusters = {"emotion": labels[kept]}
        if groups is not None:
            clusters["speaker"] = np.asarray(groups, dtype=object)[kept]
        seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
        return cls(
            {
                name: embed(representation[kept], method, metric, seed)
                for name, representation in found.items()
            },
            labels[kept],
            method=method,
            style=None if style is None else _named_values(style)[kept],
            silhouettes={
                name: {
                    what: silhouette(representation[kept], values, metric)
                    for what, values in clusters.items()
                }
                for name, representation in found.items()
            },
            fold_silhouettes=fold_silhouettes,
            n_left_out=int((~kept).sum()),
        ).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw onto `ax`, or onto a new figure.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, default=None
            One for each estimator.

        Returns
        -------
        RepresentationDisplay

        Raises
        ------
        ValueError
            If `style` has too many values, `fold_silhouettes` lacks an estimator, or there is
            another number of Axes.
        """
        colors = colors_of(sorted(set(self.labels), key=str))
        markers = self._markers()
        titles = {name: self._title(name) for name in self.embeddings}
        self.axes_ = make_panels(
            ax,
            [divmod(panel, _PANELS_A_ROW) for panel in range(len(self.embeddings))],
            size=(3.8, 4.2),
            what=", ".join(self.embeddings),
        )
        self.figure_ = self.axes_[0].figure
        self.dots_ = {}
        # In a mixed order, so that no emotion covers the others.
        order = np.random.default_rng(0).permutation(len(self.labels))
        color = np.array([colors[label] for label in self.labels], dtype=object)
        shape = np.full(len(order), "") if self.style is None else self.style
        for panel_ax, (name, places) in zip(self.axes_, self.embeddings.items(), strict=True):
            self.dots_[name] = []
            for value, marker in markers.items():
                rows = order[shape[order] == value]
                self.dots_[name].append(
                    panel_ax.scatter(
                        places[rows, 0],
                        places[rows, 1],
                        c=list(color[rows]),
                        s=float(np.clip(9000 / len(order), 10, 40)),
                        marker=marker,
                        linewidths=0.3,
                        edgecolors="white",
                        alpha=0.9,
                    )
                )
            heading, *below = titles[name]
            panel_ax.set_title(
                heading, loc="left", fontweight="bold", fontsize="medium", pad=7 + 11.5 * len(below)
            )
            panel_ax.text(
                0,
                1.02,
                "\n".join(below),
                transform=panel_ax.transAxes,
                fontsize="small",
                color="dimgray",
                verticalalignment="bottom",
            )
            axis_name = _AXIS_NAMES[self.method]
            panel_ax.set(
                xticks=[],
                yticks=[],
                xlabel=axis_name.format(1),
                ylabel=axis_name.format(2),
                box_aspect=1,
            )
        self.axes_[-1].legend(
            handles=self._legend(colors, markers),
            loc="center left",
            bbox_to_anchor=(1.02, 0.5),
            frameon=False,
        )
        return self

    def _markers(self):
        if self.style is None:
            return {"": MARKERS[0]}
        values = sorted(set(self.style), key=str)
        if len(values) > len(MARKERS):
            raise ValueError(
                f"style has {len(values)} different values, and at most {len(MARKERS)} markers can "
                f"be told apart: give something coarser, such as the corpus"
            )
        return dict(zip(values, MARKERS, strict=False))

    def _title(self, name):
        lines = [name]
        if self.silhouettes:
            found = self.silhouettes[name].items()
            lines.append("silhouette: " + ", ".join(f"{what} {score:.2f}" for what, score in found))
        if self.fold_silhouettes is not None:
            table = self.fold_silhouettes
            scores = table.loc[table["estimator"] == name, "silhouette"]
            if scores.empty:
                raise ValueError(
                    f"fold_silhouettes has no estimator {name!r}: it has "
                    f"{list(table['estimator'].unique())}"
                )
            spread = f" ± {scores.std():.2f}" if scores.count() > 1 else ""
            lines.append(f"held out in {scores.count()} folds: emotion {scores.mean():.2f}{spread}")
        return lines

    def _legend(self, colors, markers):
        from matplotlib.lines import Line2D

        handles = [
            Line2D([], [], color=color, marker="o", linestyle="", label=label)
            for label, color in colors.items()
        ]
        if self.style is not None:
            handles.append(Line2D([], [], linestyle="", label=" "))  # a gap
            handles += [
                Line2D([], [], color="dimgray", marker=marker, linestyle="", label=value)
                for value, marker in markers.items()
            ]
        return handles


def _named_values(style):
    """Values with a name for those that are missing."""
    values = np.asarray(style, dtype=object)
    return np.where(pd.isna(values), "unknown", values)


METHODS = ("tsne", "umap", "pca")


def embed(representation, method, metric, seed):
    """Embed rows in the plane.

    Parameters
    ----------
    representation : ndarray of shape (n_samples, n_outputs)
    method : {"tsne", "umap", "pca"}
    metric : str
        Distance that the first two keep; principal components have none.
    seed : int

    Returns
    -------
    ndarray of shape (n_samples, 2)
        All zeros where the rows are one and the same: a representation that has collapsed.
    """
    spread = np.ptp(representation, axis=0).max(initial=0.0)
    if not spread > 1e-9 * max(1.0, np.abs(representation).max(initial=0.0)):
        # t-SNE's start from principal components would divide by their deviation, and crash.
        return np.zeros((len(representation), 2))
    n_rows = len(representation)
    if method == "tsne":
        from sklearn.manifold import TSNE

        model = TSNE(
            perplexity=min(30.0, (n_rows - 1) / 3), init="pca", metric=metric, random_state=seed
        )
    elif method == "umap":
        umap = import_extra("umap", "umap", 'RepresentationDisplay(method="umap")')
        # With a seed it runs in one thread whatever n_jobs says, and warns about another number.
        model = umap.UMAP(
            n_neighbors=min(15, n_rows - 1), metric=metric, random_state=seed, n_jobs=1
        )
    else:
        from sklearn.decomposition import PCA

        model = PCA(n_components=2, svd_solver="full")
    return np.asarray(model.fit_transform(representation), dtype=np.float64)
