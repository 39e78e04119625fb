"""Checks of a corpus's table: distribution of the labels over speakers, missing metadata."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from sklearn_ser.audit._report import Finding, name_values, plural
from sklearn_ser.utils._ids import near_equal_ids
from sklearn_ser.utils._unlabeled import labeled_rows

#: An interval over fewer speakers covers too little, and one speaker decides the score.
MIN_SPEAKERS = 8
#: Ratio of a class's rows to those of the median class (or the inverse) from which on the classes
#: are imbalanced, and severely so.
IMBALANCED, SEVERELY_IMBALANCED = 0.6, 0.25
#: Share of the speakers with a single label from which on it is a warning, and an error.
SOME_SPEAKERS, MOST_SPEAKERS = 0.2, 0.5
#: Cramer's V of sex and label from which on they are confounded, and nearly the same.
CONFOUNDED, NEARLY_SAME = 0.3, 0.7
_UNKNOWN = {"", "unknown", "unk", "nan", "none", "null", "na", "n/a", "?", "-"}


def is_known(values: pd.Series) -> np.ndarray:
    """Return for each value of a column of ids or metadata whether it is known.

    Labels are known where `labeled_rows` says so: to all estimators "unknown" is a class.
    """
    text = values.astype(object).map(lambda value: str(value).strip().lower())
    # Ids carry their corpus: "mine/unknown".
    return labeled_rows(values) & ~text.str.rsplit("/", n=1).str[-1].isin(_UNKNOWN).to_numpy()


def check_metadata(frame: pd.DataFrame, y: str) -> list[Finding]:
    """Find missing values in partly filled columns, near-equal ids, and speakers with two sexes."""
    findings = []
    severities = {"speaker": "error", y: "warning", "gender": "note", "text": "note"}
    for column, severity in severities.items():
        if column not in frame:
            continue
        known = labeled_rows(frame[column]) if column == y else is_known(frame[column])
        if column not in ("speaker", y):
            # A column that is empty for a whole corpus is not a flaw of its rows.
            filled = pd.Series(known).groupby(frame["corpus"].astype(str)).transform("any")
            known = known | ~filled.to_numpy()
        if known.all():
            continue
        rows = np.flatnonzero(~known)
        consequence = {
            "speaker": "No split can keep these speakers on one side. Fill in the column, or drop "
            "these rows.",
            y: "They are neither trained on nor scored. Fill in the column, or drop these rows.",
        }.get(column, "Checks and scores that need the column leave these rows out.")
        text = f"'{column}' is unknown in {len(rows)} of {len(frame)} rows. {consequence}"
        findings.append(Finding("missing metadata", severity, "", text, rows))
    for column in [name for name in ("speaker", "corpus", "recording", y) if name in frame]:
        groups = near_equal_ids(frame[column][is_known(frame[column])])
        if not groups:
            continue
        names = name_values([" = ".join(map(repr, group)) for group in groups])
        consequence = f"A split by {column} may then have the same {column} on both sides."
        if column == y:
            consequence = "A model then learns to distinguish them."
        text = (
            f"'{column}' has {plural(len(groups), 'group')} of values that differ only in case, "
            f"leading zeros, accents or separators ({names}). {consequence} Use one spelling if "
            f"they are one."
        )
        spellings = {name for group in groups for name in group}
        rows = np.flatnonzero(frame[column].astype(str).isin(spellings))
        findings.append(Finding("near-equal ids", "warning", "", text, rows))
    if {"speaker", "gender"} <= set(frame):
        known = is_known(frame["gender"]) & is_known(frame["speaker"])
        sexes = frame[known].groupby("speaker")["gender"].nunique()
        names = sexes.index[sexes > 1]
        if len(names):
            rows = np.flatnonzero(known & frame["speaker"].isin(names).to_numpy())
            text = (
                f"{plural(len(names), 'speaker')} with more than one sex ({name_values(names)}). "
                f"Either the sex or the speaker is wrong: correct the table."
            )
            findings.append(Finding("inconsistent metadata", "error", "", text, rows))
    return findings


def check_labels(
    table: pd.DataFrame, corpus: str, y: str, rng: np.random.Generator
) -> list[Finding]:
    """Check the labels of one corpus, in the rows with a known label and speaker."""
    findings = [
        _check_n_speakers(table, corpus),
        _check_balance(table, corpus, y),
        _check_speakers(table, corpus, y),
        _check_sex(table, corpus, y, rng),
    ]
    return [finding for finding in findings if finding is not None]


def _check_n_speakers(table, corpus):
    n = table["speaker"].nunique()
    if n >= MIN_SPEAKERS:
        return None
    text = (
        f"There are {n} speakers. With fewer than {MIN_SPEAKERS}, intervals over speakers are too "
        f"narrow, and a score describes these voices only: do not generalize from it."
    )
    if n < 2:
        text = "There is 1 speaker: nothing can be concluded about other voices."
    return Finding("too few speakers", "error" if n < 2 else "warning", corpus, text, table.index)


def _check_balance(table, corpus, y):
    counts = table[y].value_counts()
    if len(counts) < 2:
        text = (
            f"Every utterance has the label {counts.index[0]!r}: there is nothing to classify. Add "
            f"utterances with other labels."
        )
        return Finding("single class", "error", corpus, text, table.index)
    median = counts.median()
    unusual = counts[(counts <= IMBALANCED * median) | (counts >= median / IMBALANCED)]
    if unusual.empty:
        return None
    severe = (
        (unusual <= SEVERELY_IMBALANCED * median) | (unusual >= median / SEVERELY_IMBALANCED)
    ).any()
    sizes = ", ".join(f"{label} has {n}" for label, n in unusual.items())
    text = (
        f"{sizes} utterances, the median class {median:g}. Accuracy is misleading: use the "
        f"unweighted average recall, and class weights in training."
    )
    rows = table.index[table[y].isin(unusual.index)]
    return Finding("class imbalance", "warning" if severe else "note", corpus, text, rows)


def _check_speakers(table, corpus, y):
    by_speaker = table.groupby("speaker")[y]
    n_rows, n_labels = by_speaker.size(), by_speaker.nunique()
    several = n_rows[n_rows >= 2].index
    classes = table[y].value_counts(normalize=True)
    if len(several) < 2 or len(classes) < 2:
        return None
    single = [name for name in several if n_labels[name] == 1]
    # So many have one label by chance if labels are randomly assigned to rows.
    expected = sum((classes**n).sum() for n in n_rows[several])
    share = len(single) / len(several)
    if share >= SOME_SPEAKERS and len(single) >= 2 * expected + 1:
        text = (
            f"{len(single)} of {len(several)} speakers have only one label, so the label can be "
            f"predicted from the voice. Use speaker-disjoint splits only, and do not scale by "
            f"speaker, which removes the label."
        )
        severity = "error" if share >= MOST_SPEAKERS else "warning"
        rows = table.index[table["speaker"].isin(single)]
        return Finding("label confounded with speaker", severity, corpus, text, rows)
    enough = n_rows.index[n_rows >= 2 * len(classes)]
    few = [name for name in enough if n_labels[name] <= len(classes) / 2]
    if len(classes) > 2 and len(enough) and len(few) >= max(2, SOME_SPEAKERS * len(enough)):
        text = (
            f"{len(few)} of {len(enough)} speakers have at most half of the {len(classes)} labels. "
            f"Scaling by speaker removes part of the label: scale by corpus instead."
        )
        rows = table.index[table["speaker"].isin(few)]
        return Finding("speakers with few labels", "note", corpus, text, rows)
    return None


def _check_sex(table, corpus, y, rng):
    """Test whether sex and label are associated more than if speakers' sexes were permuted."""
    if "gender" not in table:
        return None
    table = table[is_known(table["gender"])]
    speakers = table.drop_duplicates("speaker").set_index("speaker")["gender"]
    if speakers.nunique() < 2 or table[y].nunique() < 2 or len(speakers) < 4:
        return None
    counts = pd.crosstab(table["speaker"], table[y])
    sexes = pd.get_dummies(speakers[counts.index]).to_numpy(float)
    association = _cramers_v(sexes.T @ counts.to_numpy(float))
    if association < CONFOUNDED:
        return None
    n_as_high = sum(
        _cramers_v(rng.permutation(sexes).T @ counts.to_numpy(float)) >= association - 1e-12
        for _ in range(999)
    )
    # Few speakers have few permutations: 4 women and 4 men have 70.
    if (1 + n_as_high) / 1000 > (0.05 if association >= NEARLY_SAME else 0.01):
        return None
    shares = table.assign(female=table["gender"] == "female").groupby(y)["female"].mean()
    by_label = ", ".join(f"{label} {share:.0%}" for label, share in shares.items())
    text = (
        f"The share of female speech differs by label ({by_label}; Cramer's V {association:.2f}). "
        f"A model can predict the label from the sex of the voice: report scores by sex, or draw a "
        f"balanced sample."
    )
    severity = "error" if association >= NEARLY_SAME else "warning"
    return Finding("label confounded with sex", severity, corpus, text, table.index)


def _cramers_v(counts):
    counts = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(counts.shape) < 2:
        return 0.0
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    square = (np.square(counts - expected) / expected).sum()
    return float(np.sqrt(square / counts.sum() / (min(counts.shape) - 1)))


def check_across_corpora(table: pd.DataFrame, y: str, aux: Sequence[str]) -> list[Finding]:
    """Find auxiliary targets and labels that identify the corpus.

    The index of `table` holds the positions of its rows.
    """
    findings: list[Finding] = []
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
        by_corpus = ", ".join(f"{corpus}: {unique[0]}" for corpus, unique in values.items())
        text = (
            f"'{column}' has one value in each corpus ({by_corpus}). As an auxiliary target it "
            f"teaches the network to identify the corpus, its language or its room: leave it out, "
            f"or add a corpus in which it varies."
        )
        findings.append(
            Finding("auxiliary target confounded with corpus", "warning", "", text, known.index)
        )
    owners = table.groupby(y)["corpus"].unique()
    single = owners[owners.map(len) == 1]
    if len(single):
        names = ", ".join(f"{label} only in {corpora[0]}" for label, corpora in single.items())
        text = (
            f"Labels that are found in one corpus only: {names}. Such a label can be predicted "
            f"from the corpus, and is missing from the training or the test set of every split by "
            f"corpus: evaluate on the labels that the corpora share."
        )
        rows = table.index[table[y].isin(single.index)]
        findings.append(Finding("label confounded with corpus", "warning", "", text, rows))
    return findings
