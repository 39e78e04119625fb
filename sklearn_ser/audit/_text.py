"""Labels that are found in sentences of the training set, but not in other sentences.

A classifier on coarse spectra predicts the labels of unseen speakers twice: trained on other
sentences than those of the test set, and on as many utterances of all sentences. The test rows are
the same, and so are the sizes of the training sets and their labels.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from scipy.fft import rfft
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_ser.audit._confounders import SIGNIFICANCE_LEVEL, WARNING_EFFECT
from sklearn_ser.audit._labels import is_known
from sklearn_ser.audit._report import Finding

#: Frames, bands and parts of the spectra; frames that are softer than the loudest by `QUIET` dB are
#: left out.
_SIZE, _HOP, _N_BANDS, _N_PARTS, _QUIET = 256, 128, 20, 4, 40.0
_LOWEST, _HIGHEST = 100.0, 3800.0
#: Number of folds of speakers and of sentences, and largest number of training rows.
_SPEAKER_FOLDS, _SENTENCE_FOLDS, _MAX_ROWS = 5, 4, 1000
#: Smallest number of speakers and of utterances of a label, and share of the rows whose sentence
#: other speakers say as well.
MIN_SPEAKERS, MIN_UTTERANCES, MIN_SHARED = 5, 10, 0.5
#: Share of what is found in seen sentences (above chance) that is lost in unseen ones, at the lower
#: end of its interval, from which on it is a warning and an error. EmoDB, nEMO and TurEV have 0.01
#: and less, RAVDESS with its two sentences 0.17: other words say an emotion differently.
SOME_LOST, MOST_LOST = 0.33, 0.6


def coarse_spectrum(signal: np.ndarray, rate: int) -> np.ndarray:
    """Return log energies of bands in consecutive parts of the speech, relative to their mean."""
    frames = np.lib.stride_tricks.sliding_window_view(
        np.pad(signal, (0, max(0, _SIZE - len(signal)))), _SIZE
    )[::_HOP]
    power = np.square(np.abs(rfft(frames * np.hanning(_SIZE).astype(np.float32), axis=1)))
    edges = np.geomspace(_LOWEST, _HIGHEST, _N_BANDS + 1) / (rate / _SIZE)
    edges = np.maximum(np.round(edges).astype(int), int(edges[0]) + np.arange(_N_BANDS + 1))
    energy = np.add.reduceat(power, edges, axis=1)[:, :_N_BANDS]
    total = energy.sum(axis=1)
    energy = energy[total >= total.max() * 10 ** (-_QUIET / 10)]
    logs = np.log(energy + 1e-10)
    parts = [part.mean(axis=0) for part in np.array_split(logs, min(_N_PARTS, len(logs)))]
    parts += parts[-1:] * (_N_PARTS - len(parts))
    return np.concatenate([*(part - logs.mean() for part in parts), logs.std(axis=0)])


@dataclass
class SentenceTest:
    """UAR in seen and in unseen sentences, interval of the difference over speakers, and its p."""

    seen: float
    unseen: float
    chance: float
    low: float
    high: float
    p: float


def check_sentences(
    table: pd.DataFrame,
    features: np.ndarray,
    corpus: str,
    y: str,
    rng: np.random.Generator,
) -> list[Finding] | str:
    """Compare seen and unseen sentences of one corpus; return findings, or why it is not done."""
    known = is_known(table["text"]) & np.isfinite(features).all(axis=1)
    table, features = table[known], features[known]
    labels, speakers, texts = (
        table[name].astype(str).to_numpy() for name in (y, "speaker", "text")
    )
    reason = _obstacle(labels, speakers, texts)
    if reason is not None:
        return reason
    test = compare_sentences(features, labels, speakers, texts, rng)
    above_chance = test.seen - test.chance
    if test.p > SIGNIFICANCE_LEVEL or above_chance < WARNING_EFFECT * (1 - test.chance):
        return []
    lost = test.low / above_chance
    if lost < SOME_LOST:
        return []
    severity, flaw = "warning", "label predicted worse in unseen sentences"
    if lost >= MOST_LOST:
        severity, flaw = "error", "label predictable mainly in seen sentences"
    text = (
        f"A classifier on coarse spectra predicts the label of unseen speakers with a UAR of "
        f"{test.seen:.2f} if it was trained on the sentences of the test set too, and of "
        f"{test.unseen:.2f} if it was trained on as many utterances of other sentences (95 % "
        f"interval of the difference {test.low:.2f} to {test.high:.2f}; chance {test.chance:.2f}). "
        f"A model can learn words or recordings instead of the emotion: keep sentences on one side "
        f"of a split (SentenceSpeakerKFold), and compare the scores."
    )
    return [Finding(flaw, severity, corpus, text, table.index)]


def _obstacle(labels, speakers, texts):
    """Return why seen and unseen sentences cannot be compared, or None."""
    n_sentences = len(np.unique(texts))
    if n_sentences < 2:
        return "there are fewer than 2 sentences"
    if len(np.unique(speakers)) < MIN_SPEAKERS:
        return f"there are fewer than {MIN_SPEAKERS} speakers"
    n_speakers = pd.Series(speakers).groupby(texts).transform("nunique")
    if (n_speakers > 1).mean() < MIN_SHARED:
        return "most sentences are said by one speaker only"
    _, counts = np.unique(labels, return_counts=True)
    if len(counts) < 2:
        return "there is one label only"
    if counts.min() < MIN_UTTERANCES:
        return f"a label has fewer than {MIN_UTTERANCES} utterances"
    if pd.Series(texts).groupby(labels).nunique().min() < 2:
        return "a label has one sentence only"
    return None


def compare_sentences(
    features: np.ndarray,
    labels: np.ndarray,
    speakers: np.ndarray,
    texts: np.ndarray,
    rng: np.random.Generator,
) -> SentenceTest:
    """Predict labels of unseen speakers, trained on other sentences and on all sentences."""
    classes = np.unique(labels)
    folds = StratifiedGroupKFold(min(_SENTENCE_FOLDS, len(np.unique(texts))))
    hits = np.full((2, len(labels)), np.nan)
    for other_sentences, of_sentences in folds.split(features, labels, texts):
        by_speaker = GroupKFold(min(_SPEAKER_FOLDS, len(np.unique(speakers))))
        for others, own in by_speaker.split(features, labels, speakers):
            test = np.intersect1d(own, of_sentences)
            unseen = _limit(np.intersect1d(others, other_sentences), rng)
            if not len(test) or len(np.unique(labels[unseen])) < len(classes):
                continue
            seen = np.concatenate(
                [
                    rng.choice(others[labels[others] == label], n, replace=False)
                    for label, n in zip(*np.unique(labels[unseen], return_counts=True), strict=True)
                ]
            )
            for side, train in enumerate((seen, unseen)):
                model = make_pipeline(StandardScaler(), SVC(C=3.0, class_weight="balanced"))
                predicted = model.fit(features[train], labels[train]).predict(features[test])
                hits[side, test] = predicted == labels[test]
    tested = np.isfinite(hits[0])
    table = pd.DataFrame({"seen": hits[0], "unseen": hits[1], "label": labels, "speaker": speakers})
    table = table[tested]
    seen, unseen = table.groupby("label")[["seen", "unseen"]].mean().mean()
    by_speaker = table.groupby(["speaker", "label"])[["seen", "unseen"]].mean()
    by_speaker = by_speaker.groupby("speaker").mean()
    n = len(by_speaker)
    t = stats.t.ppf(0.975, n - 1) / math.sqrt(n)
    difference = by_speaker["seen"] - by_speaker["unseen"]
    loss, spread = difference.mean(), difference.std()
    return SentenceTest(
        seen,
        unseen,
        1 / len(classes),
        loss - t * spread,
        loss + t * spread,
        float(stats.t.sf(loss / max(spread / math.sqrt(n), 1e-9), n - 1)),
    )


def _limit(rows, rng):
    return rows if len(rows) <= _MAX_ROWS else np.sort(rng.choice(rows, _MAX_ROWS, replace=False))
