"""Readers of known corpora in their original layouts: the declaration and its interpretation."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from string import Formatter
from typing import Literal

import numpy as np
import pandas as pd

from sklearn_ser.audio._source import AUDIO_SUFFIXES
from sklearn_ser.exceptions import CorpusError, CorpusWarning
from sklearn_ser.utils._warnings import warn_user

#: Cells of a table that hold no value.
_MISSING = ("", "nan", "NaN", "NA", "None", "null")


@dataclass(frozen=True)
class Coded:
    """A template whose result is translated; results that are not among `codes` are retained.

    A code of None is a missing value.
    """

    template: str | tuple[str, ...]
    codes: Mapping[str, str | None]


@dataclass(frozen=True)
class Scaled:
    """A template of a number from `low` to `high`, which is mapped to the range 0 to 1."""

    template: str
    low: float
    high: float


@dataclass(frozen=True)
class Table:
    """Table beside the audio, whose columns become fields of the utterances.

    Parameters
    ----------
    path : str
        Regular expression that matches the end of the paths of the tables below the root. Named
        groups become columns. Several tables are concatenated.
    key : str
        Template over the columns of the table which gives the value of `on`.
    on : str, default="{stem}"
        Template over the fields of an utterance. For the default, folders and audio suffixes are
        removed from the keys.
    need : {"required", "expected", "optional"}, default="required"
        What the absence of the table is: an error, part of the warning about a partial copy, or
        normal. Audio files without a row in a required table are not utterances of the corpus.
    separator, encoding : str
        Format of the table. Files that end in ``.jsonl`` hold one JSON object per line.
    names : tuple of str, optional
        Names of the columns of a table without a line of names.
    read : callable, optional
        Function that takes the path of one file that is not such a table, and returns a DataFrame
        of text.
    several_rows : bool, default=False
        Whether each row of the table is an utterance (``start`` and ``end`` in a long file). By
        default the first row of a key is used.
    missing : tuple of str, default=()
        Cells that hold no value, besides empty ones, NaN, NA and None.
    shown : str, optional
        Name of the table in messages, where it is not plain from `path`.
    """

    path: str
    key: str
    on: str = "{stem}"
    need: Literal["required", "expected", "optional"] = "required"
    separator: str = ","
    encoding: str = "utf-8-sig"
    names: tuple[str, ...] | None = None
    read: Callable[[str], pd.DataFrame] | None = None
    several_rows: bool = False
    missing: tuple[str, ...] = ()
    shown: str = ""

    @property
    def name(self) -> str:
        """Name of the table for a user."""
        return self.shown or self.path.replace("\\", "")


@dataclass(frozen=True)
class Votes:
    """Table with one row per answer of a rater.

    Parameters
    ----------
    table : Table
        The table.
    label : str
        Template over its columns which gives the label.
    codes : mapping of str to str
        Noun of each label. Answers with other labels are not counted.
    where : mapping of str to str, default={}
        Values of columns that select rows.
    without : mapping of str to tuple of str, default={}
        Values of columns that exclude rows.
    """

    table: Table
    label: str
    codes: Mapping[str, str]
    where: Mapping[str, str] = field(default_factory=dict)
    without: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Flaw:
    """Known flaw of a corpus: a code by which the audit can find it, and a sentence."""

    code: str
    text: str


@dataclass(frozen=True)
class Reading:
    """Utterances of a folder as a table in the generic layout, with what else was found."""

    table: pd.DataFrame
    votes: pd.DataFrame | None
    left_out: pd.DataFrame


@dataclass(frozen=True)
class CorpusReader:
    r"""Declaration of a corpus in its original layout.

    Parameters
    ----------
    name, title : str
        Name for :func:`load_corpus`, and a sentence that describes the corpus.
    languages, kinds : tuple of str
        ISO 639-1 codes, and the values of the column ``naturalness``.
    license, citation, homepage : str
        License, paper to cite and where the corpus is offered.
    files : tuple of str
        Regular expressions that match the end of the path of an utterance below the root, with
        ``/`` as separator and without the suffix. Their named groups are fields. Other fields are
        ``stem`` (file name without suffix) and the columns of `tables`.
    example : str
        Path of an utterance below the root, for error messages.
    columns : mapping
        Column of ``Corpus.frame`` by template (``"{speaker}"``, or a constant), tuple of templates
        (the first whose fields are known), :class:`Coded` or :class:`Scaled`.
    utterances : tuple of int
        Number of utterances of each release or complete part; empty if unknown.
    speakers : int or None
        Number of speakers of the complete corpus, None if unknown.
    emotions : mapping of str to int, default={}
        Utterances of each emotion in the first release, where known.
    tables : tuple of Table, default=()
        Tables beside the audio.
    votes : tuple of Votes, default=()
        Answers of raters: the first whose table the folder has.
    emotion_from_votes : bool, default=False
        Whether the emotion is the label with most votes, missing if several have as many or if it
        is "other".
    not_utterances : tuple of str, default=()
        Regular expressions, as `files`, of audio that is no utterance (whole dialogs).
    excluded : mapping of str to str, default={}
        Regular expressions, as `files`, of audio that cannot be used, and the reason with which it
        is listed as left out.
    duplicates : mapping of str to str, default={}
        Stem of an utterance that is a copy, and stem of its original.
    folds : str, default=""
        Where the column ``fold`` or ``split`` comes from.
    flaws : tuple of Flaw, default=()
        Known flaws.
    uncertain : str, default=""
        What is not certain about the declaration.
    tried_on : {"real files", "original names", "synthetic tree"}
        What the declaration was tested on.
    numbers_may_be_packaged : bool, default=False
        Whether features computed from the audio may be distributed under the license.
    """

    name: str
    title: str
    languages: tuple[str, ...]
    kinds: tuple[str, ...]
    license: str
    citation: str
    homepage: str
    files: tuple[str, ...]
    example: str
    columns: Mapping[str, str | tuple[str, ...] | Coded | Scaled]
    utterances: tuple[int, ...]
    speakers: int | None
    tried_on: Literal["real files", "original names", "synthetic tree"]
    emotions: Mapping[str, int] = field(default_factory=dict)
    tables: tuple[Table, ...] = ()
    votes: tuple[Votes, ...] = ()
    emotion_from_votes: bool = False
    not_utterances: tuple[str, ...] = ()
    excluded: Mapping[str, str] = field(default_factory=dict)
    duplicates: Mapping[str, str] = field(default_factory=dict)
    folds: str = ""
    flaws: tuple[Flaw, ...] = ()
    uncertain: str = ""
    numbers_may_be_packaged: bool = False

    @property
    def description(self) -> str:
        """Title, range of the original ratings, source of the folds, known flaws."""
        ranges = [
            f"{column} from {of.low:g} to {of.high:g}"
            for column, of in self.columns.items()
            if isinstance(of, Scaled)
        ]
        return "\n".join(
            [
                self.title,
                *([f"Ratings mapped to 0 to 1: {', '.join(ranges)}."] if ranges else ()),
                *([f"Folds: {self.folds}"] if self.folds else ()),
                *(f"Known flaw: {flaw.text}" for flaw in self.flaws),
                *([f"Uncertain: {self.uncertain}"] if self.uncertain else ()),
            ]
        )

    @property
    def nouns(self) -> set[str]:
        """Emotions of the declaration, which need no emotion_map."""
        emotion = self.columns.get("emotion")
        codes = dict(emotion.codes) if isinstance(emotion, Coded) else {}
        votes = [noun for votes in self.votes for noun in votes.codes.values() if noun != "other"]
        return {noun for noun in (*codes.values(), *votes) if noun is not None}

    @cached_property
    def _patterns(self):
        return [_at_the_end(pattern) for pattern in self.files]

    @cached_property
    def _other_audio(self):
        return [_at_the_end(pattern) for pattern in (*self.not_utterances, *self.excluded)]

    def match(self, paths: Iterable[str]) -> tuple[dict[str, dict[str, str]], list[str]]:
        """Return the fields of each utterance, and the paths that no pattern knows.

        `paths` are those of audio files below the root, without suffix.
        """
        known, unknown = {}, []
        for path in paths:
            if any(pattern.fullmatch(path) for pattern in self._other_audio):
                continue
            found = next(filter(None, (p.fullmatch(path) for p in self._patterns)), None)
            if found:
                known[path] = {**found.groupdict(), "stem": path.rpartition("/")[2]}
            else:
                unknown.append(path)
        return known, unknown

    def in_usual_folders(self, paths: Iterable[str]) -> int:
        """Return the number of paths in a folder named like that of the example."""
        folder = re.sub(r"\d", r"\\d", re.escape(self.example.split("/")[-2:][0]))
        return sum(bool(re.search(f"(?:^|/){folder}/[^/]+$", path)) for path in paths)

    def _excluded(self, files):
        for pattern, reason in self.excluded.items():
            known = _at_the_end(pattern)
            yield from ((f, reason) for path, f in files.audio.items() if known.fullmatch(path))

    def table_names(self, *needs: str) -> list[str]:
        """Return the names of the tables of these needs, by default of all, and of the votes."""
        tables = [table for table in self.tables if not needs or table.need in needs]
        votes = [] if needs else [votes.table for votes in self.votes]
        return list(dict.fromkeys(table.name for table in (*tables, *votes)))

    def missing_tables(self, files: FolderFiles, need: str) -> list[str]:
        """Return the names of the tables of this need that a folder does not have."""
        return [t.name for t in self.tables if t.need == need and not files.tables(t.path)]

    def fits(self, files: FolderFiles, known: dict, unknown: list) -> bool:
        """Return whether half of the audio files are known and no required table is missing."""
        return len(known) >= max(1, len(unknown)) and not self.missing_tables(files, "required")

    def read(self, files: FolderFiles, known: dict, unknown: list) -> Reading:
        """Return the utterances of a folder that fits, from the results of `match`."""
        left_out = [(files.audio[path], "unknown file name") for path in unknown]
        copies = _copies(known)
        known = {path: fields for path, fields in known.items() if path not in copies}
        fields = pd.DataFrame.from_records(list(known.values()), index=pd.Index(known, name="path"))
        for table in self.tables:
            rows = read_table(table, files)
            if rows is None:
                continue
            keys = fill(table.on, fields)
            if table.need == "required":
                is_listed = keys.isin(rows.index)
                reason = f"not in {files.tables(table.path)[0]}"
                left_out += [(files.audio[path], reason) for path in fields.index[~is_listed]]
                if not is_listed.any():
                    raise CorpusError(
                        f"corpus {self.name!r}: none of the {len(fields)} audio files in "
                        f"{str(files.root)!r} is in {files.tables(table.path)[0]!r}, which has "
                        f"{rows.index[0]!r}, while the first file has {keys.iloc[0]!r}. Is it the "
                        f"table of other files?"
                    )
                fields, keys = fields[is_listed], keys[is_listed]
            if not table.several_rows:
                rows = rows[~rows.index.duplicated()]
            new = rows.columns.difference(fields.columns, sort=False)
            fields = fields.assign(_key=keys).join(rows[new], on="_key").drop(columns="_key")
        self._check_emotion(fields)
        counts = (_count_votes(votes, fields, files) for votes in self.votes)
        votes = next((table for table in counts if table is not None), None)
        table = pd.DataFrame(
            {
                "file": [files.audio[path] for path in fields.index],
                **{column: _evaluate(of, fields).array for column, of in self.columns.items()},
            }
        )
        if self.emotion_from_votes and votes is not None:
            table["emotion"] = _majority(votes)
        if self.duplicates:
            by_stem = dict(zip(fields["stem"], table["file"], strict=True))
            originals = fields["stem"].map(self.duplicates).map(by_stem)
            table["duplicate_of"] = originals.astype(object).where(originals.notna(), None).array
        table = table.loc[:, table.notna().any() | (table.columns == "speaker")]
        self._warn(table, [name for name, _ in left_out], files)
        left_out += [
            *((file, "another format of a loaded file") for file in files.other_formats),
            *self._excluded(files),
            *((files.audio[path], "copy of a file in another folder") for path in copies),
        ]
        return Reading(table, votes, pd.DataFrame(left_out, columns=["file", "reason"]))

    def _check_emotion(self, fields):
        """Raise if the tables lack the column of the emotions, which would all be missing."""
        emotion = self.columns.get("emotion")
        templates = emotion.template if isinstance(emotion, Coded) else ""
        templates = (templates,) if isinstance(templates, str) else templates
        missing = [
            [name for name in field_names(template) if name not in fields.columns]
            for template in templates
        ]
        if all(missing):
            raise CorpusError(
                f"corpus {self.name!r}: the column(s) {missing[0]} of the emotions are in no "
                f"table; the tables have {[c for c in fields.columns if c != 'stem']}. Is it "
                f"another release? Expected {' and '.join(self.table_names('required'))}."
            )

    def _warn(self, table, unknown, files):
        tables = self.missing_tables(files, "expected")
        if (self.utterances and len(table) not in self.utterances) or tables:
            of = "" if self.speakers is None else f" of {self.speakers} speakers"
            expected = " or ".join(map(str, self.utterances)) or "all"
            absent = f" Missing tables: {', '.join(tables)}." if tables else ""
            warn_user(
                f"corpus {self.name!r}: found {len(table)} utterances of "
                f"{table['speaker'].nunique()} speakers in {str(files.root)!r}; expected "
                f"{expected} utterances{of}.{absent} The copy is partial, or a release that this "
                f"reader does not know.",
                CorpusWarning,
            )
        if unknown:
            warn_user(
                f"corpus {self.name!r}: {len(unknown)} audio file(s) in {str(files.root)!r} are no "
                f"utterance that the reader knows and are left out, first "
                f"{', '.join(map(repr, unknown[:3]))}{', ...' if len(unknown) > 3 else ''}; "
                f"Corpus.dropped_rows lists them.",
                CorpusWarning,
            )


class FolderFiles:
    """Files below a folder, from one walk of the tree.

    Attributes
    ----------
    root : str or path-like
        The folder.
    audio : dict
        Path of each audio file below the root by the path without suffix.
    other_formats : list
        Audio files instead of which one of the same path with another suffix is loaded.
    """

    def __init__(self, root):
        self.root = root
        self.audio: dict[str, str] = {}
        self.other_formats: list[str] = []
        self._others: list[str] = []
        rank = {suffix: position for position, suffix in enumerate(AUDIO_SUFFIXES)}
        for file in sorted(walk(root)):
            path, suffix = os.path.splitext(file)
            if suffix.lower() not in rank:
                self._others.append(file)
                continue
            loaded = self.audio.setdefault(path, file)
            if loaded != file:
                of = [rank[os.path.splitext(name)[1].lower()] for name in (loaded, file)]
                first, second = (loaded, file) if of[0] <= of[1] else (file, loaded)
                self.audio[path] = first
                self.other_formats.append(second)

    def first(self, paths=None, count=3):
        """Return the first audio files, with suffix, of the paths or of all."""
        return [self.audio[path] for path in list(self.audio if paths is None else paths)[:count]]

    def tables(self, pattern):
        """Return the paths below the root, in order, of files that are no audio."""
        pattern = _at_the_end(pattern)
        return [file for file in self._others if pattern.fullmatch(file)]


def _copies(known):
    """Return the paths of utterances that occur in another folder before."""
    first: dict[tuple, str] = {}
    return {
        path
        for path, fields in known.items()
        if first.setdefault(tuple(fields.values()), path) != path
    }


def walk(root):
    """Yield the paths of files below a folder, with "/", without hidden files and folders."""
    seen = {os.path.realpath(root)}
    folders = [""]
    while folders:
        folder = folders.pop()
        with os.scandir(os.path.join(root, folder)) as entries:
            for entry in entries:
                if entry.name.startswith((".", "__MACOSX")):
                    continue
                path = f"{folder}{entry.name}"
                if not entry.is_dir():
                    yield path
                elif not entry.is_symlink():
                    folders.append(f"{path}/")
                elif (target := os.path.realpath(entry.path)) not in seen:
                    seen.add(target)
                    folders.append(f"{path}/")


def _at_the_end(pattern):
    return re.compile(f"(?:.*/)?(?:{pattern})")


def parity(count, *, odd, width=2):
    """Return the gender of speakers 1 to `count`, whose ids have `width` digits."""
    even = {"male": "female", "female": "male"}[odd]
    return {f"{n:0{width}}": odd if n % 2 else even for n in range(1, count + 1)}


def folds_of(*groups):
    """Return the fold, counted from 1, of each speaker; a group is text with spaces."""
    return {speaker: str(fold) for fold, group in enumerate(groups, 1) for speaker in group.split()}


def field_names(template):
    """Return the names of the fields of a template."""
    return [name for _, name, _, _ in Formatter().parse(template) if name is not None]


def fill(template, fields):
    """Return a template filled with each row of `fields`; None where a field is missing."""
    if isinstance(template, tuple):
        values = fill(template[0], fields)
        for other in template[1:]:
            values = values.where(values.notna(), fill(other, fields))
        return values
    names = field_names(template)
    if any(name not in fields.columns for name in names):
        return pd.Series(None, index=fields.index, dtype=object)
    if not names:
        return pd.Series(template, index=fields.index, dtype=object)
    if template == f"{{{names[0]}}}":
        values = fields[names[0]].astype(object)
        return values.where(values.notna(), None)
    columns = [fields[name].tolist() for name in names]
    texts = [text for text, _, _, _ in Formatter().parse(template)]
    filled = [
        None
        if any(map(_is_missing, row))
        else "".join(map("".join, zip_longest(texts, row, fillvalue="")))
        for row in zip(*columns, strict=True)
    ]
    return pd.Series(filled, index=fields.index, dtype=object)


def _is_missing(value):
    return value is None or value != value


def _evaluate(of, fields):
    """Return the values of one column."""
    if isinstance(of, Coded):
        values = fill(of.template, fields)
        codes = {value: of.codes.get(value, value) for value in values.dropna().unique()}
        values = values.map(codes, na_action="ignore").astype(object)
        return values.where(values.notna(), None)
    if isinstance(of, Scaled):
        numbers = fill(of.template, fields).str.replace(",", ".").str.rstrip("%")
        return (pd.to_numeric(numbers, errors="coerce") - of.low) / (of.high - of.low)
    return fill(of, fields)


def read_table(table, files, needed=()):
    """Return the rows of a table in a folder with their keys as index, None without the table.

    The columns of the key and those in `needed` must be there.
    """
    paths = files.tables(table.path)
    if not paths:
        return None
    parts = []
    for path in paths:
        check_not_a_pointer(os.path.join(files.root, path))
        part = (table.read or _reader_of_text(table))(os.path.join(files.root, path))
        groups = _at_the_end(table.path).fullmatch(path).groupdict()
        parts.append(part.assign(**groups))
    rows = pd.concat(parts, ignore_index=True).astype(object)
    rows = rows.where(~rows.isin((*_MISSING, *table.missing)) & rows.notna(), None)
    missing = [c for c in (*field_names(table.key), *needed) if c not in rows.columns]
    if missing or rows.empty:
        found = f"the columns {list(parts[0].columns)}" if missing else "no rows"
        expected = f"the columns {missing}" if missing else "one or more per utterance"
        raise CorpusError(
            f"{os.path.join(files.root, paths[0])!r} has {found}; expected {expected}. Replace it "
            f"with the original table, or remove it if it is a copy of something else."
        )
    keys = fill(table.key, rows)
    if table.on == "{stem}":
        stems = {name: _stem(name) for name in keys.dropna().unique()}
        keys = keys.map(stems, na_action="ignore")
    return rows.set_index(pd.Index(keys, name="key"))[keys.notna().array]


def check_not_a_pointer(path):
    """Raise if a file is what git-lfs leaves in place of a table that was not fetched."""
    with open(path, "rb") as file:
        if file.read(24) == b"version https://git-lfs.":
            raise CorpusError(
                f"{str(path)!r} is a pointer of git-lfs, not a table: fetch it with 'git lfs pull'."
            )


def _stem(name):
    name = name.rpartition("/")[2]
    stem, suffix = os.path.splitext(name)
    return stem if suffix.lower() in AUDIO_SUFFIXES else name


def _reader_of_text(table):
    def read(path):
        try:
            if path.endswith(".jsonl"):
                with open(path, encoding=table.encoding) as lines:
                    return pd.DataFrame([json.loads(line) for line in lines]).astype("string")
            return pd.read_csv(
                path,
                sep=table.separator,
                dtype=str,
                keep_default_na=False,
                encoding=table.encoding,
                header=0 if table.names is None else None,
                names=table.names,
                skipinitialspace=True,
            ).rename(columns=str.strip)
        except (UnicodeError, ValueError) as error:
            raise CorpusError(
                f"{path!r} cannot be read as a table ({str(error).strip()}); expected "
                f"{table.encoding} text with columns separated by {table.separator!r}."
            ) from error

    return read


def _count_votes(votes, fields, files):
    """Return the votes of each utterance by label, NaN where there are none; None without them."""
    rows = read_table(votes.table, files, (*field_names(votes.label), *votes.where))
    if rows is None:
        return None
    for column, value in votes.where.items():
        rows = rows[rows[column] == value]
    for column, values in votes.without.items():
        if column in rows.columns:
            rows = rows[~rows[column].isin(values)]
    nouns = fill(votes.label, rows).map(votes.codes)
    labels = list(dict.fromkeys(votes.codes.values()))
    codes, keys = pd.factorize(rows.index)
    columns = pd.Index(labels).get_indexer(nouns)
    counts = np.zeros((len(keys), len(labels)))
    np.add.at(counts, (codes[columns >= 0], columns[columns >= 0]), 1)
    counts[counts.sum(axis=1) == 0] = np.nan
    by_key = pd.DataFrame(counts, index=keys, columns=labels)
    return by_key.reindex(fill(votes.table.on, fields)).reset_index(drop=True)


def _majority(votes):
    """Return the label with most votes of each utterance, None if several, or "other", have."""
    counts = votes.fillna(0).to_numpy()
    top = counts.max(axis=1, keepdims=True)
    is_unique = (counts == top).sum(axis=1) == 1
    labels = votes.columns.to_numpy(dtype=object)[counts.argmax(axis=1)]
    return pd.Series(labels, dtype=object).where(is_unique & (labels != "other"), None)
