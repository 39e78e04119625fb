"""Checks of audio steps, used like those of :mod:`sklearn.utils.estimator_checks`.

scikit-learn's own checks feed tables of numbers, so of a step that takes audio they check next to
nothing. These feed small synthetic speech, and hold for every step that takes what
:mod:`sklearn_ser.audio` takes and gives a row of numbers or a sequence of frames for each
utterance, whether it derives from this package's classes or not. Which checks there are depends
on the parameters that the step has (`on_error`, `n_jobs`, `store`, ...).
"""

import re
import warnings
from functools import wraps
from unittest import SkipTest

from sklearn import config_context
from sklearn.exceptions import EstimatorCheckFailedWarning, SkipTestWarning
from sklearn.utils._param_validation import StrOptions, validate_params

from sklearn_ser.exceptions import MissingDependencyError
from sklearn_ser.testing import _composition as _composition
from sklearn_ser.testing import _failures as _failures
from sklearn_ser.testing import _input as _input
from sklearn_ser.testing import _parameters as _parameters
from sklearn_ser.testing import _rows as _rows
from sklearn_ser.testing import _tables as _tables
from sklearn_ser.testing._outputs import forget_references, has_parameter
from sklearn_ser.utils._public import public_module

__all__ = [
    "audio_step_checks_generator",
    "check_audio_step",
    "parametrize_with_audio_checks",
]


def _checks_of(step, processes):
    """The checks that apply to a step, in order."""
    has = {
        name: has_parameter(step, name)
        for name in ("audio", "beyond_full_scale", "n_jobs", "on_error", "remove_dc", "store")
    }
    yield _parameters.check_scikit_learn_api
    yield _parameters.check_parameters_are_stored
    yield _rows.check_global_state_is_untouched
    yield _rows.check_global_seeds_are_irrelevant
    yield _parameters.check_fit_learns_nothing_it_should_not
    yield _parameters.check_fit_learns_nothing_from_the_audio
    yield _parameters.check_pickle
    yield _parameters.check_skops
    yield _parameters.check_html_repr
    yield _tables.check_output_is_rows_or_frames
    yield _tables.check_names_and_width_agree
    yield _tables.check_set_output
    yield _tables.check_ids_become_index_levels
    yield _input.check_empty_input
    yield _input.check_containers_give_the_same
    yield _input.check_arrays_give_the_same_as_files
    yield _input.check_equal_length_arrays
    yield _input.check_channels_are_averaged
    yield _input.check_rates_are_converted
    yield _input.check_start_and_end_are_read
    yield _input.check_audio_in_index_levels
    yield _input.check_input_is_not_modified
    yield _input.check_label_columns_change_nothing
    yield _input.check_beyond_full_scale
    if has["audio"]:
        yield _input.check_named_audio_column
    if has["remove_dc"]:
        yield _input.check_remove_dc
    yield _rows.check_repeated_transform_is_equal
    yield _rows.check_one_row_equals_that_row_among_others
    yield _rows.check_one_row_equals_that_row_among_many
    yield _rows.check_order_of_rows_is_irrelevant
    yield _rows.check_rewritten_files_are_read_anew
    yield _rows.check_nothing_is_printed
    if has["n_jobs"]:
        yield _rows.check_n_jobs_is_irrelevant
    if has["n_jobs"] and processes:
        yield _rows.check_processes_give_the_same
    if has["store"]:
        yield _rows.check_store_changes_nothing
    yield _failures.check_errors_name_the_row
    yield _failures.check_the_first_failure_is_raised
    yield _failures.check_peculiar_audio_gives_no_nan
    if has["on_error"]:
        yield _failures.check_failed_rows_are_nan_and_recorded
        yield _failures.check_failures_leave_the_other_rows_alone
        yield _failures.check_failed_rows_are_left_out_by_trainers
    yield _composition.check_in_a_pipeline
    yield _composition.check_in_a_feature_union
    yield _composition.check_in_a_grid_search


@public_module("sklearn_ser.testing")
def audio_step_checks_generator(
    estimator, *, processes=True, expected_failed_checks=None, mark=None, xfail_strict=None
):
    """Yield the checks of an audio step one by one.

    Parameters
    ----------
    estimator : estimator instance
        The audio step.
    processes : bool, default=True
        Whether the check that starts worker processes is among them.
    expected_failed_checks : dict of str to str, default=None
        Names of checks that are expected to fail, with the reason.
    mark : {"xfail", "skip"} or None, default=None
        How those are marked: "xfail" as ``pytest.mark.xfail``, "skip" by raising
        `unittest.SkipTest` in place of the check.
    xfail_strict : bool, default=None
        As in ``pytest.mark.xfail``.

    Yields
    ------
    estimator : estimator instance
    check : callable
        Called as ``check(estimator)``; it raises where the step breaks the contract.

    See Also
    --------
    check_audio_step : Run them all.

    Examples
    --------
    >>> from sklearn_ser.feature_extraction import SpeakerEmbedding
    >>> from sklearn_ser.testing.estimator_checks import audio_step_checks_generator
    >>> checks = [check for _, check in audio_step_checks_generator(SpeakerEmbedding())]
    >>> print(checks[0].__name__, "...", checks[-1].__name__)
    check_scikit_learn_api ... check_in_a_grid_search
    """
    _refuse_classes([estimator])
    for check in map(_skipped_without_its_packages, _checks_of(estimator, processes)):
        reason = (expected_failed_checks or {}).get(check.__name__)
        if reason is None or mark is None:
            yield estimator, check
        elif mark == "skip":
            yield estimator, _skipping(check, reason)
        else:
            import pytest

            strict = {} if xfail_strict is None else {"strict": xfail_strict}
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
    estimator,
    *,
    processes=True,
    expected_failed_checks=None,
    on_skip="warn",
    on_fail="raise",
    callback=None,
):
    """Check whether an audio step keeps the contract of this package.

    It must take what :mod:`sklearn_ser.audio` takes, and give for every utterance a row of float32
    numbers or a sequence of frames that depends on this utterance and the parameters alone.
    Parameters and results are those of :func:`sklearn.utils.estimator_checks.check_estimator`.

    Parameters
    ----------
    estimator : estimator instance
        The audio step. It is cloned; the parameters that audio steps have in common are set to
        their defaults for the checks.
    processes : bool, default=True
        Whether to check it in worker processes too, which take seconds to start.
    expected_failed_checks : dict of str to str, default=None
        Names of checks that are expected to fail, with the reason.
    on_skip : "warn" or None, default="warn"
        "warn" gives a `SkipTestWarning` for a check that cannot run here.
    on_fail : {"raise", "warn"} or None, default="raise"
        "raise" raises what the first failing check raised, "warn" gives an
        `EstimatorCheckFailedWarning` for each, None leaves it to the returned list.
    callback : callable, default=None
        Called after each check with the items of its result as keyword arguments. Not together
        with ``on_fail="raise"``.

    Returns
    -------
    list of dict
        For each check: ``estimator``, ``check_name``, ``exception`` (or None), ``status`` (one of
        "passed", "failed", "xfail", "skipped"), ``expected_to_fail`` and
        ``expected_to_fail_reason``.

    Raises
    ------
    AssertionError
        With ``on_fail="raise"``, if a check fails.

    See Also
    --------
    parametrize_with_audio_checks : The same for pytest, one test for each check.

    Examples
    --------
    >>> from sklearn_ser.feature_extraction import MFCC
    >>> from sklearn_ser.testing.estimator_checks import check_audio_step
    >>> results = check_audio_step(MFCC(), processes=False)
    >>> len(results), {result["status"] for result in results}
    (43, {'passed'})
    """
    _refuse_classes([estimator])
    if on_fail == "raise" and callback is not None:
        raise ValueError("callback cannot be provided together with on_fail='raise'")
    forget_references()
    results = []
    for _, check in audio_step_checks_generator(estimator, processes=processes):
        name = check.__name__
        reason = (expected_failed_checks or {}).get(name)
        result = {
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
    estimators, *, processes=True, expected_failed_checks=None, xfail_strict=None
):
    """Parametrize a pytest test with the checks of audio steps.

    Parameters
    ----------
    estimators : list of estimator instances
        The audio steps.
    processes : bool, default=True
        Whether to check them in worker processes too, which take seconds to start.
    expected_failed_checks : callable, default=None
        Called with an estimator; returns a dict of check name to reason. Those are marked xfail.
    xfail_strict : bool, default=None
        As in ``pytest.mark.xfail``.

    Returns
    -------
    decorator : `pytest.mark.parametrize`

    See Also
    --------
    check_audio_step : The same without pytest.

    Examples
    --------
    >>> from sklearn_ser.feature_extraction import SpeakerEmbedding
    >>> from sklearn_ser.testing.estimator_checks import parametrize_with_audio_checks
    >>> @parametrize_with_audio_checks([SpeakerEmbedding(), SpeakerEmbedding("unit")])
    ... def test_audio_steps(estimator, check):
    ...     check(estimator)
    """
    import pytest

    _refuse_classes(estimators)
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


def _skipped_without_its_packages(check):
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


def _refuse_classes(estimators):
    for estimator in estimators:
        if isinstance(estimator, type):
            raise TypeError(f"expected an instance, got the class {estimator.__name__}: make one")
