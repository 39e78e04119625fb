"""Pretrained speech encoders, loaded once per process, and their hidden states."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections import OrderedDict
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from sklearn_ser.exceptions import PretrainedModelError
from sklearn_ser.feature_extraction._pretrained_source import (
    Description,
    ModelSource,
    describe_model,
    fetch_weights,
    import_transformers,
    quiet,
    unreadable,
)

if TYPE_CHECKING:
    import torch

#: Models that stay in memory: enough for a union of two, or to compare two.
MAX_LOADED = 2
_loaded: OrderedDict[tuple, SpeechEncoder] = OrderedDict()
_loading = threading.Lock()


def load_encoder(source: ModelSource, device: str) -> SpeechEncoder:
    """Return the encoder of a model on a device, from memory if its files have not changed.

    Raise a PretrainedModelError if the weights are missing, damaged or incomplete.
    """
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
        arguments = {} if mask is None else {"attention_mask": mask.to(self._device)}
        try:
            with torch.inference_mode(), _without_warning_of_masks(mask is not None):
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


@contextlib.contextmanager
def _without_warning_of_masks(masked: bool) -> Iterator[None]:
    """Ignore a warning: WavLM passes two masks of different types to torch, which accepts them."""
    if not masked:
        yield
        return
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
        yield


def hidden_states(
    encoder: SpeechEncoder, signals: Sequence[np.ndarray], layers: Sequence[int], batch_size: int
) -> list[torch.Tensor]:
    """Compute the hidden states (n_layers, n_frames, width) of each utterance.

    The signals are float32, with enough samples for a frame each. `layers` are those of
    `SpeechEncoder.states`; `batch_size` limits the windows of Whisper in a forward pass.
    """
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
