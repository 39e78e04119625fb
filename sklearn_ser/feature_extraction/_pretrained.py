"""Embeddings of pretrained speech encoders, through Hugging Face transformers."""

import importlib.metadata
from numbers import Integral

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction._base import AudioExtractor
from sklearn_ser.feature_extraction._pretrained_encoder import (
    load_encoder,
    own_frames,
    resolve_device,
)
from sklearn_ser.feature_extraction._pretrained_source import describe, find_model
from sklearn_ser.utils._frames import AXIS_ATTR, HOP_ATTR, LAYERS
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._threads import torch_threads


@public_module("sklearn_ser.feature_extraction")
class PretrainedEmbedding(AudioExtractor):
    """Hidden states of a pretrained speech encoder, pooled over time or frame by frame.

    Takes wav2vec 2.0, HuBERT, WavLM, data2vec-audio, UniSpeech, UniSpeech-SAT and the encoder of
    Whisper, from a local folder or by their name on the Hugging Face hub. Needs the extra ``hub``
    (``pip install 'sklearn-ser[hub]'``). Such encoders are the strongest features known for
    emotion; layers in the middle often serve better than the last one, so choose `layer` by
    cross-validation, or give all of them to a network that weights them.

    .. note::
       **Licenses**: each model has its own, stated on its page on the hub. Some forbid commercial
       use.

    Parameters
    ----------
    model : str
        A folder that transformers' ``save_pretrained`` wrote (relative to the working directory),
        or a name on the hub such as ``"microsoft/wavlm-base-plus"``. What is in the hub's local
        cache is used as it is; only what is not there is downloaded.
    layer : int or {"mean", "all"}, default=-1
        Which hidden state of the encoder's n layers. 0 is what goes into the first layer (the
        projected features with their positions), i the output of the i-th, n or -1 the encoder's
        output (normalized, in the models that do so at the end).

        - ``"mean"``: the mean of all n + 1 states.
        - ``"all"``: all n + 1 states, pooled over time: the cell of an utterance is an array of
          shape (n + 1, n_features), for :class:`MTLNeuralClassifier`, which learns to weight them
          (its ``encoder="layers"``, and "auto" finds it where nothing but a :class:`FrameScaler`
          is in between).
    pooling : {"mean", "mean_std", "frames"}, default="mean"
        - ``"mean"``: the mean over the frames of the utterance.
        - ``"mean_std"``: mean and standard deviation over these.
        - ``"frames"``: no pooling; the cell of an utterance is an array of shape (n_frames,
          width), usually 50 frames a second. Not together with ``layer="all"``.
    revision : str, default=None
        Branch, tag or commit of a hub model; None is its main branch as it is in the local cache.
        Name a commit to have the same model for ever.
    device : str, default="auto"
        Where the network runs: "cpu", "cuda", "cuda:1", ...; "auto" is cuda where there is one.
    batch_size : int, default=1
        Most utterances that share a pass through the network. On a CPU it gains nothing; on a GPU
        try 16. Utterances of different length share a pass only in models where this touches no
        number by more than rounding (see Notes).
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
        added. It changes no number, and knows the model by its content, not by its name.
    n_jobs : int, default=None
        Utterances (or batches) at a time; threads that share one network, unless
        `joblib.parallel_config` names another backend. Each job uses one torch thread, so that
        n_jobs changes no number: ``n_jobs=-1`` is the way to use all cores.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    failures_ : list of dict
        The utterances that the last `transform` could not use: `row`, `file`, `reason`.

    See Also
    --------
    SpeakerEmbedding : A small network that comes with the package: no download, much faster.
    OpenSmileExtractor : Hand-made acoustic features.

    Notes
    -----
    Audio is resampled to the model's own sampling rate and scaled as its feature extractor says,
    each utterance by itself. Only frames that see nothing but the utterance's samples count.

    What an utterance gives depends on itself alone. With ``batch_size=1`` this holds bit by bit.
    With more it holds up to rounding (within 1e-5 in our tests on a CPU): models that normalize
    over time (``feat_extract_norm="group"``: wav2vec2-base, hubert-base, wavlm-base, ...) and
    data2vec-audio, whose numbers padding would change altogether, are only ever given utterances
    of equal length together; the others are padded and masked.

    Whisper hears windows of 30 s, filled up with silence, and costs as much for a short utterance
    as for a long one. Frames count whose center (one in 20 ms) lies in the utterance. Longer audio
    is cut into pieces of 30 s, which are read one after the other and whose frames are joined.
    The other models read an utterance in one piece; their memory grows with the square of its
    length, so cut long recordings into segments first.

    Graphics cards calculate with other roundings than processors: a store keeps their features
    apart.

    References
    ----------
    S. Yang et al., "SUPERB: Speech processing Universal PERformance Benchmark", Interspeech 2021,
    https://arxiv.org/abs/2105.01051

    J. Wagner et al., "Dawn of the Transformer Era in Speech Emotion Recognition: Closing the
    Valence Gap", IEEE TPAMI 45(9), 2023, https://arxiv.org/abs/2203.07378

    Examples
    --------
    >>> from sklearn_ser.feature_extraction import PretrainedEmbedding
    >>> extractor = PretrainedEmbedding("microsoft/wavlm-base-plus", layer=9)
    >>> extractor.fit_transform(["speech.wav"]).shape  # doctest: +SKIP
    (1, 768)
    >>> PretrainedEmbedding("no/such/folder").fit_transform(["speech.wav"])
    Traceback (most recent call last):
        ...
    sklearn_ser.exceptions.PretrainedModelError: there is no folder 'no/such/folder' ...
    """

    _parameter_constraints = {
        "model": [str],
        "layer": [Integral, StrOptions({"mean", "all"})],
        "pooling": [StrOptions({"mean", "mean_std", "frames"})],
        "revision": [str, None],
        "device": [str],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        **AudioExtractor._parameter_constraints,
    }

    def __init__(
        self,
        model,
        layer=-1,
        pooling="mean",
        *,
        revision=None,
        device="auto",
        batch_size=1,
        audio="file",
        on_error="raise",
        beyond_full_scale="raise",
        remove_dc=False,
        store=None,
        n_jobs=None,
        verbose=0,
    ):
        self.model = model
        self.layer = layer
        self.pooling = pooling
        self.revision = revision
        self.device = device
        self.batch_size = batch_size
        self.audio = audio
        self.on_error = on_error
        self.beyond_full_scale = beyond_full_scale
        self.remove_dc = remove_dc
        self.store = store
        self.n_jobs = n_jobs
        self.verbose = verbose

    @property
    def _frame_level(self):
        return self.pooling == "frames" or self.layer == "all"

    @property
    def _batch_size(self):
        return self.batch_size

    @property
    def _sampling_rate(self):
        return self._description().sampling_rate

    @property
    def _min_duration(self):
        description = self._description()
        return max(super()._min_duration, description.shortest / description.sampling_rate)

    def _validate_params(self):
        super()._validate_params()
        if isinstance(self.layer, bool):
            raise ValueError(
                f"The 'layer' parameter of PretrainedEmbedding must be 'mean', 'all' or a number. "
                f"Got {self.layer} instead."
            )
        if self.layer == "all" and self.pooling == "frames":
            raise ValueError(
                "layer='all' and pooling='frames' of PretrainedEmbedding cannot be combined: a "
                "cell holds the layers or the frames of an utterance. Choose one layer (or "
                "'mean') for frames, or pooling='mean' or 'mean_std' for all layers."
            )
        n_layers = self._description().n_layers
        if isinstance(self.layer, Integral) and not -n_layers - 1 <= self.layer <= n_layers:
            raise ValueError(
                f"The 'layer' parameter of PretrainedEmbedding must be 'mean', 'all' or a number "
                f"from {-n_layers - 1} to {n_layers}: the model {self.model!r} has {n_layers} "
                f"layers, and 0 is what goes into the first. Got {self.layer} instead."
            )
        resolve_device(self.device)

    def _description(self):
        return describe(find_model(self.model, self.revision))

    def _feature_names(self):
        description = self._description()
        prefix = description.model_type.replace("-", "_")
        parts = {"mean": ["_mean"], "mean_std": ["_mean", "_std"], "frames": [""]}[self.pooling]
        return [f"{prefix}{part}_{i:04d}" for part in parts for i in range(description.width)]

    def _frame_marks(self):
        if self.layer == "all":
            return {AXIS_ATTR: LAYERS}
        return {HOP_ATTR: self._description().hop_length}

    def _versions(self):
        return {
            "model": find_model(self.model, self.revision).version(),
            "device": resolve_device(self.device).partition(":")[0],
            **{name: importlib.metadata.version(name) for name in ("torch", "transformers")},
        }

    def _computing(self):
        # Several utterances at a time use the cores better than several threads on one.
        return torch_threads(1)

    def _extract(self, signal):
        (values,) = self._extract_batch([signal])
        if isinstance(values, AudioError):
            raise values
        return values

    def _extract_batch(self, signals):
        encoder = load_encoder(find_model(self.model, self.revision), resolve_device(self.device))
        shortest = encoder.description.shortest
        long_enough = [signal for signal in signals if len(signal) >= shortest]
        found = iter(own_frames(encoder, long_enough, self._layers(encoder), self.batch_size))
        return [
            self._pooled(next(found)) if len(signal) >= shortest else _too_short(signal, shortest)
            for signal in signals
        ]

    def _layers(self, encoder):
        n_states = encoder.description.n_layers + 1
        if isinstance(self.layer, str):
            return range(n_states)
        return [self.layer % n_states]

    def _pooled(self, states):
        """Values of an utterance from its states (n_layers, n_frames, width)."""
        import torch

        if self.layer != "all":
            states = states.mean(dim=0, keepdim=True)
        if self.pooling != "frames":
            parts = [states.mean(dim=1)]
            if self.pooling == "mean_std":
                parts.append(states.std(dim=1, correction=0))
            states = torch.cat(parts, dim=1)
            return (states if self.layer == "all" else states[0]).cpu().numpy()
        return states[0].cpu().numpy()


def _too_short(signal, shortest):
    return AudioError(
        f"the audio has {len(signal)} samples at the model's rate, but the model needs "
        f"{shortest} for one frame: leave this row out or join it with its neighbor"
    )
