"""Equal and nearly equal ids, in every function that compares ids."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from sklearn_ser import MTLNeuralClassifier, audit_split, cross_corpus_validate, load_corpus
from sklearn_ser.metrics import cluster_interval, group_scores, paired_test
from sklearn_ser.model_selection import (
    CorpusAdaptationSplit,
    LeaveOneCorpusOut,
    LeaveOneSpeakerOut,
    PairwiseCorpusSplit,
    SemiSupervisedSplit,
    SentenceSpeakerKFold,
    SpeakerKFold,
    WithinCorpusSpeakerKFold,
)
from sklearn_ser.utils._ids import canonical_ids, id_codes, near_equal_ids

SPELLINGS = {
    "1": [1, 1.0, "1", "1.0", " 1", np.int8(1), np.float32(1), Decimal("1.0"), b"1", np.str_("1")],
    "03": ["03", "03 ", b"03"],
    "1.5": [1.5, "1.5"],
    "Jos\u00e9": ["Jos\u00e9", "Jose\u0301", "Jose\u0301\n"],
    "s1": ["s1", np.str_("s1")],
    "inf": [float("inf"), "inf"],
    "-1": [-1, -1.0, "-1"],
    None: [None, np.nan, pd.NA, pd.NaT, "", "  "],
}


@pytest.mark.parametrize("canonical", SPELLINGS)
def test_spellings_of_one_id(canonical):
    spellings = np.empty(len(SPELLINGS[canonical]), dtype=object)
    spellings[:] = SPELLINGS[canonical]
    assert set(canonical_ids(spellings)) == {canonical}
    codes, names = id_codes([*spellings, "another"])
    assert len(names) == (1 if canonical is None else 2)
    assert len(set(codes)) == 2


@pytest.mark.parametrize(
    "different", [["3", "03"], ["Anna", "anna"], ["a b", "ab"], ["1", "1.01"], ["1", "-1"]]
)
def test_different_ids(different):
    assert len(set(canonical_ids(different))) == 2


@pytest.mark.parametrize("dtype", [int, float, str, "category", "Int64", "string", object])
def test_ids_of_any_dtype(dtype):
    values = pd.Series([3, 1, 10, 1]).astype("str" if dtype == "category" else dtype).astype(dtype)
    assert canonical_ids(values).tolist() == ["3", "1", "10", "1"]
    codes, names = id_codes(values)
    assert [canonical_ids([names[code]])[0] for code in codes] == ["3", "1", "10", "1"]
    assert id_codes(values.iloc[:0])[1] == []


def test_numbers_remain_numbers_in_numeric_order():
    assert id_codes([10, 2, None, 2.0])[1] == [2, 10]
    assert id_codes([10, 2, "2"])[1] == ["10", "2"]
    assert id_codes([True, False])[1] == [False, True]


def test_near_equal_ids():
    ids = ["3", "03", "Anna", "anna", "Jos\u00e9", "Jose", "spk_1", "SPK 01", "\uff17", 7, None]
    ids += ["emodb/03", "emodb/3", "1-11", "11-1", "\ufeffMia", "Mia", "x", "y", "+", "-"]
    assert near_equal_ids(ids) == [
        ["03", "3"],
        ["7", "\uff17"],
        ["Anna", "anna"],
        ["Jose", "Jos\u00e9"],
        ["Mia", "\ufeffMia"],
        ["SPK 01", "spk_1"],
        ["emodb/03", "emodb/3"],
    ]
    assert near_equal_ids(["a", "b", None]) == []


# Users of ids: half of the rows spell them in another way.
N = 96
SPEAKER = np.repeat(np.arange(1, 9), N // 8)
CORPUS = np.repeat([1, 2], N // 2)
TEXT = np.tile([1, 2], N // 2)
Y = np.array(["anger", "anger", "sadness", "sadness"] * (N // 4), dtype=object)
FORMS = {
    "string": str,
    "float": float,
    "string of a float": lambda number: f"{number}.0",
    "spaces": lambda number: f" {number} ",
    "bytes": lambda number: str(number).encode(),
}


def as_strings(ids):
    return ids.astype(str).astype(object)


def respelled(ids, form):
    """Return the ids of a table whose second, fourth, ... row was written by another program."""
    mixed = as_strings(ids)
    mixed[::2] = [form(number) for number in ids[::2].tolist()]
    return mixed


every_form = pytest.mark.parametrize("form", FORMS.values(), ids=list(FORMS))


@every_form
@pytest.mark.parametrize(
    "splitter",
    [
        LeaveOneCorpusOut(),
        LeaveOneSpeakerOut(),
        PairwiseCorpusSplit(),
        SpeakerKFold(4),
        WithinCorpusSpeakerKFold(2),
        SentenceSpeakerKFold(4),
        SentenceSpeakerKFold(2, keep_together="recording"),
        CorpusAdaptationSplit(4, random_state=0),
        SemiSupervisedSplit(4),
    ],
    ids=repr,
)
def test_splits_do_not_depend_on_the_spelling(splitter, form):
    def splits(spell):
        table = pd.DataFrame(
            {
                "x": np.arange(N),
                "speaker": spell(SPEAKER),
                "corpus": spell(CORPUS),
                "text": spell(TEXT),
                "recording": spell((SPEAKER + 1) // 2),
            }
        )
        return [(train.tolist(), test.tolist()) for train, test in splitter.split(table, Y)]

    assert splits(lambda ids: respelled(ids, form)) == splits(as_strings)


@every_form
def test_statistics_do_not_depend_on_the_spelling(form):
    y_pred = np.where(np.random.default_rng(0).random(N) < 0.7, Y, "anger").astype(object)
    mixed, ids = respelled(SPEAKER, form), as_strings(SPEAKER)
    pd.testing.assert_frame_equal(group_scores(Y, y_pred, mixed), group_scores(Y, y_pred, ids))
    named = group_scores(Y, y_pred, mixed, groups=[2, 1])
    assert named["n"].tolist() == [N // 8, N // 8]
    strata = {"strata": respelled(CORPUS, form)}
    assert cluster_interval(Y, y_pred, mixed, **strata).n_clusters == 8
    found = paired_test(Y, y_pred, np.roll(y_pred, 4), mixed, **strata)
    expected = paired_test(Y, y_pred, np.roll(y_pred, 4), ids, strata=as_strings(CORPUS))
    assert (found.p_value, found.low) == (expected.p_value, expected.low)


@pytest.mark.parametrize("form", [str, float])
def test_early_stopping_holds_out_whole_speakers(form):
    X = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
    model = MTLNeuralClassifier(max_epochs=1, early_stopping=True, random_state=0)
    records = [
        model.fit(X, Y, groups=ids).validation_split_
        for ids in (respelled(SPEAKER, form), as_strings(SPEAKER))
    ]
    assert records[0]["kind"] == "groups"
    assert records[0] == records[1]


@pytest.mark.parametrize("form", [str, float])
def test_evaluation_and_audit(form):
    frame = pd.DataFrame(
        {
            "corpus": respelled(CORPUS, form),
            "speaker": respelled(SPEAKER, form),
            "emotion": Y,
            "x": np.random.default_rng(0).normal(size=N),
        }
    )
    result = cross_corpus_validate(LogisticRegression(), frame, X=["x"], aux=())
    assert result.predictions["corpus"].unique().tolist() == ["1", "2"]
    assert result.predictions["speaker"].nunique() == 8
    even = np.arange(N) % 2 == 0  # the two spellings are trained on and tested
    halves = [(np.flatnonzero(even), np.flatnonzero(~even))]
    findings = audit_split(frame, halves, audio=None).findings
    assert "speaker on both sides" in set(findings["flaw"])


def test_corpora_are_loaded_with_one_spelling():
    audio = [np.zeros(1600, dtype=np.float32) + 0.01 * row for row in range(4)]
    table = pd.DataFrame(
        {
            "file": audio,
            "speaker": [3, "3.0", "Jos\u00e9", "Jose\u0301"],
            "emotion": ["anger", "sadness"] * 2,
        }
    )
    corpus = load_corpus(table, name="mine")
    assert corpus.frame["speaker"].tolist() == [
        "mine/3",
        "mine/3",
        "mine/Jos\u00e9",
        "mine/Jos\u00e9",
    ]
