"""Seeded synthetic emotional speech for tests, documentation and demos.

Glottal pulses are filtered by formants. The pulse is Rosenberg's (J. Acoust. Soc. Am. 49, 1971),
the formant filter a cascade of second-order resonators as in Klatt's synthesizer (J. Acoust. Soc.
Am. 67, 1980). The directions in which an emotion moves the voice follow Scherer, "Vocal
communication of emotion" (Speech Communication 40, 2003). The model is not a realistic one.
"""

from __future__ import annotations

import numbers
import os
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from scipy.signal import butter, lfilter, sosfilt
from sklearn.utils import check_random_state

from sklearn_ser.datasets._corpus import Corpus, check_corpus_name
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._public import public_module


@dataclass(frozen=True)
class _Expression:
    """Effect of an emotion on a neutral voice."""

    pitch: float  # semitones
    pitch_range: float  # factor on the width of the melody
    level: float  # dB
    rate: float  # factor on syllables per second
    tilt: float  # 0 is neutral, above is brighter, below is duller
    roughness: float  # factor on jitter and shimmer
    arousal: float  # 0 to 1
    valence: float  # 0 to 1


EXPRESSIONS = {
    "neutral": _Expression(0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.4, 0.5),
    "anger": _Expression(3.0, 1.5, 7.0, 1.15, 0.9, 2.0, 0.9, 0.15),
    "happiness": _Expression(4.5, 1.9, 4.0, 1.08, 0.45, 1.0, 0.75, 0.9),
    "sadness": _Expression(-1.5, 0.55, -6.0, 0.78, -0.8, 1.3, 0.2, 0.15),
    "fear": _Expression(5.5, 0.9, 1.0, 1.25, 0.1, 2.4, 0.8, 0.2),
    "disgust": _Expression(-1.0, 1.1, 1.0, 0.85, 0.1, 1.9, 0.5, 0.15),
    "surprise": _Expression(6.0, 2.3, 3.0, 1.0, 0.3, 1.1, 0.8, 0.6),
    "boredom": _Expression(-1.5, 0.4, -3.0, 0.82, -0.4, 0.9, 0.15, 0.35),
    "calm": _Expression(-0.5, 0.75, -4.0, 0.9, -0.5, 0.7, 0.2, 0.7),
    "contempt": _Expression(-1.0, 0.9, -1.0, 0.9, -0.1, 1.2, 0.4, 0.2),
}

# First four formants (Hz) of an adult male's vowels, after Peterson and Barney (1952).
_VOWELS = np.array(
    [
        [270, 2290, 3010, 3500],
        [530, 1840, 2480, 3500],
        [730, 1090, 2440, 3500],
        [570, 840, 2410, 3400],
        [300, 870, 2240, 3400],
    ],
    dtype=float,
)
_BANDWIDTHS = np.array([70.0, 90.0, 130.0, 200.0])
_CONSONANTS = ("none", "none", "fricative", "burst", "pause")
_OPEN, _CLOSING = 0.42, 0.18  # parts of a glottal period
_NEUTRAL_SYLLABLES_PER_SECOND = 4.6
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
    n_syllables = max(2, round((duration - 0.1) * _NEUTRAL_SYLLABLES_PER_SECOND))
    sentences = [
        _draw_sentence(n_syllables, np.random.default_rng([corpus_key, 1, text]))
        for text in range(n_utterances)
    ]
    record = _Channel(corpus_key, sampling_rate) if channel == "auto" else None
    rows = []
    for number in range(n_speakers):
        gender = ("female", "male")[number % 2]
        speaker = _Speaker(gender, np.random.default_rng([seed, corpus_key, 2, number]))
        for text, sentence in enumerate(sentences):
            for emotion in emotions:
                key = [seed, corpus_key, 3, number, text, zlib.crc32(emotion.encode())]
                rng = np.random.default_rng(key)
                signal, strength = _speak(speaker, emotion, sentence, sampling_rate, rng)
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


class _Speaker:
    """Properties of a voice that do not depend on the emotion."""

    def __init__(self, gender, rng):
        female = gender == "female"
        self.pitch = (205.0 if female else 115.0) * 2 ** (rng.normal(0, 1.2) / 12)  # Hz
        self.tract = (1.16 if female else 1.0) * (1 + 0.03 * rng.normal())  # factor on all formants
        self.level = rng.normal(0, 2.0)  # dB
        self.rate = float(np.clip(1 + 0.08 * rng.normal(), 0.8, 1.2))
        self.tilt = 0.2 * rng.normal()
        self.breath = 0.01 * 2 ** rng.normal(0, 0.7)  # aspiration noise relative to the voice
        self.expressivity = rng.uniform(0.7, 1.2)  # factor on the effect of an emotion


def _draw_sentence(n_syllables, rng):
    """Draw a text: the vowel, the consonant before it, and the stress of each syllable."""
    vowels = rng.integers(0, len(_VOWELS), n_syllables)
    consonants = rng.integers(0, len(_CONSONANTS), n_syllables)
    return vowels, consonants, rng.uniform(0.7, 1.0, n_syllables)


def _speak(speaker, emotion, sentence, sampling_rate, rng):
    """Return the samples of an utterance (neutral: about -26 dBFS), and the emotion's strength."""
    expression = EXPRESSIONS[emotion]
    strength = speaker.expressivity * float(np.clip(rng.normal(1.0, 0.3), 0.2, 1.7))
    vowels, consonants, stress = sentence
    rate = speaker.rate * expression.rate**strength * 2 ** rng.normal(0, 0.08)
    lengths = (
        sampling_rate
        * rng.normal(1.0, 0.12, len(vowels)).clip(0.6, 1.5)
        / (_NEUTRAL_SYLLABLES_PER_SECOND * rate)
    ).astype(int)
    edge = int(0.05 * sampling_rate)
    starts = edge + np.concatenate([[0], np.cumsum(lengths)])
    n_samples = int(starts[-1]) + edge

    pitch = _melody(speaker, expression, strength, starts, stress, n_samples, rng)
    rough = expression.roughness**strength
    source = _glottal_source(pitch / sampling_rate, 0.012 * rough, 0.05 * rough, rng)
    source = _tilted(source, speaker.tilt + strength * expression.tilt, sampling_rate)
    source += speaker.breath * np.std(source) * rng.standard_normal(n_samples)

    signal = np.zeros(n_samples)
    fade = int(0.02 * sampling_rate)
    for vowel, consonant, loud, start, stop in zip(
        vowels, consonants, stress, starts[:-1], starts[1:], strict=True
    ):
        start = start + _add_consonant(signal, _CONSONANTS[consonant], start, stop, fade, rng)
        low, high = start - fade, stop + fade
        voiced = lfilter([1.0], _formants(vowel, speaker.tract, sampling_rate), source[low:high])
        signal[low:high] += loud * _fade_in_and_out(voiced / _rms(voiced), 2 * fade)
    decibels = -26.0 + speaker.level + strength * expression.level + rng.normal(0, 1.0)
    signal -= signal.mean()
    return signal * (10 ** (decibels / 20) / _rms(signal)), strength


def _melody(speaker, expression, strength, starts, stress, n_samples, rng):
    """Return F0 in Hz at every sample: a falling line with an accent on each syllable."""
    base = strength * expression.pitch + rng.normal(0, 0.7)
    width = expression.pitch_range**strength
    accents = width * (3.0 * (stress - 0.85) / 0.15 * 0.5 + rng.normal(0, 0.6, len(stress)))
    decline = width * np.linspace(1.2, -1.2, len(stress))
    middles = (starts[:-1] + starts[1:]) / 2
    semitones = np.interp(np.arange(n_samples), middles, base + accents + decline)
    return speaker.pitch * 2 ** (semitones / 12)


def _glottal_source(cycles_per_sample, jitter, shimmer, rng):
    """Return the derivative of a Rosenberg pulse train with jitter and shimmer."""
    phase = np.cumsum(cycles_per_sample)
    n_periods = int(phase[-1]) + 2
    wander = np.interp(phase, np.arange(n_periods), jitter * rng.standard_normal(n_periods))
    phase = np.maximum.accumulate(phase + wander - wander.min())
    period, position = np.divmod(phase, 1.0)
    opening = position < _OPEN
    closing = (position >= _OPEN) & (position < _OPEN + _CLOSING)
    flow = np.where(opening, 0.5 * (1 - np.cos(np.pi * position / _OPEN)), 0.0)
    flow = np.where(closing, np.cos(np.pi / 2 * (position - _OPEN) / _CLOSING), flow)
    size = 1 + shimmer * rng.standard_normal(int(period[-1]) + 1)
    return np.diff(flow * size[period.astype(int)], prepend=0.0)


def _tilted(source, tilt, sampling_rate):
    """Apply a one-pole low-pass: a low `tilt` sounds dull, a high one bright."""
    corner = 900.0 * 2 ** (1.3 * tilt)
    pole = np.exp(-2 * np.pi * min(corner, 0.45 * sampling_rate) / sampling_rate)
    return lfilter([1 - pole], [1.0, -pole], source)


def _formants(vowel, tract, sampling_rate):
    """Return the denominator of the cascade of resonators of a vowel."""
    frequencies = _VOWELS[vowel] * tract
    present = frequencies < 0.45 * sampling_rate
    radius = np.exp(-np.pi * _BANDWIDTHS[present] / sampling_rate)
    poles = radius * np.exp(2j * np.pi * frequencies[present] / sampling_rate)
    return np.poly(np.concatenate([poles, poles.conj()])).real


def _add_consonant(signal, consonant, start, stop, fade, rng):
    """Add a consonant at the start of a syllable; return its number of samples."""
    if consonant == "none":
        return 0
    length = int((stop - start) * rng.uniform(0.25, 0.4))
    if consonant == "fricative":
        noise = np.diff(rng.standard_normal(length + 1))
        signal[start : start + length] += 0.2 * _fade_in_and_out(noise, min(fade, length // 2))
    elif consonant == "burst":
        burst = min(length, fade)
        noise = rng.standard_normal(burst) * np.exp(-5 * np.arange(burst) / burst)
        signal[start + length - burst : start + length] += 0.6 * noise
    return length


def _fade_in_and_out(signal, length):
    ramp = 0.5 * (1 - np.cos(np.pi * (np.arange(length) + 0.5) / length))
    signal = signal.copy()
    signal[:length] *= ramp
    signal[-length:] *= ramp[::-1]
    return signal


def _rms(signal):
    return np.sqrt(np.mean(signal**2))
