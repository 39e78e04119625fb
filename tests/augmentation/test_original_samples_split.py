"""OriginalSamplesSplit: no source is on both sides, whatever copies and mixtures there are."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.utils.metadata_routing import MetadataRouter, MethodMapping

from sklearn_ser import AugmentingClassifier, MTLNeuralClassifier, SpeakerKFold
from sklearn_ser.augmentation import FeatureNoise, Mixup, OriginalSamplesSplit, SpecAugment
from sklearn_ser.exceptions import MetadataError
from sklearn_ser.neural_network import ELMClassifier, HighLevelFeatures

N = 12


@st.composite
def sources_of_copies(draw):
    """Sources of some originals, and behind them of copies and mixtures in any order."""
    originals = draw(st.sets(st.integers(0, N - 1), min_size=4, max_size=N))
    one_of = st.sampled_from(sorted(originals))
    copies = [(row, row) for row in draw(st.lists(one_of, max_size=20))]
    mixtures = draw(st.lists(st.tuples(one_of, one_of), max_size=20))
    first = draw(st.permutations([(row, row) for row in sorted(originals)]))
    return np.array([*first, *draw(st.permutations(copies + mixtures))]), len(originals)


@given(made=sources_of_copies(), test_copies=st.booleans(), seed=st.integers(0, 5))
@settings(max_examples=60)
def test_no_source_is_on_both_sides(made, test_copies, seed):
    sources, n_originals = made
    unchanged = np.arange(len(sources)) < n_originals
    X, y = np.zeros((len(sources), 1)), sources[:, 0] % 2
    base = KFold(3, shuffle=True, random_state=seed)
    cv = OriginalSamplesSplit(base, test_copies=test_copies)
    tested = np.zeros(len(sources), dtype=int)
    for train, test in cv.split(X, y, sources=sources):
        trained_on, held = set(sources[train].ravel()), set(sources[test, 0])
        assert not trained_on & held
        left = set(sources[unchanged, 0]) - held
        expected = [row for row, pair in enumerate(sources) if set(pair) <= left]
        assert train.tolist() == expected
        tested[test] += 1
    assert (tested == (1 if test_copies else unchanged)).all()
    assert cv.get_n_splits(X, y, sources=sources) == 3


@given(made=sources_of_copies(), seed=st.integers(0, 5))
@settings(max_examples=30)
def test_no_source_is_on_both_sides_in_any_order_of_samples(made, seed):
    sources = np.random.default_rng(seed).permutation(made[0])
    X = np.zeros((len(sources), 1))
    for train, test in OriginalSamplesSplit(KFold(3)).split(X, sources=sources):
        assert len(set(sources[test, 0])) == len(test)
        assert not set(sources[train].ravel()) & set(sources[test].ravel())


def test_samples_of_a_part_are_identified_by_sources():
    sources = np.repeat(np.arange(12), 2)
    part = np.arange(6, 20)
    cv = OriginalSamplesSplit(KFold(2))
    with pytest.raises(MetadataError, match=r"KFold.* got 14 samples without `sources`"):
        next(cv.split(np.zeros((14, 1))))
    splits = list(cv.split(np.zeros((14, 1)), sources=sources[part]))
    assert [test.tolist() for _, test in splits] == [[0, 2, 4, 6], [8, 10, 12]]
    assert [train.tolist() for train, _ in splits] == [list(range(8, 14)), list(range(8))]


def test_in_a_search_over_samples_that_were_copied_by_hand():
    rng = np.random.default_rng(0)
    y = np.tile(["a", "b"], 20)
    X = rng.normal(size=(40, 3)) + (y == "a")[:, None]
    sources = np.tile(np.arange(40), 2)
    search = GridSearchCV(
        LogisticRegression(), {"C": [0.1, 1.0]}, cv=OriginalSamplesSplit(SpeakerKFold(4))
    )
    with config_context(enable_metadata_routing=True):
        search.fit(np.concatenate([X, X]), np.tile(y, 2), sources=sources, speaker=sources // 10)
    assert search.n_splits_ == 4


@pytest.mark.parametrize("name", ["cv", "splitter"])
def test_a_splitter_of_the_user_is_wrapped_only_once(name):
    class Search(ClassifierMixin, BaseEstimator):
        """A meta-estimator whose splitter is a parameter of any name."""

        def __init__(self, cv=None, splitter=None):
            self.cv = cv
            self.splitter = splitter

        def fit(self, X, y, **params):
            cv = self.splitter or self.cv
            self.splits_ = list(cv.split(X, y, **params))
            return self

        def get_metadata_routing(self):
            mapping = MethodMapping().add(caller="fit", callee="split")
            return MetadataRouter(owner=self).add(
                splitter=self.splitter or self.cv, method_mapping=mapping
            )

    cv = OriginalSamplesSplit(KFold(2), test_copies=True)
    X, y = np.arange(20.0)[:, None], np.tile(["a", "b"], 10)
    model = AugmentingClassifier(Search(**{name: cv}), FeatureNoise()).fit(X, y)
    for train, test in model.estimator_.splits_:
        assert len(train) == len(test) == 20
        assert not set(train % 20) & set(test % 20)
    fitted = getattr(model.estimator_, name)
    assert isinstance(fitted.cv, KFold)
    assert fitted._sources is None


def test_features_of_a_network_that_has_not_seen_any_copy(monkeypatch):
    seen = []
    split = OriginalSamplesSplit.split

    def spy(self, X, y=None, groups=None, sources=None, **metadata):
        for train, test in split(self, X, y, groups, sources, **metadata):
            seen.append((sources, train, test))
            yield train, test

    monkeypatch.setattr(OriginalSamplesSplit, "split", spy)
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
    model.fit(pd.DataFrame({"frames": sequences}, index=speaker), y)
    assert model.estimator_[0].cv == 3
    assert len(seen) == 3
    for sources, train, test in seen:
        # A number means speaker-disjoint folds.
        assert not set(speaker[sources[train].ravel()]) & set(speaker[sources[test, 0]])
        assert not set(sources[train].ravel()) & set(sources[test, 0])
    assert sorted(np.concatenate([test for _, _, test in seen])) == list(range(len(sources)))
