import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser.datasets import load_corpus, make_speech_corpus
from sklearn_ser.exceptions import CorpusError

RATE = 16000


def measured_pitch(signal, rate=RATE):
    """F0 in Hz of the voiced frames, from the peak of the autocorrelation."""
    frames = np.lib.stride_tricks.sliding_window_view(signal.astype(float), rate // 25)[::160]
    frames = frames - frames.mean(axis=1, keepdims=True)
    spectrum = np.abs(np.fft.rfft(frames, 2 * frames.shape[1])) ** 2
    correlation = np.fft.irfft(spectrum)[:, : rate // 65]
    shortest = rate // 500
    lag = shortest + correlation[:, shortest:].argmax(axis=1)
    voiced = correlation[np.arange(len(lag)), lag] > 0.5 * correlation[:, 0]
    return rate / lag[voiced]


def measured_level(signal):
    return 10 * np.log10(np.mean(signal.astype(float) ** 2))


def high_over_low(signal, rate=RATE):
    """Energy from 1 to 4 kHz over that below 1 kHz, in dB."""
    power = np.abs(np.fft.rfft(signal)) ** 2
    frequency = np.fft.rfftfreq(len(signal), 1 / rate)
    high, low = (frequency > 1000) & (frequency < 4000), frequency <= 1000
    return 10 * np.log10(power[high].sum() / power[low].sum())


def measures(frame):
    rows = []
    for signal, _ in frame["file"]:
        pitch = np.log2(measured_pitch(signal))
        rows.append(
            {
                "pitch": np.median(pitch),
                "pitch_range": pitch.std(),
                "level": measured_level(signal),
                "tilt": high_over_low(signal),
                "seconds": len(signal) / RATE,
                "voiced": len(pitch),
            }
        )
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def clean():
    frame = make_speech_corpus(8, 4, channel=None, random_state=0).frame
    return pd.concat([frame.drop(columns="file"), measures(frame)], axis=1)


def bytes_of(corpus):
    return [signal.tobytes() for signal, _ in corpus.frame["file"]]


def test_frame():
    corpus = make_speech_corpus(3, 2, ("fear", "boredom"), name="a", language="de", random_state=1)
    frame = corpus.frame
    assert len(frame) == 3 * 2 * 2
    assert frame["speaker"].unique().tolist() == ["a/s1", "a/s2", "a/s3"]
    assert frame.groupby("speaker")["gender"].first().tolist() == ["female", "male", "female"]
    assert frame["text"].unique().tolist() == ["a/t1", "a/t2"]
    assert set(frame["language"]) == {"de"}
    assert frame[["arousal", "valence"]].stack().between(0, 1).all()
    assert frame["emotion"].dtype == frame["speaker"].dtype == object


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_signals_are_usable_audio(rate):
    emotions = ["neutral", "anger", "happiness", "sadness", "fear", "disgust", "surprise"]
    emotions += ["boredom", "calm", "contempt"]
    corpus = make_speech_corpus(2, 1, emotions, sampling_rate=rate, random_state=0)
    for signal, found_rate in corpus.frame["file"]:
        assert found_rate == rate
        assert signal.dtype == np.float32
        assert signal.ndim == 1
        assert np.isfinite(signal).all()
        assert 1e-3 < np.abs(signal).max() <= 0.9
        assert abs(signal.mean(dtype=float)) < 1e-6
        assert 0.6 < len(signal) / rate < 2.5


def test_same_seed_same_bytes():
    assert bytes_of(make_speech_corpus(2, 1, random_state=3)) == bytes_of(
        make_speech_corpus(2, 1, random_state=3)
    )
    assert bytes_of(make_speech_corpus(2, 1, random_state=3)) != bytes_of(
        make_speech_corpus(2, 1, random_state=4)
    )


def test_an_utterance_does_not_depend_on_the_others():
    few = bytes_of(make_speech_corpus(2, 1, ("anger", "calm"), random_state=3))
    many = bytes_of(make_speech_corpus(5, 3, ("neutral", "anger", "calm"), random_state=3))
    assert set(few) < set(many)


def test_global_generator_is_left_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    make_speech_corpus(2, 1, random_state=3)
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002


def test_pitch_by_gender(clean):
    neutral = clean[clean["emotion"] == "neutral"]
    hertz = 2 ** neutral.groupby("gender")["pitch"].median()
    assert 90 < hertz["male"] < 150
    assert 170 < hertz["female"] < 260


@pytest.mark.parametrize(
    ("measure", "high", "low", "least"),
    [
        ("pitch", "happiness", "neutral", 0.2),  # octaves
        ("pitch", "anger", "neutral", 0.1),
        ("pitch", "neutral", "sadness", 0.05),
        ("pitch_range", "happiness", "sadness", 0.05),
        ("level", "anger", "neutral", 4.0),  # dB
        ("level", "neutral", "sadness", 3.0),
        ("tilt", "anger", "neutral", 1.0),  # dB
        ("tilt", "neutral", "sadness", 1.0),
        ("seconds", "sadness", "anger", 0.2),
    ],
)
def test_emotion_moves_the_voice(clean, measure, high, low, least):
    # Within speakers, so that who speaks cannot explain it.
    table = clean.pivot_table(index="speaker", columns="emotion", values=measure)
    difference = table[high] - table[low]
    assert difference.mean() > least
    assert (difference > 0).mean() >= 0.75


def test_learnable_but_not_trivial(clean):
    X = clean[["pitch", "pitch_range", "level", "tilt", "seconds"]]
    model = make_pipeline(StandardScaler(), LinearSVC())
    score = cross_val_score(model, X, clean["emotion"], groups=clean["speaker"], cv=GroupKFold(4))
    assert 0.5 < score.mean() < 0.9


def test_a_channel_belongs_to_its_corpus():
    kinds = {
        name: measures(make_speech_corpus(4, 2, name=name, random_state=0).frame)
        for name in ("alpha", "gamma")
    }
    assert abs(kinds["alpha"]["level"].mean() - kinds["gamma"]["level"].mean()) > 3
    assert bytes_of(make_speech_corpus(1, 1, random_state=0)) != bytes_of(
        make_speech_corpus(1, 1, channel=None, random_state=0)
    )


def test_written_corpus_can_be_loaded(tmp_path):
    made = make_speech_corpus(2, 1, name="mine", root=tmp_path, random_state=0)
    loaded = load_corpus("mine", tmp_path)
    pd.testing.assert_frame_equal(loaded.frame, made.frame)
    import soundfile

    held = make_speech_corpus(2, 1, name="mine", random_state=0).frame["file"]
    for path, (signal, rate) in zip(made.frame["file"], held, strict=True):
        read, read_rate = soundfile.read(path, dtype="float32")
        assert read_rate == rate
        np.testing.assert_allclose(read, signal, atol=2**-15)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"emotions": ("anger", "love")}, r"one or more of \['anger'.*unknown: \['love'\]"),
        ({"emotions": ()}, r"emotions=\(\): expected a sequence"),
        ({"emotions": "anger"}, r"emotions='anger': expected a sequence"),
        ({"n_speakers": 0}, "n_speakers=0: expected a whole number of at least 1"),
        ({"n_speakers": 2.5}, "n_speakers=2.5: expected a whole number of at least 1"),
        ({"name": "a/b"}, "name='a/b': expected a non-empty string without '/'"),
        ({"n_utterances": 0}, "n_utterances=0: expected a whole number of at least 1"),
        ({"duration": 0.1}, "duration=0.1: expected a number of at least 0.4"),
        ({"sampling_rate": 4000}, "sampling_rate=4000: expected a whole number of at least 8000"),
        ({"channel": "phone"}, "channel='phone': expected 'auto' or None"),
        ({"naturalness": "real"}, "naturalness='real': expected 'acted', 'elicited'"),
    ],
)
def test_wrong_arguments(arguments, message):
    with pytest.raises(CorpusError, match=message):
        make_speech_corpus(**arguments)
