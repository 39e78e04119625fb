"""Checks of an audio step as a scikit-learn estimator: parameters, copies, model files."""

import inspect
import pickle

from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_checks as of_sklearn
from sklearn.utils import estimator_html_repr, get_tags
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.testing._outputs import (
    assert_same,
    assert_same_index,
    fitted,
    has_parameter,
    pairs,
    plain,
    reference,
)
from sklearn_ser.testing._speech import speech

# scikit-learn's own checks that need no data; its others would feed the step tables of numbers.
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
    """scikit-learn's own checks of parameters, tags and repr hold."""
    for check in _OF_SKLEARN:
        try:
            check(type(step).__name__, step)
        except Exception as error:
            raise AssertionError(f"{check.__name__} of scikit-learn fails: {error}") from error


def check_parameters_are_stored(step):
    """The constructor only stores its parameters, `clone` keeps them, `set_params` changes them."""
    parameters = step.get_params(deep=False)
    names = list(inspect.signature(type(step).__init__).parameters)[1:]
    if sorted(names) != sorted(parameters):
        raise AssertionError(f"the constructor takes {names}, get_params gives {list(parameters)}")
    copy = clone(step)
    if set(vars(copy)) - {"_sklearn_output_config", "_metadata_request"} != set(parameters):
        raise AssertionError(
            f"a new instance holds {sorted(vars(copy))}: expected its parameters and nothing else"
        )
    if has_parameter(step, "n_jobs"):
        changed = clone(step).set_params(n_jobs=3)
        if changed.n_jobs != 3 or clone(changed).get_params()["n_jobs"] != 3:
            raise AssertionError("set_params(n_jobs=3) is lost")


def check_fit_learns_nothing_it_should_not(step):
    """`fit` returns the step, changes no parameter, and y has no influence.

    A step whose tags say ``requires_fit=False`` also transforms without `fit`, equally.
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
            raise AssertionError("check_is_fitted does not see that it is stateless") from error
        assert_same(plain(step).transform(X), expected, "without fit the output differs")


def check_fit_learns_nothing_from_the_audio(step):
    """Fitted on other audio, on one utterance or on many, the step gives the same."""
    one, other = speech().X["file"].iloc[[1]], pairs([-signal[::-1] for signal in speech().signals])
    for what, training in {"one utterance": list(one), "more utterances": 2 * other}.items():
        found = plain(step).fit(training, [0] * len(training)).transform(speech().X)
        assert_same(found, reference(step), f"fitted on {what}, the output differs")


def check_pickle(step):
    """A pickled step gives the same, whether it was used before or not."""
    X, expected = speech().X, reference(step)
    used = fitted(step)
    pickles = {"before it was used": pickle.dumps(used)}
    used.transform(X)
    pickles["after it was used"] = pickle.dumps(used)
    for when, content in pickles.items():
        found = pickle.loads(content).transform(X)
        assert_same(found, expected, f"pickled {when}, the output differs")
        _assert_equal_ids(found, expected)


def check_skops(step):
    """A used step goes through skops, which needs to trust nothing but estimators."""
    import skops.io

    used = fitted(step)
    used.transform(speech().X)
    content = skops.io.dumps(used)
    unknown = skops.io.get_untrusted_types(data=content)
    copy = skops.io.loads(content, trusted=unknown)
    allowed = {_full_name(part) for part in _estimators_within(used)}
    if not set(unknown) <= allowed:
        raise AssertionError(
            f"skops would have to trust {sorted(set(unknown) - allowed)}: keep numpy arrays, "
            f"strings, numbers, bytes, lists and dicts in the attributes"
        )
    found = copy.transform(speech().X)
    assert_same(found, reference(step), "after skops the output differs")
    _assert_equal_ids(found, reference(step))


def check_html_repr(step):
    """The step shows in a notebook."""
    if type(step).__name__ not in estimator_html_repr(step):
        raise AssertionError("the HTML representation does not name the class")


def _assert_equal_ids(found, expected):
    if hasattr(expected, "columns"):
        assert_same_index(found, expected, "the copy gives another index")


def _estimators_within(step):
    return [step, *(value for value in step.get_params().values() if hasattr(value, "get_params"))]


def _full_name(value):
    return f"{type(value).__module__}.{type(value).__qualname__}"
