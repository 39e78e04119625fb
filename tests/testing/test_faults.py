"""Each check of a step's parameters, rows and tables fails for its fault."""

import multiprocessing
import random
import warnings

import numpy as np
import pytest

from sklearn_ser.testing import audio_step_checks_generator, parametrize_with_audio_checks
from tests.conftest import LevelExtractor

Loudness = LevelExtractor  # a correct step
NAMES = Loudness()._feature_names()
describe = Loudness()._extract


class LoudnessOverTime(Loudness):
    """A correct step of frames."""

    cache_revision = 1
    _frame_level = True

    def _extract(self, signal):
        return np.stack([describe(part) for part in np.array_split(signal, len(signal) // 400)])


SOUND = [Loudness(), LoudnessOverTime()]


@parametrize_with_audio_checks(SOUND, processes=False)
def test_without_a_fault_they_pass(estimator, check):
    check(estimator)


def gives(change):
    """A fault in what `transform` returns."""

    class Gives(Loudness):
        cache_revision = 1

        def transform(self, X):
            return change(self, super().transform(X))

    return Gives()


def loses_recordings(step, found):
    return found.droplevel("recording") if found.index.nlevels > 1 else found


class KeepsMore(Loudness):
    def __init__(self, factor=1.0):
        super().__init__()
        self.factor = float(factor)
        self.cache_ = {}


class Normalizes(Loudness):
    def __init__(self, level=1):
        super().__init__()
        self.level = str(level)


class DrawsRandomNumbers(Loudness):
    def _extract(self, signal):
        random.random()
        return describe(signal)


class AddsNoise(Loudness):
    def _extract(self, signal):
        return describe(signal) + np.random.rand()  # noqa: NPY002 (the fault)


class LearnsFromLabels(Loudness):
    def fit(self, X, y=None):
        self.offset_ = 0 if y is None else 1
        return super().fit(X)

    def transform(self, X):
        return super().transform(X) + np.float32(getattr(self, "offset_", 0))


class LearnsTheLevel(Loudness):
    def fit(self, X, y=None):
        self.level_ = 0 if y is None else super().transform(X)["level"].mean()
        return super().fit(X)

    def transform(self, X):
        return super().transform(X) - np.float32(self.level_)


class LearnsTheNumberOfRows(Loudness):
    def fit(self, X, y=None):
        self.is_large_ = len(X) > 4
        return super().fit(X)

    def transform(self, X):
        return super().transform(X) * np.float32(1 + self.is_large_)


class FitReturnsNothing(Loudness):
    def fit(self, X, y=None):
        pass


class HoldsALambda(Loudness):
    def transform(self, X):
        self.hook_ = lambda signal: signal
        return super().transform(X)


class HoldsAFunction(Loudness):
    def transform(self, X):
        self.hook_ = gives
        return super().transform(X)


class CannotBeShown(Loudness):
    def __repr__(self, N_CHAR_MAX=700):
        raise RuntimeError("no diagram")


class FlatFrames(LoudnessOverTime):
    def _extract(self, signal):
        return super()._extract(signal).ravel()


class ForgetsTheNamesOfFrames(LoudnessOverTime):
    def transform(self, X):
        table = super().transform(X)
        table.attrs.clear()
        return table


class OneNameTooMany(Loudness):
    def get_feature_names_out(self, input_features=None):
        return np.array([*NAMES, "one more"], dtype=object)


class EchoesNames(Loudness):
    def get_feature_names_out(self, input_features=None):
        return np.array(NAMES if input_features is None else input_features, dtype=object)


class RepeatsAName(Loudness):
    def _feature_names(self):
        return ["level"] * 3


class IgnoresSetOutput(Loudness):
    def set_output(self, *, transform=None):
        return self

    def transform(self, X):
        return super().transform(X).to_numpy()


class Counts(Loudness):
    def transform(self, X):
        self.calls_ = getattr(self, "calls_", 0) + 1
        return super().transform(X) * np.float32(self.calls_)


class Prints(Loudness):
    def _extract(self, signal):
        print("one more")
        return describe(signal)


class Warns(Loudness):
    def transform(self, X):
        warnings.warn("good audio", UserWarning, stacklevel=2)
        return super().transform(X)


class DependsOnJobs(Loudness):
    def _extract(self, signal):
        return describe(signal) * (self.n_jobs or 1)


class WritesNoStore(Loudness):
    def transform(self, X):
        self.store = None
        return super().transform(X)


class KnowsPathsAlone(Loudness):
    def transform(self, X):
        found = super().transform(X)
        self.known_ = getattr(self, "known_", {})
        if isinstance(X, list) and isinstance(X[0], str):
            for row, file in enumerate(X):
                found.iloc[row] = self.known_.setdefault(file, found.iloc[row])
        return found


class KnowsPathsInItsStore(KnowsPathsAlone):
    cache_revision = 1

    def transform(self, X):
        parent = Loudness if self.store is None else KnowsPathsAlone
        return parent.transform(self, X)


class WantsTheRowsOfFit(Loudness):
    def fit(self, X, y=None):
        self.n_rows_ = len(X)
        return super().fit(X)

    def transform(self, X):
        if len(X) != self.n_rows_:
            raise ValueError("other rows than in fit")
        return super().transform(X)


def remembers_its_process():
    """A class of its own making: it travels to worker processes by value."""

    class RemembersItsProcess(Loudness):
        def _extract(self, signal):
            in_worker = multiprocessing.current_process().name != "MainProcess"
            return describe(signal) + in_worker

    return RemembersItsProcess()


FAULTS = {
    "check_scikit_learn_api": [(Normalizes(), "check_")],
    "check_parameters_are_stored": [(KeepsMore(), "a new instance has .*cache_")],
    "check_global_state_is_untouched": [(DrawsRandomNumbers(), "global state: Python's random$")],
    "check_global_seeds_are_irrelevant": [(AddsNoise(), "another global seed changes")],
    "check_fit_ignores_y": [
        (LearnsFromLabels(), "y has an influence"),
        (FitReturnsNothing(), "fit does not return the step"),
        (WantsTheRowsOfFit(), "n_rows_"),
    ],
    "check_fit_ignores_the_audio": [
        (LearnsTheLevel(), "fitted on one utterance, the output differs"),
        (LearnsTheNumberOfRows(), "fitted on more utterances, the output differs"),
    ],
    "check_pickle": [(HoldsALambda(), "[Pp]ickle"), (Counts(), "pickled after it was used")],
    "check_plain_state": [(HoldsAFunction(), r"the attributes hold \['builtins.function'\]")],
    "check_html_repr": [(CannotBeShown(), "no diagram")],
    "check_output_is_rows_or_frames": [
        (
            gives(lambda step, found: found.astype(np.float64)),
            r"the values are \['float64'\]: expected float32",
        ),
        (FlatFrames(), r"frames of shape \(\d+,\)"),
        (ForgetsTheNamesOfFrames(), "has 0 names: expected one str per feature"),
    ],
    "check_names_and_width_agree": [
        (OneNameTooMany(), "4 names for 3 columns"),
        (RepeatsAName(), "not unique strings"),
        (EchoesNames(), "returns the names of the columns of X"),
    ],
    "check_set_output": [(IgnoresSetOutput(), "set_output does not give a DataFrame")],
    "check_ids_become_index_levels": [
        (gives(lambda step, found: found.reset_index(drop=True)), "X with id columns"),
        (gives(loses_recordings), r"X with id columns: (?s:.*)'recording'"),
    ],
    "check_repeated_transform_is_equal": [(Counts(), "a second transform")],
    "check_one_row_equals_that_row_among_others": [
        (gives(lambda step, found: found / found.max(axis=0)), "row 1 alone differs")
    ],
    "check_one_row_equals_that_row_among_many": [
        (
            gives(lambda step, found: found - found.mean() if len(found) > 64 else found),
            "in a batch of 66 rows some values differ from those in 4",
        )
    ],
    "check_rewritten_files_are_read_again": [
        (KnowsPathsAlone(), r"rewritten file gives its old output \(store=None\)"),
        (KnowsPathsInItsStore(), r"rewritten file gives its old output \(store=folder\)"),
    ],
    "check_order_of_rows_is_irrelevant": [
        (
            gives(lambda step, found: found.add(np.arange(len(found), dtype=np.float32), axis=0)),
            "rows in another order",
        )
    ],
    "check_nothing_is_printed": [(Prints(), "prints with verbose=0"), (Warns(), "warns about")],
    "check_n_jobs_is_irrelevant": [(DependsOnJobs(), "n_jobs=2: other values")],
    "check_processes_give_the_same": [(remembers_its_process(), "in worker processes: other")],
    "check_store_gives_the_same": [
        (WritesNoStore(), "nothing was written"),
        (
            gives(lambda step, found: found if step.store is None else found * 2),
            "an empty store changes the values",
        ),
    ],
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
    areas = ("_estimator_checks", "_output_checks")
    checks = [check for _, check in audio_step_checks_generator(Loudness())]
    names = [check.__name__ for check in checks if check.__module__.endswith(areas)]
    # Faults of the composition with scikit-learn are in test_input_faults.py.
    assert sorted(FAULTS) == sorted(name for name in names if not name.startswith("check_in_a_"))
