"""Audio steps that recipes select by name, and the parts that recipes share."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sklearn.base import BaseEstimator
from sklearn.pipeline import FeatureUnion, Pipeline

if TYPE_CHECKING:
    from sklearn_ser.neural_network import MTLNeuralClassifier

#: Names of features with one row per utterance.
FEATURES = ("ge2e", "egemaps", "both")
#: Names of features with a sequence of frames per utterance.
FRAME_FEATURES = ("logmel", "egemaps")

Features: TypeAlias = Literal["ge2e", "egemaps", "both"] | BaseEstimator | None
FrameFeatures: TypeAlias = Literal["logmel", "egemaps"] | BaseEstimator | None
OnError: TypeAlias = Literal["raise", "warn", "ignore"]
Store: TypeAlias = str | Path | None

#: Descriptions of the parameters that recipes share.
PARAMETERS = {
    "features": """
        features : {"ge2e", "egemaps", "both"}, transformer or None, default="ge2e"
            Features of an utterance: the speaker embedding GE2E (512 numbers, the recommended
            default), openSMILE's eGeMAPSv02 functionals (88; openSMILE is free for research and
            other non-commercial use only), or both side by side; a custom audio step; or None
            where X holds features already.""",
    "frame_features": """
        features : {"logmel", "egemaps"}, transformer or None, default="logmel"
            Features of the frames: a log-mel spectrogram (80 bands), or openSMILE's eGeMAPSv02
            descriptors (25 numbers per frame; openSMILE is free for research and other
            non-commercial use only); a custom step that returns frame sequences; or None where X
            holds frame sequences already.""",
    "scale_by": """
        scale_by : None, str or list of str, default="corpus"
            Parameter `by` of :class:`~sklearn_ser.preprocessing.GroupScaler`.""",
    "n_jobs": """
        n_jobs : int or None, default=None
            Number of joblib workers for feature extraction.""",
    "on_error": """
        on_error : {"raise", "warn", "ignore"}, default="raise"
            Handling of unusable audio by the audio step. With "warn" and "ignore" such an
            utterance is left out of training and its prediction is missing.""",
    "store": """
        store : str, Path or None, default=None
            Folder of the feature store of the audio step, which extracts each utterance only
            once; see :class:`~sklearn_ser.store.FeatureStore`.""",
    "random_state": """
        random_state : int, RandomState instance or None, default=None
            Seed or generator of everything random in training.""",
    "verbose": """
        verbose : int, default=0
            Verbosity of feature extraction and training: 1 shows progress, 2 also each epoch.""",
    "net_params": """
        **net_params
            Parameters of :class:`~sklearn_ser.neural_network.MTLNeuralClassifier`, also nested ones
            (``perturbation__noise``).""",
}
PARAMETERS["extraction"] = "".join(PARAMETERS[name] for name in ("n_jobs", "on_error", "store"))


def frame_step(features: FrameFeatures, **settings: Any) -> BaseEstimator | None:
    """Return the audio step with frame sequences, or None where X holds them already."""
    return _step_of(features, FRAME_FEATURES, settings)


def utterance_step(features: Features, **settings: Any) -> BaseEstimator | None:
    """Return the audio step with one row per utterance, or None where X holds features already."""
    return _step_of(features, FEATURES, settings)


def _step_of(features, names, settings):
    from sklearn_ser.feature_extraction import (
        LogMelSpectrogram,
        OpenSmileExtractor,
        SpeakerEmbedding,
    )

    if features is None or isinstance(features, BaseEstimator):
        return features
    if features not in names:
        raise ValueError(
            f"features must be one of {list(names)}, a transformer or None, got {features!r}"
        )
    if features == "logmel":
        return LogMelSpectrogram(**settings)
    if features == "ge2e":
        return SpeakerEmbedding(**settings)
    level = "lld" if names is FRAME_FEATURES else "functionals"
    egemaps = OpenSmileExtractor("eGeMAPSv02", level, **settings)
    if features == "egemaps":
        return egemaps
    # pandas output retains the ids, which a plain FeatureUnion would convert to bare numbers.
    steps = [("egemaps", egemaps), ("ge2e", SpeakerEmbedding(**settings))]
    return FeatureUnion(steps, verbose_feature_names_out=False).set_output(transform="pandas")


def make_net(defaults: dict[str, Any], net_params: dict[str, Any]) -> MTLNeuralClassifier:
    """Return a network with the parameters of a recipe, overridden by those of the user."""
    from sklearn_ser.neural_network import MTLNeuralClassifier  # imports torch

    return MTLNeuralClassifier().set_params(**defaults).set_params(**net_params)


def pipeline_of(step: BaseEstimator | None, *steps: tuple[str, Any]) -> Pipeline:
    """Return a Pipeline of an audio step, if any, and of named steps."""
    return Pipeline([*([] if step is None else [("features", step)]), *steps])
