"""Evaluation protocols: which samples are trained on and which are tested in each fold."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.model_selection import LeaveOneCorpusOut, SpeakerKFold
from sklearn_ser.utils._ids import id_codes


@dataclass(frozen=True)
class Fold:
    """One training and test split, as positions in the evaluated samples.

    `name` is that of the test part, such as "emodb, speakers 2/5"; `train_corpora` are joined by
    "+". Labels and auxiliary targets of the training samples in `hidden`, those under test, are
    hidden from the estimator.
    """

    name: str
    train_corpora: str
    train: np.ndarray
    test: np.ndarray
    hidden: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=int))


def make_folds(
    protocol: str, *, y: np.ndarray, corpus: np.ndarray, speaker: np.ndarray, n_splits: int = 5
) -> list[Fold]:
    """List the folds of a protocol, which :func:`cross_corpus_validate` describes."""
    if protocol not in PROTOCOLS:
        raise ValueError(f"protocol must be one of {list(PROTOCOLS)}, got {protocol!r}")
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
            f"protocol {protocol!r} needs at least 2 corpora, and the data has {len(names)} "
            f"({names}): add a corpus or use protocol='within-corpus'"
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
        # (without classes: one that is absent from training is noted, not raised)
        for train, test in LeaveOneCorpusOut().split(y, corpus=corpus)
    ]


def _speaker_folds(name, rows, y, speaker, n_splits):
    """Return speaker-disjoint folds over some samples."""
    n_speakers = len(set(speaker[rows]))
    n_splits = min(n_splits, n_speakers)
    if n_splits < 2:
        raise MetadataError(
            f"{name!r} has {n_speakers} speaker: speaker-disjoint folds need at least 2"
        )
    # Not by `split`, for which a class that is absent from training is an error.
    codes, speakers = id_codes(speaker[rows])
    masks = SpeakerKFold(n_splits)._iter_masks(codes, speakers, y[rows])
    return [
        Fold(f"{name}, speakers {k}/{n_splits}", name, rows[train], rows[test])
        for k, (train, test) in enumerate(masks, start=1)
    ]


def check_unique_speakers(corpus: np.ndarray, speaker: np.ndarray) -> None:
    """Check that no speaker id is in two corpora, where it could mean two different people."""
    home: dict = {}
    for where, name in zip(corpus, speaker, strict=True):
        if home.setdefault(name, where) != where:
            raise MetadataError(
                f"speaker {name!r} is in two corpora ({home[name]!r} and {where!r}): speaker ids "
                f"must be unique over all corpora, such as {home[name]}/{name}; load_corpus makes "
                f"them so"
            )


PROTOCOLS = ("leave-one-corpus-out", "within-corpus", "pairwise", "aggregated")
