import io
import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn import get_config
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser import MTLNeuralClassifier, SpeakerKFold
from sklearn_ser.exceptions import AudioError, MetadataError
from sklearn_ser.utils._failed_rows import failed_rows
from sklearn_ser.utils._ids import find_id, require_id
from sklearn_ser.utils._progress import progress
from sklearn_ser.utils._routing import arguments_for, consumed, fit_routed

TABLE = pd.DataFrame({"a": [1.0, 2.0], "corpus": ["x", "y"]})


def test_id_from_column_then_index_level():
    assert find_id(TABLE, "corpus").tolist() == ["x", "y"]
    indexed = TABLE.set_index("corpus")
    assert find_id(indexed, "corpus").tolist() == ["x", "y"]
    both = indexed.assign(corpus=["p", "q"])
    assert find_id(both, "corpus").tolist() == ["p", "q"]
    assert find_id(np.zeros((2, 2)), "corpus") is None


def test_missing_id_error_lists_columns_and_levels():
    message = (
        r"GroupScaler needs 'speaker' for each row: neither a column nor an index level of X .*"
        r"the columns \['a', 'corpus'\] and the index levels \[\].*set_output\(transform='pandas'\)"
    )
    with pytest.raises(MetadataError, match=message):
        require_id(TABLE, "speaker", "GroupScaler")
    with pytest.raises(MetadataError, match="X is a ndarray, which has no ids"):
        require_id(np.zeros((2, 2)), "speaker", "GroupScaler")


@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame])
def test_failed_rows_are_entirely_nan(container):
    nan = np.nan
    table = container(np.array([[nan, nan], [nan, 1.0], [1.0, nan], [1.0, 2.0]]))
    assert failed_rows(table).tolist() == [True, False, False, False]


def test_frames_that_are_entirely_nan_are_failed_rows():
    frames = np.zeros((2, 3, 2))
    frames[1] = np.nan
    assert failed_rows(frames).tolist() == [False, True]


def test_tables_that_cannot_have_failed_rows():
    assert not failed_rows(pd.DataFrame({"file": ["a.wav", None]})).any()
    assert not failed_rows(np.zeros((3, 0))).any()
    assert not failed_rows(np.zeros((3, 2, 2))).any()


def test_metadata_goes_to_its_consumers():
    given = {"aux": pd.DataFrame({"g": [1]}), "speaker": ["a"], "corpus": ["c"], "text": None}
    assert consumed(make_pipeline(StandardScaler(), LinearSVC()), "fit", given) == {}
    assert set(consumed(MTLNeuralClassifier(), "fit", given)) == {"aux", "speaker"}
    search = GridSearchCV(LinearSVC(), {}, cv=SpeakerKFold(2))
    assert set(consumed(search, "fit", given)) == {"speaker"}


def test_routing_configuration_is_restored():
    before = get_config()["enable_metadata_routing"]
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20, 3)), np.arange(20) % 2
    search = GridSearchCV(LinearSVC(), {"C": [1.0]}, cv=SpeakerKFold(2))
    fitted = fit_routed(search, X, y, speaker=np.arange(20) % 4 // 2, aux=None)
    assert fitted is search
    assert get_config()["enable_metadata_routing"] is before


def test_a_network_receives_speakers_as_groups():
    X, y = np.random.default_rng(0).normal(size=(20, 3)), np.arange(20) % 2
    speaker = np.repeat([0, 1], 10)
    assert set(arguments_for(MTLNeuralClassifier(), "fit", {"speaker": speaker})) == {"speaker"}
    fitted = fit_routed(MTLNeuralClassifier(max_epochs=1), X, y, speaker=speaker)
    assert fitted.classes_.tolist() == [0, 1]


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "verbose", "shown"),
    [(Terminal, 1, True), (Terminal, 0, False), (io.StringIO, 1, False)],
)
def test_progress_in_a_terminal(monkeypatch, stream, verbose, shown):
    stderr = stream()
    monkeypatch.setattr(sys, "stderr", stderr)
    assert list(progress(range(3), desc="counting", verbose=verbose)) == [0, 1, 2]
    assert ("counting" in stderr.getvalue()) is shown


def test_audio_error_has_its_row_and_file_and_pickles():
    error = AudioError("it is empty", row=3, file="a.wav")
    assert str(error) == "row 3, file 'a.wav': it is empty"
    assert str(AudioError("it is empty")) == "it is empty"
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.row, copy.file, str(copy)) == (3, "a.wav", str(error))
