import pandas as pd
import pytest

from sklearn_ser.evaluation import EvaluationResult
from sklearn_ser.exceptions import SerError

TRUTH = ["anger", "anger", "sadness", "sadness", "anger", "sadness"]
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
            "truth": TRUTH,
            "prediction": list(predictions),
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
    only_anger = result(truth=["anger", "anger", "sadness", "sadness", "anger", "anger"])
    summary = only_anger.summary().loc[("svm", "single")]
    assert pd.isna(summary["b"])
    assert pd.isna(summary["mean"])


def test_seeds_are_averaged_not_pooled():
    both = result()
    second = both.predictions.assign(seed=1, prediction=TRUTH, failed=False)
    both.predictions = pd.concat([both.predictions, second], ignore_index=True)
    assert both.summary().loc[("svm", "single"), "a"] == pytest.approx((0.5 + 1) / 2)


def test_confusion_counts():
    counts = result().confusion("svm", normalise=False)
    assert counts.loc["anger"].to_dict() == {"anger": 2, "sadness": 1, "none": 0}
    assert counts.loc["sadness"].to_dict() == {"anger": 1, "sadness": 1, "none": 1}
    shares = result().confusion("svm")
    assert shares.sum(axis=1).tolist() == pytest.approx([1, 1])


def test_unknown_estimator_or_setting():
    with pytest.raises(ValueError, match=r"no estimator 'net' in this result: it has \['svm'\]"):
        result().confusion("net")
    with pytest.raises(ValueError, match=r"has the settings \['single'\], not 'transductive'"):
        result().confusion("svm", setting="transductive")
    with pytest.raises(ValueError, match="metric must be 'uar' or 'war', got 'f1'"):
        result().summary("f1")


def test_save_and_load(tmp_path):
    result().save(tmp_path)
    loaded = EvaluationResult.load(tmp_path)
    assert loaded.summary().equals(result().summary())
    assert loaded.labels == ["anger", "sadness"]
    with pytest.raises(SerError, match="holds no evaluation"):
        EvaluationResult.load(tmp_path / "elsewhere")


def test_text_forms():
    assert result().to_markdown().splitlines()[0] == (
        "| estimator | setting | a | b | mean | pooled |"
    )
    assert result().to_markdown().splitlines()[2] == (
        "| svm | single | 0.500 | 0.500 | 0.500 | 0.500 |"
    )
    assert repr(result()).startswith("EvaluationResult: leave-one-corpus-out, unweighted average")


def test_no_row_for_a_setting_that_does_not_exist():
    both = result()
    parts = [both.predictions]
    parts += [
        both.predictions.assign(estimator="net", setting=s) for s in ("transductive", "single")
    ]
    both.predictions = pd.concat(parts, ignore_index=True)
    pairs = [("svm", "single"), ("net", "transductive"), ("net", "single")]
    assert both.summary().index.tolist() == pairs
    assert "nan" not in both.to_markdown()


def test_remarks_say_what_a_reader_must_know():
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
    assert result(predictions=TRUTH).remarks() == []
