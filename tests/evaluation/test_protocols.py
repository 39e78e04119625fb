import numpy as np
import pytest

from sklearn_ser.evaluation import PROTOCOLS
from sklearn_ser.evaluation._protocols import make_folds
from sklearn_ser.exceptions import MetadataError


def ids(frame):
    return {
        "y": frame["emotion"].to_numpy(),
        "corpus": frame["corpus"].to_numpy(),
        "speaker": frame["speaker"].to_numpy(),
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_speakers_are_disjoint(feature_table, protocol):
    columns = ids(feature_table[0])
    for fold in make_folds(protocol, **columns):
        assert not set(columns["speaker"][fold.train]) & set(columns["speaker"][fold.test])
        assert set(columns["y"][fold.train]) == set(columns["y"])


@pytest.mark.parametrize(
    ("protocol", "times"),
    [("leave-one-corpus-out", 1), ("within-corpus", 1), ("pairwise", 2), ("aggregated", 1)],
)
def test_every_row_is_tested_equally_often(feature_table, protocol, times):
    columns = ids(feature_table[0])
    tested = np.concatenate([fold.test for fold in make_folds(protocol, **columns)])
    assert (np.bincount(tested, minlength=len(columns["y"])) == times).all()


@pytest.mark.parametrize("protocol", ["leave-one-corpus-out", "pairwise"])
def test_test_corpus_is_not_trained_on(feature_table, protocol):
    columns = ids(feature_table[0])
    for fold in make_folds(protocol, **columns):
        assert not set(columns["corpus"][fold.train]) & set(columns["corpus"][fold.test])


def test_within_corpus_stays_inside(feature_table):
    columns = ids(feature_table[0])
    for fold in make_folds("within-corpus", **columns):
        assert len(set(columns["corpus"][np.r_[fold.train, fold.test]])) == 1


def test_names(feature_table):
    columns = ids(feature_table[0])
    assert [fold.name for fold in make_folds("leave-one-corpus-out", **columns)] == ["a", "b", "c"]
    assert make_folds("leave-one-corpus-out", **columns)[0].train_corpora == "b+c"
    assert make_folds("pairwise", **columns)[0].name == "a -> b"
    assert make_folds("within-corpus", **columns)[0].name == "a, speakers 1/5"


def test_errors(feature_table):
    columns = ids(feature_table[0])
    with pytest.raises(ValueError, match=r"protocol must be one of \[.*\], got 'loso'"):
        make_folds("loso", **columns)
    one = {name: values[columns["corpus"] == "a"] for name, values in columns.items()}
    with pytest.raises(MetadataError, match=r"2 corpora, and the data has 1 \(\['a'\]"):
        make_folds("pairwise", **one)
    alone = {name: values[one["speaker"] == "a/0"] for name, values in one.items()}
    with pytest.raises(MetadataError, match="'a' has 1 speaker: speaker-disjoint folds need"):
        make_folds("within-corpus", **alone)
    clash = columns | {"speaker": np.array([name[-1] for name in columns["speaker"]])}
    with pytest.raises(MetadataError, match="speaker '0' is in two corpora"):
        make_folds("aggregated", **clash)
