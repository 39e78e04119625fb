"""Loading of a corpus whose labels are in the names of its files and folders."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Literal, overload

import pandas as pd

from sklearn_ser.datasets._corpus import Corpus
from sklearn_ser.datasets._load import corpus_of, source_of_pattern
from sklearn_ser.datasets._pattern import Pattern, match_folder
from sklearn_ser.utils._public import public_module


@overload
def corpus_from_folder(
    pattern: str | os.PathLike[str],
    *,
    name: str | None = ...,
    columns: Mapping[str, Any] | None = ...,
    emotion_map: Mapping[str, str | None] | None = ...,
    dry_run: Literal[False] = ...,
) -> Corpus: ...
@overload
def corpus_from_folder(
    pattern: str | os.PathLike[str],
    *,
    name: str | None = ...,
    columns: Mapping[str, Any] | None = ...,
    emotion_map: Mapping[str, str | None] | None = ...,
    dry_run: Literal[True],
) -> pd.DataFrame: ...
@public_module("sklearn_ser.datasets")
def corpus_from_folder(
    pattern: str | os.PathLike[str],
    *,
    name: str | None = None,
    columns: Mapping[str, Any] | None = None,
    emotion_map: Mapping[str, str | None] | None = None,
    dry_run: bool = False,
) -> Corpus | pd.DataFrame:
    """Load a corpus whose labels are in the names of its files and folders.

    No audio is read.

    Parameters
    ----------
    pattern : str or path-like
        Path with named fields, such as ``"root/{emotion}/{speaker}_*.wav"``, whose fields become
        columns of :class:`Corpus`: ``speaker`` is required, other names than those of the contract
        are further columns.

        - ``{speaker}`` is any text without ``/``, as short as the rest of the pattern allows;
          ``{speaker:2}`` two characters, ``{take:d}`` digits. A field that occurs several times
          must have one value in a path;
        - ``*`` is any text without ``/``, ``?`` one character, ``**`` any number of folders;
        - all else, brackets included, is text; the suffix may be in upper or lower case.

        The part before the first field or wildcard is the root. Only audio files match; of an
        utterance in several formats one is loaded.
    name : str, optional
        Name of the corpus, by default that of the root.
    columns : dict, optional
        Further columns, as for :meth:`pandas.DataFrame.assign`: one value for all utterances
        (``{"language": "de"}``), or a function of the table of fields.
    emotion_map : dict, optional
        Mapping of a label to a lower-case noun, or to None to leave these utterances out, as in
        :func:`load_corpus`.
    dry_run : bool, default=False
        Whether to return only a table of which file matches, and which does not and why.

    Returns
    -------
    Corpus or DataFrame
        Corpus, whose ``dropped_rows`` lists the audio files that do not match. With `dry_run`, one
        row per audio file: file (relative to the root), the fields, and reason (None if it
        matches).

    Raises
    ------
    CorpusError
        If the root does not exist, no file matches, or a label is unknown.

    Warns
    -----
    CorpusWarning
        If audio files do not match.

    See Also
    --------
    load_corpus : Accepts such a pattern, too; tables and known corpora.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_ser.datasets import corpus_from_folder
    >>> folder = tempfile.TemporaryDirectory()
    >>> for file in ("angry/f1_01.wav", "angry/m1_01.wav", "sad/f1_02.WAV", "sad/notes.wav"):
    ...     path = Path(folder.name, file)
    ...     path.parent.mkdir(exist_ok=True)
    ...     path.touch()
    >>> matches = corpus_from_folder(
    ...     f"{folder.name}/{{emotion}}/{{speaker:2}}_{{take:d}}.wav", dry_run=True
    ... )
    >>> matches.drop(columns="reason")
                  file emotion speaker  take
    0  angry/f1_01.wav   angry      f1    01
    1  angry/m1_01.wav   angry      m1    01
    2    sad/f1_02.WAV     sad      f1    02
    3    sad/notes.wav    None    None  None
    >>> matches.loc[3, "reason"]
    "fits up to '{emotion}/{speaker:2}', then expected '_{take:d}.wav', found 'tes.wav'"
    >>> (Path(folder.name) / "sad/notes.wav").unlink()
    >>> corpus_from_folder(
    ...     f"{folder.name}/{{emotion}}/{{speaker}}_0*.wav",
    ...     name="mine",
    ...     columns={"gender": lambda table: table["speaker"].str[0], "language": "de"},
    ... )
    <Corpus mine: 3 utterances, 2 speakers (1 female, 1 male), de; anger 2, sadness 1>
    >>> folder.cleanup()
    """
    parsed = Pattern(pattern)
    if dry_run:
        return match_folder(parsed)
    return corpus_of(source_of_pattern(parsed, name, columns or {}), emotion_map=emotion_map)
