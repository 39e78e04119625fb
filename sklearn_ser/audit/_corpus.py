"""`audit_corpus`: the flaws of emotional speech that make a score worthless."""

import numpy as np
import pandas as pd

from sklearn_ser.audit._audio import check_files, describe_all
from sklearn_ser.audit._labels import check_across_corpora, check_labels, check_metadata, is_known
from sklearn_ser.audit._nuisances import check_nuisances
from sklearn_ser.audit._pairs import describe_pairs, find_pairs
from sklearn_ser.audit._pitch import NO_DISTANCE, contradicted_sex, distance_of_sexes
from sklearn_ser.audit._report import AuditReport, Finding, name_values, plural
from sklearn_ser.datasets._labels import GENDER_SPELLINGS
from sklearn_ser.exceptions import MetadataError
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.audit")
def audit_corpus(
    frame,
    *,
    y="emotion",
    aux=("gender", "naturalness"),
    audio="file",
    n_jobs=None,
    random_state=0,
    verbose=0,
):
    """Look for the flaws of a corpus that make a score on it worthless.

    It reads every recording once, and the table. Looked for are

    - copies: exact, or at another level, rate or coding, trimmed or padded, also across corpora;
      recordings that overlap; files that go on in the next;
    - a label that is told by the speaker, the sex, the sentence, or by something that is no speech:
      length, digital silence, silence at the ends, noise floor, overall level, bandwidth, sampling
      rate, file format. A small tree sees nothing else and predicts speakers that it has not seen;
      it counts only where an interval over speakers and shuffled labels both rule out chance.
      Loudness and length belong to emotion, and count only beyond what emotion does to a voice;
    - several corpora: auxiliary targets and labels that only tell the corpus;
    - too few speakers, uneven classes, missing or contradictory metadata, sex labels that
      contradict the pitch;
    - files that are unreadable, silent, nearly silent or clipped.

    Parameters
    ----------
    frame : DataFrame or Corpus
        One row per utterance: the audio, and where known corpus, speaker, gender, text, recording
        and the label, as :func:`~sklearn_ser.datasets.load_corpus` gives it. Load with
        ``drop_duplicates=False`` to have marked copies audited too.
    y : str, default="emotion"
        Column of the label.
    aux : sequence of str, default=("gender", "naturalness")
        Columns that are to be auxiliary targets.
    audio : str or None, default="file"
        Column of the audio; None leaves the audio alone.
    n_jobs : int, optional
        Recordings at a time; threads, unless ``joblib.parallel_config`` names another backend.
    random_state : int, default=0
        Of shuffles and samples: the same number gives the same report.
    verbose : int, default=0
        1 shows a progress bar.

    Returns
    -------
    AuditReport
        ``print(report)`` lists every finding in words, ``report.findings`` is a table. No finding
        does not mean no flaw.

    Raises
    ------
    MetadataError
        The label's or the audio's column is missing, or there are no rows.

    See Also
    --------
    audit_split : Flaws of a split.

    Examples
    --------
    >>> from sklearn_ser import audit_corpus, make_speech_corpus
    >>> frame = make_speech_corpus(n_speakers=8, n_utterances=1, random_state=0).frame
    >>> print(audit_corpus(frame))
    Audit of 32 utterances of 8 speakers (synthetic): no finding.
    >>> copied = frame.copy()
    >>> copied.at[5, "file"] = (0.5 * frame["file"][0][0], 16000)
    >>> report = audit_corpus(copied)
    >>> report.findings[["flaw", "severity", "rows"]]
                 flaw severity    rows
    0  near duplicate    error  [0, 5]
    >>> audit_corpus(frame, y="feeling")
    Traceback (most recent call last):
        ...
    sklearn_ser.exceptions.MetadataError: audit_corpus needs the column 'feeling' ...
    """
    frame = check_frame(frame, y, audio, "audit_corpus")
    rng = np.random.default_rng(random_state)
    findings, not_checked, pairs = check_metadata(frame, y), [], None
    table = _judged(frame, y)
    corpora = table["corpus"].unique()
    for corpus in corpora:
        findings += check_labels(table[table["corpus"] == corpus], corpus, y, rng)
    findings += check_across_corpora(table, y, aux)
    if audio is None:
        not_checked.append("the audio (audio=None).")
    else:
        facts = describe_all(frame, audio, n_jobs, verbose)
        found = find_pairs(frame, facts, rng, audio)
        pairs = found.table
        findings += describe_pairs(frame, found, y) + check_files(frame, facts)
        numbers = pd.DataFrame([fact.numbers for fact in facts])
        numbers = numbers.replace([np.inf, -np.inf], np.nan)
        usable = table[[facts[row].codes is not None for row in table.index]]
        for corpus in corpora:
            part = usable[usable["corpus"] == corpus]
            formats = [facts[row].format for row in part.index]
            if len(part):
                of_part = numbers.loc[part.index]
                findings += check_nuisances(part, of_part, formats, corpus, y, rng)
                findings += _check_sex(part, of_part["pitch"], corpus, y)
    for column, what in (("text", "sentences"), ("gender", "sex")):
        untold = _untold(frame, column)
        if untold is not None:
            not_checked.append(f"{what}{untold} (column '{column}' is missing or empty).")
    return AuditReport(
        findings,
        describe_frame(frame),
        n_rows=len(frame),
        not_checked=not_checked,
        pairs=pairs,
    )


def check_frame(frame, y, audio, wanted_by):
    """The frame with positions as its index, and a corpus and a speaker in every row."""
    frame = getattr(frame, "frame", frame)
    for column in (y, "speaker", *([] if audio is None else [audio])):
        if not isinstance(frame, pd.DataFrame) or column not in frame.columns:
            has = list(frame.columns) if isinstance(frame, pd.DataFrame) else type(frame).__name__
            raise MetadataError(
                f"{wanted_by} needs the column {column!r} in a DataFrame with one row per "
                f"utterance, got {has}."
            )
    if not len(frame):
        raise MetadataError(f"{wanted_by} got a frame without rows.")
    frame = frame.reset_index(drop=True)
    return frame if "corpus" in frame else frame.assign(corpus="")


def describe_frame(frame):
    """How much is audited, in words."""
    corpora = [str(name) for name in frame["corpus"].dropna().unique() if name]
    speakers = frame["speaker"][is_known(frame["speaker"])].nunique()
    named = f" ({', '.join(corpora)})" if corpora else ""
    return f"{plural(len(frame), 'utterance')} of {plural(speakers, 'speaker')}{named}"


def _judged(frame, y):
    """Rows with a label and a speaker."""
    table = frame[is_known(frame[y]) & is_known(frame["speaker"])]
    return table.assign(corpus=table["corpus"].fillna("").astype(str))


def _untold(frame, column):
    """Of which corpora a column says nothing: " of a, b", "" of all, None of none."""
    if column not in frame:
        return ""
    told = pd.Series(is_known(frame[column])).groupby(frame["corpus"].astype(str)).any()
    if told.all():
        return None
    return f" of {', '.join(told.index[~told])}" if told.any() else ""


def _sex(value):
    """ "female", "male" or None, however it is spelled."""
    said = str(value).strip().lower()
    known = {name: sex for sex, names in GENDER_SPELLINGS.items() for name in (sex, *names)}
    return known.get(said)


def _check_sex(table, pitch, corpus, y):
    if "gender" not in table:
        return []
    sexes = table["gender"].map(_sex).to_numpy(dtype=object)
    speakers, labels = (table[name].to_numpy(dtype=object) for name in ("speaker", y))
    given = pitch.to_numpy(float), sexes, speakers, labels
    apart = distance_of_sexes(*given)
    if apart < NO_DISTANCE:
        swapped = "as if the labels were swapped" if apart < -NO_DISTANCE else "as if mixed up"
        text = (
            f"voices said to be female lie {apart:+.1f} semitones from those said to be male, the "
            f"labels' effect on pitch allowed for, {swapped}; grown women and men lie 8 to 12 "
            "apart. Listen to some of each."
        )
        return [Finding("sex label against pitch", "warning", corpus, text, table.index)]
    found = contradicted_sex(*given)
    if not found:
        return []
    names = [name for name, _, _ in found]
    sex_of = dict(zip(speakers, sexes, strict=True))
    name, own, usual = found[0]
    text = (
        f"{plural(len(found), 'speaker')} pitched like the other sex, the labels' effect on pitch "
        f"allowed for ({name_values(names)}): {name} is said to be {sex_of[name]}, with a median "
        f"of {own:.0f} Hz where other {sex_of[name]} voices have {usual:.0f} Hz. Listen to them."
    )
    rows = table.index[table["speaker"].isin(names)]
    return [Finding("sex label against pitch", "warning", corpus, text, rows)]
