"""SplitOriginals: whatever copies and mixtures there are, no source is on both sides."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline

from sklearn_ser import AugmentingClassifier, MTLNeuralClassifier
from sklearn_ser.augmentation import Mixup, SpecAugment
from sklearn_ser.augmentation._split_originals import SplitOriginals
from sklearn_ser.exceptions import MetadataError
from sklearn_ser.neural_network import ELMClassifier, HighLevelFeatures
from sklearn_ser.utils._frames import frames_table

N = 12


@st.composite
def rows_with_copies(draw):
    """Sources and which rows are unchanged: some originals, copies of them, and mixtures."""
    originals = draw(st.sets(st.integers(0, N - 1), min_size=4, max_size=N))
    one_of = st.sampled_from(sorted(originals))
    copies = draw(st.lists(one_of, max_size=20))
    mixtures = draw(st.lists(st.tuples(one_of, one_of), max_size=20))
    pairs = [(row, row) for row in [*originals, *copies]] + mixtures
    unchanged = [True] * len(originals) + [False] * (len(copies) + len(mixtures))
    order = draw(st.permutations(range(len(pairs))))
    return np.array(pairs)[order], np.array(unchanged)[order]


@given(made=rows_with_copies(), copies_too=st.booleans(), seed=st.integers(0, 5))
@settings(max_examples=60)
def test_no_source_is_on_both_sides(made, copies_too, seed):
    sources, unchanged = made
    X, y = np.zeros((len(sources), 1)), sources[:, 0] % 2
    base = KFold(3, shuffle=True, random_state=seed)
    cv = SplitOriginals(base, sources, unchanged, copies_too=copies_too)
    tested = np.zeros(len(sources), dtype=int)
    for train, test in cv.split(X, y):
        trained_on, held = set(sources[train].ravel()), set(sources[test, 0])
        assert not trained_on & held
        left = set(sources[unchanged, 0]) - held
        expected = [row for row, pair in enumerate(sources) if set(pair) <= left]
        assert train.tolist() == expected
        tested[test] += 1
    assert (tested == (1 if copies_too else unchanged)).all()
    assert cv.get_n_splits(X, y) == 3


def test_rows_of_a_part_are_told_by_metadata():
    sources = np.repeat(np.arange(12), 2)[:, None] + np.zeros((24, 2), dtype=int)
    unchanged = np.arange(24) % 2 == 0
    cv = SplitOriginals(KFold(2), sources, unchanged)
    part = np.arange(6, 20)
    with pytest.raises(MetadataError, match=r"KFold.* got 14 of 24 rows, and not where they come"):
        next(cv.split(np.zeros((14, 1))))
    splits = list(cv.split(np.zeros((14, 1)), sources=sources[part], original_rows=unchanged[part]))
    assert [test.tolist() for _, test in splits] == [[0, 2, 4, 6], [8, 10, 12]]
    assert [train.tolist() for train, _ in splits] == [list(range(8, 14)), list(range(8))]


def test_features_of_a_network_that_has_not_seen_any_copy(monkeypatch):
    seen = []
    split = SplitOriginals.split

    def spy(self, X, y=None, groups=None, sources=None, original_rows=None, **metadata):
        for train, test in split(self, X, y, groups, sources, original_rows, **metadata):
            seen.append((sources, train, test))
            yield train, test

    monkeypatch.setattr(SplitOriginals, "split", spy)
    rng = np.random.default_rng(0)
    y = np.array(["anger", "calm", "fear"])[np.arange(60) % 3]
    speaker = pd.Index([f"s{row // 10}" for row in range(60)], name="speaker")
    sequences = [rng.normal(size=(rng.integers(5, 9), 4)) + row % 3 for row in range(60)]
    net = MTLNeuralClassifier(
        encoder="frame_dnn", encoder_params={"pooling": "frames"}, max_epochs=1, random_state=0
    )
    model = AugmentingClassifier(
        make_pipeline(HighLevelFeatures(net, cv=3), ELMClassifier(random_state=0)),
        {"masked": SpecAugment(1, 1), "mixed": Mixup()},
        random_state=0,
    )
    model.fit(frames_table(sequences, speaker, list("wxyz")), y)
    assert model.estimator_[0].cv == 3
    assert len(seen) == 3
    for sources, train, test in seen:
        # A number means speaker-disjoint folds.
        assert not set(speaker[sources[train].ravel()]) & set(speaker[sources[test, 0]])
        assert not set(sources[train].ravel()) & set(sources[test, 0])
    assert sorted(np.concatenate([test for _, _, test in seen])) == list(range(len(sources)))
