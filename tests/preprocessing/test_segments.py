import numpy as np
import pandas as pd
import pytest
import soundfile

from sklearn_ser.audio import open_audio
from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction import OpenSmileExtractor, SlidingWindows
from sklearn_ser.preprocessing import window_table


def noise(n_samples, seed=0):
    return np.random.default_rng(seed).normal(scale=0.05, size=n_samples).clip(-1, 1)


@pytest.fixture
def frame(tmp_path):
    """A file of 3 s at 16 kHz and one of 1.7 s at 8 kHz, with ids and a label."""
    soundfile.write(tmp_path / "long.wav", noise(48000), 16000)
    soundfile.write(tmp_path / "short.flac", noise(13600, 1), 8000)
    return pd.DataFrame(
        {
            "file": [str(tmp_path / "long.wav"), str(tmp_path / "short.flac")],
            "speaker": ["a", "b"],
            "emotion": ["anger", "neutral"],
        },
        index=[7, 3],
    )


def test_one_row_a_window(frame):
    found = window_table(frame, 1.0, 0.5)
    assert list(found.columns) == ["file", "speaker", "emotion", "start", "end", "row"]
    assert found["start"].tolist() == [0, 0.5, 1, 1.5, 2, 0, 0.5, 1.0]
    assert found["end"].tolist() == [1, 1.5, 2, 2.5, 3, 1, 1.5, 1.7]
    assert found["row"].tolist() == [0] * 5 + [1] * 3
    assert found["speaker"].tolist() == ["a"] * 5 + ["b"] * 3
    assert found.index.tolist() == list(range(8))
    # a rest of 0.7 s is shorter than is asked for: a whole window up to the end
    whole = window_table(frame.tail(1), 1.0, 0.5, min_window=0.8)
    assert whole["start"].tolist() == [0, 0.5, 0.7]


def test_no_samples_are_read(frame, monkeypatch):
    monkeypatch.setattr(soundfile.SoundFile, "read", None)
    assert len(window_table(frame, 1.0, 0.5)) == 8


def test_windows_are_those_of_the_step(frame):
    inner = OpenSmileExtractor("GeMAPSv01b")
    rows = inner.fit_transform(window_table(frame.head(1), 1.0, 0.7))
    frames = SlidingWindows(inner, 1.0, 0.7, "frames").fit_transform(frame.head(1))
    np.testing.assert_array_equal(rows.to_numpy(), frames["frames"].iloc[0])
    assert rows.index.names == ["speaker"]


def test_windows_lie_within_start_and_end(frame):
    found = window_table(frame.assign(start=[0.5, None], end=[2.2, 1.5]), 1.0, 0.5)
    assert found["start"].tolist() == pytest.approx([0.5, 1.0, 1.5, 0, 0.5])
    assert found["end"].tolist() == pytest.approx([1.5, 2.0, 2.2, 1.0, 1.5])
    in_time = frame.assign(start=pd.to_timedelta([0.5, None], unit="s"), end=pd.NaT)
    assert window_table(in_time, 1.0, 1.0)["start"].tolist() == [0.5, 1.5, 2.5, 0, 1]
    lengths = [len(signal) for signal in open_audio(found)]
    assert lengths == [16000, 16000, 11200, 16000, 16000]


def test_named_index_levels_become_columns(frame):
    indexed = frame.set_index(["file", "speaker"])
    found = window_table(indexed, 2.0, 2.0)
    assert list(found.columns) == ["file", "speaker", "emotion", "start", "end", "row"]
    assert found["file"].tolist() == [frame["file"].iloc[0]] * 2 + [frame["file"].iloc[1]]
    segmented = pd.MultiIndex.from_arrays(
        [frame["file"], pd.to_timedelta([1, 0], unit="s"), pd.to_timedelta([3, 1], unit="s")],
        names=["file", "start", "end"],
    )
    for X in (segmented, pd.DataFrame(index=segmented), pd.Series([1, 2], index=segmented)):
        found = window_table(X, 1.0, 1.0)
        assert found["start"].tolist() == [1, 2, 0]
        assert found["end"].tolist() == [2, 3, 1]


def test_lists_arrays_and_series(frame):
    X = [frame["file"].iloc[0], noise(24000), (noise(24000), 48000)]
    expected = [0, 1, 2, 0, 0.5, 0]
    for form in (X, pd.Series(X), pd.DataFrame({"file": X})):
        found = window_table(form, 1.0, 1.0, min_window=1.0)
        assert found["start"].tolist() == expected
    assert list(window_table(pd.Series(X, name="wave"), audio="wave").columns) == [
        "wave", "start", "end", "row"
    ]  # fmt: skip
    assert len(window_table([])) == 0


def test_unreadable_audio_has_one_row_and_fails_when_read(frame):
    bad = frame.assign(start=[0.5, 5.0], end=[2.5, 6.0])
    bad.loc[7, "file"] = "missing.wav"
    found = window_table(bad, 1.0, 0.5)
    assert found[["start", "end"]].to_numpy().tolist() == [[0.5, 2.5], [5, 6]]
    no_time = window_table(frame.assign(start=["soon", "0.2"], end=None), 1.0, 0.5)
    assert no_time["start"].tolist() == ["soon", "0.2"]
    with pytest.raises(AudioError, match=r"start must be a number of seconds"):
        open_audio(no_time).read(0)
    with pytest.raises(AudioError, match=r"row 0, file 'missing.wav'"):
        open_audio(found).read(0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 0}, r"'window' parameter of window_table must be a float in the range"),
        ({"window": 1.0, "hop": 1.5}, r"hop must be at most window, 1.0 s\. Got 1.5 instead"),
        ({"min_window": 5.0}, r"min_window must be at most window, 4.0 s\. Got 5.0 instead"),
        ({"audio": "wave"}, r"no column and no index level 'wave'"),
    ],
)
def test_bad_arguments(frame, settings, message):
    with pytest.raises(ValueError, match=message):
        window_table(frame, **settings)


def test_a_column_named_row_raises(frame):
    with pytest.raises(ValueError, match=r"column 'row', a name that the result uses"):
        window_table(window_table(frame))
