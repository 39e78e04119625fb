"""RepresentationDisplay and representation_silhouette."""

import sys
import types

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score
from sklearn.model_selection import GroupKFold, KFold, PredefinedSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from sklearn_ser.exceptions import MetadataError, MissingDependencyError
from sklearn_ser.inspection import RepresentationDisplay, representation_silhouette
from sklearn_ser.model_selection import LeaveOneCorpusOut, SpeakerKFold
from sklearn_ser.neural_network import MTLNeuralClassifier


def draw(estimators, speech, **options):
    return RepresentationDisplay.from_estimators(
        estimators, speech.X, speech.y, **{"method": "pca", "random_state": 0} | options
    )


def positions(display, name):
    return np.concatenate([dots.get_offsets().data for dots in display.dots_[name]])


class Identity(TransformerMixin, BaseEstimator):
    """Identity transformer that records its training data."""

    seen = []

    def fit(self, X, y=None, aux=None, speaker=None):
        self.fitted_ = True
        type(self).seen.append((np.asarray(X), y, aux, speaker))
        return self

    def transform(self, X):
        return np.asarray(X)


class Requesting(Identity):
    seen = []
    __metadata_request__fit = {"aux": True, "speaker": True}


def test_each_subplot_shows_the_representation_of_its_estimator(speech, single, multi):
    display = draw({"single-task": single, "multi-task": multi}, speech)
    for ax, (name, net) in zip(
        display.axes_, {"single-task": single, "multi-task": multi}.items(), strict=True
    ):
        expected = PCA(2, svd_solver="full").fit_transform(net.transform(speech.X).astype(float))
        np.testing.assert_allclose(display.embeddings[name], expected, atol=1e-8)
        assert ax.get_title(loc="left") == name
        shown = positions(display, name)
        for axis in (0, 1):
            np.testing.assert_allclose(np.sort(shown[:, axis]), np.sort(expected[:, axis]))
        assert ax.get_xlabel() == "principal component 1"
    assert display.labels.tolist() == speech.y.tolist()


def test_titles_have_silhouettes_of_the_representation_not_of_the_plane(speech, single):
    display = draw(single, speech, groups=speech.speaker, metric="cosine")
    representation = single.transform(speech.X).astype(float)
    expected = {
        "emotion": silhouette_score(representation, speech.y, metric="cosine"),
        "speaker": silhouette_score(representation, speech.speaker, metric="cosine"),
    }
    assert display.silhouettes == {"MTLNeuralClassifier": pytest.approx(expected)}
    (text,) = display.axes_[0].texts
    assert text.get_text() == (
        f"silhouette: emotion {expected['emotion']:.2f}, speaker {expected['speaker']:.2f}"
    )
    without = draw(single, speech)
    assert without.axes_[0].texts[0].get_text().count(",") == 0
    plane = silhouette_score(display.embeddings["MTLNeuralClassifier"], speech.y)
    assert plane != pytest.approx(expected["emotion"], abs=0.01)  # the premise


def test_colors_are_those_of_the_emotions_and_markers_those_of_style(speech, single):
    display = draw(single, speech, style=speech.corpus)
    first, second = display.dots_["MTLNeuralClassifier"]
    assert len(first.get_offsets()) == len(second.get_offsets()) == 60
    color = {
        tuple(position): tuple(rgb)
        for dots in (first, second)
        for position, rgb in zip(dots.get_offsets().data, dots.get_facecolors(), strict=True)
    }
    by_emotion = {
        emotion: {
            color[tuple(position)] for position in display.embeddings["MTLNeuralClassifier"][rows]
        }
        for emotion in ("anger", "neutral", "sadness")
        for rows in [speech.y == emotion]
    }
    assert [len(colors) for colors in by_emotion.values()] == [1, 1, 1]
    assert len(set.union(*by_emotion.values())) == 3
    assert [text.get_text() for text in display.axes_[0].get_legend().texts] == [
        *("anger", "neutral", "sadness"),
        " ",
        *("a", "b"),
    ]


def test_colors_of_labels_that_are_not_emotions(speech, single):
    numbers = np.select([speech.y == "anger", speech.y == "neutral"], [0, 1], 2)
    display = RepresentationDisplay.from_estimators(single, speech.X, numbers, method="pca")
    assert [text.get_text() for text in display.axes_[0].get_legend().texts] == ["0", "1", "2"]
    faces = display.dots_["MTLNeuralClassifier"][0].get_facecolors()
    assert len({tuple(face) for face in faces}) == 3


def test_unlabeled_and_failed_samples_are_left_out_of_every_subplot(speech, single, multi):
    X, y = speech.X.copy(), speech.y.astype(object)
    X[3] = np.nan
    y[5], y[8] = None, np.nan
    display = draw({"a": single, "b": single}, speech.__class__(X=X, y=y), style=speech.speaker)
    usable = np.setdiff1d(np.arange(120), [3, 5, 8])
    assert display.n_left_out == 3
    assert display.labels.tolist() == speech.y[usable].tolist()
    assert display.style.tolist() == speech.speaker[usable].tolist()
    assert {len(rows) for rows in display.embeddings.values()} == {117}
    expected = silhouette_score(single.transform(speech.X[usable]), speech.y[usable])
    assert display.silhouettes["a"]["emotion"] == pytest.approx(expected)


def test_missing_style_is_called_unknown(speech, single):
    style = speech.corpus.astype(object)
    style[:3] = None
    display = draw(single, speech, style=style)
    assert [len(dots.get_offsets()) for dots in display.dots_["MTLNeuralClassifier"]] == [57, 60, 3]


def test_tsne_has_the_same_seed_in_every_subplot(speech, single):
    X, y = speech.X[:40], speech.y[:40]
    options = {"method": "tsne", "metric": "cosine", "random_state": 3}
    twice = RepresentationDisplay.from_estimators({"a": single, "b": single}, X, y, **options)
    np.testing.assert_array_equal(twice.embeddings["a"], twice.embeddings["b"])
    seed = np.random.RandomState(3).randint(np.iinfo(np.int32).max)
    expected = TSNE(perplexity=13, init="pca", metric="cosine", random_state=seed).fit_transform(
        single.transform(X).astype(float)
    )
    np.testing.assert_allclose(twice.embeddings["a"], expected, rtol=1e-4, atol=1e-4)
    assert twice.axes_[0].get_xlabel() == "t-SNE 1"


def test_umap_is_called_with_metric_and_seed(speech, single, monkeypatch):
    calls = []

    class UMAP:
        def __init__(self, **options):
            calls.append(options)

        def fit_transform(self, rows):
            return rows[:, :2]

    monkeypatch.setitem(sys.modules, "umap", types.SimpleNamespace(UMAP=UMAP))
    display = draw(single, speech, method="umap", metric="cosine")
    seed = np.random.RandomState(0).randint(np.iinfo(np.int32).max)
    assert calls == [{"n_neighbors": 15, "metric": "cosine", "random_state": seed, "n_jobs": 1}]
    expected = single.transform(speech.X)[:, :2]
    np.testing.assert_array_equal(display.embeddings["MTLNeuralClassifier"], expected)
    assert display.axes_[0].get_ylabel() == "UMAP 2"


def test_error_without_umap(speech, single, monkeypatch):
    monkeypatch.setitem(sys.modules, "umap", None)
    message = (
        r'RepresentationDisplay\(method="umap"\) needs the package \'umap\', which is not '
        r"installed: pip install 'sklearn-ser\[umap\]'"
    )
    with pytest.raises(MissingDependencyError, match=message):
        draw(single, speech, method="umap")


def test_given_axes_and_plotting_again(speech, single):
    given = Figure().subplots(1, 2)
    display = draw({"a": single, "b": single}, speech, ax=given)
    assert display.axes_ == list(given)
    with pytest.raises(
        ValueError, match=r"ax has 1 Axes, but this display has 2 subplots \(a, b\)"
    ):
        display.plot(ax=Figure().subplots())
    assert len(display.plot().axes_) == 2


def test_fold_silhouettes_are_in_the_title(speech, single):
    table = pd.DataFrame(
        {"estimator": "net", "fold": range(3), "n_rows": 40, "silhouette": [0.1, np.nan, 0.3]}
    )
    display = draw({"net": single}, speech, fold_silhouettes=table)
    below = display.axes_[0].texts[0].get_text().split("\n")
    assert below[1] == "in 2 folds: emotion 0.20 ± 0.14"
    with pytest.raises(ValueError, match=r"has the estimators \['net'\], but not 'other'"):
        draw({"other": single}, speech, fold_silhouettes=table)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "lda"}, "method must be one of tsne, umap, pca, got 'lda'"),
        ({"metric": "manhattan"}, "metric must be one of euclidean, cosine, got 'manhattan'"),
        ({"style": np.arange(120)}, "style has 120 different values, but there are only 8 markers"),
        ({"groups": ["s"]}, "inconsistent numbers of samples"),
    ],
)
def test_invalid_options(speech, single, options, message):
    with pytest.raises(ValueError, match=message):
        draw(single, speech, **options)


def test_invalid_estimators(speech, single):
    svm = make_pipeline(StandardScaler(), SVC()).fit(speech.X, speech.y)
    with pytest.raises(ValueError, match=r"'svm' has no transform, so it has no representation"):
        draw({"net": single, "svm": svm}, speech)
    with pytest.raises(NotFittedError):
        draw(MTLNeuralClassifier(), speech)
    with pytest.raises(ValueError, match="2 of 120 samples have a label and usable features"):
        draw(single, speech.__class__(X=speech.X, y=np.array(["anger"] * 2 + [None] * 118)))


def test_error_of_tables_in_another_order(speech, single):
    X = pd.DataFrame(speech.X, index=[f"u{i}" for i in range(120)])
    y = pd.Series(speech.y, index=X.index)
    table = speech.__class__(X=X, y=y[::-1])
    for look in (draw, lambda net, at: representation_silhouette(net, at.X, at.y, cv=KFold(2))):
        with pytest.raises(MetadataError, match="y has the index labels of X in another order"):
            look(StandardScaler().fit(X), table)


def test_silhouettes_are_cross_validated(speech):
    nets = {
        "net": MTLNeuralClassifier(hidden_units=(8,), max_epochs=3, random_state=0),
        "features": make_pipeline(StandardScaler()),
    }
    table = representation_silhouette(
        nets, speech.X, speech.y, aux=speech.aux, speaker=speech.speaker, cv=3, metric="cosine"
    )
    folds = list(SpeakerKFold(3).split(speech.X, speech.y, speaker=speech.speaker))
    expected = []
    for train, test in folds:
        net = clone(nets["net"]).fit(
            speech.X[train],
            speech.y[train],
            aux=speech.aux.iloc[train],
            groups=speech.speaker[train],
        )
        expected.append(
            silhouette_score(
                net.transform(speech.X[test]).astype(float), speech.y[test], metric="cosine"
            )
        )
    assert table.columns.tolist() == ["estimator", "fold", "n_rows", "silhouette"]
    assert table["estimator"].tolist() == ["net"] * 3 + ["features"] * 3
    assert table["fold"].tolist() == [0, 1, 2] * 2
    assert table["n_rows"].tolist() == [len(test) for _, test in folds] * 2
    assert table["silhouette"][:3].tolist() == pytest.approx(expected)
    assert not hasattr(nets["net"], "classes_")


def test_fit_gets_the_requested_metadata_of_the_training_set(speech):
    Identity.seen.clear()
    Requesting.seen.clear()
    X = np.c_[np.arange(120.0), np.ones(120)]
    aux = pd.DataFrame({"gender": np.arange(120)})
    representation_silhouette(
        {"requesting": Requesting(), "identity": Identity()},
        X,
        speech.y,
        aux=aux,
        speaker=speech.speaker,
        cv=2,
    )
    assert [(aux, speaker) for _, _, aux, speaker in Identity.seen] == [(None, None)] * 2
    for rows, y, aux_given, speaker in Requesting.seen:
        rows = rows[:, 0].astype(int)
        assert len(rows) == 60
        assert y.tolist() == speech.y[rows].tolist()
        assert aux_given["gender"].tolist() == rows.tolist()
        assert speaker.tolist() == speech.speaker[rows].tolist()


def test_undefined_silhouettes_are_nan():
    y = np.array(["anger"] * 4 + ["anger", "sadness"] * 2 + ["anger", "sadness"], dtype=object)
    X = np.random.default_rng(0).normal(size=(10, 2))
    folds = PredefinedSplit([0] * 4 + [1] * 4 + [2] * 2)  # one class; two; one sample per class
    table = representation_silhouette(Identity(), X, y, cv=folds)
    assert table["silhouette"].isna().tolist() == [True, False, True]
    assert table["n_rows"].tolist() == [4, 4, 2]


def test_unlabeled_and_failed_samples_are_not_scored():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), np.array(["anger", "sadness"] * 10, dtype=object)
    X[2], y[5] = np.nan, None
    table = representation_silhouette(Identity(), X, y, cv=PredefinedSplit([0] * 10 + [1] * 10))
    assert table["n_rows"].tolist() == [8, 10]
    usable = [0, 1, 3, 4, 6, 7, 8, 9]
    assert table["silhouette"][0] == pytest.approx(
        silhouette_score(X[usable], y[usable].astype(str))
    )


def test_ids_of_splitters(speech):
    X = pd.DataFrame(speech.X)
    by_corpus = representation_silhouette(
        Identity(), X, speech.y, corpus=speech.corpus, cv=LeaveOneCorpusOut()
    )
    assert by_corpus["n_rows"].tolist() == [60, 60]
    by_group = representation_silhouette(
        Identity(), X, speech.y, speaker=speech.speaker, cv=GroupKFold(3)
    )
    assert by_group["n_rows"].tolist() == [40, 40, 40]
    in_index = X.set_axis(pd.Index(speech.speaker, name="speaker"))
    by_level = representation_silhouette(Identity(), in_index, speech.y, cv=6)
    assert by_level["n_rows"].tolist() == [20] * 6
    with pytest.raises(MetadataError, match="SpeakerKFold got neither speaker="):
        representation_silhouette(Identity(), X, speech.y)


def test_frame_sequences(speech):
    frames = [np.tile(row, (3, 1)) for row in speech.X]
    mean = FunctionTransformer(lambda rows: np.stack([row.mean(axis=0) for row in rows]))
    of_frames = representation_silhouette(mean, frames, speech.y, speaker=speech.speaker, cv=2)
    plain = representation_silhouette(Identity(), speech.X, speech.y, speaker=speech.speaker, cv=2)
    assert of_frames["silhouette"].tolist() == pytest.approx(plain["silhouette"].tolist(), rel=1e-5)


def test_errors_of_representation_silhouette(speech):
    with pytest.raises(ValueError, match="'SVC' has no transform, so it has no representation"):
        representation_silhouette(SVC(), speech.X, speech.y, speaker=speech.speaker)
    with pytest.raises(MetadataError, match="aux is a dict, but must be a DataFrame"):
        representation_silhouette(Identity(), speech.X, speech.y, aux={"gender": speech.y})
    with pytest.raises(ValueError, match="metric must be one of euclidean, cosine, got 'l1'"):
        representation_silhouette(Identity(), speech.X, speech.y, metric="l1")
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        representation_silhouette(Identity(), speech.X, speech.y, speaker=["s"])


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_a_collapsed_representation_is_drawn_as_one_point(speech, method):
    class Collapsed(Identity):
        def transform(self, X):
            return np.full((len(X), 4), 3.0) + 1e-12 * np.asarray(X)[:, :4]

    estimator = Collapsed().fit(speech.X)
    display = draw(estimator, speech, method=method)
    assert not positions(display, "Collapsed").any()


def test_the_sentinel_value_of_an_estimator_is_not_an_emotion(speech):
    class WithSentinel(Identity):
        def __init__(self, unlabeled=-1):
            self.unlabeled = unlabeled

    y = speech.y.astype(object)
    y[::4] = -1
    display = RepresentationDisplay.from_estimators(
        WithSentinel().fit(speech.X), speech.X, y, method="pca"
    )
    assert set(display.labels) == set(speech.y)
    table = representation_silhouette(WithSentinel(), speech.X, y, speaker=speech.speaker, cv=3)
    none = np.where(y == -1, None, y)
    expected = representation_silhouette(Identity(), speech.X, none, speaker=speech.speaker, cv=3)
    assert table["silhouette"].tolist() == expected["silhouette"].tolist()
