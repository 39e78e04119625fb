"""Checks of an audio step as an estimator of scikit-learn: parameters, copies, composition."""

from __future__ import annotations

import inspect
import os
import pickle
import random
import warnings
from typing import Any

import numpy as np
import pandas as pd
import sklearn
from sklearn import config_context
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.utils import estimator_checks as of_sklearn
from sklearn.utils import estimator_html_repr, get_tags
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.testing._comparison import (
    assert_same,
    assert_same_index,
    fitted,
    has_parameter,
    is_frame_table,
    pairs,
    plain,
    reference,
    speech,
    values_by_row,
)

# Checks of scikit-learn that need no data; the others use numeric tables.
_OF_SKLEARN = (
    of_sklearn.check_estimator_cloneable,
    of_sklearn.check_valid_tag_types,
    of_sklearn.check_estimator_repr,
    of_sklearn.check_no_attributes_set_in_init,
    of_sklearn.check_parameters_default_constructible,
    of_sklearn.check_get_params_invariance,
    of_sklearn.check_set_params,
    of_sklearn.check_do_not_raise_errors_in_init_or_set_params,
    of_sklearn.check_mixin_order,
)


def check_scikit_learn_api(step):
    """Check that the checks of scikit-learn of parameters, tags and repr pass."""
    for check in _OF_SKLEARN:
        try:
            check(type(step).__name__, step)
        except Exception as error:
            raise AssertionError(f"{check.__name__} of scikit-learn fails: {error}") from error


def check_parameters_are_stored(step):
    """Check that the constructor only stores parameters, which `clone` and `set_params` handle."""
    parameters = step.get_params(deep=False)
    names = list(inspect.signature(type(step).__init__).parameters)[1:]
    if sorted(names) != sorted(parameters):
        raise AssertionError(f"the constructor takes {names}, get_params gives {list(parameters)}")
    copy = clone(step)
    of_sklearn = {"_sklearn_output_config", "_output_config", "_metadata_request"}
    if set(vars(copy)) - of_sklearn != set(parameters):
        raise AssertionError(
            f"a new instance has the attributes {sorted(vars(copy))}: expected its parameters only"
        )
    if has_parameter(step, "n_jobs"):
        changed = clone(step).set_params(n_jobs=3)
        if changed.n_jobs != 3 or clone(changed).get_params()["n_jobs"] != 3:
            raise AssertionError("set_params(n_jobs=3) has no effect")


def check_global_state_is_untouched(step):
    """Check that no global random generator is used or seeded, and no global setting changes.

    The check runs before the others, because loading of libraries happens once per process.
    """
    generators = _generators()
    settings: dict[str, Any] = {}
    for references in (pairs(speech().signals[:1]), pairs(speech().signals[1:])):
        fitted(step).transform(references)
        if not settings:
            settings = _settings()  # loading of a library may change settings
    now = {**_generators(), **_settings()}
    changed = [name for name, value in {**generators, **settings}.items() if now[name] != value]
    if changed:
        raise AssertionError(f"the step changes global state: {', '.join(changed)}")


def _generators():
    import torch

    return {
        "Python's random": random.getstate(),
        "numpy.random": repr(np.random.get_state()),  # noqa: NPY002 (only read)
        "torch's generator": torch.get_rng_state().tolist(),
    }


def _settings():
    import torch

    return {
        "torch's number of threads": torch.get_num_threads(),
        "torch's gradient mode": torch.is_grad_enabled(),
        "the warning filters": list(warnings.filters),
        "numpy's error handling": np.geterr(),
        "scikit-learn's configuration": sklearn.get_config(),
        "the working directory": os.getcwd(),
        "the environment": dict(os.environ),
    }


def check_global_seeds_are_irrelevant(step):
    """Check that other states of the global random generators give the same output."""
    import torch

    np_state, torch_state, own_state = (  # restored below
        np.random.get_state(),  # noqa: NPY002
        torch.get_rng_state(),
        random.getstate(),
    )
    try:
        random.seed(54321)
        np.random.seed(54321)  # noqa: NPY002
        torch.manual_seed(54321)
        actual = fitted(step).transform(speech().X)
    finally:
        random.setstate(own_state)
        np.random.set_state(np_state)  # noqa: NPY002
        torch.set_rng_state(torch_state)
    assert_same(actual, reference(step), "another global seed changes the values")


def check_fit_ignores_y(step):
    """Check that `fit` returns the step, changes no parameter, and ignores y.

    A step with the tag ``requires_fit=False`` gives the same output without `fit`.
    """
    X, y = speech().X, speech().y
    new = plain(step)
    before = new.get_params()
    if new.fit(X, y) is not new:
        raise AssertionError("fit does not return the step itself")
    if any(new.get_params()[name] is not value for name, value in before.items()):
        raise AssertionError("fit changed a parameter")
    expected = reference(step)
    assert_same(plain(step).fit(X).transform(X), expected, "y has an influence")
    assert_same(plain(step).fit(X, y[::-1]).transform(X), expected, "y has an influence")
    assert_same(plain(step).fit_transform(X, y), expected, "fit_transform differs from transform")
    if not get_tags(step).requires_fit:
        try:
            check_is_fitted(plain(step))
        except NotFittedError as error:
            raise AssertionError(
                "check_is_fitted does not recognize the step as stateless"
            ) from error
        assert_same(plain(step).transform(X), expected, "without fit the output differs")


def check_fit_ignores_the_audio(step):
    """Check that a step that is fitted on other audio gives the same output."""
    one, other = speech().X["file"].iloc[[1]], pairs([-signal[::-1] for signal in speech().signals])
    for what, training in {"one utterance": list(one), "more utterances": 2 * other}.items():
        actual = plain(step).fit(training, [0] * len(training)).transform(speech().X)
        assert_same(actual, reference(step), f"fitted on {what}, the output differs")


def check_pickle(step):
    """Check that a pickled step gives the same output, before and after its first use."""
    X, expected = speech().X, reference(step)
    used = fitted(step)
    pickles = {"before it was used": pickle.dumps(used)}
    used.transform(X)
    pickles["after it was used"] = pickle.dumps(used)
    for when, content in pickles.items():
        actual = pickle.loads(content).transform(X)
        assert_same(actual, expected, f"pickled {when}, the output differs")
        _assert_equal_ids(actual, expected)


def check_plain_state(step):
    """Check that the attributes of a used step are plain values, arrays and estimators."""
    used = fitted(step)
    used.transform(speech().X)
    params = used.get_params(deep=False)
    state = {name: value for name, value in vars(used).items() if name not in params}
    types = {type(value) for value in _values_within(state)}
    foreign = sorted(f"{each.__module__}.{each.__qualname__}" for each in types)
    if foreign:
        raise AssertionError(
            f"the attributes hold {foreign}, which cannot be saved without code: use numpy arrays, "
            f"strings, numbers, bytes, lists and dicts as attributes"
        )


def check_html_repr(step):
    """Check that the HTML representation names the class."""
    if type(step).__name__ not in estimator_html_repr(step):
        raise AssertionError("the HTML representation does not name the class")


def _assert_equal_ids(actual, expected):
    if hasattr(expected, "columns"):
        assert_same_index(actual, expected, "the copy gives another index")


def _values_within(value):
    """Yield the values in nested lists and dicts that are not plain."""
    if isinstance(value, list | tuple | set | dict):
        for part in [*value, *(value.values() if isinstance(value, dict) else ())]:
            yield from _values_within(part)
    elif not (
        value is None
        or isinstance(value, str | bytes | bool | int | float | np.generic | np.ndarray)
        or hasattr(value, "get_params")
    ):
        yield value


def mean_of_frames(table):
    """Return the mean over time of every row of a table of frames."""
    means = [frames.mean(axis=0) for frames in values_by_row(table)]
    return pd.DataFrame(means, index=table.index)


def _to_rows(step):
    """Return steps that convert the output to rows of numbers."""
    return [FunctionTransformer(mean_of_frames)] if is_frame_table(reference(step)) else []


def check_in_a_pipeline(step):
    """Check that a Pipeline with scaler and classifier works with and without metadata routing."""
    X, y = speech().X, speech().y
    model = make_pipeline(plain(step), *_to_rows(step), StandardScaler(), LogisticRegression())
    predicted = model.fit(X, y).predict(X)
    with config_context(enable_metadata_routing=True):
        model[-1].set_fit_request(sample_weight=True)
        model[-2].set_fit_request(sample_weight=False)
        again = model.fit(X, y, sample_weight=np.ones(len(X))).predict(X)
    if not np.array_equal(predicted, again):
        raise AssertionError("with metadata routing the predictions of the pipeline differ")
    scaling = make_pipeline(plain(step), *_to_rows(step), StandardScaler())
    scaled = scaling.set_output(transform="pandas").fit_transform(X)
    expected = plain(step).set_output(transform="pandas").fit(X).transform(X)
    assert_same_index(scaled, expected, "after StandardScaler")


def check_in_a_feature_union(step):
    """Check that a FeatureUnion of the step with itself has equal halves and the ids."""
    X, expected = speech().X, reference(step)
    parts = [(name, make_pipeline(plain(step), *_to_rows(step))) for name in ("one", "two")]
    joined = FeatureUnion(parts).fit(X).transform(X)
    values = np.asarray(joined)
    width = values.shape[1] // 2
    assert_same(values[:, :width], values[:, width:], "two equal halves of a FeatureUnion differ")
    alone = mean_of_frames(expected) if is_frame_table(expected) else expected
    assert_same(values[:, :width], alone, "in a FeatureUnion the values differ")
    table = FeatureUnion(parts).set_output(transform="pandas").fit(X).transform(X)
    assert_same_index(
        table, plain(step).set_output(transform="pandas").fit(X).transform(X), "union"
    )


def check_in_a_grid_search(step):
    """Check that GridSearchCV splits X, clones the step and scores without an error."""
    X, y = speech().X, speech().y
    model = make_pipeline(plain(step), *_to_rows(step), StandardScaler(), LogisticRegression())
    search = GridSearchCV(
        model, {"logisticregression__C": [1.0]}, cv=GroupKFold(2), error_score="raise"
    )
    search.fit(X, y, groups=X["speaker"])
    if not np.isfinite(search.best_score_):
        raise AssertionError(f"the score is {search.best_score_}")
