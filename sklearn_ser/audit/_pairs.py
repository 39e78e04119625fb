"""Pairs of utterances from one recording: copies, overlaps, and consecutive segments."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sklearn_ser.audit._audio import AudioMeasurements, read_low
from sklearn_ser.audit._continuation import FALSE_DISCOVERY, Continuations, find_continuations
from sklearn_ser.audit._fingerprint import candidates, compare, is_same
from sklearn_ser.audit._report import Finding, name_row, plural
from sklearn_ser.exceptions import AudioError

#: Share of the shorter utterance that must be shared for one to be a copy of the other.
MIN_SHARED_OF_COPY = 0.8
KINDS = ("exact duplicate", "near duplicate", "overlap", "continuation")


@dataclass
class Pairs:
    """Pairs of rows, and the outcome of the search for continuations."""

    #: `first`, `second`, `kind`, `shared` (seconds) and `gain` (dB).
    table: pd.DataFrame
    continuations: Continuations


def find_pairs(
    frame: pd.DataFrame,
    measurements: list[AudioMeasurements],
    rng: np.random.Generator,
    audio: str,
) -> Pairs:
    """Find copies, overlaps and continuations."""
    rows = _exact_duplicates(measurements)
    exact = {(row[0], row[1]) for row in rows}
    rows += _shared_audio(frame, measurements, exact, audio)
    shared = {(i, j) for i, j, *_ in rows} | {(j, i) for i, j, *_ in rows}
    names = [item if isinstance(item, str) else "" for item in frame[audio].to_numpy(dtype=object)]
    speakers = frame["speaker"].astype(str).tolist()
    starts = frame["start"].fillna(0.0).tolist() if "start" in frame else [0.0] * len(frame)
    continuations = find_continuations(measurements, names, starts, speakers, shared, rng)
    rows += [(i, j, "continuation", np.nan, np.nan) for i, j in continuations.pairs]
    table = pd.DataFrame(rows, columns=["first", "second", "kind", "shared", "gain"])
    return Pairs(table, continuations)


def _exact_duplicates(measurements):
    """Pair each repeated utterance with the first one that has the same samples."""
    first: dict[bytes, int] = {}
    rows = []
    for row, measured in enumerate(measurements):
        if measured.codes is None:  # unreadable, or digital silence
            continue
        if measured.digest in first:
            seconds = measured.numbers["duration"]
            rows.append((first[measured.digest], row, "exact duplicate", seconds, 0.0))
        else:
            first[measured.digest] = row
    return rows


def _shared_audio(frame, measurements, exact, audio):
    copies = {second for _, second in exact}
    codes = [None if row in copies else measured.codes for row, measured in enumerate(measurements)]
    rows, signals = [], {}
    for i, j, shift in candidates(codes):
        try:
            for row in (i, j):
                if row not in signals:
                    signals[row] = read_low(frame, row, audio)
        except AudioError:  # the file was removed in the meantime
            continue
        correlation, shared, gain = compare(signals[i], signals[j], shift)
        for row in [row for row in signals if row < i]:  # candidates are in ascending order
            del signals[row]
        if is_same(correlation, shared):
            numbers = [measurements[row].numbers for row in (i, j)]
            shortest = min(n["duration"] for n in numbers)
            # Without digital silence at the ends.
            sounding = min(n["duration"] - n["lead_zeros"] - n["trail_zeros"] for n in numbers)
            kind = "near duplicate" if shared >= MIN_SHARED_OF_COPY * sounding else "overlap"
            rows.append((i, j, kind, min(shared, shortest), gain))
    return rows


def describe_pairs(frame: pd.DataFrame, pairs: Pairs, y: str) -> list[Finding]:
    """Return the findings about pairs."""
    findings = []
    for kind in KINDS:
        table = pairs.table[pairs.table["kind"] == kind]
        if table.empty:
            continue
        rows = sorted(set(table["first"]) | set(table["second"]))
        corpora = frame["corpus"].iloc[rows].dropna().unique()
        corpus = str(corpora[0]) if len(corpora) == 1 else ""
        if kind == "continuation":
            findings.append(_describe_continuations(frame, pairs, table, rows, corpus, y))
            continue
        i, j = table["first"].iloc[0], table["second"].iloc[0]
        relation = {
            "exact duplicate": "with identical samples",
            "near duplicate": "from one recording (other level, rate or coding, trimmed or padded)",
            "overlap": "that share a part of a recording",
        }[kind]
        example = f"{name_row(frame, i)} and {name_row(frame, j)}"
        if kind != "exact duplicate":
            example += f" share {table['shared'].iloc[0]:.2f} s"
            if abs(table["gain"].iloc[0]) >= 0.5:
                example += f" at {table['gain'].iloc[0]:+.1f} dB"
        text = (
            f"{plural(len(table), 'pair')} {relation}, such as {example}"
            f"{_differences(frame, table, y)}. A model that was trained on one recognizes the "
            f"other: keep one of each pair, or keep both on the same side of a split."
        )
        flaw = "overlapping recordings" if kind == "overlap" else kind
        findings.append(Finding(flaw, "error", corpus, text, rows))
    return findings


def _differences(frame, table, y):
    """Return the columns in which pairs differ, and should not, as a part of a sentence."""
    parts = []
    for column in ("speaker", y, "corpus"):
        values = frame[column].astype(str).to_numpy()
        n = int((values[table["first"]] != values[table["second"]]).sum())
        if n:
            parts.append(f"{n} with two values of '{column}'")
    return f" ({', '.join(parts)})" if parts else ""


def _describe_continuations(frame, pairs, table, rows, corpus, y):
    i, j = table["first"].iloc[0], table["second"].iloc[0]
    n_together = _count_same_recording(frame, table)
    outcome = pairs.continuations
    where = "the next file by name" if outcome.by_name else "another file"
    text = (
        f"The audio of {plural(len(table), 'file')} continues in {where}, such as that of "
        f"{name_row(frame, i)} in {name_row(frame, j)}: of {outcome.n_tested} "
        f"{'neighbors' if outcome.by_name else 'pairs'} that do not meet in silence, "
        f"{len(table) / outcome.n_tested:.2%} fit together, of control pairs {outcome.chance:.2%}. "
        f"Recordings were cut into segments, and there are probably more that were cut in a "
        f"pause{_differences(frame, table, y)}. "
    )
    if n_together >= (1 - FALSE_DISCOVERY) * len(table):  # the others may be due to chance
        text += (
            f"The column 'recording' identifies {n_together} of them: use a splitter that keeps "
            f"recordings together."
        )
        return Finding("continuing recordings", "warning", corpus, text, rows)
    if n_together:
        text += (
            f"The column 'recording' identifies only {n_together} of them: complete it, and use a "
            f"splitter that keeps recordings together."
        )
    else:
        text += "Give all segments of a recording the same id in a column 'recording'."
    return Finding("continuing recordings", "error", corpus, text, rows)


def _count_same_recording(frame, table):
    if "recording" not in frame:
        return 0
    values = frame["recording"].to_numpy(dtype=object)
    a, b = values[table["first"]], values[table["second"]]
    return int(sum(x is not None and x == x and x == z for x, z in zip(a, b, strict=True)))
