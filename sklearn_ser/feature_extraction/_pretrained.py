"""Embeddings of pretrained speech encoders, by Hugging Face transformers."""

from __future__ import annotations

import importlib.metadata
import os
import threading
import warnings
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.exceptions import AudioError, PretrainedModelError
from sklearn_ser.feature_extraction._base import (
    AudioExtractor,
    BeyondFullScale,
    OnError,
    document_audio_parameters,
)
from sklearn_ser.feature_extraction._pretrained_source import (
    Description,
    ModelSource,
    describe_model,
    fetch_weights,
    find_model,
    import_transformers,
    quiet,
    unreadable,
)
from sklearn_ser.utils._frames import AXIS_ATTR, HOP_ATTR, LAYERS
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._threads import torch_threads
from sklearn_ser.utils._torch_state import default_torch_state

if TYPE_CHECKING:
    import torch

#: Models that stay in memory: enough for a union of two, or to compare two.
MAX_LOADED = 2
_loaded: OrderedDict[tuple, SpeechEncoder] = OrderedDict()
_loading = threading.Lock()


@public_module("sklearn_ser.feature_extraction")
@document_audio_parameters
class PretrainedEmbedding(AudioExtractor):
    """Hidden states of a pretrained speech encoder, pooled over time or frame by frame.

    Supports wav2vec 2.0, HuBERT, WavLM, data2vec-audio, UniSpeech, UniSpeech-SAT and the encoder of
    Whisper, from a local folder or by their name on the Hugging Face hub. Requires the extra
    ``hub`` (``pip install 'sklearn-ser[hub]'``). Such encoders are the strongest features known for
    emotion. Middle layers are often better than the last one, so choose `layer` by
    cross-validation, or pass all of them to a network that weights them.

    .. note::
       **Licenses**: each model has its own, stated on its page on the hub. Some forbid commercial
       use.

    Parameters
    ----------
    model : str
        Folder written by ``save_pretrained`` of transformers (relative to the working directory),
        or name on the hub such as ``"microsoft/wavlm-base-plus"``. Files in the local cache of the
        hub are used as they are; only missing files are downloaded. A model file
        (:func:`~sklearn_ser.save_model`) does not hold it: set it after loading,
        ``set_params(pretrainedembedding__model=...)``.
    layer : int or {"mean", "all"}, default=-1
        Hidden state of the n layers of the encoder. 0 is the input of the first layer (the
        projected features with their positions), i the output of the i-th, n or -1 the output of
        the encoder (normalized, in models with a final normalization).

        - ``"mean"``: the mean of all n + 1 states.
        - ``"all"``: all n + 1 states, pooled over time: each utterance gives an array of shape (n +
          1, n_features), for :class:`MTLNeuralClassifier`, which learns to weight them (with
          ``encoder="layers"``, or "auto" if nothing but a :class:`FrameScaler` is in between).
    pooling : {"mean", "mean_std", "frames"}, default="mean"
        Pooling over time:

        - ``"mean"``: the mean over the frames of the utterance.
        - ``"mean_std"``: mean and standard deviation over these.
        - ``"frames"``: no pooling; each utterance gives an array of shape (n_frames, width),
          usually 50 frames per second. Not with ``layer="all"``.
    revision : str, default=None
        Branch, tag or commit of a hub model. None: the main branch as it is in the local cache.
        Name a commit for reproducible features.
    device : str, default="auto"
        Device of the network: "cpu", "cuda", "cuda:1", ...; "auto" is cuda if available.
    batch_size : int, default=1
        Maximum number of utterances in a forward pass. On a CPU a larger value gains nothing; on a
        GPU try 16. Utterances of different lengths share a pass only in models for which this
        changes the features by no more than rounding (see Notes).
    %(audio_parameters)s

    Attributes
    ----------
    %(failures_attribute)s

    See Also
    --------
    SpeakerEmbedding : Small network whose weights are in the package: no download, much faster.
    OpenSmileExtractor : Hand-crafted acoustic features.

    Notes
    -----
    Audio is resampled to the sampling rate of the model and scaled as its feature extractor
    specifies, each utterance by itself. Only frames that depend on nothing but samples of the
    utterance are used.

    The features of an utterance depend on that utterance alone: with ``batch_size=1`` bit by bit,
    with more up to rounding (within 1e-5 in our tests on a CPU). Models that normalize over time
    (``feat_extract_norm="group"``: wav2vec2-base, hubert-base, wavlm-base, ...) and data2vec-audio,
    whose features padding would change altogether, only process utterances of equal length
    together; in the others utterances are padded and masked.

    Whisper processes windows of 30 s, padded with silence, and needs as much time for a short
    utterance as for a long one. Frames whose center (one in 20 ms) is in the utterance are used.
    Longer audio is cut into pieces of 30 s, whose frames are concatenated. The other models process
    an utterance as a whole; their memory grows with the square of its length, so cut long
    recordings into segments first.

    Each job uses one torch thread, and in threads all jobs share one network: use ``n_jobs=-1`` to
    occupy all cores. Graphics cards round differently from processors: cache keys of a feature
    store include the kind of device, and identify a model by its content, not by its name.

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
        "model": [str, None],  # None in an estimator from a model file
        "layer": [Integral, StrOptions({"mean", "all"})],
        "pooling": [StrOptions({"mean", "mean_std", "frames"})],
        "revision": [str, None],
        "device": [str],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        **AudioExtractor._parameter_constraints,
    }

    def __init__(
        self,
        model: str,
        layer: int | Literal["mean", "all"] = -1,
        pooling: Literal["mean", "mean_std", "frames"] = "mean",
        *,
        revision: str | None = None,
        device: str = "auto",
        batch_size: int = 1,
        audio: str = "file",
        on_error: OnError = "raise",
        beyond_full_scale: BeyondFullScale = "raise",
        remove_dc: bool = False,
        store: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(audio, on_error, beyond_full_scale, remove_dc, store, n_jobs, verbose)
        self.model = model
        self.layer = layer
        self.pooling = pooling
        self.revision = revision
        self.device = device
        self.batch_size = batch_size

    @property
    def _frame_level(self) -> bool:
        return self.pooling == "frames" or self.layer == "all"

    @property
    def _batch_size(self) -> int:
        return self.batch_size

    @property
    def _sampling_rate(self) -> float:
        return self._description().sampling_rate

    @property
    def _min_duration(self) -> float:
        description = self._description()
        return max(super()._min_duration, description.min_samples / description.sampling_rate)

    def _validate_params(self) -> None:
        super()._validate_params()
        if isinstance(self.layer, bool):
            raise ValueError(
                f"The 'layer' parameter of PretrainedEmbedding must be 'mean', 'all' or a number. "
                f"Got {self.layer} instead."
            )
        if self.layer == "all" and self.pooling == "frames":
            raise ValueError(
                "layer='all' and pooling='frames' of PretrainedEmbedding cannot be combined: an "
                "utterance gives an array of layers or one of frames. Choose one layer (or "
                "'mean') for frames, or pooling='mean' or 'mean_std' for all layers."
            )
        n_layers = self._description().n_layers
        if isinstance(self.layer, Integral) and not -n_layers - 1 <= self.layer <= n_layers:
            raise ValueError(
                f"The 'layer' parameter of PretrainedEmbedding must be 'mean', 'all' or a number "
                f"from {-n_layers - 1} to {n_layers}: the model {self.model!r} has {n_layers} "
                f"layers, and 0 is the input of the first. Got {self.layer} instead."
            )
        resolve_device(self.device)

    def _description(self) -> Description:
        return describe_model(find_model(self.model, self.revision))

    def _feature_names(self) -> list[str]:
        description = self._description()
        prefix = description.model_type.replace("-", "_")
        parts = {"mean": ["_mean"], "mean_std": ["_mean", "_std"], "frames": [""]}[self.pooling]
        return [f"{prefix}{part}_{i:04d}" for part in parts for i in range(description.width)]

    def _frame_marks(self) -> dict[str, Any]:
        if self.layer == "all":
            return {AXIS_ATTR: LAYERS}
        return {HOP_ATTR: self._description().hop_length}

    def _versions(self) -> dict[str, Any]:
        return {
            "model": find_model(self.model, self.revision).version(),
            "device": resolve_device(self.device).partition(":")[0],
            **{name: importlib.metadata.version(name) for name in ("torch", "transformers")},
        }

    @contextmanager
    def _computing(self) -> Iterator[None]:
        # Several utterances at a time use the cores better than several threads for one.
        with default_torch_state(), torch_threads(1):
            yield

    def _extract_batch(self, signals: Sequence[np.ndarray]) -> list[Any]:
        encoder = load_encoder(find_model(self.model, self.revision), resolve_device(self.device))
        shortest = encoder.description.min_samples
        long_enough = [signal for signal in signals if len(signal) >= shortest]
        states = iter(hidden_states(encoder, long_enough, self._layers(encoder), self.batch_size))
        return [
            self._pool(next(states)) if len(signal) >= shortest else _too_short(signal, shortest)
            for signal in signals
        ]

    def _layers(self, encoder: SpeechEncoder) -> Sequence[int]:
        n_states = encoder.description.n_layers + 1
        if isinstance(self.layer, str):
            return range(n_states)
        return [self.layer % n_states]

    def _pool(self, states: torch.Tensor) -> np.ndarray:
        """Return the features of an utterance from its states (n_layers, n_frames, width)."""
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
        f"the audio has {len(signal)} samples at the sampling rate of the model, which needs "
        f"{shortest} for one frame: leave this row out or join it with its neighbor"
    )


def load_encoder(source: ModelSource, device: str) -> SpeechEncoder:
    """Return the encoder of a model on a device, from memory if its files have not changed."""
    with _loading:
        key = (source, source.stamp(), device)
        if key not in _loaded:
            fetch_weights(source)
            key = (source, source.stamp(), device)
            while len(_loaded) >= MAX_LOADED:
                _loaded.popitem(last=False)
            _loaded[key] = SpeechEncoder(describe_model(source), _load(source, device), device)
        _loaded.move_to_end(key)
        return _loaded[key]


def resolve_device(device: str) -> str:
    """Return the device that "auto" stands for, or check the one that is named."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"The 'device' parameter of PretrainedEmbedding must be 'auto' or a device that torch "
            f"can use, such as 'cpu' or 'cuda:0'. Got {device!r} instead ({reason})."
        ) from error
    return device


def _load(source, device):
    """Load the network of the encoder in float32 onto the device."""
    import torch

    transformers = import_transformers()
    description = describe_model(source)
    try:
        # Building a network draws random weights: the state of torch's generator is restored.
        with quiet(), torch.random.fork_rng(devices=[]), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model, info = transformers.AutoModel.from_pretrained(
                source.folder,
                config=description.config,
                dtype=torch.float32,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
            )
    except Exception as error:  # of many kinds, from many libraries
        raise unreadable(source, "weights", error) from error
    _check_complete(source, description, info["missing_keys"])
    if description.is_whisper:
        model = model.get_encoder()
    return model.eval().requires_grad_(False).to(device)


def _check_complete(source, description, missing):
    """Check that all weights are in the file; transformers would use random ones."""
    needed = sorted(
        name
        for name in missing
        # Used in training only, and not in the files of models fine-tuned for recognition.
        if not name.endswith("masked_spec_embed")
        and (name.startswith("encoder.") or not description.is_whisper)
    )
    if needed:
        shown = ", ".join(needed[:3]) + (", ..." if len(needed) > 3 else "")
        raise PretrainedModelError(
            f"the weights of the model {source.name!r} are not complete: {len(needed)} arrays of "
            f"the encoder are missing and would be random numbers ({shown}). Download or save the "
            f"whole model again"
        )


class SpeechEncoder:
    """Network with access to its hidden states; several threads may use it at once."""

    def __init__(self, description: Description, network: Any, device: str) -> None:
        self.description = description
        self._network = network
        self._device = device
        self._requested = threading.local()
        layers = network.layers if description.is_whisper else network.encoder.layers
        for index, layer in enumerate(layers):
            layer.register_forward_pre_hook(partial(self._record_input, index))

    def states(
        self, inputs: torch.Tensor, layers: Sequence[int], mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Compute hidden states of a batch, of shape (n_layers, n_signals, n_frames, width).

        `layers` are in increasing order: i is the input of layer i, and the number of layers stands
        for the output of the network (with its final normalization, if any). `mask` is 1 for
        samples and 0 for padding, of shape (n_signals, n_samples).
        """
        import torch

        self._requested.layers, self._requested.states = layers, []
        arguments = {}
        without_warning: AbstractContextManager = nullcontext()
        if mask is not None:
            arguments["attention_mask"] = mask.to(self._device)
            # WavLM passes two masks of different types to torch, which accepts them with a warning.
            without_warning = warnings.catch_warnings(action="ignore", category=UserWarning)
        try:
            with torch.inference_mode(), without_warning:
                output = self._network(inputs.to(self._device), **arguments)
                if layers[-1] == self.description.n_layers:
                    self._requested.states.append(output.last_hidden_state)
        except _LastLayerReached:
            pass
        states, self._requested.states = self._requested.states, []
        return torch.stack(states)

    def _record_input(self, index, layer, arguments):
        if index in self._requested.layers:
            self._requested.states.append(arguments[0])
            if index == self._requested.layers[-1]:
                raise _LastLayerReached


class _LastLayerReached(Exception):
    """Stops the network: no later layer is requested."""


def hidden_states(
    encoder: SpeechEncoder, signals: Sequence[np.ndarray], layers: Sequence[int], batch_size: int
) -> list[torch.Tensor]:
    """Compute the hidden states (n_layers, n_frames, width) of each utterance."""
    if encoder.description.is_whisper:
        return _whisper_states(encoder, signals, layers, batch_size)
    return _waveform_states(encoder, signals, layers)


def _waveform_states(encoder, signals, layers):
    import torch

    description = encoder.description
    prepared = [torch.from_numpy(_prepare(description, signal)) for signal in signals]
    results = [None] * len(signals)
    for positions in _groups([len(signal) for signal in signals], description.pads):
        group = [prepared[position] for position in positions]
        inputs = torch.nn.utils.rnn.pad_sequence(group, batch_first=True)
        mask = None
        if len({len(signal) for signal in group}) > 1:
            mask = torch.nn.utils.rnn.pad_sequence(
                [torch.ones(len(signal), dtype=torch.long) for signal in group], batch_first=True
            )
        states = encoder.states(inputs, layers, mask)
        for i, position in enumerate(positions):
            n_frames = description.n_frames(len(signals[position]))
            results[position] = states[:, i, :n_frames]
    return results


def _groups(lengths: Sequence[int], pads: bool) -> Collection[Sequence[int]]:
    """Return the positions of the utterances that may share a batch."""
    if pads:
        return [range(len(lengths))] if lengths else []
    by_length: dict[int, list[int]] = {}
    for position, length in enumerate(lengths):
        by_length.setdefault(length, []).append(position)
    return by_length.values()


def _prepare(description, signal):
    """Return the input of the network for one utterance, scaled by itself, before padding."""
    (values,) = description.preparation(
        signal.copy(),
        sampling_rate=description.sampling_rate,
        padding=False,
        return_attention_mask=False,
    )["input_values"]
    return values


def _whisper_states(encoder, signals, layers, batch_size):
    import torch

    description = encoder.description
    window = description.preparation.n_samples
    pieces = [
        (position, signal[start : start + window])
        for position, signal in enumerate(signals)
        for start in range(0, len(signal), window)
    ]
    results: list[list[torch.Tensor]] = [[] for _ in signals]
    for first in range(0, len(pieces), batch_size):
        batch = pieces[first : first + batch_size]
        inputs = torch.cat([_log_mel(description, piece) for _, piece in batch])
        states = encoder.states(inputs, layers)
        for i, (position, piece) in enumerate(batch):
            results[position].append(states[:, i, : description.n_frames(len(piece))])
    return [torch.cat(parts, dim=1) for parts in results]


def _log_mel(description, piece):
    """Return a piece of an utterance, padded with silence to the window, as a batch of one."""
    return description.preparation(
        piece, sampling_rate=description.sampling_rate, return_tensors="pt"
    )["input_features"]
