"""Each check of input, failures and composition fails for its fault."""

import warnings

import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser.exceptions import AudioError, AudioWarning
from sklearn_ser.testing import audio_step_checks_generator
from tests.conftest import LevelExtractor

Loudness = LevelExtractor  # a correct step
NAMES = Loudness()._feature_names()
describe = Loudness()._extract


def gives(change):
    """A fault in what `transform` returns."""

    class Gives(Loudness):
        def transform(self, X):
            return change(self, super().transform(X))

    return Gives()


def reads(change):
    """A fault in how `transform` takes X."""

    class Reads(Loudness):
        def transform(self, X):
            return super().transform(change(X))

    return Reads()


class NeedsARow(Loudness):
    def transform(self, X):
        if not len(X):
            raise ValueError("no rows")
        return super().transform(X)


class DoublesArrays(Loudness):
    def transform(self, X):
        cells = list(X["file"] if isinstance(X, pd.DataFrame) else X)
        if len(cells) and isinstance(cells[0], np.ndarray):
            return super().transform([cell / 2 for cell in cells])
        return super().transform(X)


class IgnoresRates(Loudness):
    def transform(self, X):
        if isinstance(X, list) and len(X) and isinstance(X[0], tuple):
            X = [signal for signal, _ in X]
        return super().transform(X)


class IgnoresTimes(Loudness):
    def transform(self, X):
        if isinstance(X, pd.DataFrame):
            X = X.drop(columns=["start", "end"], errors="ignore")
        return super().transform(X)


class WritesIntoArrays(Loudness):
    def transform(self, X):
        found = super().transform(X)
        for cell in X["file"] if isinstance(X, pd.DataFrame) else ():
            if isinstance(cell, tuple):
                cell[0][:] = 0
        return found


class AddsAColumn(Loudness):
    def transform(self, X):
        if isinstance(X, pd.DataFrame):
            X["seen"] = True
        return super().transform(X)


class NamesTheIndex(Loudness):
    def transform(self, X):
        if isinstance(X, pd.DataFrame):
            X.index.name = "row"
        return super().transform(X)


class TakesTheLeftChannel(Loudness):
    def transform(self, X):
        if isinstance(X, list) and isinstance(X[0], tuple):
            X = [(np.atleast_2d(signal)[0], rate) for signal, rate in X]
        return super().transform(X)


class TakesTheLeftChannelOfFiles(Loudness):
    def transform(self, X):
        if isinstance(X, list) and isinstance(X[0], str):
            X = [(samples[:, 0], rate) for samples, rate in map(two_dimensional, X)]
        return super().transform(X)


def two_dimensional(file):
    return soundfile.read(file, dtype="float32", always_2d=True)


class LeaksALabelFromALevel(Loudness):
    def transform(self, X):
        found = super().transform(X)
        if isinstance(X, pd.DataFrame) and "emotion" in X.index.names:
            found["level"] += X.index.get_level_values("emotion") == "anger"
        return found


class KeepsLabelsInTheIndex(Loudness):
    def transform(self, X):
        found = super().transform(X)
        keeps = isinstance(X, pd.DataFrame) and "emotion" in X.index.names
        return found.set_axis(X.index) if keeps else found


class LeaksALabel(Loudness):
    def transform(self, X):
        found = super().transform(X)
        if isinstance(X, pd.DataFrame) and "emotion" in X:
            found["level"] += (X["emotion"] == "anger").to_numpy(np.float32)
        return found


class LeaksALabelIntoTheIndex(Loudness):
    def transform(self, X):
        found = super().transform(X)
        if isinstance(X, pd.DataFrame) and "emotion" in X:
            found = found.set_axis(pd.Index(X["emotion"]))
        return found


class ClipsSilently(Loudness):
    def transform(self, X):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", AudioWarning)
            self.beyond_full_scale = "clip"
            return super().transform(X)


class KeepsTheMean(Loudness):
    def transform(self, X):
        self.remove_dc = False
        return super().transform(X)


class NamesNoRow(Loudness):
    def transform(self, X):
        try:
            return super().transform(X)
        except AudioError as error:
            raise AudioError(error.reason) from error


class RaisesAnything(Loudness):
    def transform(self, X):
        try:
            return super().transform(X)
        except AudioError as error:
            raise RuntimeError("something is wrong") from error


class RaisesTheLast(Loudness):
    def transform(self, X):
        try:
            return super().transform(X)
        except AudioError:
            last = len(X) - 1
            while True:
                try:
                    super().transform([X[last]])
                except AudioError as error:
                    raise AudioError(error.reason, row=last, file=error.file) from error
                last -= 1


class HidesFailures(Loudness):
    def transform(self, X):
        found = super().transform(X)
        self.failures_ = []
        return found


class WarnsForEach(Loudness):
    def transform(self, X):
        found = super().transform(X)
        if self.on_error == "warn":
            warnings.warn("one more", AudioWarning, stacklevel=2)
        return found


class NanInParts(Loudness):
    def transform(self, X):
        found = super().transform(X)
        found.loc[found["crossings"] == 0, "peak"] = np.nan
        return found


class FitTakesNoTarget(Loudness):
    def fit(self, X):
        return super().fit(X)


class IndexesByLabel(Loudness):
    def transform(self, X):
        if isinstance(X, pd.DataFrame):
            X = [X["file"][label] for label in range(len(X))]
        return super().transform(X)


class CountsInstances(Loudness):
    made = 0

    def transform(self, X):
        CountsInstances.made += 1
        return super().transform(X) * np.float32(CountsInstances.made)


FAULTS = {
    "check_empty_input": [(NeedsARow(), "no rows")],
    "check_containers_give_the_same": [
        (
            reads(lambda X: X.sort_index()[::-1] if isinstance(X, pd.Series) else X),
            "paths as Series give other numbers",
        )
    ],
    "check_arrays_give_the_same_as_files": [(DoublesArrays(), "bare arrays in a list")],
    "check_equal_length_arrays": [
        (
            reads(lambda X: [X] if isinstance(X, np.ndarray) and X.ndim == 2 else X),
            "a 2-D array gives other numbers",
        )
    ],
    "check_channels_are_averaged": [
        (TakesTheLeftChannel(), "two channels of an array differ from their mean"),
        (TakesTheLeftChannelOfFiles(), "two channels of a file differ from their mean"),
    ],
    "check_rates_are_converted": [(IgnoresRates(), "pairs at 22050 Hz")],
    "check_start_and_end_are_read": [(IgnoresTimes(), "start and end do not cut")],
    "check_named_audio_column": [
        (
            reads(lambda X: X.iloc[:, 0] if isinstance(X, pd.DataFrame) else X),
            "without the audio column is accepted",
        )
    ],
    "check_audio_in_index_levels": [
        (
            reads(lambda X: list(X) if isinstance(X, pd.Series) else X),
            "levels of a filewise column is not read: row 0, file 'anger'",
        ),
        (
            reads(lambda X: X.get_level_values("file") if isinstance(X, pd.MultiIndex) else X),
            "levels of a segmented index gives other numbers: row 1",
        ),
        (
            gives(lambda step, found: found.reset_index(drop=True)),
            "levels of a filewise index: Index",
        ),
    ],
    "check_input_is_not_modified": [
        (WritesIntoArrays(), "changed the audio in row 0"),
        (AddsAColumn(), "changed the columns"),
        (NamesTheIndex(), r"changed names or attrs of X: \(\['row'\]"),
    ],
    "check_label_columns_are_ignored": [
        (LeaksALabel(), "other columns of X change the numbers"),
        (LeaksALabelIntoTheIndex(), "other columns of X change the index"),
        (LeaksALabelFromALevel(), "other index levels of X change the numbers"),
        (KeepsLabelsInTheIndex(), "other index levels of X change the index"),
    ],
    "check_beyond_full_scale": [(ClipsSilently(), "beyond full scale: no AudioError")],
    "check_remove_dc": [(KeepsTheMean(), "does not remove the mean")],
    "check_errors_name_the_row": [
        (NamesNoRow(), "names row None"),
        (RaisesAnything(), r"RuntimeError \(something is wrong\) instead of an AudioError"),
    ],
    "check_the_first_failure_is_raised": [(RaisesTheLast(), "names row 3 and file 'also_missing")],
    "check_unusual_audio_gives_no_nan": [
        (gives(lambda step, found: found.where(found["crossings"] > 0)), "row 1 has NaN")
    ],
    "check_failed_rows_are_nan_and_recorded": [
        (HidesFailures(), r"failures_ are \[\]: expected rows"),
        (WarnsForEach(), "on_error='warn': expected 1 warning"),
        (NanInParts(), "is NaN or infinite in parts"),
        (gives(lambda step, found: found.fillna(0)), "expected NaN in the rows of unusable audio"),
    ],
    "check_failures_leave_the_other_rows_alone": [
        (gives(lambda step, found: found + np.float32(len(step.failures_))), "failed rows change")
    ],
    "check_failed_rows_are_left_out_of_training": [
        (gives(lambda step, found: found.fillna(0)), "is not all NaN")
    ],
    "check_in_a_pipeline": [(FitTakesNoTarget(), "positional arguments?")],
    "check_in_a_feature_union": [(CountsInstances(), "two equal halves")],
    "check_in_a_grid_search": [(IndexesByLabel(), "^0$")],
}


@pytest.mark.parametrize(
    ("name", "step", "message"),
    [(name, *fault) for name, faults in FAULTS.items() for fault in faults],
    ids=lambda value: type(value).__name__ if isinstance(value, Loudness) else None,
)
def test_each_check_fails_for_its_fault(name, step, message):
    checks = {check.__name__: check for _, check in audio_step_checks_generator(step)}
    with pytest.raises(Exception, match=message):
        checks[name](step)


def test_every_check_is_seen_to_fail():
    areas = ("_input_checks", "_failure_checks")
    checks = [check for _, check in audio_step_checks_generator(Loudness())]
    names = [
        check.__name__
        for check in checks
        if check.__module__.endswith(areas) or check.__name__.startswith("check_in_a_")
    ]
    assert sorted(FAULTS) == sorted(names)
