import json

import numpy as np
import pandas as pd
import pytest
import soundfile
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser import (
    AugmentingClassifier,
    FeatureStore,
    OpenSmileExtractor,
    cross_corpus_validate,
    make_speech_corpus,
)
from sklearn_ser.augmentation import Gain
from sklearn_ser.evaluation import fit_model
from sklearn_ser.evaluation._audio_steps import audio_steps, extract, split_extraction
from sklearn_ser.exceptions import AudioError, EvaluationWarning


@pytest.fixture(scope="module")
def speech():
    parts = [
        make_speech_corpus(n_speakers=4, n_utterances=1, name=name, random_state=seed).frame
        for seed, name in enumerate("ab")
    ]
    return pd.concat(parts, ignore_index=True)


def svm():
    return make_pipeline(OpenSmileExtractor(), StandardScaler(), LinearSVC(C=0.01))


def test_leading_audio_steps_are_separated():
    extraction, rest = split_extraction(svm())
    assert [name for name, _ in extraction] == ["opensmileextractor"]
    assert [name for name, _ in rest.steps] == ["standardscaler", "linearsvc"]


def test_a_union_of_audio_steps_is_an_audio_step():
    union = FeatureUnion([("a", OpenSmileExtractor()), ("b", OpenSmileExtractor("IS09"))])
    extraction, rest = split_extraction(Pipeline([("features", union), ("svm", LinearSVC())]))
    assert len(extraction) == 1
    assert len(audio_steps(extraction[0][1])) == 2
    assert len(rest.steps) == 1


def test_other_stateless_steps_stay_inside_the_folds():
    """They may depend on the whole batch: run before the folds, they would leak test rows."""
    center = FunctionTransformer(lambda X: X - X.mean())
    pipeline = make_pipeline(OpenSmileExtractor(), center, LinearSVC())
    extraction, rest = split_extraction(pipeline)
    assert len(extraction) == 1
    assert len(rest.steps) == 2
    assert split_extraction(make_pipeline(center, LinearSVC()))[0] == []
    assert split_extraction(LinearSVC())[0] == []


def test_separation_changes_no_number(speech):
    result = cross_corpus_validate({"svm": svm()}, speech, aux=())
    for name in "ab":
        test = (speech["corpus"] == name).to_numpy()
        X = speech[["file", "corpus", "speaker", "text"]]
        model = svm().set_params(linearsvc__random_state=0)
        model.fit(X[~test], speech["emotion"][~test])
        part = result.predictions[result.predictions["corpus"] == name]
        assert part["y_pred"].tolist() == model.predict(X[test]).tolist()


def test_distinct_extractions_run_once_each(speech, monkeypatch):
    import sklearn_ser.evaluation._validate as module

    ran = []
    monkeypatch.setattr(
        module, "extract", lambda *args, **kwargs: ran.append(args) or extract(*args, **kwargs)
    )
    other = make_pipeline(OpenSmileExtractor("IS09"), StandardScaler(), LinearSVC())
    parallel = make_pipeline(OpenSmileExtractor(n_jobs=2), StandardScaler(), LinearSVC())
    cross_corpus_validate({"a": svm(), "b": parallel, "c": other}, speech, aux=())
    assert len(ran) == 2


def spoiled(speech):
    frame = speech.copy()
    frame.at[3, "file"] = "nowhere.wav"
    frame.at[20, "file"] = (np.zeros(16000, dtype=np.float32), 16000)
    return frame


def test_bad_audio_is_an_error_by_default(speech):
    with pytest.raises(AudioError, match=r"row 3, file 'nowhere\.wav'"):
        cross_corpus_validate({"svm": svm()}, spoiled(speech), aux=())


def test_bad_audio_can_count_as_a_miss(speech, tmp_path):
    lenient = svm().set_params(opensmileextractor__on_error="ignore")
    arguments = ({"svm": lenient}, spoiled(speech))
    with pytest.warns(
        EvaluationWarning, match=r"2 utterances had no usable audio .*row 3 \(nowhere"
    ):
        result = cross_corpus_validate(*arguments, aux=(), out=tmp_path)
    failed = result.predictions[result.predictions["failed"]]
    assert sorted(failed["row"]) == [3, 20]
    assert [remark.split(":")[0] for remark in result.remarks()[1:3]] == [
        "  nowhere.wav", "  row 20"
    ]  # fmt: skip
    details = json.loads((tmp_path / "result.json").read_text(), parse_constant=pytest.fail)
    assert details["failures"]["file"] == ["nowhere.wav", None]
    with pytest.warns(EvaluationWarning, match="2 utterances"):
        again = cross_corpus_validate(*arguments, aux=(), out=tmp_path)
    assert again.summary().equals(result.summary())


def test_audio_steps_of_a_searched_pipeline_are_separated(speech):
    search = GridSearchCV(svm(), {"linearsvc__C": [0.01, 0.1]}, cv=3)
    extraction, rest = split_extraction(search)
    assert [name for name, _ in extraction] == ["opensmileextractor"]
    assert [name for name, _ in rest.estimator.steps] == ["standardscaler", "linearsvc"]
    assert len(search.estimator.steps) == 3
    over_features = GridSearchCV(svm(), {"opensmileextractor__feature_set": ["IS09"]})
    assert split_extraction(over_features)[0] == []
    model = fit_model(search, speech, aux=())
    assert len(model.predict(speech[["file"]].head(3))) == 3


def test_features_extracted_before_an_interrupt_are_reused(speech, tmp_path, monkeypatch):
    extracted, extract_batch = [], OpenSmileExtractor._extract_batch

    def interrupt_at_the_end(self, signals):
        if len(extracted) == len(speech) - 1:
            raise KeyboardInterrupt
        extracted.extend(signals)
        return extract_batch(self, signals)

    monkeypatch.setattr(OpenSmileExtractor, "_extract_batch", interrupt_at_the_end)
    with pytest.raises(KeyboardInterrupt):
        cross_corpus_validate({"svm": svm()}, speech, aux=(), out=tmp_path)
    before = len(extracted)
    monkeypatch.setattr(
        OpenSmileExtractor,
        "_extract_batch",
        lambda self, signals: (extracted.extend(signals), extract_batch(self, signals))[1],
    )
    resumed = cross_corpus_validate({"svm": svm()}, speech, aux=(), out=tmp_path)
    assert len(extracted) - before < len(speech) / 2
    monkeypatch.undo()
    whole = cross_corpus_validate({"svm": svm()}, speech, aux=())
    pd.testing.assert_frame_equal(resumed.predictions, whole.predictions)


def test_a_changed_file_is_extracted_again(speech, tmp_path):
    frame = speech.copy()
    for row, (signal, rate) in enumerate(speech["file"]):
        soundfile.write(tmp_path / f"{row}.wav", signal, rate)
        frame.at[row, "file"] = str(tmp_path / f"{row}.wav")
    cross_corpus_validate({"svm": svm()}, frame, aux=(), out=tmp_path / "out")
    signal, rate = speech["file"][0]
    soundfile.write(tmp_path / "0.wav", signal[: len(signal) // 2], rate)
    cross_corpus_validate({"svm": svm()}, frame, aux=(), out=tmp_path / "out")
    assert FeatureStore(tmp_path / "out" / "features").info()["entries"] == len(frame) + 1


def test_audio_steps_within_a_meta_estimator_use_the_store_too(speech, tmp_path, monkeypatch):
    augmented = AugmentingClassifier(svm(), {"louder": Gain(6.0)}, random_state=0)
    expected = cross_corpus_validate({"svm": augmented}, speech, aux=())
    done = []
    extract_one = OpenSmileExtractor._extract

    def counted(self, signal):
        done.append(signal)
        return extract_one(self, signal)

    monkeypatch.setattr(OpenSmileExtractor, "_extract", counted)
    result = cross_corpus_validate({"svm": augmented}, speech, aux=(), out=tmp_path)
    pd.testing.assert_frame_equal(result.predictions, expected.predictions)
    # Each utterance once unchanged and once louder, although it is used in both folds.
    assert len(done) == 2 * len(speech)
    assert augmented.estimator.steps[0][1].store is None
