"""What an evaluation says, in plain words: its protocol, and what can be concluded."""

import numpy as np

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
