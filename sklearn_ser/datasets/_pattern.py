"""Patterns with named fields, for corpora whose labels are in the names of files and folders."""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any

import pandas as pd

from sklearn_ser.datasets._reader import AUDIO_SUFFIXES, walk
from sklearn_ser.exceptions import CorpusError, CorpusWarning
from sklearn_ser.utils._warnings import warn_user

#: Parts of a pattern: a field, a wildcard, or text.
_PARTS = re.compile(r"\{[^{}]*\}|\*\*/|\*\*|\*|\?|[^{}*?]+|[{}]")
_FIELD = re.compile(r"\{([A-Za-z_]\w*)(?::(\d+|d))?\}")
_WILDCARDS = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
#: Number of audio files among which the nearest miss is searched.
_SAMPLE = 2000


class Pattern:
    """Pattern of paths with named fields, such as ``root/{emotion}/{speaker}_*.wav``.

    Attributes
    ----------
    text : str
        The pattern.
    root : str
        Folder before the first field or wildcard.
    """

    def __init__(self, pattern: str | os.PathLike[str]):
        self.text = os.fspath(pattern).replace(os.sep, "/")
        fixed = re.split(r"[{*?]", self.text, maxsplit=1)[0]
        self.root = fixed.rpartition("/")[0] or ("/" if fixed.startswith("/") else ".")
        below = self.text[fixed.rfind("/") + 1 :]
        self._parts = _PARTS.findall(below)
        if not self._parts:
            raise CorpusError(
                f"the pattern {self.text!r} names no file; expected one such as "
                f"'folder/{{emotion}}/{{speaker}}_*.wav'."
            )
        counts: dict[str, int] = {}
        self._regexes = [_regex_of(part, counts, self.text) for part in self._parts]
        suffix = next((s for s in AUDIO_SUFFIXES if self._parts[-1].lower().endswith(s)), "")
        if suffix:
            kept = self._parts[-1][: -len(suffix)]
            self._regexes[-1] = f"{re.escape(kept)}(?i:{re.escape(suffix)})"
        self.fields = list(counts)
        self._counts = counts
        loose = "".join(self._regexes)
        self._loose = re.compile(loose)
        # Repeated fields must agree.
        self._strict = re.compile(re.sub(r"\(\?P<(\w+)__[1-9]\d*>[^()]*\)", r"(?P=\1__0)", loose))

    def match(self, path: str) -> tuple[dict[str, str], str | None]:
        """Return the fields of a path below the root, and why it does not match, or None."""
        found = self._strict.fullmatch(path)
        if found is not None:
            return {name: found[f"{name}__0"] for name in self.fields}, None
        found = self._loose.fullmatch(path)
        if found is None:
            return {}, self._nearest(path)[1]
        for name, count in self._counts.items():
            values = list(dict.fromkeys(found[f"{name}__{i}"] for i in range(count)))
            if len(values) > 1:
                break
        return {}, f"has {' and '.join(map(repr, values))} as {name}"

    def _nearest(self, path):
        """Return how many parts fit the start of a path, and which part does not."""
        for count in range(len(self._parts) - 1, -1, -1):
            if count and self._regexes[count - 1].endswith(("*", "?", "+?)", "+)")):
                continue  # text of any length fits any rest
            found = re.match("".join(self._regexes[:count]), path)
            if found:
                rest = path[found.end() :]
                fits = "".join(self._parts[:count])
                start = f"fits up to {fits!r}, then " if fits else ""
                expected = "".join(self._parts[count:])
                found_text = f"found {rest!r}" if rest else "found the end"
                return count, f"{start}expected {expected!r}, {found_text}"
        raise AssertionError("the empty pattern fits the start of any path")

    def no_match(self, paths: list[str]) -> CorpusError:
        """Return the error for a folder none of whose audio files matches."""
        if not paths:
            return CorpusError(
                f"there is no audio file below {self.root!r}; expected paths like {self.text!r}."
            )
        nearest = max(paths[:_SAMPLE], key=lambda path: self._nearest(path)[0])
        return CorpusError(
            f"none of the {len(paths)} audio files below {self.root!r} matches {self.text!r}: "
            f"first {', '.join(map(repr, paths[:3]))}. The nearest is {nearest!r}: it "
            f"{self.match(nearest)[1]}. Change the pattern; dry_run=True lists all files."
        )


def is_pattern(source: Any) -> bool:
    """Whether an argument is a pattern with fields or wildcards, not the path of a file."""
    return (
        isinstance(source, str | os.PathLike)
        and _FIELD.search(os.fspath(source)) is not None
        and not os.path.exists(source)
    )


def match_folder(pattern: Pattern) -> pd.DataFrame:
    """Return each audio file below the root with its fields, or why it is no utterance."""
    if not os.path.isdir(pattern.root):
        parent = Path(pattern.root)
        while not parent.is_dir():
            missing, parent = parent, parent.parent
        near = difflib.get_close_matches(missing.name, os.listdir(parent), n=1)
        hint = f" Did you mean {str(parent / near[0])!r}?" if near else ""
        raise CorpusError(f"there is no folder {str(missing)!r} of {pattern.text!r}.{hint}")
    audio = [
        p for p in sorted(walk(pattern.root)) if os.path.splitext(p)[1].lower() in AUDIO_SUFFIXES
    ]
    rank = {suffix: i for i, suffix in enumerate(AUDIO_SUFFIXES)}
    audio.sort(key=lambda p: (os.path.splitext(p)[0], rank[os.path.splitext(p)[1].lower()]))
    rows: list[dict[str, str | None]] = []
    loaded: dict[str, str] = {}
    for path in audio:
        fields, reason = pattern.match(path)
        if reason is None:
            first = loaded.setdefault(os.path.splitext(path)[0], path)
            reason = None if first == path else f"other format of {first!r}"
        rows.append({"file": path, **(fields if reason is None else {}), "reason": reason})
    table = pd.DataFrame(rows, columns=["file", *pattern.fields, "reason"], dtype=object)
    return table.where(table.notna(), None)


def read_pattern(pattern: Pattern) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the utterances of a pattern, and the audio files that are none, with the reason."""
    matches = match_folder(pattern)
    is_utterance = matches["reason"].isna()
    if not is_utterance.any():
        raise pattern.no_match(matches["file"].tolist())
    left_out = matches.loc[~is_utterance, ["file", "reason"]].reset_index(drop=True)
    unknown = left_out[~left_out["reason"].str.startswith("other format")]
    if len(unknown):
        first = unknown.iloc[0]
        warn_user(
            f"{len(unknown)} of the {len(matches)} audio files below {pattern.root!r} do not match "
            f"{pattern.text!r} and are left out, first {first['file']!r}: {first['reason']}; "
            f"Corpus.dropped_rows lists them.",
            CorpusWarning,
        )
    utterances = matches[is_utterance].drop(columns="reason").reset_index(drop=True)
    return utterances, left_out


def _regex_of(part, groups, pattern):
    """Return the regular expression of a part, and count its field in `groups`."""
    if part in _WILDCARDS:
        return _WILDCARDS[part]
    if part[0] not in "{}":
        return re.escape(part)
    field = _FIELD.fullmatch(part)
    if field is None or field[1] in ("file", "corpus", "reason"):
        raise CorpusError(
            f"the pattern {pattern!r} has {part!r}; expected a field such as '{{speaker}}', "
            f"'{{speaker:2}}' (two characters) or '{{take:d}}' (digits), whose name is not file, "
            f"corpus or reason, or the wildcards *, ** and ?."
        )
    name, width = field[1], field[2]
    count = groups.get(name, 0)
    groups[name] = count + 1
    text = {None: "[^/]+?", "d": r"\d+"}.get(width) or f"[^/]{{{width}}}"
    return f"(?P<{name}__{count}>{text})"
