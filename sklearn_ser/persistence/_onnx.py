"""A fitted network as an ONNX file, for programs without Python."""

import contextlib
import copy
import io
import json
import logging
import warnings
from pathlib import Path

import numpy as np
from sklearn.utils.validation import check_is_fitted

from sklearn_ser import __version__
from sklearn_ser.exceptions import SerError
from sklearn_ser.persistence._archive import checked_target, write_file
from sklearn_ser.utils._extras import import_extra
from sklearn_ser.utils._public import public_module

#: Of the file; runtimes of 2023 and later have it.
OPSET = 18
#: The most that probabilities of the file may differ from those of the network.
TOLERANCE = 1e-5
#: Numbers of frames: of the example that the exporter follows, and of those that are tried after.
_EXAMPLE_FRAMES, _TRIED_FRAMES = 37, (1, 50)


@public_module("sklearn_ser.persistence")
def export_onnx(model, path):
    """Write encoder and emotion head of a fitted network as an ONNX file.

    Parameters
    ----------
    model : MTLNeuralClassifier
        Fitted. Steps before it in a Pipeline, such as scaling, cannot be in the file: export the
        last step, ``pipeline[-1]``, and give the file what ``pipeline[:-1].transform`` gives.
    path : str or Path
        Conventionally ending in ``.onnx``. A file that is there already is replaced when the new
        one is complete.

    Returns
    -------
    Path
        Of the written file.

    Raises
    ------
    SerError
        If the model is a Pipeline, or no multi-task network, or cannot be exported, or the file
        cannot be written.
    MissingDependencyError
        Without the extra ``export``.

    Notes
    -----
    Input ``x`` is float32, whatever the network's `dtype` (runtimes lack operators of double
    precision), of shape (batch, features), or of shape (batch, time, features) for an encoder of
    frames: sequences of one length, any length and any number of them. Outputs are
    ``probabilities`` (batch, classes), the mean of an ensemble, with its temperatures, and
    ``representation`` (batch, width), what `transform` gives. The file's metadata holds
    ``classes`` and ``features`` (names, if there are any) as JSON. Rows of NaN are not treated:
    leave them out.

    Exporting takes some seconds. Before the file is written, onnxruntime answers with it for
    several numbers of rows and frames, and must give the network's probabilities within 1e-5.

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
        warnings.simplefilter("ignore")  # of the exporter about its own future
        data = _to_onnx(model)
        _compare(model, data)
    write_file(target, data)
    return Path(path)


def _check_model(model):
    from sklearn.pipeline import Pipeline

    from sklearn_ser.neural_network import MTLNeuralClassifier

    if isinstance(model, Pipeline):
        raise SerError(
            "export_onnx takes the network alone, export_onnx(pipeline[-1], ...): the steps before "
            f"it, {[name for name, _ in model.steps[:-1]]}, cannot be in the file, and whoever "
            "runs it has to do what they do."
        )
    if not isinstance(model, MTLNeuralClassifier):
        best = " Of a search, export best_estimator_." if hasattr(model, "best_estimator_") else ""
        raise SerError(
            f"export_onnx takes a MTLNeuralClassifier, got a {type(model).__name__}.{best}"
        )
    check_is_fitted(model)


def _shape(model, n_rows, n_frames):
    """The shape of so many rows, or sequences of so many frames."""
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
            f"the {key} of this network are {', '.join(kinds)}, which an ONNX file cannot name: "
            "fit it with texts or numbers"
        ) from None


def _compare(model, data):
    """Refuse a file that does not say what the network says, for any number of rows and frames."""
    import onnxruntime

    generator = np.random.default_rng(0)
    # Where the file's network is from, too: GPUs round products of some layers to ten bits.
    model = copy.copy(model).set_params(device="cpu")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4  # what fails is raised, and need not be printed too
    for n_rows, n_frames in zip((1, 3), _TRIED_FRAMES, strict=True):
        shape = _shape(model, n_rows, n_frames)
        x = generator.standard_normal(shape, dtype=np.float32)
        expected = model.predict_proba(x if len(shape) == 2 else list(x))
        try:
            session = onnxruntime.InferenceSession(data, options)
            found, _ = session.run(None, {"x": x})
        except Exception as error:  # onnxruntime's have no base of their own
            raise SerError(
                f"the encoder {_encoder(model)} cannot be exported to ONNX: for an input of shape "
                f"{shape} onnxruntime fails ({error})"
            ) from error
        difference = np.abs(found - expected).max()
        if not difference <= TOLERANCE:
            raise SerError(
                f"the encoder {_encoder(model)} cannot be exported to ONNX: for an input of shape "
                f"{shape} the probabilities differ by {difference:.1g} from the network's"
            )


def _encoder(model):
    encoder = model._architecture["encoder"]
    return repr(encoder if isinstance(encoder, str) else encoder.__name__)


@contextlib.contextmanager
def _quiet():
    """The exporter prints, and logs what of torchvision it does not find."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    log.setLevel(logging.ERROR)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        log.setLevel(level)
