"""Flaws that the table alone shows: who has which labels, and what is missing."""

import numpy as np
import pandas as pd

from sklearn_ser.audit._report import Finding, name_values, plural

#: An interval over fewer speakers covers too little, and one speaker decides the score.
FEWEST_SPEAKERS = 8
#: Rows of a class beside those of the middle one, from which on a class is large or small, and
#: very much so.
UNEVEN, VERY_UNEVEN = 0.6, 0.25
#: Part of the speakers with one label only: worth a warning, and fatal.
SOME_SPEAKERS, MOST_SPEAKERS = 0.2, 0.5
#: Cramer's V of sex and label from which on they are confounded, and where nearly the same.
CONFOUNDED, NEARLY_SAME = 0.3, 0.7
_UNKNOWN = {"", "unknown", "unk", "nan", "none", "null", "na", "n/a", "?", "-"}


def is_known(values):
    """Whether a cell says something.

    Parameters
    ----------
    values : Series

    Returns
    -------
    ndarray of bool of shape (n_rows,)
    """
    text = values.astype(object).map(lambda value: str(value).strip().lower())
    # Ids carry their corpus: "mine/unknown".
    return (values.notna() & ~text.str.rsplit("/", n=1).str[-1].isin(_UNKNOWN)).to_numpy()


def check_metadata(frame, y):
    """Cells that are empty where others are not, and speakers with two sexes."""
    findings = []
    severities = {"speaker": "error", y: "warning", "gender": "note", "text": "note"}
    for column, severity in severities.items():
        if column not in frame:
            continue
        known = is_known(frame[column])
        if column not in ("speaker", y):
            # What a whole corpus does not tell is no flaw of its rows.
            told = pd.Series(known).groupby(frame["corpus"].astype(str)).transform("any")
            known = known | ~told.to_numpy()
        if known.all():
            continue
        rows = np.flatnonzero(~known)
        cost = {
            "speaker": "no split can keep these speakers on one side",
            y: "they train nothing and are scored nowhere",
        }.get(column, "checks and scores by it leave them out")
        text = f"'{column}' is unknown in {len(rows)} of {len(frame)} rows: {cost}."
        findings.append(Finding("missing metadata", severity, "", text, rows))
    if {"speaker", "gender"} <= set(frame):
        known = is_known(frame["gender"]) & is_known(frame["speaker"])
        sexes = frame[known].groupby("speaker")["gender"].nunique()
        names = sexes.index[sexes > 1]
        if len(names):
            rows = np.flatnonzero(known & frame["speaker"].isin(names).to_numpy())
            text = f"{plural(len(names), 'speaker')} with more than one sex: {name_values(names)}."
            findings.append(Finding("inconsistent metadata", "error", "", text, rows))
    return findings


def check_labels(table, corpus, y, rng):
    """Flaws of one corpus's labels.

    Parameters
    ----------
    table : DataFrame
        The rows of the corpus with a known label and speaker; its index holds their positions.
    corpus : str
    y : str
        Column of the label.
    rng : numpy.random.Generator

    Returns
    -------
    list of Finding
    """
    found = [
        _few_speakers(table, corpus),
        _uneven(table, corpus, y),
        _by_speaker(table, corpus, y),
        _by_sex(table, corpus, y, rng),
    ]
    return [finding for finding in found if finding is not None]


def _few_speakers(table, corpus):
    n = table["speaker"].nunique()
    if n >= FEWEST_SPEAKERS:
        return None
    text = (
        f"{plural(n, 'speaker')}: with fewer than {FEWEST_SPEAKERS} no interval over speakers "
        f"holds what it promises, and a score speaks of these voices only."
    )
    if n < 2:
        text = "1 speaker: nothing can be said of other voices."
    return Finding("too few speakers", "error" if n < 2 else "warning", corpus, text, table.index)


def _uneven(table, corpus, y):
    counts = table[y].value_counts()
    if len(counts) < 2:
        text = f"every utterance is {counts.index[0]!r}: there is nothing to tell apart."
        return Finding("single class", "error", corpus, text, table.index)
    middle = counts.median()
    odd = counts[(counts <= UNEVEN * middle) | (counts >= middle / UNEVEN)]
    if odd.empty:
        return None
    severe = ((odd <= VERY_UNEVEN * middle) | (odd >= middle / VERY_UNEVEN)).any()
    said = ", ".join(f"{n} of {label}" for label, n in odd.items())
    text = (
        f"{said}, where the middle class has {middle:g}: accuracy flatters, use unweighted "
        f"average recall, and class weights in training."
    )
    rows = table.index[table[y].isin(odd.index)]
    return Finding("class imbalance", "warning" if severe else "note", corpus, text, rows)


def _by_speaker(table, corpus, y):
    by_speaker = table.groupby("speaker")[y]
    n_rows, n_labels = by_speaker.size(), by_speaker.nunique()
    several = n_rows[n_rows >= 2].index
    classes = table[y].value_counts(normalize=True)
    if len(several) < 2 or len(classes) < 2:
        return None
    single = [name for name in several if n_labels[name] == 1]
    # As many have one label by chance, were labels dealt to rows at random.
    expected = sum((classes**n).sum() for n in n_rows[several])
    part = len(single) / len(several)
    if part >= SOME_SPEAKERS and len(single) >= 2 * expected + 1:
        text = (
            f"{len(single)} of {len(several)} speakers have one label only: who speaks nearly "
            f"tells the label. Only speaker-disjoint splits mean anything, and scaling by speaker "
            f"removes the label."
        )
        severity = "error" if part >= MOST_SPEAKERS else "warning"
        rows = table.index[table["speaker"].isin(single)]
        return Finding("label by speaker", severity, corpus, text, rows)
    enough = n_rows.index[n_rows >= 2 * len(classes)]
    lacking = [name for name in enough if n_labels[name] <= len(classes) / 2]
    if len(classes) > 2 and len(enough) and len(lacking) >= max(2, SOME_SPEAKERS * len(enough)):
        text = (
            f"{len(lacking)} of {len(enough)} speakers have at most half of the {len(classes)} "
            f"labels: scaling by speaker removes part of the label."
        )
        rows = table.index[table["speaker"].isin(lacking)]
        return Finding("speakers with few labels", "note", corpus, text, rows)
    return None


def _by_sex(table, corpus, y, rng):
    """Sex and label go together more than speakers dealt to sexes at random would have it."""
    if "gender" not in table:
        return None
    table = table[is_known(table["gender"])]
    speakers = table.drop_duplicates("speaker").set_index("speaker")["gender"]
    if speakers.nunique() < 2 or table[y].nunique() < 2 or len(speakers) < 4:
        return None
    counts = pd.crosstab(table["speaker"], table[y])
    of_speaker = pd.get_dummies(speakers[counts.index]).to_numpy(float)
    association = _cramers_v(of_speaker.T @ counts.to_numpy(float))
    if association < CONFOUNDED:
        return None
    as_high = sum(
        _cramers_v(rng.permutation(of_speaker).T @ counts.to_numpy(float)) >= association - 1e-12
        for _ in range(999)
    )
    # Few speakers can be dealt in few ways: 4 and 4 in 70.
    if (1 + as_high) / 1000 > (0.05 if association >= NEARLY_SAME else 0.01):
        return None
    shares = table.assign(female=table["gender"] == "female").groupby(y)["female"].mean()
    said = ", ".join(f"{label} {share:.0%}" for label, share in shares.items())
    text = (
        f"the part of female speech differs by label ({said}; Cramer's V {association:.2f}): a "
        f"model can hear sex and call it the label."
    )
    severity = "error" if association >= NEARLY_SAME else "warning"
    return Finding("sex confounded with label", severity, corpus, text, table.index)


def _cramers_v(counts):
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape) < 2:
        return 0.0
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    square = (np.square(counts - expected) / expected).sum()
    return float(np.sqrt(square / counts.sum() / (min(counts.shape) - 1)))


def check_across_corpora(table, y, aux):
    """What several corpora together have: targets and labels that only tell the corpus.

    Parameters
    ----------
    table : DataFrame
        Of all corpora; its index holds the rows' positions.
    y : str
    aux : sequence of str
        Columns that are to be auxiliary targets.

    Returns
    -------
    list of Finding
    """
    findings = []
    n_corpora = table["corpus"].nunique()
    if n_corpora < 2:
        return findings
    for column in aux:
        if column not in table or column == y:
            continue
        known = table[is_known(table[column])]
        values = known.groupby("corpus")[column].unique()
        if known[column].nunique() < 2 or len(values) < 2 or values.map(len).max() > 1:
            continue
        said = ", ".join(f"{corpus}: {found[0]}" for corpus, found in values.items())
        text = (
            f"'{column}' has one value in each corpus ({said}): as an auxiliary target it teaches "
            f"which corpus it is, or which language or room."
        )
        findings.append(
            Finding("auxiliary target confounded with corpus", "warning", "", text, known.index)
        )
    owners = table.groupby(y)["corpus"].unique()
    single = owners[owners.map(len) == 1]
    if len(single):
        said = ", ".join(f"{label} only in {found[0]}" for label, found in single.items())
        text = (
            f"{said}: such a label can be told by its corpus, and is missing from a side of every "
            f"split by corpus."
        )
        rows = table.index[table[y].isin(single.index)]
        findings.append(Finding("label confounded with corpus", "warning", "", text, rows))
    return findings
