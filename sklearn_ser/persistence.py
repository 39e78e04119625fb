"""Model files that are safe to share: loading one never executes code from it.

A file is a skops archive (a zip of JSON and arrays) of the fitted estimator and of facts about
it. Network weights are safetensors bytes inside. skops builds only objects of types that are
trusted by name: scikit-learn's, numpy's, and our own, which are listed here. Anything else in a
file is refused before it is touched.
"""

import importlib
import json
import platform
import zipfile
from pathlib import Path

from sklearn_ser import __version__
from sklearn_ser.exceptions import ModelFileError

__all__ = ["load_model", "load_model_info", "save_model", "trusted_types"]

FORMAT = 1
_MODEL, _INFO = "model.skops", "info.json"

#: Our own types and functions that a model file may hold, by the module that defines each.
_OWN_TYPES = {
    "sklearn_ser.feature_extraction": ("OpenSmileExtractor", "SpeakerEmbedding"),
    "sklearn_ser.metrics._uar": ("uar_score", "_uar_of_labelled_rows", "_uar_with_warning"),
    "sklearn_ser.model_selection": ("LeaveOneCorpusOut", "SpeakerKFold"),
    "sklearn_ser.neural_network": ("MTLNeuralClassifier",),
    "sklearn_ser.preprocessing": ("GroupScaler", "SkipFailedRows"),
}

#: A type of scikit-learn that skops leaves out: what make_scorer gives, which every search holds.
#: It only keeps a function, and that function must be trusted itself.
_SKLEARN_TYPES = ("sklearn.metrics._scorer._Scorer",)


def trusted_types():
    """Names of the types that :func:`load_model` accepts beyond those that skops itself does.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from sklearn_ser.persistence import trusted_types
    >>> any(name.endswith("GroupScaler") for name in trusted_types())
    True
    """
    names = list(_SKLEARN_TYPES)
    for module, attributes in _OWN_TYPES.items():
        for attribute in attributes:
            found = getattr(importlib.import_module(module), attribute)
            names.append(f"{found.__module__}.{found.__qualname__}")
    return names


def save_model(model, path, *, info=None):
    """Write a fitted estimator to one file.

    Parameters
    ----------
    model : estimator
        Such as a fitted Pipeline.
    path : str or Path
        Conventionally ending in ``.ser``.
    info : dict, optional
        Facts to keep with it (training corpora, labels, ...); anything that JSON can hold.

    Raises
    ------
    ModelFileError
        If the model holds a type that loading would refuse; nothing is written then.

    Examples
    --------
    >>> import tempfile, pathlib
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_ser import GroupScaler, load_model, save_model
    >>> X, y = load_iris(return_X_y=True)
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "scaler.ser"
    >>> save_model(GroupScaler().fit(X), path, info={"data": "iris"})
    >>> load_model(path)
    GroupScaler()
    """
    import sklearn
    import skops.io

    data = skops.io.dumps(model)
    unknown = _untrusted(data, ())
    if unknown:
        raise ModelFileError(
            f"the model holds types that a model file may not: {unknown}. Keep to estimators of "
            f"scikit-learn and sklearn_ser, or save it with skops and a trusted list of your own"
        )
    facts = {
        "format": FORMAT,
        "sklearn_ser": __version__,
        "scikit_learn": sklearn.__version__,
        "python": platform.python_version(),
        "info": info or {},
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(_INFO, json.dumps(facts, indent=2))
        archive.writestr(_MODEL, data)


def load_model(path, *, trusted=()):
    """Read a model file.

    Parameters
    ----------
    path : str or Path
    trusted : sequence of str, default=()
        Further types that you trust, by full name. A type is trusted to be built from whatever
        the file says: add only what you know.

    Returns
    -------
    estimator
        Fitted.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, of a newer format, or holds a type that is not trusted.
    """
    import skops.io

    data = _read(path, _MODEL)
    load_model_info(path)
    unknown = _untrusted(data, trusted, path)
    if unknown:
        raise ModelFileError(
            f"model file {str(path)!r} holds types that are not trusted and was not loaded: "
            f"{unknown}. If you know that they are harmless, name them in trusted="
        )
    try:
        return skops.io.loads(data, trusted=[*trusted_types(), *trusted])
    except Exception as error:
        raise ModelFileError(f"model file {str(path)!r} cannot be read: {error}") from error


def load_model_info(path):
    """The facts kept with a model, without loading it.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    dict
        `format`, versions of `sklearn_ser`, `scikit_learn` and `python`, and `info` as given to
        :func:`save_model`.
    """
    try:
        facts = json.loads(_read(path, _INFO))
        file_format = int(facts["format"])
    except (ValueError, TypeError, KeyError) as error:
        raise ModelFileError(f"model file {str(path)!r} is damaged: {_INFO}: {error}") from error
    if file_format > FORMAT:
        raise ModelFileError(
            f"model file {str(path)!r} has format {file_format}, this version of sklearn_ser "
            f"({__version__}) reads up to {FORMAT}: upgrade sklearn_ser"
        )
    return facts


def _read(path, name):
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"no model file {str(path)!r}")
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.read(name)
    except (zipfile.BadZipFile, KeyError, EOFError, OSError, zipfile.zlib.error) as error:
        raise ModelFileError(
            f"{str(path)!r} is not a model file of sklearn_ser, or is damaged: {error}"
        ) from error


def _untrusted(data, trusted, path=None):
    """Types in a skops archive that neither skops, nor we, nor the caller trust."""
    import skops.io

    try:
        found = skops.io.get_untrusted_types(data=data)
    except Exception as error:
        raise ModelFileError(f"model file {str(path)!r} cannot be read: {error}") from error
    return sorted(set(found) - {*trusted_types(), *trusted})
