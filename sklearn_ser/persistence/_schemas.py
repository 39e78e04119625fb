"""Estimators that a model file can hold, and the valid values of all their attributes.

A schema lists the fitted attributes of a class: kinds, dtypes, bounds, and shapes in terms of sizes
that must agree with one another ("n" features, "k" classes). Parameters are plain values that are
valid by the constraints of their class. What a schema does not list is neither written nor read.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from inspect import Parameter, signature
from math import prod
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.exceptions import ModelFileError

Sizes = dict[str, int]
Size = int | str | Callable[[Sizes], int] | None


@dataclass(frozen=True)
class Spec:
    """Valid values of an attribute: a test, which may set sizes, and a description."""

    test: Callable[[Any, Sizes], bool]
    text: str
    optional: bool = False

    def __or__(self, other: Spec) -> Spec:
        def test(value, sizes):
            return self.test(value, sizes) or other.test(value, sizes)

        return Spec(test, f"{self.text} or {other.text}", self.optional)


@dataclass(frozen=True)
class Schema:
    """Declaration of a class.

    `params` restricts parameters further than the constraints of the class do, `excluded` are
    parameters that have their default in a file, `dropped` are attributes that a file leaves out,
    and `derived` computes attributes from the others. `check` raises for attributes that do not
    agree. Without `arguments`, the constructor sets none of the attributes.
    """

    fitted: Mapping[str, Spec] = field(default_factory=dict)
    params: Mapping[str, Spec] = field(default_factory=dict)
    excluded: Collection[str] = ()
    dropped: Collection[str] = ()
    derived: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)
    check: Callable[[Any], None] | None = None
    arguments: bool = True


def maybe(spec: Spec) -> Spec:
    """Specify an attribute that may be absent."""
    return replace(spec, optional=True)


def one_of(*values: Any) -> Spec:
    """Specify an attribute with one of a few values."""

    def test(value, _):
        return any(type(value) is type(each) and value == each for each in values)

    return Spec(test, f"one of {values}")


def kind(*types: type) -> Spec:
    """Specify an attribute of one of a few types."""
    return Spec(lambda value, _: type(value) in types, " or ".join(t.__name__ for t in types))


def matching(pattern: str) -> Spec:
    """Specify a string by a regular expression."""
    return Spec(
        lambda value, _: isinstance(value, str) and re.fullmatch(pattern, value) is not None,
        f"a string like {pattern}",
    )


def number(low: float = -np.inf, high: float = np.inf, nan: bool = False) -> Spec:
    """Specify a number within bounds, finite unless `nan`."""

    def test(value, _):
        if not isinstance(value, Real) or isinstance(value, bool | np.bool_):
            return False
        return (nan or bool(np.isfinite(value))) and not (value < low or value > high)

    return Spec(test, f"a number from {low} to {high}")


def integer(low: int = 0, high: float = 2**62, size: str | None = None) -> Spec:
    """Specify an integer within bounds, which may be a size."""

    def test(value, sizes):
        is_integer = isinstance(value, Integral) and not isinstance(value, bool | np.bool_)
        return is_integer and low <= value <= high and _fits(size, int(value), sizes)

    return Spec(test, f"an integer from {low} to {high}" + (f" (the size {size})" if size else ""))


def array(
    *shape: Size,
    dtype: str = "f4 f8",
    low: float = -np.inf,
    high: float = np.inf,
    nan: bool = False,
    contiguous: bool = False,
) -> Spec:
    """Specify a dense array of a shape, with finite values (unless `nan`) within bounds."""
    dtypes = [np.dtype(name) for name in dtype.split()]

    def test(value, sizes):
        if type(value) is not np.ndarray or value.dtype not in dtypes or value.ndim != len(shape):
            return False
        if not all(_fits(*pair, sizes) for pair in zip(shape, value.shape, strict=True)):
            return False
        if contiguous and not value.flags.c_contiguous:
            return False
        if value.dtype.kind == "f" and not (nan or np.isfinite(value).all()):
            return False
        return not ((value < low) | (value > high)).any()

    sizes = ", ".join("*" if callable(size) or size is None else str(size) for size in shape)
    limits = "" if (low, high) == (-np.inf, np.inf) else f", from {low} to {high}"
    return Spec(
        test, f"{'' if nan else 'finite '}numbers of dtype {dtype}, shape ({sizes}){limits}"
    )


def _fits(size, found, sizes):
    if size is None:
        return True
    if isinstance(size, str):
        return sizes.setdefault(size, found) == found
    return found == (size(sizes) if callable(size) else size)


def labels(size: str, low: int = 1) -> Spec:
    """Specify an array of at least `low` different labels: strings or finite numbers."""

    def test(value, sizes):
        if type(value) is not np.ndarray or value.ndim != 1 or not low <= len(value) <= 10**5:
            return False
        is_text = value.dtype.kind in "UO" and all(isinstance(each, str) for each in value)
        is_number = value.dtype.kind in "biuf" and bool(np.isfinite(value).all())
        if not (is_text or is_number) or len(set(value.tolist())) < len(value):
            return False
        return _fits(size, len(value), sizes)

    return Spec(test, f"an array of at least {low} different labels (the size {size})")


def names(size: str) -> Spec:
    """Specify an object array of strings."""

    def test(value, sizes):
        is_array = type(value) is np.ndarray and value.dtype == object and value.ndim == 1
        return is_array and all(type(each) is str for each in value) and _fits(
            size, len(value), sizes
        )  # fmt: skip

    return Spec(test, f"an object array of {size} strings")


def items(spec: Spec, size: str | None = None, of: type = list) -> Spec:
    """Specify a list (or tuple) of values."""

    def test(value, sizes):
        if type(value) is not of or not _fits(size, len(value), sizes):
            return False
        return all(spec.test(each, sizes) for each in value)

    return Spec(test, f"a {of.__name__} of {spec.text}")


def mapping(spec: Spec) -> Spec:
    """Specify a dict of strings to values."""

    def test(value, sizes):
        return type(value) is dict and all(
            isinstance(key, str) and spec.test(each, sizes) for key, each in value.items()
        )

    return Spec(test, f"a dict of {spec.text}")


def instance(*allowed: str) -> Spec:
    """Specify an object of one of the classes, by full name."""
    return Spec(lambda value, _: name_of(type(value)) in allowed, " or ".join(allowed))


def _is_fitted(value, _=None):
    if not isinstance(value, BaseEstimator) or not hasattr(value, "fit"):
        return False
    check_is_fitted(value)
    return True


FITTED = Spec(_is_fitted, "a fitted estimator")
TEXT, FLAG, NONE = kind(str), kind(bool, np.bool_), one_of(None)
DTYPE = Spec(lambda value, _: isinstance(value, np.dtype), "a dtype")
PLAIN = Spec(lambda value, _: True, "a plain value")
#: Named parts of a Pipeline or an ensemble: (name, estimator).
PARTS = Spec(
    lambda value, _: (
        type(value) in (list, tuple)
        and all(
            type(part) in (list, tuple)
            and len(part) == 2
            and isinstance(part[0], str)
            and (isinstance(part[1], BaseEstimator) or part[1] in ("passthrough", "drop", None))
            for part in value
        )
    ),
    "a list of (name, estimator)",
)
#: Shape of a sequence of frames, of which one is allocated.
SHAPE = Spec(
    lambda value, _: (
        type(value) is list
        and len(value) == 2
        and all(type(size) is int and size > 0 for size in value)
        and prod(value) <= 2**26
    ),
    "the shape of a sequence of frames",
)
COLORS = one_of("white", "pink", "brown", "blue", "violet")
#: Parameters that a model file does not hold: folders, workers and code.
EXCLUDED = frozenset({"store", "callbacks", "memory", "n_jobs", "pre_dispatch"})
#: Restrictions of parameters of any class.
PARAMS = {
    "device": matching(r"auto|cpu|mps|cuda(:\d{1,3})?"),
    "random_state": NONE | integer(0, 2**32 - 1),
    "steps": PARTS,
    "estimators": PARTS,
    "transformer_list": PARTS,
}


_N = {"n_features_in_": integer(1, size="n"), "feature_names_in_": maybe(names("n"))}
_MAYBE_N = {name: maybe(spec) for name, spec in _N.items()}
_K = {"classes_": labels("k", 2)}
_VECTOR = array("n")
#: Rows of a linear classifier, and pairs of classes.
_ROWS = lambda sizes: 1 if sizes["k"] == 2 else sizes["k"]  # noqa: E731
_PAIRS = lambda sizes: sizes["k"] * (sizes["k"] - 1) // 2  # noqa: E731
_LINEAR = _N | _K | {"coef_": array(_ROWS, "n"), "intercept_": array(_ROWS) | number()}
_N_SEEN = number(0) | array("n", dtype="i4 i8 f8", low=0)
_DOUBLES = {"dtype": "f8", "contiguous": True}
_COUNTS = {"dtype": "i4", "contiguous": True}
_SVC = {
    **_N,
    **_K,
    "support_vectors_": array("v", "n", **_DOUBLES),
    "support_": array("v", low=0, **_COUNTS),
    "_n_support": array("k", low=0, **_COUNTS),
    "_dual_coef_": array(lambda sizes: sizes["k"] - 1, "v", **_DOUBLES),
    "dual_coef_": array(lambda sizes: sizes["k"] - 1, "v", **_DOUBLES),
    "_intercept_": array(_PAIRS, **_DOUBLES),
    "intercept_": array(_PAIRS, **_DOUBLES),
    "_probA": array(_PAIRS, **_DOUBLES) | array(0, **_DOUBLES),
    "_probB": array(_PAIRS, **_DOUBLES) | array(0, **_DOUBLES),
    "_gamma": number(0),
    "_sparse": one_of(False),
    "_effective_probability": maybe(FLAG),
    "class_weight_": array("k"),
    "fit_status_": integer(0, 1),
    "shape_fit_": items(integer(1), of=tuple),
    "_num_iter": array(_PAIRS, dtype="i4"),
    "n_iter_": array(_PAIRS, dtype="i4"),
}
_NAMED = {"named_estimators_": lambda model: _named_parts(model)}
_SEARCH = Schema(
    {
        "best_estimator_": maybe(FITTED),
        "best_params_": maybe(mapping(PLAIN)),
        "best_score_": maybe(number(nan=True)),
        "best_index_": maybe(integer()),
        "n_splits_": integer(1),
        "multimetric_": FLAG,
        "refit_time_": maybe(number(0)),
        "feature_names_in_": maybe(names("n")),
    },
    {"refit": FLAG | TEXT, "error_score": number(nan=True) | one_of("raise")},
    dropped=("cv_results_", "_checked_cv_orig", "scorer_"),
    derived={"scorer_": lambda search: search._get_scorers()[0]},
)
_FRAMES = {"frame_features_": items(TEXT, "f")}
_SECONDS = number(1e-4, 1e5)
_SPECTRAL = Schema(
    params={
        "window_length": number(1e-4, 2),
        "hop_length": _SECONDS,
        "n_fft": NONE | integer(2, 2**15),
        "n_mels": integer(1, 256),
    },
    dropped=("failures_",),
    check=lambda step: step._validate_params(),
)
_PARAMS_ONLY = Schema()


def _named_parts(model):
    parts = [(name, part) for name, part in model.estimators if part != "drop"]
    fitted = iter(model.estimators_)
    drops = {name: "drop" for name, part in model.estimators if part == "drop"}
    return Bunch(**drops, **{name: next(fitted) for name, _ in parts})


def _check_svc(model):
    if model._n_support.sum() != len(model.support_vectors_) or not len(model.support_):
        raise ModelFileError("the support vectors of its SVC are not those of its classes")
    shape = [len(model._probA), model.shape_fit_[-1]]
    if shape != [len(model._probB), model.n_features_in_] or len(model.shape_fit_) != 2:
        raise ModelFileError("the arrays of its SVC do not agree")


def _check_codes(model):
    """Check the parts of an ensemble, which predict the positions of its classes."""
    for part in model.estimators_:
        if not np.isin(part.classes_, np.arange(len(model.classes_))).all():
            raise ModelFileError("the classes of its parts are not the positions of classes_")


def _check_parts(model):
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
        if not all(np.isfinite(array).all() for array in load(weights).values()):
            raise ModelFileError("the weights of its network are not finite")
        if isinstance(network._architecture["encoder"], type):
            load_weights(module_of_shapes(network._architecture), weights)


def _score_function(_):
    from sklearn_ser.metrics import score_labeled_samples

    return score_labeled_samples


def _schemas():
    calibrators = [
        f"sklearn.{name}"
        for name in (
            "isotonic.IsotonicRegression",
            "calibration._SigmoidCalibration",
            "calibration._TemperatureScaling",
        )
    ]
    encoder = instance("sklearn.preprocessing.LabelEncoder")
    in_scikit_learn = {
        "calibration._CalibratedClassifier": Schema(
            params={
                "estimator": FITTED,
                "calibrators": items(instance(*calibrators)),
                "classes": labels("k", 2),
                "method": one_of("sigmoid", "isotonic", "temperature"),
            },
            check=_check_calibrators,
        ),
        "calibration._SigmoidCalibration": Schema({"a_": number(), "b_": number()}),
        "calibration._TemperatureScaling": Schema({"beta_": number()}),
        "calibration.CalibratedClassifierCV": Schema(
            {
                **_K,
                **_MAYBE_N,
                "calibrated_classifiers_": items(
                    instance("sklearn.calibration._CalibratedClassifier")
                ),
            },
            check=_check_calibrated,
        ),
        "decomposition.PCA": Schema(
            {
                **_N,
                "components_": array("c", "n"),
                "mean_": _VECTOR,
                **dict.fromkeys(
                    ("explained_variance_", "explained_variance_ratio_", "singular_values_"),
                    array("c"),
                ),
                "noise_variance_": number(),
                "n_components_": integer(size="c"),
                "n_samples_": integer(1),
                "_fit_svd_solver": maybe(TEXT),
            }
        ),
        "dummy.DummyClassifier": Schema(
            {
                **_N,
                "classes_": labels("k"),
                "class_prior_": array("k", low=0, high=1),
                "n_classes_": integer(size="k"),
                "n_outputs_": one_of(1),
                "sparse_output_": one_of(False),
                "_strategy": TEXT,
            }
        ),
        "ensemble.BaggingClassifier": Schema(
            {
                **_N,
                **_K,
                "n_classes_": integer(size="k"),
                "estimator_": PLAIN,
                "estimators_": items(FITTED, "m"),
                "estimators_features_": items(array(None, dtype="i8", low=0), "m"),
                "_seeds": array(None, dtype="i4 i8"),
                "_n_samples": integer(1),
                "_max_samples": integer(1),
                "_max_features": integer(1),
            },
            dropped=("_sample_weight", "oob_score_", "oob_decision_function_"),
            check=_check_codes,
        ),
        "ensemble.StackingClassifier": Schema(
            {
                **_K,
                **_MAYBE_N,
                "estimators_": items(FITTED, "m"),
                "final_estimator_": FITTED,
                "_label_encoder": encoder,
                "stack_method_": items(
                    one_of("predict_proba", "decision_function", "predict"), "m"
                ),
                "_n_feature_outs": maybe(items(integer(1), "m")),
            },
            derived=_NAMED,
            check=lambda model: _check_parts(model) if model.cv != "prefit" else None,
        ),
        "ensemble.VotingClassifier": Schema(
            {**_K, **_MAYBE_N, "estimators_": items(FITTED, "m"), "le_": encoder},
            derived=_NAMED,
            check=_check_parts,
        ),
        "frozen.FrozenEstimator": Schema(params={"estimator": FITTED}),
        "impute.SimpleImputer": Schema(
            {
                **_N,
                "statistics_": array("n", nan=True),
                "indicator_": NONE,
                "_fit_dtype": DTYPE,
                "_fill_dtype": maybe(DTYPE),
            }
        ),
        "isotonic.IsotonicRegression": Schema(
            {
                "X_min_": number(),
                "X_max_": number(),
                "X_thresholds_": array("t", low=-1e300, high=1e300),
                "y_thresholds_": array("t"),
                "increasing_": FLAG,
            },
            dropped=("f_",),
        ),
        "linear_model.LogisticRegression": Schema(
            _LINEAR | {"n_iter_": array(None, dtype="i4 i8")}
        ),
        "model_selection.GridSearchCV": _SEARCH,
        "model_selection.RandomizedSearchCV": _SEARCH,
        **{
            f"model_selection.{name}": _PARAMS_ONLY
            for name in (
                "GroupKFold", "KFold", "LeaveOneGroupOut", "StratifiedGroupKFold",
                "StratifiedKFold",
            )
        },
        "naive_bayes.GaussianNB": Schema(
            {
                **_N,
                **_K,
                "theta_": array("k", "n"),
                "var_": array("k", "n", low=0),
                "class_count_": array("k", low=0),
                "class_prior_": array("k", low=0, high=1),
                "epsilon_": number(0),
            }
        ),
        "pipeline.FeatureUnion": Schema(dropped=("_transformers_feature_names_out",)),
        "pipeline.Pipeline": _PARAMS_ONLY,
        "preprocessing.LabelEncoder": Schema({"classes_": labels("k")}),
        "preprocessing.MinMaxScaler": Schema(
            {
                **_N,
                **dict.fromkeys(
                    ("scale_", "min_", "data_min_", "data_max_", "data_range_"), _VECTOR
                ),
                "n_samples_seen_": _N_SEEN,
            }
        ),
        "preprocessing.Normalizer": Schema(_MAYBE_N),
        "preprocessing.RobustScaler": Schema(
            {**_N, "center_": NONE | _VECTOR, "scale_": NONE | _VECTOR}
        ),
        "preprocessing.StandardScaler": Schema(
            {
                **_N,
                "mean_": NONE | _VECTOR,
                "var_": NONE | array("n", low=0),
                "scale_": NONE | array("n", low=0),
                "n_samples_seen_": _N_SEEN,
            }
        ),
        "feature_selection.VarianceThreshold": Schema({**_N, "variances_": array("n", nan=True)}),
        "svm.LinearSVC": Schema(_LINEAR | {"n_iter_": integer()}),
        "svm.SVC": Schema(
            _SVC, {"kernel": one_of("linear", "poly", "rbf", "sigmoid")}, check=_check_svc
        ),
    }  # fmt: skip
    of_the_package = {
        **{
            f"augmentation.{name}": _PARAMS_ONLY
            for name in (
                "Clip", "Codec", "CutMix", "FeatureNoise", "Gain", "Mixup", "PitchShift",
                "SpecAugment", "SpeedPerturbation", "TelephoneBand", "TempoPerturbation",
                "TimeMask", "TimeShift", "TimeWarp", "VocalTractLengthPerturbation",
            )
        },
        "augmentation.AddNoise": Schema(
            params={"noises": COLORS | items(COLORS) | items(COLORS, of=tuple)}
        ),
        "augmentation.AddReverb": Schema(params={"impulse_responses": one_of("synthetic")}),
        "augmentation.AugmentingClassifier": Schema(
            {"estimator_": FITTED, "n_rows_": mapping(integer())}, {"resampler": NONE}
        ),
        "augmentation.OriginalSamplesSplit": Schema(dropped=("_sources", "_replaced")),
        "feature_extraction.LogMelSpectrogram": _SPECTRAL,
        "feature_extraction.MFCC": _SPECTRAL,
        "feature_extraction.OpenSmileExtractor": Schema(
            dropped=("failures_",), check=_check_opensmile
        ),
        "feature_extraction.PretrainedEmbedding": Schema(
            params={"batch_size": integer(1, 4096)}, excluded=("model",), dropped=("failures_",)
        ),
        "feature_extraction.Prosody": Schema(
            params={"window_length": number(1e-4, 2), "hop_length": _SECONDS},
            dropped=("failures_",),
            check=lambda step: step._validate_params(),
        ),
        "feature_extraction.SlidingWindows": Schema(
            params={
                "extractor": instance(
                    *(
                        f"sklearn_ser.feature_extraction.{name}"
                        for name in (
                            "LogMelSpectrogram", "MFCC", "OpenSmileExtractor",
                            "PretrainedEmbedding", "Prosody", "SpeakerEmbedding",
                        )
                    )
                ),
                "window": _SECONDS,
                "hop": _SECONDS,
            },
            dropped=("failures_",),
        ),
        "feature_extraction.SpeakerEmbedding": Schema(dropped=("failures_",)),
        "metrics.SerScorer": Schema(
            {
                "_sign": one_of(1, -1),
                "_kwargs": mapping(PLAIN),
                "_response_method": TEXT | items(TEXT, of=tuple),
            },
            dropped=("_score_func",),
            derived={"_score_func": _score_function},
            arguments=False,
        ),
        **{
            f"model_selection.{name}": _PARAMS_ONLY
            for name in (
                "CorpusAdaptationSplit", "LeaveOneCorpusOut", "LeaveOneLanguageOut",
                "LeaveOneSpeakerOut", "PairwiseCorpusSplit", "SemiSupervisedSplit",
                "SentenceSpeakerKFold", "SpeakerKFold", "WithinCorpusSpeakerKFold",
            )
        },
        **{
            f"neural_network.{name}": _PARAMS_ONLY
            for name in (
                "AdversarialTraining", "BatchSpecAugment", "ClassificationTask", "ComputeSettings",
                "ConsistencyTask", "ContrastiveTask", "DomainAdversarialTask", "InputPerturbation",
                "OptimizationSettings", "PseudoLabels", "ReconstructionTask", "RegressionTask",
                "ValidationSettings",
            )
        },
        "neural_network.ELMClassifier": Schema(
            {
                **_N,
                **_K,
                "hidden_weights_": array("n", "h", dtype="f8"),
                "hidden_bias_": array("h", dtype="f8"),
                "output_weights_": array("h", "k", dtype="f8"),
            }
        ),
        "neural_network.HighLevelFeatures": Schema({"estimator_": FITTED}),
        "neural_network.MTLNeuralClassifier": Schema(
            {
                **_N,
                **_K,
                "_architecture": mapping(PLAIN),
                "_weights": items(kind(bytes), "networks"),
                "_temperatures": items(kind(float), "networks"),
                "_states": items(kind(bytes)),
                "_tasks": items(mapping(PLAIN)),
                "_history": items(mapping(items(number(nan=True))), "networks"),
                "_best_epochs": items(integer(1), "networks"),
                "_splits": items(mapping(PLAIN), "networks"),
                "_rounds": maybe(items(PLAIN, "networks")),
                "_seed": integer(),
                "aux_classes_": maybe(mapping(labels("a") | PLAIN)),
                "best_epoch_": maybe(integer(1)),
                "dropped_tasks_": mapping(TEXT),
                "n_iter_": maybe(integer(1)),
                "validation_split_": maybe(mapping(PLAIN)),
            },
            dropped=("_net_cache",),
            check=_check_network,
        ),
        "preprocessing.FrameScaler": Schema(
            {
                **_FRAMES,
                **dict.fromkeys(("mean_", "var_", "scale_"), maybe(array("f", dtype="f8"))),
                "n_frames_seen_": maybe(integer(1)),
            }
        ),
        "preprocessing.FunctionalsPooling": Schema(
            _FRAMES | {"hop_length_": number(1e-9, 1e9)}, check=_check_functionals
        ),
        "preprocessing.GroupScaler": Schema(
            {
                **_N,
                **dict.fromkeys(("mean_", "scale_"), array("n", dtype="f8")),
                "var_": array("n", dtype="f8", low=0),
                "n_samples_seen_": integer(1),
                "group_keys_": items(items(kind(str, int, float, bool)), "g"),
                "group_sizes_": array("g", dtype="i8", low=1),
                "group_means_": array("g", "n", dtype="f8"),
                "group_vars_": array("g", "n", dtype="f8", low=0),
            },
            check=_check_group_scaler,
        ),
        "preprocessing.SkipFailedRows": Schema(
            {"estimator_": FITTED, "_shape_of_frames": NONE | SHAPE}
        ),
    }  # fmt: skip
    return {f"sklearn.{name}": schema for name, schema in in_scikit_learn.items()} | {
        f"sklearn_ser.{name}": schema for name, schema in of_the_package.items()
    }


#: By the full public name of the class.
SCHEMAS: dict[str, Schema] = _schemas()


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
    unknown |= fitted.keys() - schema.fitted.keys()
    if unknown:
        raise ModelFileError(f"{short} has no attributes {sorted(unknown)} in a model file")
    constraints = getattr(class_of(name), "_parameter_constraints", None)
    if constraints is not None:
        validate_parameter_constraints(constraints, params, caller_name=short)
    restrictions = {**PARAMS, **schema.params}
    specs = {key: restrictions[key] for key in params.keys() & restrictions.keys()}
    needed = schema.fitted if fitted else {}
    missing = [key for key, spec in needed.items() if key not in fitted and not spec.optional]
    if missing:
        raise ModelFileError(f"{short} lacks {missing}")
    sizes: Sizes = {}
    values = {**params, **fitted}
    for key, spec in [*specs.items(), *needed.items()]:
        if key in values and not spec.test(values[key], sizes):
            raise ModelFileError(f"{key} of {short} is not {spec.text}")
