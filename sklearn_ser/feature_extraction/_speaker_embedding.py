"""Features of the GE2E speaker encoder: a small LSTM whose weights are in the package."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from numbers import Real
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.feature_extraction._base import (
    AudioExtractor,
    BeyondFullScale,
    OnError,
    document_audio_parameters,
)
from sklearn_ser.feature_extraction._spectral import mel_filterbank
from sklearn_ser.utils._frames import HOP_ATTR
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._threads import torch_threads
from sklearn_ser.utils._torch_state import default_torch_state

if TYPE_CHECKING:
    import torch

WEIGHTS = Path(__file__).parent / "data" / "ge2e.safetensors"
SAMPLING_RATE = 16000
WINDOW_SAMPLES = 400  # 25 ms
HOP_SAMPLES = 160  # 10 ms
N_MELS = 40
HIDDEN_SIZE = 256
N_LAYERS = 3
#: Sequences in every LSTM call. Fewer are slower per utterance, more cost a single utterance more:
#: with 1, 2, 4, 8, 16 sequences an utterance of 2.8 s takes 17.5, 13.6, 8.3, 8.0, 7.7 ms.
GROUP_SIZE = 4
#: Maximum number of frames (10 s) in an LSTM call: memory does not grow with the duration.
BLOCK_FRAMES = 1024
#: Blocks are padded to a multiple of this: for each new shape oneDNN stores a plan, which takes
#: time (12 % at first) and memory (100 MB after 600 lengths, half of that with this padding).
FRAMES_STEP = 16
#: Frames on either side of the center of a frame that its window extends to.
MARGIN = -(-(WINDOW_SAMPLES // 2) // HOP_SAMPLES)
#: Partial windows of resemblyzer 0.1.4 with its defaults: 1.6 s, 1.3 per second; the last one is
#: used if the utterance fills three quarters of it.
PARTIAL_FRAMES = 160
PARTIAL_STEP = 77
MIN_COVERAGE = 0.75


@public_module("sklearn_ser.feature_extraction")
@document_audio_parameters
class SpeakerEmbedding(AudioExtractor):
    """Features of a speaker encoder trained with the GE2E loss.

    The encoder is a three-layer LSTM (40 mel bands as input, 256 units per layer) that was trained
    to distinguish speakers. Its description of a voice transfers to emotion: pooled over time, its
    last layer is the recommended default input of a classifier. The weights are in the package (5.7
    MB); no download, openSMILE or resemblyzer is needed.

    Each utterance, including its silences, is scaled to the level `target_dbfs`, converted to 40
    mel power bands (25 ms windows every 10 ms) and processed by the LSTM in one pass (except for
    ``"partials"``). Utterances of similar length are processed together, which does not change
    their features.

    Parameters
    ----------
    pooling : {"mean_std", "unit", "partials", "frames"}, default="mean_std"
        Pooling over time:

        - ``"mean_std"``: mean and standard deviation of the outputs of the last layer, 512
          features.
        - ``"unit"``: the speaker embedding proper, of unit length and without negative values: the
          last output, a linear layer and ReLU, 256 features.
        - ``"partials"``: the embedding of Resemblyzer's `embed_utterance`: the mean of the speaker
          embeddings of windows of 1.6 s (every 0.77 s; the last one is padded with zeros or, if
          the utterance fills less than three quarters of it, omitted), scaled to unit length, 256
          features.
        - ``"frames"``: the outputs of the last layer, 256 features every 10 ms: frame sequences
          for :class:`~sklearn_ser.MTLNeuralClassifier`.
    target_dbfs : float or None, default=-30
        Root-mean-square level in dB re full scale that every utterance is scaled to. None: the
        level is not changed, and influences the features.
    %(audio_parameters)s

    Attributes
    ----------
    %(failures_attribute)s

    See Also
    --------
    OpenSmileExtractor : Hand-crafted acoustic features; combined with these, slightly better.

    Notes
    -----
    The weights are those of Resemblyzer 0.1.4 (Copyright 2019 Resemble.AI, Apache License 2.0;
    license and attribution are in the same folder of the package). The features agree with that
    package's own mel front end (librosa 0.11) and network within 1e-5. Its preprocessing differs:
    it only ever raises the level, and removes silences. For a signal after that preprocessing,
    ``SpeakerEmbedding("partials", target_dbfs=None)`` gives the values of `embed_utterance`.

    The front end pads with zeros, as librosa does since 0.9. Older versions, including the one
    that the weights were trained with, mirrored the signal; this changes single values by at most
    0.025 (measured).

    The network always processes four utterances (or windows) at a time, in blocks of 10 s, with
    one torch thread. The features of an utterance are therefore equal to the last bit whatever
    other utterances, their order and `n_jobs` are, and a long recording needs no more memory than
    its samples and outputs. A single utterance costs as much as four.

    References
    ----------
    L. Wan, Q. Wang, A. Papir, I. Lopez Moreno, "Generalized End-to-End Loss for Speaker
    Verification", ICASSP 2018, https://arxiv.org/abs/1710.10467

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.feature_extraction import SpeakerEmbedding
    >>> noise = np.random.default_rng(0).normal(scale=0.05, size=(2, 8000))
    >>> SpeakerEmbedding().fit_transform(list(noise)).shape
    (2, 512)
    >>> embedding = SpeakerEmbedding("unit").fit_transform(list(noise))
    >>> print(round(float((embedding.loc[0] ** 2).sum()), 5))
    1.0

    Frame sequences, of different lengths:

    >>> table = SpeakerEmbedding("frames").fit_transform([noise[0], noise[1, :4000]])
    >>> [frames.shape for frames in table["frames"]]
    [(51, 256), (26, 256)]
    """

    _parameter_constraints = {
        "pooling": [StrOptions({"mean_std", "unit", "partials", "frames"})],
        "target_dbfs": [Interval(Real, None, 0, closed="right"), None],
        **AudioExtractor._parameter_constraints,
    }
    _batch_size = 16

    def __init__(
        self,
        pooling: Literal["mean_std", "unit", "partials", "frames"] = "mean_std",
        target_dbfs: float | None = -30,
        *,
        audio: str = "file",
        on_error: OnError = "raise",
        beyond_full_scale: BeyondFullScale = "raise",
        remove_dc: bool = False,
        store: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(audio, on_error, beyond_full_scale, remove_dc, store, n_jobs, verbose)
        self.pooling = pooling
        self.target_dbfs = target_dbfs

    @property
    def _frame_level(self) -> bool:
        return self.pooling == "frames"

    def _feature_names(self) -> list[str]:
        parts = {"mean_std": ("mean_", "std_"), "frames": ("",)}.get(
            self.pooling, (f"{self.pooling}_",)
        )
        return [f"ge2e_{part}{unit:03d}" for part in parts for unit in range(HIDDEN_SIZE)]

    def _frame_marks(self) -> dict[str, Any]:
        return {HOP_ATTR: HOP_SAMPLES / self._sampling_rate}

    def _extract_batch(self, signals: Sequence[np.ndarray]) -> list[Any]:
        import torch

        if self.target_dbfs is not None:
            signals = [scale_to_level(signal, self.target_dbfs) for signal in signals]
        network = load_network()
        with torch.inference_mode():
            if self.pooling == "partials":
                return _mean_of_partials(network, signals)
            add, result = _POOLINGS[self.pooling]
            pools = run_in_groups(network["lstm"], [mel_frames(signal) for signal in signals], add)
            pooled = [result(pool) for pool in pools]
            if self.pooling == "unit":
                pooled = [unit_embedding(network["linear"], output) for output in pooled]
            return [values.numpy() for values in pooled]

    def _versions(self) -> dict[str, Any]:
        return {name: importlib.metadata.version(name) for name in ("torch", "numpy")}

    @contextmanager
    def _computing(self) -> Iterator[None]:
        # More threads only slow down an LSTM this small; several utterances at a time pay off.
        with default_torch_state(), torch_threads(1):
            yield


def scale_to_level(signal: np.ndarray, dbfs: float) -> np.ndarray:
    """Scale a signal, not all zeros, to a root-mean-square level in dB re full scale."""
    rms = np.sqrt(np.mean(np.square(signal, dtype=np.float64)))
    return (signal * (10.0 ** (dbfs / 20.0) / rms)).astype(np.float32)


@cache
def load_network() -> Any:
    """Return the layers of the encoder, loaded once per process."""
    import torch
    from safetensors.torch import load_file

    # On the "meta" device no random initial weights are drawn from torch's global generator.
    layers = torch.nn.ModuleDict(
        {
            "lstm": torch.nn.LSTM(N_MELS, HIDDEN_SIZE, N_LAYERS, batch_first=True, device="meta"),
            "linear": torch.nn.Linear(HIDDEN_SIZE, HIDDEN_SIZE, device="meta"),
        }
    )
    layers.load_state_dict(load_file(WEIGHTS), assign=True)
    return layers.eval().requires_grad_(False)


@cache
def _window_and_filters():
    import torch

    # Cached for later calls, so they must not be "inference tensors" of the first caller.
    with torch.inference_mode(False):
        window = torch.hann_window(WINDOW_SAMPLES, periodic=True, dtype=torch.float64)
        filters = torch.from_numpy(mel_filterbank(SAMPLING_RATE, WINDOW_SAMPLES, N_MELS))
        return window.to(torch.float32), filters


def mel_frames(signal: np.ndarray) -> torch.Tensor:
    """Compute the mel power bands (n_frames, N_MELS) of a signal, as librosa does, in blocks."""
    import torch

    window, filters = _window_and_filters()
    n_frames = 1 + len(signal) // HOP_SAMPLES
    blocks = []
    for start in range(0, n_frames, BLOCK_FRAMES):
        stop = min(start + BLOCK_FRAMES, n_frames)
        # With the neighboring samples, so that zeros pad only the ends of the signal.
        first = max(0, start - MARGIN)
        samples = signal[first * HOP_SAMPLES : (stop + MARGIN) * HOP_SAMPLES]
        spectrum = torch.stft(
            torch.from_numpy(samples),
            WINDOW_SAMPLES,
            hop_length=HOP_SAMPLES,
            window=window,
            center=True,
            pad_mode="constant",
            return_complex=True,
        )
        power = spectrum.real.square() + spectrum.imag.square()
        blocks.append((power.T @ filters.T)[start - first : stop - first])
    return torch.cat(blocks)


def run_in_groups(
    lstm: torch.nn.LSTM,
    sequences: Sequence[torch.Tensor],
    add: Callable[[Any, torch.Tensor], Any],
) -> list[Any]:
    """Run the LSTM on every sequence; ``add(pool, outputs)`` adds a block to its pool, or None."""
    import torch

    pools: list[Any] = [None] * len(sequences)
    for first in range(0, len(sequences), GROUP_SIZE):
        group = sequences[first : first + GROUP_SIZE]
        state = None
        for start in range(0, max(map(len, group)), BLOCK_FRAMES):
            parts = [sequence[start : start + BLOCK_FRAMES] for sequence in group]
            n_frames = -(-max(map(len, parts)) // FRAMES_STEP) * FRAMES_STEP
            block = torch.zeros(GROUP_SIZE, n_frames, N_MELS)
            for row, part in enumerate(parts):
                block[row, : len(part)] = part
            outputs, state = lstm(block, state)
            for row, part in enumerate(parts):
                if len(part):
                    pools[first + row] = add(pools[first + row], outputs[row, : len(part)])
    return pools


def _add_moments(pool, outputs):
    """Add number, sum and sum of squares."""
    outputs = outputs.double()
    moments = len(outputs), outputs.sum(dim=0), outputs.square().sum(dim=0)
    return moments if pool is None else tuple(map(sum, zip(pool, moments, strict=True)))


def _mean_and_deviation(pool):
    import torch

    n_frames, total, squares = pool
    mean = total / n_frames
    variance = (squares / n_frames - mean.square()).clamp_min(0)
    return torch.cat([mean, variance.sqrt()]).float()


def _last(pool, outputs):
    return outputs[-1].clone()


def _add_frames(pool, outputs):
    return [*(pool or ()), outputs.clone()]


def _all_frames(pool):
    import torch

    return torch.cat(pool)


#: By `pooling`: function that adds the outputs of a block to a pool, and that returns its result.
_POOLINGS: dict[str, tuple[Callable, Callable]] = {
    "mean_std": (_add_moments, _mean_and_deviation),
    "unit": (_last, lambda pool: pool),
    "frames": (_add_frames, _all_frames),
}


def unit_embedding(linear: torch.nn.Linear, outputs: torch.Tensor) -> torch.Tensor:
    """Return the speaker embedding, of unit length, for the last output of sequences."""
    import torch

    return to_unit_length(torch.relu(linear(outputs)))


def to_unit_length(vectors: torch.Tensor) -> torch.Tensor:
    """Divide by the length along the last axis; zeros stay zeros."""
    import torch

    tiny = torch.finfo(vectors.dtype).tiny
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp_min(tiny)


def partial_starts(n_samples: int) -> range:
    """Return the first frame of each partial window of an utterance; at least one."""
    n_frames = -(-(n_samples + 1) // HOP_SAMPLES)
    starts = range(0, max(1, n_frames - PARTIAL_FRAMES + PARTIAL_STEP + 1), PARTIAL_STEP)
    coverage = (n_samples / HOP_SAMPLES - starts[-1]) / PARTIAL_FRAMES
    return starts[:-1] if coverage < MIN_COVERAGE and len(starts) > 1 else starts


def _mean_of_partials(network, signals: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Return the unit-length mean of the embeddings of the partial windows of each signal."""
    import torch

    windows, ends = [], []
    for signal in signals:
        starts = partial_starts(len(signal))
        n_padding = (starts[-1] + PARTIAL_FRAMES) * HOP_SAMPLES - len(signal)
        mels = mel_frames(np.pad(signal, (0, max(0, n_padding))))
        windows += [mels[start : start + PARTIAL_FRAMES] for start in starts]
        ends.append(len(windows))
    outputs = run_in_groups(network["lstm"], windows, _last)
    results = []
    for first, end in zip([0, *ends], ends, strict=False):
        mean = unit_embedding(network["linear"], torch.stack(outputs[first:end])).mean(dim=0)
        results.append(to_unit_length(mean).numpy())
    return results
