"""Two dimensions of a representation, to look at."""

import numpy as np

from sklearn_ser.utils._extras import import_extra

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
