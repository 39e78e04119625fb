"""Displays of evaluations: correct numbers and legible layout."""

import re

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.metrics import confusion_matrix, recall_score

from sklearn_ser.evaluation import EvaluationResult
from sklearn_ser.inspection import (
    ConfusionDisplay,
    CorpusHeatmapDisplay,
    CriticalDifferenceDisplay,
    GroupGapDisplay,
    ReliabilityDisplay,
    UARDisplay,
)
from sklearn_ser.metrics import cluster_interval, expected_calibration_error

LABELS = ["anger", "neutral", "sadness"]
SPEAKERS = {"emodb": 10, "urdu": 3}


def predictions(name, skill, *, setting="single", seed=0, train="", corpora=SPEAKERS, rows=12):
    """Return predictions with probabilities, `rows` per speaker; skill 0 is random."""
    rng = np.random.default_rng([seed, len(name), round(100 * skill), len(train)])
    speaker = np.array([f"{c}/{i}" for c, n in corpora.items() for i in range(n)], dtype=object)
    speaker = np.repeat(speaker, rows)
    y_true = np.tile(np.array(LABELS, dtype=object), len(speaker) // 3)
    logits = rng.normal(size=(len(y_true), 3)) + skill * (y_true[:, None] == LABELS)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    table = pd.DataFrame(
        {
            "estimator": name,
            "setting": setting,
            "seed": seed,
            "fold": "",
            "train": train,
            "row": np.arange(len(y_true)),
            "corpus": [name.partition("/")[0] for name in speaker],
            "speaker": speaker,
            "y_true": y_true,
            "y_pred": np.array(LABELS, dtype=object)[logits.argmax(axis=1)],
            "failed": False,
        }
    )
    return table.assign(**{f"p_{label}": probabilities[:, i] for i, label in enumerate(LABELS)})


def result_of(*tables, protocol="leave-one-corpus-out"):
    return EvaluationResult(pd.concat(tables, ignore_index=True), labels=LABELS, protocol=protocol)


@pytest.fixture(scope="module")
def result():
    """A network in both settings and two seeds, and an SVM; one utterance of the SVM failed."""
    svm = predictions("svm", 1.0)
    svm.loc[0, ["y_pred", "failed"]] = None, True
    svm.loc[0, [f"p_{label}" for label in LABELS]] = np.nan
    nets = [
        predictions("net", skill, setting=setting, seed=seed)
        for setting, skill in (("single", 1.0), ("transductive", 2.0))
        for seed in (0, 1)
    ]
    return result_of(svm, *nets)


@pytest.fixture(scope="module")
def many():
    """Ten estimators, some with long names."""
    names = [f"make_svm_baseline(features='egemaps', number={i})" for i in range(5)]
    return result_of(*(predictions(name, 0.5 * i) for i, name in enumerate([*names, *"abcde"])))


def ticks(ax, axis="x"):
    return [label.get_text() for label in getattr(ax, f"get_{axis}ticklabels")()]


def figure(width=6.0, height=4.0):
    return Figure(figsize=(width, height), layout="constrained")


def boxes(texts):
    """Return the bounding boxes of visible texts in pixels, after the layout of their figure."""
    return [t.get_window_extent() for t in texts if t.get_visible() and t.get_text()]


def assert_no_overlap(texts):
    all_boxes = boxes(texts)
    assert len(all_boxes) > 1
    for index, box in enumerate(all_boxes):
        for other in all_boxes[:index]:
            across = min(box.x1, other.x1) - max(box.x0, other.x0)
            down = min(box.y1, other.y1) - max(box.y0, other.y0)
            assert not (across > 1 and down > 1)


# ------------------------------------------------------------------------------- recall by corpus


def test_recalls_and_their_intervals(result):
    display = UARDisplay.from_result(result)
    assert [ax.get_title().split("\n")[0] for ax in display.axes_] == ["emodb", "urdu", "mean of"]
    summary = result.summary()
    for (name, setting, corpus), dot in display.dots_.items():
        assert dot.get_xdata() == pytest.approx([summary.loc[(name, setting), corpus]])
    assert len(display.dots_) == 3 * 3
    svm = result.predictions.query("estimator == 'svm' and corpus == 'emodb'")
    columns = (svm[name].to_numpy(dtype=object) for name in ("y_true", "y_pred", "speaker"))
    bar = display.bars_["svm", "single", "emodb"]
    interval = cluster_interval(*columns)
    assert bar.get_xdata() == pytest.approx([interval.low, interval.high])
    assert display.chance == pytest.approx(1 / 3)


def test_few_speakers_are_drawn_instead_of_an_interval(result):
    display = UARDisplay.from_result(result)
    assert {corpus for _, _, corpus in display.bars_} == {"emodb"}
    assert {corpus for _, _, corpus in display.speakers_} == {"urdu"}
    rows = result.predictions.query("estimator == 'svm' and corpus == 'urdu'")
    expected = [
        recall_score(own["y_true"], own["y_pred"], average="macro")
        for _, own in rows.groupby("speaker")
    ]
    assert display.speakers_["svm", "single", "urdu"].get_xdata() == pytest.approx(expected)
    legend = [text.get_text() for text in display.figure_.legends[0].get_texts()]
    assert "one speaker (fewer than 8)" in legend


def test_open_dots_are_transductive(result):
    display = UARDisplay.from_result(result)
    faces = {key: dot.get_markerfacecolor() for key, dot in display.dots_.items()}
    assert faces["net", "transductive", "emodb"] == "white"
    assert faces["net", "single", "emodb"] != "white"


def test_a_corpus_without_one_of_the_emotions_has_no_recall():
    table = predictions("svm", 1.0)
    table = table[(table["corpus"] == "emodb") | (table["y_true"] != "anger")]
    display = UARDisplay.from_result(result_of(table))
    assert np.isnan(display.dots_["svm", "single", "urdu"].get_xdata()).all()
    assert np.isnan(display.dots_["svm", "single", "mean"].get_xdata()).all()


def test_each_pair_of_corpora_has_a_subplot():
    tables = [
        predictions("svm", 1.0, train=train, corpora={test: 9})
        for train, test in (("a", "b"), ("b", "a"))
    ]
    display = UARDisplay.from_result(result_of(*tables, protocol="pairwise"))
    assert list(dict.fromkeys(display.table["corpus"])) == ["a -> b", "b -> a"]


@pytest.mark.parametrize(("width", "height"), [(10, 6), (3.4, 14)])
def test_names_of_many_estimators_do_not_overlap(many, width, height):
    display = UARDisplay.from_result(many, ax=figure(width, height))
    display.figure_.draw_without_rendering()
    for ax in display.axes_:
        if ax.get_subplotspec().is_first_col():
            assert_no_overlap(ax.get_yticklabels())
        assert_no_overlap(ax.texts)


# ------------------------------------------------------------------------------ confusion matrices


def test_confusions_pooled_and_by_corpus(result):
    display = ConfusionDisplay.from_result(result, "svm", by_corpus=True, normalize=False)
    assert list(display.tables_) == ["all", "emodb", "urdu"]
    assert list(display.tables_["all"].columns) == [*LABELS, "none"]
    svm = result.predictions.query("estimator == 'svm'").fillna({"y_pred": "none"})
    expected = confusion_matrix(svm["y_true"], svm["y_pred"], labels=[*LABELS, "none"])[:3]
    assert display.tables_["all"].to_numpy().tolist() == expected.tolist()
    assert display.tables_["urdu"].to_numpy().sum() == 3 * 12
    assert display.texts_["all"][0, 3].get_text() == "1"
    assert display.axes_[1].get_title() == "emodb, 120 utterances"


def test_shares_of_each_emotion_over_seeds(result):
    display = ConfusionDisplay.from_result(result, "net")
    assert list(display.tables_) == ["all"]
    shares = display.tables_["all"].to_numpy()
    assert shares.sum(axis=1) == pytest.approx(1)
    pooled = result.summary().loc[("net", "transductive"), "pooled"]
    assert np.diagonal(shares).mean() == pytest.approx(pooled)
    single = ConfusionDisplay.from_result(result, "net", setting="single").tables_["all"]
    assert not np.allclose(single, shares)
    assert display.axes_[0].get_title() == "net\n156 utterances"  # not once per seed


def test_an_emotion_that_is_absent_from_a_corpus_is_not_zero():
    y_true, corpus = ["anger", "sadness", "anger"], ["a", "a", "b"]
    display = ConfusionDisplay.from_predictions(y_true, y_true, corpus=corpus)
    assert np.isnan(display.tables_["b"].loc["sadness"]).all()
    assert display.texts_["b"][1, 0].get_text() == ""


@pytest.mark.parametrize("width", [3.4, 6.0])
def test_ten_emotions_are_legible(width):
    labels = [f"emotion {i}" for i in range(10)]
    display = ConfusionDisplay.from_predictions(labels * 2, labels * 2, ax=figure(width, 3.4))
    display.figure_.draw_without_rendering()
    (ax,) = display.axes_
    assert_no_overlap(ax.get_yticklabels())
    cell = ax.get_window_extent().width / 10
    for box in boxes(display.texts_["all"].flat):
        assert box.width <= cell
    limits = display.figure_.bbox
    for box in boxes([ax.title, ax.xaxis.label, ax.yaxis.label]):
        assert limits.x0 <= box.x0
        assert box.y1 <= limits.y1
        assert box.y0 >= limits.y0


def test_numbers_that_would_be_too_small_are_hidden():
    labels = [f"emotion {i:02d}" for i in range(16)]
    display = ConfusionDisplay.from_predictions(labels, labels, ax=figure(2.4, 2.4))
    assert not any(text.get_visible() for text in display.texts_["all"].flat)


# ------------------------------------------------------------------- training by test corpus


@pytest.fixture(scope="module")
def pairs():
    corpora = ("a", "b", "c")
    tables = [
        predictions(name, skill, train=train, corpora={test: 2})
        for name, skill in (("svm", 1.0), ("net", 2.0))
        for train in corpora
        for test in corpora
        if test != train
    ]
    return result_of(*tables, protocol="pairwise")


def test_training_corpora_in_rows_and_test_corpora_in_columns(pairs):
    display = CorpusHeatmapDisplay.from_result(pairs)
    assert list(display.tables) == ["svm", "net"]
    scores = pairs.scores().set_index(["estimator", "train", "corpus"])["uar"]
    table = display.tables["svm"]
    assert list(table.index) == list(table.columns) == ["a", "b", "c"]
    assert np.isnan(np.diagonal(table)).all()
    assert table.loc["a", "b"] == pytest.approx(scores["svm", "a", "b"])
    assert display.texts_["svm"][0, 1].get_text() == f"{table.loc['a', 'b']:.2f}"
    assert display.texts_["svm"][0, 0].get_text() == ""
    assert display.axes_[0].get_xlabel() == "test corpus"
    assert display.images_["svm"].get_clim() == (pytest.approx(1 / 3), 1.0)


def test_recalls_within_a_corpus_fill_the_diagonal(pairs):
    within = result_of(
        *(predictions("svm", 2.0, train=c, corpora={c: 2}) for c in "abc"), protocol="within-corpus"
    )
    display = CorpusHeatmapDisplay.from_result(pairs, "svm", within=within, ax=figure())
    inside = within.scores().set_index("corpus")["uar"]
    assert np.diagonal(display.tables["svm"]) == pytest.approx(inside[["a", "b", "c"]].to_numpy())


# -------------------------------------------------------------------------------------- group gaps


@pytest.fixture(scope="module")
def genders(result):
    """Evaluated table: five of the first ten speakers are female, those of urdu are male."""
    number = np.repeat(np.arange(13), 12)
    return pd.DataFrame({"gender": np.where(number < 5, "female", "male")})


def test_gap_between_groups_of_a_column_of_the_frame(result, genders):
    display = GroupGapDisplay.from_result(result, "gender", frame=genders)
    part = result.predictions.query("estimator == 'svm'")
    gender = genders["gender"].to_numpy()[part["row"]]
    expected = {
        group: recall_score(
            own["y_true"], own["y_pred"].fillna("none"), labels=LABELS, average="macro"
        )
        for group, own in part.groupby(gender)
    }
    table = display.table.set_index(["estimator", "group"])
    for group, recall in expected.items():
        assert table.loc[("svm", group), "uar"] == pytest.approx(recall)
    gap = display.gaps_.loc["svm"]
    assert gap["gap"] == pytest.approx(max(expected.values()) - min(expected.values()))
    assert gap["ratio"] == pytest.approx(min(expected.values()) / max(expected.values()))
    assert gap["worst"] == min(expected, key=expected.get)
    assert set(display.bars_) == {("svm", "male"), ("net", "male")}  # 8 speakers; female has 5
    assert f"gap {gap['gap']:.2f}" in ticks(display.ax_.child_axes[0], "y")[0]


def test_a_group_without_one_of_the_emotions_is_left_out_of_the_gap(result, genders):
    part = result.predictions
    female = genders["gender"].to_numpy()[part["row"]] == "female"
    cut = part[~(female & (part["y_true"] == "anger").to_numpy())]
    display = GroupGapDisplay.from_result(result_of(cut), "gender", frame=genders)
    assert display.gaps_[["gap", "ratio"]].isna().all(axis=None)
    assert display.gaps_["left_out"].tolist() == [1, 1]
    assert "female: not every emotion" in [text.get_text() for text in display.ax_.texts]
    assert ticks(display.ax_.child_axes[0], "y")[0] == "gap unknown"


def test_many_groups_are_strokes_and_the_worst_is_named(result):
    display = GroupGapDisplay.from_result(
        result, "speaker", estimators="svm", ax=figure().subplots()
    )
    assert len(display.dots_) == 13
    worst = display.table.set_index("group")["uar"].idxmin()
    assert [text.get_text() for text in display.ax_.texts] == [worst]


def test_gaps_without_speakers_have_no_intervals(result):
    part = result.predictions.query("estimator == 'net' and setting == 'single' and seed == 0")
    display = GroupGapDisplay.from_predictions(
        part["y_true"], part["y_pred"], part["corpus"], by="corpus"
    )
    assert display.bars_ == {}
    assert display.table["group"].tolist() == ["emodb", "urdu"]
    assert display.table["uar"].notna().all()


@pytest.mark.parametrize("width", [3.4, 8.0])
def test_gaps_of_many_estimators_do_not_overlap(many, genders, width):
    display = GroupGapDisplay.from_result(many, "gender", frame=genders, ax=figure(width, 6.5))
    display.figure_.draw_without_rendering()
    assert_no_overlap(display.ax_.get_yticklabels())
    side = display.ax_.child_axes[0].get_yticklabels()
    assert_no_overlap([*display.ax_.texts, *side])


# ------------------------------------------------------------------------------------- reliability


def test_reliability_and_calibration_error(result):
    display = ReliabilityDisplay.from_result(result, n_bins=5)
    assert [ax.get_title() for ax in display.axes_] == ["all corpora", "emodb", "urdu"]
    net = result.predictions.query("estimator == 'net' and setting == 'transductive'")
    columns = [f"p_{label}" for label in LABELS]
    for corpus, own in {"all": net, "urdu": net[net["corpus"] == "urdu"]}.items():
        errors = display.errors.set_index(["estimator", "corpus"])["ece"]
        by_seed = [part for _, part in own.groupby("seed")]
        pooled, *each = (
            expected_calibration_error(part["y_true"], part[columns], labels=LABELS, n_bins=5)
            for part in [own, *by_seed]
        )
        ece = np.mean(each)
        assert errors["net", corpus] == pytest.approx(ece)
        # The error of all seeds is the mean distance from the diagonal, weighted by predictions.
        curve = display.curves.query("estimator == 'net' and corpus == @corpus")
        distance = (curve["accuracy"] - curve["confidence"]).abs()
        assert np.average(distance, weights=curve["predictions"]) == pytest.approx(pooled)
        assert curve["predictions"].sum() == len(own)
        assert display.texts_["net", corpus].get_text() == f"ECE {ece:.2f}"
    svm = display.curves.query("estimator == 'svm' and corpus == 'all'")
    assert svm["predictions"].sum() == 13 * 12 - 1  # the failed one has no confidence
    known = display.curves["low"].notna()
    assert known.any()
    assert (display.curves["low"] <= display.curves["accuracy"])[known].all()
    assert not display.curves.query("corpus == 'urdu'")["low"].notna().any()


def test_rare_confidences_are_not_drawn():
    proba = np.array([[0.9, 0.1]] * 20 + [[0.6, 0.4]] * 3)
    display = ReliabilityDisplay.from_predictions(["anger", "sadness"] * 11 + ["anger"], proba)
    assert display.curves["predictions"].tolist() == [3, 20]
    assert display.lines_["estimator", "all"].get_xdata() == pytest.approx([0.9])
    assert len(display.axes_) == 1


# --------------------------------------------------------------------------- critical difference


def test_ranks_and_bars_of_cliques():
    ranks = pd.Series({"dummy": 4.0, "svm": 1.5, "net": 1.8, "knn": 2.7})
    cliques = [["svm", "net"], ["net", "knn"], ["dummy"]]
    display = CriticalDifferenceDisplay(ranks, cliques, critical_difference=1.1).plot()
    for name, rank in ranks.items():
        assert display.lines_[name].get_xdata()[0] == rank
        assert f"{rank:.2f}" in display.names_[name].get_text()
    assert len(display.bars_) == 2
    low, high = display.bars_[0].get_xdata()
    assert low < 1.5
    assert 1.8 < high < 2.7
    heights = [bar.get_ydata()[0] for bar in display.bars_]
    assert heights[0] != heights[1]  # both hold the net
    assert display.ax_.get_xlabel().endswith("critical difference 1.10")


@pytest.mark.parametrize(("ax", "n"), [(None, 10), ((3.4, 4), 10), ((8, 3), 10), ((3.4, 2), 2)])
def test_long_names_beside_the_line_do_not_overlap(ax, n):
    names = [f"make_svm_baseline(egemaps, {i})" for i in range(n)]
    ranks = pd.Series(np.linspace(1, n, n), names)
    given = None if ax is None else figure(*ax).subplots()
    display = CriticalDifferenceDisplay(ranks, [names[:4], names[2:6]] if n > 2 else []).plot(
        ax=given
    )
    display.figure_.draw_without_rendering()
    assert_no_overlap(display.names_.values())
    limits = display.figure_.bbox
    for box in boxes(display.names_.values()):
        assert limits.x0 <= box.x0 < box.x1 <= limits.x1


# ------------------------------------------------------------------------------------------ errors


def without_probabilities(result):
    return result_of(result.predictions.drop(columns=[f"p_{label}" for label in LABELS]))


@pytest.mark.parametrize(
    ("draw", "text"),
    [
        (
            lambda r: UARDisplay.from_result(r, ax=Figure().subplots()),
            "ax has 1 Axes, but this display has 3 subplots (emodb, urdu, mean)",
        ),
        (
            lambda r: ConfusionDisplay.from_result(r, "knn"),
            "no estimator 'knn' in this result: it has ['svm', 'net']",
        ),
        (
            lambda r: CorpusHeatmapDisplay.from_result(r),
            "got a result of the protocol 'leave-one-corpus-out', but needs one of 'pairwise' here",
        ),
        (
            lambda r: GroupGapDisplay.from_result(r, "gender"),
            "by is 'gender', but must be 'corpus', 'speaker' or a column of frame=, the table that "
            "was evaluated; there is no frame",
        ),
        (
            lambda r: GroupGapDisplay.from_result(
                r, "gender", frame=pd.DataFrame({"gender": ["female"]})
            ),
            "frame has 1 rows, but row 155 was evaluated",
        ),
        (
            lambda r: GroupGapDisplay.from_result(
                r, "gender", frame=pd.DataFrame({"gender": [None] * 200})
            ),
            "No row has a value of 'gender'",
        ),
        (
            lambda r: GroupGapDisplay.from_result(r, estimators=["svm", "knn"]),
            "estimators must be some of ['svm', 'net'], got ['svm', 'knn']",
        ),
        (
            lambda r: ReliabilityDisplay.from_result(without_probabilities(r)),
            "The estimator 'svm' has no probabilities in this result",
        ),
        (lambda r: ReliabilityDisplay.from_result(r, n_bins=0), "n_bins must be at least 1, got 0"),
        (
            lambda r: ReliabilityDisplay.from_predictions(["a", "b"], [[1.0], [1.0]]),
            "y_proba has the shape (2, 1), but must have one column for each of the 2 labels",
        ),
        (
            lambda r: CriticalDifferenceDisplay({"svm": 1.0}, []).plot(),
            "ranks must have two or more estimators with different names, got ['svm']",
        ),
        (
            lambda r: CriticalDifferenceDisplay({"svm": 1.0, "net": 0.5}, []).plot(),
            "Average ranks must be 1 (best) or more, but that of 'net' is 0.5",
        ),
        (
            lambda r: CriticalDifferenceDisplay({"svm": 1.0, "net": 2.0}, [["svm", "knn"]]).plot(),
            "cliques has the estimators ['knn'], which are not in ranks: ['svm', 'net']",
        ),
    ],
)
def test_errors(result, draw, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        draw(result)


def test_too_many_estimators_in_one_plot(many):
    with pytest.raises(
        ValueError, match="10 estimators cannot be distinguished in one plot, at most 4 can"
    ):
        ReliabilityDisplay.from_result(many)
    display = ReliabilityDisplay.from_result(many, list("abcd"), by_corpus=False)
    assert len(display.lines_) == 4
