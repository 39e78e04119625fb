"""Mel power spectrogram in torch, with librosa's numbers and without librosa."""

from functools import lru_cache

import numpy as np

# Slaney's mel scale: linear below 1 kHz (3 mels for 200 Hz), logarithmic above (27 mels for a
# factor of 6.4).
_HZ_PER_MEL = 200.0 / 3.0
_BREAK_HZ = 1000.0
_BREAK_MEL = _BREAK_HZ / _HZ_PER_MEL
_LOG_STEP = np.log(6.4) / 27.0


def hz_to_mel(hz):
    """Frequencies in Hz on Slaney's mel scale."""
    hz = np.asarray(hz, dtype=np.float64)
    above = _BREAK_MEL + np.log(np.maximum(hz, _BREAK_HZ) / _BREAK_HZ) / _LOG_STEP
    return np.where(hz < _BREAK_HZ, hz / _HZ_PER_MEL, above)


def mel_to_hz(mel):
    """Inverse of :func:`hz_to_mel`."""
    mel = np.asarray(mel, dtype=np.float64)
    above = _BREAK_HZ * np.exp(_LOG_STEP * (np.maximum(mel, _BREAK_MEL) - _BREAK_MEL))
    return np.where(mel < _BREAK_MEL, mel * _HZ_PER_MEL, above)


def mel_filterbank(sampling_rate, n_fft, n_mels, fmin=0.0, fmax=None):
    """Triangular filters of equal area, evenly spaced on Slaney's mel scale.

    Parameters
    ----------
    sampling_rate : int
        In Hz.
    n_fft : int
        Samples of one Fourier transform.
    n_mels : int
        Number of filters.
    fmin, fmax : float
        Where the lowest filter begins and the highest ends, in Hz; None: half the sampling rate.

    Returns
    -------
    ndarray of float32 of shape (n_mels, n_fft // 2 + 1)
    """
    fmax = sampling_rate / 2.0 if fmax is None else fmax
    bins = np.fft.rfftfreq(n_fft, 1.0 / sampling_rate)
    edges = mel_to_hz(np.linspace(hz_to_mel(fmin), hz_to_mel(fmax), n_mels + 2))
    widths = np.diff(edges)
    distance = edges[:, np.newaxis] - bins[np.newaxis, :]
    rising = -distance[:-2] / widths[:-1, np.newaxis]
    falling = distance[2:] / widths[1:, np.newaxis]
    triangles = np.maximum(0.0, np.minimum(rising, falling))
    return (triangles * (2.0 / (edges[2:] - edges[:-2]))[:, np.newaxis]).astype(np.float32)


@lru_cache(maxsize=8)
def _constants(sampling_rate, n_fft, n_mels):
    import torch

    # Kept for later callers, so they must not be "inference tensors" of the first one's block.
    with torch.inference_mode(False):
        window = torch.hann_window(n_fft, periodic=True, dtype=torch.float64).to(torch.float32)
        return window, torch.from_numpy(mel_filterbank(sampling_rate, n_fft, n_mels))


def mel_power_spectrogram(signal, *, sampling_rate, n_fft, hop_length, n_mels):
    """Mel power spectrogram (not logarithmic) of one signal.

    Hann windows centerd on every `hop_length`-th sample, the signal padded with zeros by half a
    window at both ends.

    Parameters
    ----------
    signal : ndarray of float32 of shape (n_samples,)
    sampling_rate : int
        In Hz.
    n_fft, hop_length : int
        Window and step in samples.
    n_mels : int
        Number of mel bands.

    Returns
    -------
    torch.Tensor of float32 of shape (1 + n_samples // hop_length, n_mels)
    """
    import torch

    window, filters = _constants(sampling_rate, n_fft, n_mels)
    spectrum = torch.stft(
        torch.from_numpy(signal),
        n_fft,
        hop_length=hop_length,
        window=window,
        center=True,
        pad_mode="constant",
        return_complex=True,
    )
    power = spectrum.real.square() + spectrum.imag.square()
    return power.T @ filters.T
