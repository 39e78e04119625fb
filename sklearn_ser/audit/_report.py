"""What an audit found: findings as a table and in words."""

import html
import json
import textwrap
from dataclasses import dataclass, field

import pandas as pd

from sklearn_ser.utils._public import public_module

SEVERITIES = ("error", "warning", "note")
COLUMNS = ("flaw", "severity", "corpus", "evidence", "n_rows", "rows")


@dataclass
class Finding:
    """One flaw: its name, how bad it is, in which corpus, the evidence in words, the rows."""

    flaw: str
    severity: str
    corpus: str
    evidence: str
    rows: list = field(default_factory=list)


@public_module("sklearn_ser.audit")
class AuditReport:
    """Flaws that an audit found.

    Made by :func:`audit_corpus` and :func:`audit_split`.

    Attributes
    ----------
    findings : DataFrame
        One row a finding, the worst first: `flaw` (its name), `severity` ("error": scores on
        these data mean little until it is mended; "warning": a score needs care; "note": worth
        knowing), `corpus` ("" where it concerns all of them), `evidence` (a sentence or two),
        `n_rows`, `rows` (list of positions in the audited frame).
    pairs : DataFrame or None
        Utterances that share sound or continue in each other: `first`, `second` (positions),
        `kind` ("exact duplicate", "near duplicate", "overlap", "continuation"), `shared` (seconds)
        and `gain` (dB) of copies. None where no audio was read.
    n_rows : int
        Of the frame.
    not_checked : list of str
        What could not be looked at, and why.
    subject : str
        What was audited.

    Examples
    --------
    >>> from sklearn_ser import audit_corpus, make_speech_corpus
    >>> frame = make_speech_corpus(n_speakers=8, n_utterances=1, random_state=0).frame
    >>> report = audit_corpus(frame)
    >>> report.ok
    True
    >>> print(report)
    Audit of 32 utterances of 8 speakers (synthetic): no finding.
    """

    def __init__(self, findings, subject, *, n_rows, not_checked=(), pairs=None):
        order = sorted(findings, key=lambda found: SEVERITIES.index(found.severity))
        self.findings = pd.DataFrame(
            {
                "flaw": [found.flaw for found in order],
                "severity": [found.severity for found in order],
                "corpus": [found.corpus for found in order],
                "evidence": [found.evidence for found in order],
                "n_rows": [len(found.rows) for found in order],
                "rows": [sorted(int(row) for row in found.rows) for found in order],
            },
            columns=list(COLUMNS),
        )
        self.subject = subject
        self.not_checked = list(not_checked)
        self.n_rows = n_rows
        self.pairs = pairs

    @property
    def ok(self):
        """Whether there is no error and no warning."""
        return not self.findings["severity"].isin(["error", "warning"]).any()

    @property
    def has_errors(self):
        """Whether there is a finding of severity "error"."""
        return bool((self.findings["severity"] == "error").any())

    def __len__(self):
        return len(self.findings)

    def __repr__(self):
        return f"<AuditReport: {self._heading()}>"

    def __str__(self):
        lines = [f"{self._heading()}."]
        for row in self.findings.itertuples():
            corpus = f" [{row.corpus}]" if row.corpus else ""
            text = f"{row.severity.upper()}{corpus} {row.flaw}: {row.evidence}"
            lines.append(textwrap.fill(text, 100, initial_indent="- ", subsequent_indent="  "))
        for text in self.not_checked:
            lines.append(textwrap.fill(f"Not checked: {text}", 100, subsequent_indent="  "))
        return "\n".join(lines)

    def _repr_html_(self):
        colors = {"error": "#b00020", "warning": "#8a5a00", "note": "#444444"}
        rows = "".join(
            f'<tr><td style="color:{colors[row.severity]};font-weight:bold">{row.severity}</td>'
            f"<td>{html.escape(row.flaw)}</td><td>{html.escape(row.corpus)}</td>"
            f'<td style="text-align:left">{html.escape(row.evidence)}</td>'
            f"<td>{row.n_rows}</td></tr>"
            for row in self.findings.itertuples()
        )
        head = "".join(f"<th>{name}</th>" for name in COLUMNS[1::-1] + COLUMNS[2:5])
        table = f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"
        left_out = "".join(
            f"<li>Not checked: {html.escape(text)}</li>" for text in self.not_checked
        )
        return (
            f"<p>{html.escape(self._heading())}.</p>{table if rows else ''}"
            f"{f'<ul>{left_out}</ul>' if left_out else ''}"
        )

    def to_json(self, path=None):
        """The findings as JSON.

        Parameters
        ----------
        path : path-like, optional
            Where to write it.

        Returns
        -------
        str
        """
        content = {
            "subject": self.subject,
            "findings": self.findings.to_dict("records"),
            "not_checked": self.not_checked,
        }
        text = json.dumps(content, indent=2, ensure_ascii=False)
        if path is not None:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text + "\n")
        return text

    def to_csv(self, path):
        """Write the findings as CSV; rows are separated by spaces.

        Parameters
        ----------
        path : path-like
        """
        rows = [" ".join(map(str, rows)) for rows in self.findings["rows"]]
        self.findings.assign(rows=rows).to_csv(path, index=False)

    def _heading(self):
        counts = self.findings["severity"].value_counts()
        said = [
            f"{counts[name]} {name}{'s' if counts[name] > 1 else ''}"
            for name in SEVERITIES
            if name in counts
        ]
        return f"Audit of {self.subject}: {', '.join(said) or 'no finding'}"


def plural(count, noun):
    """ "1 file", "2 files"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def name_rows(frame, rows, most=3):
    """The first few of these rows by their files, or by their positions where there are none."""
    shown = [name_row(frame, row) for row in list(rows)[:most]]
    more = len(rows) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def name_row(frame, row):
    """A row by its file's name, or by its position."""
    cell = frame["file"].iloc[row] if "file" in frame else None
    if isinstance(cell, str):
        return cell.replace("\\", "/").rsplit("/", 1)[-1]
    return f"row {row}"


def name_values(values, most=5):
    """The first few of some ids."""
    values = [str(value) for value in values]
    more = len(values) - most
    return ", ".join(values[:most]) + (f" and {more} more" if more > 0 else "")
