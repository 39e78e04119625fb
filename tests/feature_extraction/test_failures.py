"""Audio that fails: raised, warned about or ignored, as `on_error` of a step says."""

import numpy as np
import pytest

from sklearn_ser.exceptions import AudioError, AudioWarning
from sklearn_ser.feature_extraction import MFCC

NOISE = np.random.default_rng(0).normal(scale=0.1, size=1600)
X = [NOISE, "1.wav", "2.wav", NOISE, "4.wav", "5.wav"]


def test_raise_names_the_first_row():
    with pytest.raises(
        AudioError, match=r"^row 1, file '1\.wav': the file does not exist"
    ) as caught:
        MFCC(on_error="raise").transform(X)
    assert caught.value.__notes__ == [
        "Set on_error='warn' or 'ignore' to get a row of NaN and continue."
    ]


def test_warn_gives_one_warning_at_the_line_of_the_user():
    step = MFCC(on_error="warn")
    with pytest.warns(AudioWarning) as caught:
        step.fit_transform(X)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    first, *rows, last = str(caught[0].message).splitlines()
    assert first == "4 of 6 rows could not be used and became rows of NaN:"
    assert [row[:24] for row in rows] == [f"  row {i}, file '{i}.wav': the"[:24] for i in (1, 2, 4)]
    assert last == "  ... 1 more"
    assert [failure["row"] for failure in step.failures_] == [1, 2, 4, 5]


def test_ignored_failures_are_recorded():
    step = MFCC(on_error="ignore")
    step.fit_transform(X[:2])
    (failure,) = step.failures_
    assert (failure["row"], failure["file"]) == (1, "1.wav")
    assert failure["reason"].startswith("the file does not exist")
