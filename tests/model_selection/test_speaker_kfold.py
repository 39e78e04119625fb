"""SpeakerKFold balances the classes over folds as far as whole speakers allow."""

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.model_selection._speaker import assign_folds

#: Shaped like URDU: most speakers have one emotion, one has a fifth of all rows.
ONE_EMOTION_EACH = pd.DataFrame(
    [("s0", "neutral", 72), ("s0", "happiness", 8), ("s1", "anger", 48), ("s2", "anger", 28)]
    + [("s3", "anger", 22), ("s4", "anger", 2), ("s5", "sadness", 40), ("s6", "sadness", 38)]
    + [(f"n{i}", "neutral", 4) for i in range(7)]
    + [(f"h{i}", "happiness", 4 + i) for i in range(11)]
    + [(f"d{i}", "sadness", 4) for i in range(6)],
    columns=["speaker", "emotion", "n"],
)


def expand(table):
    rows = table.loc[table.index.repeat(table["n"])]
    return rows["emotion"].to_numpy(object), rows["speaker"].to_numpy(object)


def class_shares(y, splits):
    """Share of each class in each test fold, (n_folds, n_classes)."""
    table = pd.DataFrame([pd.Series(y[test]).value_counts() for _, test in splits]).fillna(0)
    return (table / table.sum()).to_numpy()


def unevenness(y, splits):
    shares = class_shares(y, splits)
    return float(np.sqrt(((shares - 1 / len(shares)) ** 2).mean()))


def lacking(y, splits):
    """How many (fold, class) pairs are empty."""
    return int((class_shares(y, splits) == 0).sum())


@pytest.mark.parametrize("n_splits", [2, 3, 5, 8])
@pytest.mark.parametrize("shuffle", [False, True])
def test_speakers_of_one_emotion(n_splits, shuffle):
    y, speakers = expand(ONE_EMOTION_EACH)
    seed = 0 if shuffle else None
    cv = SpeakerKFold(n_splits, shuffle=shuffle, random_state=seed)
    ours = list(cv.split(y, y, speaker=speakers))
    theirs = list(StratifiedGroupKFold(n_splits).split(y, y, speakers))
    assert unevenness(y, ours) <= 1.02 * unevenness(y, theirs)
    # anger has 4 speakers, so that at least n_splits - 4 folds must go without; no other lacks.
    assert lacking(y, ours) == max(0, n_splits - 4)


def test_class_shares_are_the_best_possible():
    """Against every assignment there is, on a problem small enough to try them all."""
    rng = np.random.RandomState(3)
    counts = rng.poisson(4, size=(7, 3)).astype(float) + 1
    shares = counts / counts.sum(axis=0)

    def objective(folds):
        loads = np.array([shares[np.equal(folds, fold)].sum(axis=0) for fold in range(3)])
        return ((loads - 1 / 3) ** 2).sum()

    best = min(objective(folds) for folds in itertools.product(range(3), repeat=7))
    found = objective(assign_folds(counts, 3, np.arange(7)))
    worst = max(objective(folds) for folds in itertools.product(range(3), repeat=7))
    assert found <= best + 0.01 * (worst - best)


@settings(max_examples=50)
@given(st.data())
def test_no_move_or_swap_improves(data):
    n_groups, n_folds = data.draw(st.integers(3, 8)), data.draw(st.integers(2, 3))
    cells = st.lists(st.integers(0, 9), min_size=2, max_size=2)
    counts = np.array(data.draw(st.lists(cells, min_size=n_groups, max_size=n_groups)), float)
    counts = np.column_stack([counts, counts.sum(axis=1) + 1])
    shares = counts[:, counts.sum(axis=0) > 0]
    shares = shares / shares.sum(axis=0)

    def objective(folds):
        loads = np.array([shares[folds == fold].sum(axis=0) for fold in range(n_folds)])
        return (loads**2).sum()

    folds = assign_folds(counts, n_folds, np.arange(n_groups))
    assert set(folds) == set(range(n_folds))
    for group, fold in itertools.product(range(n_groups), range(n_folds)):
        moved = folds.copy()
        moved[group] = fold
        assert objective(moved) >= objective(folds) - 1e-8
    for first, second in itertools.combinations(range(n_groups), 2):
        swapped = folds.copy()
        swapped[[first, second]] = swapped[[second, first]]
        assert objective(swapped) >= objective(folds) - 1e-8


@pytest.mark.parametrize(
    "y", [None, np.linspace(0.0, 1.0, 60), np.zeros((60, 2))], ids=["none", "continuous", "2-D"]
)
def test_sizes_are_balanced_without_classes(y):
    speakers = np.repeat(np.arange(9), [20, 10, 6, 6, 5, 4, 4, 3, 2])
    sizes = [len(test) for _, test in SpeakerKFold(3).split(speakers, y, speaker=speakers)]
    theirs = [len(test) for _, test in GroupKFold(3).split(speakers, groups=speakers)]
    assert max(sizes) <= max(theirs)
    assert sizes == [20, 20, 20]


def test_continuous_targets_are_no_classes():
    rng = np.random.RandomState(0)
    speakers, ratings = np.sort(rng.randint(9, size=60)), rng.choice([1.0, 2.5, 3.0], size=60)

    def folds(y):
        return [test.tolist() for _, test in SpeakerKFold(3).split(speakers, y, speaker=speakers)]

    assert folds(ratings) == folds(None)
    assert folds(2 * ratings) != folds(None)


def test_unlabeled_samples_count_in_the_sizes_of_folds():
    speakers = np.repeat(list("abcd"), 10)
    y = np.full(40, None, dtype=object)
    y[[0, 10]] = "anger"
    y[[20, 30]] = "sadness"
    splits = list(SpeakerKFold(2).split(y, y, speaker=speakers))
    assert [len(test) for _, test in splits] == [20, 20]
    for _, test in splits:
        assert {"anger", "sadness"} < set(y[test])


def test_float_and_integer_classes_are_classes():
    y, speakers = expand(ONE_EMOTION_EACH)
    codes = pd.factorize(y)[0]
    splits = [
        [test.tolist() for _, test in SpeakerKFold(4).split(y, kind, speaker=speakers)]
        for kind in (codes, codes.astype(float), np.where(codes == 1, -1, codes))
    ]
    assert splits[0] == splits[1]
    assert len(splits[2]) == 4


def test_shuffle_gives_other_folds_for_other_seeds_only():
    y, speakers = expand(ONE_EMOTION_EACH)

    def tests(seed):
        cv = SpeakerKFold(5, shuffle=True, random_state=seed)
        return [test.tolist() for _, test in cv.split(y, y, speaker=speakers)]

    assert tests(0) == tests(0)
    assert tests(0) != tests(1)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_splits": 1}, r"'n_splits' parameter of SpeakerKFold must be an int in the range \[2"),
        ({"n_splits": 2.5}, "'n_splits' parameter of SpeakerKFold must be an int"),
        ({"shuffle": "yes"}, "'shuffle' parameter of SpeakerKFold"),
        ({"random_state": 0}, "Setting random_state=0 has no effect with shuffle=False"),
    ],
)
def test_parameters_are_checked_when_used(parameters, message):
    cv = SpeakerKFold(**parameters)
    with pytest.raises(ValueError, match=message):
        cv.get_n_splits()
    with pytest.raises(ValueError, match=message):
        cv.split(np.zeros((4, 1)), groups=list("abcd"))


def test_a_random_state_set_by_stacking_is_ignored():
    cv = SpeakerKFold(2)
    groups = list("abcdab")
    expected = [test.tolist() for _, test in cv.split(np.zeros((6, 1)), groups=groups)]
    cv.random_state = np.random.RandomState()
    assert [test.tolist() for _, test in cv.split(np.zeros((6, 1)), groups=groups)] == expected


def test_many_speakers():
    """Above the limit for swaps, moves alone still balance."""
    rng = np.random.RandomState(0)
    speakers = rng.randint(2000, size=20_000)
    y = rng.choice(
        ["anger", "happiness", "neutral", "sadness"], p=[0.1, 0.2, 0.4, 0.3], size=20_000
    )
    splits = list(SpeakerKFold(5).split(y, y, speaker=speakers))
    assert np.abs(class_shares(y, splits) - 0.2).max() < 0.002


@pytest.mark.corpora
@pytest.mark.parametrize("n_splits", [3, 5])
@pytest.mark.parametrize("corpus", ["emodb", "ravdess", "nemo", "urdu"])
def test_real_corpora_are_at_least_as_even_as_with_stratified_group_kfold(shared, corpus, n_splits):
    frame = pd.read_csv(shared / "corpora" / corpus / "metadata.csv", dtype=str)
    y, speakers = frame["emotion"].to_numpy(object), frame["speaker"].to_numpy(object)
    ours = list(SpeakerKFold(n_splits).split(y, y, speaker=speakers))
    theirs = list(StratifiedGroupKFold(n_splits).split(y, y, speakers))
    assert unevenness(y, ours) <= unevenness(y, theirs) + 1e-9
    assert lacking(y, ours) <= lacking(y, theirs)
    if corpus != "urdu":
        assert lacking(y, ours) == 0
