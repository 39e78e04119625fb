"""`audit_split`: what is on both sides of a split that should be on one."""

import numpy as np
from sklearn.model_selection import check_cv
from sklearn.utils.metadata_routing import get_routing_for_object

from sklearn_ser.audit._audio import describe_all
from sklearn_ser.audit._corpus import check_frame, describe_frame
from sklearn_ser.audit._labels import FEWEST_SPEAKERS, is_known
from sklearn_ser.audit._pairs import KINDS, find_pairs
from sklearn_ser.audit._report import AuditReport, Finding, name_row, name_values, plural
from sklearn_ser.exceptions import MetadataError
from sklearn_ser.utils._public import public_module

#: Ids that may not be on both sides: severity, and what it does to a score.
_IDS = {
    "speaker": ("error", "the score is of voices that training has heard"),
    "recording": ("error", "pieces of one recording tell each other's label"),
    "text": ("warning", "the score is of sentences that training has heard"),
}


@public_module("sklearn_ser.audit")
def audit_split(
    frame,
    cv,
    *,
    y="emotion",
    groups=None,
    audio="file",
    report=None,
    n_jobs=None,
    random_state=0,
    verbose=0,
):
    """Look for what makes the score of a split worthless.

    Looked for are, on both sides of a split: rows, speakers, sentences, recordings (column
    `recording`), copies, overlapping recordings and files that go on in each other (found by their
    sound); then classes that are missing from a side, and too few speakers that are tested.

    Parameters
    ----------
    frame : DataFrame or Corpus
        As for :func:`audit_corpus`.
    cv : splitter, int or iterable of (train, test)
        The splitters of :mod:`sklearn_ser.model_selection` find their ids in `frame`.
    y : str, default="emotion"
        Column of the label.
    groups : array-like of shape (n_rows,), optional
        For splitters that take `groups`; by default scikit-learn's are given the speakers.
    audio : str or None, default="file"
        Column of the audio; None leaves the audio alone: no copies are looked for.
    report : AuditReport, optional
        Of :func:`audit_corpus` on the same frame: its `pairs` are used, and no audio is read.
    n_jobs : int, optional
    random_state : int, default=0
    verbose : int, default=0
        As for :func:`audit_corpus`.

    Returns
    -------
    AuditReport
        `rows` of a finding are test rows, or of pairs both.

    Raises
    ------
    MetadataError
        A column is missing, the report is of another frame, or the splitter refuses.

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
        raise MetadataError(f"audit_split: {cv!r} makes no split.")
    findings, not_checked, pairs = [], [], None
    findings += _shared_rows(splits)
    for column, (severity, cost) in _IDS.items():
        if column in frame and is_known(frame[column]).any():
            findings += _shared_ids(frame, splits, column, severity, cost)
        else:
            not_checked.append(f"{column} (the column is missing or empty).")
    if report is not None:
        if report.pairs is None or report.n_rows != len(frame):
            raise MetadataError(
                f"audit_split: report= must be audit_corpus's of the same {len(frame)} rows, and "
                f"of their audio; got {report!r}."
            )
        pairs = report.pairs
    elif audio is not None:
        facts = describe_all(frame, audio, n_jobs, verbose)
        pairs = find_pairs(frame, facts, np.random.default_rng(random_state), audio).table
    if pairs is None:
        not_checked.append("copies and cut recordings (audio=None).")
    else:
        findings += _shared_sound(frame, splits, pairs)
    findings += _missing_classes(frame[y], splits)
    tested = np.unique(np.concatenate([test for _, test in splits]))
    speakers = frame["speaker"].iloc[tested]
    speakers = speakers[is_known(speakers)]
    if speakers.nunique() < FEWEST_SPEAKERS:
        text = (
            f"{plural(speakers.nunique(), 'speaker')} tested in all splits together: with fewer "
            f"than {FEWEST_SPEAKERS} no interval over speakers holds what it promises."
        )
        findings.append(Finding("too few test speakers", "warning", "", text, tested))
    subject = f"{plural(len(splits), 'split')} of {describe_frame(frame)}"
    return AuditReport(findings, subject, n_rows=len(frame), not_checked=not_checked, pairs=pairs)


def _split(frame, cv, y, groups):
    splitter = check_cv(cv, frame[y].to_numpy(dtype=object), classifier=True)
    if groups is None and get_routing_for_object(splitter).consumes("split", ["groups"]):
        groups = frame["speaker"].to_numpy(dtype=object)
    return splitter.split(frame, frame[y].to_numpy(dtype=object), groups)


def _shared_rows(splits):
    found = [np.intersect1d(train, test) for train, test in splits]
    rows = np.unique(np.concatenate(found)).astype(int)
    if not len(rows):
        return []
    n = sum(len(shared) > 0 for shared in found)
    text = f"{plural(len(rows), 'row')} trained and tested on, in {n} of {len(splits)} splits."
    return [Finding("row on both sides", "error", "", text, rows)]


def _shared_ids(frame, splits, column, severity, cost):
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
        f"{plural(len(names), 'value')} of '{column}' trained and tested on, in {n_splits} of "
        f"{len(splits)} splits ({name_values(sorted(names))}): {cost}."
    )
    return [Finding(f"{column} on both sides", severity, "", text, rows)]


def _shared_sound(frame, splits, pairs):
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
        if not apart.any():
            continue
        i, j = first[apart][0], second[apart][0]
        what = {
            "overlap": "pair of overlapping recordings",
            "continuation": "recording cut in two",
        }.get(kind, f"pair of {kind}s")
        count = int(apart.sum())
        what = what.replace("pair", "pairs", 1) if count > 1 and "pair" in what else what
        what = what.replace("recording cut", "recordings cut") if count > 1 else what
        text = (
            f"{count} {what} with one half in training and one in the test, in {n_splits} of "
            f"{len(splits)} splits, such as {name_row(frame, i)} and {name_row(frame, j)}."
        )
        rows = set(first[apart]) | set(second[apart])
        findings.append(Finding(f"{kind} across sides", "error", "", text, rows))
    return findings


def _missing_classes(labels, splits):
    known = is_known(labels)
    values = labels.astype(str).to_numpy(dtype=object)
    classes = sorted(set(values[known]))
    tested = set().union(*(set(values[test][known[test]]) for _, test in splits))
    findings = []
    for side, part in (("training", 0), ("test", 1)):
        lacking = {}
        for number, split in enumerate(splits):
            for name in set(classes) - set(values[split[part]][known[split[part]]]):
                lacking.setdefault(name, []).append(number)
        if not lacking:
            continue
        said = ", ".join(f"{name} in {len(lacking[name])}" for name in sorted(lacking))
        text = f"missing from the {side} part, of {plural(len(splits), 'split')}: {said}. "
        numbers = sorted(set().union(*lacking.values()))
        rows = np.unique(np.concatenate([splits[number][1] for number in numbers]))
        if side == "training":
            severity = "error"
            text += "What was not trained on cannot be found."
        elif tested == set(classes):
            severity = "note"
            text += "Score all splits' predictions together, not each by itself."
        else:
            severity = "warning"
            text += f"Never tested: {name_values(sorted(set(classes) - tested))}."
        findings.append(Finding(f"class missing from {side}", severity, "", text, rows))
    return findings
