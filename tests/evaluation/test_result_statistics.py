"""Intervals, comparisons, ranks and groups of a result, against the functions of metrics."""

import json

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.evaluation import EvaluationResult
from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import cluster_interval, paired_test

LABELS = ["anger", "neutral", "sadness"]
SKILLS = {"svm": 0.5, "net": 0.51, "better": 0.9}
SPEAKERS = {"a": 10, "b": 12, "c": 4}


@pytest.fixture(scope="module")
def result():
    rng = np.random.default_rng(0)
    utterances = pd.DataFrame(
        [
            (corpus, f"{corpus}/{speaker}", ("female", "male")[speaker % 2], label)
            for corpus, n in SPEAKERS.items()
            for speaker in range(n)
            for label in LABELS
            for _ in range(4)
        ],
        columns=["corpus", "speaker", "gender", "y_true"],
    )
    parts = []
    for name, skill in SKILLS.items():
        for seed in (0, 1):
            found = np.where(rng.random(len(utterances)) < skill, utterances["y_true"], "neutral")
            part = utterances[["corpus", "speaker", "y_true"]].assign(
                estimator=name,
                setting="single",
                seed=seed,
                fold=utterances["corpus"],
                train="rest",
                row=range(len(utterances)),
                y_pred=found.astype(object),
                failed=False,
            )
            parts.append(part)
            if name == "net":
                parts.append(part.assign(setting="transductive", y_pred=part["y_true"]))
    return EvaluationResult(
        pd.concat(parts, ignore_index=True),
        labels=LABELS,
        protocol="leave-one-corpus-out",
        utterances=utterances[["gender"]].assign(file="x.wav"),
    )


def of(result, estimator, setting="single"):
    table = result.predictions
    part = table[(table["estimator"] == estimator) & (table["setting"] == setting)]
    first, second = (part[part["seed"] == seed] for seed in (0, 1))
    return first, np.column_stack([first["y_pred"], second["y_pred"]])


def test_intervals_are_over_speakers_with_averaged_seeds(result):
    table = result.intervals().set_index(["estimator", "setting", "corpus"])
    rows, predictions = of(result, "svm")
    found = cluster_interval(
        rows["y_true"], predictions, rows["speaker"], strata=rows["corpus"], labels=LABELS
    )
    mean = table.loc[("svm", "single", "mean")]
    assert (mean["estimate"], mean["low"], mean["high"]) == pytest.approx(
        (found.estimate, found.low, found.high)
    )
    summary = result.summary().loc[("svm", "single")]
    for corpus in SPEAKERS:
        assert table.loc[("svm", "single", corpus), "estimate"] == pytest.approx(summary[corpus])
    assert mean["estimate"] == pytest.approx(summary["mean"])
    few = table.loc[("svm", "single", "c")]
    assert np.isnan(few["low"])
    assert few["note"] == "4 clusters, fewer than 8"
    assert set(table.index.get_level_values("setting")) == {"single", "transductive"}


def test_comparison_is_the_paired_test_over_speakers(result):
    table = result.compare("svm", setting="single").set_index("estimator")
    assert list(table.index) == ["net", "better"]
    rows, svm = of(result, "svm")
    _, better = of(result, "better")
    test = paired_test(
        rows["y_true"], better, svm, rows["speaker"], strata=rows["corpus"], labels=LABELS
    )
    found = table.loc["better"]
    assert found["difference"] == pytest.approx(test.difference)
    assert found["p"] == test.p_value
    assert found["corpora_better"] == "3 of 3"
    assert found["speakers"] == 26
    assert found["p"] < 0.001 < 0.05 < table.loc["net", "p"]
    assert found["p_holm"] == pytest.approx(2 * found["p"])


def test_every_pair_and_every_corpus_are_corrected_together(result):
    table = result.compare(by_corpus=True, setting="single")
    assert len(table) == 3 * 4
    assert table[["estimator", "baseline"]].drop_duplicates().to_numpy().tolist() == [
        ["net", "svm"],
        ["better", "svm"],
        ["better", "net"],
    ]
    assert (table["p_holm"] >= table["p"]).all()
    assert table["p_holm"].min() == pytest.approx(12 * table["p"].min())
    few = table[table["corpus"] == "c"]
    assert few["smallest_p"].gt(0.1).all()


def test_transductive_is_compared_if_there_is_one(result):
    table = result.compare("svm").set_index("estimator")
    assert table.loc["net", "difference"] == pytest.approx(
        1 - result.summary().loc[("svm", "single"), "mean"]
    )


def test_mcnemar_uses_one_seed(result):
    found = result.compare("svm", method="mcnemar", metric="war", setting="single")
    assert found["p"].notna().all()


def test_ranks_over_speakers(result):
    ranks = result.ranks("war", setting="single")
    assert ranks.average_ranks.index[0] == "better"
    assert ranks.n_blocks == 26
    assert ranks.cliques == [tuple(ranks.average_ranks.index[1:])]


def test_a_speaker_is_one_block_after_training_on_several_corpora(result):
    single = result.predictions[result.predictions["setting"] == "single"]
    pairs = pd.concat([single.assign(train=name) for name in "xyz"], ignore_index=True)
    pairwise = EvaluationResult(pairs, labels=LABELS, protocol="pairwise")
    once, thrice = result.ranks(setting="single"), pairwise.ranks()
    assert thrice.n_blocks == sum(SPEAKERS.values())
    pd.testing.assert_frame_equal(thrice.p_values, once.p_values)


def test_comparisons_name_the_compared_settings(result):
    table = result.compare("svm").set_index("estimator")
    assert table.loc["net", ["setting", "baseline_setting"]].tolist() == ["transductive", "single"]
    assert table.loc["better", "setting"] == "single"
    assert result.by("gender").groupby("estimator")["setting"].first()["net"] == "transductive"


@pytest.mark.parametrize(
    "derive",
    [
        lambda result, **given: result.compare("svm", **given),
        lambda result, **given: result.by("gender", **given),
        lambda result, **given: result.ranks(**given),
    ],
)
def test_an_unknown_setting_is_an_error(result, derive):
    with pytest.raises(ValueError, match="must be 'single' or 'transductive', got 'transdutive'"):
        derive(result, setting="transdutive")


def test_groups(result):
    table = result.by("gender", setting="single").set_index(["estimator", "gender"])
    women = result.predictions.join(result.utterances["gender"], on="row")
    women = women[(women["gender"] == "female") & (women["estimator"] == "svm")]
    expected = women.groupby("seed")[["y_true", "y_pred"]].apply(
        lambda part: (part["y_true"] == part["y_pred"]).groupby(part["y_true"]).mean().mean()
    )
    assert table.loc[("svm", "female"), "score"] == pytest.approx(expected.mean())
    assert (table.groupby(level=0)["gap"].min() == 0).all()
    assert result.by("corpus")["corpus"].tolist() == list("abc") * 3
    with pytest.raises(
        MetadataError, match=r"no column 'age' to group by: .* \['gender', 'file'\]"
    ):
        result.by("age")
    with pytest.raises(MetadataError, match="no column 'age' to group by"):
        result.plot_groups("age")


def test_different_utterances_are_an_error(result):
    table = result.predictions
    for missing, said in (
        (table.index[0], "'svm' was not tested on the same utterances with each of its 2 seeds"),
        (
            table.index[(table["estimator"] == "net") & (table["row"] == 0)],
            "'net' and 'svm' were not tested on the same utterances: 311 and 312",
        ),
    ):
        fewer = EvaluationResult(table.drop(missing), labels=LABELS, protocol="x")
        with pytest.raises(MetadataError, match=said):
            fewer.compare("svm", setting="single")


def test_unknown_names(result):
    with pytest.raises(ValueError, match="no estimator 'lda' in this result"):
        result.compare("lda")
    with pytest.raises(ValueError, match="metric must be one of uar, war, macro_f1, got 'ece'"):
        result.intervals("ece")


def test_pairwise_distinguishes_training_corpora(result):
    table = result.predictions[result.predictions["setting"] == "single"]
    twice = pd.concat([table, table.assign(train="other")], ignore_index=True)
    pairwise = EvaluationResult(twice, labels=LABELS, protocol="pairwise")
    found = pairwise.intervals().query("estimator == 'svm'")
    assert found["corpus"].tolist() == [
        *("other -> a", "other -> b", "other -> c"),
        *("rest -> a", "rest -> b", "rest -> c", "mean"),
    ]
    assert found["speakers"].iloc[-1] == 26  # however often each is tested
    assert pairwise.compare("svm")["corpora_better"].tolist()[-1] == "6 of 6"


def test_save_and_load(result, tmp_path):
    result.info = {"seconds": {"svm": 1.0}}
    result.save(tmp_path)
    again = EvaluationResult.load(tmp_path)
    pd.testing.assert_frame_equal(again.compare("svm"), result.compare("svm"))
    pd.testing.assert_frame_equal(again.by("gender"), result.by("gender"))
    assert again.info == result.info


def test_exports(result, tmp_path):
    content = json.loads(result.to_json())
    assert content["summary"][0]["estimator"] == "svm"
    assert content["intervals"][2]["low"] is None  # four speakers
    assert "NaN" not in result.to_json()
    assert result.to_json(tmp_path / "r.json") is None
    assert json.loads((tmp_path / "r.json").read_text(encoding="utf-8")) == content
    lines = result.to_latex().splitlines()
    assert lines[0] == r"\begin{tabular}{llrrrrr}"
    assert lines[2] == r"estimator & setting & a & b & c & mean & pooled \\"


def test_special_characters_of_latex_are_escaped(result):
    name = r"C=10^3 {50%} a\b~c_d"
    table = result.predictions.replace({"estimator": {"svm": name}})
    lines = EvaluationResult(table, labels=LABELS, protocol=result.protocol).to_latex().splitlines()
    shown = r"C=10\textasciicircum{}3 \{50\%\} a\textbackslash{}b\textasciitilde{}c\_d & single &"
    assert lines[4].startswith(shown)
