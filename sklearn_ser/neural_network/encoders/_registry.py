"""Which encoders there are, and which one X is for.

An encoder is a module that turns a batch into the representation that all tasks share. It is made
of parts of a network's architecture (a dict of plain values, see `_module`): what every
architecture has, its `own_parameters` (chosen by `encoder_params`), and its `data_parameters`
(which follow from X). `on_frames` says whether it takes a FrameBatch or a tensor of rows,
`frame_level` whether it gives one representation for each frame, `n_outputs` how wide that is.
"""

from sklearn_ser.neural_network.encoders._attention import (
    AttentionEncoder,
    FrameDNNEncoder,
    LayersEncoder,
)
from sklearn_ser.neural_network.encoders._conformer import ConformerEncoder
from sklearn_ser.neural_network.encoders._convolutional import CNNBLSTMEncoder
from sklearn_ser.neural_network.encoders._mlp import MLPEncoder
from sklearn_ser.neural_network.encoders._own_encoder import is_own
from sklearn_ser.neural_network.encoders._recurrent import LSTMEncoder
from sklearn_ser.utils._frames import (
    AXIS_ATTR,
    LAYERS,
    as_sequences,
    frame_marks,
    is_frames,
    refuse_no_arrays,
    refuse_united,
)

ENCODERS = {
    "mlp": MLPEncoder,
    "attention": AttentionEncoder,
    "layers": LayersEncoder,
    "frame_dnn": FrameDNNEncoder,
    "lstm": LSTMEncoder,
    "cnn_blstm": CNNBLSTMEncoder,
    "conformer": ConformerEncoder,
}


def takes_frames(encoder):
    """Whether an encoder, by name or class, takes frame sequences."""
    return getattr(ENCODERS[encoder] if isinstance(encoder, str) else encoder, "on_frames", False)


def data_parameters(encoder):
    """Names of the parts of the architecture that follow from X."""
    return getattr(ENCODERS[encoder], "data_parameters", ()) if isinstance(encoder, str) else ()


def choose_encoder(encoder, X):
    """The name in `ENCODERS` of the encoder for X, or the class of a user's own.

    Raises
    ------
    ValueError
        If the one that was asked for takes the other kind of X.
    TypeError
        If it is neither a name nor a class of modules.
    """
    if not is_own(encoder) and encoder == "auto":
        on_frames = is_frames(X)
        of_layers = frame_marks(X).get(AXIS_ATTR) == LAYERS
        return "mlp" if not on_frames else "layers" if of_layers else "attention"
    check_kind(encoder, X)
    return encoder


def check_kind(encoder, X):
    """Refuse frame sequences where the encoder takes rows, and the other way round."""
    refuse_united(X, "the network")
    refuse_no_arrays(X)
    wants_frames = takes_frames(encoder)
    if wants_frames == (is_frames(X) or (wants_frames and _is_missing_throughout(X))):
        return
    asked = f'encoder="{encoder}"' if isinstance(encoder, str) else f"encoder={encoder.__name__}"
    others = [name for name, other in ENCODERS.items() if other.on_frames != wants_frames]
    advice = "encoder=" + " or ".join(f'"{name}"' for name in others)
    if wants_frames:
        if len(getattr(X, "shape", (0,))) == 1 and hasattr(X, "__len__") and len(X) == 0:
            raise ValueError("X has no rows: at least one frame sequence is needed.")
        raise ValueError(
            f"{asked} takes frame sequences (arrays (n_frames, n_features), one for "
            f"each row), and X is {_describe(X)}: use {advice} for rows of features. One "
            "sequence alone is [sequence]."
        )
    raise ValueError(
        f"{asked} takes one row of features for each utterance, and X holds frame "
        f"sequences: use {advice}, or pool the frames to one row before."
    )


def _is_missing_throughout(X):
    """Whether every row is failed audio, of which nothing says what it was a sequence of."""
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
