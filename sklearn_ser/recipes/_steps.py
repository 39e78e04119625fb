"""The audio steps that recipes name (behind `sklearn_ser.recipes`)."""

from sklearn.base import BaseEstimator
from sklearn.pipeline import FeatureUnion, Pipeline

from sklearn_ser.preprocessing import GroupScaler

FEATURES = ("ge2e", "egemaps", "both")
FRAME_FEATURES = ("logmel", "egemaps")


def frame_step(features, n_jobs, on_error, store):
    from sklearn_ser.feature_extraction import LogMelSpectrogram, OpenSmileExtractor

    if features is None or isinstance(features, BaseEstimator):
        return features
    settings = {"n_jobs": n_jobs, "on_error": on_error, "store": store}
    if features == "logmel":
        return LogMelSpectrogram(**settings)
    if features == "egemaps":
        return OpenSmileExtractor("eGeMAPSv02", "lld", **settings)
    raise ValueError(
        f"features must be one of {list(FRAME_FEATURES)}, a transformer or None, got {features!r}"
    )


def audio_step(features, n_jobs, on_error, store):
    from sklearn_ser.feature_extraction import OpenSmileExtractor, SpeakerEmbedding

    if features is None or isinstance(features, BaseEstimator):
        return features
    if features not in FEATURES:
        raise ValueError(
            f"features must be one of {list(FEATURES)}, a transformer or None, got {features!r}"
        )
    settings = {"n_jobs": n_jobs, "on_error": on_error, "store": store}
    ge2e = SpeakerEmbedding(**settings)
    if features == "ge2e":
        return ge2e
    egemaps = OpenSmileExtractor("eGeMAPSv02", **settings)
    if features == "egemaps":
        return egemaps
    # pandas output keeps the ids, which a plain FeatureUnion would turn into bare numbers.
    union = FeatureUnion([("egemaps", egemaps), ("ge2e", ge2e)], verbose_feature_names_out=False)
    return union.set_output(transform="pandas")


def make_net(chosen, net_params):
    """Return a network with the parameters of a recipe, and then those of the user.

    Both may have nested names, such as ``perturbation__noise``.
    """
    from sklearn_ser.neural_network import MTLNeuralClassifier  # which needs torch

    return MTLNeuralClassifier().set_params(**chosen).set_params(**net_params)


def net_pipeline(features, scale_by, n_jobs, on_error, store, net):
    """An audio step, unless X holds features; a scaler of groups; and a network."""
    step = audio_step(features, n_jobs, on_error, store)
    steps = [] if step is None else [("features", step)]
    return Pipeline(
        [
            *steps,
            ("scaler", GroupScaler(by=scale_by)),
            ("net", net),
        ]
    )
