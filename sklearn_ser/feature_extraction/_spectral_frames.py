"""Spectra of short frames, their mel bands, cepstra and deltas, in scipy and float32.

scipy and a sparse filterbank are as fast as torch.stft here, load nothing, and use no thread pool
of their own: the numbers cannot depend on how many threads a worker happens to have.
"""

from functools import lru_cache

import numpy as np
import scipy.fft
import scipy.sparse

from sklearn_ser.feature_extraction._mel import mel_filterbank

#: Frames transformed at a time: bounds the memory that a long recording takes.
BLOCK = 4096
#: Frames on each side that a delta looks at.
DELTA_REACH = 2


def padded_frames(signal, frame_samples, hop_samples):
    """Overlapping frames centerd on every `hop_samples`-th sample, zeros beyond the ends.

    Parameters
    ----------
    signal : ndarray of shape (n_samples,)
    frame_samples, hop_samples : int

    Returns
    -------
    ndarray of shape (1 + n_samples // hop_samples, frame_samples)
        A read-only view of one padded copy of the signal.
    """
    before = frame_samples // 2
    padded = np.pad(signal, (before, frame_samples - before))
    return np.lib.stride_tricks.sliding_window_view(padded, frame_samples)[::hop_samples]


def mel_decibels(signal, *, sampling_rate, window, hop, n_fft, n_mels, fmin, fmax, floor_db):
    """Mel power spectrogram in dB.

    Parameters
    ----------
    signal : ndarray of float32 of shape (n_samples,)
    sampling_rate : int
        In Hz.
    window, hop, n_fft : int
        In samples; a Hann window, in the middle of the `n_fft` samples.
    n_mels : int
    fmin, fmax : float
        In Hz.
    floor_db : float
        Less power than this counts as this much.

    Returns
    -------
    ndarray of float32 of shape (1 + n_samples // hop, n_mels)
    """
    taper = _hann(window, n_fft)
    filters = sparse_filters(sampling_rate, n_fft, n_mels, fmin, fmax)
    frames = padded_frames(signal, n_fft, hop)
    mels = np.empty((len(frames), n_mels), dtype=np.float32)
    for start in range(0, len(frames), BLOCK):
        spectrum = scipy.fft.rfft(frames[start : start + BLOCK] * taper, axis=1, workers=1)
        mels[start : start + BLOCK] = (spectrum.real**2 + spectrum.imag**2) @ filters
    floor = np.float32(10.0 ** (floor_db / 10.0))
    return 10.0 * np.log10(np.maximum(mels, floor), dtype=np.float32)


def cepstrum(decibels, n_mfcc):
    """The first coefficients of the orthonormal DCT-II over the bands of each frame.

    Parameters
    ----------
    decibels : ndarray of float32 of shape (n_frames, n_mels)
    n_mfcc : int

    Returns
    -------
    ndarray of float32 of shape (n_frames, n_mfcc)
    """
    return scipy.fft.dct(decibels, type=2, axis=1, norm="ortho", workers=1)[:, :n_mfcc]


def with_deltas(frames, n_deltas):
    """Append the slopes over time of all columns, and the slopes of these, ...

    A slope is that of the regression line through a frame and its two neighbors on each side
    (the first and last frame repeated beyond the ends), per frame.

    Parameters
    ----------
    frames : ndarray of shape (n_frames, n_features)
    n_deltas : int

    Returns
    -------
    ndarray of shape (n_frames, (1 + n_deltas) * n_features)
    """
    orders = [frames]
    for _ in range(n_deltas):
        orders.append(_slopes(orders[-1]))
    return np.concatenate(orders, axis=1)


def standardized(frames):
    """Each column with mean 0 and standard deviation 1; zeros where it is constant."""
    centerd = frames - frames.mean(axis=0, dtype=np.float64)
    spread = np.sqrt(np.mean(centerd**2, axis=0))
    # What rounding leaves of a constant column is no spread.
    constant = spread <= 1e-6 * np.abs(frames).max(axis=0)
    centerd[:, constant] = 0.0
    return centerd / np.where(constant, 1.0, spread)


def _slopes(frames):
    n_frames = len(frames)
    padded = np.pad(frames, ((DELTA_REACH, DELTA_REACH), (0, 0)), mode="edge")
    total = np.zeros_like(frames)
    for step in range(1, DELTA_REACH + 1):
        later = padded[DELTA_REACH + step :][:n_frames]
        earlier = padded[DELTA_REACH - step :][:n_frames]
        total += step * (later - earlier)
    return total / (2 * sum(step**2 for step in range(1, DELTA_REACH + 1)))


@lru_cache(maxsize=8)
def _hann(window, n_fft):
    before = (n_fft - window) // 2
    taper = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(window) / window)
    return np.pad(taper, (before, n_fft - window - before)).astype(np.float32)


@lru_cache(maxsize=8)
def sparse_filters(sampling_rate, n_fft, n_mels, fmin, fmax):
    """The filters of `mel_filterbank` as a sparse array of shape (n_fft // 2 + 1, n_mels)."""
    return scipy.sparse.csr_array(mel_filterbank(sampling_rate, n_fft, n_mels, fmin, fmax).T)
