"""Which encoders there are, and which one X is for.

An encoder is a module that turns a batch into the representation that all tasks share. It is made
of parts of a network's architecture (a dict of plain values, see `_module`): what every
architecture has, and the names in its `own_parameters`. `on_frames` says whether it takes a
FrameBatch or a tensor of rows, `n_outputs` how wide its representation is.
"""

from sklearn_ser.neural_network._attention import AttentionEncoder
from sklearn_ser.neural_network._layers import LayersEncoder
from sklearn_ser.neural_network._mlp import MLPEncoder
from sklearn_ser.utils._frames import (
    AXIS_ATTR,
    LAYERS,
    as_sequences,
    frame_marks,
    is_frames,
    refuse_united,
)

ENCODERS = {"mlp": MLPEncoder, "attention": AttentionEncoder, "layers": LayersEncoder}


def choose_encoder(encoder, X):
    """The name in `ENCODERS` of the encoder for X.

    Raises
    ------
    ValueError
        If the one that was asked for takes the other kind of X.
    """
    on_frames = is_frames(X)
    if encoder == "auto":
        of_layers = frame_marks(X).get(AXIS_ATTR) == LAYERS
        return "mlp" if not on_frames else "layers" if of_layers else "attention"
    check_kind(encoder, X)
    return encoder


def check_kind(encoder, X):
    """Refuse frame sequences where the encoder takes rows, and the other way round."""
    refuse_united(X, "the network")
    wants_frames = ENCODERS[encoder].on_frames
    if wants_frames == (is_frames(X) or (wants_frames and _is_missing_throughout(X))):
        return
    others = [name for name, other in ENCODERS.items() if other.on_frames != wants_frames]
    advice = " or ".join(f'encoder="{name}"' for name in others)
    if wants_frames:
        raise ValueError(
            f'encoder="{encoder}" takes frame sequences (arrays (n_frames, n_features), one for '
            f"each row), and X is {_describe(X)}: use {advice} for rows of features. One "
            "sequence alone is [sequence]."
        )
    raise ValueError(
        f'encoder="{encoder}" takes one row of features for each utterance, and X holds frame '
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
