"""An evaluation as one self-contained HTML page."""

import base64
import html
import io
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_ser.evaluation._result_statistics import MEAN

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; margin: 0 auto; padding: 1rem;
       max-width: 62rem; }
h1 { line-height: 1.2; } h2 { margin-top: 2.2rem; border-bottom: 1px solid #ccc; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .5rem 0; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #ddd;
         white-space: pre; }
th:first-child, td:first-child, .words { text-align: left; }
td.long { white-space: normal; min-width: 14rem; text-align: left; }
caption { text-align: left; font-weight: 600; padding: .25rem 0; }
figure { margin: 1rem 0; } img { max-width: 100%; height: auto; }
.row { display: flex; flex-wrap: wrap; gap: 0 1rem; } .row img { max-width: 28rem; }
@media (max-width: 40rem) { img, .row img { max-width: none; } }  /* scrolls by itself */
figcaption, .small { color: #555; font-size: .9rem; }
pre { overflow-x: auto; background: #f5f5f5; padding: .6rem; font-size: .85rem; }
@media print { body { max-width: none; } h2 { break-after: avoid; }
               figure { break-inside: avoid; } }
"""


#: Estimators in one picture of calibration.
_CURVES = 4
_WORDS = (
    "estimator",
    "setting",
    "baseline",
    "baseline_setting",
    "corpus",
    "speaker",
    "flaw",
    "severity",
)


def write_report(result, path, *, baseline=None, audit=None, title=None):
    """Write the page; see :meth:`EvaluationResult.report`."""
    title = title or f"Speech emotion recognition: {result.protocol}"
    sections = [
        ("What was done", _protocol(result)),
        ("Data", _data(result)),
        ("Scores", _scores(result)),
        ("What can be concluded", _conclusions(result, baseline)),
        ("Which emotions are confused", _confusions(result)),
        ("Groups of speakers", _groups(result)),
        ("Calibration", _calibration(result)),
        ("Findings about the data", _audit(audit)),
        ("Remarks", _list(result.remarks())),
        ("How to repeat it", _provenance(result)),
    ]
    body = "\n".join(f"<h2>{name}</h2>\n{text}" for name, text in sections if text)
    page = (
        f'<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{html.escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body><h1>{html.escape(title)}</h1>\n{body}\n</body></html>\n"
    )
    Path(path).write_text(page, encoding="utf-8")


def _protocol(result):
    return "".join(f"<p>{html.escape(line)}</p>" for line in protocol_in_words(result))


def _data(result):
    first = result.predictions.drop_duplicates("row")
    table = first.groupby("corpus").agg(utterances=("row", "size"), speakers=("speaker", "nunique"))
    counts = pd.crosstab(first["corpus"], first["y_true"]).reindex(columns=result.labels)
    return _table(table.join(counts).reset_index())


def _scores(result):
    parts = [
        "<p>Unweighted average recall: the mean of the emotions' recalls, so that a rare emotion "
        f"counts as much as a frequent one. Guessing has {1 / len(result.labels):.2f}.</p>",
        _figure(
            result.plot_scores, "Unweighted average recall by test corpus, with 95 % intervals"
        ),
        _table(_with_intervals(result), "Unweighted average recall, 95 % intervals over speakers"),
    ]
    more = result.scores().groupby(["estimator", "setting", "corpus"], sort=False)
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
    """The summary with an interval behind each figure that has one."""
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
    baseline = baseline or result.estimators[0]
    return "\n".join(
        [
            _list(conclusions(result, baseline)),
            _table(result.compare(baseline), "Paired tests, speaker by speaker"),
            _by_corpus(result, baseline),
        ]
    )


def _by_corpus(result, baseline):
    if result.predictions["corpus"].nunique() < 2:
        return ""
    table = result.compare(baseline, by_corpus=True)
    table = table[table["corpus"] != MEAN].drop(columns=["p_holm", "corpora_better"])
    return _table(table, "The same in each corpus: p is not corrected")


def _confusions(result):
    figures = "\n".join(
        _figure(
            lambda name=name: result.plot_confusion(name), f"{name}: shares of each true emotion"
        )
        for name in result.estimators
    )
    return f'<div class="row">{figures}</div>'


def _groups(result):
    parts = []
    for column in ("gender", "language", "naturalness"):
        if column in result.utterances and result.utterances[column].nunique() > 1:
            parts.append(
                _figure(lambda column=column: result.plot_groups(column), f"Recall by {column}")
            )
            parts.append(_table(result.by(column)))
    speakers = result.by("speaker", metric="war")
    worst = speakers.sort_values("score").groupby("estimator", sort=False).head(3)
    parts.append(_table(worst.drop(columns="gap"), "Speakers with the lowest accuracy"))
    return "\n".join(parts)


def _calibration(result):
    scores = result.scores().dropna(subset="ece")
    if scores.empty:
        return "<p>No estimator gives probabilities.</p>"
    names = list(scores["estimator"].unique())
    figures = [
        _figure(
            lambda first=first: result.plot_reliability(names[first : first + _CURVES]),
            "How often a prediction is right, against how sure it is said to be",
        )
        for first in range(0, len(names), _CURVES)
    ]
    return "\n".join(figures) + _table(
        result.summary("ece").reset_index(), "Expected calibration error (lower is better)"
    )


def _audit(audit):
    if audit is None:
        return ""
    if audit.findings.empty:
        return "<p>The audit found nothing.</p>"
    shown = [name for name in audit.findings.columns if name != "rows"]
    return _table(audit.findings[shown])


def _provenance(result):
    info = result.info
    parts = []
    if info.get("versions"):
        versions = [f"{name} {version}" for name, version in info["versions"].items()]
        parts.append(f"<p>{html.escape(', '.join(versions))}.</p>")
    if info.get("seconds"):
        spent = [f"{name} {seconds:.1f} s" for name, seconds in info["seconds"].items()]
        parts.append(f"<p>Fits and predictions took: {html.escape(', '.join(spent))}.</p>")
    if info.get("seeds"):
        parts.append(f"<p>Seeds: {html.escape(', '.join(map(str, info['seeds'])))}.</p>")
    for name, text in info.get("estimators", {}).items():
        parts.append(f"<p>{html.escape(name)}</p><pre>{html.escape(text)}</pre>")
    return "\n".join(parts)


def _list(lines):
    items = "".join(f"<li>{html.escape(str(line))}</li>" for line in lines)
    return f"<ul>{items}</ul>" if items else ""


def _table(table, caption=None):
    """A table that scrolls by itself where the page is narrow."""
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
    said = "" if caption is None else f"<caption>{html.escape(caption)}</caption>"
    return (
        f'<div class="wide"><table>{said}<thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _class(name):
    if name == "evidence":
        return ' class="long"'
    return ' class="words"' if name in _WORDS else ""


def _cell(name, value):
    if isinstance(value, float | np.floating):
        if np.isnan(value):
            return "–"
        if str(name) in ("p", "p_holm", "smallest_p"):
            return "&lt;.001" if value < 0.001 else f"{value:.3f}"
        return f"{value:.3f}"
    return html.escape(str(value))


def _figure(draw, caption):
    """A plot as a picture inside the page; what cannot be drawn says why."""
    import matplotlib.pyplot as plt
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    open_before = set(plt.get_fignums())
    try:
        display = draw()
    except ValueError as error:
        return f'<p class="small">{html.escape(caption)}: not drawn, {html.escape(str(error))}</p>'
    finally:
        opened = [number for number in plt.get_fignums() if number not in open_before]
        figures = [plt.figure(number) for number in opened]
        for number in opened:
            plt.close(number)
    figure = getattr(display, "figure_", None) or figures[-1]
    picture = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a layout that is tight is still a plot
        FigureCanvasAgg(figure)
        figure.savefig(picture, format="png", dpi=110)
    data = base64.b64encode(picture.getvalue()).decode("ascii")
    said = html.escape(caption)
    return (
        f'<figure><div class="wide"><img alt="{said}" src="data:image/png;base64,{data}"></div>'
        f"<figcaption>{said}</figcaption></figure>"
    )


PROTOCOLS_IN_WORDS = {
    "leave-one-corpus-out": (
        "Each corpus was tested by models that were trained on all the others: neither its "
        "speakers nor its recordings were seen in training."
    ),
    "within-corpus": (
        "Within each corpus, speakers were dealt into {folds} folds, and each fold was tested "
        "by models trained on the other speakers of the same corpus."
    ),
    "pairwise": "Models were trained on one corpus and tested on another, for every ordered pair.",
    "aggregated": (
        "All corpora were put together, their speakers dealt into {folds} folds, and each fold "
        "tested by models trained on the other speakers."
    ),
}
SETTINGS_IN_WORDS = {
    "single": "each utterance predicted as if it had come alone",
    "transductive": "the test corpus's own unlabeled statistics used, as for scaling",
}
SIGNIFICANT = 0.05


def protocol_in_words(result):
    """Sentences on how the figures came about.

    Returns
    -------
    list of str
    """
    words = PROTOCOLS_IN_WORDS.get(result.protocol)
    settings = result.predictions["setting"].unique()
    but = ", apart from what is called transductive" if "transductive" in settings else ""
    lines = [
        f"Protocol: {result.protocol}." if words is None else words.format(folds=_n_folds(result)),
        "Speakers are never on both sides. Scaling, searches and early stopping saw training rows "
        f"alone{but}; the label set was fixed before splitting: {_listed(result.labels)}.",
    ]
    seeds = result.predictions.groupby("estimator", sort=False)["seed"].nunique()
    lines.append(
        "Seeds: "
        + ", ".join(f"{name} {n}" for name, n in seeds.items())
        + "; scores are means over "
        "them, and they count as no further speakers."
    )
    for setting in settings:
        lines.append(f"“{setting}”: {SETTINGS_IN_WORDS.get(setting, setting)}.")
    return lines


def conclusions(result, baseline, *, metric="uar"):
    """What can be said of each estimator beside the baseline, and what cannot.

    Parameters
    ----------
    result : EvaluationResult
    baseline : str
    metric : str, default="uar"

    Returns
    -------
    list of str
    """
    table = result.compare(baseline, metric=metric)
    if table.empty:
        return []
    several = result.predictions["setting"].nunique() > 1
    tested = "pairs of training and test corpora" if result.protocol == "pairwise" else "corpora"
    lines = [_sentence(row, metric, several, tested) for row in table.itertuples()]
    n = result.predictions["corpus"].nunique()
    lines.append(
        "p and intervals speak of further speakers of these corpora"
        + (f"; p is corrected (Holm) for {len(table)} comparisons. " if len(table) > 1 else ". ")
        + (
            f"Whether the figures hold in a corpus that is not among these {n}, no test can tell "
            "from so few."
            if n > 1
            else "There is one corpus: nothing here speaks of others."
        )
    )
    return lines


def _sentence(row, metric, settings, tested):
    first, second = row.estimator, row.baseline
    if settings:
        first, second = f"{first} ({row.setting})", f"{second} ({row.baseline_setting})"
    if np.isnan(row.difference):
        return f"{first} and {second} cannot be compared: {metric.upper()} is not defined."
    points, few = 100 * abs(row.difference), row.smallest_p > SIGNIFICANT
    side = "above" if row.difference > 0 else "below"
    head = f"{first} is {points:.1f} points {side} {second} ({metric.upper()}"
    if row.difference == 0:
        head = f"{first} and {second} are level ({metric.upper()}"
    if not np.isnan(row.low):
        head += f"; 95 % interval {100 * row.low:+.1f} to {100 * row.high:+.1f}"
    head += f"; {row.speakers} speakers; p = {row.p_holm:.2g}). "
    ahead = f"It is ahead in {row.corpora_better} {tested}. "
    if row.setting != row.baseline_setting:
        ahead += "Only one of the two used the test corpus's unlabeled statistics. "
    if few:
        return head + ahead + "So few speakers cannot show any difference to be more than chance."
    if row.p_holm < SIGNIFICANT:
        return head + ahead + "That is more than the differences between speakers explain."
    return (
        head
        + ahead
        + "That is no more than the differences between speakers explain: neither is shown to be "
        "better, nor are they shown to be equal."
    )


def _n_folds(result):
    """The number of folds, or its range over corpora: those with few speakers have fewer."""
    table = result.predictions
    by_corpus = (
        table.groupby("corpus")["fold"].nunique() if result.protocol == "within-corpus" else None
    )
    numbers = [table["fold"].nunique()] if by_corpus is None else sorted(by_corpus.unique())
    return " to ".join(map(str, dict.fromkeys([numbers[0], numbers[-1]])))


def _listed(labels):
    return ", ".join(map(str, labels))
