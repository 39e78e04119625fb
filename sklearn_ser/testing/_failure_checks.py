"""Checks of the handling of unusable audio by an audio step."""

from __future__ import annotations

import warnings

import numpy as np

from sklearn_ser.exceptions import AudioError, AudioWarning, MissingDependencyError
from sklearn_ser.testing._comparison import (
    assert_finite,
    assert_same,
    audio_error,
    failed,
    fitted,
    has_parameter,
    pairs,
    reference,
    values_by_row,
)
from sklearn_ser.testing._speech import SAMPLING_RATE, object_array, speech
from sklearn_ser.utils._failed_rows import failed_rows


def unusable():
    """Return audio references that every step must reject, by their fault."""
    folder = speech().new_folder()
    (folder / "zero_bytes.wav").touch()
    (folder / "text.wav").write_text("this is no audio\n" * 99)
    (folder / "cut_off.wav").write_bytes(b"RIFF\x24\x00\x00\x00WAVEfm")
    (folder / "folder.wav").mkdir()
    (folder / "dangling.wav").symlink_to(folder / "nothing.wav")
    with_nan, with_inf = (speech().signals[0].copy() for _ in range(2))
    with_nan[100], with_inf[-1] = np.nan, np.inf
    return {
        "a missing file": str(folder / "missing.wav"),
        "a file of 0 bytes": str(folder / "zero_bytes.wav"),
        "a text file": str(folder / "text.wav"),
        "half a header": str(folder / "cut_off.wav"),
        "a folder": str(folder / "folder.wav"),
        "a dangling link": str(folder / "dangling.wav"),
        "a missing value": None,
        "NaN": np.nan,
        "a number": 7,
        "no samples": (np.zeros(0, dtype=np.float32), SAMPLING_RATE),
        "a sample that is NaN": (with_nan, SAMPLING_RATE),
        "a sample that is infinite": (with_inf, SAMPLING_RATE),
        "samples of unknown scale": (np.zeros(8000, dtype=np.int64), SAMPLING_RATE),
        "an impossible rate": (speech().signals[0], -1),
        "a third dimension": (np.zeros((2, 3, 4000)), SAMPLING_RATE),
    }


def unusual():
    """Return audio that a step may reject or process, but for which it must not return NaN."""
    time = np.arange(8000) / SAMPLING_RATE
    click = np.zeros(8000)
    click[4000] = 0.5
    signals = {
        "digital silence": np.zeros(8000),
        "one non-zero sample": click,
        "denormal numbers": np.full(8000, 1e-40, dtype=np.float32),
        "a constant": np.full(8000, 0.25),
        "faint noise": np.random.default_rng(0).normal(scale=1e-6, size=8000),
        "full scale": np.where(np.sin(2 * np.pi * 110 * time) > 0, 1.0, -1.0),
        "a tone": 0.1 * np.sin(2 * np.pi * 440 * time),
        "silence before and after": np.concatenate(
            [np.zeros(4000), speech().signals[0], np.zeros(4000)]
        ),
        "1 sample": np.array([0.1]),
        "0.05 s": speech().signals[0][:800],
        "0.06 s": speech().signals[0][1600:2560],
        "0.1 s": speech().signals[0][1600:3200],
    }
    return {name: (signal, SAMPLING_RATE) for name, signal in signals.items()}


def check_errors_name_the_row(step):
    """Every fault raises an AudioError with the row and the file."""
    used = fitted(step)
    good = pairs(speech().signals[:1])
    for what, audio in unusable().items():
        file = audio if isinstance(audio, str) else None
        with audio_error(what, row=1, file=file):
            used.transform(object_array([*good, audio]))


def check_the_first_failure_is_raised(step):
    """Of several failures the one of the first row is raised."""
    references = pairs(speech().signals)
    X = object_array([references[0], "missing.wav", references[1], "also_missing.wav"])
    with audio_error("two missing files", row=1, file="missing.wav"):
        fitted(step).transform(X)


def check_unusual_audio_gives_no_nan(step):
    """Silence, a click, a single sample, ... give finite values or an AudioError with the row."""
    good, used = pairs(speech().signals[:1])[0], fitted(step)
    for what, audio in unusual().items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", AudioWarning)
                actual = used.transform(object_array([good, audio]))
        except AudioError as error:
            if error.row != 1:
                raise AssertionError(f"{what}: the AudioError names row {error.row}") from error
        except MissingDependencyError:
            raise
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__} ({error})") from error
        else:
            assert_finite(actual, what)


def check_failed_rows_are_nan_and_recorded(step):
    """Failed rows with ``on_error`` "warn" or "ignore" are NaN and recorded in `failures_`."""
    references, bad = pairs(speech().signals), {**unusable(), **unusual()}
    X = object_array([references[0], *bad.values(), references[1]])
    outputs = {}
    for on_error, kinds in (("warn", [AudioWarning]), ("ignore", [])):
        used = fitted(step, on_error=on_error)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            outputs[on_error] = used.transform(X)
        if [warning.category for warning in caught] != kinds:
            messages = [str(warning.message) for warning in caught]
            raise AssertionError(
                f"on_error={on_error!r}: expected {len(kinds)} warning, found {messages}"
            )
        _assert_recorded(outputs[on_error], used.failures_, X, list(bad))
    assert_same(outputs["warn"], outputs["ignore"], "on_error 'warn' and 'ignore' differ")
    assert_finite(used.transform(references[:1]), "speech")
    if used.failures_ != []:
        raise AssertionError("failures_ still has those of an earlier transform")


def _assert_recorded(actual, records, X, names):
    missing = failed(actual)
    for row, values in enumerate(values_by_row(actual)):
        if not missing[row] and not np.isfinite(values).all():
            raise AssertionError(f"row {row} ({names[row - 1]}) is NaN or infinite in parts")
    n_unusable = len(unusable())
    if missing[0] or missing[-1] or not all(missing[1 : 1 + n_unusable]):
        raise AssertionError(f"expected NaN in the rows of unusable audio alone, found {missing}")
    expected = [
        (row, X[row] if isinstance(X[row], str) else None) for row in range(len(X)) if missing[row]
    ]
    if [(record["row"], record["file"]) for record in records] != expected:
        raise AssertionError(f"failures_ are {records}: expected rows and files {expected}")
    if any(set(record) != {"row", "file", "reason"} or not record["reason"] for record in records):
        raise AssertionError("each of failures_ must have row, file and reason")


def check_failures_leave_the_other_rows_alone(step):
    """Failed rows do not affect the other rows, also with several jobs."""
    X, expected = speech().X, values_by_row(reference(step))
    files = list(X["file"])
    mixed = [files[0], "missing.wav", files[1], files[2], "also_missing.wav", files[3]]
    parameters = [{"n_jobs": jobs} for jobs in (1, 2)] if has_parameter(step, "n_jobs") else [{}]
    for jobs in parameters:
        used = fitted(step, on_error="ignore", **jobs)
        actual = values_by_row(used.transform(mixed))
        good = [actual[row] for row in (0, 2, 3, 5)]
        assert_same(good, expected, "failed rows change the output of other rows", exact=False)
        if [record["row"] for record in used.failures_] != [1, 4]:
            raise AssertionError(f"failures_ of rows 1 and 4 are {used.failures_}")


def check_failed_rows_are_left_out_of_training(step):
    """Rows of failed audio are recognized and left out of training."""
    files = list(speech().X["file"])
    actual = fitted(step, on_error="ignore").transform([files[0], "missing.wav", files[1]])
    if list(failed_rows(actual)) != [False, True, False]:
        raise AssertionError("the row of failed audio is not all NaN (or without frames)")
