"""Recordings that share sound: fingerprints, candidates, and a second look at the waveforms.

The fingerprint follows Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System" (ISMIR
2002): 32 bits a frame, the signs of how the energy differences of neighboring bands change in
time. They do not change with level, and little with sampling rate, coding or where the audio
starts. Equal codes are found by sorting, so that no two utterances need be compared that share
none; what agrees in several frames at one shift is compared sample by sample.
"""

import numpy as np
from scipy.fft import irfft, next_fast_len, rfft
from scipy.signal import resample_poly

RATE = 8000
HOP = 80
WINDOW = 2048
N_BANDS = 33
LOWEST, HIGHEST = 300.0, 3000.0
#: A code that more utterances have says nothing.
MOST_OWNERS = 40
#: Equal codes at one shift (plus or minus a frame) that make a candidate.
LEAST_VOTES = 3
#: Correlation of the shared part, from which on it is the same recording. Another recording of
#: the same words by the same voice stays far below: the phases differ. In less than a second of
#: steady vowels they may agree by chance.
SAME_RECORDING, SAME_SHORT, SHORT = 0.7, 0.9, 1.0
#: Part of differing bits at the best shift, above which two utterances are not compared further:
#: 0.5 is chance, copies have less than 0.25.
MOST_DIFFERENT = 0.35
#: Seconds that must be shared.
LEAST_SHARED = 0.3
#: Waveforms are shifted against each other by this part of a sample.
FINER = 4

_EDGES = np.round(np.geomspace(LOWEST, HIGHEST, N_BANDS + 1) / (RATE / WINDOW)).astype(int)
_WINDOW = np.hanning(WINDOW).astype(np.float32)
_POWERS = (1 << np.arange(N_BANDS - 1)).astype(np.uint32)


def fingerprint(signal):
    """Codes of a signal at `RATE`, one for each `HOP` samples.

    Parameters
    ----------
    signal : float32 ndarray of shape (n_samples,)

    Returns
    -------
    ndarray of uint32 of shape (n_frames,)
        0 where there is no sound.
    """
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


def candidates(codes):
    """Pairs of utterances with equal codes in several frames at one shift.

    Parameters
    ----------
    codes : list of (ndarray of uint32 or None)

    Returns
    -------
    list of (int, int, int)
        First and second row (first < second) and by how many frames the second is later.
    """
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
    for step in range(1, min(int(sizes.max(initial=1)), MOST_OWNERS)):
        # Places `step` apart that have one code; rows ascend within a code: the sort is stable.
        first = np.flatnonzero((values[step:] == values[:-step]) & (size[step:] <= MOST_OWNERS))
        second = first + step
        other = rows[first] != rows[second]
        first, second = first[other], second[other]
        shift = times[first] - times[second]
        votes.append((rows[first] * len(codes) + rows[second]) * span + shift + span // 2)
    if not votes:
        return []
    keys, counts = np.unique(np.concatenate(votes), return_counts=True)
    # Shifts of one pair are neighbors among the sorted keys, with room between pairs.
    total = counts.copy()
    following = np.flatnonzero(keys[1:] == keys[:-1] + 1)
    total[following] += counts[following + 1]
    total[following + 1] += counts[following]
    enough = total >= LEAST_VOTES
    pairs, shifts = np.divmod(keys[enough], span)
    found = {}
    for pair, shift, n in zip(pairs.tolist(), shifts.tolist(), total[enough].tolist(), strict=True):
        if n > found.get(pair, (0, 0))[0]:
            found[pair] = (n, shift - span // 2)
    return [
        (*divmod(pair, len(codes)), shift)
        for pair, (_, shift) in sorted(found.items())
        if _different_bits(*(codes[row] for row in divmod(pair, len(codes))), shift)
        <= MOST_DIFFERENT
    ]


def is_same(correlation, shared):
    """Whether what :func:`compare` found is one recording."""
    return correlation >= (SAME_RECORDING if shared >= SHORT else SAME_SHORT)


def _different_bits(first, second, shift):
    """Part of the bits that differ where both utterances have sound; 1 where they never do."""
    low, high = max(0, shift), min(len(first), shift + len(second))
    a, b = first[low:high], second[low - shift : high - shift]
    sounding = (a != 0) & (b != 0)
    if not sounding.any():
        return 1.0
    differing = (a ^ b)[sounding]
    return np.bitwise_count(differing).mean() / 32


def compare(first, second, shift):
    """How alike two signals are where they overlap.

    Parameters
    ----------
    first, second : ndarray of shape (n_samples,)
        At `RATE`.
    shift : int
        Frames by which what they share is earlier in `second`, about.

    Returns
    -------
    correlation : float
        Of the shared part, without sign.
    shared : float
        Its length in seconds.
    offset : float
        Seconds by which it is earlier in `second`.
    gain : float
        dB by which `second` is louder.
    """
    best = (0.0, 0.0, 0.0, 0.0)
    # Half a sample of shift would cost high frequencies.
    first, second = (resample_poly(signal, FINER, 1) for signal in (first, second))
    rate, coarse, reach = FINER * RATE, FINER * shift * HOP, FINER * 3 * HOP
    size = next_fast_len(len(first) + len(second), real=True)
    product = irfft(rfft(first, size) * np.conj(rfft(second, size)), size)
    lags = np.arange(coarse - reach, coarse + reach + 1)
    lag = int(lags[np.argmax(np.abs(product[lags % size]))])
    low, high = max(0, lag), min(len(first), lag + len(second))
    if high - low < LEAST_SHARED * rate:
        return best
    a, b = first[low:high].astype(np.float64), second[low - lag : high - lag].astype(np.float64)
    a, b = a - a.mean(), b - b.mean()
    norm = np.sqrt((a @ a) * (b @ b))
    if norm <= 0:
        return best
    sounding = np.abs(a) + np.abs(b) > 0
    shared = sounding.sum() / rate
    gain = 10 * np.log10((b @ b) / (a @ a))
    return float(abs(a @ b) / norm), float(shared), lag / rate, float(gain)
