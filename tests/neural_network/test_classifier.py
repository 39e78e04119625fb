"""MTLNeuralClassifier as its users meet it: labels, missing rows, masks, errors."""

import inspect
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from sklearn_ser.exceptions import MetadataError, SerError, TrainingWarning
from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.neural_network.encoders._registry import ENCODERS
from sklearn_ser.neural_network.tasks._make_tasks import SHORT_NAMES, TASK_KINDS
from tests import conftest


def net(**parameters):
    return MTLNeuralClassifier().set_params(**({"max_epochs": 20, "random_state": 0} | parameters))


@pytest.fixture(scope="module")
def fitted(speech):
    """Do not fit again."""
    return net().fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)


def test_learns_all_tasks(speech, fitted):
    assert fitted.score(speech.X, speech.y) > 0.8
    predicted = fitted.predict_aux(speech.X)
    assert (predicted["gender"] == speech.aux["gender"]).mean() > 0.85
    assert np.corrcoef(predicted["arousal"], speech.aux["arousal"])[0, 1] > 0.6
    assert predicted["arousal"].std() > 0.2
    assert fitted.aux_classes_["gender"].tolist() == ["female", "male"]
    assert list(fitted.aux_classes_) == ["gender"]


def test_probabilities_belong_to_the_labels(speech, fitted):
    probabilities = fitted.predict_proba(speech.X)
    assert np.array_equal(fitted.classes_[probabilities.argmax(axis=1)], fitted.predict(speech.X))
    np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
    by_task = fitted.predict_aux_proba(speech.X)
    assert list(by_task) == ["gender"]
    assert by_task["gender"].columns.tolist() == ["female", "male"]
    assert (by_task["gender"].idxmax(axis=1) == fitted.predict_aux(speech.X)["gender"]).all()


def test_representation_feeds_the_head(speech, fitted):
    shared = fitted.transform(speech.X)
    assert (shared.shape, shared.dtype) == ((240, 128), np.float32)
    head = fitted.net_.module_.heads[0]
    outputs = shared @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    assert np.array_equal(fitted.classes_[outputs.argmax(axis=1)], fitted.predict(speech.X))
    assert fitted.get_feature_names_out()[-1] == "mtlneuralclassifier127"
    assert (
        net(compute__dtype="float64", max_epochs=1).fit_transform(speech.X, speech.y).dtype
        == np.float64
    )


def test_tables_keep_their_index(speech):
    X = pd.DataFrame(speech.X, index=pd.Index(speech.speaker, name="speaker")).add_prefix("f")
    model = net(max_epochs=1).set_output(transform="pandas").fit(X, speech.y, aux=speech.aux)
    assert model.predict_aux(X).index.equals(X.index)
    assert model.predict_aux_proba(X)["gender"].index.equals(X.index)
    assert model.transform(X).index.equals(X.index)


def test_a_row_masked_for_a_task_changes_nothing_for_it(speech):
    aux = speech.aux[["gender"]].copy()
    masked = np.zeros(240, dtype=bool)
    masked[::3] = True
    aux.loc[masked, "gender"] = None
    X = speech.X.copy()
    parameters = {
        "early_stopping": False,
        "y_task__class_weight": {"anger": 1, "neutral": 0, "sadness": 1},
    }
    # With no row labeled for y in these rows either, their features cannot matter at all.
    y = speech.y.astype(object)
    y[masked] = None
    one = net(unlabeled="nan", **parameters).fit(X, y, aux=aux)
    X[masked] = 0.5
    other = net(unlabeled="nan", **parameters).fit(X, y, aux=aux)
    assert one._weights == other._weights
    aux.loc[masked, "gender"] = "male"
    assert net(unlabeled="nan", **parameters).fit(X, y, aux=aux)._weights != one._weights


def test_rows_masked_for_all_tasks_equal_absent_rows(speech):
    """A masked target is neither learned (as the mean, say) nor counted in the mean loss."""
    masked = np.arange(240) % 3 == 0
    y = np.roll(speech.y, 1).astype(object)  # all classes are left in the other rows
    y[masked] = None
    aux = speech.aux.copy()
    aux.loc[masked, "gender"] = None
    aux.loc[masked, "arousal"] = np.nan
    parameters = {
        "batch_size": None,
        "dropout": 0.0,
        "perturbation__noise": 0.0,
        "early_stopping": False,
        "compute__dtype": "float64",
    }
    model = net(unlabeled="nan", **parameters).fit(speech.X, y, aux=aux)
    absent = net(**parameters).fit(speech.X[~masked], y[~masked].astype(str), aux=aux[~masked])
    pd.testing.assert_frame_equal(model.history_, absent.history_, rtol=1e-9)


@pytest.mark.parametrize("marker", [-1, "nan"])
def test_unlabeled_rows_train_the_auxiliary_tasks(speech, marker):
    codes = np.unique(speech.y, return_inverse=True)[1]
    y = codes.astype(float if marker == "nan" else int)
    unlabeled = np.arange(240) % 4 != 0
    y[unlabeled] = np.nan if marker == "nan" else -1
    aux = speech.aux[["gender"]].copy()
    aux.loc[~unlabeled, "gender"] = None  # gender is known only where emotion is not
    model = net(unlabeled=marker).fit(speech.X, y, aux=aux, groups=speech.speaker)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.score(speech.X, codes) > 0.6
    assert (model.predict_aux(speech.X)["gender"] == speech.aux["gender"]).mean() > 0.8
    assert model.validation_split_["n_train"] + model.validation_split_["n_valid"] == 60


def test_unlabeled_strings(speech):
    y = speech.y.astype(object)
    y[:100] = None
    y[3] = np.nan
    assert net(unlabeled="nan", max_epochs=1).fit(speech.X, y).classes_.tolist() == [
        "anger",
        "neutral",
        "sadness",
    ]
    y[:100] = -1
    assert len(net(unlabeled=-1, max_epochs=1).fit(speech.X, y).classes_) == 3
    with pytest.raises(ValueError, match="y has no labeled sample"):
        net(unlabeled=-1).fit(speech.X, np.full(240, -1))


def test_minus_one_is_an_ordinary_label(speech):
    y = np.where(speech.y == "anger", -1, 1)
    assert net(max_epochs=1).fit(speech.X, y).classes_.tolist() == [-1, 1]


def test_failed_audio_is_left_out_and_predicted_as_missing(speech, fitted):
    failed = np.array([0, 7, 200])
    X = speech.X.copy()
    X[failed] = np.nan
    rest = np.setdiff1d(np.arange(240), failed)
    weights = np.linspace(0.5, 2, 240)
    with pytest.warns(
        TrainingWarning, match=r"3 of 240 rows of X are entirely NaN \(failed audio\)"
    ):
        model = net().fit(X, speech.y, aux=speech.aux, groups=speech.speaker, sample_weight=weights)
    without = net().fit(
        X[rest],
        speech.y[rest],
        aux=speech.aux.iloc[rest],
        groups=speech.speaker[rest],
        sample_weight=weights[rest],
    )
    assert model._weights == without._weights

    labels = fitted.predict(X)
    assert labels.dtype == object
    assert [labels[row] for row in failed] == [None, None, None]
    assert np.array_equal(labels[rest], fitted.predict(speech.X)[rest])
    for table in (
        fitted.predict_proba(X),
        fitted.transform(X),
        fitted.predict_aux(X),
        fitted.predict_aux_proba(X)["gender"],
    ):
        missing = pd.DataFrame(table).isna()
        assert missing.all(axis=1).to_numpy().nonzero()[0].tolist() == failed.tolist()
        assert missing.to_numpy().sum() == 3 * missing.shape[1]
    hits = np.isin(np.arange(240), rest) & (labels == speech.y)
    assert fitted.score(X, speech.y) == hits.mean()
    assert fitted.score(X, speech.y, sample_weight=weights) == pytest.approx(
        np.average(hits, weights=weights)
    )


def test_missing_labels_of_numeric_classes_are_nan(speech):
    y = np.unique(speech.y, return_inverse=True)[1]
    model = net(max_epochs=1).fit(speech.X, y)
    assert model.predict(speech.X).dtype.kind == "i"
    X = speech.X.copy()
    X[5] = np.nan
    predicted = model.predict(X)
    assert np.flatnonzero(np.isnan(predicted)).tolist() == [5]
    X[:] = np.nan
    assert np.isnan(model.predict(X)).all()
    with pytest.raises(ValueError, match=r"all 240 rows of X are entirely NaN"):
        model.fit(X, y)


def test_weights_of_rows_and_classes_matter(speech):
    plain = net().fit(speech.X, speech.y).predict_proba(speech.X)[:, 0]
    weights = np.where(speech.y == "anger", 5.0, 1.0)
    by_row = net().fit(speech.X, speech.y, sample_weight=weights).predict_proba(speech.X)[:, 0]
    by_class = (
        net(y_task__class_weight={"anger": 5.0}).fit(speech.X, speech.y).predict_proba(speech.X)
    )
    assert by_row.mean() > plain.mean() + 0.05
    np.testing.assert_array_equal(by_row, by_class[:, 0])
    uneven = np.r_[0:80, 80:240:4]
    balanced = net(y_task__class_weight="balanced").fit(speech.X[uneven], speech.y[uneven])
    counts = pd.Series(speech.y[uneven]).value_counts()
    by_hand = {label: len(uneven) / (3 * count) for label, count in counts.items()}
    same = net(y_task__class_weight=by_hand).fit(speech.X[uneven], speech.y[uneven])
    assert balanced._weights == same._weights


def test_a_balanced_class_without_any_weight_is_never_learned(speech):
    weights = (speech.y != "anger").astype(float)
    model = net(y_task__class_weight="balanced").fit(speech.X, speech.y, sample_weight=weights)
    assert np.isfinite(model.history_["train_loss"]).all()
    assert sorted(set(model.predict(speech.X))) == ["neutral", "sadness"]


@pytest.mark.parametrize("loss", ["mse", "ccc"])
def test_rows_of_weight_zero_do_not_scale_the_values_of_a_task(speech, loss):
    exact = {
        "batch_size": None,
        "dropout": 0.0,
        "perturbation__noise": 0.0,
        "early_stopping": False,
    }
    aux = speech.aux[["arousal"]].copy()
    weights = np.ones(len(aux))
    weights[::6] = 0.0
    aux.loc[::6, "arousal"] = 1e6
    kept = weights > 0
    weighted, shorter = (
        net(tasks={"arousal": loss}, compute__dtype="float64", **exact).fit(
            speech.X[rows], speech.y[rows], aux=aux[rows], sample_weight=weights[rows]
        )
        for rows in (np.full(len(aux), True), kept)
    )
    np.testing.assert_allclose(
        weighted.predict_aux(speech.X), shorter.predict_aux(speech.X), rtol=0, atol=1e-9
    )


def test_constant_auxiliary_targets_are_recorded(speech):
    aux = speech.aux.assign(naturalness="acted")
    with pytest.warns(TrainingWarning, match=r"left out: 'naturalness' \(only 'acted'\)"):
        model = net(max_epochs=1).fit(speech.X, speech.y, aux=aux)
    assert model.dropped_tasks_ == {"naturalness": "'acted'"}
    assert model.predict_aux(speech.X).columns.tolist() == ["gender", "arousal"]


def test_a_mapping_of_tasks_ignores_other_columns(speech):
    aux = speech.aux.assign(note=pd.to_datetime("2020-01-01"))
    model = net(max_epochs=1, tasks={"arousal": "auto"}).fit(speech.X, speech.y, aux=aux)
    assert model.predict_aux(speech.X).columns.tolist() == ["arousal"]


@pytest.mark.parametrize(
    ("parameters", "arguments", "error", "message"),
    [
        ({}, {"aux": {"gender": []}}, MetadataError, "aux is a dict"),
        ({"tasks": {"g": "auto"}}, {}, MetadataError, "tasks names ['g'] but fit got no aux"),
        (
            {"hidden_units": ()},
            {},
            ValueError,
            "hidden_units must be one or more positive integers",
        ),
        ({"hidden_units": (8, 0)}, {}, ValueError, "got (8, 0)"),
        ({"device": "tpu"}, {}, SerError, "device='tpu' is not available. This machine has ["),
        ({"dropout": 1.0}, {}, ValueError, "'dropout' parameter of MTLNeuralClassifier must be"),
        (
            {"unlabeled": 0},
            {},
            ValueError,
            "'unlabeled' parameter of MTLNeuralClassifier must be",
        ),
        (
            {},
            {"sample_weight": np.r_[np.ones(239), -1]},
            ValueError,
            "Negative values in data passed to `sample_weight`",
        ),
        (
            {},
            {"y": ["same"] * 240},
            ValueError,
            "needs samples of at least 2 classes in y; among the labeled samples with a weight "
            "above 0 and usable features there is only 1 class, 'same'",
        ),
        (
            {},
            {"y": ["a", "b", None] * 80},
            ValueError,
            "Input y has no label (None, NaN or an empty string) in rows 2, 5, 8, 11, 14 and 75 "
            "more. Leave these samples out, or set unlabeled='nan'",
        ),
    ],
)
def test_errors_say_what_is_wrong(speech, parameters, arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        net(**parameters).fit(speech.X, **({"y": speech.y} | arguments))


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
@pytest.mark.parametrize("numbered", [False, True])
@pytest.mark.parametrize("prefix", ["", "rest__"])
def test_ids_in_a_table_are_no_features(speech, library, numbered, prefix):
    speaker = pd.factorize(speech.speaker)[0] if numbered else speech.speaker
    features = pd.DataFrame(speech.X).add_prefix("f")
    table = features.assign(**{f"{prefix}speaker": speaker, f"{prefix}corpus": speaker})
    if library != "pandas":
        table = in_library(table, library)
    model = net(max_epochs=2).fit(table, speech.y)
    alone = net(max_epochs=2).fit(features, speech.y, groups=speaker)
    assert model.feature_names_in_.tolist() == features.columns.tolist()
    assert model.validation_split_ == alone.validation_split_
    assert model.validation_split_["kind"] == "groups"
    for X in (table, features):
        np.testing.assert_array_equal(model.predict_proba(X), alone.predict_proba(features))
    names = [*features.columns, f"{prefix}speaker", f"{prefix}corpus"]
    assert len(model.get_feature_names_out(names)) == 128


def in_library(table, library):
    if library == "polars":
        return pytest.importorskip("polars").from_pandas(table)
    return pytest.importorskip("pyarrow").Table.from_pandas(table, preserve_index=False)


def test_the_groups_of_validation_by_are_no_feature(speech):
    features = pd.DataFrame(speech.X).add_prefix("f")
    table = features.assign(session=pd.factorize(speech.speaker)[0] // 2)
    model = net(max_epochs=1, validation__by="session").fit(table, speech.y)
    assert model.n_features_in_ == features.shape[1]
    np.testing.assert_array_equal(model.predict(table), model.predict(features))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_row_with_some_bad_values_raises_an_error(speech, fitted, value):
    X = speech.X.copy()
    X[4, 2] = value
    with pytest.raises(ValueError, match="Input X contains"):
        fitted.predict(X)
    with pytest.raises(ValueError, match="Input X contains"):
        net().fit(X, speech.y)


def test_what_a_fit_leaves_is_not_there_before():
    for name in ("history_", "net_"):
        with pytest.raises(NotFittedError):
            getattr(net(), name)


def documented(parameter):
    """Return what the docstring of the class says about a parameter."""
    text = inspect.getdoc(MTLNeuralClassifier)  # from Python 3.13 on, __doc__ has no margin
    section = re.search(r"\nParameters\n.*?\nAttributes\n", text, re.S)
    entries = re.split(r"\n(?=\w[\w, ]* : )", section[0])
    found = [entry for entry in entries if re.match(rf"[\w, ]*\b{parameter}\b[\w, ]* : ", entry)]
    assert len(found) == 1, parameter
    return found[0]


def test_every_parameter_is_documented():
    for parameter in MTLNeuralClassifier().get_params(deep=False):
        documented(parameter)


def test_every_encoder_and_its_parameters_are_documented():
    assert tuple(ENCODERS) == conftest.ENCODERS
    names = re.search(r"\{(.*?)\}", documented("encoder"), re.S)[1]
    assert set(re.findall(r'"(\w+)"', names)) == {"auto", *ENCODERS}
    lines = re.findall(r'\n    - "(\w+)": (.*?)(?=\n    - |\Z)', documented("encoder_params"), re.S)
    assert {name: re.findall(r"``(\w+)``\s+\(", text) for name, text in lines} == {
        name: list(kind.specific_parameters) for name, kind in ENCODERS.items()
    }
    for name, text in lines:
        for parameter in ENCODERS[name].specific_parameters.values():
            default = parameter.default
            shown = f'"{default}"' if isinstance(default, str) else str(default)
            assert re.search(rf"[\s(]{re.escape(shown)}[):]", text), (name, shown)


def test_every_task_is_documented():
    text = documented("tasks")
    named = re.search(r"short names (.*?): exactly these tasks\.", text, re.S)[1]
    assert set(re.findall(r'"(\w+)"', named)) == {"auto", *SHORT_NAMES}
    objects = re.findall(r":class:`(\w+)`", text)
    assert set(objects) == {kind.spec_type.__name__ for kind in TASK_KINDS.values()}


@pytest.mark.parametrize("parameters", [{}, {"n_estimators": 2, "calibrate": True}])
def test_logarithms_of_probabilities(speech, parameters):
    model = net(max_epochs=3, **parameters).fit(speech.X, speech.y, groups=speech.speaker)
    X = np.vstack([speech.X[:5], np.full((1, speech.X.shape[1]), np.nan), 1e4 * speech.X[:5]])
    logarithms, probabilities = model.predict_log_proba(X), model.predict_proba(X)
    np.testing.assert_allclose(np.exp(logarithms), probabilities, atol=1e-12)
    assert np.isnan(logarithms[5]).all()
    assert np.isfinite(np.delete(logarithms, 5, axis=0)).all()
