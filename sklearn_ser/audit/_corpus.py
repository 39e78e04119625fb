"""`audit_corpus`: flaws of emotional speech that make scores meaningless."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sklearn_ser.audit._audio import check_files, measure_all
from sklearn_ser.audit._confounders import check_confounders
from sklearn_ser.audit._known_flaws import compare_known_flaws
from sklearn_ser.audit._labels import check_across_corpora, check_labels, check_metadata, is_known
from sklearn_ser.audit._pairs import describe_pairs, find_pairs
from sklearn_ser.audit._pitch import check_sex_labels
from sklearn_ser.audit._report import AuditReport, plural
from sklearn_ser.audit._text import check_sentences
from sklearn_ser.audit._voices import (
    MIN_IDS,
    MIN_TO_DIVIDE,
    check_voices,
    embed_voices,
    has_enough_utterances,
)
from sklearn_ser.exceptions import MetadataError
from sklearn_ser.utils._ids import ID_COLUMNS, canonical_ids
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._unlabeled import labeled_rows

if TYPE_CHECKING:
    from sklearn_ser.datasets import Corpus


@public_module("sklearn_ser.audit")
def audit_corpus(
    frame: pd.DataFrame | Corpus,
    *,
    y: str = "emotion",
    aux: Sequence[str] = ("gender", "naturalness"),
    audio: str | None = "file",
    n_jobs: int | None = None,
    random_state: int = 0,
    verbose: int = 0,
) -> AuditReport:
    """Check a corpus for flaws that make scores on it meaningless.

    It reads the table, and every recording once. It finds

    - copies: exact, or at another level, rate or coding, trimmed or padded, also across corpora;
      overlapping recordings; files that continue in another file;
    - a label that can be predicted from the speaker, the sex, the sentence, or from something that
      is not speech: length, digital silence, leading and trailing silence, noise floor, overall
      level, bandwidth, sampling rate, file format. This is a shortcut test: a small tree that is
      given nothing else predicts the labels of unseen speakers, and an interval over speakers and
      permuted labels must both rule out chance. Loudness and length belong to emotion, and are
      reported only if they differ more than emotion changes a voice;
    - a label that follows digital silence, noise floor, bandwidth, sampling rate or level in the
      recordings of single speakers, or which of some fixed lengths a recording has;
    - a label that is predicted worse in sentences that are not in the training set, or in those
      that are only, by a classifier on coarse spectra (if there is a column ``text``);
    - one voice under two ids, and two voices under one id, by the packaged speaker embedding: both
      are calibrated within the corpus, see the user guide for what they can find;
    - ids that differ only in case, leading zeros, accents or separators;
    - in several corpora: auxiliary targets and labels that identify the corpus;
    - too few speakers, imbalanced classes, missing or inconsistent metadata, sex labels that are
      inconsistent with the pitch;
    - unreadable, silent, nearly silent and clipped files.

    Of corpora of :func:`~sklearn_ser.datasets.list_corpora`, under their own names, it lists the
    known flaws, and says which of them it found.

    Parameters
    ----------
    frame : DataFrame or Corpus
        One row per utterance: the audio and, if known, corpus, speaker, gender, text, recording
        and the label, like the frame of :func:`~sklearn_ser.datasets.load_corpus`. Load with
        ``drop_duplicates=False`` to include the documented copies.
    y : str, default="emotion"
        Column of the label.
    aux : sequence of str, default=("gender", "naturalness")
        Columns that will be auxiliary targets.
    audio : str or None, default="file"
        Column of the audio. With None no audio is read.
    n_jobs : int, optional
        Number of recordings that are read in parallel, in threads unless
        ``joblib.parallel_config`` sets another backend.
    random_state : int, default=0
        Seed of permutations and samples: the same seed gives the same report.
    verbose : int, default=0
        Verbosity; 1 shows a progress bar.

    Returns
    -------
    AuditReport
        ``print(report)`` lists every finding in words, ``report.findings`` is a table. A report
        without findings does not prove that there is no flaw.

    Raises
    ------
    MetadataError
        If the column of the label, the speaker or the audio is missing, or there are no rows.

    See Also
    --------
    audit_split : Check a split.

    Examples
    --------
    >>> from sklearn_ser import audit_corpus, make_speech_corpus
    >>> frame = make_speech_corpus(n_speakers=8, n_utterances=1, random_state=0).frame
    >>> print(audit_corpus(frame))
    Audit of 32 utterances of 8 speakers (synthetic): no findings.
    Not checked: unseen sentences of synthetic (there are fewer than 2 sentences).
    Not checked: voices of synthetic (fewer than 5 speakers have 8 utterances).
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
    table = _labeled_rows(frame, y)
    corpora = table["corpus"].unique()
    for corpus in corpora:
        findings += check_labels(table[table["corpus"] == corpus], corpus, y, rng)
    findings += check_across_corpora(table, y, aux)
    if audio is None:
        not_checked.append("the audio (audio=None).")
    else:
        measurements = measure_all(frame, audio, n_jobs, verbose)
        all_pairs = find_pairs(frame, measurements, rng, audio)
        pairs = all_pairs.table
        findings += describe_pairs(frame, all_pairs, y) + check_files(frame, measurements)
        numbers = pd.DataFrame([measured.numbers for measured in measurements])
        numbers = numbers.replace([np.inf, -np.inf], np.nan)
        usable = table[[measurements[row].codes is not None for row in table.index]]
        for corpus in corpora:
            part = usable[usable["corpus"] == corpus]
            formats = [measurements[row].format for row in part.index]
            if len(part):
                part_numbers = numbers.loc[part.index]
                findings += check_confounders(part, part_numbers, formats, corpus, y, rng)
                findings += check_sex_labels(part, part_numbers["pitch"], corpus, y)
            in_corpus = f" of {corpus}" if corpus else ""
            if len(part) and "text" in part and is_known(part["text"]).any():
                spectra = np.stack([measurements[row].spectrum for row in part.index])
                of_speech = part_numbers[["level", "duration"]].to_numpy(float)
                features = np.column_stack([spectra, of_speech[:, 0], np.log(of_speech[:, 1])])
                of_sentences = check_sentences(part, features, corpus, y, rng)
                if isinstance(of_sentences, str):
                    not_checked.append(f"unseen sentences{in_corpus} ({of_sentences}).")
                else:
                    findings += of_sentences
            reason = f"fewer than {MIN_IDS} speakers have {MIN_TO_DIVIDE} utterances"
            if has_enough_utterances(part["speaker"]):
                embeddings = embed_voices(part, audio, n_jobs, verbose)
                of_voices = check_voices(part, embeddings, corpus, y, rng)
                if of_voices is not None:
                    findings += of_voices
                    continue
                reason = "the speaker embedding does not distinguish these speakers"
            not_checked.append(f"voices{in_corpus} ({reason}).")
    for column, name in (("text", "sentences"), ("gender", "sex")):
        of_corpora = _corpora_without(frame, column)
        if of_corpora is not None:
            not_checked.append(f"{name}{of_corpora} (column '{column}' is missing or empty).")
    return AuditReport(
        findings,
        describe_frame(frame),
        n_rows=len(frame),
        not_checked=not_checked,
        pairs=pairs,
        known_flaws=compare_known_flaws(frame, findings, not_checked, audio, y),
    )


def check_frame(frame, y, audio, caller):
    """Return the frame with positions as its index and a column `corpus`."""
    frame = getattr(frame, "frame", frame)
    for column in (y, "speaker", *([] if audio is None else [audio])):
        if not isinstance(frame, pd.DataFrame) or column not in frame.columns:
            got = (
                f"the columns {list(frame.columns)}"
                if isinstance(frame, pd.DataFrame)
                else f"an object of type {type(frame).__name__}"
            )
            raise MetadataError(
                f"{caller} needs the column {column!r} in a DataFrame with one row per utterance, "
                f"got {got}."
            )
    if not len(frame):
        raise MetadataError(f"{caller} needs at least one row, got a frame without rows.")
    frame = frame.reset_index(drop=True)
    ids = {name: canonical_ids(frame[name]) for name in ID_COLUMNS if name in frame}
    return frame.assign(**{"corpus": "", **ids})


def describe_frame(frame):
    """Describe the size of the frame."""
    corpora = [str(name) for name in frame["corpus"].dropna().unique() if name]
    speakers = frame["speaker"][is_known(frame["speaker"])].nunique()
    named = f" ({', '.join(corpora)})" if corpora else ""
    return f"{plural(len(frame), 'utterance')} of {plural(speakers, 'speaker')}{named}"


def _labeled_rows(frame, y):
    """Return the rows with a label and a speaker."""
    table = frame[labeled_rows(frame[y]) & is_known(frame["speaker"])]
    return table.assign(corpus=table["corpus"].fillna("").astype(str))


def _corpora_without(frame, column):
    """Name the corpora for which a column is empty: " of a, b", "" for all, None for none."""
    if column not in frame:
        return ""
    filled = pd.Series(is_known(frame[column])).groupby(frame["corpus"].astype(str)).any()
    if filled.all():
        return None
    return f" of {', '.join(filled.index[~filled])}" if filled.any() else ""
