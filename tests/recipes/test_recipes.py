"""Recipes: from audio to predictions, parameters and errors."""

import inspect
import re

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import FeatureUnion
from sklearn.svm import SVC

from sklearn_ser import (
    LeaveOneCorpusOut,
    OpenSmileExtractor,
    SpeakerEmbedding,
    load_features,
    make_dnn_elm,
    make_lstm_elm,
    make_mtl_aug,
    make_multi_task_net,
    make_self_trained_net,
    make_single_task_net,
    make_speech_corpus,
    make_svm_baseline,
    uar_score,
)
from sklearn_ser.recipes import FEATURES
from sklearn_ser.utils._nested_estimators import parameters_named

_NO_AUDIO = {make_mtl_aug: {"speed": ()}}
#: Names of the verbosity of what recipes train.
_TRAINED = ("net__verbose", "highlevel__estimator__verbose", "search__estimator__verbose")
MAKERS = [make_svm_baseline, make_single_task_net, make_multi_task_net, make_self_trained_net]


@pytest.fixture(scope="module")
def speech():
    return make_speech_corpus(n_speakers=6, n_utterances=1, random_state=0).frame


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("features", FEATURES)
def test_from_audio_to_emotion(make, features, speech):
    params = {} if make is make_svm_baseline else {"max_epochs": 3, "random_state": 0}
    model = clone(make(features, **params))
    X = speech[["file", "corpus", "speaker"]]
    metadata = {} if make is make_svm_baseline else {"aux": speech[["gender"]]}
    with config_context(enable_metadata_routing=True):
        model.fit(X, speech["emotion"], speaker=speech["speaker"], **metadata)
    predicted = model.predict(X)
    assert set(predicted) <= set(speech["emotion"])
    names = model[:-1].get_feature_names_out() if make is not make_svm_baseline else ()
    assert len(set(names)) == len(names)


def test_both_features_stand_side_by_side_with_their_ids(speech):
    union = make_svm_baseline("both").named_steps["features"]
    assert isinstance(union, FeatureUnion)
    table = union.fit_transform(speech[["file", "corpus", "speaker"]])
    assert table.shape == (len(speech), 88 + 512)
    assert list(table.index.names) == ["corpus", "speaker"]


def test_svm_search_finds_its_speakers_in_X_or_in_metadata():
    data = load_features("egemaps")
    rows = (data.frame["corpus"] == "emodb").to_numpy()
    X, y = data.X[rows], data.frame["emotion"][rows]
    by_level = make_svm_baseline(None, Cs=[1e-3, 1e-2], cv=3).fit(X, y)
    by_metadata = make_svm_baseline(None, Cs=[1e-3, 1e-2], cv=3, scale_by=None)
    with config_context(enable_metadata_routing=True):
        by_metadata.fit(X.reset_index(drop=True), y, speaker=data.frame["speaker"][rows])
    for name in ("mean_test_score", "split0_test_score"):
        np.testing.assert_allclose(
            by_level.estimator_.cv_results_[name],
            by_metadata.estimator_.cv_results_[name],
            atol=0.05,
        )


def test_inner_folds_may_be_any_splitter():
    by_corpus = make_svm_baseline(None, cv=LeaveOneCorpusOut())
    assert isinstance(by_corpus.estimator.cv, LeaveOneCorpusOut)
    assert make_svm_baseline(None, cv=4).estimator.cv.n_splits == 4


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA, ""])
@pytest.mark.parametrize("dtype", [object, "string"])
def test_the_svm_names_samples_without_a_label(missing, dtype):
    data = load_features("egemaps")
    rows = (data.frame["corpus"] == "emodb").to_numpy()
    y = data.frame["emotion"][rows].astype(object)
    y.iloc[7] = missing
    message = "GridSearchCV needs the label of every sample, and y has none (None, NaN or an"
    for labels in (y.astype(dtype), y.to_numpy(object), y.tolist()):
        with pytest.raises(ValueError, match=re.escape(message) + " empty string\\) in row 7"):
            make_svm_baseline(None, Cs=[1e-3]).fit(data.X[rows], labels)


@pytest.mark.parametrize("make", [*MAKERS, make_dnn_elm, make_lstm_elm, make_mtl_aug])
def test_verbose_reaches_every_part(make):
    assert inspect.signature(make).parameters["verbose"].default == 0
    for verbose in (0, 2):
        found = parameters_named(make(verbose=verbose), "verbose")
        found = [found[path] for path in found if path.endswith(("features__verbose", *_TRAINED))]
        assert found == [verbose, verbose]


@pytest.mark.parametrize("make", [*MAKERS, make_dnn_elm, make_lstm_elm, make_mtl_aug])
def test_recipes_take_a_random_state(make):
    assert inspect.signature(make).parameters["random_state"].default is None
    seeds = [
        value
        for name, value in make(features=None, random_state=7, **_NO_AUDIO.get(make, {}))
        .get_params()
        .items()
        if name.split("__")[-1] == "random_state"
    ]
    assert 7 in seeds


def test_single_task_net_ignores_auxiliary_targets():
    assert make_single_task_net(None).named_steps["net"].tasks is None


def test_features_may_be_a_custom_step():
    step = OpenSmileExtractor("GeMAPSv01b")
    assert make_single_task_net(step).named_steps["features"] is step
    assert isinstance(make_svm_baseline().named_steps["features"], SpeakerEmbedding)


@pytest.mark.parametrize("make", MAKERS)
def test_unknown_features(make):
    message = r"features must be one of \['ge2e', 'egemaps', 'both'\], a transformer or None, got"
    with pytest.raises(ValueError, match=message):
        make("mfcc")
    with pytest.raises(ValueError, match=message):
        make(SVC)


@pytest.mark.parametrize("make", [make_dnn_elm, make_lstm_elm])
def test_elm_recipes_reject_unlabeled_samples(make):
    with pytest.raises(ValueError, match=r"^unlabeled=-1: the extreme learning machine needs the"):
        make(unlabeled=-1)


def test_self_training_improves_on_an_unlabeled_corpus():
    data = load_features("ge2e")
    rows = data.frame["corpus"].isin(["emodb", "ravdess"])
    rows = (
        rows & data.frame["emotion"].isin(["anger", "happiness", "neutral", "sadness"])
    ).to_numpy()
    frame, X = data.frame[rows], data.X[rows]
    target = (frame["corpus"] == "emodb").to_numpy()
    y = frame["emotion"].where(~target, None)
    aux = frame[["gender"]].where(~target[:, None], None)
    model = make_self_trained_net(None, random_state=0).fit(X, y, net__aux=aux)
    net = model.named_steps["net"]
    assert net.pseudo_labels_["selected"][net.pseudo_labels_["retained"]].item() > 0
    alone = clone(model).set_params(net__pseudo_labels=None).fit(X, y, net__aux=aux)
    y_true = frame["emotion"][target]
    self_trained, plain = (
        uar_score(y_true, fitted.predict(X[target])) for fitted in (model, alone)
    )
    assert self_trained > plain + 0.03
    assert self_trained > 0.8
