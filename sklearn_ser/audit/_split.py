"""`audit_split`: overlap between the training and the test set of a split."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import get_routing_for_object

from sklearn_ser.audit._audio import measure_all
from sklearn_ser.audit._corpus import check_frame, describe_frame
from sklearn_ser.audit._labels import MIN_SPEAKERS, is_known
from sklearn_ser.audit._pairs import KINDS, find_pairs
from sklearn_ser.audit._report import AuditReport, Finding, name_row, name_values, plural
from sklearn_ser.exceptions import MetadataError
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._unlabeled import labeled_rows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from sklearn_ser.datasets import Corpus
    from sklearn_ser.model_selection._base import Split, Splitter

#: Ids that may not be on both sides: severity, and why it matters.
_IDS = {
    "speaker": (
        "error",
        "The score is that of voices that the model was trained on. Use a splitter by speaker.",
    ),
    "recording": (
        "error",
        "Segments of one recording reveal each other's label. Keep recordings together.",
    ),
    "text": (
        "warning",
        "The score is that of sentences that the model was trained on. Use a splitter by sentence "
        "to measure other sentences.",
    ),
}


@public_module("sklearn_ser.audit")
def audit_split(
    frame: pd.DataFrame | Corpus,
    cv: int | Splitter | Iterable[Split],
    *,
    y: str = "emotion",
    groups: ArrayLike | None = None,
    audio: str | None = "file",
    report: AuditReport | None = None,
    n_jobs: int | None = None,
    random_state: int = 0,
    verbose: int = 0,
) -> AuditReport:
    """Check a split for leaks between training and test set.

    It finds rows, speakers, sentences, recordings (column `recording`), copies, overlapping
    recordings and consecutive segments of a recording (identified from their audio) that are on
    both sides of a split, classes that are missing from one side, and too few test speakers.

    Parameters
    ----------
    frame : DataFrame or Corpus
        Same as in :func:`audit_corpus`.
    cv : splitter, int or iterable of (train, test)
        Split to check. The splitters of :mod:`sklearn_ser.model_selection` find their ids in
        `frame`.
    y : str, default="emotion"
        Column of the label.
    groups : array-like of shape (n_rows,), optional
        Groups for splitters that take `groups`; by default the speakers.
    audio : str or None, default="file"
        Column of the audio. With None no audio is read, and no copies are found.
    report : AuditReport, optional
        Report of :func:`audit_corpus` on the same frame: its `pairs` are used, and no audio is
        read.
    n_jobs, random_state, verbose : object
        Same as in :func:`audit_corpus`.

    Returns
    -------
    AuditReport
        `rows` of a finding are test rows; for pairs, both rows of each pair.

    Raises
    ------
    MetadataError
        If a column is missing, the report is that of another frame, or the splitter does not find
        its ids.

    Examples
    --------
    >>> from sklearn.model_selection import KFold
    >>> from sklearn_ser import SpeakerKFold, audit_split, make_speech_corpus
    >>> frame = make_speech_corpus(n_speakers=8, n_utterances=2, random_state=0).frame
    >>> report = audit_split(frame, KFold(4, shuffle=True, random_state=0), audio=None)
    >>> report.findings[["flaw", "severity"]]
                       flaw severity
    0  speaker on both sides    error
    1     text on both sides  warning
    >>> print(audit_split(frame, SpeakerKFold(4), audio=None).findings["flaw"].tolist())
    ['text on both sides']
    """
    frame = check_frame(frame, y, audio, "audit_split")
    splits = [(np.asarray(train), np.asarray(test)) for train, test in _split(frame, cv, y, groups)]
    if not splits:
        raise MetadataError(f"audit_split: {cv!r} returns no split, but at least one is needed.")
    findings, not_checked, pairs = [], [], None
    findings += _find_shared_rows(splits)
    for column, (severity, consequence) in _IDS.items():
        if column in frame and is_known(frame[column]).any():
            findings += _find_shared_ids(frame, splits, column, severity, consequence)
        else:
            not_checked.append(f"{column} (the column is missing or empty).")
    if report is not None:
        if report.pairs is None or report.n_rows != len(frame):
            raise MetadataError(
                f"audit_split: report= must be that of audit_corpus on the same {len(frame)} rows "
                f"and their audio, got {report!r}."
            )
        pairs = report.pairs
    elif audio is not None:
        measurements = measure_all(frame, audio, n_jobs, verbose)
        pairs = find_pairs(frame, measurements, np.random.default_rng(random_state), audio).table
    if pairs is None:
        not_checked.append("copies and cut recordings (audio=None).")
    else:
        findings += _find_shared_audio(frame, splits, pairs)
    findings += _find_missing_classes(frame[y], splits)
    tested = np.unique(np.concatenate([test for _, test in splits]))
    speakers = frame["speaker"].iloc[tested]
    n_speakers = speakers[is_known(speakers)].nunique()
    if n_speakers < MIN_SPEAKERS:
        text = (
            f"{plural(n_speakers, 'speaker')} in the test sets of all splits. With fewer than "
            f"{MIN_SPEAKERS}, intervals over speakers are too narrow: test on more speakers."
        )
        findings.append(Finding("too few test speakers", "warning", "", text, tested))
    subject = f"{plural(len(splits), 'split')} of {describe_frame(frame)}"
    return AuditReport(findings, subject, n_rows=len(frame), not_checked=not_checked, pairs=pairs)


def _split(frame, cv, y, groups):
    splitter = check_cv(cv, frame[y].to_numpy(dtype=object), classifier=True)
    if groups is None and get_routing_for_object(splitter).consumes("split", ["groups"]):
        groups = frame["speaker"].to_numpy(dtype=object)
    return splitter.split(frame, frame[y].to_numpy(dtype=object), groups)


def _find_shared_rows(splits):
    shared = [np.intersect1d(train, test) for train, test in splits]
    rows = np.unique(np.concatenate(shared)).astype(int)
    if not len(rows):
        return []
    n = sum(len(rows_of_split) > 0 for rows_of_split in shared)
    text = (
        f"{plural(len(rows), 'row')} in training and test set, in {n} of {len(splits)} splits. The "
        f"score is that of utterances that the model was trained on: use disjoint sets."
    )
    return [Finding("row on both sides", "error", "", text, rows)]


def _find_shared_ids(frame, splits, column, severity, consequence):
    known = is_known(frame[column])
    values = frame[column].astype(str).to_numpy(dtype=object)
    rows, names, n_splits = set(), {}, 0
    for train, test in splits:
        trained = set(values[train][known[train]])
        shared = [row for row in test if known[row] and values[row] in trained]
        rows.update(shared)
        names.update(dict.fromkeys(values[shared]))
        n_splits += bool(shared)
    if not rows:
        return []
    text = (
        f"{plural(len(names), 'value')} of '{column}' in training and test set, in {n_splits} of "
        f"{len(splits)} splits ({name_values(sorted(names))}). {consequence}"
    )
    return [Finding(f"{column} on both sides", severity, "", text, rows)]


def _find_shared_audio(frame, splits, pairs):
    findings = []
    for kind in KINDS:
        table = pairs[pairs["kind"] == kind]
        first, second = table["first"].to_numpy(int), table["second"].to_numpy(int)
        apart, n_splits = np.zeros(len(table), dtype=bool), 0
        for train, test in splits:
            trained, tested = (np.isin(np.arange(len(frame)), rows) for rows in (train, test))
            here = (trained[first] & tested[second]) | (tested[first] & trained[second])
            apart |= here
            n_splits += here.any()
        count = int(apart.sum())
        if not count:
            continue
        i, j = first[apart][0], second[apart][0]
        text = (
            f"{plural(count, kind)} with one part in the training set and the other in "
            f"the test set, in {n_splits} of {len(splits)} splits, such as {name_row(frame, i)} "
            f"and {name_row(frame, j)}. Keep them on one side, by a common id in the column "
            f"'recording'."
        )
        rows = set(first[apart]) | set(second[apart])
        findings.append(Finding(f"{kind} across sides", "error", "", text, rows))
    return findings


def _find_missing_classes(labels, splits):
    known = labeled_rows(labels)
    values = labels.astype(str).to_numpy(dtype=object)
    classes = sorted(set(values[known]))
    tested: set[str] = set().union(*(values[test][known[test]] for _, test in splits))
    findings = []
    for side, part in (("training", 0), ("test", 1)):
        missing: dict[str, list[int]] = {}
        for number, split in enumerate(splits):
            for name in set(classes) - set(values[split[part]][known[split[part]]]):
                missing.setdefault(name, []).append(number)
        if not missing:
            continue
        counts = ", ".join(f"{name} in {len(missing[name])}" for name in sorted(missing))
        text = f"Classes missing from the {side} set of {plural(len(splits), 'split')}: {counts}. "
        numbers = sorted(set().union(*missing.values()))
        rows = np.unique(np.concatenate([splits[number][1] for number in numbers]))
        if side == "training":
            severity = "error"
            text += "A model cannot predict a class that it was not trained on: choose other folds."
        elif tested == set(classes):
            severity = "note"
            text += "Compute one score of the pooled predictions instead of one per split."
        else:
            severity = "warning"
            untested = name_values(sorted(set(classes) - tested))
            text += f"In no test set: {untested}. The score says nothing about these classes."
        findings.append(Finding(f"class missing from {side}", severity, "", text, rows))
    return findings
