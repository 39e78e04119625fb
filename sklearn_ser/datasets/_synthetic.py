"""Seeded synthetic emotional speech for tests, documentation and demos."""

from __future__ import annotations

import numbers
import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from scipy.signal import butter, sosfilt
from sklearn.utils import check_random_state

from sklearn_ser.datasets._corpus import Corpus, check_corpus_name
from sklearn_ser.datasets._voice import EXPRESSIONS, Speaker, draw_sentence, n_syllables_for, speak
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._public import public_module

_PEAK = 0.9


@public_module("sklearn_ser.datasets")
def make_speech_corpus(
    n_speakers: int = 8,
    n_utterances: int = 2,
    emotions: Sequence[str] = ("anger", "happiness", "neutral", "sadness"),
    *,
    name: str = "synthetic",
    language: str = "xx",
    naturalness: str | None = "acted",
    channel: Literal["auto"] | None = "auto",
    duration: float = 1.2,
    sampling_rate: int = 16000,
    root: str | os.PathLike[str] | None = None,
    random_state: int | np.random.RandomState | None = None,
) -> Corpus:
    """Make a corpus of synthetic emotional speech.

    A source-filter voice speaks `n_utterances` sentences in every emotion: glottal pulses with
    jitter and shimmer, filtered by the formants of changing vowels, with some consonants and
    pauses. Emotion affects pitch and its range, loudness, rate and spectral tilt; speakers differ
    in all of these and in their expressivity. The recording channel of a corpus (pass band,
    equalization, level, noise floor) is drawn from its name: corpora differ as real ones do, and
    scaling each by its own statistics helps.

    Parameters
    ----------
    n_speakers : int, default=8
        Number of speakers, female and male in turn.
    n_utterances : int, default=2
        Number of utterances per speaker and emotion. The k-th has the k-th text of the corpus.
    emotions : sequence of str, default=("anger", "happiness", "neutral", "sadness")
        Emotions, any of anger, happiness, sadness, neutral, fear, disgust, surprise, boredom, calm,
        contempt.
    name : str, default="synthetic"
        Name of the corpus. Corpora of other names have other speakers, texts and channels.
    language, naturalness : str
        Values of these columns of the frame.
    channel : "auto" or None, default="auto"
        Recording channel: "auto" draws it from `name`, None is a clean recording.
    duration : float, default=1.2
        Approximate duration of a neutral utterance in seconds.
    sampling_rate : int, default=16000
        Sampling rate in Hz, at least 8000.
    root : path-like, optional
        Folder to write to: ``audio/*.wav`` (16 bit) and ``metadata.csv``, which
        ``load_corpus(name, root)`` reads. The column ``file`` then holds paths, otherwise
        ``(float32 array, sampling_rate)``.
    random_state : int, RandomState instance or None, default=None
        Seed or generator. With an int, an utterance does not depend on the number of others.

    Returns
    -------
    Corpus
        Corpus whose frame also has ``arousal`` and ``valence`` (0 to 1).

    Raises
    ------
    CorpusError
        If an emotion is unknown, or a number is too small.

    Examples
    --------
    >>> corpus = make_speech_corpus(n_speakers=2, n_utterances=1, random_state=0)
    >>> signal, sampling_rate = corpus.frame["file"][0]
    >>> signal.dtype, sampling_rate
    (dtype('float32'), 16000)
    >>> corpus.frame[["speaker", "gender", "emotion", "text"]].head(2)
            speaker  gender    emotion          text
    0  synthetic/s1  female      anger  synthetic/t1
    1  synthetic/s1  female  happiness  synthetic/t1
    """
    check_corpus_name(name)
    _check(n_speakers, n_utterances, emotions, naturalness, channel, duration, sampling_rate)
    seed = _seed(random_state)
    corpus_key = zlib.crc32(name.encode())
    sentences = [
        draw_sentence(n_syllables_for(duration), np.random.default_rng([corpus_key, 1, text]))
        for text in range(n_utterances)
    ]
    record = _Channel(corpus_key, sampling_rate) if channel == "auto" else None
    rows = []
    for number in range(n_speakers):
        gender = ("female", "male")[number % 2]
        speaker = Speaker.draw(gender, np.random.default_rng([seed, corpus_key, 2, number]))
        for text, sentence in enumerate(sentences):
            for emotion in emotions:
                key = [seed, corpus_key, 3, number, text, zlib.crc32(emotion.encode())]
                rng = np.random.default_rng(key)
                signal, strength = speak(speaker, emotion, sentence, sampling_rate, rng)
                signal = _normalize(signal if record is None else record(signal, rng))
                rows.append(
                    {
                        "file": (signal, sampling_rate),
                        "corpus": name,
                        "speaker": f"s{number + 1}",
                        "gender": gender,
                        "language": language,
                        "emotion": emotion,
                        "naturalness": naturalness,
                        "text": f"t{text + 1}",
                        **_affect(emotion, strength),
                    }
                )
    frame = pd.DataFrame(rows).astype(
        {column: object for column, value in rows[0].items() if not isinstance(value, float)}
    )
    if root is not None:
        frame["file"] = _write(frame, Path(root), sampling_rate)
    frame["speaker"] = name + "/" + frame["speaker"]
    frame["text"] = name + "/" + frame["text"]
    return Corpus(
        frame,
        name,
        description=f"Synthetic speech by sklearn_ser.datasets.make_speech_corpus, corpus {name}.",
        license="CC0 1.0",
    )


def _check(n_speakers, n_utterances, emotions, naturalness, channel, duration, sampling_rate):
    unknown = sorted(set(emotions) - set(EXPRESSIONS))
    if unknown or not len(emotions) or isinstance(emotions, str):
        raise CorpusError(
            f"emotions={emotions!r}: expected a sequence of one or more of {sorted(EXPRESSIONS)}"
            + (f"; unknown: {unknown}" if unknown and not isinstance(emotions, str) else "")
        )
    for label, value, least, kind in (
        ("n_speakers", n_speakers, 1, numbers.Integral),
        ("n_utterances", n_utterances, 1, numbers.Integral),
        ("duration", duration, 0.4, numbers.Real),
        ("sampling_rate", sampling_rate, 8000, numbers.Integral),
    ):
        if not isinstance(value, kind) or value < least:
            noun = "a whole number" if kind is numbers.Integral else "a number"
            raise CorpusError(f"{label}={value!r}: expected {noun} of at least {least}")
    if channel not in ("auto", None):
        raise CorpusError(f"channel={channel!r}: expected 'auto' or None")
    if naturalness not in ("acted", "elicited", "natural", None):
        raise CorpusError(
            f"naturalness={naturalness!r}: expected 'acted', 'elicited', 'natural' or None"
        )


def _seed(random_state):
    if isinstance(random_state, numbers.Integral):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


class _Channel:
    """Recording channel of a corpus: pass band, equalization, level and noise."""

    def __init__(self, corpus_key, sampling_rate):
        rng = np.random.default_rng([corpus_key, 4])
        highest = min(rng.uniform(3000, 7500), 0.45 * sampling_rate)
        band = (rng.uniform(50, 180), highest)
        self.band = butter(2, band, "bandpass", fs=sampling_rate, output="sos")
        self.shelf = rng.uniform(-0.4, 0.4)  # pre-emphasis (above 0) or the opposite
        self.gain = 10 ** (rng.uniform(-10, 2) / 20)
        self.noise = 10 ** (rng.uniform(-72, -52) / 20)

    def __call__(self, signal, rng):
        signal = sosfilt(self.band, signal)
        signal = signal - self.shelf * np.concatenate([[0.0], signal[:-1]])
        return self.gain * signal + self.noise * rng.standard_normal(len(signal))


def _normalize(signal):
    """Remove the DC offset, limit to full scale and convert to float32."""
    signal = signal - signal.mean()
    return (signal * min(1.0, _PEAK / np.abs(signal).max())).astype(np.float32)


def _affect(emotion, strength):
    neutral, expression = EXPRESSIONS["neutral"], EXPRESSIONS[emotion]
    values = {}
    for dimension in ("arousal", "valence"):
        center = getattr(neutral, dimension)
        value = center + strength * (getattr(expression, dimension) - center)
        values[dimension] = float(np.clip(value, 0.0, 1.0))
    return values


def _write(frame, root, sampling_rate):
    """Write the audio and the table in the generic layout; return the paths."""
    import soundfile

    (root / "audio").mkdir(parents=True, exist_ok=True)
    names = [
        f"audio/{row.speaker}_{row.text}_{row.emotion}.wav"
        for row in frame[["speaker", "text", "emotion"]].itertuples()
    ]
    for name, (signal, _) in zip(names, frame["file"], strict=True):
        soundfile.write(root / name, signal, sampling_rate, subtype="PCM_16")
    frame.assign(file=names).to_csv(root / "metadata.csv", index=False)
    return pd.Series([str(root.absolute() / name) for name in names], dtype=object)
