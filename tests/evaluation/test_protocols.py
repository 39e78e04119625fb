"""Protocols: which samples are trained on and which are tested in each fold."""

import numpy as np
import pandas as pd
import pytest
from sklearn.dummy import DummyClassifier

from sklearn_ser import cross_corpus_validate
from sklearn_ser.evaluation import PROTOCOLS
from sklearn_ser.exceptions import MetadataError

FITS = []


class Recorder(DummyClassifier):
    """Records the numbers of its training samples, their only feature."""

    def fit(self, X, y):
        FITS.append(np.asarray(X)[:, 0].astype(int))
        return super().fit(X, y)


def run(frame, protocol):
    """Training and test rows of each fold of the frame."""
    FITS.clear()
    X = pd.DataFrame({"row": np.arange(float(len(frame)))})
    result = cross_corpus_validate(Recorder(), frame, X=X, aux=(), protocol=protocol)
    folds = [part for _, part in result.predictions.groupby("fold", sort=False)]
    return [
        (frame.iloc[train], frame.iloc[part["row"]], part)
        for train, part in zip(FITS, folds, strict=True)
    ]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_speakers_are_disjoint(feature_table, protocol):
    frame, _ = feature_table
    for train, test, _ in run(frame, protocol):
        assert set(train["speaker"]).isdisjoint(test["speaker"])
        assert set(train["emotion"]) == set(frame["emotion"])


@pytest.mark.parametrize(
    ("protocol", "times"),
    [("leave-one-corpus-out", 1), ("within-corpus", 1), ("pairwise", 2), ("aggregated", 1)],
)
def test_every_row_is_tested_equally_often(feature_table, protocol, times):
    frame, _ = feature_table
    tested = pd.concat([part["row"] for *_, part in run(frame, protocol)])
    assert (np.bincount(tested, minlength=len(frame)) == times).all()


@pytest.mark.parametrize("protocol", ["leave-one-corpus-out", "pairwise"])
def test_test_corpus_is_not_trained_on(feature_table, protocol):
    for train, test, _ in run(feature_table[0], protocol):
        assert set(train["corpus"]).isdisjoint(test["corpus"])


def test_within_corpus_stays_inside(feature_table):
    for train, test, _ in run(feature_table[0], "within-corpus"):
        assert set(train["corpus"]) == set(test["corpus"])
        assert train["corpus"].nunique() == 1


def test_names(feature_table):
    frame, _ = feature_table
    names = {
        protocol: [tuple(part[["fold", "train"]].iloc[0]) for *_, part in run(frame, protocol)]
        for protocol in PROTOCOLS
    }
    assert names["leave-one-corpus-out"] == [("a", "b+c"), ("b", "a+c"), ("c", "a+b")]
    assert names["pairwise"][0] == ("a -> b", "a")
    assert names["within-corpus"][0] == ("a, speakers 1/5", "a")
    assert names["aggregated"][0] == ("a+b+c, speakers 1/5", "a+b+c")


def test_errors(feature_table):
    frame, _ = feature_table
    with pytest.raises(ValueError, match=r"protocol must be one of \[.*\], got 'loso'"):
        run(frame, "loso")
    one = frame[frame["corpus"] == "a"].reset_index(drop=True)
    with pytest.raises(MetadataError, match=r"2 corpora, and the data has 1 \(\['a'\]"):
        run(one, "pairwise")
    with pytest.raises(MetadataError, match="'a' has 1 speaker: speaker-disjoint folds need"):
        run(one[one["speaker"] == "a/0"].reset_index(drop=True), "within-corpus")
    shared_ids = frame.assign(speaker=frame["speaker"].str[-1])
    with pytest.raises(MetadataError, match="speaker '0' is in two corpora"):
        run(shared_ids, "aggregated")
