"""Pairs of utterances that are one recording: copies, overlaps, and cuts."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from sklearn_ser.audit._audio import read_low
from sklearn_ser.audit._continuation import FALSE_DISCOVERY, Continuations, find_continuations
from sklearn_ser.audit._fingerprint import candidates, compare, is_same
from sklearn_ser.audit._report import Finding, name_row, plural
from sklearn_ser.exceptions import AudioError

#: Part of the shorter utterance that is shared, from which on one is a copy of the other.
COPY = 0.8
KINDS = ("exact duplicate", "near duplicate", "overlap", "continuation")


@dataclass
class Pairs:
    """What was found about pairs of rows.

    Attributes
    ----------
    table : DataFrame
        `first`, `second`, `kind` (of `KINDS`), `shared` (seconds), `gain` (dB).
    continuations : Continuations
    """

    table: pd.DataFrame
    continuations: Continuations


def find_pairs(frame, facts, rng, audio="file"):
    """Find copies, overlaps and continuations.

    Parameters
    ----------
    frame : DataFrame
    facts : list of AudioFacts
    rng : numpy.random.Generator
    audio : str

    Returns
    -------
    Pairs
    """
    rows = _exact(facts)
    exact = {(row[0], row[1]) for row in rows}
    rows += _alike(frame, facts, exact, audio)
    shared = {(i, j) for i, j, *_ in rows} | {(j, i) for i, j, *_ in rows}
    names = [cell if isinstance(cell, str) else "" for cell in frame[audio].to_numpy(dtype=object)]
    speakers = frame["speaker"].astype(str).tolist() if "speaker" in frame else [""] * len(frame)
    starts = frame["start"].fillna(0.0).tolist() if "start" in frame else [0.0] * len(frame)
    found = find_continuations(facts, names, starts, speakers, shared, rng)
    rows += [(i, j, "continuation", np.nan, np.nan) for i, j in found.pairs]
    table = pd.DataFrame(rows, columns=["first", "second", "kind", "shared", "gain"])
    return Pairs(table, found)


def _exact(facts):
    """Each further utterance with the same samples, paired with the first."""
    first, rows = {}, []
    for row, fact in enumerate(facts):
        if fact.codes is None:  # unreadable, or digital silence
            continue
        if fact.digest in first:
            seconds = fact.numbers["duration"]
            rows.append((first[fact.digest], row, "exact duplicate", seconds, 0.0))
        else:
            first[fact.digest] = row
    return rows


def _alike(frame, facts, exact, audio):
    copies = {second for _, second in exact}
    codes = [None if row in copies else fact.codes for row, fact in enumerate(facts)]
    rows, signals = [], {}
    for i, j, shift in candidates(codes):
        try:
            for row in (i, j):
                if row not in signals:
                    signals[row] = read_low(frame, row, audio)
        except AudioError:  # the file has gone since
            continue
        correlation, shared, _, gain = compare(signals[i], signals[j], shift)
        for row in [row for row in signals if row < i]:  # candidates come in order
            del signals[row]
        if is_same(correlation, shared):
            shortest = min(facts[row].numbers["duration"] for row in (i, j))
            kind = "near duplicate" if shared >= COPY * _sounding(facts, i, j) else "overlap"
            rows.append((i, j, kind, min(shared, shortest), gain))
    return rows


def _sounding(facts, i, j):
    """Seconds of the shorter utterance, without digital zeros at its ends."""
    return min(
        fact.numbers["duration"] - fact.numbers["lead_zeros"] - fact.numbers["trail_zeros"]
        for fact in (facts[i], facts[j])
    )


def describe_pairs(frame, pairs, y):
    """Findings about pairs.

    Parameters
    ----------
    frame : DataFrame
    pairs : Pairs
    y : str
        Column of the label.

    Returns
    -------
    list of Finding
    """
    findings = []
    for kind in KINDS:
        table = pairs.table[pairs.table["kind"] == kind]
        if table.empty:
            continue
        rows = sorted(set(table["first"]) | set(table["second"]))
        corpora = frame["corpus"].iloc[rows].dropna().unique() if "corpus" in frame else []
        corpus = str(corpora[0]) if len(corpora) == 1 else ""
        if kind == "continuation":
            findings.append(_describe_continuations(frame, pairs, table, rows, corpus, y))
            continue
        i, j = table["first"].iloc[0], table["second"].iloc[0]
        how = {
            "exact duplicate": "with the same samples",
            "near duplicate": "of one recording (other level, rate or coding, trimmed or padded)",
            "overlap": "that share a part of a recording",
        }[kind]
        example = f"{name_row(frame, i)} and {name_row(frame, j)}"
        if kind != "exact duplicate":
            example += f" share {table['shared'].iloc[0]:.2f} s"
            if abs(table["gain"].iloc[0]) >= 0.5:
                example += f" at {table['gain'].iloc[0]:+.1f} dB"
        text = (
            f"{plural(len(table), 'pair')} {how}, such as {example}"
            f"{_differences(frame, table, y)}: keep one of each, or all on one side of a split."
        )
        flaw = "overlapping recordings" if kind == "overlap" else kind
        findings.append(Finding(flaw, "error", corpus, text, rows))
    return findings


def _differences(frame, table, y):
    """What the two of a pair should have in common, and have not."""
    said = []
    for column in ("speaker", y, "corpus"):
        if column not in frame:
            continue
        values = frame[column].astype(str).to_numpy()
        n = int((values[table["first"]] != values[table["second"]]).sum())
        if n:
            said.append(f"{n} with two values of '{column}'")
    return f" ({', '.join(said)})" if said else ""


def _describe_continuations(frame, pairs, table, rows, corpus, y):
    i, j = table["first"].iloc[0], table["second"].iloc[0]
    kept = _kept_together(frame, table)
    found = pairs.continuations
    where = "the next one by name" if found.by_name else "another"
    text = (
        f"the sound of {plural(len(table), 'file')} goes on in {where}, such as "
        f"{name_row(frame, i)} in {name_row(frame, j)}: of {found.n_tested} "
        f"{'neighbors' if found.by_name else 'pairs'} that do not meet in silence "
        f"{len(table) / found.n_tested:.2%} fit together, of comparable pairs {found.chance:.2%}. "
        f"They are recordings cut into pieces, and there are likely more where the cut lies in a "
        f"pause{_differences(frame, table, y)}. "
    )
    if kept >= (1 - FALSE_DISCOVERY) * len(table):  # those that are not may be chance
        text += (
            f"The column 'recording' keeps {kept} of them together: use a splitter that heeds it."
        )
        return Finding("continuing recordings", "warning", corpus, text, rows)
    if kept:
        text += f"The column 'recording' keeps only {kept} of them together."
    else:
        text += "Give all pieces of a recording the same id in a column 'recording'."
    return Finding("continuing recordings", "error", corpus, text, rows)


def _kept_together(frame, table):
    if "recording" not in frame:
        return 0
    values = frame["recording"].to_numpy(dtype=object)
    a, b = values[table["first"]], values[table["second"]]
    return int(sum(x is not None and x == x and x == z for x, z in zip(a, b, strict=True)))
