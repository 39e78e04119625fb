"""The GE2E encoder over several utterances at once, each to the same bits in any company.

How a matrix product rounds depends on its shape, so every call of the LSTM has the same number of
rows, `LANES`; lanes without an utterance hold zeros. On what else is in the block, on the length
of the block and on the lane, an utterance's outputs do not depend: measured with oneDNN (AVX-512,
AVX2, SSE 4.1) and with MKL, and held by a test.
"""

import threading
from functools import lru_cache
from pathlib import Path

from sklearn_ser.feature_extraction._mel import mel_power_spectrogram

WEIGHTS = Path(__file__).parent / "data" / "ge2e.safetensors"
SAMPLING_RATE = 16000
WINDOW_SAMPLES = 400  # 25 ms
HOP_SAMPLES = 160  # 10 ms
N_MELS = 40
HIDDEN_SIZE = 256
N_LAYERS = 3
#: Rows of every LSTM call. Fewer are slower by the utterance, more cost a lone utterance more:
#: with 1, 2, 4, 8, 16 rows a row of 2.8 s takes 17.5, 13.6, 8.3, 8.0, 7.7 ms.
LANES = 4
#: Most frames (10 s) that are transformed at a time: memory does not grow with the duration.
BLOCK_FRAMES = 1024
#: Blocks are padded to a multiple of this: of each new shape oneDNN keeps a plan, which takes time
#: (12 % the first time) and memory (100 MB after 600 lengths, half of that so).
FRAMES_STEP = 16
#: Frames on either side of a frame's center that its window reaches into.
MARGIN = -(-(WINDOW_SAMPLES // 2) // HOP_SAMPLES)
#: Partial windows as resemblyzer 0.1.4 cuts them by default: 1.6 s, 1.3 a second, and the last
#: one is kept if the utterance fills three quarters of it.
PARTIAL_FRAMES = 160
PARTIAL_STEP = 77
MIN_COVERAGE = 0.75
_loading = threading.Lock()


def load_network():
    """The encoder's two layers, loaded once per process, safely from several threads."""
    with _loading:
        return _load_network()


@lru_cache(maxsize=1)
def _load_network():
    import torch
    from safetensors.torch import load_file

    # On the "meta" device no random initial weights are drawn: torch's global generator stays put.
    layers = torch.nn.ModuleDict(
        {
            "lstm": torch.nn.LSTM(N_MELS, HIDDEN_SIZE, N_LAYERS, batch_first=True, device="meta"),
            "linear": torch.nn.Linear(HIDDEN_SIZE, HIDDEN_SIZE, device="meta"),
        }
    )
    layers.load_state_dict(load_file(WEIGHTS), assign=True)
    return layers.eval().requires_grad_(False)


def mel_frames(signal):
    """Mel power bands of a signal, computed block by block.

    Parameters
    ----------
    signal : ndarray of float32 of shape (n_samples,)

    Returns
    -------
    torch.Tensor of float32 of shape (1 + n_samples // HOP_SAMPLES, N_MELS)
    """
    import torch

    n_frames = 1 + len(signal) // HOP_SAMPLES
    blocks = []
    for start in range(0, n_frames, BLOCK_FRAMES):
        stop = min(start + BLOCK_FRAMES, n_frames)
        # With its neighbors' samples, so that only the signal's own ends are padded with zeros.
        first = max(0, start - MARGIN)
        mels = mel_power_spectrogram(
            signal[first * HOP_SAMPLES : (stop + MARGIN) * HOP_SAMPLES],
            sampling_rate=SAMPLING_RATE,
            n_fft=WINDOW_SAMPLES,
            hop_length=HOP_SAMPLES,
            n_mels=N_MELS,
        )
        blocks.append(mels[start - first : stop - first])
    return torch.cat(blocks)


def read_in_lanes(lstm, sequences, pools):
    """Read every sequence with the LSTM, `LANES` at a time; neighbors best have like lengths.

    Parameters
    ----------
    lstm : torch.nn.LSTM
    sequences : list of torch.Tensor of shape (n_frames, N_MELS)
    pools : list
        One for each sequence: ``add`` gets its outputs (n, HIDDEN_SIZE), block after block.
    """
    import torch

    for first in range(0, len(sequences), LANES):
        group = sequences[first : first + LANES]
        state = None
        for start in range(0, max(map(len, group)), BLOCK_FRAMES):
            parts = [sequence[start : start + BLOCK_FRAMES] for sequence in group]
            n_frames = -(-max(map(len, parts)) // FRAMES_STEP) * FRAMES_STEP
            block = torch.zeros(LANES, n_frames, N_MELS)
            for lane, part in enumerate(parts):
                block[lane, : len(part)] = part
            outputs, state = lstm(block, state)
            for lane, part in enumerate(parts):
                if len(part):
                    pools[first + lane].add(outputs[lane, : len(part)])


class Moments:
    """Mean and standard deviation over time."""

    def __init__(self):
        self.n_frames = 0
        self.total = 0.0
        self.squares = 0.0

    def add(self, outputs):
        outputs = outputs.double()
        self.n_frames += len(outputs)
        self.total = self.total + outputs.sum(dim=0)
        self.squares = self.squares + outputs.square().sum(dim=0)

    def result(self):
        import torch

        mean = self.total / self.n_frames
        variance = (self.squares / self.n_frames - mean.square()).clamp_min(0)
        return torch.cat([mean, variance.sqrt()]).float()


class Last:
    """The output at the last frame."""

    def __init__(self):
        self.output = None

    def add(self, outputs):
        self.output = outputs[-1].clone()

    def result(self):
        return self.output


class Frames:
    """All outputs."""

    def __init__(self):
        self.blocks = []

    def add(self, outputs):
        self.blocks.append(outputs.clone())

    def result(self):
        import torch

        return torch.cat(self.blocks)


def unit_embedding(linear, outputs):
    """Speaker embedding of unit length, from the last output of one or several sequences."""
    import torch

    return to_unit_length(torch.relu(linear(outputs)))


def to_unit_length(vectors):
    """Divide by the length along the last axis; zeros stay zeros."""
    import torch

    tiny = torch.finfo(vectors.dtype).tiny
    return vectors / vectors.norm(dim=-1, keepdim=True).clamp_min(tiny)


def partial_starts(n_samples):
    """First frame of each partial window of an utterance, as a range; at least one."""
    n_frames = -(-(n_samples + 1) // HOP_SAMPLES)
    starts = range(0, max(1, n_frames - PARTIAL_FRAMES + PARTIAL_STEP + 1), PARTIAL_STEP)
    coverage = (n_samples / HOP_SAMPLES - starts[-1]) / PARTIAL_FRAMES
    return starts[:-1] if coverage < MIN_COVERAGE and len(starts) > 1 else starts
