"""Source-filter model of an emotional voice: glottal pulses filtered by formants.

The pulse is Rosenberg's (J. Acoust. Soc. Am. 49, 1971), the formant filter a cascade of
second-order resonators as in Klatt's synthesizer (J. Acoust. Soc. Am. 67, 1980). The directions
in which an emotion moves the voice follow Scherer, "Vocal communication of emotion" (Speech
Communication 40, 2003). The voice serves tests and demonstrations; it is not a realistic model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter


@dataclass(frozen=True)
class Expression:
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
    "neutral": Expression(0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.4, 0.5),
    "anger": Expression(3.0, 1.5, 7.0, 1.15, 0.9, 2.0, 0.9, 0.15),
    "happiness": Expression(4.5, 1.9, 4.0, 1.08, 0.45, 1.0, 0.75, 0.9),
    "sadness": Expression(-1.5, 0.55, -6.0, 0.78, -0.8, 1.3, 0.2, 0.15),
    "fear": Expression(5.5, 0.9, 1.0, 1.25, 0.1, 2.4, 0.8, 0.2),
    "disgust": Expression(-1.0, 1.1, 1.0, 0.85, 0.1, 1.9, 0.5, 0.15),
    "surprise": Expression(6.0, 2.3, 3.0, 1.0, 0.3, 1.1, 0.8, 0.6),
    "boredom": Expression(-1.5, 0.4, -3.0, 0.82, -0.4, 0.9, 0.15, 0.35),
    "calm": Expression(-0.5, 0.75, -4.0, 0.9, -0.5, 0.7, 0.2, 0.7),
    "contempt": Expression(-1.0, 0.9, -1.0, 0.9, -0.1, 1.2, 0.4, 0.2),
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


@dataclass(frozen=True)
class Speaker:
    """Properties of a voice that do not depend on the emotion."""

    gender: str
    pitch: float  # Hz
    tract: float  # factor on all formants
    level: float  # dB
    rate: float
    tilt: float
    breath: float  # aspiration noise relative to the voice
    expressivity: float  # factor on the effect of an emotion

    @classmethod
    def draw(cls, gender, rng):
        female = gender == "female"
        return cls(
            gender=gender,
            pitch=(205.0 if female else 115.0) * 2 ** (rng.normal(0, 1.2) / 12),
            tract=(1.16 if female else 1.0) * (1 + 0.03 * rng.normal()),
            level=rng.normal(0, 2.0),
            rate=float(np.clip(1 + 0.08 * rng.normal(), 0.8, 1.2)),
            tilt=0.2 * rng.normal(),
            breath=0.01 * 2 ** rng.normal(0, 0.7),
            expressivity=rng.uniform(0.7, 1.2),
        )


def draw_sentence(n_syllables, rng):
    """Draw a text: the vowel, the consonant before it, and the stress of each syllable."""
    vowels = rng.integers(0, len(_VOWELS), n_syllables)
    consonants = rng.integers(0, len(_CONSONANTS), n_syllables)
    return vowels, consonants, rng.uniform(0.7, 1.0, n_syllables)


def n_syllables_for(duration):
    """Return the number of syllables in `duration` seconds of neutral speech."""
    return max(2, round((duration - 0.1) * _NEUTRAL_SYLLABLES_PER_SECOND))


def speak(speaker, emotion, sentence, sampling_rate, rng):
    """Synthesize one utterance of a sentence of `draw_sentence`.

    Returns samples without a DC offset, with the RMS of the level of the voice (about -26 dBFS for
    neutral), and the strength of the emotion in this utterance.
    """
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
