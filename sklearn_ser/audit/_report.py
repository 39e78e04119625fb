"""Findings of an audit, and the report that holds them."""

from __future__ import annotations

import html
import json
import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pandas as pd

from sklearn_ser.audio._decoding import file_of
from sklearn_ser.utils._printable import printable
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from os import PathLike

SEVERITIES = ("error", "warning", "note")
COLUMNS = ("flaw", "severity", "corpus", "evidence", "n_rows", "rows")


@dataclass
class Finding:
    """One flaw: its name, severity, corpus, evidence in sentences, and positions of its rows."""

    flaw: str
    severity: str
    corpus: str
    evidence: str
    rows: Iterable[int] = field(default_factory=list)


@public_module("sklearn_ser.audit")
class AuditReport:
    """Findings of an audit.

    Returned by :func:`audit_corpus` and :func:`audit_split`.

    Parameters
    ----------
    findings : DataFrame
        One row per finding, the most severe first: `flaw` (its name), `severity` ("error": scores
        on these data mean little until it is corrected; "warning": scores need care; "note": worth
        knowing), `corpus` ("" if it concerns all of them), `evidence` (what was found, why it
        matters and what to do), `n_rows`, `rows` (list of positions in the audited frame).
    pairs : DataFrame or None
        Pairs of utterances that share audio or are consecutive segments of one recording: `first`,
        `second` (positions), `kind` ("exact duplicate", "near duplicate", "overlap",
        "continuation"), `shared` (seconds) and `gain` (dB) of copies. None if no audio was read.
    n_rows : int
        Number of rows of the audited frame.
    not_checked : list of str
        Checks that could not be done, and why.
    subject : str
        Name of the audited corpus or split.
    known_flaws : DataFrame
        Known flaws of the corpora, if they are among those of
        :func:`~sklearn_ser.datasets.list_corpora`: `corpus`, `flaw` (a sentence), `status`
        ("found", "not found", or "not checked" if no check looks for it), `found_as` (names of the
        findings).

    Examples
    --------
    >>> from sklearn_ser import audit_corpus, make_speech_corpus
    >>> frame = make_speech_corpus(n_speakers=8, n_utterances=1, random_state=0).frame
    >>> report = audit_corpus(frame)
    >>> report.ok
    True
    >>> print(report)
    Audit of 32 utterances of 8 speakers (synthetic): no findings.
    Not checked: unseen sentences of synthetic (there are fewer than 2 sentences).
    Not checked: voices of synthetic (fewer than 5 speakers have 8 utterances).
    """

    def __init__(
        self,
        findings: Sequence[Finding],
        subject: str,
        *,
        n_rows: int,
        not_checked: Sequence[str] = (),
        pairs: pd.DataFrame | None = None,
        known_flaws: pd.DataFrame | None = None,
    ) -> None:
        order = sorted(findings, key=lambda finding: SEVERITIES.index(finding.severity))
        table = pd.DataFrame(order, columns=["flaw", "severity", "corpus", "evidence", "rows"])
        table["rows"] = [sorted(map(int, rows)) for rows in table["rows"]]
        self.findings = table.assign(n_rows=table["rows"].map(len))[list(COLUMNS)]
        self.subject = subject
        self.not_checked = list(not_checked)
        self.n_rows = n_rows
        self.pairs = pairs
        self.known_flaws = pd.DataFrame() if known_flaws is None else known_flaws

    @property
    def ok(self) -> bool:
        """Whether there is no error and no warning."""
        return not self.findings["severity"].isin(["error", "warning"]).any()

    @property
    def has_errors(self) -> bool:
        """Whether there is a finding of severity "error"."""
        return bool((self.findings["severity"] == "error").any())

    def __len__(self) -> int:
        return len(self.findings)

    def __repr__(self) -> str:
        return printable(f"<AuditReport: {self._heading()}>")

    def __str__(self) -> str:
        lines = [f"{self._heading()}."]
        for row in self.findings.itertuples():
            corpus = f" [{row.corpus}]" if row.corpus else ""
            text = f"{str(row.severity).upper()}{corpus} {row.flaw}: {row.evidence}"
            lines.append(textwrap.fill(text, 100, initial_indent="- ", subsequent_indent="  "))
        for text in self._remarks():
            lines.append(textwrap.fill(text, 100, subsequent_indent="  "))
        return printable("\n".join(lines))

    def _repr_html_(self) -> str:
        colors = {"error": "#b00020", "warning": "#8a5a00", "note": "#444444"}
        rows = "".join(
            f'<tr><td style="color:{colors[str(row.severity)]};font-weight:bold">{row.severity}'
            f"</td><td>{html.escape(str(row.flaw))}</td><td>{html.escape(str(row.corpus))}</td>"
            f'<td style="text-align:left">{html.escape(str(row.evidence))}</td>'
            f"<td>{row.n_rows}</td></tr>"
            for row in self.findings.itertuples()
        )
        head = "".join(f"<th>{name}</th>" for name in COLUMNS[1::-1] + COLUMNS[2:5])
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        items = "".join(f"<li>{html.escape(text)}</li>" for text in self._remarks())
        return (
            f"<p>{html.escape(self._heading())}.</p>{table if rows else ''}"
            f"{f'<ul>{items}</ul>' if items else ''}"
        )

    def to_json(self, path: str | PathLike[str] | None = None) -> str:
        """Return the findings as JSON.

        Parameters
        ----------
        path : path-like, optional
            File to write the JSON to.

        Returns
        -------
        str
            The findings as JSON.
        """
        content = {
            "subject": self.subject,
            "findings": self.findings.to_dict("records"),
            "not_checked": self.not_checked,
            "known_flaws": self.known_flaws.to_dict("records"),
        }
        text = json.dumps(content, indent=2, ensure_ascii=False)
        if path is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text + "\n")
        return text

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Write the findings as CSV, the positions of the rows separated by spaces.

        Parameters
        ----------
        path : path-like
            File to write.
        """
        rows = [" ".join(map(str, rows)) for rows in self.findings["rows"]]
        self.findings.assign(rows=rows).to_csv(path, index=False)

    def _remarks(self):
        """Return what stands below the findings: checks not done, and known flaws."""
        yield from (f"Not checked: {text}" for text in self.not_checked)
        for flaw in self.known_flaws.itertuples():
            found_as = f" ({flaw.found_as})" if flaw.found_as else ""
            yield f"Known flaw of {flaw.corpus}, {flaw.status}{found_as}: {flaw.flaw}"

    def _heading(self) -> str:
        counts = self.findings["severity"].value_counts()
        parts = [plural(counts[name], name) for name in SEVERITIES if name in counts]
        return f"Audit of {self.subject}: {', '.join(parts) or 'no findings'}"


def plural(count, noun):
    """Return a count with its noun: "1 file", "2 files"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def name_rows(frame, rows):
    """Name the first three rows by their files, or by their positions if they have none."""
    return name_values([name_row(frame, row) for row in rows], 3)


def name_row(frame, row):
    """Name a row by its file, or by its position."""
    file = file_of(frame["file"].iloc[row]) if "file" in frame else None
    if file:
        return file.replace("\\", "/").rsplit("/", 1)[-1]
    return f"row {row}"


def name_values(values, limit=5):
    """List the first few of some names."""
    values = [str(value) for value in values]
    more = len(values) - limit
    return ", ".join(values[:limit]) + (f" and {more} more" if more > 0 else "")
