"""Known flaws of corpora, from their declarations, and which of them an audit found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from sklearn_ser.audit._report import Finding
from sklearn_ser.datasets._known_corpora import CORPUS_NAMES, reader_of

COLUMNS = ("corpus", "flaw", "status", "found_as")
#: Findings that show a known flaw, by its code. No check looks for flaws with other codes.
FOUND_AS = {
    "cut_recordings": ("continuing recordings",),
    "duplicates": ("exact duplicate", "near duplicate"),
    "emotion_follows_gender": ("label confounded with sex",),
    "emotion_follows_speaker": ("label confounded with speaker", "speakers with few labels"),
    "few_speakers": ("too few speakers",),
    "imbalanced": ("class imbalance",),
    "label_follows_speaker": ("label confounded with speaker", "speakers with few labels"),
    "level_follows_emotion": (
        "label predictable from overall level",
        "label predictable from overall level within speakers",
    ),
    "level_follows_label": (
        "label predictable from overall level",
        "label predictable from overall level within speakers",
    ),
    "silence_follows_emotion": (
        "label predictable from digital silence",
        "label predictable from digital silence within speakers",
        "label predictable from leading and trailing silence",
    ),
    "silent": ("silent audio", "nearly silent audio"),
    "speaker_ids_join_people": ("two voices under one id",),
    "speaker_ids_repeat_people": ("one voice under two ids",),
    "text_follows_emotion": ("label predictable from sentence",),
}
_WITHOUT_AUDIO = (
    "class imbalance",
    "label confounded with sex",
    "label confounded with speaker",
    "speakers with few labels",
    "too few speakers",
)
_OF_VOICES = ("one voice under two ids", "two voices under one id")
_OF_LABELS = ("class", "label", "speakers with few labels")


def compare_known_flaws(
    frame: pd.DataFrame,
    findings: Iterable[Finding],
    not_checked: Sequence[str],
    audio: str | None,
    y: str,
) -> pd.DataFrame:
    """Return the known flaws of the corpora of a frame, each found, not found or not checked."""
    rows_of = [(finding.flaw, set(finding.rows)) for finding in findings]
    rows = []
    for corpus in frame["corpus"].dropna().unique():
        if corpus not in CORPUS_NAMES:
            continue
        of_corpus = set(frame.index[frame["corpus"] == corpus])
        found = {name for name, of_finding in rows_of if of_finding & of_corpus}
        checks_voices = not any(text.startswith(f"voices of {corpus} ") for text in not_checked)
        for flaw in reader_of(corpus).flaws:
            checked = [
                name
                for name in FOUND_AS.get(flaw.code, ())
                if (audio is not None or name in _WITHOUT_AUDIO)
                and (checks_voices or name not in _OF_VOICES)
                and (y == "emotion" or not name.startswith(_OF_LABELS))
            ]
            found_as = [name for name in checked if name in found]
            status = "found" if found_as else "not found" if checked else "not checked"
            rows.append((corpus, flaw.text, status, ", ".join(found_as)))
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)
