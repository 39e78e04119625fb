"""GE2E speaker-encoder features: a small LSTM that ships with the package."""

import importlib.metadata
import threading
from functools import lru_cache
from numbers import Real
from pathlib import Path

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.feature_extraction._base import AudioExtractor
from sklearn_ser.feature_extraction._mel import mel_power_spectrogram
from sklearn_ser.utils._frames import HOP_ATTR
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._threads import torch_threads

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


@public_module("sklearn_ser.feature_extraction")
class SpeakerEmbedding(AudioExtractor):
    """Features of a speaker encoder trained with the GE2E loss.

    A three-layer LSTM (40 mel bands in, 256 units a layer) that was trained to tell speakers
    apart. What it hears of a voice carries over to emotion: pooled over time, its last layer is
    the recommended default input for a classifier. The weights come with the package (5.7 MB); no
    download, no openSMILE, no resemblyzer.

    Each utterance is scaled to the level `target_dbfs`, turned into 40 mel power bands (25 ms
    windows every 10 ms) and read by the LSTM in one pass (but for ``"partials"``), silences
    included. Utterances of like length are read together, which changes no number.

    Parameters
    ----------
    pooling : {"mean_std", "unit", "partials", "frames"}, default="mean_std"
        - ``"mean_std"``: mean and standard deviation over time of the last layer's outputs:
          512 numbers.
        - ``"unit"``: the speaker embedding proper, which has unit length and no negative entry:
          the last output, a linear layer, ReLU: 256 numbers.
        - ``"partials"``: the embedding as Resemblyzer's `embed_utterance` gives it: the mean of
          the speaker embeddings of windows of 1.6 s (every 0.77 s, the last one padded with
          zeros or, if the utterance fills less than three quarters of it, left out), scaled to
          unit length: 256 numbers.
        - ``"frames"``: the last layer's outputs as they are, 256 numbers every 10 ms: frame
          sequences for :class:`~sklearn_ser.MTLNeuralClassifier`.
    target_dbfs : float or None, default=-30
        Root-mean-square level in dB re full scale that every utterance is scaled to, up or down.
        None leaves the level as it is (the network hears the difference).
    audio : str, default="file"
        Column of X that holds the audio. `start` and `end` (seconds) are read where present, id
        columns become index levels, every other column is ignored.
    on_error : {"raise", "warn", "ignore"}, default="raise"
        What to do with audio that cannot be used. "warn" and "ignore" give a row of NaN and a
        record in `failures_`.
    beyond_full_scale : {"raise", "clip"}, default="raise"
        What to do with samples outside [-1, 1]; "clip" cuts them off with a warning.
    remove_dc : bool, default=False
        Subtract the mean of each utterance first.
    store : str or Path, default=None
        Folder of a :class:`FeatureStore`: what is there is not computed again, what is new is
        added. It changes no number.
    n_jobs : int, default=None
        Utterances at a time; threads, unless `joblib.parallel_config` names another backend. Each
        job uses one torch thread, so that n_jobs changes no number.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    failures_ : list of dict
        The utterances that the last `transform` could not use: `row`, `file`, `reason`.

    See Also
    --------
    OpenSmileExtractor : Hand-made acoustic features; joined with these they do a little better.

    Notes
    -----
    The weights are those of Resemblyzer 0.1.4 (Copyright 2019 Resemble.AI, Apache License 2.0;
    license and attribution stand beside them in the package). The numbers agree with that
    package's own mel front end (librosa 0.11) and network within 1e-5. Its preprocessing differs:
    it only ever raises the level, and cuts silences out. On a signal that went through that
    preprocessing, ``SpeakerEmbedding("partials", target_dbfs=None)`` gives the numbers of its
    `embed_utterance`.

    The front end pads with zeros, as librosa does since 0.9. Older versions, and so the weights'
    training, mirrored the signal; that moves single numbers here by 0.025 at most (measured).

    The network always works on four utterances (or windows) at a time, in blocks of 10 s. So an
    utterance's numbers are the same to the last bit whatever it is extracted with, in whatever
    order and with whatever `n_jobs`, and a long recording takes no more memory than its samples
    and outputs. A lone utterance costs as much as four.

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

    Frame sequences, of any length each:

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
        pooling="mean_std",
        target_dbfs=-30,
        *,
        audio="file",
        on_error="raise",
        beyond_full_scale="raise",
        remove_dc=False,
        store=None,
        n_jobs=None,
        verbose=0,
    ):
        self.pooling = pooling
        self.target_dbfs = target_dbfs
        self.audio = audio
        self.on_error = on_error
        self.beyond_full_scale = beyond_full_scale
        self.remove_dc = remove_dc
        self.store = store
        self.n_jobs = n_jobs
        self.verbose = verbose

    @property
    def _frame_level(self):
        return self.pooling == "frames"

    def _feature_names(self):
        parts = {"mean_std": ("mean_", "std_"), "frames": ("",)}.get(
            self.pooling, (f"{self.pooling}_",)
        )
        return [f"ge2e_{part}{unit:03d}" for part in parts for unit in range(HIDDEN_SIZE)]

    def _frame_marks(self):
        return {HOP_ATTR: HOP_SAMPLES / self._sampling_rate}

    def _extract(self, signal):
        return self._extract_batch([signal])[0]

    def _extract_batch(self, signals):
        import torch

        if self.target_dbfs is not None:
            signals = [scale_to_level(signal, self.target_dbfs) for signal in signals]
        network = load_network()
        with torch.inference_mode():
            if self.pooling == "partials":
                return _mean_of_partials(network, signals)
            pools = [_POOLS[self.pooling]() for _ in signals]
            read_in_lanes(network["lstm"], [mel_frames(signal) for signal in signals], pools)
            found = [pool.result() for pool in pools]
            if self.pooling == "unit":
                found = [unit_embedding(network["linear"], output) for output in found]
            return [values.numpy() for values in found]

    def _versions(self):
        return {name: importlib.metadata.version(name) for name in ("torch", "numpy")}

    def _computing(self):
        # More threads only slow an LSTM this small; several utterances at a time are worth it.
        return torch_threads(1)


def scale_to_level(signal, dbfs):
    """Scale a signal, not all zeros, to a root-mean-square level in dB re full scale."""
    rms = np.sqrt(np.mean(np.square(signal, dtype=np.float64)))
    return (signal * (10.0 ** (dbfs / 20.0) / rms)).astype(np.float32)


_POOLS = {"mean_std": Moments, "unit": Last, "frames": Frames}


def _mean_of_partials(network, signals):
    """Unit-length mean of the embeddings of each signal's partial windows, padded with zeros."""
    import torch

    windows, ends = [], []
    for signal in signals:
        starts = partial_starts(len(signal))
        n_padding = (starts[-1] + PARTIAL_FRAMES) * HOP_SAMPLES - len(signal)
        mels = mel_frames(np.pad(signal, (0, max(0, n_padding))))
        windows += [mels[start : start + PARTIAL_FRAMES] for start in starts]
        ends.append(len(windows))
    pools = [Last() for _ in windows]
    read_in_lanes(network["lstm"], windows, pools)
    results = []
    for first, end in zip([0, *ends], ends, strict=False):
        outputs = torch.stack([pool.result() for pool in pools[first:end]])
        mean = unit_embedding(network["linear"], outputs).mean(dim=0)
        results.append(to_unit_length(mean).numpy())
    return results
