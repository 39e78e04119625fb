"""The four protocols: who is trained on, who is tested."""

from dataclasses import dataclass

import numpy as np

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.model_selection import LeaveOneCorpusOut, SpeakerKFold
from sklearn_ser.model_selection._base import sorted_codes


@dataclass(frozen=True)
class Fold:
    """One training and test split, as positions in the evaluated rows.

    Attributes
    ----------
    name : str
        Says what is tested, such as ``"emodb"`` or ``"emodb, speakers 2/5"``.
    train_corpora : str
        The training corpora, joined by ``+``.
    train, test : ndarray of int
    """

    name: str
    train_corpora: str
    train: np.ndarray
    test: np.ndarray


def make_folds(protocol, *, y, corpus, speaker, n_splits=5):
    """List the folds of a protocol, speakers disjoint in each of them.

    Parameters
    ----------
    protocol : {"leave-one-corpus-out", "within-corpus", "pairwise", "aggregated"}
        ``"leave-one-corpus-out"``: train on all corpora but one, test on that one.
        ``"within-corpus"``: speaker-disjoint folds inside each corpus.
        ``"pairwise"``: train on one corpus, test on another, every ordered pair.
        ``"aggregated"``: speaker-disjoint folds over all corpora together.
    y, corpus, speaker : ndarray of shape (n_samples,)
        Emotion, corpus and speaker of each row; speakers are unique over the corpora.
    n_splits : int, default=5
        Speaker-disjoint folds of "within-corpus" and "aggregated"; fewer in a corpus that has
        fewer speakers.

    Returns
    -------
    list of Fold
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {list(PROTOCOLS)}, got {protocol!r}")
    refuse_speakers_in_two_corpora(corpus, speaker)
    names = sorted(set(corpus))
    if protocol == "within-corpus":
        return [
            fold
            for name in names
            for fold in _speaker_folds(name, np.flatnonzero(corpus == name), y, speaker, n_splits)
        ]
    if protocol == "aggregated":
        return _speaker_folds("+".join(names), np.arange(len(y)), y, speaker, n_splits)
    if len(names) < 2:
        raise MetadataError(
            f"protocol {protocol!r} needs at least 2 corpora, the data has {len(names)} ({names}): "
            f"add a corpus or use protocol='within-corpus'"
        )
    if protocol == "pairwise":
        rows = {name: np.flatnonzero(corpus == name) for name in names}
        return [
            Fold(f"{source} -> {target}", source, rows[source], rows[target])
            for source in names
            for target in names
            if source != target
        ]
    return [
        Fold(corpus[test[0]], "+".join(sorted(set(corpus[train]))), train, test)
        # (without the classes: one that no training row has is noted of the fold, not refused)
        for train, test in LeaveOneCorpusOut().split(y, corpus=corpus)
    ]


def _speaker_folds(name, rows, y, speaker, n_splits):
    """Speaker-disjoint folds over some rows, named after what they hold."""
    n_speakers = len(set(speaker[rows]))
    n_splits = min(n_splits, n_speakers)
    if n_splits < 2:
        raise MetadataError(
            f"{name!r} has {n_speakers} speaker: speaker-disjoint folds need at least 2"
        )
    # Its masks and not its `split`: a class that no training row has is noted, not refused.
    masks = SpeakerKFold(n_splits)._iter_masks(*sorted_codes(speaker[rows]), y[rows])
    return [
        Fold(f"{name}, speakers {k}/{n_splits}", name, rows[train], rows[test])
        for k, (train, test) in enumerate(masks, start=1)
    ]


def refuse_speakers_in_two_corpora(corpus, speaker):
    """A speaker id that stands in two corpora would join or leak two different people."""
    first_corpus = {}
    for one_corpus, one_speaker in zip(corpus, speaker, strict=True):
        home = first_corpus.setdefault(one_speaker, one_corpus)
        if home != one_corpus:
            raise MetadataError(
                f"speaker '{one_speaker}' stands in two corpora ('{home}' and '{one_corpus}'): "
                f"speaker ids must be unique over all corpora, such as {home}/{one_speaker}; "
                f"load_corpus makes them so"
            )


PROTOCOLS = ("leave-one-corpus-out", "within-corpus", "pairwise", "aggregated")
