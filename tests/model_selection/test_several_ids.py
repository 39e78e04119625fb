"""Splitters that need two ids, and those that do not test every row."""

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, cross_validate

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.model_selection import (
    CorpusAdaptationSplit,
    PairwiseCorpusSplit,
    SentenceSpeakerKFold,
    SpeakerKFold,
    WithinCorpusSpeakerKFold,
)

TWO_IDS = {
    "WithinCorpusSpeakerKFold": (WithinCorpusSpeakerKFold(2), ("speaker", "corpus")),
    "SentenceSpeakerKFold": (SentenceSpeakerKFold(2), ("speaker", "text")),
    "CorpusAdaptationSplit": (
        CorpusAdaptationSplit(4, random_state=0),
        ("corpus", "speaker"),
    ),
}


def make_table(seed=0, n_rows=96):
    rng = np.random.default_rng(seed)
    speaker = rng.integers(12, size=n_rows)
    table = pd.DataFrame(
        {
            "loudness": rng.normal(size=n_rows),
            "corpus": np.array(["x", "y", "z"])[speaker % 3],
            "speaker": [f"s{code:02d}" for code in speaker],
            "text": rng.choice(["hello", "bye", "well"], size=n_rows),
        }
    )
    return table, rng.choice(["anger", "sadness"], size=n_rows)


def as_lists(splits):
    return [(train.tolist(), test.tolist()) for train, test in splits]


@pytest.mark.parametrize(("splitter", "names"), TWO_IDS.values(), ids=TWO_IDS)
def test_metadata_groups_columns_and_levels_are_one(splitter, names):
    table, y = make_table()
    X = table[["loudness"]].to_numpy()
    ids = {name: table[name] for name in names}
    expected = as_lists(splitter.split(X, y, **ids))
    assert expected
    assert expected == as_lists(splitter.split(table, y))
    assert expected == as_lists(splitter.split(table.set_index(list(names)), y))
    rest = table.drop(columns=names[0])
    assert expected == as_lists(splitter.split(rest, y, groups=table[names[0]]))
    assert len(expected) == splitter.get_n_splits(table, y)
    for name in names:
        with pytest.raises(MetadataError, match=f"{type(splitter).__name__} .* needs '{name}' for"):
            list(splitter.split(table.drop(columns=name), y))


@pytest.mark.parametrize(("splitter", "names"), TWO_IDS.values(), ids=TWO_IDS)
def test_in_searches_with_routing_on_and_off(splitter, names):
    table, y = make_table()
    grid = {"strategy": ["prior", "uniform"]}
    search = GridSearchCV(DummyClassifier(random_state=0), grid, cv=splitter)
    off = search.fit(table, y).best_score_
    with config_context(enable_metadata_routing=True):
        ids = {name: table[name] for name in names}
        assert search.fit(table[["loudness"]], y, **ids).best_score_ == off
        dummy = DummyClassifier(random_state=0)
        scores = cross_validate(dummy, table[["loudness"]], y, cv=splitter, params=ids)
    assert np.isfinite(scores["test_score"]).all()


@settings(max_examples=30)
@given(data=st.data())
def test_pairs_of_corpora(data):
    corpus = np.array(data.draw(st.lists(st.sampled_from("abcd"), min_size=2, max_size=30)))
    X = np.zeros((len(corpus), 1))
    names = sorted(set(corpus))
    if len(names) < 2:
        with pytest.raises(MetadataError, match="but PairwiseCorpusSplit expects at least 2"):
            list(PairwiseCorpusSplit().split(X, groups=corpus))
        return
    pairs = []
    for train, test in PairwiseCorpusSplit().split(X, groups=corpus):
        (source,), (target,) = set(corpus[train]), set(corpus[test])
        assert train.tolist() == np.flatnonzero(corpus == source).tolist()
        assert test.tolist() == np.flatnonzero(corpus == target).tolist()
        pairs.append((source, target))
    assert pairs == [(a, b) for a in names for b in names if a != b]
    assert PairwiseCorpusSplit().get_n_splits(X, groups=corpus) == len(pairs)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**16), n_splits=st.integers(2, 6))
def test_speaker_folds_within_each_corpus(seed, n_splits):
    table, _ = make_table(seed)
    splits = list(WithinCorpusSpeakerKFold(n_splits).split(table))
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(len(table)))
    for train, test in splits:
        assert table["corpus"][train].unique().tolist() == table["corpus"][test].unique().tolist()
        assert not set(table["speaker"][train]) & set(table["speaker"][test])
    per_corpus = table.groupby("corpus")["speaker"].nunique().clip(upper=n_splits)
    assert len(splits) == per_corpus.sum()


def test_folds_within_one_corpus_are_those_of_speaker_kfold():
    table, y = make_table()
    table["corpus"] = "x"
    expected = as_lists(SpeakerKFold(4).split(table, y))
    assert as_lists(WithinCorpusSpeakerKFold(4).split(table, y)) == expected


def test_a_corpus_of_one_speaker_is_named():
    table, y = make_table()
    table.loc[table["corpus"] == "y", "speaker"] = "only"
    text = r"Found 1 unique value of 'speaker' in corpus 'y' \('only'\), but Within.* at least 2\."
    with pytest.raises(MetadataError, match=text):
        list(WithinCorpusSpeakerKFold(2).split(table, y))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**16), n_splits=st.integers(2, 4), n_texts=st.integers(2, 3))
def test_speakers_and_sentences_are_disjoint(seed, n_splits, n_texts):
    table, _ = make_table(seed)
    table["recording"] = np.random.default_rng(seed).integers(60, size=len(table)).astype(object)
    table.loc[::2, "recording"] = None
    table["recording"] = table["recording"].where(table["recording"].isin([3, 5, 7]))
    splitter = SentenceSpeakerKFold(
        n_splits, n_texts, keep_together="recording", shuffle=True, random_state=seed
    )
    splits = list(splitter.split(table))
    assert sorted(np.concatenate([test for _, test in splits])) == list(range(len(table)))
    assert splitter.get_n_splits(table) == len(splits)
    for train, test in splits:
        for name in ("speaker", "text", "recording"):
            assert not set(table[name][train].dropna()) & set(table[name][test].dropna())


def test_rows_of_one_recording_stay_on_one_side():
    table = pd.DataFrame(
        {
            "speaker": list("aabbccdd"),
            "text": ["hello", "bye"] * 4,
            "recording": [1, None, 1, None, None, None, None, None],
        }
    )
    for train, test in SentenceSpeakerKFold(3, keep_together="recording").split(table):
        assert {"a", "b"} <= set(table["speaker"][train]) or not {"a", "b"} & set(
            table["speaker"][train]
        )
        assert len(test)
    with pytest.raises(MetadataError, match=r"Found 3 unique values of 'speaker' .* at least 4"):
        list(SentenceSpeakerKFold(4, keep_together="recording").split(table))
    with pytest.raises(MetadataError, match=r"Found 2 unique values of 'text' .* at least 3"):
        list(SentenceSpeakerKFold(2, 3).split(table))


@settings(max_examples=30)
@given(seed=st.integers(0, 2**16), n_target=st.integers(0, 8))
def test_adaptation_trains_on_so_many_rows_of_speakers_that_are_not_tested(seed, n_target):
    table, y = make_table(seed, n_rows=300)
    y = np.where(np.random.default_rng(seed).random(len(y)) < 0.2, None, y.astype(object))
    options = {"n_repeats": 2, "random_state": seed}
    splits = list(CorpusAdaptationSplit(n_target, **options).split(table, y))
    plain = list(CorpusAdaptationSplit(0, **options).split(table, y))
    targets = np.repeat(sorted(table["corpus"].unique()), 2)
    for (train, test), (train_0, test_0), target in zip(splits, plain, targets, strict=True):
        assert set(table["corpus"][test]) == {target}
        given_rows = train[(table["corpus"][train] == target).to_numpy()]
        assert len(given_rows) == n_target
        assert not pd.isna(y[given_rows]).any()
        assert not set(table["speaker"][given_rows]) & set(table["speaker"][test])
        assert test.tolist() == test_0.tolist()
        assert sorted(set(train) - set(given_rows)) == train_0.tolist()
        others = np.flatnonzero(table["corpus"] != target)
        assert train_0.tolist() == others.tolist()


def test_a_larger_share_of_the_target_holds_the_smaller_one():
    table, y = make_table()
    few, more = (as_lists(CorpusAdaptationSplit(n, random_state=1).split(table, y)) for n in (3, 7))
    for (train, test), (train_more, test_more) in zip(few, more, strict=True):
        assert set(train) < set(train_more)
        assert test == test_more


def test_too_few_labeled_utterances_of_the_target_corpus():
    table, y = make_table()
    splitter = CorpusAdaptationSplit(60, random_state=0)
    text = r"The 2 speakers of corpus 'x' that are not tested have \d+ .* least n_target=60\."
    with pytest.raises(MetadataError, match=text):
        list(splitter.split(table, y))


@pytest.mark.parametrize(
    ("splitter", "text"),
    [
        (SentenceSpeakerKFold(1), "The 'n_splits' parameter of SentenceSpeakerKFold must be"),
        (
            WithinCorpusSpeakerKFold(1),
            "The 'n_splits' parameter of WithinCorpusSpeakerKFold must be",
        ),
        (CorpusAdaptationSplit(-1), "The 'n_target' parameter of CorpusAdaptationSplit must be"),
    ],
)
def test_parameters_are_checked(splitter, text):
    table, y = make_table()
    with pytest.raises(ValueError, match=re.escape(text)):
        list(splitter.split(table, y))
