import json

import numpy as np
import pandas as pd
import pytest

from sklearn_ser.evaluation import EvaluationResult
from sklearn_ser.exceptions import SerError

Y_TRUE = ["anger", "anger", "sadness", "sadness", "anger", "sadness"]
CORPUS = ["a", "a", "a", "a", "b", "b"]


def result(predictions=("anger", "sadness", "sadness", None, "anger", "anger"), **columns):
    table = pd.DataFrame(
        {
            "estimator": "svm",
            "setting": "single",
            "seed": 0,
            "fold": CORPUS,
            "train": "x",
            "row": range(6),
            "corpus": CORPUS,
            "speaker": ["a/1", "a/2", "a/1", "a/2", "b/1", "b/1"],
            "y_true": Y_TRUE,
            "y_pred": list(predictions),
            "failed": [prediction is None for prediction in predictions],
        }
        | columns
    )
    return EvaluationResult(
        table,
        labels=["anger", "sadness"],
        protocol="leave-one-corpus-out",
    )


def test_summary_by_hand():
    summary = result().summary().loc[("svm", "single")]
    assert summary["a"] == pytest.approx((1 / 2 + 1 / 2) / 2)
    assert summary["b"] == pytest.approx((1 + 0) / 2)
    assert summary["mean"] == pytest.approx(0.5)
    assert summary["pooled"] == pytest.approx((2 / 3 + 1 / 3) / 2)


def test_accuracy_counts_a_failed_row_as_a_miss():
    assert result().summary("war").loc[("svm", "single"), "a"] == pytest.approx(2 / 4)


def test_a_class_absent_from_a_corpus_gives_nan():
    only_anger = result(y_true=["anger", "anger", "sadness", "sadness", "anger", "anger"])
    summary = only_anger.summary().loc[("svm", "single")]
    assert pd.isna(summary["b"])
    assert pd.isna(summary["mean"])


def test_seeds_are_averaged_not_pooled():
    both = result()
    second = both.predictions.assign(seed=1, y_pred=Y_TRUE, failed=False)
    both.predictions = pd.concat([both.predictions, second], ignore_index=True)
    assert both.summary().loc[("svm", "single"), "a"] == pytest.approx((0.5 + 1) / 2)


def with_probabilities(p_anger, **columns):
    p_anger = np.array(p_anger)
    return result(p_anger=p_anger, p_sadness=1 - p_anger, **columns)


def test_calibration_error_by_hand_without_the_failed_row():
    found = with_probabilities([0.9, 0.9, 0.2, np.nan, 0.7, 0.7])
    # a: confidence 0.9 twice, both correct, and 0.8 once, correct (other bin); the fourth failed.
    in_a = (abs(2 - 2 * 0.9) + abs(1 - 0.8)) / 3
    in_b = abs(1 - 2 * 0.7) / 2  # confidence 0.7 twice, one correct
    summary = found.summary("ece").loc[("svm", "single")]
    assert summary["a"] == pytest.approx(in_a)
    assert summary["b"] == pytest.approx(in_b)
    assert summary["mean"] == pytest.approx((in_a + in_b) / 2)
    assert summary["pooled"] == pytest.approx((3 * in_a + 2 * in_b) / 5)
    scores = found.scores().set_index("corpus")
    assert scores["ece"].to_dict() == pytest.approx({"a": in_a, "b": in_b})
    assert scores["failed"].to_dict() == {"a": 1, "b": 0}
    assert found.to_markdown("ece").splitlines()[2] == (
        "| svm | single | 0.133 | 0.200 | 0.167 | 0.160 |"
    )


def test_no_calibration_error_without_probabilities():
    for found in (result(), with_probabilities([np.nan] * 6)):
        summary = found.summary("ece")
        assert summary.columns.tolist() == ["a", "b", "mean", "pooled"]
        assert summary.isna().all(axis=None)
        assert (
            found.to_markdown("ece").splitlines()[2] == "| svm | single | nan | nan | nan | nan |"
        )
        assert found.summary("uar").notna().all(axis=None)


def test_an_estimator_without_probabilities_beside_one_with_them():
    both = with_probabilities([0.9, 0.9, 0.2, np.nan, 0.7, 0.7])
    without = both.predictions.assign(estimator="linear", p_anger=np.nan, p_sadness=np.nan)
    both.predictions = pd.concat([without, both.predictions], ignore_index=True)
    summary = both.summary("ece")
    assert summary.loc["linear"].isna().all(axis=None)
    assert summary.loc["svm"].notna().all(axis=None)


def test_numbers_that_are_no_probabilities_only_lack_the_calibration_error():
    found = result(p_anger=[2.0] * 6, p_sadness=[1.0] * 6)
    assert found.summary("ece").isna().all(axis=None)
    assert found.summary().loc[("svm", "single"), "a"] == pytest.approx(0.5)
    (remark,) = [r for r in found.remarks() if "calibration" in r]
    assert remark.startswith(
        "no calibration error for svm: y_proba has probabilities that do not sum to 1 in samples 0"
    )


def test_confusion_counts():
    counts = result().confusion("svm", normalize=False)
    assert counts.loc["anger"].to_dict() == {"anger": 2, "sadness": 1, "none": 0}
    assert counts.loc["sadness"].to_dict() == {"anger": 1, "sadness": 1, "none": 1}
    shares = result().confusion("svm")
    assert shares.sum(axis=1).tolist() == pytest.approx([1, 1])


def test_unknown_estimator_or_setting():
    with pytest.raises(ValueError, match=r"no estimator 'net' in this result: it has \['svm'\]"):
        result().confusion("net")
    with pytest.raises(ValueError, match=r"has the settings \['single'\], not 'transductive'"):
        result().confusion("svm", setting="transductive")
    with pytest.raises(
        ValueError, match="metric must be one of uar, war, macro_f1, auc, ece, brier, got 'f1'"
    ):
        result().summary("f1")


def test_save_and_load(tmp_path):
    result().save(tmp_path)
    loaded = EvaluationResult.load(tmp_path)
    assert loaded.summary().equals(result().summary())
    assert loaded.labels == ["anger", "sadness"]
    with pytest.raises(SerError, match="holds no evaluation"):
        EvaluationResult.load(tmp_path / "elsewhere")


def test_results_in_another_format_are_one_clear_error(tmp_path):
    result().save(tmp_path)
    path = tmp_path / "result.json"
    details = json.loads(path.read_text("utf-8"))
    del details["format"]  # as in version 1, whose columns were truth and prediction
    path.write_text(json.dumps(details), "utf-8")
    with pytest.raises(SerError, match=r"holds an evaluation in format 1, .* reads format 3: run"):
        EvaluationResult.load(tmp_path)


def test_text_forms():
    assert result().to_markdown().splitlines()[0] == (
        "| estimator | setting | a | b | mean | pooled |"
    )
    assert result().to_markdown().splitlines()[2] == (
        "| svm | single | 0.500 | 0.500 | 0.500 | 0.500 |"
    )
    assert repr(result()).startswith("EvaluationResult: leave-one-corpus-out, unweighted average")


def test_no_row_for_an_absent_setting():
    both = result()
    parts = [both.predictions]
    parts += [
        both.predictions.assign(estimator="net", setting=s) for s in ("transductive", "single")
    ]
    both.predictions = pd.concat(parts, ignore_index=True)
    pairs = [("svm", "single"), ("net", "transductive"), ("net", "single")]
    assert both.summary().index.tolist() == pairs
    assert "nan" not in both.to_markdown()


def test_remarks():
    found = EvaluationResult(
        result().predictions,
        labels=["anger", "sadness"],
        protocol="leave-one-corpus-out",
        dropped=pd.DataFrame(
            {"corpus": ["a"], "label": ["calm"], "reason": ["not in the label set"], "rows": [7]}
        ),
        notes=pd.DataFrame({"estimator": ["svm"], "note": ["look here"], "fits": [2]}),
        failures=pd.DataFrame({"row": [3], "file": ["x.wav"], "reason": ["it is empty"]}),
    )
    assert found.remarks() == [
        "left out, 7 rows outside the label set: 7 calm of a",
        "1 utterances without usable audio, counted as misses",
        "  x.wav: it is empty",
        "note (svm, 2 fits): look here",
    ]
    assert all(remark in repr(found) for remark in found.remarks())
    assert result(predictions=Y_TRUE).remarks() == []


def test_a_label_may_be_called_none():
    table = result().predictions.replace({"sadness": "none"})
    named = EvaluationResult(table, labels=["anger", "none"], protocol="leave-one-corpus-out")
    counts = named.confusion("svm", normalize=False)
    assert counts.columns.tolist() == ["anger", "none", "no prediction"]
    assert counts.to_numpy().sum() == 6
    assert counts["no prediction"].sum() == 1
    assert "has no prediction." in named.model_card("svm")


def test_long_lists_of_failed_files_are_truncated():
    found = result()
    found.predictions = pd.concat([found.predictions] * 2, ignore_index=True).assign(
        row=range(12), y_pred=None, failed=True
    )
    found.failures = pd.DataFrame(
        [{"row": row, "file": f"{row}.wav", "reason": "empty"} for row in range(14)]
    )
    lines = found.remarks()
    assert lines[-2:] == ["  9.wav: empty", "  and 2 more, in `failures`"]


EVIL = "<img src=x onerror=alert(1)>"


def test_names_are_escaped_in_html_and_markdown(tmp_path):
    renamed = result()
    renamed.predictions = renamed.predictions.assign(
        estimator=renamed.predictions["estimator"].replace("svm", EVIL),
        corpus=renamed.predictions["corpus"] + EVIL,
        speaker=renamed.predictions["speaker"] + EVIL,
    )
    renamed.report(tmp_path / "report.html")
    texts = [
        renamed._repr_html_(),
        renamed.to_markdown(),
        renamed.model_card(EVIL),
        (tmp_path / "report.html").read_text(encoding="utf-8"),
    ]
    for text in texts:
        assert "<img src=x" not in text
        assert "&lt;img src=x" in text


def test_control_characters_of_names_are_escaped():
    renamed = result()
    renamed.failures = pd.DataFrame({"row": [0], "file": ["\x1b[2J\n.wav"], "reason": ["empty"]})
    renamed.predictions = renamed.predictions.assign(
        corpus=renamed.predictions["corpus"] + "\x1b[31m",
        failed=renamed.predictions["row"].eq(0),
    )
    assert "\x1b" not in repr(renamed)
    assert "  \\x1b[2J\\n.wav: empty" in renamed.remarks()
