"""GE2E speaker-encoder features: a small LSTM that ships with the package."""

import importlib.metadata
from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.feature_extraction._base import AudioExtractor
from sklearn_ser.feature_extraction._speaker_embedding_network import (
    HIDDEN_SIZE,
    HOP_SAMPLES,
    PARTIAL_FRAMES,
    Frames,
    Last,
    Moments,
    load_network,
    mel_frames,
    partial_starts,
    read_in_lanes,
    to_unit_length,
    unit_embedding,
)
from sklearn_ser.utils._frames import HOP_ATTR
from sklearn_ser.utils._threads import torch_threads


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
