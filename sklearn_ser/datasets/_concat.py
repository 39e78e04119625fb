"""Put corpora together: one label set, unique ids, and a record of what was left out."""

from collections.abc import Mapping

import pandas as pd

from sklearn_ser.datasets._corpus import Corpus, in_contract_order, rows_left_out
from sklearn_ser.datasets._labels import check_all_used, checked_emotion_map
from sklearn_ser.datasets._metadata_tables import text_as_object
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.datasets")
def concat_corpora(corpora, *, emotion_map=None, emotions=None):
    """Put several corpora together into one.

    Nothing is relabeled or left out that the arguments do not say.

    Parameters
    ----------
    corpora : list or dict of Corpus
        The keys of a dict must be the corpora's names.
    emotion_map : dict, optional
        Emotion -> another lower-case noun, or None to leave its utterances out
        (``{"calm": "neutral", "disgust": None}``). A corpus's name -> such a dict holds for that
        corpus only and comes first (``{"ravdess": {"calm": "neutral"}}``).
    emotions : sequence of str, "shared" or None, default=None
        The label set to keep after `emotion_map`: these, those that every corpus has, or all.

    Returns
    -------
    Corpus
        Its ``dropped`` and ``report()`` say what was left out and why, including what the single
        corpora had left out before.

    Raises
    ------
    CorpusError
        Two corpora of one name, a label that does not occur, a corpus without any utterance left.

    Examples
    --------
    >>> from sklearn_ser.datasets import make_speech_corpus
    >>> acted = make_speech_corpus(2, 1, ("anger", "calm", "neutral"), name="acted")
    >>> talk = make_speech_corpus(2, 1, ("anger", "neutral", "sadness"), name="talk")
    >>> both = concat_corpora(
    ...     [acted, talk], emotion_map={"acted": {"calm": "neutral"}}, emotions="shared"
    ... )
    >>> print(both.report())
    acted + talk: 10 utterances
            utterances  speakers  female  male  anger  neutral
    corpus
    acted            6         2       1     1      2        4
    talk             4         2       1     1      2        2
    Left out: 2 utterances
      talk: 2 sadness: not in every corpus
    """
    corpora = _checked(corpora)
    frame = text_as_object(pd.concat([c.frame for c in corpora], ignore_index=True))
    labels = {name: set(part) for name, part in frame.groupby("corpus")["emotion"]}
    maps = _maps_by_corpus(emotion_map, labels)
    mapped = [
        maps[name].get(label, label)
        for name, label in zip(frame["corpus"], frame["emotion"], strict=True)
    ]
    mapped = pd.Series(mapped, index=frame.index, dtype=object)
    found = {name: set(part.dropna()) for name, part in mapped.groupby(frame["corpus"])}
    wanted, reason = _labels_to_keep(emotions, found)
    kept = mapped.isin(wanted)
    for name, of_corpus in found.items():
        if not of_corpus & wanted:
            raise CorpusError(
                f"no utterance of corpus {name!r} is left: its emotions are {sorted(of_corpus)} "
                f"after emotion_map, kept are {sorted(wanted)}. Change emotion_map or emotions, "
                f"or leave this corpus out."
            )
    left_out = [
        *(corpus.dropped_rows for corpus in corpora),
        rows_left_out(frame, mapped.isna(), "mapped to nothing by emotion_map"),
        rows_left_out(frame, mapped.notna() & ~kept, reason),
    ]
    frame = frame.assign(emotion=mapped)[kept].reset_index(drop=True)
    return Corpus(
        in_contract_order(frame),
        " + ".join(corpus.name for corpus in corpora),
        description="\n".join(f"{c.name}: {c.description}" for c in corpora if c.description),
        license="\n".join(f"{c.name}: {c.license}" for c in corpora if c.license),
        citation="\n".join(f"{c.name}: {c.citation}" for c in corpora if c.citation),
        dropped_rows=pd.concat(left_out, ignore_index=True),
    )


def _checked(corpora):
    """The corpora as a list, their names and speakers unique."""
    if isinstance(corpora, Mapping):
        for key, corpus in corpora.items():
            if isinstance(corpus, Corpus) and key != corpus.name:
                raise CorpusError(
                    f"the dict calls corpus {corpus.name!r} {key!r}; expected its own name as "
                    f"the key (give it another with load_corpus(..., name={key!r}))."
                )
        corpora = corpora.values()
    corpora = [corpora] if isinstance(corpora, Corpus) else list(corpora)
    for corpus in corpora:
        if not isinstance(corpus, Corpus):
            raise CorpusError(
                f"concat_corpora got a {type(corpus).__name__}; expected Corpus objects, as "
                f"load_corpus and make_speech_corpus return them."
            )
    if not corpora:
        raise CorpusError("concat_corpora got no corpus.")
    names = [name for corpus in corpora for name in corpus.frame["corpus"].unique()]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise CorpusError(
            f"several of the corpora have the name {repeated[0]!r}; names must differ, or their "
            f"speakers could not be told apart. Load one with another name=."
        )
    return corpora


def _maps_by_corpus(emotion_map, labels):
    """One complete map per corpus, from entries for all and entries for one."""
    entries = dict(emotion_map or {})
    for_one = {key: value for key, value in entries.items() if isinstance(value, Mapping)}
    for_all = checked_emotion_map({k: v for k, v in entries.items() if k not in for_one})
    strangers = sorted(set(for_one) - set(labels))
    if strangers:
        raise CorpusError(
            f"emotion_map has entries for corpus {strangers[0]!r}, which is not among "
            f"{sorted(labels)}."
        )
    everywhere = set.union(*labels.values())
    check_all_used(set(for_all) - everywhere, "these corpora", everywhere)
    for name, own in for_one.items():
        check_all_used(
            set(checked_emotion_map(own)) - labels[name], f"corpus {name!r}", labels[name]
        )
    return {name: for_all | dict(for_one.get(name, {})) for name in labels}


def _labels_to_keep(emotions, found):
    """The label set, and the reason to give for leaving other utterances out."""
    everywhere = set.union(*found.values())
    if emotions is None:
        return everywhere, ""
    if isinstance(emotions, str):
        if emotions != "shared":
            raise CorpusError(
                f"emotions={emotions!r}: expected a sequence of labels, 'shared' or None"
            )
        shared = set.intersection(*found.values())
        if not shared:
            raise CorpusError(
                "emotions='shared': no emotion occurs in every corpus. Map labels onto each other "
                "with emotion_map, or name the ones to keep."
            )
        return shared, "not in every corpus"
    unknown = sorted(set(emotions) - everywhere)
    if unknown:
        raise CorpusError(
            f"emotions: no utterance has {', '.join(map(repr, unknown))}; the labels after "
            f"emotion_map are {sorted(everywhere)}."
        )
    return set(emotions), "not among emotions"
