"""The audio steps that recipes name (behind `sklearn_ser.recipes`)."""

from sklearn.base import BaseEstimator
from sklearn.pipeline import FeatureUnion

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
