"""Documents of an evaluation: HTML report, model card, Markdown and LaTeX tables."""

from __future__ import annotations

import base64
import html
import io
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_ser.evaluation._predictions_table import MEAN, TRANSDUCTIVE
from sklearn_ser.metrics import holm
from sklearn_ser.utils._printable import encodable

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; margin: 0 auto; padding: 1rem;
       max-width: 62rem; }
h1 { line-height: 1.2; } h2 { margin-top: 2.2rem; border-bottom: 1px solid #ccc; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #ddd;
         white-space: pre; }
th:first-child, td:first-child, .text { text-align: left; }
td.long { white-space: normal; min-width: 14rem; text-align: left; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; }
.row { display: flex; flex-wrap: wrap; gap: 0 1rem; } .row img { max-width: 28rem; }
@media (max-width: 40rem) { img, .row img { max-width: none; } }  /* scrolls horizontally */
figcaption, .small { color: #555; font-size: .9rem; }
pre { overflow-x: auto; background: #f5f5f5; padding: .6rem; font-size: .85rem; }
@media print { body { max-width: none; } h2 { break-after: avoid; }
               figure { break-inside: avoid; } }
"""


#: Greatest number of estimators in one calibration plot.
_MAX_CURVES = 4
#: Greatest number of estimators with a confusion matrix and a calibration curve.
_MAX_DRAWN = 12
#: Columns of text, aligned left.
_TEXT_COLUMNS = {
    *("estimator", "setting", "baseline", "baseline_setting", "corpus", "speaker"),
    *("flaw", "severity", "fold", "parameter", "value"),
}


def write_report(result, path, *, baseline=None, audit=None, title=None) -> None:
    """Write the HTML page; see :meth:`EvaluationResult.report`."""
    title = title or f"Speech emotion recognition: {result.protocol}"
    baseline = baseline or result.estimators[0]
    scores, drawn = result.scores(), _drawn(result, baseline)
    sections = [
        ("Protocol", _protocol(result)),
        ("Data", _data(result)),
        ("Scores", _scores(result, scores)),
        ("Conclusions", _conclusions(result, baseline)),
        ("Confusions", _confusions(result, drawn)),
        ("Groups of speakers", _groups(result)),
        ("Calibration", _calibration(result, scores, drawn)),
        ("Findings about the data", _audit(audit)),
        ("Remarks", _list(result.remarks())),
        ("Reproduction", _provenance(result)),
    ]
    body = "\n".join(f"<h2>{name}</h2>\n{text}" for name, text in sections if text)
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{html.escape(title)}</h1>\n{body}\n</body></html>\n"
    )
    Path(path).write_text(encodable(page), encoding="utf-8")


def _protocol(result):
    return "".join(f"<p>{html.escape(line)}</p>" for line in describe_protocol(result))


def _corpora(result):
    """Return the evaluated utterances, and their number and that of the speakers by corpus."""
    first = result.predictions.drop_duplicates("row")
    return first, first.groupby("corpus").agg(
        utterances=("row", "size"), speakers=("speaker", "nunique")
    )


def _data(result):
    first, table = _corpora(result)
    counts = pd.crosstab(first["corpus"], first["y_true"]).reindex(columns=result.labels)
    return _table(table.join(counts).reset_index())


def _scores(result, scores):
    parts = [
        "<p>Unweighted average recall: the mean of the emotions' recalls, so that a rare emotion "
        f"counts as much as a frequent one. Chance level is {1 / len(result.labels):.2f}.</p>",
        _figure(
            result.plot_scores, "Unweighted average recall by test corpus, with 95 % intervals"
        ),
        _table(_with_intervals(result), "Unweighted average recall, 95 % intervals over speakers"),
    ]
    more = scores.groupby(["estimator", "setting", "corpus"], sort=False)
    means = more[["war", "macro_f1", "auc", "ece", "brier"]].mean().reset_index()
    parts.append(
        _table(
            means.dropna(axis=1, how="all"),
            "Other scores: accuracy, macro F1, area under the curve, calibration error, Brier",
        )
    )
    if result.protocol == "pairwise":
        parts.insert(2, _figure(result.plot_heatmap, "Training corpora against test corpora"))
    if len(result.estimators) > 2:
        parts.append(_figure(result.plot_ranks, "Average ranks over speakers"))
    return "\n".join(parts)


def _with_intervals(result):
    """Tabulate the summary with intervals, if there are any."""
    table = result.intervals()
    table["shown"] = [
        f"{row.estimate:.3f}" + ("" if np.isnan(row.low) else f"\n{row.low:.3f} to {row.high:.3f}")
        for row in table.itertuples()
    ]
    index = ["estimator", "setting"]
    shown = table.set_index([*index, "corpus"])["shown"].unstack("corpus")
    shown = shown[list(table["corpus"].unique())].reindex(result.summary().index)
    return shown.rename_axis(columns=None).reset_index()


def _conclusions(result, baseline):
    if len(result.estimators) < 2:
        return ""
    by_corpus = result.compare(baseline, by_corpus=True)
    is_mean = by_corpus["corpus"] == MEAN
    table = by_corpus[is_mean] if is_mean.any() else by_corpus
    table = table.assign(p_holm=holm(table["p"].astype(float)))  # of these rows alone
    parts = [
        _list(describe_comparisons(result, table)),
        _table(table, "Paired tests, speaker by speaker"),
    ]
    if is_mean.any():
        table = by_corpus[~is_mean].drop(columns=["p_holm", "corpora_better"])
        parts.append(_table(table, "Paired tests in each corpus: p is not corrected"))
    return "\n".join(parts)


def _drawn(result, baseline):
    """Choose the estimators with figures of their own: all, or the baseline and the best."""
    means = result.summary()["mean"].groupby("estimator", sort=False).max()
    best = means.drop(baseline, errors="ignore").sort_values(ascending=False, kind="stable")
    chosen = {baseline, *best.index[: _MAX_DRAWN - 1]}
    return [name for name in result.estimators if name in chosen]


def _note_drawn(drawn, names):
    """Say that not all estimators are drawn, if so."""
    if len(drawn) == len(names):
        return ""
    return (
        f'<p class="small">Drawn: the baseline and the estimators with the highest mean recall, '
        f"{len(drawn)} of {len(names)}.</p>"
    )


def _confusions(result, drawn):
    figures = [
        _figure(partial(result.plot_confusion, name), f"{name}: shares of each true emotion")
        for name in drawn
    ]
    note = _note_drawn(drawn, result.estimators)
    return note + '<div class="row">' + "\n".join(figures) + "</div>"


def _groups(result):
    parts = []
    for column in _varying(result, "gender", "language", "naturalness"):
        parts.append(_figure(partial(result.plot_groups, column), f"Recall by {column}"))
        parts.append(_table(result.by(column)))
    speakers = result.by("speaker", metric="war")
    worst = speakers.sort_values("score").groupby("estimator", sort=False).head(3)
    parts.append(_table(worst.drop(columns="gap"), "Speakers with the lowest accuracy"))
    return "\n".join(parts)


def _varying(result, *columns):
    table = result.utterances
    return [name for name in columns if name in table and table[name].nunique() > 1]


def _calibration(result, scores, drawn):
    with_ece = set(scores.dropna(subset="ece")["estimator"])
    if not with_ece:
        return "<p>No estimator gives probabilities.</p>"
    names = [name for name in drawn if name in with_ece]
    figures = [
        _figure(
            partial(result.plot_reliability, names[first : first + _MAX_CURVES]),
            "Frequency of correct predictions against their confidence",
        )
        for first in range(0, len(names), _MAX_CURVES)
    ]
    return (
        _note_drawn(drawn, result.estimators)
        + "\n".join(figures)
        + _table(
            result.summary("ece").reset_index(), "Expected calibration error (lower is better)"
        )
    )


def _audit(audit):
    if audit is None:
        return ""
    if audit.findings.empty:
        return "<p>The audit has no findings.</p>"
    return _table(audit.findings.drop(columns="rows"))


def _provenance(result):
    info = result.info
    spent = [f"{name} {seconds:.1f} s" for name, seconds in info.get("seconds", {}).items()]
    lines = {
        "": _versions(result),
        "Time of fits and predictions: ": ", ".join(spent),
        "Seeds: ": ", ".join(map(str, info.get("seeds", ()))),
    }
    parts = [f"<p>{html.escape(head + text)}.</p>" for head, text in lines.items() if text]
    if len(result.best_params):
        parts.append(_table(result.best_params, "Parameters chosen by searches"))
    for name, text in info.get("estimators", {}).items():
        parts.append(f"<p>{html.escape(name)}</p><pre>{html.escape(text)}</pre>")
    return "\n".join(parts)


def _versions(result):
    versions = result.info.get("versions", {})
    return ", ".join(f"{name} {version}" for name, version in versions.items())


def _list(lines):
    items = "".join(f"<li>{html.escape(str(line))}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _table(table, caption=None):
    """Format a table that scrolls horizontally on a narrow page."""
    head = "".join(f"<th{_class(name)}>{html.escape(str(name))}</th>" for name in table.columns)
    rows = "".join(
        "<tr>"
        + "".join(
            f"<td{_class(name)}>{_cell(name, value)}</td>"
            for name, value in zip(table.columns, row, strict=True)
        )
        + "</tr>"
        for row in table.itertuples(index=False, name=None)
    )
    title = "" if caption is None else f"<caption>{html.escape(caption)}</caption>"
    return (
        f'<div class="wide"><table>{title}<thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _class(name):
    if name == "evidence":
        return ' class="long"'
    return ' class="text"' if name in _TEXT_COLUMNS else ""


def _cell(name, value):
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return "–"
        if str(name) in ("p", "p_holm", "smallest_p"):
            return "&lt;.001" if value < 0.001 else f"{value:.3f}"
        return f"{value:.3f}"
    return html.escape(str(value))


def _figure(draw, caption):
    """Embed a plot as an image, or the reason why it cannot be drawn."""
    import matplotlib.pyplot as plt
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    open_before = set(plt.get_fignums())
    try:
        figure = draw().figure_
    except ValueError as error:
        return f'<p class="small">{html.escape(caption)}: not drawn, {html.escape(str(error))}</p>'
    finally:
        for number in set(plt.get_fignums()) - open_before:
            plt.close(number)
    picture = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # (a tight layout is no problem)
        FigureCanvasAgg(figure)
        figure.savefig(picture, format="png", dpi=110)
    data = base64.b64encode(picture.getvalue()).decode("ascii")
    alt = html.escape(caption)
    return (
        f'<figure><div class="wide"><img alt="{alt}" src="data:image/png;base64,{data}"></div>'
        f"<figcaption>{alt}</figcaption></figure>"
    )


_PROTOCOLS = {
    "leave-one-corpus-out": (
        "Each corpus was tested by models trained on all the others: neither its speakers nor its "
        "recordings were seen in training."
    ),
    "within-corpus": (
        "Within each corpus, speakers were assigned to {folds} folds, and each fold was tested by "
        "models trained on the other speakers of the same corpus."
    ),
    "pairwise": "Models were trained on one corpus and tested on another, for every ordered pair.",
    "aggregated": (
        "The speakers of all corpora together were assigned to {folds} folds, and each fold was "
        "tested by models trained on the other speakers."
    ),
}
_SETTINGS = {
    "single": "each utterance was predicted on its own",
    "transductive": "unlabeled statistics of the test corpus were used, as for scaling",
}
_SIGNIFICANT = 0.05


def describe_protocol(result) -> list[str]:
    """Describe in sentences how the scores were computed."""
    protocol = _PROTOCOLS.get(result.protocol, f"Protocol: {result.protocol}.")
    settings = result.predictions["setting"].unique()
    exception = ", except for transductive scores" if TRANSDUCTIVE in settings else ""
    seeds = result.predictions.groupby("estimator", sort=False)["seed"].nunique()
    counts = ", ".join(f"{name} {n}" for name, n in seeds.items())
    lines = [
        protocol.format(folds=_describe_n_folds(result)),
        "Speakers are disjoint between training and test. Scaling, searches and early stopping "
        f"used training samples only{exception}; the label set was fixed before splitting: "
        f"{', '.join(map(str, result.labels))}.",
        f"Number of seeds: {counts}; scores are means over seeds, which do not count as further "
        "speakers.",
        *(f"“{setting}”: {_SETTINGS.get(setting, setting)}." for setting in settings),
    ]
    names = ", ".join(result.info.get("unlabeled", {}))
    if names and result.info.get("unlabeled_test") == "train":
        lines.append(
            f"The samples under test, without labels, were in the training of {names}: these "
            "scores are transductive beyond scaling."
        )
    return lines


def describe_comparisons(result, table: pd.DataFrame) -> list[str]:
    """Describe each row of a table of `compare` for the UAR, and last the scope of the tests."""
    if table.empty:
        return []
    several = result.predictions["setting"].nunique() > 1
    tested = "pairs of training and test corpora" if result.protocol == "pairwise" else "corpora"
    lines = [_describe_comparison(row, several, tested) for row in table.itertuples()]
    n = result.predictions["corpus"].nunique()
    corrected = f" p is corrected (Holm) for {len(table)} comparisons." if len(table) > 1 else ""
    scope = f"{n} corpora are too few" if n > 1 else "one corpus is too little"
    lines.append(
        "p and intervals account for the choice of speakers from these corpora, not for the choice "
        f"of corpora: {scope} to conclude how the estimators compare in another corpus.{corrected}"
    )
    return lines


def _describe_comparison(row, with_settings, tested):
    first, second = row.estimator, row.baseline
    if with_settings:
        first, second = f"{first} ({row.setting})", f"{second} ({row.baseline_setting})"
    if np.isnan(row.difference):
        return f"{first} and {second} cannot be compared: UAR is not defined."
    points, few = 100 * abs(row.difference), row.smallest_p > _SIGNIFICANT
    side = "above" if row.difference > 0 else "below"
    head = f"{first} is {points:.1f} points {side} {second} (UAR"
    if row.difference == 0:
        head = f"{first} and {second} have equal scores (UAR"
    if not np.isnan(row.low):
        head += f"; 95 % interval {100 * row.low:+.1f} to {100 * row.high:+.1f}"
    head += f"; {row.speakers} speakers; p = {row.p_holm:.2g}). "
    head += f"It is better in {row.corpora_better} {tested}. "
    if row.setting != row.baseline_setting:
        head += "Only one of the two used unlabeled statistics of the test corpus. "
    if few:
        return head + "With so few speakers no difference can be significant."
    if row.p_holm < _SIGNIFICANT:
        return head + "The difference is larger than the variation between speakers explains."
    return (
        head + "The difference is no larger than the variation between speakers explains: neither "
        "is shown to be better, and they are not shown to be equal."
    )


def _describe_n_folds(result):
    """Return the number of folds, or its range: corpora with few speakers have fewer folds."""
    table = result.predictions
    if result.protocol != "within-corpus":
        return str(table["fold"].nunique())
    numbers = sorted(table.groupby("corpus")["fold"].nunique().unique())
    return " to ".join(map(str, dict.fromkeys([numbers[0], numbers[-1]])))


def write_model_card(result, estimator: str, *, baseline: str | None = None, audit=None) -> str:
    """Return the Markdown text; see :meth:`EvaluationResult.model_card`."""
    result._of(estimator, None)  # (raises if the name is unknown)
    others = [name for name in result.estimators if name != estimator]
    baseline = baseline or (others[0] if others else None)
    if baseline == estimator:
        raise ValueError(f"baseline must be another estimator than {estimator!r} itself")
    sections = [
        ("Model", _card_model(result, estimator)),
        ("Intended use", _card_use(result)),
        ("Evaluation", "\n\n".join(describe_protocol(result))),
        ("Data", as_markdown(_card_data(result))),
        ("Scores", as_markdown(_card_scores(result, estimator))),
        ("Comparison with a baseline", _card_comparison(result, estimator, baseline)),
        ("Groups of speakers", _card_groups(result, estimator)),
        ("Frequent errors", _card_errors(result, estimator)),
        ("Findings about the data", None if audit is None else str(audit)),
        ("Caveats", "\n".join(f"- {line}" for line in result.remarks())),
    ]
    parts = [f"# Model card: {estimator}".replace("<", "&lt;")]
    for name, text in sections:
        if text:  # (in the block of code of the first section, nothing is a tag)
            text = text if name == "Model" else text.replace("<", "&lt;")
            parts.append(f"## {name}\n\n{text}")
    return "\n\n".join(parts) + "\n"


def _card_model(result, estimator):
    text = result.info.get("estimators", {}).get(estimator)
    parts = [] if text is None else [f"```\n{text}\n```"]
    if _versions(result):
        parts.append(f"{_versions(result)}.")
    return "\n\n".join(parts)


def _card_use(result):
    labels = ", ".join(map(str, result.labels))
    return (
        f"The model assigns one of {len(result.labels)} emotions ({labels}) to the *sound* of an "
        "utterance, as actors or listeners of the corpora below understood them. It does not "
        "detect what a person feels, and these scores do not justify decisions about people. "
        "Other languages, recording conditions and ages were not tested."
    )


def _card_data(result):
    first, table = _corpora(result)
    for column in ("language", "naturalness"):
        if column in result.utterances:
            values = first.assign(value=result._column(first, column))
            table[column] = values.groupby("corpus")["value"].agg(
                lambda part: ", ".join(sorted(map(str, part.dropna().unique())))
            )
    return table.reset_index()


def _card_scores(result, estimator):
    table = result.intervals()
    table = table[table["estimator"] == estimator].drop(columns=["estimator", "note"])
    return table.rename(columns={"estimate": "UAR"})


def _card_comparison(result, estimator, baseline):
    if baseline is None:
        return None
    lines = describe_comparisons(result, result.compare(baseline))
    others = [name for name in result.estimators if name != baseline]
    return "\n\n".join([lines[others.index(estimator)], lines[-1]])


def _card_groups(result, estimator):
    parts = []
    for column in _varying(result, "gender", "language"):
        table = result.by(column)
        table = table[table["estimator"] == estimator].drop(columns="estimator")
        parts.append(as_markdown(table.rename(columns={"score": "UAR"})))
    return "\n\n".join(parts)


def _card_errors(result, estimator):
    shares = result.confusion(estimator)
    wrong = [
        (shares.loc[y_true, y_pred], y_true, y_pred)
        for y_true in shares.index
        for y_pred in shares.columns
        if y_true != y_pred and shares.loc[y_true, y_pred] > 0
    ]
    lines = [
        f"- {share:.0%} of {y_true} "
        + ("has no prediction." if y_pred not in result.labels else f"is predicted as {y_pred}.")
        for share, y_true, y_pred in sorted(wrong, key=lambda error: -error[0])[:3]
    ]
    speakers = result.by("speaker", metric="war")
    own = speakers[speakers["estimator"] == estimator].sort_values("score")
    if len(own) > 1:
        low, high = own.iloc[0], own.iloc[-1]
        lines.append(
            f"- Accuracy of single speakers is between {low['score']:.2f} ({low['speaker']}) and "
            f"{high['score']:.2f} ({high['speaker']})."
        )
    return "\n".join(lines)


def as_markdown(table: pd.DataFrame, digits: int = 3) -> str:
    """Format a DataFrame, without its index, as a Markdown table."""
    escapes = str.maketrans({"|": r"\|", "<": "&lt;", "\n": " "})
    cells = [[cell.translate(escapes) for cell in row] for row in _format_cells(table, digits)]
    lines = ["| " + " | ".join(row) + " |" for row in cells]
    lines.insert(1, "|" + "---|" * len(cells[0]))
    return "\n".join(lines)


_LATEX = {character: f"\\{character}" for character in "&%_#${}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
}


def as_latex(table: pd.DataFrame, digits: int = 3) -> str:
    """Format a DataFrame of two text columns and numbers as a LaTeX table (booktabs)."""
    head, *rows = [
        ["".join(_LATEX.get(character, character) for character in cell) for cell in row]
        for row in _format_cells(table, digits)
    ]
    return "\n".join(
        [
            rf"\begin{{tabular}}{{ll{'r' * (len(head) - 2)}}}",
            r"\toprule",
            " & ".join(head) + r" \\",
            r"\midrule",
            *(" & ".join(row) + r" \\" for row in rows),
            r"\bottomrule",
            r"\end{tabular}",
        ]
    )


def _format_cells(table, digits):
    """Format the column names and each row of a DataFrame as lists of str."""
    rows = [
        [f"{cell:.{digits}f}" if isinstance(cell, float) else str(cell) for cell in row]
        for row in table.astype(object).itertuples(index=False, name=None)
    ]
    return [list(map(str, table.columns)), *rows]
