"""Estimators that a model file can hold, and the valid values of all their attributes.

A schema lists the fitted attributes of a class: kinds, dtypes, bounds, and shapes in terms of sizes
that must agree with one another (n features, k classes). Parameters are plain values that are valid
by the constraints of their class. What a schema does not list is neither written nor read.

Attributes are declared as ``names: kind sizes | other kind; names?: kind``, where ``?`` marks those
that may be absent. The kinds are in `_KINDS`, beside ``list size kind``, ``tuple size kind`` and
``values kind`` of a dict.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache
from inspect import Parameter, signature
from math import prod
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch
from sklearn.utils._param_validation import make_constraint
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.exceptions import ModelFileError
from sklearn_ser.utils._printable import short_repr

Sizes = dict[str, int]
Test = Callable[[Any, Sizes], bool]


@dataclass(frozen=True)
class Schema:
    """Declaration of a class.

    `params` restricts parameters further than the constraints of the class do, `excluded` are
    parameters that have their default in a file, `dropped` are attributes that a file leaves out,
    and `derived` computes attributes from the others. `check` raises for attributes that do not
    agree. Without `arguments`, the constructor sets none of the attributes.
    """

    fitted: str = ""
    params: str = ""
    excluded: Collection[str] = ()
    dropped: Collection[str] = ()
    derived: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    check: Callable[[Any], None] | None = None
    arguments: bool = True


@dataclass(frozen=True)
class Spec:
    """Valid values of an attribute: a test, which may set sizes, and its declaration."""

    test: Test
    text: str
    optional: bool


@cache
def specs_of(declaration: str) -> dict[str, Spec]:
    """Return the specification of each attribute that a schema declares."""
    specs = {}
    for part in filter(str.strip, declaration.split(";")):
        names, _, text = part.partition(":")
        tests = [_test_of(words.split()) for words in text.split("|")]
        for name in names.split():
            specs[name.rstrip("?")] = Spec(_any_of(tests), text.strip(), name.endswith("?"))
    return specs


def _any_of(tests):
    return lambda value, sizes: any(test(value, sizes) for test in tests)


def _test_of(words):
    kind, *rest = words
    if kind in ("list", "tuple"):
        return _items({"list": list, "tuple": tuple}[kind], rest[0], _test_of(rest[1:]))
    if kind == "values":
        test = _test_of(rest)
        return lambda value, sizes: (
            type(value) is dict and all(test(each, sizes) for each in value.values())
        )
    return _KINDS[kind](*rest)


def _fits(size, found, sizes):
    """Return whether a size has the declared value, which the first use of a name sets."""
    if size == "*":
        return True
    if size in _COMPUTED_SIZES:
        return found == _COMPUTED_SIZES[size](sizes.get("k", 0))
    return found == (int(size) if size.isdecimal() else sizes.setdefault(size, found))


#: Sizes that follow from the number of classes k: rows of a linear classifier, pairs of classes.
_COMPUTED_SIZES = {
    "rows": lambda k: 1 if k == 2 else k,
    "pairs": lambda k: k * (k - 1) // 2,
    "k-1": lambda k: k - 1,
}


def _items(kind, size, inner):
    def test(value, sizes):
        fits = type(value) is kind and _fits(size, len(value), sizes)
        return fits and all(inner(each, sizes) for each in value)

    return test


def _array(dtypes, low=-np.inf, high=np.inf, nan=False, contiguous=False):
    """Return a kind of dense arrays, with finite values (unless `nan`) within bounds."""
    known = [np.dtype(name) for name in dtypes.split()]

    def kind(*shape):
        def test(value, sizes):
            if type(value) is not np.ndarray or value.dtype not in known:
                return False
            if value.ndim != len(shape) or not all(map(_fits, shape, value.shape, [sizes] * 9)):
                return False
            if contiguous and not value.flags.c_contiguous:
                return False
            if value.dtype.kind == "f" and not (nan or np.isfinite(value).all()):
                return False
            return not ((value < low) | (value > high)).any()

        return test

    return kind


def _number(kind, low=-np.inf, high=np.inf, nan=False):
    def of(lowest=low, highest=high):
        def test(value, _):
            if not isinstance(value, kind) or isinstance(value, bool | np.bool_):
                return False
            finite = nan or bool(np.isfinite(value))
            return finite and not (value < float(lowest) or value > float(highest))

        return test

    return of


def _size(name):
    is_count = _number(Integral, 0)()
    return lambda value, sizes: is_count(value, sizes) and _fits(name, int(value), sizes)


def _labels(least):
    def kind(size):
        def test(value, sizes):
            if type(value) is not np.ndarray or value.ndim != 1:
                return False
            if not least <= len(value) <= 10**5:
                return False
            is_text = value.dtype.kind in "UO" and all(isinstance(each, str) for each in value)
            is_number = value.dtype.kind in "biuf" and bool(np.isfinite(value).all())
            is_set = (is_text or is_number) and len(set(value.tolist())) == len(value)
            return is_set and _fits(size, len(value), sizes)

        return test

    return kind


def _names(size):
    def test(value, sizes):
        is_array = type(value) is np.ndarray and value.dtype == object and value.ndim == 1
        is_text = is_array and all(type(each) is str for each in value)
        return is_text and _fits(size, len(value), sizes)

    return test


def _is_fitted(value, _):
    if not isinstance(value, BaseEstimator) or not hasattr(value, "fit"):
        return False
    check_is_fitted(value)
    return True


def _are_parts(value, _):
    """Test the named parts of a Pipeline or an ensemble: (name, estimator)."""
    return type(value) in (list, tuple) and all(
        type(part) in (list, tuple)
        and len(part) == 2
        and isinstance(part[0], str)
        and (isinstance(part[1], BaseEstimator) or part[1] in ("passthrough", "drop", None))
        for part in value
    )


def _is_shape_of_frames(value, _):
    """Test the shape of a sequence of frames, of which one is allocated."""
    is_shape = type(value) is list and len(value) == 2
    return (
        is_shape and all(type(size) is int and size > 0 for size in value) and prod(value) <= 2**26
    )


def _type(*types):
    return lambda: lambda value, _: type(value) in types


#: Functions of the words after the kind that return a test.
_KINDS: dict[str, Callable[..., Test]] = {
    "floats": _array("f4 f8"),
    "floats+": _array("f4 f8", low=0),
    "floats-or-nan": _array("f4 f8", nan=True),
    "shares": _array("f4 f8", low=0, high=1),
    "doubles": _array("f8"),
    "doubles+": _array("f8", low=0),
    "c-doubles": _array("f8", contiguous=True),
    "c-counts": _array("i4", low=0, contiguous=True),
    "integers": _array("i4 i8"),
    "counts": _array("i4 i8", low=0),
    "number": _number(Real),
    "number+": _number(Real, 0),
    "number-or-nan": _number(Real, nan=True),
    "int": _number(Integral, 0, 2**62),
    "int+": _number(Integral, 1, 2**62),
    "size": _size,
    "labels": _labels(1),
    "classes": _labels(2),
    "names": _names,
    "one-of": lambda *words: lambda value, _: type(value) is str and value in words,
    "matching": lambda pattern: (
        lambda value, _: type(value) is str and re.fullmatch(pattern, value) is not None
    ),
    "of": lambda *names: lambda value, _: name_of(type(value)) in names,
    "none": _type(type(None)),
    "false": lambda: lambda value, _: value is False,
    "flag": _type(bool, np.bool_),
    "text": _type(str),
    "float": _type(float),
    "bytes": _type(bytes),
    "id": _type(str, int, float, bool),
    "dict": _type(dict),
    "dtype": lambda: lambda value, _: isinstance(value, np.dtype),
    "plain": lambda: lambda value, _: True,
    "fitted": lambda: _is_fitted,
    "parts": lambda: _are_parts,
    "frames": lambda: _is_shape_of_frames,
}
#: Parameters that a model file does not hold: folders, workers and code.
EXCLUDED = frozenset({"store", "callbacks", "memory", "n_jobs", "pre_dispatch"})
#: Restrictions of parameters of any class.
_PARAMS = """
    device: one-of auto cpu mps cuda | matching cuda:[0-9]{1,3};
    random_state: none | int 0 4294967295;
    steps estimators transformer_list: parts;
"""


def _named_parts(model):
    parts = [(name, part) for name, part in model.estimators if part != "drop"]
    fitted = iter(model.estimators_)
    drops = {name: "drop" for name, part in model.estimators if part == "drop"}
    return Bunch(**drops, **{name: next(fitted) for name, _ in parts})


def _check_svc(model):
    if model._n_support.sum() != len(model.support_vectors_) or not len(model.support_):
        raise ModelFileError("the support vectors of its SVC are not those of its classes")
    shape = [len(model._probA), model.shape_fit_[-1]]
    if shape != [len(model._probB), model.n_features_in_]:
        raise ModelFileError("the arrays of its SVC do not agree")


def _check_codes(model):
    """Check the parts of an ensemble, which predict the positions of its classes."""
    for part in model.estimators_:
        if not np.isin(part.classes_, np.arange(len(model.classes_))).all():
            raise ModelFileError("the classes of its parts are not the positions of classes_")


def _check_parts(model):
    if getattr(model, "cv", None) == "prefit":
        return  # a stack of parts that were fitted on labels
    _check_codes(model)
    if len(model.estimators_) != sum(part != "drop" for _, part in model.estimators):
        raise ModelFileError("its fitted parts are not those of its parameter estimators")


def _check_calibrators(model):
    found, classes = model.estimator.classes_.tolist(), model.classes.tolist()
    # A fold may lack classes. With a temperature, the estimator predicts positions.
    agree = len(found) == len(classes) if model.method == "temperature" else {*found} <= {*classes}
    if not agree or not 0 < len(model.calibrators) <= len(classes):
        raise ModelFileError("its calibrators are not those of its classes")


def _check_calibrated(model):
    for part in model.calibrated_classifiers_:
        if not np.array_equal(part.classes, model.classes_):
            raise ModelFileError("the classes of its calibrated classifiers are not its own")


def _check_opensmile(step):
    from sklearn_ser.feature_extraction._opensmile import check_config, is_standard

    if not is_standard(step.feature_set):
        raise ModelFileError(
            f"OpenSmileExtractor(feature_set={step.feature_set!r}) names a configuration file, and "
            "a model file holds no paths. Save the steps after it, and extract the features apart"
        )
    check_config(step.feature_set, step.feature_level)


def _check_windows(step):
    if not name_of(type(step.extractor)).startswith("sklearn_ser.feature_extraction."):
        raise ModelFileError("the extractor of its SlidingWindows is no audio step")


def _check_functionals(step):
    step._check_names()
    known = getattr(step, "frame_features_", None)
    if known is not None and step.voicing is not None and step.voicing not in known:
        raise ModelFileError(f"no feature of its frames is called {step.voicing!r}")


def _check_group_scaler(scaler):
    n_ids = len(scaler._names())
    if not all(0 < len(key) <= n_ids for key in getattr(scaler, "group_keys_", [])):
        raise ModelFileError("the groups of its GroupScaler do not have the ids of `by`")


def _check_network(network):
    """Check what `check_state` of the network leaves open."""
    from safetensors.numpy import load

    from sklearn_ser.neural_network._module import load_weights, module_of_shapes

    for weights in getattr(network, "_weights", []):
        # Infinite and missing values are extremes; a mask would take memory.
        extremes = [
            extreme
            for array in load(weights).values()
            if array.size
            for extreme in (array.min(), array.max())
        ]
        if not np.isfinite(extremes).all():
            raise ModelFileError("the weights of its network are not finite")
        if isinstance(network._architecture["encoder"], type):
            load_weights(module_of_shapes(network._architecture), weights)


def _score_function(_):
    from sklearn_ser.metrics import score_labeled_samples

    return score_labeled_samples


_N = "n_features_in_: size n; feature_names_in_?: names n;"
_MAYBE_N = "n_features_in_?: size n; feature_names_in_?: names n;"
_NK = f"{_N} classes_: classes k;"
_LINEAR = f"{_NK} coef_: floats rows n; intercept_: floats rows | number;"
_PARTS = f"{_MAYBE_N} classes_: classes k; estimators_: list m fitted;"
_FAILURES = ("failures_",)
_FRAMES = "window_length: number 1e-4 2; hop_length: number 1e-4 1e5;"
_NOISE = "one-of white pink brown blue violet"


def _validate(step):
    step._validate_params()


_SCORER = "of sklearn_ser.metrics.SerScorer"
_SEARCH = Schema(
    "best_estimator_?: fitted; best_params_?: dict; best_score_?: number-or-nan; best_index_?: int;"
    "n_splits_: int+; multimetric_: flag; refit_time_?: number+; feature_names_in_?: names n",
    "refit: flag | text; error_score: number-or-nan | one-of raise;"
    f"scoring: none | text | {_SCORER} | list * text | tuple * text | values text |"
    f"values {_SCORER}",
    dropped=("cv_results_", "_checked_cv_orig", "scorer_"),
    derived={"scorer_": lambda search: search._get_scorers()[0]},
)
_SPECTRAL = Schema(
    params=f"{_FRAMES} n_fft: none | int 2 32768; n_mels: int 1 256",
    dropped=_FAILURES,
    check=_validate,
)
_IN_SCIKIT_LEARN = {
    "calibration._CalibratedClassifier": Schema(
        params="estimator: fitted; classes: classes k; method: one-of sigmoid isotonic temperature;"
        "calibrators: list * of sklearn.isotonic.IsotonicRegression "
        "sklearn.calibration._SigmoidCalibration sklearn.calibration._TemperatureScaling",
        check=_check_calibrators,
    ),
    "calibration._SigmoidCalibration": Schema("a_ b_: number"),
    "calibration._TemperatureScaling": Schema("beta_: number"),
    "calibration.CalibratedClassifierCV": Schema(
        f"{_MAYBE_N} classes_: classes k;"
        "calibrated_classifiers_: list * of sklearn.calibration._CalibratedClassifier",
        check=_check_calibrated,
    ),
    "decomposition.PCA": Schema(
        f"{_N} components_: floats c n; mean_: floats n; n_components_: size c; n_samples_: int+;"
        "explained_variance_ explained_variance_ratio_ singular_values_: floats c;"
        "noise_variance_: number; _fit_svd_solver?: text"
    ),
    "dummy.DummyClassifier": Schema(
        f"{_N} classes_: labels k; class_prior_: shares k; n_classes_: size k; n_outputs_: int 1 1;"
        "sparse_output_: false; _strategy: text"
    ),
    "ensemble.BaggingClassifier": Schema(
        f"{_NK} n_classes_: size k; estimator_: plain; estimators_: list m fitted;"
        "estimators_features_: list m counts *; _seeds: integers *;"
        "_n_samples _max_samples _max_features: int+",
        dropped=("_sample_weight", "oob_score_", "oob_decision_function_"),
        check=_check_codes,
    ),
    "ensemble.StackingClassifier": Schema(
        f"{_PARTS} final_estimator_: fitted; _label_encoder: of sklearn.preprocessing.LabelEncoder;"
        "stack_method_: list m one-of predict_proba decision_function predict;"
        "_n_feature_outs?: list m int+",
        derived={"named_estimators_": _named_parts},
        check=_check_parts,
    ),
    "ensemble.VotingClassifier": Schema(
        f"{_PARTS} le_: of sklearn.preprocessing.LabelEncoder",
        derived={"named_estimators_": _named_parts},
        check=_check_parts,
    ),
    "feature_selection.VarianceThreshold": Schema(f"{_N} variances_: floats-or-nan n"),
    "frozen.FrozenEstimator": Schema(params="estimator: fitted"),
    "impute.SimpleImputer": Schema(
        f"{_N} statistics_: floats-or-nan n; indicator_: none; _fit_dtype: dtype;"
        "_fill_dtype?: dtype"
    ),
    "isotonic.IsotonicRegression": Schema(
        "X_min_ X_max_: number; X_thresholds_ y_thresholds_: floats t; increasing_: flag",
        dropped=("f_",),
    ),
    "linear_model.LogisticRegression": Schema(f"{_LINEAR} n_iter_: integers *"),
    "model_selection.GridSearchCV": _SEARCH,
    "model_selection.RandomizedSearchCV": _SEARCH,
    "naive_bayes.GaussianNB": Schema(
        f"{_NK} theta_: floats k n; var_: floats+ k n; class_count_: floats+ k;"
        "class_prior_: shares k;"
        "epsilon_: number+"
    ),
    "pipeline.FeatureUnion": Schema(dropped=("_transformers_feature_names_out",)),
    "preprocessing.LabelEncoder": Schema("classes_: labels k"),
    "preprocessing.MinMaxScaler": Schema(
        f"{_N} scale_ min_ data_min_ data_max_ data_range_: floats n;"
        "n_samples_seen_: number+ | counts n"
    ),
    "preprocessing.Normalizer": Schema(_MAYBE_N),
    "preprocessing.RobustScaler": Schema(f"{_N} center_ scale_: none | floats n"),
    "preprocessing.StandardScaler": Schema(
        f"{_N} mean_: none | floats n; var_ scale_: none | floats+ n;"
        "n_samples_seen_: number+ | counts n | floats+ n"
    ),
    "svm.LinearSVC": Schema(f"{_LINEAR} n_iter_: int"),
    "svm.SVC": Schema(
        f"{_NK} support_vectors_: c-doubles v n; support_: c-counts v;"
        "_n_support: c-counts k;"
        "_dual_coef_ dual_coef_: c-doubles k-1 v;"
        "_intercept_ intercept_: c-doubles pairs;"
        "_probA _probB: c-doubles pairs | c-doubles 0;"
        "_gamma: number+; _sparse: false;"
        "_effective_probability?: flag; class_weight_: floats k; fit_status_: int 0 1;"
        "shape_fit_: tuple 2 int+; _num_iter n_iter_: integers pairs",
        "kernel: one-of linear poly rbf sigmoid",
        check=_check_svc,
    ),
}
_OF_THE_PACKAGE = {
    "augmentation.AddNoise": Schema(
        params=f"noises: {_NOISE} | list * {_NOISE} | tuple * {_NOISE}"
    ),
    "augmentation.AddReverb": Schema(params="impulse_responses: one-of synthetic"),
    "augmentation.AugmentingClassifier": Schema(
        "estimator_: fitted; n_rows_: dict", "resampler: none"
    ),
    "augmentation.OriginalSamplesSplit": Schema(dropped=("_sources", "_replaced")),
    "feature_extraction.LogMelSpectrogram": _SPECTRAL,
    "feature_extraction.MFCC": _SPECTRAL,
    "feature_extraction.OpenSmileExtractor": Schema(dropped=_FAILURES, check=_check_opensmile),
    "feature_extraction.PretrainedEmbedding": Schema(
        params="batch_size: int 1 4096", excluded=("model",), dropped=_FAILURES
    ),
    "feature_extraction.Prosody": Schema(params=_FRAMES, dropped=_FAILURES, check=_validate),
    "feature_extraction.SlidingWindows": Schema(
        params="window hop: number 1e-4 1e5", dropped=_FAILURES, check=_check_windows
    ),
    "feature_extraction.SpeakerEmbedding": Schema(dropped=_FAILURES),
    "metrics.SerScorer": Schema(
        "_sign: int -1 1; _kwargs: dict; _response_method: text | tuple * text",
        dropped=("_score_func",),
        derived={"_score_func": _score_function},
        arguments=False,
    ),
    "neural_network.ELMClassifier": Schema(
        f"{_NK} hidden_weights_: doubles n h; hidden_bias_: doubles h; output_weights_: doubles h k"
    ),
    "neural_network.HighLevelFeatures": Schema("estimator_: fitted"),
    "neural_network.MTLNeuralClassifier": Schema(
        f"{_NK} _architecture: dict; _weights: list m bytes; _temperatures: list m float;"
        "_states: list * bytes; _tasks: list * dict; _history: list m dict;"
        "_best_epochs: list m int+; _splits: list m dict; _rounds?: list m plain; _seed: int;"
        "dropped_tasks_: dict",
        dropped=("_net_cache",),
        check=_check_network,
    ),
    "preprocessing.FrameScaler": Schema(
        "frame_features_: list f text; mean_? scale_?: doubles f; var_?: doubles+ f;"
        "n_frames_seen_?: int+"
    ),
    "preprocessing.FunctionalsPooling": Schema(
        "frame_features_: list f text; hop_length_: number 1e-9 1e9",
        "functionals: list * text | tuple * text; frames: text | list * text | tuple * text",
        check=_check_functionals,
    ),
    "preprocessing.GroupScaler": Schema(
        f"{_N} mean_ scale_: doubles n; var_: doubles+ n; n_samples_seen_: int+;"
        "group_keys_: list g list * id; group_sizes_: counts g; group_means_: doubles g n;"
        "group_vars_: doubles+ g n",
        "by: none | text | list * text | tuple * text",
        check=_check_group_scaler,
    ),
    "preprocessing.SkipFailedRows": Schema("estimator_: fitted; _shape_of_frames: none | frames"),
}
#: Classes that have parameters only, by module.
_PARAMETERS_ONLY = {
    "sklearn.model_selection": """
        GroupKFold KFold LeaveOneGroupOut StratifiedGroupKFold StratifiedKFold""",
    "sklearn.pipeline": "Pipeline",
    "sklearn_ser.augmentation": """
        Clip Codec CutMix FeatureNoise Gain Mixup PitchShift SpecAugment SpeedPerturbation
        TelephoneBand TempoPerturbation TimeMask TimeShift TimeWarp VocalTractLengthPerturbation""",
    "sklearn_ser.model_selection": """
        CorpusAdaptationSplit LeaveOneCorpusOut LeaveOneLanguageOut LeaveOneSpeakerOut
        PairwiseCorpusSplit SemiSupervisedSplit SentenceSpeakerKFold SpeakerKFold
        WithinCorpusSpeakerKFold""",
    "sklearn_ser.neural_network": """
        AdversarialTraining BatchSpecAugment ClassificationTask ComputeSettings ConsistencyTask
        ContrastiveTask DomainAdversarialTask InputPerturbation OptimizationSettings PseudoLabels
        ReconstructionTask RegressionTask ValidationSettings""",
}
#: By the full public name of the class.
SCHEMAS: dict[str, Schema] = {
    **{f"sklearn.{name}": schema for name, schema in _IN_SCIKIT_LEARN.items()},
    **{f"sklearn_ser.{name}": schema for name, schema in _OF_THE_PACKAGE.items()},
    **{
        f"{module}.{name}": Schema()
        for module, names in _PARAMETERS_ONLY.items()
        for name in names.split()
    },
}


def name_of(cls: type) -> str:
    """Return the full public name of a class."""
    parts = [part for part in cls.__module__.split(".") if not part.startswith("_")]
    return ".".join([*parts, cls.__qualname__])


@cache
def class_of(name: str) -> type:
    """Return a class in `SCHEMAS`."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


@cache
def parameters_of(name: str) -> dict[str, Any]:
    """Return the parameters of the constructor of a class, and their defaults (or None)."""
    if not SCHEMAS[name].arguments:
        return {}
    parameters = signature(class_of(name)).parameters.values()
    return {
        each.name: None if each.default is Parameter.empty else each.default
        for each in parameters
        if each.kind not in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)
    }


def excluded_parameters(name: str) -> set[str]:
    """Return the parameters of a class that have their default in a file."""
    return {*EXCLUDED, *SCHEMAS[name].excluded} & parameters_of(name).keys()


def check_values(name: str, params: dict[str, Any], fitted: dict[str, Any]) -> None:
    """Check the parameters and the fitted attributes (if any) of an object of a class."""
    schema, short = SCHEMAS[name], name.rpartition(".")[2]
    unknown = params.keys() - (parameters_of(name).keys() - excluded_parameters(name))
    unknown |= fitted.keys() - specs_of(schema.fitted).keys()
    if unknown:
        raise ModelFileError(f"{short} has no attributes {sorted(unknown)} in a model file")
    _check_constraints(short, getattr(class_of(name), "_parameter_constraints", {}), params)
    sizes: Sizes = {}
    restrictions = specs_of(_PARAMS) | specs_of(schema.params)
    needed = specs_of(schema.fitted) if fitted else {}
    missing = [key for key, spec in needed.items() if key not in fitted and not spec.optional]
    if missing:
        raise ModelFileError(f"{short} lacks {missing}")
    values = {**params, **fitted}
    for key, spec in [*restrictions.items(), *needed.items()]:
        if key in values and not spec.test(values[key], sizes):
            raise ModelFileError(
                f"{key} of {short} is {_described(values[key])}, and not: {spec.text}"
            )


def _check_constraints(short, constraints, params):
    """Check parameters as scikit-learn does, whose message would hold the repr of the value."""
    for key, value in params.items():
        allowed = constraints.get(key, "no_validation")
        if allowed == "no_validation":
            continue
        allowed = [make_constraint(each) for each in allowed]
        if not any(each.is_satisfied_by(value) for each in allowed):
            texts = " or ".join(str(each) for each in allowed if not each.hidden)
            raise ModelFileError(
                f"The {key!r} parameter of {short} must be {texts}. Got "
                f"{_described(value)} instead."
            )


def _described(value):
    is_array = isinstance(value, np.ndarray)
    return f"{value.dtype} of shape {value.shape}" if is_array else short_repr(value)
