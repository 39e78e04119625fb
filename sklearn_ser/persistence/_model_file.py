"""Model files that are safe to share: loading a file never executes code from it.

A file contains a skops archive (a zip of JSON and arrays) of the fitted estimator, and facts about
it. Network weights are safetensors bytes inside. skops builds only objects of types that are
trusted by name: those of scikit-learn and numpy, and those listed here. A file with any other type
is rejected before anything is built.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pickle
import platform
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version
from sklearn.base import BaseEstimator
from sklearn.utils.metadata_routing import MetadataRequest

from sklearn_ser import __version__
from sklearn_ser.exceptions import ModelFileError, SerError
from sklearn_ser.persistence._archive import (
    archive_of,
    check_skops,
    checked_target,
    read_members,
    size_limit,
    write_file,
)
from sklearn_ser.utils._model_files import model_file
from sklearn_ser.utils._public import public_module

#: Version of the format. In format 2, networks are lists with an entry per member of an ensemble.
FORMAT = 2
_MODEL, _INFO = "model.skops", "info.json"

#: Types and functions that a model file may hold beyond those that skops trusts, by module. Those
#: of scikit-learn are part of fitted searches (scorers with their functions, splitters), of
#: calibration, voting and stacking, and of metadata requests. The types only store what they are
#: given; the functions are accepted inside a scorer only.
_TRUSTED = {
    "sklearn_ser.augmentation": (
        "AddNoise",
        "AddReverb",
        "AudiomentationsAugmenter",
        "AugmentingClassifier",
        "Clip",
        "Codec",
        "CutMix",
        "FeatureNoise",
        "Gain",
        "Mixup",
        "OriginalSamplesSplit",
        "PitchShift",
        "SpecAugment",
        "SpeedPerturbation",
        "TelephoneBand",
        "TempoPerturbation",
        "TimeMask",
        "TimeShift",
        "TimeWarp",
        "VocalTractLengthPerturbation",
    ),
    "sklearn.calibration": (
        "_CalibratedClassifier",
        "_SigmoidCalibration",
        "_TemperatureScaling",
    ),
    "sklearn.metrics": ("accuracy_score", "balanced_accuracy_score", "f1_score", "recall_score"),
    "sklearn.metrics._scorer": ("_PassthroughScorer", "_Scorer"),
    "sklearn.model_selection": (
        "GroupKFold",
        "KFold",
        "LeaveOneGroupOut",
        "StratifiedGroupKFold",
        "StratifiedKFold",
    ),
    "sklearn.utils": ("Bunch",),
    "sklearn.utils._metadata_requests": ("MetadataRequest", "MethodMetadataRequest"),
    "sklearn_ser.feature_extraction": (
        "LogMelSpectrogram",
        "MFCC",
        "OpenSmileExtractor",
        "PretrainedEmbedding",
        "Prosody",
        "SlidingWindows",
        "SpeakerEmbedding",
    ),
    "sklearn_ser.metrics": ("SerScorer", "score_labeled_samples", "uar_score"),
    "sklearn_ser.model_selection": (
        "CorpusAdaptationSplit",
        "LeaveOneLanguageOut",
        "LeaveOneCorpusOut",
        "LeaveOneSpeakerOut",
        "PairwiseCorpusSplit",
        "SentenceSpeakerKFold",
        "SpeakerKFold",
        "SemiSupervisedSplit",
        "WithinCorpusSpeakerKFold",
    ),
    "sklearn_ser.neural_network": (
        "DomainAdversarialTask",
        "AdversarialTraining",
        "BatchSpecAugment",
        "ClassificationTask",
        "ComputeSettings",
        "ConsistencyTask",
        "ContrastiveTask",
        "ELMClassifier",
        "HighLevelFeatures",
        "InputPerturbation",
        "MTLNeuralClassifier",
        "OptimizationSettings",
        "PseudoLabels",
        "ReconstructionTask",
        "RegressionTask",
        "ValidationSettings",
    ),
    "sklearn_ser.preprocessing": (
        "FrameScaler",
        "FunctionalsPooling",
        "GroupScaler",
        "SkipFailedRows",
    ),
}


@public_module("sklearn_ser.persistence")
def trusted_types() -> list[str]:
    """Return the names of the types that :func:`load_model` accepts beyond those of skops.

    The functions among them are accepted inside a scorer only, and loading never calls them.

    Returns
    -------
    list of str

    Examples
    --------
    >>> from sklearn_ser.persistence import trusted_types
    >>> any(name.endswith("GroupScaler") for name in trusted_types())
    True
    """
    return [_full_name(value) for value in _trusted_objects()]


@public_module("sklearn_ser.persistence")
def save_model(
    model: BaseEstimator,
    path: str | os.PathLike[str],
    *,
    info: dict[str, Any] | None = None,
) -> None:
    """Save a fitted estimator to a file.

    The feature stores of audio steps and the `callbacks` of networks are excluded: both parameters
    are None in the file, and unchanged in `model`.

    Parameters
    ----------
    model : estimator
        Fitted estimator, such as a Pipeline.
    path : str or Path
        Path of the file, conventionally with the suffix ``.ser``. An existing file is replaced when
        the new one is complete, and is unchanged if anything fails.
    info : dict, optional
        Facts to save with the model (training corpora, labels, ...), as for JSON.

    Raises
    ------
    ModelFileError
        If the model is not a fitted estimator or holds a type that loading would reject, if `info`
        cannot be converted to JSON, or if the file cannot be written.

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

    target = checked_target(path)
    facts = {
        "format": FORMAT,
        "sklearn_ser": __version__,
        "scikit_learn": sklearn.__version__,
        "python": platform.python_version(),
        "info": _checked_info(info),
    }
    _check_estimator(model, "the model")
    content = archive_of({_INFO: json.dumps(facts, indent=2).encode(), _MODEL: _dumps(model)})
    write_file(target, content)


@public_module("sklearn_ser.persistence")
def load_model(path: str | os.PathLike[str], *, trusted: Sequence[str] = ()) -> BaseEstimator:
    """Load a fitted estimator from a model file.

    Parameters
    ----------
    path : str or Path
        Path of the file.
    trusted : sequence of str, default=()
        Full names of further types to trust. Objects of a trusted type are built from the content
        of the file, and a trusted function may be passed to any estimator in it: add only types
        that you know.

    Returns
    -------
    estimator
        Fitted estimator.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, of a newer version or of an older format, or if it holds a
        type that is not trusted or anything but a fitted estimator.
    """
    import skops.io

    trusted = _checked_names(trusted)
    data, _ = _read(path, _MODEL)
    with _as_model_file_error(f"model file {str(path)!r} cannot be read"):
        _check(data, size_limit(Path(path).stat().st_size), trusted)
        unknown = _untrusted(data, trusted)
    if unknown:
        raise ModelFileError(
            f"model file {str(path)!r} holds types that are not trusted and was not loaded: "
            f"{unknown}. If you know that they are harmless, add them to trusted="
        )
    with _as_model_file_error(f"model file {str(path)!r} cannot be read"):
        with model_file():
            model = skops.io.loads(data, trusted=[*trusted_types(), *trusted])
        _check_estimator(model, "what it holds")
        repr(model)  # raises if a parameter is missing or invalid
    return model


@public_module("sklearn_ser.persistence")
def load_model_info(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Load the facts in a model file without the model.

    Parameters
    ----------
    path : str or Path
        Path of the file.

    Returns
    -------
    dict
        `format`, versions of `sklearn_ser`, `scikit_learn` and `python`, and `info` of
        :func:`save_model`.

    Raises
    ------
    ModelFileError
        If the file is missing, damaged, of a newer version or of an older format.
    """
    return _read(path)[-1]


def _trusted_objects():
    return [
        getattr(importlib.import_module(module), attribute)
        for module, attributes in _TRUSTED.items()
        for attribute in attributes
    ]


def _full_name(value):
    return f"{value.__module__}.{value.__qualname__}"


def _checked_info(info):
    if info is None:
        return {}
    if not isinstance(info, dict):
        raise ModelFileError(f"info must be a dict, got {type(info).__name__}")
    for key, value in info.items():
        try:
            json.dumps({key: value})
        except (TypeError, ValueError, RecursionError) as error:
            raise ModelFileError(
                f"info[{key!r}] cannot be written as JSON ({error}): use str, int, float, bool, "
                f"None, and lists and dicts of these"
            ) from error
    return info


def _checked_names(trusted):
    is_names = not isinstance(trusted, str) and hasattr(trusted, "__iter__")
    names = list(trusted) if is_names else []
    if not is_names or not all(isinstance(name, str) for name in names):
        raise ModelFileError(
            f"trusted must be a list of full names of types, such as "
            f'["package.module.Type"], got {trusted!r}'
        )
    return names


def _check_estimator(model, what):
    """Raise for anything but a fitted estimator."""
    from sklearn.base import BaseEstimator
    from sklearn.exceptions import NotFittedError
    from sklearn.utils.validation import check_is_fitted

    if not isinstance(model, BaseEstimator):
        kind = f"the class {model.__name__}" if isinstance(model, type) else type(model).__name__
        raise ModelFileError(f"{what} must be a fitted estimator of scikit-learn, got {kind}")
    if not hasattr(model, "fit"):  # such as a splitter
        raise ModelFileError(f"{what} has no fit: {type(model).__name__} is not an estimator")
    try:
        check_is_fitted(model)
    except NotFittedError as error:
        raise ModelFileError(f"{what} is not fitted: {error}") from error


def _dumps(model):
    """Return the skops archive of a model that load_model accepts."""
    import skops.io

    try:
        with model_file(), named_owners(model):
            data = skops.io.dumps(model)
        _check(data, size_limit(len(data)), ())
        unknown = _untrusted(data, ())
    except Exception as error:
        raise ModelFileError(f"the model cannot be saved to a file: {_text(error)}") from error
    if unknown:
        raise ModelFileError(
            f"the model holds types that a model file may not: {unknown}. They are neither in "
            f"sklearn_ser.persistence.trusted_types() nor trusted by skops (as most of "
            f"scikit-learn is, except decision trees). skops.io.dump can save them, and loading "
            f"that file requires to trust them by name"
        )
    return data


def _read(path, *names):
    """Return the members of the given names as bytes, and the validated facts."""
    path = Path(path)
    if not path.is_file():
        raise ModelFileError(f"no model file {str(path)!r}")
    with _as_model_file_error(f"{str(path)!r} is not a model file of sklearn_ser, or is damaged"):
        members = read_members(path, (*names, _INFO))
        facts = json.loads(members[_INFO])
        if not isinstance(facts, dict) or not isinstance(facts.get("info", {}), dict):
            raise ModelFileError(f"{_INFO} does not hold what save_model writes")
        file_format = facts.get("format")
        if type(file_format) is not int or file_format < 1:
            raise ModelFileError(
                f"{_INFO} must have a format of 1 or higher, it has {str(file_format)[:40]}"
            )
        written_by = _version_of(facts)
    if file_format > FORMAT or written_by > Version(__version__):
        raise ModelFileError(
            f"model file {str(path)!r} has format {file_format} and was written by sklearn_ser "
            f"{written_by}; this is {__version__}, which reads format {FORMAT} of this and "
            f"older versions: pip install --upgrade 'sklearn-ser>={written_by}'"
        )
    if file_format < FORMAT:
        raise ModelFileError(
            f"model file {str(path)!r} has format {file_format}, and this sklearn_ser "
            f"({__version__}) reads format {FORMAT}: fit the model again and save it, or use the "
            f"sklearn_ser that wrote it ({written_by})"
        )
    return *(members[name] for name in names), facts


def _version_of(facts):
    """Return the version of sklearn_ser that wrote the file, which files of any format have."""
    try:
        return Version(facts.get("sklearn_ser"))
    except (TypeError, InvalidVersion) as error:
        raise ModelFileError(
            f"{_INFO} must have the version of sklearn_ser that wrote it, it has "
            f"{str(facts.get('sklearn_ser'))[:40]}"
        ) from error


def _check(data, limit, trusted):
    functions = {_full_name(each) for each in _trusted_objects() if not isinstance(each, type)}
    check_skops(data, limit, {*trusted_types(), *trusted}, functions)


def _untrusted(data, trusted):
    """Return the types in a skops archive that are not trusted by skops, us or the caller."""
    import skops.io

    untrusted = skops.io.get_untrusted_types(data=data)
    return sorted(set(untrusted) - {*trusted_types(), *trusted})


@contextlib.contextmanager
def _as_model_file_error(opening):
    """Convert every error in the context to a ModelFileError."""
    try:
        yield
    except Exception as error:
        raise ModelFileError(f"{opening}: {_text(error)}") from error


def _text(error):
    """Return the text of an error, with its type unless it is of this package."""
    return str(error) if isinstance(error, SerError) else f"{type(error).__name__}: {error}"


@contextmanager
def named_owners(model):
    """Replace the owners of metadata requests within a model by their names in the context."""
    owners = [(part, part.owner) for part in _parts(model) if not isinstance(part.owner, str)]
    try:
        for part, owner in owners:
            part.owner = type(owner).__name__
        yield
    finally:
        for part, owner in owners:
            part.owner = owner


def _parts(model):
    """Yield the metadata requests in a model, and those of their methods."""
    finder = _Finder()
    with suppress(Exception):  # skops reports objects that cannot be pickled
        finder.dump(model)
    for request in finder.requests:
        yield request
        yield from (part for part in vars(request).values() if hasattr(part, "owner"))


class _Finder(pickle.Pickler):
    """Pickler that only collects the metadata requests in an object."""

    def __init__(self):
        super().__init__(self, protocol=5, buffer_callback=_not_in_band)
        self.requests: list[MetadataRequest] = []

    def write(self, data):
        return len(data)

    def reducer_override(self, obj):
        if isinstance(obj, MetadataRequest):
            self.requests.append(obj)
        return NotImplemented


def _not_in_band(buffer):
    """Return False, so that arrays are not copied."""
    return False
