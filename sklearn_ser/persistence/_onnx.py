"""Export of fitted networks to ONNX, for programs without Python."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import logging
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_ser import __version__
from sklearn_ser.exceptions import SerError
from sklearn_ser.persistence._container import checked_target, write_file
from sklearn_ser.utils._extras import import_extra
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._torch_state import default_torch_state

if TYPE_CHECKING:
    from sklearn_ser.neural_network import MTLNeuralClassifier

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


def _check_model(model):
    from sklearn.pipeline import Pipeline

    from sklearn_ser.neural_network import MTLNeuralClassifier

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
    from sklearn_ser.neural_network.encoders._registry import takes_frames

    if not takes_frames(model._architecture["encoder"]):
        return n_rows, model.n_features_in_
    return n_rows, model._architecture.get("n_layers", n_frames), model.n_features_in_


def _to_onnx(model):
    import onnx
    import torch

    from sklearn_ser.neural_network._export import Exported
    from sklearn_ser.neural_network._module import module_from_bytes

    modules = [module_from_bytes(model._architecture, part, "cpu") for part in model._weights]
    exported = Exported(modules, model._temperatures).float().eval()
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
