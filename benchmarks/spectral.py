"""The permissive path: spectra, prosody and functionals beside other ways to compute them.

Run: ``python benchmarks/spectral.py`` (librosa and swift-f0 are timed where they are installed)
"""

import importlib.util
import time

import numpy as np
import torch
from _timing import ratio, report

from sklearn_ser.feature_extraction import MFCC, LogMelSpectrogram, OpenSmileExtractor, Prosody
from sklearn_ser.feature_extraction._spectral import mel_filterbank
from sklearn_ser.preprocessing import FunctionalsPooling

RATE = 16000


def main():
    torch.set_num_threads(1)
    seconds = 2.8
    signal = np.random.default_rng(0).normal(scale=0.1, size=int(seconds * RATE))
    signal = signal.astype(np.float32)
    log_mel, mfcc = LogMelSpectrogram(), MFCC()
    frames = np.random.default_rng(0).normal(size=(300, 80)).astype(np.float32)
    pooling = FunctionalsPooling()
    twice = [frames] * 20
    pooling.fit(twice)
    samples, window = torch.from_numpy(signal), torch.hann_window(512)
    filters = torch.from_numpy(mel_filterbank(RATE, 512, 80))

    def repeated(function, times=20):
        return lambda: [function() for _ in range(times)]

    def with_torch():
        spectrum = torch.stft(
            samples, 512, hop_length=160, window=window, pad_mode="constant", return_complex=True
        )
        power = spectrum.real.square() + spectrum.imag.square()
        return 10.0 * torch.log10((power.T @ filters.T).clamp_min(1e-10))

    def egemaps():
        OpenSmileExtractor().transform([signal])

    ours = repeated(lambda: log_mel._extract(signal))
    report("LogMelSpectrogram / torch.stft", ratio(ours, repeated(with_torch)))
    report("LogMelSpectrogram / eGeMAPS functionals", ratio(ours, repeated(egemaps)))
    pooled = repeated(lambda: pooling.transform(twice), 1)
    report("FunctionalsPooling of 300 x 80 / LogMelSpectrogram", ratio(pooled, ours))
    if importlib.util.find_spec("swift_f0"):
        report("Prosody / eGeMAPS functionals", ratio(lambda: Prosody()._extract(signal), egemaps))
    if importlib.util.find_spec("librosa"):
        _beside_librosa(signal, ours, repeated(lambda: mfcc._extract(signal)), repeated)


def _beside_librosa(signal, log_mel, mfcc, repeated):
    started = time.perf_counter()
    import librosa

    def decibels(n_mels):
        mels = librosa.feature.melspectrogram(
            y=signal, sr=RATE, n_fft=512, win_length=400, hop_length=160, n_mels=n_mels
        )
        return librosa.power_to_db(mels, top_db=80)

    def coefficients():
        found = librosa.feature.mfcc(S=decibels(40), n_mfcc=20)
        delta = librosa.feature.delta(found, width=5, mode="nearest")
        librosa.feature.delta(delta, width=5, mode="nearest")

    decibels(80)
    print(f"librosa's first log-mel spectrogram: {time.perf_counter() - started:.1f} s")
    report("LogMelSpectrogram / librosa", ratio(log_mel, repeated(lambda: decibels(80))))
    report("MFCC with deltas / librosa", ratio(mfcc, repeated(coefficients)))


if __name__ == "__main__":
    main()
