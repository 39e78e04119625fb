"""Coarse pitch of utterances by autocorrelation, and its consistency with sex labels."""

import math

import numpy as np
import pandas as pd
from scipy.fft import irfft, rfft

from sklearn_ser.audit._report import Finding, name_values, plural
from sklearn_ser.datasets._labels import GENDER_SPELLINGS

#: Pitch range of a speaking voice in Hz.
LOWEST, HIGHEST = 65.0, 450.0
#: Smallest autocorrelation at the period of a voiced frame, relative to that at lag 0.
VOICED = 0.6
#: Frames that are softer than the loudest by this much are ignored (dB).
MAX_BELOW_LOUDEST = 25.0


def median_pitch(signal: np.ndarray, rate: int) -> float:
    """Return the median pitch of the voiced frames in Hz; NaN with fewer than five."""
    size, hop = int(0.04 * rate), int(0.02 * rate)
    if len(signal) < size + 5 * hop:
        return math.nan
    starts = np.arange(0, len(signal) - size, hop)
    frames = signal[starts[:, None] + np.arange(size)].astype(np.float64)
    frames -= frames.mean(axis=1, keepdims=True)
    power = np.square(frames).mean(axis=1)
    frames = frames[power > power.max() * 10 ** (-MAX_BELOW_LOUDEST / 10)]
    window = np.hanning(size)
    n_fft = 2 * size
    correlation = irfft(np.square(np.abs(rfft(frames * window, n_fft, axis=1))), axis=1)
    of_window = irfft(np.square(np.abs(rfft(window, n_fft))))  # Boersma: divided out below
    shortest, longest = int(rate / HIGHEST), math.ceil(rate / LOWEST)
    lags = np.arange(shortest - 1, longest + 2)
    curve = correlation[:, lags] / (correlation[:, :1] + 1e-20)
    curve /= of_window[lags] / of_window[0]
    inner = curve[:, 1:-1]
    is_peak = (inner >= curve[:, :-2]) & (inner > curve[:, 2:])
    heights = np.where(is_peak, inner, -1.0)
    best = heights.max(axis=1)
    # The shortest of several nearly equal peaks: multiples of the period fit as well.
    first = np.argmax(heights >= 0.9 * best[:, None], axis=1)
    voiced = best >= VOICED
    if voiced.sum() < 5:
        return math.nan
    return float(np.median(rate / lags[1:-1][first[voiced]]))


def has_pitch(signal: np.ndarray, rate: int) -> bool:
    """Return whether a short signal is periodic at the pitch of a voice."""
    signal = (signal - signal.mean()).astype(np.float64)
    correlation = np.correlate(signal, signal, "full")[len(signal) - 1 :]
    lags = np.arange(int(rate / HIGHEST), min(math.ceil(rate / LOWEST), len(signal) * 2 // 3))
    if not len(lags) or correlation[0] <= 0:
        return False
    # Fewer samples overlap at longer lags.
    relative = correlation[lags] / correlation[0]
    return bool((relative * len(signal) / (len(signal) - lags)).max() >= 0.5)


#: Distance between the sexes in semitones below which pitch does not distinguish them; the share of
#: it from which on a voice has the pitch of the other sex; other speakers needed of each sex.
MIN_DISTANCE, MAX_DEVIATION, MIN_OTHERS = 4.0, 0.75, 2
#: Distance between the sexes in semitones below which the labels of adults cannot be right.
MIN_SEX_DISTANCE = 2.0


def check_sex_labels(table: pd.DataFrame, pitch: pd.Series, corpus: str, y: str) -> list[Finding]:
    """Find sex labels of a corpus that are inconsistent with the pitch in Hz of its rows."""
    if "gender" not in table:
        return []
    sexes = table["gender"].map(_sex).to_numpy(dtype=object)
    speakers, labels = (table[name].to_numpy(dtype=object) for name in ("speaker", y))
    flaw = "sex label inconsistent with pitch"
    known = np.isfinite(pitch.to_numpy(float)) & np.isin(sexes.astype(str), ("female", "male"))
    codes = np.unique(labels[known].astype(str), return_inverse=True)[1]
    args = pitch.to_numpy(float)[known], sexes[known] == "female", speakers[known], codes
    distance = _sex_distance(*args)
    if distance < MIN_SEX_DISTANCE:
        cause = "swapped" if distance < -MIN_SEX_DISTANCE else "randomly assigned"
        text = (
            f"Corrected for emotion, voices labeled female are {distance:+.1f} semitones above "
            f"those labeled male, as if the labels were {cause}; the difference between adult "
            f"women and men is 8 to 12. Listen to some of each and correct the labels."
        )
        return [Finding(flaw, "warning", corpus, text, table.index)]
    unusual = _speakers_of_other_pitch(*args)
    if not unusual:
        return []
    names = [name for name, _, _ in unusual]
    sex_of = dict(zip(speakers, sexes, strict=True))
    name, own, usual = unusual[0]
    text = (
        f"{plural(len(unusual), 'speaker')} with the pitch of the other sex, corrected for emotion "
        f"({name_values(names)}): {name} is labeled {sex_of[name]} and has a median pitch of "
        f"{own:.0f} Hz, other {sex_of[name]} voices {usual:.0f} Hz. Listen to these voices and "
        f"correct the labels."
    )
    rows = table.index[table["speaker"].isin(names)]
    return [Finding(flaw, "warning", corpus, text, rows)]


def _sex(value):
    """Return "female", "male" or None for any known spelling."""
    known = {name: sex for sex, names in GENDER_SPELLINGS.items() for name in (sex, *names)}
    return known.get(str(value).strip().lower())


def _speakers_of_other_pitch(pitches, female, speakers, codes):
    """Find speakers with the pitch of the other sex: name, own pitch and that of the same sex."""
    # A fit to all other speakers predicts pitch in semitones from label (angry voices are high) and
    # sex; a speaker's residual is compared with the distance between the sexes.
    semitones = 12 * np.log2(pitches)
    design = _design(codes, female)
    unusual = []
    for speaker in dict.fromkeys(speakers):
        own = speakers == speaker
        sex = female[own][0]
        if (female[own] != sex).any():
            continue
        others = ~own
        per_sex = [len(set(speakers[others & (female == value)])) for value in (False, True)]
        own &= np.isin(codes, np.unique(codes[others]))
        if min(per_sex) < MIN_OTHERS or own.sum() < 3:
            continue
        solution = _fit(design[others], semitones[others], speakers[others])
        distance = solution[-1]
        residual = np.median(semitones[own] - design[own] @ solution)
        toward_other = -residual if sex else residual
        if distance >= MIN_DISTANCE and toward_other >= MAX_DEVIATION * distance:
            same = others & (female == sex)
            unusual.append(
                (speaker, float(np.median(pitches[own])), float(np.median(pitches[same])))
            )
    return unusual


def _sex_distance(pitches, female, speakers, codes):
    """Return by how many semitones women's voices are above men's; NaN with too few speakers."""
    if min(len(set(speakers[female == value])) for value in (False, True)) <= MIN_OTHERS:
        return math.nan
    return float(_fit(_design(codes, female), 12 * np.log2(pitches), speakers)[-1])


def _design(codes, female):
    return np.column_stack([np.eye(codes.max(initial=-1) + 1)[codes], female])


def _fit(design, semitones, speakers):
    """Fit least squares in which every speaker has the same weight."""
    _, codes, n_rows = np.unique(speakers.astype(str), return_inverse=True, return_counts=True)
    weight = np.sqrt(1 / n_rows[codes])
    return np.linalg.lstsq(design * weight[:, None], semitones * weight, rcond=None)[0]
