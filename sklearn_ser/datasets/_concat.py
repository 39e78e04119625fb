"""Aggregation of corpora: one label set, unique ids, and a record of what was left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from sklearn_ser.datasets._corpus import (
    Corpus,
    in_contract_order,
    map_votes,
    rows_left_out,
    text_as_object,
)
from sklearn_ser.datasets._labels import check_all_used, map_of_nouns
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.datasets")
def concat_corpora(
    corpora: Iterable[Corpus] | Mapping[str, Corpus],
    *,
    emotion_map: Mapping[str, Any] | None = None,
    emotions: Sequence[str] | str | None = None,
) -> Corpus:
    """Concatenate several corpora.

    Nothing is relabeled or left out unless the arguments say so.

    Parameters
    ----------
    corpora : list or dict of Corpus
        The keys of a dict must be the corpora's names.
    emotion_map : dict, optional
        Mapping of an emotion to another lower-case noun, or to None to leave its utterances out
        (``{"calm": "neutral", "disgust": None}``); ``""`` is a missing emotion. The name of a
        corpus maps to such a dict for that corpus only, which takes precedence
        (``{"ravdess": {"calm": "neutral"}}``).
    emotions : sequence of str, "shared" or None, default=None
        Label set after `emotion_map`: these emotions, those that every corpus with labels has, or
        all. Unlabeled samples are retained.

    Returns
    -------
    Corpus
        Its ``dropped`` and ``describe()`` list what was left out and why, including what was left
        out of the single corpora before.

    Raises
    ------
    CorpusError
        If two corpora have the same name, a label does not occur, or no utterance of a corpus is
        left.

    Examples
    --------
    >>> from sklearn_ser.datasets import make_speech_corpus
    >>> acted = make_speech_corpus(2, 1, ("anger", "calm", "neutral"), name="acted")
    >>> talk = make_speech_corpus(2, 1, ("anger", "neutral", "sadness"), name="talk")
    >>> both = concat_corpora(
    ...     [acted, talk], emotion_map={"acted": {"calm": "neutral"}}, emotions="shared"
    ... )
    >>> both.describe()
    acted + talk: 10 utterances
            utterances  speakers  female  male  anger  neutral
    corpus
    acted            6         2       1     1      2        4
    talk             4         2       1     1      2        2
    utterances per speaker: 2 to 3, median 2.5
    naturalness: acted 10
    language: xx 10
    Left out: 2 utterances
      talk: 2 sadness: not in every corpus
    """
    selection = _check_corpora(corpora)
    frame = text_as_object(pd.concat([c.frame for c in selection], ignore_index=True))
    written = frame["emotion"].fillna("")
    votes = _concat_votes(selection)
    labels = {name: set(part) for name, part in written.groupby(frame["corpus"])}
    if votes is not None:
        for name, part in votes.groupby(frame["corpus"]):
            labels[name] |= set(part.dropna(axis=1, how="all").columns)
    maps = _maps_by_corpus(emotion_map, labels)
    mapped = [
        maps[name].get(label, label) for name, label in zip(frame["corpus"], written, strict=True)
    ]
    mapped = pd.Series(mapped, index=frame.index, dtype=object)
    by_corpus = {name: set(part.dropna()) for name, part in mapped.groupby(frame["corpus"])}
    selected, reason = _select_labels(emotions, {name: of - {""} for name, of in by_corpus.items()})
    is_selected = mapped.isin(selected | {""})
    for name, of_corpus in by_corpus.items():
        if not of_corpus & (selected | {""}):
            raise CorpusError(
                f"no utterance of corpus {name!r} is left: its emotions are {sorted(of_corpus)} "
                f"after emotion_map, and the label set is {sorted(selected)}. Change emotion_map "
                f"or emotions, or leave this corpus out."
            )
    left_out = [
        *(corpus.dropped_rows for corpus in selection),
        rows_left_out(frame, mapped.isna(), "mapped to nothing by emotion_map"),
        rows_left_out(frame, mapped.notna() & ~is_selected, reason),
    ]
    if votes is not None:
        votes = _merge_votes(votes, frame["corpus"], maps)[is_selected].reset_index(drop=True)
    frame = frame.assign(emotion=mapped.where(mapped != "", None))[is_selected]
    return Corpus(
        in_contract_order(frame.reset_index(drop=True)),
        " + ".join(corpus.name for corpus in selection),
        description="\n".join(f"{c.name}: {c.description}" for c in selection if c.description),
        license="\n".join(f"{c.name}: {c.license}" for c in selection if c.license),
        citation="\n".join(f"{c.name}: {c.citation}" for c in selection if c.citation),
        dropped_rows=pd.concat(left_out, ignore_index=True),
        votes=votes,
    )


def _concat_votes(selection):
    """Return the votes of all corpora, NaN where a corpus has none; None if no corpus has any."""
    if all(corpus.votes is None for corpus in selection):
        return None
    votes = [pd.DataFrame(index=c.frame.index) if c.votes is None else c.votes for c in selection]
    return pd.concat(votes, ignore_index=True)


def _merge_votes(votes, corpora, maps):
    """Return votes with the labels of each corpus renamed and merged by its map."""
    parts = [map_votes(rows, maps[name]) for name, rows in votes.groupby(corpora, sort=False)]
    return pd.concat(parts).reindex(votes.index)


def _check_corpora(corpora):
    """Return the corpora as a list, after checking that their names are unique."""
    if isinstance(corpora, Mapping):
        for key, corpus in corpora.items():
            if isinstance(corpus, Corpus) and key != corpus.name:
                raise CorpusError(
                    f"the key of corpus {corpus.name!r} is {key!r}; expected the name of the "
                    f"corpus as the key (rename it with load_corpus(..., name={key!r}))."
                )
        corpora = corpora.values()
    corpora = [corpora] if isinstance(corpora, Corpus) else list(corpora)
    for corpus in corpora:
        if not isinstance(corpus, Corpus):
            raise CorpusError(
                f"concat_corpora got a {type(corpus).__name__}; expected Corpus objects, the "
                f"results of load_corpus and make_speech_corpus."
            )
    if not corpora:
        raise CorpusError("concat_corpora got no corpus; expected at least one.")
    names = [name for corpus in corpora for name in corpus.frame["corpus"].unique()]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise CorpusError(
            f"several of the corpora have the name {repeated[0]!r}; names must differ, so that "
            f"their speakers can be distinguished. Load one of them with another name=."
        )
    return corpora


def _maps_by_corpus(emotion_map, labels):
    """Return one complete map per corpus, from the entries for all and those for one."""
    entries = dict(emotion_map or {})
    for_one = {key: value for key, value in entries.items() if isinstance(value, Mapping)}
    unknown = sorted(set(for_one) - set(labels))
    if unknown:
        raise CorpusError(
            f"emotion_map has entries for corpus {unknown[0]!r}, which is not among "
            f"{sorted(labels)}."
        )
    everywhere = set.union(*labels.values())
    for_all = map_of_nouns({k: v for k, v in entries.items() if k not in for_one}, everywhere)
    check_all_used(set(for_all) - everywhere, "these corpora", everywhere)
    own = {name: map_of_nouns(part, everywhere) for name, part in for_one.items()}
    for name, part in own.items():
        check_all_used(set(part) - labels[name], f"corpus {name!r}", labels[name])
    return {name: for_all | own.get(name, {}) for name in labels}


def _select_labels(emotions, by_corpus):
    """Return the label set, and the reason for leaving other utterances out."""
    everywhere = set.union(*by_corpus.values())
    if emotions is None:
        return everywhere, ""
    if isinstance(emotions, str):
        if emotions != "shared":
            raise CorpusError(
                f"emotions={emotions!r}: expected a sequence of labels, 'shared' or None"
            )
        labeled = [of_corpus for of_corpus in by_corpus.values() if of_corpus]
        shared = set.intersection(*labeled) if labeled else set()
        if not shared:
            raise CorpusError(
                "emotions='shared': no emotion occurs in every corpus. Merge labels with "
                "emotion_map, or list the emotions to select."
            )
        return shared, "not in every corpus"
    unknown = sorted(set(emotions) - everywhere)
    if unknown:
        raise CorpusError(
            f"emotions: no utterance has {', '.join(map(repr, unknown))}; the labels after "
            f"emotion_map are {sorted(everywhere)}."
        )
    return set(emotions), "not among emotions"
