"""SemiSupervisedSplit: unlabeled samples are in each training set and in no test set."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.model_selection import GridSearchCV, KFold, cross_validate

from sklearn_ser import MTLNeuralClassifier, uar_scorer
from sklearn_ser.exceptions import MetadataError
from sklearn_ser.model_selection import LeaveOneCorpusOut, SemiSupervisedSplit, SpeakerKFold

CORPUS = np.repeat(["a", "b", "c"], 20)
SPEAKER = np.array([f"{corpus}{row % 4}" for row, corpus in enumerate(CORPUS)])
X = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=list("xyz"))
Y = np.array(["anger", "calm"], dtype=object)[np.arange(60) // 2 % 2]
HIDDEN = np.where(CORPUS == "c", None, Y)
CODES = np.where(CORPUS == "c", -1, np.arange(60) // 2 % 2)


@given(
    hidden=st.lists(st.booleans(), min_size=60, max_size=60),
    splitter=st.sampled_from([KFold(3), KFold(2, shuffle=True, random_state=0), SpeakerKFold(2)]),
    sentinel=st.sampled_from([-1, "nan"]),
)
def test_splits_are_those_of_the_labeled_samples(hidden, splitter, sentinel):
    def groups(values):
        return {"groups": values} if isinstance(splitter, SpeakerKFold) else {}

    hidden = np.array(hidden)
    labels = np.zeros(60, dtype=object)  # one class, which no training set can lack
    y = np.where(hidden, -1 if sentinel == -1 else None, labels)
    cv = SemiSupervisedSplit(splitter, unlabeled=sentinel)
    if (~hidden).sum() < 3 or len(set(SPEAKER[~hidden])) < 2:
        with pytest.raises(ValueError, match=r"n_splits|no labeled sample|expects at least 2"):
            list(cv.split(X, y, **groups(SPEAKER)))
        return
    rows = np.flatnonzero(~hidden)
    plain = list(splitter.split(X.iloc[rows], y[rows], **groups(SPEAKER[rows])))
    splits = list(cv.split(X, y, **groups(SPEAKER)))
    assert cv.get_n_splits(X, y, **groups(SPEAKER)) == len(splits) == len(plain)
    for (train, test), (expected_train, expected_test) in zip(splits, plain, strict=True):
        assert test.tolist() == rows[expected_test].tolist()
        assert train.tolist() == sorted([*rows[expected_train], *np.flatnonzero(hidden)])
        assert not hidden[test].any()
        assert not set(train) & set(test)


def test_without_unlabeled_samples_nothing_changes():
    for splitter in (SpeakerKFold(3), LeaveOneCorpusOut()):
        groups = SPEAKER if isinstance(splitter, SpeakerKFold) else CORPUS
        plain = splitter.split(X, Y, groups=groups)
        for mine, theirs in zip(
            SemiSupervisedSplit(splitter).split(X, Y, groups=groups), plain, strict=True
        ):
            assert [part.tolist() for part in mine] == [part.tolist() for part in theirs]


def test_a_hidden_corpus_is_no_test_corpus():
    table = X.assign(corpus=CORPUS)
    cv = SemiSupervisedSplit(LeaveOneCorpusOut())
    splits = list(cv.split(table, HIDDEN))
    assert [set(CORPUS[test]) for _, test in splits] == [{"a"}, {"b"}]
    assert [set(CORPUS[train]) for train, _ in splits] == [{"b", "c"}, {"a", "c"}]
    assert cv.get_n_splits(table, HIDDEN) == 2


def test_a_number_is_speaker_disjoint():
    table = X.assign(speaker=SPEAKER)
    for train, test in SemiSupervisedSplit(3, unlabeled=-1).split(table, CODES):
        labeled = train[CODES[train] != -1]
        assert not set(SPEAKER[labeled]) & set(SPEAKER[test])
    assert SemiSupervisedSplit(3).get_n_splits() == 3


@pytest.mark.parametrize("routing", [True, False])
def test_in_searches_with_the_net(routing):
    net = MTLNeuralClassifier(unlabeled=-1, max_epochs=1, early_stopping=False, random_state=0)
    search = GridSearchCV(
        net,
        {"dropout": [0.1, 0.3]},
        cv=SemiSupervisedSplit(SpeakerKFold(2), unlabeled=-1),
        error_score="raise",
    )
    with config_context(enable_metadata_routing=routing):
        search.set_params(scoring=None if routing else uar_scorer)
        search.fit(X, CODES, **{"speaker" if routing else "groups": SPEAKER})
    assert search.n_splits_ == 2
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    table = X.set_index(pd.MultiIndex.from_arrays([CORPUS, SPEAKER], names=["corpus", "speaker"]))
    outer = cross_validate(
        search, table, CODES, cv=SemiSupervisedSplit(LeaveOneCorpusOut(), unlabeled=-1),
        scoring=uar_scorer, error_score="raise",
    )  # fmt: skip
    assert len(outer["test_score"]) == 2


def test_errors_and_repr():
    cv = SemiSupervisedSplit(SpeakerKFold(2), unlabeled=-1)
    assert repr(cv) == (
        "SemiSupervisedSplit(SpeakerKFold(n_splits=2, random_state=None, shuffle=False), "
        "unlabeled=-1)"
    )
    with pytest.raises(ValueError, match="needs y to identify unlabeled samples"):
        list(cv.split(X))
    with pytest.raises(ValueError, match=r"y has no labeled sample \(unlabeled=-1\)"):
        list(cv.split(X, [-1] * 60))
    with pytest.raises(MetadataError, match="SpeakerKFold got neither speaker="):
        list(cv.split(X, CODES))
    with pytest.raises(ValueError, match="The 'cv' parameter of SemiSupervisedSplit must be"):
        list(SemiSupervisedSplit(None).split(X, CODES))
    with pytest.raises(ValueError, match="The 'unlabeled' parameter of SemiSupervisedSplit"):
        list(SemiSupervisedSplit(2, unlabeled=None).split(X, CODES))
