"""Every warning of a network names the line of the user who called."""

import contextlib
import linecache
import re

import numpy as np
import pytest
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from skorch.callbacks import Callback

from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.neural_network import MTLNeuralClassifier


class Interrupt(Callback):
    """Ctrl-C in the second epoch."""

    def on_batch_begin(self, net, **kwargs):
        if len(net.history) == 2:
            raise KeyboardInterrupt


def with_failed_row(speech):
    X = speech.X.copy()
    X[7] = np.nan
    return {"X": X}


def with_constant_aux(speech):
    return {"aux": speech.aux.assign(gender="female")}


def with_one_group(speech):
    return {"groups": np.full(240, "s1")}


def without_groups(speech):
    return {"groups": None}


def with_interrupt(speech):
    return {"callbacks": [Interrupt()]}


CAUSES = {
    "1 of 240 rows of X are entirely NaN (failed audio) and are left out": with_failed_row,
    "constant in the training samples are left out: 'gender' (only 'female')": with_constant_aux,
    "early stopping monitors samples of speakers that are also trained on": with_one_group,
    "because no speaker ids reached the network. Steps that return arrays": without_groups,
    "training was interrupted after 1 of at most 3 epochs": with_interrupt,
}


def fit(model, X, y, **given):
    model.fit(X, y, **given)


def fit_transform(model, X, y, **given):
    model.fit_transform(X, y, **given)


def in_a_pipeline(model, X, y, **given):
    given = {f"mtlneuralclassifier__{name}": value for name, value in given.items()}
    make_pipeline("passthrough", model).fit(X, y, **given)


def in_a_fold(model, X, y, **given):
    rows = np.arange(240)
    cross_validate(model, X, y, params=given, cv=[(rows, rows[8:])], error_score="raise")


@pytest.mark.parametrize("cause", CAUSES)
@pytest.mark.parametrize("way", [fit, fit_transform, in_a_pipeline, in_a_fold])
def test_the_line_is_the_users(speech, cause, way):
    given = {"X": speech.X, "y": speech.y, "groups": speech.speaker} | CAUSES[cause](speech)
    model = MTLNeuralClassifier(
        max_epochs=3, callbacks=given.pop("callbacks", None), random_state=0
    )
    with (
        pytest.warns(TrainingWarning, match=re.escape(cause)) as caught,
        contextlib.suppress(KeyboardInterrupt),
    ):
        way(model, **given)
    assert [warning.filename for warning in caught] == [__file__]
    line = linecache.getline(__file__, caught[0].lineno)
    assert re.search(r"\.fit\(|\.fit_transform\(|cross_validate\(", line)


def test_partial_fit(speech):
    model = MTLNeuralClassifier(random_state=0)
    with pytest.warns(TrainingWarning, match="left out: 'gender'") as caught:
        model.partial_fit(
            speech.X, speech.y, classes=np.unique(speech.y), **with_constant_aux(speech)
        )
    assert [warning.filename for warning in caught] == [__file__]
