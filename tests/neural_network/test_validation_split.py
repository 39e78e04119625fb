"""Rows held out for early stopping: whole speakers, every class still trained on."""

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.exceptions import MetadataError, TrainingWarning
from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.neural_network.training._validation_split import split_validation


def split(codes, groups=None, fraction=0.2, seed=0):
    groups = None if groups is None else np.asarray(groups, dtype=object)
    generator = np.random.default_rng(seed)
    return masks(split_validation(np.asarray(codes), groups, fraction, generator, 0, None), codes)


def masks(found, codes):
    """Masks of validation and training samples, the record, whether groups were ignored."""
    positions = np.arange(len(codes))
    valid, train = np.isin(positions, found.valid), np.isin(positions, found.train)
    return valid, train, found.record, found.ignores_groups


def test_whole_groups_of_about_the_fraction_with_balanced_classes():
    generator = np.random.default_rng(0)
    groups = np.array([f"s{i}" for i in generator.integers(0, 20, 600)])
    codes = generator.choice(4, size=600, p=[0.4, 0.3, 0.2, 0.1])
    valid, train, record, weaker = split(codes, groups)
    assert not set(groups[valid]) & set(groups[train])
    assert (valid | train).all()
    assert not weaker
    assert record == {
        "kind": "groups",
        "n_train": train.sum(),
        "n_valid": valid.sum(),
        "groups": sorted(set(groups[valid])),
        "reason": "",
    }
    assert valid.mean() == pytest.approx(0.2, abs=0.02)
    shares = np.bincount(codes[valid]) / valid.sum()
    np.testing.assert_allclose(shares, np.bincount(codes) / 600, atol=0.04)


def test_a_class_of_one_speaker_stays_in_training():
    groups = np.repeat(list("abcde"), 20)
    codes = np.tile([0, 1], 50)
    codes[80:] = 2  # the class 2 is all of speaker e, who says nothing else
    valid, train, record, _ = split(codes, groups)
    assert record["kind"] == "groups"
    assert "e" not in record["groups"]
    assert set(codes[train]) == {0, 1, 2}
    assert valid.sum() == 20


@pytest.mark.parametrize(
    ("codes", "groups", "reason"),
    [
        (np.tile([0, 1], 50), ["only"] * 100, "there are fewer than two groups (1)"),
        (np.tile([0, 1], 50), [None] * 100, "there are fewer than two groups (1)"),
        (
            np.repeat([0, 1], 50),
            np.repeat(["a", "b"], 50),
            "every split by groups removes a whole class from training",
        ),
    ],
)
def test_falls_back_to_random_rows_class_by_class(codes, groups, reason):
    valid, train, record, weaker = split(codes, groups)
    assert weaker
    assert record["kind"] == "stratified"
    assert record["reason"] == reason
    assert np.bincount(codes[valid]).tolist() == [10, 10]
    assert np.array_equal(train, ~valid)


def test_without_groups_rows_are_random_and_follow_the_seed():
    codes = np.tile([0, 1], 50)
    first, _, record, weaker = split(codes)
    assert (record["kind"], record["reason"]) == ("stratified", "no groups were given")
    assert not weaker
    assert np.array_equal(first, split(codes)[0])
    assert not np.array_equal(first, split(codes, seed=1)[0])


def test_too_few_rows_are_all_trained_on():
    valid, train, record, weaker = split(np.tile([0, 1], 20), list(range(40)))
    assert not valid.any()
    assert train.all()
    assert not weaker
    assert record["kind"] == "none"
    assert "of the 40 labeled samples, class by class, is 8, and at least 10" in record["reason"]


def test_unlabeled_rows_of_held_out_groups_are_in_neither_part():
    groups = np.repeat([f"s{i}" for i in range(10)], 20)
    codes = np.tile([0, 1], 100)
    codes[::4] = -1
    valid, train, record, _ = split(codes, groups)
    held = np.isin(groups, record["groups"])
    assert np.array_equal(train, ~held)
    assert np.array_equal(valid, held & (codes >= 0))
    assert record["n_train"] + record["n_valid"] == 150


def test_a_few_unknown_speakers_count_as_one():
    groups = np.repeat([f"s{i}" for i in range(10)], 20).astype(object)
    groups[:3] = None
    groups[5] = np.nan
    unknown = np.array([not isinstance(group, str) for group in groups])
    valid, train, _, _ = split(np.tile([0, 1], 100), groups)
    assert unknown[train].any() != unknown[valid].any()


def net(**parameters):
    return MTLNeuralClassifier().set_params(max_epochs=1, random_state=0, **parameters)


def test_fit_separates_groups_also_those_of_x(speech):
    given = net().fit(speech.X, speech.y, groups=speech.speaker).validation_split_
    assert given["kind"] == "groups"
    assert len(given["groups"]) in (2, 3)
    assert given["n_train"] + given["n_valid"] == len(speech.X)
    X = pd.DataFrame(speech.X, index=pd.Index(speech.speaker, name="speaker"))
    X.columns = X.columns.astype(str)
    assert net().fit(X, speech.y).validation_split_ == given


def test_fit_warns_once_where_groups_cannot_be_separated(speech):
    with pytest.warns(
        TrainingWarning,
        match="early stopping monitors samples of speakers that are also trained on, because there "
        "are fewer than two",
    ) as caught:
        model = net().fit(speech.X, speech.y, groups=["one"] * len(speech.y))
    assert len(caught) == 1
    assert model.validation_split_["kind"] == "stratified"


def test_early_stopping_off_trains_on_everything(speech):
    record = net(early_stopping=False).fit(speech.X, speech.y).validation_split_
    assert record == {
        "kind": "none",
        "n_train": 240,
        "n_valid": 0,
        "groups": [],
        "reason": "early_stopping=False",
    }


def test_groups_of_another_length_raise_an_error(speech):
    with pytest.raises(MetadataError, match=r"groups must have one value per row of X"):
        net().fit(speech.X, speech.y, groups=["a"])


def copies_and_mixtures(n=60, seed=0):
    """Each row twice, then mixtures of two rows: codes, groups by first source, sources."""
    rng = np.random.default_rng(seed)
    codes = np.arange(n) % 3
    pairs = np.stack([np.arange(n), rng.permutation(n)], axis=1)
    sources = np.concatenate([np.stack([np.arange(n)] * 2, axis=1)] * 2 + [pairs])
    groups = np.array([f"s{row // 10}" for row in sources[:, 0]], dtype=object)
    return codes[sources[:, 0]], groups, sources


@pytest.mark.parametrize("by_groups", [True, False])
def test_copies_and_mixtures_cross_no_split(by_groups):
    codes, groups, sources = copies_and_mixtures()
    for seed in range(5):
        found = split_validation(
            codes, groups if by_groups else None, 0.25, np.random.default_rng(seed), 0, sources
        )
        valid, train, record, _ = masks(found, codes)
        assert record["kind"] == ("groups" if by_groups else "stratified")
        assert not set(sources[valid].ravel()) & set(sources[train].ravel())
        assert valid.sum() >= 2 * len(set(sources[valid, 0])) > 20
        assert (sources[valid, 0] == sources[valid, 1]).all()
        assert record["n_valid"] == valid.sum()
        assert record["n_train"] == train.sum() < (~valid).sum()
        kept = set(sources[train, 0])
        fit = [set(pair) <= kept for pair in sources]
        assert train.tolist() == fit


def test_groups_that_cannot_be_separated_keep_copies_in_one_part():
    codes, _, sources = copies_and_mixtures()
    found = split_validation(
        codes, np.full(len(codes), "one"), 0.25, np.random.default_rng(0), 0, sources
    )
    valid, train, record, weaker = masks(found, codes)
    assert weaker
    assert record["kind"] == "stratified"
    assert not set(sources[valid].ravel()) & set(sources[train].ravel())


def test_copies_do_not_make_up_for_rows():
    codes = np.repeat(np.arange(40) % 2, 10)
    sources = np.repeat(np.arange(40), 10)[:, None]
    found = split_validation(codes, None, 0.2, np.random.default_rng(0), 0, sources)
    valid, _, record, _ = masks(found, codes)
    assert not valid.any()
    assert record["reason"] == (
        "0.2 of the 40 labeled samples, class by class, is 8, and at least 10 are needed"
    )


@pytest.mark.parametrize(
    ("sources", "found"),
    [([0.5] * 240, r"float64 of shape \(240, 1\)"), ([1, 2], r"shape \(2, 1\)")],
)
def test_sources_that_are_none(sources, found, speech):
    with pytest.raises(MetadataError, match=found):
        net().fit(speech.X, speech.y, sources=sources)
