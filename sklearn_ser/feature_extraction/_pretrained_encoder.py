"""Pretrained speech encoders of this process: loaded once, shared by its threads."""

import contextlib
import threading
import warnings
from collections import OrderedDict
from functools import partial

from sklearn_ser.exceptions import PretrainedModelError
from sklearn_ser.feature_extraction._pretrained_source import (
    describe,
    fetch_weights,
    import_transformers,
    quiet,
    unreadable,
)

#: Models that stay in memory: enough for a union of two, or to compare two.
MOST_LOADED = 2
_loaded = OrderedDict()
_loading = threading.Lock()


def load_encoder(source, device):
    """The encoder of a `ModelSource`, from memory if its files have not changed.

    Parameters
    ----------
    source : ModelSource
    device : str
        As `resolve_device` returns it.

    Returns
    -------
    SpeechEncoder

    Raises
    ------
    PretrainedModelError
        If the weights are not there, damaged, or not all of the encoder's.
    """
    with _loading:
        key = (source, source.stamp(), device)
        if key not in _loaded:
            fetch_weights(source)
            key = (source, source.stamp(), device)
            while len(_loaded) >= MOST_LOADED:
                _loaded.popitem(last=False)
            _loaded[key] = SpeechEncoder(describe(source), _load(source, device), device)
        _loaded.move_to_end(key)
        return _loaded[key]


def resolve_device(device):
    """The device that "auto" stands for, or the one named; ValueError where it is not there."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        said = " ".join(str(error).split())[:200]
        raise ValueError(
            f"The 'device' parameter of PretrainedEmbedding must be 'auto' or a device that torch "
            f"finds here, such as 'cpu' or 'cuda:0'. Got {device!r} instead ({said})."
        ) from error
    return device


def _load(source, device):
    """The encoder's network in float32, ready for use on the device."""
    import torch

    transformers = import_transformers()
    description = describe(source)
    try:
        # Building a network draws random weights: torch's generator is put back afterwards.
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
    """Weights that are not in the file would be random ones."""
    needed = sorted(
        name
        for name in missing
        # Used in training only, and not in the files of models tuned for recognition.
        if not name.endswith("masked_spec_embed")
        and (name.startswith("encoder.") or not description.is_whisper)
    )
    if needed:
        shown = ", ".join(needed[:3]) + (", ..." if len(needed) > 3 else "")
        raise PretrainedModelError(
            f"the weights of the model {source.name!r} are not complete: {len(needed)} arrays of "
            f"the encoder are missing and would be random numbers ({shown}). Fetch or save the "
            f"whole model again"
        )


class SpeechEncoder:
    """A network and the way to its hidden states; may be used by several threads at once.

    Attributes
    ----------
    description : Description
    """

    def __init__(self, description, network, device):
        self.description = description
        self._network = network
        self._device = device
        self._wanted = threading.local()
        layers = network.layers if description.is_whisper else network.encoder.layers
        for index, layer in enumerate(layers):
            layer.register_forward_pre_hook(partial(self._note_input, index))

    def states(self, inputs, layers, mask=None):
        """Hidden states of a batch.

        Parameters
        ----------
        inputs : torch.Tensor
            As the network takes them.
        layers : sequence of int
            Which states, in rising order: i is what goes into layer i, and the number of layers
            stands for the network's output (with its last normalization, where it has one).
        mask : torch.Tensor of shape (n_signals, n_samples) or None
            1 for samples that count.

        Returns
        -------
        torch.Tensor of shape (n_layers, n_signals, n_frames, width)
        """
        import torch

        self._wanted.layers, self._wanted.found = layers, []
        arguments, silencer = {}, contextlib.nullcontext()
        if mask is not None:
            arguments, silencer = (
                {"attention_mask": mask.to(self._device)},
                _mixed_masks_are_meant(),
            )
        try:
            with torch.inference_mode(), silencer:
                output = self._network(inputs.to(self._device), **arguments)
                if layers[-1] == self.description.n_layers:
                    self._wanted.found.append(output.last_hidden_state)
        except _Enough:
            pass
        found, self._wanted.found = self._wanted.found, []
        return torch.stack(found)

    def _note_input(self, index, layer, arguments):
        if index in self._wanted.layers:
            self._wanted.found.append(arguments[0])
            if index == self._wanted.layers[-1]:
                raise _Enough


class _Enough(Exception):
    """Nothing that comes after this layer is wanted."""


@contextlib.contextmanager
def _mixed_masks_are_meant():
    """WavLM hands torch two masks of different types, which torch takes, but warns about."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Support for mismatched key_padding_mask")
        yield


def own_frames(encoder, signals, layers, batch_size):
    """Hidden states of the frames that belong to each utterance.

    Parameters
    ----------
    encoder : SpeechEncoder
    signals : list of ndarray of shape (n_samples,), float32
        Each long enough for a frame.
    layers : sequence of int
        As for `SpeechEncoder.states`.
    batch_size : int
        Most of Whisper's windows at a time.

    Returns
    -------
    list of torch.Tensor of shape (n_layers, n_frames, width)
    """
    if encoder.description.is_whisper:
        return _whisper_frames(encoder, signals, layers, batch_size)
    return _waveform_frames(encoder, signals, layers)


def _waveform_frames(encoder, signals, layers):
    import torch

    description = encoder.description
    prepared = [torch.from_numpy(_prepared(description, signal)) for signal in signals]
    found = [None] * len(signals)
    for positions in _groups([len(signal) for signal in signals], description.pads):
        group = [prepared[position] for position in positions]
        inputs = torch.nn.utils.rnn.pad_sequence(group, batch_first=True)
        mask = None
        if len({len(signal) for signal in group}) > 1:
            mask = torch.nn.utils.rnn.pad_sequence(
                [torch.ones(len(signal), dtype=torch.long) for signal in group], batch_first=True
            )
        states = encoder.states(inputs, layers, mask)
        for place, position in enumerate(positions):
            n_frames = description.n_frames(len(signals[position]))
            found[position] = states[:, place, :n_frames]
    return found


def _groups(lengths, pads):
    """Positions of the utterances that may share a batch."""
    if pads:
        return [range(len(lengths))] if lengths else []
    by_length = {}
    for position, length in enumerate(lengths):
        by_length.setdefault(length, []).append(position)
    return by_length.values()


def _prepared(description, signal):
    """One utterance as the network expects it; scaled by itself, before anything is padded."""
    (values,) = description.preparation(
        signal.copy(),
        sampling_rate=description.sampling_rate,
        padding=False,
        return_attention_mask=False,
    )["input_values"]
    return values


def _whisper_frames(encoder, signals, layers, batch_size):
    import torch

    description = encoder.description
    window = description.preparation.n_samples
    pieces = [
        (position, signal[start : start + window])
        for position, signal in enumerate(signals)
        for start in range(0, len(signal), window)
    ]
    found = [[] for _ in signals]
    for first in range(0, len(pieces), batch_size):
        batch = pieces[first : first + batch_size]
        inputs = torch.cat([_log_mel(description, piece) for _, piece in batch])
        states = encoder.states(inputs, layers)
        for place, (position, piece) in enumerate(batch):
            found[position].append(states[:, place, : description.n_frames(len(piece))])
    return [torch.cat(parts, dim=1) for parts in found]


def _log_mel(description, piece):
    """A piece of an utterance, filled up with silence to the window, as a batch of one."""
    return description.preparation(
        piece, sampling_rate=description.sampling_rate, return_tensors="pt"
    )["input_features"]
