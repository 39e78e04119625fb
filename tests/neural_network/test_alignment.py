"""Errors for tables given to ``fit`` whose index shows another order than that of X."""

import re

import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.model_selection import GridSearchCV, KFold, cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.neural_network import MTLNeuralClassifier

SHUFFLED = np.random.default_rng(1).permutation(240)
SHUFFLED = SHUFFLED[np.argsort(SHUFFLED != 7, kind="stable")]  # row 7 comes first

#: Not the default index, which says nothing: a step that was given an array makes one up.
LABELS = pd.Index([f"utterance {i:03d}" for i in range(240)])

KINDS = {
    "aux": lambda speech: speech.aux.set_axis(LABELS, axis=0),
    "aux of one column": lambda speech: speech.aux["gender"].set_axis(LABELS),
    "y": lambda speech: pd.Series(speech.y, index=LABELS),
    "groups": lambda speech: pd.Series(speech.speaker, index=LABELS),
    "sample_weight": lambda speech: pd.Series(np.linspace(0.5, 1.5, 240), index=LABELS),
}


def net(**parameters):
    return MTLNeuralClassifier().set_params(**({"max_epochs": 1, "random_state": 0} | parameters))


@pytest.fixture
def X(speech):
    return pd.DataFrame(speech.X, index=LABELS).add_prefix("f")


@pytest.fixture(params=KINDS)
def given(request, speech):
    """The name of an argument, and a table for it in the order of X."""
    return request.param.split()[0], KINDS[request.param](speech)


def arguments(speech, name, table):
    return {"y": speech.y, "aux": speech.aux.to_numpy()} | {name: table}


def raises_order_error(name, reference="X"):
    message = f"{name} has the index labels of {reference} in another order (row 0 is "
    return pytest.raises(MetadataError, match=re.escape(message))


def test_another_order_than_x_raises(speech, X, given):
    name, table = given
    with raises_order_error(name):
        net().fit(X, **arguments(speech, name, table.iloc[SHUFFLED]))


@pytest.mark.parametrize("name", [name for name in KINDS if name != "y"])
def test_another_order_than_y_raises_where_x_is_an_array(speech, name):
    table = KINDS[name](speech).iloc[SHUFFLED]
    with raises_order_error(name.split()[0], "y"):
        net().fit(speech.X, pd.Series(speech.y, index=LABELS), **{name.split()[0]: table})


def test_ids_among_the_levels_of_x_do_not_hide_another_order(speech, X, given):
    name, table = given
    X = X.set_index(pd.Index(speech.speaker, name="speaker"), append=True)
    net().fit(X, **arguments(speech, name, table))
    with raises_order_error(name, "X.droplevel(['speaker'])"):
        net().fit(X, **arguments(speech, name, table.iloc[SHUFFLED]))
    # A table with the ids too is compared as it is.
    levels = table.set_axis(X.index, axis=0)
    net().fit(X, **arguments(speech, name, levels))
    with raises_order_error(name):
        net().fit(X, **arguments(speech, name, levels.iloc[SHUFFLED]))


def test_the_advice_in_the_message_puts_it_right(speech, X):
    X = X.set_index(pd.Index(speech.speaker, name="speaker"), append=True)
    shuffled = KINDS["aux"](speech).iloc[SHUFFLED]
    advice = re.escape("Give aux.loc[X.droplevel(['speaker']).index]; or, if the current order")
    with pytest.raises(MetadataError, match=advice):
        net().fit(X, speech.y, aux=shuffled)
    mended = net().fit(X, speech.y, aux=shuffled.loc[X.droplevel(["speaker"]).index])
    assert mended._weights == net().fit(X, speech.y, aux=speech.aux)._weights


@pytest.mark.parametrize(
    "form",
    [
        lambda table, index: table,
        lambda table, index: table.reset_index(drop=True),
        lambda table, index: table.to_numpy(),
        lambda table, index: table.to_numpy().tolist(),
        lambda table, index: table.set_axis([f"row {i}" for i in range(240)], axis=0),
        lambda table, index: table.set_axis(index, axis=0),
    ],
    ids=["aligned", "reset", "array", "list", "other labels", "index of X"],
)
@pytest.mark.parametrize(
    "index",
    [
        lambda speech: pd.RangeIndex(240),
        lambda speech: pd.RangeIndex(240)[::-1] + 1000,
        lambda speech: pd.Index(speech.speaker, name="speaker"),
        lambda speech: pd.MultiIndex.from_arrays(
            [np.arange(240) % 20, speech.speaker], names=[None, "speaker"]
        ),
        lambda speech: pd.MultiIndex.from_arrays(
            [["a"] * 240, speech.speaker], names=["corpus", "speaker"]
        ),
        lambda speech: pd.MultiIndex.from_product([range(24), range(10)]),
    ],
    ids=["range", "other numbers", "ids", "repeated", "only ids", "two levels"],
)
def test_all_else_is_taken_row_by_row(speech, X, index, form):
    index = index(speech)
    tables = {name.split()[0]: make(speech) for name, make in KINDS.items() if " " not in name}
    aux = tables.pop("aux")["arousal"].rename("aux0")  # as the column of an array is called
    expected = net().fit(speech.X, aux=aux, **tables)
    tables = {name: form(table, index) for name, table in tables.items()}
    model = net().fit(X.set_axis(index, axis=0), aux=form(aux, index), **tables)
    assert model._weights == expected._weights


def test_indexes_with_other_levels_are_not_compared(speech, X):
    two = pd.MultiIndex.from_product([range(24), range(10)])
    three = pd.MultiIndex.from_product([range(24), range(5), range(2)])
    for ours, theirs in ((two, three), (three, two), (two, pd.RangeIndex(240))):
        aux = speech.aux.set_axis(ours, axis=0)
        assert net().fit(X.set_axis(theirs, axis=0), speech.y, aux=aux).n_iter_ == 1


def test_rows_drawn_twice_pass(speech, X):
    drawn = np.random.default_rng(0).integers(240, size=240)
    aux = speech.aux.iloc[drawn]
    assert net().fit(X.iloc[drawn], speech.y[drawn], aux=aux).n_iter_ == 1


@pytest.mark.parametrize("order", [np.arange(240), SHUFFLED], ids=["in order", "shuffled"])
def test_searches_and_folds_slice_tables_together(speech, X, order):
    X = X.set_index(pd.Index(speech.speaker, name="speaker"), append=True).iloc[order]
    y = KINDS["y"](speech).iloc[order]
    aux = KINDS["aux"](speech).iloc[order]
    parameters = {"dropout": [0.0, 0.5]}
    with config_context(enable_metadata_routing=True):
        search = GridSearchCV(net(), parameters, cv=SpeakerKFold(2), error_score="raise")
        scores = cross_validate(
            search, X, y, params={"aux": aux}, cv=SpeakerKFold(2), error_score="raise"
        )
    assert np.isfinite(scores["test_score"]).all()
    folds = KFold(2, shuffle=True, random_state=0)
    search = GridSearchCV(net(), parameters, cv=folds, error_score="raise").fit(X, y, aux=aux)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_folds_of_tables_in_another_order_raise(speech, X):
    with raises_order_error("aux"):
        cross_validate(
            net(),
            X,
            speech.y,
            params={"aux": KINDS["aux"](speech).iloc[::-1]},
            cv=[(np.arange(240), np.arange(60))],
            error_score="raise",
        )


def test_an_index_that_a_step_made_up_is_no_order(speech):
    """X is an array; the scaler's output is numbered, y keeps the labels of a shuffled frame."""
    y = pd.Series(speech.y).iloc[SHUFFLED]
    scaler = StandardScaler().set_output(transform="pandas")
    model = make_pipeline(scaler, net()).fit(speech.X[SHUFFLED], y)
    same = make_pipeline(scaler, net()).fit(speech.X[SHUFFLED], y.to_numpy())
    assert model[-1]._weights == same[-1]._weights


def test_scores_raise_for_another_order_too(speech):
    X = pd.DataFrame(speech.X, index=LABELS)
    aux = KINDS["aux"](speech)
    model = MTLNeuralClassifier(max_epochs=1, random_state=0).fit(X, speech.y, aux=aux)
    with pytest.raises(MetadataError, match="aux has the index labels of X in another order"):
        model.score_aux(X, aux.iloc[::-1])
    with pytest.raises(MetadataError, match="y has the index labels of X in another order"):
        model.score(X, pd.Series(speech.y, index=LABELS).iloc[::-1])


def test_score_of_pandas_texts_with_missing_ones(speech):
    y = pd.Series(speech.y, dtype="string")
    y[::3] = pd.NA
    model = MTLNeuralClassifier(unlabeled="nan", tasks=None, max_epochs=5, random_state=0)
    model.fit(speech.X, y)
    known = ~y.isna().to_numpy()
    assert model.score(speech.X, y) == np.mean(model.predict(speech.X)[known] == speech.y[known])
