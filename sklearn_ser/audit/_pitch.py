"""Pitch of an utterance by autocorrelation: robust and coarse, for what sex labels say."""

import math

import numpy as np
from scipy.fft import irfft, rfft

#: Range of a speaking voice in Hz.
LOWEST, HIGHEST = 65.0, 450.0
#: Autocorrelation at the period, relative to that at 0, from which on a frame is voiced.
VOICED = 0.6
#: Frames this far below the loudest are not looked at (dB).
LOUD = 25.0


def median_pitch(signal, rate):
    """Median fundamental frequency of the voiced frames in Hz; NaN with fewer than five.

    Parameters
    ----------
    signal : ndarray of shape (n_samples,)
    rate : int
        In Hz.

    Returns
    -------
    float
    """
    size, hop = int(0.04 * rate), int(0.02 * rate)
    if len(signal) < size + 5 * hop:
        return math.nan
    starts = np.arange(0, len(signal) - size, hop)
    frames = signal[starts[:, None] + np.arange(size)].astype(np.float64)
    frames -= frames.mean(axis=1, keepdims=True)
    power = np.square(frames).mean(axis=1)
    frames = frames[power > power.max() * 10 ** (-LOUD / 10)]
    window = np.hanning(size)
    n_fft = 2 * size
    likeness = irfft(np.square(np.abs(rfft(frames * window, n_fft, axis=1))), axis=1)
    of_window = irfft(np.square(np.abs(rfft(window, n_fft))))  # Boersma: undo the window's own
    shortest, longest = int(rate / HIGHEST), math.ceil(rate / LOWEST)
    lags = np.arange(shortest - 1, longest + 2)
    curve = likeness[:, lags] / (likeness[:, :1] + 1e-20) / (of_window[lags] / of_window[0])
    inner = curve[:, 1:-1]
    is_peak = (inner >= curve[:, :-2]) & (inner > curve[:, 2:])
    heights = np.where(is_peak, inner, -1.0)
    best = heights.max(axis=1)
    # The shortest of nearly equal periods: twice the period fits as well as the period.
    first = np.argmax(heights >= 0.9 * best[:, None], axis=1)
    voiced = best >= VOICED
    if voiced.sum() < 5:
        return math.nan
    return float(np.median(rate / lags[1:-1][first[voiced]]))


def has_pitch(signal, rate):
    """Whether a short piece of signal is periodic at a frequency of a voice."""
    signal = (signal - signal.mean()).astype(np.float64)
    likeness = np.correlate(signal, signal, "full")[len(signal) - 1 :]
    lags = np.arange(int(rate / HIGHEST), min(math.ceil(rate / LOWEST), len(signal) * 2 // 3))
    if not len(lags) or likeness[0] <= 0:
        return False
    # Fewer samples overlap at longer lags.
    return bool((likeness[lags] / likeness[0] * len(signal) / (len(signal) - lags)).max() >= 0.5)


#: Semitones between the sexes below which pitch says nothing of them; part of that distance, from
#: which on a voice counts as one of the other sex; other speakers of each sex that are needed.
LEAST_DISTANCE, TOO_FAR, FEWEST_OTHERS = 4.0, 0.75, 2
#: Semitones between the sexes below which their labels cannot be right, for grown speakers.
NO_DISTANCE = 2.0


def contradicted_sex(pitches, sexes, speakers, labels):
    """Speakers whose voice is pitched like the other sex, what they feel being allowed for.

    Semitones are explained by label (angry voices are high) and sex in least squares over all
    other speakers; what remains of a speaker is held against the distance between the sexes.

    Parameters
    ----------
    pitches : ndarray of shape (n_rows,)
        In Hz; NaN: unknown.
    sexes, speakers, labels : ndarray of object of shape (n_rows,)
        Sexes are "female", "male" or None.

    Returns
    -------
    list of (str, float, float)
        Speaker, its median pitch in Hz and that of the others of the same labeled sex.
    """
    known = np.isfinite(pitches) & np.isin(sexes.astype(str), ("female", "male"))
    pitches, sexes, speakers, labels = (v[known] for v in (pitches, sexes, speakers, labels))
    female = (sexes == "female").astype(float)
    height = 12 * np.log2(pitches)
    classes, codes = np.unique(labels.astype(str), return_inverse=True)
    of_label = np.eye(len(classes))[codes]
    found = []
    for speaker in dict.fromkeys(speakers):
        mine = speakers == speaker
        sex = female[mine][0]
        if (female[mine] != sex).any():
            continue
        per_sex = [len(set(speakers[~mine & (female == value)])) for value in (0.0, 1.0)]
        mine &= np.isin(codes, np.unique(codes[~mine]))
        if min(per_sex) < FEWEST_OTHERS or mine.sum() < 3:
            continue
        others = speakers != speaker
        design = np.column_stack([of_label, female])
        # Each other speaker counts the same, however many utterances there are of it.
        _, who, n_rows = np.unique(
            speakers[others].astype(str), return_inverse=True, return_counts=True
        )
        weight = np.sqrt(1 / n_rows[who])
        solution = np.linalg.lstsq(
            design[others] * weight[:, None], height[others] * weight, rcond=None
        )[0]
        distance = solution[-1]
        left = np.median(height[mine] - design[mine] @ solution)
        toward_other = left if sex == 0 else -left
        if distance >= LEAST_DISTANCE and toward_other >= TOO_FAR * distance:
            same = others & (female == sex)
            found.append(
                (speaker, float(np.median(pitches[mine])), float(np.median(pitches[same])))
            )
    return found


def distance_of_sexes(pitches, sexes, speakers, labels):
    """How far women's voices lie above men's in semitones, what labels do being allowed for.

    Parameters
    ----------
    pitches, sexes, speakers, labels
        As for :func:`contradicted_sex`.

    Returns
    -------
    float
        NaN with fewer than three speakers of either sex.
    """
    known = np.isfinite(pitches) & np.isin(sexes.astype(str), ("female", "male"))
    pitches, sexes, speakers, labels = (v[known] for v in (pitches, sexes, speakers, labels))
    female = sexes == "female"
    if min(len(set(speakers[female])), len(set(speakers[~female]))) <= FEWEST_OTHERS:
        return math.nan
    _, codes = np.unique(labels.astype(str), return_inverse=True)
    design = np.column_stack([np.eye(codes.max() + 1)[codes], female])
    _, who, n_rows = np.unique(speakers.astype(str), return_inverse=True, return_counts=True)
    weight = np.sqrt(1 / n_rows[who])
    height = 12 * np.log2(pitches)
    return float(np.linalg.lstsq(design * weight[:, None], height * weight, rcond=None)[0][-1])
