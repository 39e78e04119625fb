"""Checks of the input of an audio step: equivalent containers, and unusable audio."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd

from sklearn_ser.audio import read_audio
from sklearn_ser.exceptions import AudioError, AudioWarning, MissingDependencyError
from sklearn_ser.testing._comparison import (
    SAMPLING_RATE,
    assert_finite,
    assert_same,
    assert_same_index,
    audio_error,
    equal_length_signals,
    failed,
    fitted,
    has_parameter,
    is_frame_table,
    is_table,
    object_array,
    pairs,
    plain,
    reference,
    sampling_rate_of,
    speech,
    values_by_row,
    write_16_bit,
)
from sklearn_ser.utils._failed_rows import failed_rows


def check_empty_input(step):
    """Check that empty input in any container gives an output without rows."""
    used = fitted(step)
    width = len(used.get_feature_names_out())
    for name, X in {
        "list": [],
        "DataFrame": speech().X.iloc[:0],
        "Series": pd.Series([], dtype=object),
        "object array": np.array([], dtype=object),
    }.items():
        actual = used.transform(X)
        if actual.shape != (0, width):
            raise AssertionError(
                f"an empty {name} gives the shape {actual.shape}: expected {(0, width)}"
            )
        if not is_frame_table(actual) and np.asarray(actual).dtype != np.float32:
            raise AssertionError(f"an empty {name} gives {np.asarray(actual).dtype}, not float32")


def check_containers_give_the_same(step):
    """Check that paths in lists, tuples, Series, arrays and DataFrames give equal output."""
    X, used, expected = speech().X, fitted(step), reference(step)
    files = list(X["file"])
    for name, container in {
        "list": files,
        "tuple": tuple(files),
        "Series": X["file"],
        "object array": object_array(files),
        "array of strings": np.array(files),
        "DataFrame without ids": X[["file"]],
        "DataFrame of another index": X.set_axis(list("dcba")),
    }.items():
        assert_same(used.transform(container), expected, f"paths as {name} give other numbers")


def check_arrays_give_the_same_as_files(step):
    """Check that pairs of array and rate, and bare arrays at the rate of the step, equal files."""
    signals, used, expected = speech().signals, fitted(step), reference(step)
    references = pairs(signals)
    for name, container in {
        "a list of pairs": references,
        "an object array of pairs": object_array(references),
        "a DataFrame of pairs": pd.DataFrame({"file": references}),
        "16-bit integers": pairs([np.round(signal * 32768).astype(np.int16) for signal in signals]),
        "64-bit floats": pairs([signal.astype(np.float64) for signal in signals]),
        "two equal channels": pairs([np.stack([signal, signal]) for signal in signals]),
    }.items():
        assert_same(used.transform(container), expected, f"{name}: other numbers than the files'")
    rate = sampling_rate_of(step)
    at_own_rate = used.transform([(signal, rate) for signal in signals])
    for name, container in {
        "a list": list(signals),
        "a Series": pd.Series(list(signals)),
        "an object array": object_array(signals),
        "a DataFrame": pd.DataFrame({"file": list(signals)}),
    }.items():
        what = f"bare arrays in {name} are not read at {rate} Hz"
        assert_same(used.transform(container), at_own_rate, what)


def check_equal_length_arrays(step):
    """Check that arrays of equal length, which numpy would stack, are separate utterances."""
    stacked, used = equal_length_signals(), fitted(step)
    expected = used.transform(list(stacked))
    for name, container in {
        "a 2-D array": stacked,
        "np.array(signals, dtype=object)": np.array(list(stacked), dtype=object),
        "a 1-D object array": object_array(list(stacked)),
        "a Series": pd.Series(list(stacked)),
        "a list of lists": stacked.astype(np.float64).tolist(),
    }.items():
        assert_same(used.transform(container), expected, f"{name} gives other numbers than a list")


def check_channels_are_averaged(step):
    """Check that different channels give the output of their mean, in arrays and in files."""
    left, right = equal_length_signals()[:2]
    both, used = np.stack([left, right]), fitted(step)
    expected = used.transform(pairs([(left + right) / 2]))
    file = speech().new_folder() / "stereo.wav"
    write_16_bit(file, both)
    for name, references in {"an array": pairs([both]), "a file": [str(file)]}.items():
        actual = used.transform(references)
        assert_same(actual, expected, f"two channels of {name} differ from their mean")


def check_rates_are_converted(step):
    """Check that a pair at another rate is resampled as by `read_audio`."""
    rate, used = sampling_rate_of(step), fitted(step)
    references = [(signal, 22050) for signal in speech().signals[:2]]
    expected = used.transform([(read_audio(audio, rate), rate) for audio in references])
    assert_same(used.transform(references), expected, "pairs at 22050 Hz give other numbers")


def check_start_and_end_are_read(step):
    """Check that columns `start` and `end` in seconds select a segment; missing ones do not."""
    X, used = speech().X.iloc[:2], fitted(step)
    first, second = speech().signals[:2]
    parts = pairs([first[1600:], second[800:6400]])
    actual = used.transform(X.assign(start=[0.1, 0.05], end=[np.nan, 0.4]))
    assert_same(actual, used.transform(parts), "start and end do not cut the files")
    timedeltas = X.assign(
        start=pd.to_timedelta([0.1, 0.05], unit="s"), end=pd.to_timedelta([None, 0.4], unit="s")
    )
    assert_same(used.transform(timedeltas), actual, "start and end as timedeltas differ")


def check_audio_in_index_levels(step):
    """Check that the audio of a filewise or segmented audformat index, table or column is read."""
    frame, used = speech().frame, fitted(step)
    starts, ends = pd.to_timedelta([0, 0.05], unit="s"), pd.to_timedelta([None, 0.4], unit="s")
    files = pd.Index(frame["file"].iloc[:2], name="file")
    for kind, index, references in (
        ("filewise", files, list(files)),
        (
            "segmented",
            pd.MultiIndex.from_arrays([files, starts, ends], names=["file", "start", "end"]),
            pairs([speech().signals[0], speech().signals[1][800:6400]]),
        ),
    ):
        expected = used.transform(references)
        labels = pd.Series(list(frame["emotion"].iloc[:2]), index=index, name="emotion")
        for form, X in {"index": index, "table": labels.to_frame(), "column": labels}.items():
            what = f"audio in the levels of a {kind} {form}"
            try:
                actual = used.transform(X)
            except AudioError as error:
                raise AssertionError(f"{what} is not read: {error}") from error
            assert_same(actual, expected, f"{what} gives other numbers")
            if is_table(actual):
                assert_same_index(actual, pd.DataFrame(index=index), what)


def check_named_audio_column(step):
    """Check that `audio` names the column; the error for a missing column lists those of X."""
    renamed = speech().X.rename(columns={"file": "wave"})
    actual = fitted(step, audio="file").set_params(audio="wave").transform(renamed)
    assert_same(actual, reference(step), "with audio='wave' the output differs")
    try:
        fitted(step).transform(renamed)
    except AudioError as error:
        if "file" not in str(error) or "wave" not in str(error):
            raise AssertionError(f"the error does not name both columns: {error}") from error
    else:
        raise AssertionError("X without the audio column is accepted")


def check_input_is_not_modified(step):
    """Check that a DataFrame and its arrays do not change, and read-only arrays are accepted."""
    signals = [signal.copy() for signal in speech().signals]
    X = speech().X.assign(file=pairs(signals), start=0.05, end=0.4)
    X.index.name, X.columns.name, X.attrs = "position", "kind", {"source": "check"}
    before, given = X.copy(), _names_within(X)
    used = fitted(step)
    expected = used.transform(X)
    if _names_within(X) != given:
        raise AssertionError(f"the step changed names or attrs of X: {_names_within(X)}")
    if list(X.columns) != list(before.columns) or not X.index.equals(before.index):
        raise AssertionError("the step changed the columns or the index of X")
    for name in X.columns.drop("file"):
        if not X[name].equals(before[name]):
            raise AssertionError(f"the step changed the column {name!r} of X")
    for row, (signal, original) in enumerate(zip(signals, speech().signals, strict=True)):
        if X["file"].iloc[row][0] is not signal or not np.array_equal(signal, original):
            raise AssertionError(f"the step changed the audio in row {row} of X")
        signal.flags.writeable = False  # like large arrays that joblib passes to processes
    assert_same(used.transform(X), expected, "read-only arrays give other numbers")


def _names_within(X):
    return list(X.index.names), list(X.columns.names), dict(X.attrs)


def check_label_columns_are_ignored(step):
    """Check that columns or index levels other than audio, times and ids have no influence."""
    used = fitted(step).set_output(transform="pandas")
    X = speech().X
    expected = used.transform(X)
    labeled = speech().frame.assign(target=np.arange(len(X)), note=None)
    labels = [name for name in labeled.columns if name not in X.columns]
    for what, given in (
        ("columns", labeled),
        ("index levels", labeled.set_index(labels)),
    ):
        new = plain(step).set_output(transform="pandas")
        actual = new.fit(given, speech().y).transform(given)
        assert_same(actual, expected, f"other {what} of X change the numbers")
        assert_same_index(actual, expected, f"other {what} of X change the index")
        if list(actual.columns) != list(expected.columns):
            raise AssertionError(f"other {what} of X change the output's columns: {actual.columns}")


def check_beyond_full_scale(step):
    """Check that samples beyond full scale raise an error with the row, or are clipped."""
    good, loud = speech().signals[:2]
    loud = loud / np.abs(loud).max() * np.float32(1.5)
    with audio_error("samples beyond full scale", row=1):
        fitted(step).transform(pairs([good, loud]))
    if has_parameter(step, "beyond_full_scale"):
        clipping = fitted(step, beyond_full_scale="clip")
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            actual = clipping.transform(pairs([good, loud]))
        if [type(warning.message) for warning in caught] != [AudioWarning]:
            raise AssertionError(f"expected one AudioWarning of clipping, found {caught}")
        expected = fitted(step).transform(pairs([good, np.clip(loud, -1, 1)]))
        assert_same(actual, expected, "beyond_full_scale='clip' does not clip to [-1, 1]")


def check_remove_dc(step):
    """Check that `remove_dc` subtracts the mean of each utterance, as in `read_audio`."""
    shifted = [(signal * 0.5 + 0.25, SAMPLING_RATE) for signal in speech().signals[:2]]
    rate = sampling_rate_of(step)
    centered = [(read_audio(audio, rate, remove_dc=True), rate) for audio in shifted]
    actual = fitted(step, remove_dc=True).transform(shifted)
    assert_same(actual, fitted(step).transform(centered), "remove_dc=True does not remove the mean")


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
    """Check that every fault raises an AudioError with the row and the file."""
    used = fitted(step)
    good = pairs(speech().signals[:1])
    for what, audio in unusable().items():
        file = audio if isinstance(audio, str) else None
        with audio_error(what, row=1, file=file):
            used.transform(object_array([*good, audio]))


def check_the_first_failure_is_raised(step):
    """Check that of several failures the one of the first row is raised."""
    references = pairs(speech().signals)
    X = object_array([references[0], "missing.wav", references[1], "also_missing.wav"])
    with audio_error("two missing files", row=1, file="missing.wav"):
        fitted(step).transform(X)


def check_unusual_audio_gives_no_nan(step):
    """Check that silence, a click, a single sample, ... give finite values or an AudioError."""
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
    """Check that failed rows are NaN with ``on_error="warn"`` or "ignore", and in `failures_`."""
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
    """Check that failed rows do not affect the other rows, also with several jobs."""
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
    """Check that rows of failed audio are recognized and left out of training."""
    files = list(speech().X["file"])
    actual = fitted(step, on_error="ignore").transform([files[0], "missing.wav", files[1]])
    if list(failed_rows(actual)) != [False, True, False]:
        raise AssertionError("the row of failed audio is not all NaN (or without frames)")
