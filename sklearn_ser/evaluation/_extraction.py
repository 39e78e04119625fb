"""Audio steps at the head of a Pipeline, run once for all folds.

An audio step works on each utterance alone and learns nothing, so running it once before the
folds gives the same numbers as running it inside each, at a fraction of the cost. Only our own
audio steps are lifted out: any other stateless transformer may look at the whole batch.
"""

import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.augmentation import AugmentingClassifier
from sklearn_ser.feature_extraction._base import AudioExtractor
from sklearn_ser.feature_extraction._leading import leading_audio_steps
from sklearn_ser.utils._nested_estimators import nested_estimators


def split_extraction(estimator):
    """Take the audio steps at the head of a Pipeline, or of a search over one, from the rest.

    Parameters
    ----------
    estimator : estimator

    Returns
    -------
    extraction : list of (str, transformer)
        Clones of the leading audio steps; empty where there are none.
    rest : estimator
        A clone of what is left: a Pipeline of the other steps, or `estimator` itself.
    """
    if _is_search(estimator):
        return _split_search(estimator)
    if not isinstance(estimator, Pipeline):
        return [], clone(estimator)
    extraction = [(name, clone(step)) for name, step in leading_audio_steps(estimator)]
    rest = clone(estimator)
    rest.steps = rest.steps[len(extraction) :]
    return extraction, rest


def _is_search(estimator):
    return hasattr(estimator, "estimator") and hasattr(estimator, "cv")


def _split_search(search):
    """Take them out of the Pipeline that a search is over, unless it searches over them."""
    extraction, rest = split_extraction(search.estimator)
    names = {name for name, _ in extraction}
    searched = {key.split("__")[0] for grid in grids_of(search) for key in grid}
    if not extraction or searched & {*names, "steps"}:
        return [], clone(search)
    return extraction, clone(search).set_params(estimator=rest)


def grids_of(search):
    """What a search tries: dicts of parameter to values or distribution."""
    grids = getattr(search, "param_grid", getattr(search, "param_distributions", {}))
    return [grids] if hasattr(grids, "keys") else list(grids)


def that_predicts(model):
    """The fitted estimator that predicts, within an AugmentingClassifier or a search if need be."""
    while True:
        if isinstance(model, AugmentingClassifier):
            check_is_fitted(model)
            model = model.estimator_
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            return model


def audio_steps(estimator):
    """Every audio step inside an estimator: in Pipelines and FeatureUnions, and as it stands."""
    if isinstance(estimator, AudioExtractor):
        return [estimator]
    if isinstance(estimator, Pipeline):
        parts = estimator.steps
    elif isinstance(estimator, FeatureUnion):
        parts = estimator.transformer_list
    else:
        return []
    return [found for _, part in parts for found in audio_steps(part)]


def all_audio_steps(estimator):
    """Every audio step that an estimator holds, at any depth: fitted ones and templates."""
    return [part for part in nested_estimators(estimator) if isinstance(part, AudioExtractor)]


def with_store(estimator, store):
    """A clone whose audio steps, wherever they stand inside, keep features in a store.

    Parameters
    ----------
    estimator : estimator
    store : str or Path
        Of the steps that have none of their own.

    Returns
    -------
    estimator
    """
    names = [
        name
        for name, value in estimator.get_params().items()
        if isinstance(value, AudioExtractor) and value.store is None
    ]
    return clone(estimator).set_params(**{f"{name}__store": store for name in names})


def extract(extraction, X, *, store=None, verbose=0):
    """Run the audio steps over X.

    Parameters
    ----------
    extraction : list of (str, transformer)
        Not empty; as given by :func:`split_extraction`.
    X : pandas.DataFrame
        Audio and id columns.
    store : str or Path, optional
        Folder of the feature store of steps that have none of their own.
    verbose : int, default=0
        1 shows progress on a terminal, whatever the steps' own setting.

    Returns
    -------
    features : pandas.DataFrame of float32
        One row per row of X.
    failures : list of dict
        Row, file and reason of each utterance that could not be used (empty where the steps
        raise instead: on_error="raise").
    """
    pipeline = Pipeline(extraction).set_output(transform="pandas")
    steps = audio_steps(pipeline)
    own = [(step.store, step.verbose) for step in steps]
    try:
        for step in steps:
            step.store = store if step.store is None else step.store
            step.verbose = max(step.verbose, int(verbose))
        features = pipeline.fit_transform(X)
    finally:
        for step, its_own in zip(steps, own, strict=True):
            step.store, step.verbose = its_own
    failures = {record["row"]: record for step in steps for record in step.failures_}
    return features, [failures[row] for row in sorted(failures)]


def with_ids(features, ids):
    """`features` with the id columns as index levels, whatever index it came with."""
    index = pd.MultiIndex.from_frame(ids.reset_index(drop=True))
    if isinstance(features, pd.DataFrame):
        return features.set_axis(index, axis=0)
    return pd.DataFrame(features, index=index)
