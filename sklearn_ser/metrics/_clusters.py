"""Intervals of a recall over speakers: rows of one speaker are no independent draws."""

import numpy as np
import pandas as pd
from scipy import stats


def uar_interval(truth, predicted, speakers, *, confidence=0.95):
    r"""A t interval of the unweighted average recall, over speakers' contributions.

    With the recalls :math:`R_c`, of the :math:`N_c` rows of class c those :math:`n_{sc}` of speaker
    s, of which :math:`h_{sc}` were found, s contributes

    .. math:: u_s = \frac{1}{|C|} \sum_c \frac{h_{sc} - R_c \, n_{sc}}{N_c},

    and the variance is :math:`\frac{G}{G - 1} \sum_s u_s^2` (linearisation of a ratio, with
    speakers as clusters), for a t distribution of G - 1 degrees of freedom, G being the number of
    speakers.

    Parameters
    ----------
    truth, predicted : ndarray of object of shape (n_rows,)
    speakers : ndarray of shape (n_rows,)
    confidence : float, default=0.95

    Returns
    -------
    low, high : float
        Within [0, 1]. NaN with fewer than two speakers. Without width where every speaker has
        the same recalls: that of a classifier that says the same of everyone.

    References
    ----------
    W. G. Cochran, "Sampling Techniques", 3rd edition, Wiley, 1977, sections 6.3 and 9A.2.
    """
    codes, classes = pd.factorize(truth)
    who, names = pd.factorize(speakers)
    if len(names) < 2:
        return float("nan"), float("nan")
    n_rows = np.bincount(codes).astype(float)
    hits = (truth == predicted).astype(float)
    recalls = np.bincount(codes, hits) / n_rows
    parts = (hits - recalls[codes]) / n_rows[codes] / len(classes)
    contributions = np.bincount(who, parts)
    n = len(names)
    spread = np.sqrt(n / (n - 1) * np.square(contributions).sum())
    half = stats.t.ppf(0.5 + confidence / 2, n - 1) * spread
    uar = recalls.mean()
    return float(max(0.0, uar - half)), float(min(1.0, uar + half))
