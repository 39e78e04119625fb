"""make_mtl_aug: parameters, and a small training from audio."""

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone

from sklearn_ser import (
    LeaveOneCorpusOut,
    LogMelSpectrogram,
    load_model,
    make_mtl_aug,
    make_speech_corpus,
    save_model,
)
from sklearn_ser.augmentation import AddNoise
from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.model_selection import SemiSupervisedSplit

SMALL = {
    "hidden_units": (8,),
    "encoder_params": {"channels": [4, 8]},
    "max_epochs": 2,
    "validation_fraction": 0.4,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def speech():
    frame = make_speech_corpus(n_speakers=6, n_utterances=2, random_state=0).frame
    return frame.assign(corpus=np.where(frame.index % 3 == 0, "a", "b"))


def columns(frame):
    return frame[["file", "corpus", "speaker"]]


def test_from_audio_to_emotion_with_unlabeled_rows(speech, tmp_path):
    y = speech["emotion"].astype(object).where(speech["corpus"] == "b", None)
    step = LogMelSpectrogram(n_mels=16, hop_length=0.03, store=tmp_path / "store")
    model = make_mtl_aug(step, noise=AddNoise(10.0), **SMALL)
    model.fit(columns(speech), y, speaker=speech["speaker"])
    labeled = int(y.notna().sum())
    counts = model.n_rows_
    assert {name: counts[name] for name in counts if name != "mixup"} == dict.fromkeys(
        ["original", "speed_0.9", "speed_1.1", "noise", "specaugment"], len(speech)
    )
    assert labeled <= counts["mixup"] <= 2 * labeled
    net = model.estimator_.named_steps["net"]
    assert net.aux_classes_["augmentation"].tolist() == sorted(counts)
    assert net.validation_split_["kind"] == "groups"
    assert "train_loss_reconstruction" in net.history_
    assert set(model.predict(columns(speech))) <= set(speech["emotion"])
    kinds = model.predict_aux(columns(speech))
    assert set(kinds["augmentation"]) <= set(counts)
    save_model(model, tmp_path / "model.ser")
    loaded = load_model(tmp_path / "model.ser")
    np.testing.assert_allclose(
        loaded.predict_proba(columns(speech)), model.predict_proba(columns(speech)), atol=1e-6
    )


def test_test_corpora_are_scored_and_hidden_ones_are_not(speech):
    step = LogMelSpectrogram(n_mels=16, hop_length=0.03)
    model = make_mtl_aug(step, speed=(), **SMALL).set_params(estimator__net__early_stopping=False)
    frame = speech.assign(corpus=np.array(["a", "b", "c"])[np.arange(len(speech)) % 3])
    y = frame["emotion"].astype(object).where(frame["corpus"] != "c", None)
    cv = SemiSupervisedSplit(LeaveOneCorpusOut())
    for train, test in cv.split(columns(frame), y):
        fitted = clone(model).fit(columns(frame).iloc[train], y.iloc[train])
        assert fitted.n_rows_["original"] == len(train)
        assert pd.notna(fitted.predict(columns(frame).iloc[test])).all()


@pytest.mark.parametrize(
    ("switches", "augmenters", "tasks"),
    [
        ({}, ["speed_0.9", "speed_1.1", "mixup", "specaugment"],
         ["augmentation", "reconstruction"]),
        ({"speed": (), "mixup": False, "noise": True, "reconstruction": False},
         ["specaugment", "noise"], ["augmentation"]),
        ({"speed": (1.2,), "specaugment": False, "type_task": False}, ["speed_1.2", "mixup"],
         ["reconstruction"]),
        ({"type_task": False, "reconstruction": False},
         ["speed_0.9", "speed_1.1", "mixup", "specaugment"], None),
        ({"speed": (), "mixup": False, "specaugment": False}, [], ["reconstruction"]),
    ],
)  # fmt: skip
def test_switches(switches, augmenters, tasks):
    model = make_mtl_aug(**switches)
    assert list(model.augmenters) == augmenters
    found = model.estimator.named_steps["net"].tasks
    assert (None if found is None else list(found)) == tasks
    clone(model)


def test_single_task_without_augmentation_is_the_plain_network(speech):
    plain = {"speed": (), "mixup": False, "specaugment": False, "reconstruction": False}
    model = make_mtl_aug(LogMelSpectrogram(n_mels=16, hop_length=0.03), **plain, **SMALL)
    X, y = columns(speech), speech["emotion"]
    model.fit(X, y, speaker=speech["speaker"])
    assert model.n_rows_ == {"original": len(speech)}
    with config_context(enable_metadata_routing=True):
        alone = clone(model.estimator).fit(X, y, speaker=speech["speaker"])
    np.testing.assert_array_equal(model.predict_proba(X), alone.predict_proba(X))


def test_precomputed_frames(speech):
    frames = LogMelSpectrogram(n_mels=16, hop_length=0.03).fit_transform(columns(speech))
    model = make_mtl_aug(None, speed=(), perturbation__augmenters=["specaugment"], **SMALL)
    model.fit(frames, speech["emotion"])
    assert list(model.n_rows_) == ["original", "mixup", "specaugment"]
    assert model.estimator_.named_steps["net"].validation_split_["kind"] == "groups"
    with pytest.raises(ValueError, match="features=None: X holds frame sequences, whose speed"):
        make_mtl_aug(None)


@pytest.mark.parametrize("speed", [0.9, False, "0.9"])
def test_speed_must_be_a_sequence(speed):
    with pytest.raises(ValueError, match=r"sequence of factors, .* or \(\) for none; got"):
        make_mtl_aug(speed=speed)


def test_every_augmentation_switched_off_in_a_search(speech):
    frames = LogMelSpectrogram(n_mels=16, hop_length=0.03).fit_transform(columns(speech))
    model = make_mtl_aug(None, speed=(), specaugment=False, **SMALL)
    model.set_params(augmenters__mixup=None)
    with pytest.warns(TrainingWarning, match=r"constant .* left out: 'augmentation' \(only 'orig"):
        model.fit(frames, speech["emotion"])
    assert model.n_rows_ == {"original": len(speech)}
    assert "augmentation" not in model.estimator_["net"].aux_classes_
