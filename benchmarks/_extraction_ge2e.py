"""SpeakerEmbedding beside resemblyzer's `embed_utterance`: utterances a second, one torch thread.

Part of ``benchmarks/extraction.py``; by itself: ``python benchmarks/_extraction_ge2e.py``
(``--quick`` for a quarter of it). Signals are decoded before. Where resemblyzer is not installed,
its `embed_utterance` is written out here with our mel front end, which is faster than librosa's.
"""

import copy
import os
import statistics
import sys
import time
import types
from pathlib import Path

import numpy as np
import scipy.ndimage
import soundfile
import torch
from joblib import Parallel, delayed

from sklearn_ser.feature_extraction import SpeakerEmbedding
from sklearn_ser.feature_extraction._speaker_embedding import (
    load_network,
    mel_frames,
    partial_starts,
    scale_to_level,
)
from sklearn_ser.utils._threads import torch_threads

POOLINGS = ("mean_std", "unit", "partials", "frames")
#: How many times resemblyzer's throughput on one thread two jobs are to reach.
TARGETS = {"mean_std": 3, "unit": 3, "partials": 2}


def measure(corpora_root, quick=False):
    """Measure, in one run: in every round each candidate once, medians over the rounds.

    Parameters
    ----------
    corpora_root : str or Path
        The folder that holds ``<corpus>/audio/*.flac``.
    quick : bool, default=False
        64 utterances and 3 rounds instead of 256 and 5.

    Returns
    -------
    list of (str, float, str, str or None)
        What was measured, the value, its unit, and what it is to be.
    """
    signals = real_signals(Path(corpora_root), 64 if quick else 256)
    embed_utterance, reference = load_reference()
    candidates = {
        (f"SpeakerEmbedding({pooling!r})", n_jobs): SpeakerEmbedding(
            pooling, target_dbfs=None, n_jobs=n_jobs
        ).transform
        for pooling in POOLINGS
        for n_jobs in (1, 2)
    }
    for n_jobs in (1, 2):
        candidates[reference, n_jobs] = one_by_one(embed_utterance, n_jobs)
    seconds = timed(candidates, signals, n_rounds=3 if quick else 5)

    rows = []
    for (name, n_jobs), times in seconds.items():
        throughput = len(signals) / statistics.median(times)
        rows.append((f"GE2E, {name}, n_jobs={n_jobs}", throughput, "utterances/s", None))
    for pooling in POOLINGS:
        for ours, theirs in ((2, 1), (1, 1), (2, 2)):
            pairs = zip(
                seconds[reference, theirs],
                seconds[f"SpeakerEmbedding({pooling!r})", ours],
                strict=True,
            )
            value = statistics.median(their_time / our_time for their_time, our_time in pairs)
            wanted = TARGETS.get(pooling) if (ours, theirs) == (2, 1) else None
            name = f"GE2E, {pooling}, n_jobs={ours} / {reference}, n_jobs={theirs}"
            rows.append((name, value, "times", None if wanted is None else f">= {wanted}"))
    found = SpeakerEmbedding("partials", target_dbfs=None).transform(signals).to_numpy()
    difference = np.abs(found - np.array([embed_utterance(signal) for signal in signals])).max()
    rows.append((f"GE2E, partials - {reference}", difference, "at most", "<= 1e-5"))
    return rows


def real_signals(corpora_root, n_signals):
    """Real utterances, evenly from all corpora, in random order, at -30 dB."""
    files = sorted(corpora_root.glob("*/audio/*.flac"))
    chosen = np.linspace(0, len(files) - 1, n_signals).astype(int)
    np.random.default_rng(0).shuffle(chosen)
    return [scale_to_level(soundfile.read(files[i], dtype="float32")[0], -30) for i in chosen]


def timed(candidates, signals, n_rounds):
    """Wall seconds of every candidate in every round."""
    seconds = {key: [] for key in candidates}
    for transform in candidates.values():
        transform(signals)  # warm up: imports, compilation, caches
    for _ in range(n_rounds):
        for key, transform in candidates.items():
            started = time.perf_counter()
            transform(signals)
            seconds[key].append(time.perf_counter() - started)
    return seconds


def one_by_one(embed_utterance, n_jobs):
    """Threads that call `embed_utterance` on one signal after the other."""

    def capped(signals):
        with torch_threads(1):
            return [embed_utterance(signal) for signal in signals]

    def transform(signals):
        parallel = Parallel(n_jobs=n_jobs, prefer="threads")
        return parallel(delayed(capped)(signals[job::n_jobs]) for job in range(n_jobs))

    return transform


def load_reference():
    """resemblyzer's own `embed_utterance`, or the same written out; and which one it is."""
    # Only its preprocess_wav, which is not used, needs these: one is a C extension that often does
    # not build, the other a name that scipy has taken away.
    for name in ("webrtcvad", "scipy.ndimage.morphology"):
        module = types.ModuleType(name)
        module.binary_dilation = scipy.ndimage.binary_dilation
        sys.modules.setdefault(name, module)
    try:
        from resemblyzer import VoiceEncoder
    except ImportError:
        # As there: gradients are off, but the weights do ask for them, which costs speed.
        network = copy.deepcopy(load_network()).requires_grad_(True)
        return lambda signal: plain_embed_utterance(network, signal), "plain embed_utterance"
    return VoiceEncoder("cpu", verbose=False).embed_utterance, "resemblyzer embed_utterance"


def plain_embed_utterance(network, signal):
    """What resemblyzer does: the windows of one utterance as one batch."""
    starts = partial_starts(len(signal))
    padding = max(0, (starts[-1] + 160) * 160 - len(signal))
    mels = mel_frames(np.pad(signal, (0, padding)))
    with torch.no_grad():
        windows = torch.stack([mels[start : start + 160] for start in starts])
        hidden = network["lstm"](windows)[1][0]
        raw = torch.relu(network["linear"](hidden[-1]))
        mean = (raw / raw.norm(dim=1, keepdim=True)).numpy().mean(axis=0)
    return mean / np.linalg.norm(mean)


def main():
    root = Path(os.environ["SKLEARN_SER_SHARED"]) / "corpora"
    for name, value, unit, target in measure(root, quick="--quick" in sys.argv[1:]):
        print(f"{name}: {value:.3g} {unit}" + ("" if target is None else f" (wanted: {target})"))


if __name__ == "__main__":
    main()
