"""Export of fitted networks to ONNX, for programs without Python."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
import os
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted
from torch import nn
from torch.nn import functional

from sklearn_ser import __version__
from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.neural_network._module import MultiTaskModule, module_from_bytes
from sklearn_ser.neural_network.encoders._recurrent import LSTMLayers
from sklearn_ser.neural_network.encoders._registry import takes_frames
from sklearn_ser.persistence._container import checked_target, write_file
from sklearn_ser.utils._extras import import_extra
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._torch_state import default_torch_state

#: Operator set of the file, which runtimes since 2023 support.
OPSET = 18
#: Maximum difference of the probabilities of the file from those of the network.
TOLERANCE = 1e-5
#: Numbers of frames of the example for the exporter, and of the inputs for the comparison.
_EXAMPLE_FRAMES, _TRIED_FRAMES = 37, (1, 50)


@public_module("sklearn_ser.persistence")
@default_torch_state()
def export_onnx(model: MTLNeuralClassifier, path: str | os.PathLike[str]) -> Path:
    """Export the encoder and the emotion head of a fitted network to an ONNX file.

    Parameters
    ----------
    model : MTLNeuralClassifier
        Fitted network. Earlier steps of a Pipeline, such as scaling, cannot be exported: export the
        last step, ``pipeline[-1]``, whose input is the output of ``pipeline[:-1].transform``.
    path : str or Path
        Path of the file, conventionally with the suffix ``.onnx``. An existing file is replaced
        when the new one is complete.

    Returns
    -------
    Path
        Path of the file.

    Raises
    ------
    SerError
        If the model is not a multi-task network (but a Pipeline, for example), or cannot be
        exported, or if the file cannot be written.
    MissingDependencyError
        If the extra ``export`` is not installed.

    Notes
    -----
    The input ``x`` is float32 for every `dtype` of the network (runtimes lack operators of double
    precision), of shape (batch, features), or (batch, time, features) for an encoder of frames:
    sequences of equal length, of any length and number. The outputs are ``probabilities``
    (batch, classes), for an ensemble the mean with its temperatures, and ``representation``
    (batch, width), the output of `transform`. The metadata of the file holds ``classes`` and
    ``features`` (names, if there are any) as JSON. Rows of NaN are not supported.

    The export takes some seconds. Before the file is written, its probabilities by onnxruntime are
    compared to those of the network for several numbers of rows and frames, with a tolerance of
    1e-5.

    Examples
    --------
    >>> import numpy as np, onnxruntime, tempfile
    >>> from pathlib import Path
    >>> from sklearn_ser import MTLNeuralClassifier
    >>> from sklearn_ser.persistence import export_onnx
    >>> X = np.random.default_rng(0).normal(size=(60, 8)).astype("float32")
    >>> y = np.where(X[:, 0] > 0, "anger", "sadness")
    >>> net = MTLNeuralClassifier(max_epochs=3, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = export_onnx(net, Path(folder) / "net.onnx")
    ...     session = onnxruntime.InferenceSession(file.read_bytes())
    >>> probabilities, representation = session.run(None, {"x": X})
    >>> bool(np.allclose(probabilities, net.predict_proba(X), atol=1e-5))
    True
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        import_extra(package, "export", "export_onnx")
    _check_model(model)
    target = checked_target(path)
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # deprecations of the exporter
        data = _to_onnx(model)
        _compare(model, data)
    write_file(target, [data])
    return Path(path)


class _FullBatch:
    """Sequences of equal length in the form that encoders take; sizes may be symbolic.

    Has the attributes and methods of a FrameBatch that encoders use, without its computations on
    lengths. `frames` has shape (n_sequences * longest, n_features).
    """

    is_full = True

    def __init__(self, frames, n_sequences, longest):
        self.frames = frames
        self.n_sequences = n_sequences
        self.longest = longest

    @classmethod
    def of(cls, x):
        """Return the batch of a tensor of shape (n_sequences, longest, n_features)."""
        return cls(x.flatten(end_dim=1), x.shape[0], x.shape[1])

    @property
    def lengths(self):
        return torch.full((self.n_sequences,), self.longest, dtype=torch.int64)

    def padded(self, values, fill=0.0):
        return values.unflatten(0, (self.n_sequences, self.longest))

    def unpadded(self, padded):
        return padded.flatten(end_dim=1)

    def means(self, values):
        return self.padded(values).mean(dim=1)

    def shortened(self, factor):
        longest = (self.longest + factor - 1) // factor
        return _FullBatch(self.frames[:0], self.n_sequences, longest)

    def averaged(self, size):
        shorter = self.shortened(size)
        n_padded = shorter.longest * size - self.longest
        frames = functional.pad(self.padded(self.frames), (0, 0, 0, n_padded))
        sums = frames.unflatten(1, (shorter.longest, size)).sum(dim=2)
        is_frame = functional.pad(torch.ones(self.longest, dtype=frames.dtype), (0, n_padded))
        counts = is_frame.unflatten(0, (shorter.longest, size)).sum(dim=1)
        return _FullBatch.of(sums / counts[:, None])


class _OnnxLSTM(nn.Module):
    """ONNX's LSTM operator, which replaces torch's layer (a single one, ``batch_first``).

    torch's exporter unrolls an LSTM over time, which fixes the number of frames. This module
    cannot run in torch; it defines a node of the exported graph.
    """

    inputs: torch.Tensor
    recurrence: torch.Tensor
    biases: torch.Tensor

    def __init__(self, layer):
        super().__init__()
        ends = ["", "_reverse"] if layer.bidirectional else [""]
        self.hidden_size = layer.hidden_size
        self.direction = "bidirectional" if layer.bidirectional else "forward"
        self.n_directions = len(ends)

        def stacked(*names):
            parts = [
                torch.cat([self._reordered(getattr(layer, f"{name}_l0{end}")) for name in names])
                for end in ends
            ]
            return torch.stack(parts).detach()

        self.register_buffer("inputs", stacked("weight_ih"))
        self.register_buffer("recurrence", stacked("weight_hh"))
        self.register_buffer("biases", stacked("bias_ih", "bias_hh"))

    @staticmethod
    def _reordered(values):
        """Return the gates in ONNX's order (input, output, forget, cell) instead of torch's."""
        inputs, forget, cell, output = values.chunk(4)
        return torch.cat([inputs, output, forget, cell])

    def forward(self, x):
        """Return the outputs (n_sequences, time, width), and None instead of a state."""
        n_sequences, longest = x.shape[:2]
        output = torch.onnx.ops.symbolic(
            "LSTM",
            (x.transpose(0, 1), self.inputs, self.recurrence, self.biases),
            {"hidden_size": self.hidden_size, "direction": self.direction},
            dtype=x.dtype,
            shape=(longest, self.n_directions, n_sequences, self.hidden_size),
        )
        return output.permute(2, 0, 1, 3).flatten(start_dim=2), None


class _Exported(nn.Module):
    """Encoders and main heads of the networks of an ensemble, from tensors to tensors."""

    def __init__(self, modules: Iterable[MultiTaskModule], temperatures: Sequence[float]):
        super().__init__()
        self.members = nn.ModuleList(modules)
        for part in list(self.modules()):
            if isinstance(part, LSTMLayers):
                part.layers = nn.ModuleList(map(_OnnxLSTM, part.layers))
        self.temperatures = temperatures

    def forward(self, x):
        """Return mean probabilities, and the concatenated representations.

        The input has shape (n_samples, n_features) or (n_samples, n_frames, n_features).
        """
        probabilities, representations = [], []
        for module, temperature in zip(self.members, self.temperatures, strict=True):
            assert isinstance(module, MultiTaskModule)
            batch = _FullBatch.of(x) if module.encoder.on_frames else x
            shared = module.encoder(batch)
            outputs = module.heads[0](shared)
            if module.frame_level:
                shared = batch.means(shared)
                # As in predictions, the temperature scales the logarithm of the mean posterior.
                outputs = batch.means(outputs.softmax(dim=1)).log()
            probabilities.append((outputs / temperature).softmax(dim=1))
            representations.append(shared)
        return torch.stack(probabilities).mean(dim=0), torch.cat(representations, dim=1)


def _check_model(model):
    if isinstance(model, Pipeline):
        raise SerError(
            "export_onnx expects the network alone, export_onnx(pipeline[-1], ...). The steps "
            f"before it, {[name for name, _ in model.steps[:-1]]}, cannot be exported, and must "
            "be computed before the file is run."
        )
    if not isinstance(model, MTLNeuralClassifier):
        best = " Of a search, export best_estimator_." if hasattr(model, "best_estimator_") else ""
        raise SerError(
            f"export_onnx expects an MTLNeuralClassifier, got a {type(model).__name__}.{best}"
        )
    check_is_fitted(model)


def _shape(model, n_rows, n_frames):
    """Return the shape of an input of rows, or of sequences of frames."""
    if not takes_frames(model._architecture["encoder"]):
        return n_rows, model.n_features_in_
    return n_rows, model._architecture.get("n_layers", n_frames), model.n_features_in_


def _to_onnx(model):
    import onnx

    modules = [module_from_bytes(model._architecture, part, "cpu") for part in model._weights]
    exported = _Exported(modules, model._temperatures).float().eval()
    shape = _shape(model, 2, _EXAMPLE_FRAMES)
    dynamic = {0: torch.export.Dim("batch")}
    if len(shape) == 3 and "n_layers" not in model._architecture:
        dynamic[1] = torch.export.Dim("time")
    names = [str(name) for name in getattr(model, "feature_names_in_", [])]
    try:
        program = torch.onnx.export(
            exported,
            (torch.zeros(shape),),
            dynamo=True,
            dynamic_shapes=(dynamic,),
            input_names=["x"],
            output_names=["probabilities", "representation"],
            opset_version=OPSET,
            verbose=False,
        )
    except torch.onnx.errors.OnnxExporterError as error:
        raise SerError(
            f"torch cannot export the encoder {_encoder(model)} to ONNX: {error}"
        ) from error
    if program is None:
        raise SerError(f"torch cannot export the encoder {_encoder(model)} to ONNX")
    proto = program.model_proto
    proto.producer_name, proto.producer_version = "sklearn_ser", __version__
    for key, value in {"classes": model.classes_.tolist(), "features": names}.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, _as_json(key, value)
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


def _as_json(key, value):
    try:
        return json.dumps(value)
    except TypeError:
        kinds = sorted({type(item).__name__ for item in value})
        raise SerError(
            f"the {key} of this network are {', '.join(kinds)}, which an ONNX file cannot hold: "
            "fit the network with strings or numbers"
        ) from None


def _compare(model, data):
    """Raise if the probabilities of the file differ from those of the network."""
    import onnxruntime

    generator = np.random.default_rng(0)
    # The file is exported on the CPU as well: GPUs round products of some layers to ten bits.
    model = copy.copy(model).set_params(device="cpu")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # errors are raised, and need not be printed
    for n_rows, n_frames in zip((1, 3), _TRIED_FRAMES, strict=True):
        shape = _shape(model, n_rows, n_frames)
        x = generator.standard_normal(shape, dtype=np.float32)
        expected = model.predict_proba(x if len(shape) == 2 else list(x))
        try:
            session = onnxruntime.InferenceSession(data, options)
            found, _ = session.run(None, {"x": x})
        except Exception as error:  # the errors of onnxruntime have no common base
            raise SerError(
                f"the encoder {_encoder(model)} cannot be exported to ONNX: for an input of shape "
                f"{shape} onnxruntime fails ({error})"
            ) from error
        difference = np.abs(found - expected).max()
        if not difference <= TOLERANCE:
            raise SerError(
                f"the encoder {_encoder(model)} cannot be exported to ONNX: for an input of shape "
                f"{shape} the probabilities differ by {difference:.1g} from those of the "
                f"network"
            )


def _encoder(model):
    encoder = model._architecture["encoder"]
    return repr(encoder if isinstance(encoder, str) else encoder.__name__)


@contextlib.contextmanager
def _quiet():
    """Suppress the prints and the log of the exporter."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        log.setLevel(level)
