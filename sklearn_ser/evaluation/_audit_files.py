"""Files that are no good: unreadable, nearly silent, clipped."""

import math

import numpy as np

from sklearn_ser.evaluation._audit_report import Finding, name_rows, plural

#: Root-mean-square level in dBFS below which there is next to no signal: 16 bits end at -96.
NEARLY_SILENT = -60.0
#: Samples at the very peak in runs, per second, from which on clipping can be heard.
CLIPPED_PER_SECOND = 5.0


def check_files(frame, facts):
    """Findings about single files.

    Parameters
    ----------
    frame : DataFrame
    facts : list of AudioFacts

    Returns
    -------
    list of Finding
    """
    findings = []
    failed = [row for row, fact in enumerate(facts) if fact.error is not None]
    if failed:
        text = (
            f"{plural(len(failed), 'file')} cannot be used ({name_rows(frame, failed)}); the first "
            f"says: {facts[failed[0]].error}."
        )
        findings.append(Finding("unreadable audio", "error", "", text, failed))
    level = _column(facts, "level")
    empty = np.flatnonzero(np.isneginf(level))
    if len(empty):
        text = f"{plural(len(empty), 'file')} of digital silence: {name_rows(frame, empty)}."
        findings.append(Finding("silent audio", "error", "", text, empty))
    soft = np.flatnonzero((level < NEARLY_SILENT) & np.isfinite(level))
    if len(soft):
        text = (
            f"{plural(len(soft), 'file')} below {NEARLY_SILENT:g} dBFS: {name_rows(frame, soft)}; "
            f"the softest has {np.min(level[soft]):.1f} dBFS."
        )
        findings.append(Finding("nearly silent audio", "warning", "", text, soft))
    rate = _column(facts, "clipped") / _column(facts, "duration")
    clipped = np.flatnonzero(rate >= CLIPPED_PER_SECOND)
    if len(clipped):
        worst = clipped[np.argmax(rate[clipped])]
        text = (
            f"{plural(len(clipped), 'file')} cut off at the peak: {name_rows(frame, clipped)}; "
            f"the worst has {rate[worst]:.0f} such samples a second."
        )
        findings.append(Finding("clipped audio", "warning", "", text, clipped))
    return findings


def _column(facts, name):
    return np.array([fact.numbers.get(name, math.nan) for fact in facts])
