"""Encoders by name, custom encoders, and the choice of the encoder for X."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from sklearn_ser.neural_network.encoders._base import Encoder
from sklearn_ser.neural_network.encoders._conformer import ConformerEncoder
from sklearn_ser.neural_network.encoders._convolutional import CNNBLSTMEncoder
from sklearn_ser.neural_network.encoders._fully_connected import (
    AttentionEncoder,
    FrameDNNEncoder,
    LayersEncoder,
    MLPEncoder,
)
from sklearn_ser.neural_network.encoders._recurrent import LSTMEncoder
from sklearn_ser.utils._frames import (
    AXIS_ATTR,
    LAYERS,
    as_sequences,
    check_no_feature_union,
    check_numpy_sequences,
    frame_attrs,
    is_frames,
)

ENCODERS: dict[str, type[Encoder]] = {
    "mlp": MLPEncoder,
    "attention": AttentionEncoder,
    "layers": LayersEncoder,
    "frame_dnn": FrameDNNEncoder,
    "lstm": LSTMEncoder,
    "cnn_blstm": CNNBLSTMEncoder,
    "conformer": ConformerEncoder,
}
#: Size of the batch in the trial run that determines the width of the representation.
_N_SAMPLES, _N_FRAMES = 2, 5


class CustomEncoder(Encoder):
    """A custom torch module as an encoder, ``module_type(n_features, **parameters)``.

    Its forward method receives a tensor of shape (n, n_features); with the class attribute
    ``on_frames = True`` it receives one of shape (n, longest, n_features), and the lengths. It
    returns (n, width).
    """

    def __init__(
        self, module_type: type[nn.Module], n_features: int, parameters: Mapping[str, Any]
    ):
        super().__init__()
        self.on_frames = bool(getattr(module_type, "on_frames", False))
        self.name = module_type.__name__
        self.module = module_type(n_features, **parameters)
        training = self.module.training
        self.module.eval()
        with torch.no_grad():
            if self.on_frames:
                shape, lengths = (_N_SAMPLES, _N_FRAMES, n_features), torch.tensor([_N_FRAMES, 3])
                output = self._checked(torch.zeros(shape), lengths)
            else:
                output = self._checked(torch.zeros(_N_SAMPLES, n_features))
        self.module.train(training)
        self.n_outputs = output.shape[1]

    def forward(self, x):
        if self.on_frames:
            return self._checked(x.padded(x.frames), x.lengths.to(x.frames.device))
        return self._checked(x)

    def _checked(self, x, *lengths):
        """Return the output of the module; raise an error if it has not the expected shape."""
        n_rows, width = x.shape[0], getattr(self, "n_outputs", None)
        expected = f"a tensor of shape ({n_rows}, {'width' if width is None else width})"
        start = f"encoder={self.name}: for an input of shape {tuple(x.shape)}, forward must return"
        try:
            output = self.module(x, *lengths)
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # torch's errors name neither the encoder nor its input
            raise ValueError(f"{start} {expected}; it raised: {error}") from error
        if not isinstance(output, torch.Tensor):
            raise ValueError(f"{start} {expected}; it returned a {type(output).__name__}.")
        shape = tuple(output.shape)
        if len(shape) != 2 or shape[0] != n_rows or width not in (None, shape[1]):
            raise ValueError(f"{start} {expected}; it returned one of shape {shape}.")
        return output


def takes_frames(encoder: str | type[nn.Module]) -> bool:
    """Return whether an encoder, given by name or as a custom class, takes frame sequences."""
    return getattr(ENCODERS[encoder] if isinstance(encoder, str) else encoder, "on_frames", False)


def check_predicts_frames(encoder: Any, params: Mapping[str, Any] | None) -> None:
    """Raise a ValueError if an encoder with these parameters does not work frame by frame."""
    by_name = isinstance(encoder, str) and encoder in ENCODERS
    known = ENCODERS[encoder].specific_parameters if by_name else {}
    pooling = known["pooling"].default if "pooling" in known else None
    if (params or {}).get("pooling", pooling) != "frames":
        raise ValueError(
            f"The encoder {encoder!r} computes one representation for a whole sequence. "
            "Probabilities of frames need an encoder that works frame by frame, e.g. "
            'encoder="frame_dnn", or "lstm" with encoder_params={"pooling": "frames"}.'
        )


def data_parameters(encoder: str | type[nn.Module]) -> tuple[str, ...]:
    """Return the names of the parts of the architecture that follow from X."""
    return ENCODERS[encoder].data_parameters if isinstance(encoder, str) else ()


def choose_encoder(encoder: str | type[nn.Module], X: Any) -> str | type[nn.Module]:
    """Return the name in `ENCODERS` of the encoder for X, or the custom class."""
    if isinstance(encoder, nn.Module):
        raise TypeError(
            f"encoder is an instance of {type(encoder).__name__}. Pass the class itself, which fit "
            "instantiates as encoder(n_features, **encoder_params)."
        )
    is_custom = isinstance(encoder, type) and issubclass(encoder, nn.Module)
    if not is_custom and not isinstance(encoder, str):
        raise TypeError(
            f"encoder must be a name or a subclass of torch.nn.Module, got {encoder!r}."
        )
    if encoder == "auto":
        of_layers = frame_attrs(X).get(AXIS_ATTR) == LAYERS
        encoder = "mlp" if not is_frames(X) else "layers" if of_layers else "attention"
    check_kind(encoder, X)
    return encoder


def check_kind(encoder: str | type[nn.Module], X: Any) -> None:
    """Check that X holds frame sequences if the encoder takes them, and features otherwise."""
    check_no_feature_union(X, "the network")
    check_numpy_sequences(X)
    wants_frames = takes_frames(encoder)
    if wants_frames == (is_frames(X) or (wants_frames and _is_missing_throughout(X))):
        return
    asked = f'encoder="{encoder}"' if isinstance(encoder, str) else f"encoder={encoder.__name__}"
    others = [name for name, other in ENCODERS.items() if other.on_frames != wants_frames]
    advice = "encoder=" + " or ".join(f'"{name}"' for name in others)
    if wants_frames:
        if len(getattr(X, "shape", (0,))) == 1 and hasattr(X, "__len__") and len(X) == 0:
            raise ValueError("X has no rows. At least one frame sequence is required.")
        raise ValueError(
            f"{asked} takes frame sequences (arrays of shape (n_frames, n_features), one per "
            f"utterance), and X is {_describe(X)}. Use {advice} for feature vectors. Pass a single "
            "sequence as [sequence]."
        )
    raise ValueError(
        f"{asked} takes one feature vector per utterance, and X holds frame sequences. Use "
        f"{advice}, or pool the frames of each utterance."
    )


def _is_missing_throughout(X):
    """Return whether every row is failed audio, which does not show the kind of X."""
    if len(getattr(X, "shape", (0,))) > 1 and X.shape[1] != 1:
        return False
    try:
        sequences = as_sequences(X)
    except (TypeError, ValueError):
        return False
    return len(sequences) > 0 and all(sequence is None for sequence in sequences)


def _describe(X):
    shape = getattr(X, "shape", None)
    return f"a {type(X).__name__}" + ("" if shape is None else f" of shape {shape}")
