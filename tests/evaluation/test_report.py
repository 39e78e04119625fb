"""The HTML report and the model card: whole, self-contained, and true to the tables."""

from html.parser import HTMLParser
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sklearn_ser import GroupScaler, MTLNeuralClassifier, cross_corpus_validate
from sklearn_ser.evaluation import EvaluationResult
from sklearn_ser.evaluation._report import describe_comparisons, describe_protocol

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Text, headings, pictures and addresses of a page; fails where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.sources, self.headings = [], [], [], []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag, attributes):
        self.sources += [value for name, value in attributes if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.words.append(data)
        if self.open[-1:] == ["h2"]:
            self.headings.append(data)


@pytest.fixture(scope="module")
def result(feature_table):
    frame, X = feature_table
    frame = frame.assign(file=[f"{row}<&>.wav" for row in range(len(frame))], language="de")
    return cross_corpus_validate(
        {
            "SVM <1>": make_pipeline(GroupScaler(by="corpus"), LinearSVC(random_state=None)),
            "logistic": make_pipeline(GroupScaler(by="corpus"), LogisticRegression()),
            "weak": make_pipeline(GroupScaler(by="corpus"), LogisticRegression(C=1e-6)),
        },
        frame,
        X=X,
        aux=(),
    )


@pytest.fixture(scope="module")
def page(result, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "out.html"
    finding = pd.DataFrame([{"flaw": "duplicate", "evidence": "a < b", "rows": [1, 2]}])
    result.report(path, baseline="SVM <1>", audit=SimpleNamespace(findings=finding))
    return Page(path.read_text(encoding="utf-8"))


def test_page_is_self_contained(page):
    assert page.headings == [
        "Protocol",
        "Data",
        "Scores",
        "Conclusions",
        "Confusions",
        "Groups of speakers",
        "Calibration",
        "Findings about the data",
        "Reproduction",
    ]
    assert len(page.sources) >= 6
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)


def test_page_has_the_numbers_of_the_result(page, result):
    text = "\n".join(page.words)
    for value in result.summary().drop(columns="pooled").to_numpy().ravel():
        assert f"{value:.3f}" in text
    for name in result.estimators:  # (escaped, or it would be no text)
        assert name in text
    assert "a < b" in text
    assert "not drawn" not in text
    for line in describe_comparisons(result, result.compare("SVM <1>")):
        assert line in text


def test_one_estimator_without_probabilities(feature_table, tmp_path):
    frame, X = feature_table
    found = cross_corpus_validate({"svm": LinearSVC()}, frame, X=X, aux=())
    found.report(tmp_path / "out.html")
    page = Page((tmp_path / "out.html").read_text(encoding="utf-8"))
    assert "Conclusions" not in page.headings
    assert "No estimator gives probabilities." in page.words


def test_describe_protocol(result):
    lines = describe_protocol(result)
    assert lines[0].startswith("Each corpus was tested by models trained on all the others")
    assert any("anger, neutral, sadness" in line for line in lines)
    assert any(line.startswith("“transductive”") for line in lines)
    assert "training samples only, except for transductive scores;" in lines[1]
    single = result.predictions[result.predictions["setting"] == "single"]
    alone = EvaluationResult(single, labels=result.labels, protocol=result.protocol)
    assert "used training samples only; the label set" in describe_protocol(alone)[1]


def test_described_folds_are_the_actual_ones(result):
    """A corpus with fewer speakers than `n_splits` has fewer folds."""
    table = result.predictions.copy()
    first = table["corpus"] == table["corpus"].iloc[0]
    table["fold"] = table["corpus"] + np.where(first, table["row"] % 2, table["row"] % 3).astype(
        str
    )
    given = {"labels": result.labels, "info": {"n_splits": 5}}
    for protocol, folds in {
        "within-corpus": "2 to 3",
        "aggregated": table["fold"].nunique(),
    }.items():
        found = describe_protocol(EvaluationResult(table, protocol=protocol, **given))
        assert f"assigned to {folds} folds" in found[0]


def describe(difference, p, smallest=0.001, low=-0.01, corpora="2 of 3", **more):
    row = {
        "estimator": "net",
        "setting": "single",
        "baseline": "svm",
        "baseline_setting": "single",
        "corpus": "mean",
        "difference": difference,
        "low": low,
        "high": 0.05,
        "p": p,
        "p_holm": p,
        "smallest_p": smallest,
        "speakers": 20,
        "corpora_better": corpora,
    } | {name: value for name, value in more.items() if name in ("setting", "baseline_setting")}
    fake = SimpleNamespace(
        predictions=pd.DataFrame(
            {"corpus": ["a", "b", "c"], "setting": more.get("settings", ["single"] * 3)}
        ),
        protocol=more.get("protocol", "leave-one-corpus-out"),
    )
    return describe_comparisons(fake, pd.DataFrame([row]))[0]


def test_comparisons_state_what_follows_and_what_does_not():
    assert describe(0.031, 0.01) == (
        "net is 3.1 points above svm (UAR; 95 % interval -1.0 to +5.0; 20 speakers; p = 0.01). It "
        "is better in 2 of 3 corpora. The difference is larger than the variation between speakers "
        "explains."
    )
    assert describe(-0.031, 0.2).endswith(
        "no larger than the variation between speakers explains: neither is shown to be better, "
        "and they are not shown to be equal."
    )
    assert "3.1 points below svm" in describe(-0.031, 0.2)
    few = describe(0.1, 0.25, smallest=0.25, low=float("nan"))
    assert "interval" not in few
    assert few.endswith("With so few speakers no difference can be significant.")
    assert describe(0.0, 1.0).startswith("net and svm have equal scores (UAR;")
    nan = float("nan")
    assert describe(nan, nan) == "net and svm cannot be compared: UAR is not defined."
    assert "better in 2 of 6 pairs of" in describe(0.1, 0.2, corpora="2 of 6", protocol="pairwise")


def test_comparisons_name_the_settings_if_there_are_several():
    settings = ["single", "transductive", "single"]
    text = describe(0.031, 0.01, setting="transductive", settings=settings)
    assert text.startswith("net (transductive) is 3.1 points above svm (single) (UAR;")
    assert "Only one of the two used unlabeled statistics of the test corpus." in text
    same = describe(0.031, 0.01, settings=settings)
    assert same.startswith("net (single) is 3.1 points above svm (single)")
    assert "Only one" not in same


def test_model_card_distinguishes_names_with_a_common_prefix(result):
    table = result.predictions
    names = dict(zip(result.estimators, ["net", "net aug", "svm"], strict=False))
    named = EvaluationResult(
        table.assign(estimator=table["estimator"].map(names)),
        labels=result.labels,
        protocol=result.protocol,
    )
    last = named.estimators[-1]
    text = named.model_card("net", baseline=last)
    comparison = text.partition("## Comparison with a baseline")[2].partition("## ")[0]
    assert "net (" in comparison
    assert "net aug" not in comparison or last == "net aug"
    with pytest.raises(ValueError, match="baseline must be another estimator than 'net' itself"):
        named.model_card("net", baseline="net")


def test_model_card(result, tmp_path):
    text = result.model_card("logistic", baseline="SVM <1>")
    lines = text.splitlines()
    assert lines[0] == "# Model card: logistic"
    assert [line for line in lines if line.startswith("## ")] == [
        "## Model",
        "## Intended use",
        "## Evaluation",
        "## Data",
        "## Scores",
        "## Comparison with a baseline",
        "## Groups of speakers",
        "## Frequent errors",
    ]
    assert "LogisticRegression()" in text
    mean = result.summary().loc[("logistic", "transductive"), "mean"]
    assert any(line.startswith(f"| transductive | mean | {mean:.3f} |") for line in lines)
    assert result.model_card("logistic", tmp_path / "card.md", baseline="SVM <1>") is None
    assert (tmp_path / "card.md").read_text(encoding="utf-8") == text
    with pytest.raises(ValueError, match="no estimator 'lda' in this result"):
        result.model_card("lda")


DOLLARS = r"$\alpha_talk$ v1 $\x$"


@pytest.mark.parametrize("protocol", ["leave-one-corpus-out", "pairwise"])
def test_names_with_dollar_signs_are_no_formulas(tmp_path, protocol):
    rng = np.random.default_rng(0)
    rows = [
        {"corpus": corpus, "speaker": f"{corpus}{speaker}", "emotion": label, "gender": gender}
        for corpus in ("a$$", DOLLARS)
        for speaker, gender in enumerate(["$f$", r"$\m$"] * 4)
        for label in ("$$", r"$\frac$", "x_^y")
        for _ in range(3)
    ]
    frame = pd.DataFrame(rows)
    X = pd.DataFrame(rng.normal(size=(len(frame), 3)))
    models = {f"${name}$": LogisticRegression(C=C) for name, C in (("a", 1), (r"\b", 2), ("c", 3))}
    result = cross_corpus_validate(models, frame, X=X, aux=("gender",), protocol=protocol)
    result.report(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "not drawn" not in page
    ax = result.plot_confusion(next(iter(models))).ax_
    assert r"$\frac$" in [text.get_text() for text in ax.get_yticklabels()]
    ax.figure.savefig(tmp_path / "drawn.png")


def test_pictures_and_tables_show_one_calibration_error(feature_table):
    frame, X = feature_table
    result = cross_corpus_validate(
        MTLNeuralClassifier(max_epochs=3, tasks=None), frame, X=X, aux=(), seeds=range(3)
    )
    table = result.summary("ece").iloc[0]
    shown = result.plot_reliability().errors.set_index("corpus")["ece"]
    for corpus in "abc":
        assert shown[corpus] == pytest.approx(table[corpus], abs=1e-12)
    assert shown["all"] == pytest.approx(table["pooled"], abs=1e-12)
    by_seed = result.scores().groupby("corpus")["ece"].mean()
    assert by_seed["a"] == pytest.approx(table["a"])


def test_report_of_many_estimators_draws_the_baseline_and_the_best(result, tmp_path):
    table, names = result.predictions, [f"e{number:02d}" for number in range(14)]
    first = table[table["estimator"] == table.dropna(subset="p_anger")["estimator"].iloc[0]]
    parts = []
    for rank, name in enumerate(names):  # each one is wrong in more utterances
        wrong = np.arange(len(first)) % 14 < rank
        y_pred = first["y_true"].where(~wrong, result.labels[0])
        parts.append(first.assign(estimator=name, y_pred=y_pred))
    many = EvaluationResult(
        pd.concat(parts, ignore_index=True), labels=result.labels, protocol=result.protocol
    )
    many.report(tmp_path / "report.html", baseline="e13")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    drawn = [name for name in names if f"{name}: shares of each true emotion" in text]
    assert drawn == [*names[:11], "e13"]
    assert (
        text.count("Drawn: the baseline and the estimators with the highest mean recall, 12 of 14.")
        == 2
    )
    assert text.count("Frequency of correct predictions") == 2 * 3  # alt text and caption
