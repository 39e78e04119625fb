"""Audio steps of estimators: finding them, separating them from the rest, running them once.

An audio step works on each utterance alone and learns nothing, so running it once before the
folds gives the same numbers as running it inside each fold, at a fraction of the cost. Only the
audio steps of this package are separated: any other stateless transformer may depend on the batch.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.augmentation import AugmentingClassifier
from sklearn_ser.feature_extraction._base import AudioExtractor, leading_audio_steps
from sklearn_ser.utils._nested_estimators import nested_estimators


def split_extraction(estimator) -> tuple[list[tuple[str, BaseEstimator]], BaseEstimator]:
    """Separate the audio steps at the head of a Pipeline, or of a search over one, from the rest.

    Both are clones; the rest is a Pipeline of the other steps, or the whole estimator, as for a
    search that varies the audio steps.
    """
    if hasattr(estimator, "estimator") and hasattr(estimator, "cv"):
        extraction, rest = split_extraction(estimator.estimator)
        searched = {key.split("__")[0] for grid in search_grids(estimator) for key in grid}
        if extraction and searched.isdisjoint({*dict(extraction), "steps"}):
            return extraction, clone(estimator).set_params(estimator=rest)
        return [], clone(estimator)
    if not isinstance(estimator, Pipeline):
        return [], clone(estimator)
    extraction = [(name, clone(step)) for name, step in leading_audio_steps(estimator)]
    rest = clone(estimator)
    rest.steps = rest.steps[len(extraction) :]
    return extraction, rest


def search_grids(search) -> list[dict]:
    """Return the candidates of a search: dicts of parameter to values or distribution."""
    grids = getattr(search, "param_grid", getattr(search, "param_distributions", {}))
    return [grids] if hasattr(grids, "keys") else list(grids)


def predicting_estimator(model):
    """Return the fitted estimator that predicts inside AugmentingClassifiers and searches."""
    while True:
        if isinstance(model, AugmentingClassifier):
            check_is_fitted(model)
            model = model.estimator_
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            return model


def audio_steps(estimator) -> list[AudioExtractor]:
    """Return the audio steps of an estimator, also those in nested Pipelines and FeatureUnions."""
    if isinstance(estimator, AudioExtractor):
        return [estimator]
    if not isinstance(estimator, Pipeline | FeatureUnion):
        return []
    parts = estimator.steps if isinstance(estimator, Pipeline) else estimator.transformer_list
    return [step for _, part in parts for step in audio_steps(part)]


def all_audio_steps(estimator) -> list[AudioExtractor]:
    """Return the audio steps that an estimator holds at any depth, fitted ones and templates."""
    return [part for part in nested_estimators(estimator) if isinstance(part, AudioExtractor)]


def with_store(estimator, store: Path):
    """Clone an estimator and set the store of its audio steps, at any depth, that have none."""
    names = [
        name
        for name, value in estimator.get_params().items()
        if isinstance(value, AudioExtractor) and value.store is None
    ]
    return clone(estimator).set_params(**{f"{name}__store": store for name in names})


def extract(
    extraction: list[tuple[str, BaseEstimator]],
    X: pd.DataFrame,
    *,
    store: str | Path | None = None,
    verbose: int = 0,
) -> tuple[pd.DataFrame, list[dict]]:
    """Run audio steps (at least one) over audio and id columns, and return features and failures.

    `store` is the feature store of steps that have none, `verbose` the least verbosity of all.
    Failures are row, file and reason of each utterance that could not be used (none with
    ``on_error="raise"``, where the steps raise instead).
    """
    pipeline = Pipeline(extraction).set_output(transform="pandas")
    steps = audio_steps(pipeline)
    original = [(step.store, step.verbose) for step in steps]
    try:
        for step in steps:
            step.store = store if step.store is None else step.store
            step.verbose = max(step.verbose, int(verbose))
        features = pipeline.fit_transform(X)
    finally:
        for step, parameters in zip(steps, original, strict=True):
            step.store, step.verbose = parameters
    failures = {record["row"]: record for step in steps for record in step.failures_}
    return features, [failures[row] for row in sorted(failures)]


def with_ids(features: pd.DataFrame, ids: pd.DataFrame) -> pd.DataFrame:
    """Return `features` with the id columns as index levels in place of its index."""
    return features.set_axis(pd.MultiIndex.from_frame(ids), axis=0)
