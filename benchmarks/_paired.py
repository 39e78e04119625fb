"""Unweighted average recall of repeated predictions, and paired tests over speakers."""

import numpy as np
import pandas as pd


def recall_by_corpus(predictions):
    """Unweighted average recall of each test corpus, mean over seeds.

    Parameters
    ----------
    predictions : DataFrame
        Columns corpus, seed, truth, prediction; one row per utterance and seed.

    Returns
    -------
    Series
        By corpus.
    """
    right = (predictions["truth"] == predictions["prediction"]).astype(float)
    by_class = right.groupby(
        [predictions["corpus"], predictions["seed"], predictions["truth"]]
    ).mean()
    uar = by_class.groupby(level=[0, 1]).mean()
    return uar.groupby(level=0).mean()


def speaker_contributions(predictions):
    """What each speaker adds to the mean of the corpora's unweighted average recalls.

    The contributions of all speakers sum to that mean (over seeds, too). An utterance counts
    1 / (number of corpora x number of classes x utterances of its class in its corpus).

    Returns
    -------
    Series
        By (corpus, speaker).
    """
    right = (predictions["truth"] == predictions["prediction"]).astype(float)
    of_class = right.groupby([predictions["corpus"], predictions["truth"]])
    n_classes = predictions.groupby("corpus")["truth"].nunique()
    weights = 1.0 / (
        of_class.transform("size")
        * predictions["corpus"].map(n_classes)
        * predictions["corpus"].nunique()
    )
    return (right * weights).groupby([predictions["corpus"], predictions["speaker"]]).sum()


def sign_flip(first, second, *, n_draws=20000, seed=0):
    """Paired test of two estimators on the same utterances: are speakers' differences chance?

    Under the null hypothesis a speaker's difference is as likely to have the other sign. It speaks
    of speakers of these corpora, not of further corpora.

    Parameters
    ----------
    first, second : DataFrame
        Predictions as for :func:`recall_by_corpus`.

    Returns
    -------
    difference : float
        Mean of the corpora's recalls, first minus second.
    p : float
        Two-sided.
    """
    differences = speaker_contributions(first).sub(speaker_contributions(second)).to_numpy()
    observed = differences.sum()
    signs = np.random.default_rng(seed).choice([-1.0, 1.0], size=(n_draws, len(differences)))
    as_large = np.abs(signs @ differences) >= abs(observed) - 1e-12
    return float(observed), float((as_large.sum() + 1) / (n_draws + 1))


def summary(predictions, baselines):
    """One row per estimator and setting: each corpus, the mean, differences and their p.

    Parameters
    ----------
    predictions : DataFrame
        With columns estimator and setting besides.
    baselines : sequence of str
        Estimators that the others are compared with.
    """
    rows = []
    for (estimator, setting), part in predictions.groupby(["estimator", "setting"], sort=False):
        uar = recall_by_corpus(part)
        row = {"estimator": estimator, "setting": setting, **uar, "mean": uar.mean()}
        for baseline in baselines:
            other = predictions[
                (predictions["estimator"] == baseline) & (predictions["setting"] == setting)
            ]
            if len(other) and baseline != estimator:
                row[f"- {baseline}"], row[f"p ({baseline})"] = sign_flip(part, other)
        rows.append(row)
    return pd.DataFrame(rows)
