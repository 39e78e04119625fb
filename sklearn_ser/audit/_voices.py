"""Voices by speaker embeddings: one voice under two ids, and two voices under one id.

Embeddings also depend on emotion, text and recording. So everything is calibrated within the
corpus: the effect of the labels is subtracted, directions in which utterances of one id vary are
weighted down, and the voices of two ids are compared with those of all other ids and with halves of
single ids.
"""

from __future__ import annotations

import warnings
from itertools import combinations

import numpy as np
import pandas as pd

from sklearn_ser.audit._report import Finding, name_values, plural
from sklearn_ser.exceptions import SerWarning
from sklearn_ser.feature_extraction import SpeakerEmbedding

#: Smallest number of utterances of an id that is compared with others, and of one that is divided
#: in two; smallest number of such ids.
MIN_UTTERANCES, MIN_TO_DIVIDE, MIN_IDS = 4, 8, 5
#: Weight of a spherical covariance matrix in that of the utterances of one id.
SHRINKAGE = 0.5
#: Smallest distance on Fisher's scale of the similarity of most halves and that of most pairs of
#: ids: without it, the embedding does not distinguish these voices (0.5 to 1.5 in real corpora).
MIN_GAP = 0.3
#: Share of the utterances of each of two ids that are closer to the other one, from which on they
#: have one voice. Two halves of one id have 0.2 to 0.5, two voices 0 to 0.05 (six real corpora).
MIN_EXCHANGED = 0.1
#: Deviation of a divided id from the median of the others, in robust standard deviations, from
#: which on it has two voices.
MAX_DEVIATION = 3.0
#: Number of random halves of an id, and of merged ids, for comparison.
N_HALVES, N_MERGED = 5, 30


def embed_voices(table: pd.DataFrame, audio: str, n_jobs: int | None, verbose: int) -> np.ndarray:
    """Return the speaker embedding of each row; NaN where there is none."""
    extractor = SpeakerEmbedding(
        "unit",
        audio=audio,
        on_error="warn",
        beyond_full_scale="clip",
        n_jobs=n_jobs,
        verbose=verbose,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SerWarning)  # failed audio is a finding of its own
        return np.asarray(extractor.fit_transform(table), dtype=float)


def check_voices(
    table: pd.DataFrame, embeddings: np.ndarray, corpus: str, y: str, rng: np.random.Generator
) -> list[Finding] | None:
    """Find ids with one voice and ids with two in one corpus; None if voices are too similar."""
    known = np.isfinite(embeddings).all(axis=1)
    table, embeddings = table[known], embeddings[known]
    voices = _Voices(embeddings, table["speaker"].astype(str), table[y].astype(str))
    rows_of = table.groupby(table["speaker"].astype(str)).groups
    findings = []
    pairs = voices.same(rng)
    if pairs is None:
        return None
    if pairs:
        rows = [row for pair in pairs for name in pair[:2] for row in rows_of[name]]
        first, second, exchanged, similarity = pairs[0]
        text = (
            f"{plural(len(pairs), 'pair')} of speakers with one voice "
            f"({name_values([f'{a} and {b}' for a, b, *_ in pairs])}). Of the "
            f"utterances of each of the first two, {exchanged:.0%} or more are closer to the other "
            f"one. The similarity of "
            f"{first} and {second} is {similarity:.2f}, that of two halves of one speaker "
            f"{voices.similarity_of_halves:.2f}, of 90 % of the other speakers less than "
            f"{voices.similarity_of_others:.2f}. A split by speaker may have this voice on "
            f"both sides: listen to some utterances, and use one id if it is one person."
        )
        findings.append(Finding("one voice under two ids", "warning", corpus, text, set(rows)))
    mixed = voices.mixed(rng)
    if mixed:
        rows = [row for name, _ in mixed for row in rows_of[name]]
        name, similarity = mixed[0]
        names = name_values([item[0] for item in mixed])
        text = (
            f"{plural(len(mixed), 'speaker')} with two voices ({names}). "
            f"Divided in two by voice, the utterances of {name} have a similarity of "
            f"{similarity:.2f}, those of other speakers {voices.similarity_of_divided:.2f} "
            f"(median), and most of two speakers as one less than "
            f"{voices.similarity_of_merged:.2f}. Scaling and splits by speaker assume one "
            f"person: listen to some utterances, and use two ids if there are two."
        )
        findings.append(Finding("two voices under one id", "warning", corpus, text, rows))
    return findings


def has_enough_utterances(speakers: pd.Series) -> bool:
    """Return whether there are enough utterances of enough speakers to compare their voices."""
    return (speakers.value_counts() >= MIN_TO_DIVIDE).sum() >= MIN_IDS


class _Voices:
    """Embeddings of utterances of one corpus, by id."""

    def __init__(self, embeddings, ids, labels):
        codes, self.names = pd.factorize(ids, sort=True)
        self.codes, self.labels = codes, pd.factorize(labels)[0]
        self.counts = np.bincount(codes, minlength=len(self.names))
        centered = embeddings - embeddings.mean(axis=0)
        within = centered - _means(centered, codes)[codes]
        self.centered = centered - _means(within, self.labels)[self.labels]
        self.within = within
        self.scatter = within.T @ within
        self.similarity_of_halves = self.similarity_of_others = np.nan
        self.similarity_of_divided = self.similarity_of_merged = np.nan

    def _vectors(self, rows, left_out=()):
        """Return unit vectors of rows, with the covariance of all ids but those left out."""
        scatter, n = self.scatter, len(self.codes)
        for code in left_out:
            own = self.within[self.codes == code]
            scatter, n = scatter - own.T @ own, n - len(own)
        covariance = scatter / n
        spherical = np.trace(covariance) / len(covariance) * np.eye(len(covariance))
        covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * spherical
        return _unit(self.centered[rows] @ np.linalg.cholesky(np.linalg.inv(covariance)))

    def same(self, rng):
        """Return pairs of ids with one voice, share of exchanged utterances and similarity.

        None if ids are as similar as halves of them, so that nothing can be concluded.
        """
        kept = np.flatnonzero(self.counts >= MIN_UTTERANCES)
        vectors = self._vectors(slice(None))
        sums = np.stack([vectors[self.codes == code].sum(axis=0) for code in kept])
        centers = _unit(sums)
        similarity = centers @ centers.T
        exchanged = np.zeros(similarity.shape)
        n_exchanged = np.zeros(similarity.shape)
        for k, code in enumerate(kept):
            own = vectors[self.codes == code]
            to_own = (own * _unit(sums[k] - own)).sum(axis=1)
            closer = own @ centers.T > to_own[:, None]
            exchanged[k], n_exchanged[k] = closer.mean(axis=0), closer.sum(axis=0)
        pairs = np.triu_indices(len(kept), 1)
        both = np.minimum(exchanged, exchanged.T)
        halves = self._halves(vectors, rng)
        self.similarity_of_halves = float(np.median(halves))
        self.similarity_of_others = float(np.quantile(similarity[pairs], 0.9))
        halves_of_most = np.quantile(halves, 0.1)
        if np.arctanh(halves_of_most) - np.arctanh(self.similarity_of_others) < MIN_GAP:
            return None
        limit = _between(self.similarity_of_halves, self.similarity_of_others)
        is_same = ((similarity >= limit) & (both > 0)) | (
            (both >= MIN_EXCHANGED) & (np.minimum(n_exchanged, n_exchanged.T) >= 2)
        )
        return sorted(
            (
                (self.names[kept[i]], self.names[kept[j]], both[i, j], similarity[i, j])
                for i, j in zip(*pairs, strict=True)
                if is_same[i, j]
            ),
            key=lambda pair: (-pair[2], -pair[3]),
        )

    def _halves(self, vectors, rng):
        """Return the similarity of random halves of each id with enough utterances."""
        similarities = []
        for code in np.flatnonzero(self.counts >= MIN_TO_DIVIDE):
            own = vectors[self.codes == code]
            orders = [rng.permutation(len(own)) for _ in range(N_HALVES)]
            parts = [
                _unit(np.stack([own[order[::2]].mean(axis=0), own[order[1::2]].mean(axis=0)]))
                for order in orders
            ]
            similarities.append(np.median([first @ second for first, second in parts]))
        return similarities

    def mixed(self, rng):
        """Return ids with two voices, and the similarity of these."""
        kept = np.flatnonzero(self.counts >= MIN_TO_DIVIDE)
        divided = {code: self._divide((code,)) for code in kept}
        pairs = list(combinations(kept, 2))
        chosen = rng.permutation(len(pairs))[:N_MERGED]
        merged = [self._divide(pairs[k]) for k in chosen]
        self.similarity_of_divided = float(np.median(list(divided.values())))
        self.similarity_of_merged = float(np.quantile(merged, 0.75))
        usual = np.arctanh(list(divided.values()))
        spread = np.median(np.abs(usual - np.median(usual))) / 0.6745
        limit = min(
            _between(self.similarity_of_divided, self.similarity_of_merged),
            float(np.tanh(np.median(usual) - MAX_DEVIATION * spread)),
        )
        mixed = [(self.names[code], value) for code, value in divided.items() if value < limit]
        return sorted(mixed, key=lambda item: item[1])

    def _divide(self, ids):
        """Return the similarity of two groups into which the utterances of ids are divided."""
        rows = np.flatnonzero(np.isin(self.codes, ids))
        vectors = self._vectors(rows, left_out=ids)
        # Without the means of the labels the groups are not those of emotions.
        residuals = vectors - _means(vectors, self.labels[rows])[self.labels[rows]]
        _, _, directions = np.linalg.svd(residuals, full_matrices=False)
        groups = residuals @ directions[0] > 0
        for _ in range(20):
            centers = np.stack([residuals[groups == side].mean(axis=0) for side in (False, True)])
            distances = np.square(residuals[:, None] - centers).sum(axis=2)
            closest = distances[:, 1] < distances[:, 0]
            if (closest == groups).all() or closest.all() or not closest.any():
                break
            groups = closest
        first, second = _unit(np.stack([vectors[groups == side].mean(axis=0) for side in (0, 1)]))
        return float(first @ second)


def _between(first, second):
    """Return the similarity in the middle of two, on Fisher's scale."""
    return float(np.tanh((np.arctanh(first) + np.arctanh(second)) / 2))


def _means(values, codes):
    """Return the mean of the rows of each code."""
    sums = np.zeros((codes.max() + 1, values.shape[1]))
    np.add.at(sums, codes, values)
    return sums / np.maximum(np.bincount(codes), 1)[:, None]


def _unit(vectors):
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
