"""Unweighted average recall of repeated predictions, and paired tests over speakers."""

import pandas as pd

from sklearn_ser.metrics import paired_test


def recall_by_corpus(predictions):
    """Unweighted average recall of each test corpus, mean over seeds.

    Parameters
    ----------
    predictions : DataFrame
        Columns corpus, seed, y_true, y_pred; one row per utterance and seed.

    Returns
    -------
    Series
        By corpus.
    """
    right = (predictions["y_true"] == predictions["y_pred"]).astype(float)
    by_class = right.groupby(
        [predictions["corpus"], predictions["seed"], predictions["y_true"]]
    ).mean()
    uar = by_class.groupby(level=[0, 1]).mean()
    return uar.groupby(level=0).mean()


def sign_flip(first, second):
    """`paired_test` over speakers of the mean of the corpora's recalls, first minus second.

    Parameters
    ----------
    first, second : DataFrame
        Predictions as for :func:`recall_by_corpus`, with columns row and speaker besides.

    Returns
    -------
    difference, p : float
    """
    first, second = _by_row(first), _by_row(second)
    ids = first.index.to_frame(index=False)
    found = paired_test(
        ids["y_true"],
        first.to_numpy(),
        second.reindex(first.index).to_numpy(),
        ids["speaker"],
        strata=ids["corpus"],
    )
    return found.difference, found.p_value


def _by_row(predictions):
    """One row per utterance, one column per repetition (seed, or seed and training corpus)."""
    ids = ["corpus", "speaker", "row", "y_true"]
    repetition = predictions.groupby(ids).cumcount()
    return predictions.assign(repetition=repetition).pivot(
        index=ids, columns="repetition", values="y_pred"
    )


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
