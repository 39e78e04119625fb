"""The checks of audio steps are used like scikit-learn's: runner, generator, parametrization."""

from unittest import SkipTest

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import EstimatorCheckFailedWarning, SkipTestWarning
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.audio import open_audio
from sklearn_ser.exceptions import MissingDependencyError
from sklearn_ser.testing import (
    _output_checks,
    audio_step_checks_generator,
    check_audio_step,
    parametrize_with_audio_checks,
)


class Outsider(TransformerMixin, BaseEstimator):
    """A sound step that shares no class and next to no parameter with the package."""

    def __init__(self, power=2):
        self.power = power

    def fit(self, X, y=None):
        self.n_rows_ = len(X)
        return self

    def transform(self, X):
        check_is_fitted(self)
        table = open_audio(X, min_duration=0.01)
        values = [[np.mean(np.abs(signal) ** self.power)] for signal in table]
        values = np.array(values, dtype=np.float32).reshape(-1, 1)
        return pd.DataFrame(values, index=table.index, columns=self.get_feature_names_out())

    def get_feature_names_out(self, input_features=None):
        return np.array(["power"], dtype=object)


class Unnamed(Outsider):
    """A fault that one check sees."""

    def get_feature_names_out(self, input_features=None):
        return ["power"]


BROKEN = "check_names_and_width_agree"


@parametrize_with_audio_checks([Outsider(), Outsider(power=1)])
def test_a_sound_step_passes(estimator, check):
    check(estimator)


def test_number_and_order_of_checks():
    names = [check.__name__ for _, check in audio_step_checks_generator(Outsider())]
    assert len(names) == len(set(names)) == 36
    assert names[:3] == [
        "check_scikit_learn_api",
        "check_parameters_are_stored",
        "check_global_state_is_untouched",
    ]


def test_results_have_the_form_of_scikit_learn():
    step = Outsider()
    results = check_audio_step(step)
    assert len(results) == 36
    assert results[0] == {
        "estimator": step,
        "check_name": "check_scikit_learn_api",
        "exception": None,
        "status": "passed",
        "expected_to_fail": False,
        "expected_to_fail_reason": "Check is not expected to fail",
    }


def test_on_fail():
    with pytest.raises(AssertionError, match="must give a 1-D array of dtype object"):
        check_audio_step(Unnamed())
    with pytest.warns(EstimatorCheckFailedWarning, match=BROKEN) as caught:
        warned = check_audio_step(Unnamed(), on_fail="warn")
    assert len(caught) == 1
    assert caught[0].filename == __file__
    for results in (warned, check_audio_step(Unnamed(), on_fail=None)):
        failed = [result for result in results if result["status"] != "passed"]
        assert [(result["check_name"], result["status"]) for result in failed] == [
            (BROKEN, "failed")
        ]
        assert isinstance(failed[0]["exception"], AssertionError)


def test_expected_failures_and_callback():
    seen = []
    results = check_audio_step(
        Unnamed(),
        expected_failed_checks={BROKEN: "no names", "check_pickle": "passes all the same"},
        on_fail=None,
        callback=lambda **result: seen.append(result),
    )
    assert seen == results
    found = {result["check_name"]: result for result in results if result["expected_to_fail"]}
    assert {name: result["status"] for name, result in found.items()} == {
        BROKEN: "xfail",
        "check_pickle": "passed",
    }
    assert found[BROKEN]["expected_to_fail_reason"] == "no names"
    assert len(check_audio_step(Unnamed(), expected_failed_checks={BROKEN: "no names"})) == 36
    with pytest.raises(ValueError, match="callback cannot be provided together with"):
        check_audio_step(Outsider(), callback=print)


def test_skipped_checks(monkeypatch):
    def check_set_output(step):
        raise SkipTest("polars is not installed")

    monkeypatch.setattr(_output_checks, "check_set_output", check_set_output)
    with pytest.warns(SkipTestWarning, match="Skipping check_set_output: polars is not") as caught:
        results = check_audio_step(Outsider())
    assert len(caught) == 1
    for found in (results, check_audio_step(Outsider(), on_skip=None)):
        skipped = [result["check_name"] for result in found if result["status"] == "skipped"]
        assert skipped == ["check_set_output"]


def test_checks_of_a_step_whose_package_is_missing_are_skipped():
    class Lacking(Outsider):
        def transform(self, X):
            raise MissingDependencyError("pip install 'sklearn-ser[hub]'")

    results = check_audio_step(Lacking(), on_skip=None)
    statuses = {result["check_name"]: result["status"] for result in results}
    assert statuses["check_set_output"] == "skipped"
    assert statuses["check_errors_name_the_row"] == "skipped"
    assert statuses["check_unusual_audio_gives_no_nan"] == "skipped"
    assert statuses["check_parameters_are_stored"] == "passed"
    assert set(statuses.values()) == {"skipped", "passed"}


def test_marks():
    reasons = {BROKEN: "no names"}
    marked = [
        case
        for case in audio_step_checks_generator(
            Unnamed(), expected_failed_checks=reasons, mark="xfail", xfail_strict=True
        )
        if hasattr(case, "marks")
    ]
    assert [case.values[1].__name__ for case in marked] == [BROKEN]
    (mark,) = marked[0].marks
    assert (mark.name, mark.kwargs) == ("xfail", {"reason": "no names", "strict": True})
    for step, check in audio_step_checks_generator(
        Unnamed(), expected_failed_checks=reasons, mark="skip"
    ):
        if check.__name__ == BROKEN:
            with pytest.raises(SkipTest, match="is expected to fail: no names"):
                check(step)


def test_parametrization_names_step_and_check():
    decorator = parametrize_with_audio_checks(
        [Unnamed(power=3)], expected_failed_checks=lambda step: {BROKEN: f"{step.power} names"}
    )
    names, cases = decorator.mark.args
    assert names == ("estimator", "check")
    assert len(cases) == 36
    assert decorator.mark.kwargs["ids"](Unnamed(power=3)) == "Unnamed(power=3)"
    (marked,) = [case for case in cases if hasattr(case, "marks")]
    assert marked.marks[0].kwargs == {"reason": "3 names"}


@pytest.mark.parametrize(
    "use",
    [
        check_audio_step,
        lambda step: list(audio_step_checks_generator(step)),
        lambda step: parametrize_with_audio_checks([step]),
    ],
)
def test_a_class_raises(use):
    with pytest.raises(
        TypeError, match="expected an instance, got the class Outsider: instantiate it"
    ):
        use(Outsider)
