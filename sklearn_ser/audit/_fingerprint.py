"""Audio fingerprints, candidate pairs with similar fingerprints, and comparison of their waveforms.

The fingerprint follows Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR
2002): 32 bits per frame, the signs of how the energy differences of neighboring bands change over
time. They do not change with level, and little with sampling rate, coding or the start of the
audio. Equal codes are found by sorting, so that only utterances with a common code are compared;
pairs with equal codes in several frames at one shift are compared sample by sample.
"""

from __future__ import annotations

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import resample_poly

RATE = 8000
HOP = 80
WINDOW = 2048
N_BANDS = 33
LOWEST, HIGHEST = 300.0, 3000.0
#: Codes that occur more often are ignored.
MAX_OCCURRENCES = 40
#: Equal codes at one shift (plus or minus one frame) that a candidate pair has.
MIN_VOTES = 3
#: Correlation of the shared part from which on two utterances are from the same recording, and the
#: higher one for parts of less than `SHORT` seconds. Another recording of the same words by the
#: same voice has a far lower one, since the phases differ; in less than a second of steady vowels
#: they may agree by chance.
MIN_CORRELATION, MIN_CORRELATION_SHORT, SHORT = 0.7, 0.9, 1.0
#: Share of differing bits at the best shift above which two utterances are not compared further:
#: 0.5 is chance, copies have less than 0.25.
MAX_DIFFERENT_BITS = 0.35
#: Smallest length of the shared part in seconds.
MIN_SHARED = 0.3
#: Factor by which waveforms are oversampled before they are aligned.
OVERSAMPLING = 4

_EDGES = np.round(np.geomspace(LOWEST, HIGHEST, N_BANDS + 1) / (RATE / WINDOW)).astype(int)
_WINDOW = np.hanning(WINDOW).astype(np.float32)
_POWERS = (1 << np.arange(N_BANDS - 1)).astype(np.uint32)


def fingerprint(signal: np.ndarray) -> np.ndarray:
    """Return the codes of a signal at `RATE`, one for each `HOP` samples; 0 in silence."""
    padded = np.pad(np.asarray(signal, dtype=np.float32), (WINDOW // 2, WINDOW // 2))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    power = np.square(np.abs(rfft(frames * _WINDOW, axis=1)))
    energy = np.add.reduceat(power, _EDGES, axis=1)[:, :N_BANDS]
    slope = energy[:, :-1] - energy[:, 1:]
    bits = slope[4:] > slope[:-4]
    codes = (bits * _POWERS).sum(axis=1, dtype=np.uint32)
    total = energy.sum(axis=1)[4:]
    codes[total < 1e-5 * total.max()] = 0
    return codes


def candidates(codes: list[np.ndarray | None]) -> list[tuple[int, int, int]]:
    """Find pairs with equal codes in several frames: both rows, and the delay of the second."""
    rows = np.repeat(np.arange(len(codes)), [0 if c is None else len(c) for c in codes])
    present = [c for c in codes if c is not None]
    if not present:
        return []
    values = np.concatenate(present)
    times = np.concatenate([np.arange(len(c)) for c in present])
    keep = (values != 0) & (values != np.uint32(0xFFFFFFFF))
    values, times, rows = values[keep], times[keep], rows[keep]
    order = np.argsort(values, kind="stable")
    values, times, rows = values[order], times[order], rows[order]
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    sizes = np.diff(np.append(starts, len(values)))
    size = np.repeat(sizes, sizes)
    span = 2 * (int(times.max(initial=0)) + 2)
    votes = []
    for step in range(1, min(int(sizes.max(initial=1)), MAX_OCCURRENCES)):
        # Positions that are `step` apart and have the same code. The sort is stable, so that rows
        # ascend within a code.
        first = np.flatnonzero((values[step:] == values[:-step]) & (size[step:] <= MAX_OCCURRENCES))
        second = first + step
        differ = rows[first] != rows[second]
        first, second = first[differ], second[differ]
        shift = times[first] - times[second]
        votes.append((rows[first] * len(codes) + rows[second]) * span + shift + span // 2)
    if not votes:
        return []
    keys, counts = np.unique(np.concatenate(votes), return_counts=True)
    # Neighboring shifts of a pair are neighbors among the sorted keys; pairs are not.
    total = counts.copy()
    following = np.flatnonzero(keys[1:] == keys[:-1] + 1)
    total[following] += counts[following + 1]
    total[following + 1] += counts[following]
    enough = total >= MIN_VOTES
    pairs, shifts = np.divmod(keys[enough], span)
    best: dict[int, tuple[int, int]] = {}
    for pair, shift, n in zip(pairs.tolist(), shifts.tolist(), total[enough].tolist(), strict=True):
        if n > best.get(pair, (0, 0))[0]:
            best[pair] = (n, shift - span // 2)
    result = []
    for pair, (_, shift) in sorted(best.items()):
        i, j = divmod(pair, len(codes))
        if _different_bits(codes[i], codes[j], shift) <= MAX_DIFFERENT_BITS:
            result.append((i, j, shift))
    return result


def is_same(correlation, shared):
    """Return whether two utterances with this result of :func:`compare` are one recording."""
    return correlation >= (MIN_CORRELATION if shared >= SHORT else MIN_CORRELATION_SHORT)


def _different_bits(first, second, shift):
    """Return the share of differing bits where neither is silent; 1 if one always is."""
    low, high = max(0, shift), min(len(first), shift + len(second))
    a, b = first[low:high], second[low - shift : high - shift]
    sounding = (a != 0) & (b != 0)
    if not sounding.any():
        return 1.0
    differing = (a ^ b)[sounding]
    return np.bitwise_count(differing).mean() / 32


def compare(first: np.ndarray, second: np.ndarray, shift: int) -> tuple[float, float, float]:
    """Return correlation, seconds, and relative level (dB) of the part that two signals share."""
    nothing = (0.0, 0.0, 0.0)
    # A shift by half a sample would lower the correlation of high frequencies.
    first, second = (resample_poly(signal, OVERSAMPLING, 1) for signal in (first, second))
    rate, coarse, reach = OVERSAMPLING * RATE, OVERSAMPLING * shift * HOP, OVERSAMPLING * 3 * HOP
    size = next_fast_len(len(first) + len(second), real=True)
    product = irfft(rfft(first, size) * np.conj(rfft(second, size)), size)
    lags = np.arange(coarse - reach, coarse + reach + 1)
    lag = int(lags[np.argmax(np.abs(product[lags % size]))])
    low, high = max(0, lag), min(len(first), lag + len(second))
    if high - low < MIN_SHARED * rate:
        return nothing
    a, b = first[low:high].astype(np.float64), second[low - lag : high - lag].astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    if norm <= 0:
        return nothing
    sounding = np.abs(a) + np.abs(b) > 0
    shared = sounding.sum() / rate
    gain = 10 * np.log10((b @ b) / (a @ a))
    return float(abs(a @ b) / norm), float(shared), float(gain)
