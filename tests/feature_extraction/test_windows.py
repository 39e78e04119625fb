import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser import load_model, make_speech_corpus, save_model
from sklearn_ser.audio import open_audio
from sklearn_ser.evaluation import fit_model
from sklearn_ser.evaluation._audio_steps import split_extraction
from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction import (
    AudioExtractor,
    OpenSmileExtractor,
    SlidingWindows,
    SpeakerEmbedding,
)
from sklearn_ser.store._keys import extractor_digest
from tests.conftest import LevelExtractor

RATE = 16000


class FirstAndLast(LevelExtractor):
    """The first and the last sample; fails below -0.5, gives NaN below -0.4."""

    cache_revision = 1
    _min_duration = 0.1

    def __init__(self, scale=1.0, *, store=None):
        super().__init__(store=store)
        self.scale = scale

    def _feature_names(self):
        return ["first", "last"]

    def _extract(self, signal):
        if signal[0] < -0.5:
            raise AudioError("too low")
        if signal[0] < -0.4:
            return np.array([np.nan, 0.0])
        return self.scale * signal[[0, -1]]


class InBatches(FirstAndLast):
    """The same, of at most three windows at a time."""

    _batch_size = 3

    def _extract_batch(self, signals):
        assert len(signals) <= 3
        assert [len(signal) for signal in signals] == sorted(len(signal) for signal in signals)
        return super()._extract_batch(signals)


def ramp(seconds):
    """Return a signal whose samples are their own times in thousands of seconds."""
    return np.arange(1, int(seconds * RATE) + 1, dtype=np.float32) / RATE / 1000


def positions(seconds, **settings):
    """Return the times of the first and last sample of each window."""
    step = SlidingWindows(FirstAndLast(1000), pooling="frames", **settings)
    return step.fit_transform([ramp(seconds)]).loc[0, "frames"].astype(float).round(3).tolist()


def test_bounds_of_windows():
    assert positions(4, window=2, hop=1) == [[0, 2], [1, 3], [2, 4]]
    assert positions(4.5, window=2, hop=1) == [[0, 2], [1, 3], [2, 4], [3, 4.5]]
    assert positions(4.5, window=2, hop=1, min_window=1.6) == [[0, 2], [1, 3], [2, 4], [2.5, 4.5]]
    assert positions(1.5, window=2, hop=1) == [[0, 1.5]]
    assert positions(0.1, window=2, hop=1, min_window=2) == [[0, 0.1]]
    # shorter than what the inner step needs
    assert positions(2.05, window=2, hop=2, min_window=0.01) == [[0, 2], [0.05, 2.05]]


@pytest.mark.parametrize("inner", [FirstAndLast(), InBatches()])
def test_pooling_is_over_the_inner_steps_rows(inner):
    signals = [ramp(seconds) for seconds in (5, 0.7, 2.3, 4.1, 1.0)]
    inner_rows = [
        np.stack([[signal[start], signal[stop - 1]] for start, stop in bounds])
        for signal, bounds in zip(
            signals,
            [
                [(0, 32000), (16000, 48000), (32000, 64000), (48000, 80000)],
                [(0, 11200)],
                [(0, 32000), (16000, 36800)],
                [(0, 32000), (16000, 48000), (32000, 64000), (48000, 65600)],
                [(0, 16000)],
            ],
            strict=True,
        )
    ]
    for pooling, pool in {
        "mean": lambda rows: rows.mean(0),
        "max": lambda rows: rows.max(0),
        "mean_std": lambda rows: np.concatenate([rows.mean(0), rows.std(0)]),
    }.items():
        step = SlidingWindows(inner, window=2, hop=1, pooling=pooling)
        found = step.fit_transform(signals)
        expected = np.stack([pool(rows.astype(float)) for rows in inner_rows])
        np.testing.assert_allclose(found, expected, rtol=1e-6)
        names = [f"{part}_{name}" for part in pooling.split("_") for name in ("first", "last")]
        assert list(found.columns) == list(step.get_feature_names_out()) == names
    frames = SlidingWindows(inner, window=2, hop=1, pooling="frames").fit_transform(signals)
    assert frames.attrs["hop_length"] == 1
    assert list(frames.columns) == ["frames"]
    assert frames.attrs["frame_features"] == ["first", "last"]
    for found, expected in zip(frames["frames"], inner_rows, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_a_short_utterance_has_the_features_of_the_inner_step():
    noise = np.random.default_rng(0).normal(scale=0.05, size=8000)
    for inner in (OpenSmileExtractor("GeMAPSv01b"), SpeakerEmbedding()):
        found = SlidingWindows(inner).fit_transform([noise])
        np.testing.assert_array_equal(found.to_numpy(), inner.fit_transform([noise]).to_numpy())


def test_windows_without_features_are_omitted():
    step = SlidingWindows(FirstAndLast(), window=1, hop=1, pooling="frames", on_error="ignore")
    good, silent = np.full(RATE, 0.25), np.zeros(RATE)
    failing, undefined = np.full(RATE, -0.6), np.full(RATE, -0.45)
    found = step.fit_transform(
        [
            np.concatenate([silent, good, failing, undefined, silent, good]),
            np.concatenate([silent, failing, undefined]),
            np.concatenate([undefined, silent]),
            np.concatenate([silent, silent]),
        ]
    )
    np.testing.assert_array_equal(found.loc[0, "frames"], np.full((2, 2), 0.25))
    assert found["frames"].isna().tolist() == [False, True, True, True]
    assert [record["reason"] for record in step.failures_][:2] == [
        "no window of this utterance can be used: too low",
        "no window of this utterance can be used: 1 of the 2 features of FirstAndLast are NaN or "
        "infinite for 1.000 s of audio; leave the row out",
    ]
    assert step.failures_[2]["reason"].startswith("digital silence")
    with pytest.raises(AudioError, match=r"^row 0: no window of this utterance can be used"):
        clone(step).set_params(on_error="raise").fit_transform([failing])


def test_parameters_reach_the_inner_step_and_clones_are_independent():
    step = SlidingWindows(SpeakerEmbedding())
    copy = clone(step).set_params(extractor__pooling="unit", hop=1.0)
    assert step.extractor.pooling == "mean_std"
    assert copy.get_params()["extractor__pooling"] == "unit"
    assert len(step.get_feature_names_out()) == 512
    assert len(copy.get_feature_names_out()) == 256


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"extractor": None}, r"must be an audio step .*Got None instead"),
        ({"extractor": SpeakerEmbedding}, r"must be an audio step .*Got the class SpeakerEmb"),
        ({"extractor": LinearSVC()}, r"must be an audio step .*Got LinearSVC\(\) instead"),
        (
            {"extractor": SlidingWindows(SpeakerEmbedding(), pooling="frames")},
            r"must give one row for each utterance, but SlidingWindows gives frames here",
        ),
        (
            {"extractor": SpeakerEmbedding(remove_dc=True)},
            r"remove_dc=True is set in the SpeakerEmbedding inside SlidingWindows, which does not "
            r"load audio itself: set it in SlidingWindows\.",
        ),
        ({"extractor": SpeakerEmbedding(store="folder")}, r"store='folder' is set in the Speak"),
        ({"extractor": SpeakerEmbedding("typo")}, r"'pooling' parameter of SpeakerEmbedding"),
        ({"window": 0}, r"'window' parameter of SlidingWindows must be a float in the range"),
        ({"hop": 4.5}, r"'hop' parameter .* at most its window, 4.0 s.*Got 4.5 instead"),
        ({"min_window": 4.5}, r"'min_window' parameter .* at most its window, 4.0 s"),
        ({"window": 0.05, "hop": 0.01}, r"'window' .* at least the 0.06 s that SpeakerEmb"),
        ({"pooling": "median"}, r"'pooling' parameter of SlidingWindows must be a str among"),
    ],
)
def test_bad_parameters(settings, message):
    step = SlidingWindows(**{"extractor": SpeakerEmbedding(), **settings})
    with pytest.raises(ValueError, match=message):
        step.fit([])


def test_store_keys_follow_the_inner_step(tmp_path, monkeypatch):
    def key(step):
        return extractor_digest(step, open_audio([]).options)

    step = SlidingWindows(FirstAndLast())
    keys = [
        key(step),
        key(clone(step).set_params(extractor__scale=2.0)),
        key(clone(step).set_params(hop=1)),
    ]
    monkeypatch.setattr(FirstAndLast, "cache_revision", 2)
    keys.append(key(step))
    monkeypatch.setattr(FirstAndLast, "_versions", lambda self: {"library": "2"})
    keys.append(key(step))
    assert len(set(keys)) == 5
    stored = clone(step).set_params(store=str(tmp_path / "store"), window=0.5, hop=0.2)
    first = stored.fit_transform([ramp(2)])
    monkeypatch.setattr(AudioExtractor, "_extract_batch", None)  # served without computing
    pd.testing.assert_frame_equal(stored.transform([ramp(2)]), first)


@pytest.fixture(scope="module")
def speech():
    return make_speech_corpus(n_speakers=4, n_utterances=1, duration=0.9, random_state=0).frame


def test_in_a_search_and_in_evaluation(speech, tmp_path):
    model = make_pipeline(
        SlidingWindows(OpenSmileExtractor("GeMAPSv01b"), window=0.5, hop=0.25),
        StandardScaler(),
        LinearSVC(random_state=0),
    )
    extraction, _ = split_extraction(model)
    assert [name for name, _ in extraction] == ["slidingwindows"]
    fitted = fit_model(model, speech, aux=())
    save_model(fitted, tmp_path / "model.ser")
    loaded = load_model(tmp_path / "model.ser")
    assert list(loaded.predict(speech[["file"]])) == list(fitted.predict(speech[["file"]]))
    cheap = clone(model).set_params(slidingwindows__extractor=FirstAndLast())
    grid = {"slidingwindows__extractor__scale": [0.5, 1.0], "slidingwindows__hop": [0.2, 0.5]}
    search = GridSearchCV(cheap, grid, cv=GroupKFold(2), error_score="raise")
    search.fit(speech, speech["emotion"], groups=speech["speaker"])
    assert len(search.cv_results_["params"]) == 4
