"""Runner and pytest parametrization of the checks of audio steps.

The checks of scikit-learn use numeric tables, which audio steps do not accept. These checks use
short synthetic speech. They apply to every step that accepts the input of :mod:`sklearn_ser.audio`
and returns a row of numbers or a sequence of frames for each utterance, whether it derives from a
class of this package or not. The selection of checks depends on the parameters of the step
(`on_error`, `n_jobs`, `store`, ...).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal
from unittest import SkipTest

from sklearn import config_context
from sklearn.base import BaseEstimator
from sklearn.exceptions import EstimatorCheckFailedWarning, SkipTestWarning
from sklearn.utils._param_validation import StrOptions, validate_params

from sklearn_ser.exceptions import MissingDependencyError
from sklearn_ser.testing import _estimator_checks, _input_checks, _output_checks
from sklearn_ser.testing._comparison import forget_references, has_parameter
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    import pytest

#: Checks of a parameter that not every step has.
_NEEDED_PARAMETERS = {
    "check_named_audio_column": "audio",
    "check_remove_dc": "remove_dc",
    "check_n_jobs_is_irrelevant": "n_jobs",
    "check_processes_give_the_same": "n_jobs",
    "check_store_gives_the_same": "store",
    "check_failed_rows_are_nan_and_recorded": "on_error",
    "check_failures_leave_the_other_rows_alone": "on_error",
    "check_failed_rows_are_left_out_of_training": "on_error",
}


def _checks_of(step, processes):
    """Yield the checks that apply to a step, in the order of the modules and their functions."""
    for module in (_estimator_checks, _input_checks, _output_checks):
        for name, check in vars(module).items():
            if not name.startswith("check_") or check.__module__.startswith("sklearn."):
                continue
            needed = _NEEDED_PARAMETERS.get(name)
            if needed is not None and not has_parameter(step, needed):
                continue
            if processes or name != "check_processes_give_the_same":
                yield check


@public_module("sklearn_ser.testing")
def audio_step_checks_generator(
    estimator: BaseEstimator,
    *,
    processes: bool = True,
    expected_failed_checks: dict[str, str] | None = None,
    mark: Literal["xfail", "skip"] | None = None,
    xfail_strict: bool | None = None,
) -> Iterator[Any]:
    """Yield the checks of an audio step.

    Parameters
    ----------
    estimator : estimator instance
        Audio step.
    processes : bool, default=True
        Whether to include the check that starts worker processes.
    expected_failed_checks : dict of str to str, default=None
        Names of checks that are expected to fail, with the reason.
    mark : {"xfail", "skip"} or None, default=None
        Mark of the checks that are expected to fail: "xfail" for ``pytest.mark.xfail``, "skip" to
        raise `unittest.SkipTest` instead of running the check.
    xfail_strict : bool, default=None
        Parameter `strict` of ``pytest.mark.xfail``.

    Yields
    ------
    estimator : estimator instance
    check : callable
        Function of the estimator that raises an error if the check fails.

    See Also
    --------
    check_audio_step : Run all checks.

    Examples
    --------
    >>> from sklearn_ser.feature_extraction import SpeakerEmbedding
    >>> from sklearn_ser.testing import audio_step_checks_generator
    >>> checks = [check for _, check in audio_step_checks_generator(SpeakerEmbedding())]
    >>> print(checks[0].__name__, "...", checks[-1].__name__)
    check_scikit_learn_api ... check_nothing_is_printed
    """
    _check_instances([estimator])
    for check in map(_skip_without_dependencies, _checks_of(estimator, processes)):
        reason = (expected_failed_checks or {}).get(check.__name__)
        if reason is None or mark is None:
            yield estimator, check
        elif mark == "skip":
            yield estimator, _skipping(check, reason)
        else:
            import pytest

            strict: dict[str, Any] = {} if xfail_strict is None else {"strict": xfail_strict}
            yield pytest.param(estimator, check, marks=pytest.mark.xfail(reason=reason, **strict))


@public_module("sklearn_ser.testing")
@validate_params(
    {
        "processes": ["boolean"],
        "expected_failed_checks": [dict, None],
        "on_skip": [StrOptions({"warn"}), None],
        "on_fail": [StrOptions({"raise", "warn"}), None],
        "callback": [callable, None],
    },
    prefer_skip_nested_validation=False,
)
def check_audio_step(
    estimator: BaseEstimator,
    *,
    processes: bool = True,
    expected_failed_checks: dict[str, str] | None = None,
    on_skip: Literal["warn"] | None = "warn",
    on_fail: Literal["raise", "warn"] | None = "raise",
    callback: Callable[..., Any] | None = None,
) -> list[dict[str, Any]]:
    """Check whether a step adheres to the conventions of audio steps.

    A step must accept the input of :mod:`sklearn_ser.audio`, and return for every utterance a row
    of float32 numbers or a sequence of frames that depends on the utterance and the parameters
    only.
    Parameters and results are those of :func:`sklearn.utils.estimator_checks.check_estimator`.

    Parameters
    ----------
    estimator : estimator instance
        Audio step. It is cloned; the parameters common to audio steps are set to their defaults
        for the checks.
    processes : bool, default=True
        Whether to check worker processes too, which take seconds to start.
    expected_failed_checks : dict of str to str, default=None
        Names of checks that are expected to fail, with the reason.
    on_skip : "warn" or None, default="warn"
        Handling of checks that cannot be run: "warn" gives a `SkipTestWarning`.
    on_fail : {"raise", "warn"} or None, default="raise"
        Handling of failed checks: "raise" raises the error of the first one, "warn" gives an
        `EstimatorCheckFailedWarning` for each, None only lists them in the result.
    callback : callable, default=None
        Function that is called after each check with the items of its result as keyword
        arguments. It cannot be combined with ``on_fail="raise"``.

    Returns
    -------
    list of dict
        Result of each check: ``estimator``, ``check_name``, ``exception`` (or None), ``status``
        ("passed", "failed", "xfail" or "skipped"), ``expected_to_fail`` and
        ``expected_to_fail_reason``.

    Raises
    ------
    AssertionError
        With ``on_fail="raise"``, if a check fails.

    See Also
    --------
    parametrize_with_audio_checks : Pytest parametrization with one test per check.

    Examples
    --------
    >>> from sklearn_ser.feature_extraction import MFCC
    >>> from sklearn_ser.testing import check_audio_step
    >>> results = check_audio_step(MFCC(), processes=False)
    >>> len(results), {result["status"] for result in results}
    (43, {'passed'})
    """
    _check_instances([estimator])
    if on_fail == "raise" and callback is not None:
        raise ValueError("callback cannot be provided together with on_fail='raise'")
    forget_references()
    results = []
    for _, check in audio_step_checks_generator(estimator, processes=processes):
        name = check.__name__
        reason = (expected_failed_checks or {}).get(name)
        result: dict[str, Any] = {
            "estimator": estimator,
            "check_name": name,
            "exception": None,
            "status": "passed",
            "expected_to_fail": reason is not None,
            "expected_to_fail_reason": reason or "Check is not expected to fail",
        }
        try:
            check(estimator)
        except SkipTest as error:
            result |= {"exception": error, "status": "skipped"}
            if on_skip == "warn":
                warnings.warn(f"Skipping {name}: {error}", SkipTestWarning, stacklevel=3)
        except Exception as error:
            if on_fail == "raise" and reason is None:
                raise
            result |= {"exception": error, "status": "failed" if reason is None else "xfail"}
            if on_fail == "warn":
                warnings.warn(EstimatorCheckFailedWarning(**result), stacklevel=3)
        results.append(result)
        if callback is not None:
            callback(**result)
    return results


@public_module("sklearn_ser.testing")
def parametrize_with_audio_checks(
    estimators: Sequence[BaseEstimator],
    *,
    processes: bool = True,
    expected_failed_checks: Callable[[Any], dict[str, str]] | None = None,
    xfail_strict: bool | None = None,
) -> pytest.MarkDecorator:
    """Parametrize a pytest test with the checks of audio steps.

    Parameters
    ----------
    estimators : list of estimator instances
        Audio steps.
    processes : bool, default=True
        Whether to check worker processes too, which take seconds to start.
    expected_failed_checks : callable, default=None
        Function of an estimator that returns a dict of check name to reason. These checks are
        marked as xfail.
    xfail_strict : bool, default=None
        Parameter `strict` of ``pytest.mark.xfail``.

    Returns
    -------
    decorator : `pytest.mark.parametrize`
        Decorator of a test with the arguments `estimator` and `check`.

    See Also
    --------
    check_audio_step : Run all checks without pytest.

    Examples
    --------
    >>> from sklearn_ser.feature_extraction import SpeakerEmbedding
    >>> from sklearn_ser.testing import parametrize_with_audio_checks
    >>> @parametrize_with_audio_checks([SpeakerEmbedding(), SpeakerEmbedding("unit")])
    ... def test_audio_steps(estimator, check):
    ...     check(estimator)
    """
    import pytest

    _check_instances(estimators)
    cases = [
        case
        for estimator in estimators
        for case in audio_step_checks_generator(
            estimator,
            processes=processes,
            expected_failed_checks=expected_failed_checks and expected_failed_checks(estimator),
            mark="xfail",
            xfail_strict=xfail_strict,
        )
    ]
    return pytest.mark.parametrize(("estimator", "check"), cases, ids=_id)


def _id(value):
    if hasattr(value, "get_params"):
        with config_context(print_changed_only=True):
            return re.sub(r"\s", "", str(value))
    return value.__name__


def _skip_without_dependencies(check):
    @wraps(check)
    def checked(estimator):
        try:
            check(estimator)
        except MissingDependencyError as error:
            raise SkipTest(str(error)) from error

    return checked


def _skipping(check, reason):
    @wraps(check)
    def skip(estimator):
        raise SkipTest(f"{check.__name__} is expected to fail: {reason}")

    return skip


def _check_instances(estimators):
    for estimator in estimators:
        if isinstance(estimator, type):
            raise TypeError(
                f"expected an instance, got the class {estimator.__name__}: instantiate it"
            )
