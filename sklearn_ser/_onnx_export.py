"""A fitted network as an ONNX file, for programs without Python."""

import contextlib
import io
import json
import logging
import warnings
from pathlib import Path

from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_ser._model_archive import replace_file
from sklearn_ser.exceptions import SerError
from sklearn_ser.utils._extras import import_extra

#: Of the file; runtimes of 2023 and later have it.
OPSET = 18


def export_onnx(model, path):
    """Write encoder and emotion head of a fitted network as an ONNX file.

    Parameters
    ----------
    model : MTLNeuralClassifier
        Fitted. Steps before it in a Pipeline, such as scaling, cannot be in the file: export the
        last step and do what the others do yourself.
    path : str or Path

    Returns
    -------
    Path
        Of the written file.

    Raises
    ------
    SerError
        If the model is a Pipeline, or no multi-task network, or cannot be exported.
    MissingDependencyError
        Without the extra ``export``.

    Notes
    -----
    Input ``x`` is float32 (float64 for ``dtype="float64"``), of shape (batch, features), or of
    shape (batch, time, features) for an encoder of frames: sequences of one length, any length and
    any number of them. Outputs are ``probabilities`` (batch, classes), the mean of an ensemble,
    with its temperatures, and ``representation`` (batch, width), what `transform` gives. The
    file's metadata holds ``classes`` and ``features`` (names, if there are any) as JSON. Rows of
    NaN are not treated: leave them out.

    Examples
    --------
    >>> import numpy as np, onnxruntime, tempfile
    >>> from pathlib import Path
    >>> from sklearn_ser import MTLNeuralClassifier, export_onnx
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
    onnx = import_extra("onnx", "export", "export_onnx")
    import_extra("onnxscript", "export", "export_onnx")
    from sklearn_ser.neural_network import MTLNeuralClassifier

    if isinstance(model, Pipeline):
        raise SerError(
            "export_onnx takes the network alone, export_onnx(pipeline[-1], ...): the steps before "
            f"it, {[name for name, _ in model.steps[:-1]]}, cannot be in the file, and whoever "
            "runs it has to do what they do."
        )
    if not isinstance(model, MTLNeuralClassifier):
        raise SerError(f"export_onnx takes a MTLNeuralClassifier, got a {type(model).__name__}.")
    check_is_fitted(model)
    data = _to_onnx(model, onnx)
    path = Path(path)
    replace_file(path, data)
    return path


def _to_onnx(model, onnx):
    import torch

    from sklearn_ser.neural_network._export import Exported
    from sklearn_ser.neural_network._module import module_from_bytes

    modules = [module_from_bytes(model._architecture, part, "cpu") for part in model._weights]
    exported = Exported(modules, model._temperatures).eval()
    on_frames = modules[0].encoder.on_frames
    layers = model._architecture.get("n_layers")
    shape = (2, layers or 37, model.n_features_in_) if on_frames else (2, model.n_features_in_)
    dtype = getattr(torch, model._architecture["dtype"])
    dynamic = {0: torch.export.Dim("batch")}
    if on_frames and layers is None:
        dynamic[1] = torch.export.Dim("time")
    names = [str(name) for name in getattr(model, "feature_names_in_", [])]
    with warnings.catch_warnings(), _quiet():
        warnings.simplefilter("ignore")  # of the exporter about its own future
        try:
            program = torch.onnx.export(
                exported,
                (torch.randn(shape, dtype=dtype),),
                dynamo=True,
                dynamic_shapes=(dynamic,),
                input_names=["x"],
                output_names=["probabilities", "representation"],
                opset_version=OPSET,
                verbose=False,
            )
        except torch.onnx.errors.OnnxExporterError as error:
            raise SerError(
                f"torch cannot export the encoder {model.encoder!r} to ONNX: {error}"
            ) from error
        proto = program.model_proto
    for key, value in {"classes": model.classes_.tolist(), "features": names}.items():
        entry = proto.metadata_props.add()
        entry.key, entry.value = key, json.dumps(value)
    onnx.checker.check_model(proto)
    return proto.SerializeToString()


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
