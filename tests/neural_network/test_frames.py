"""MTLNeuralClassifier on frame sequences, as its users meet it."""

import re

import numpy as np
import pandas as pd
import pytest
import torch

from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.neural_network import MTLNeuralClassifier
from sklearn_ser.neural_network import _sequences as sequences_module
from sklearn_ser.neural_network.training import _train_network
from sklearn_ser.preprocessing import FrameScaler
from tests.conftest import make_frames_table

PARAMETERS = {
    "hidden_units": (16,),
    "dropout": 0.2,
    "max_epochs": 15,
    "batch_size": 16,
    "lr": 0.005,
    "random_state": 0,
}


def net(**parameters):
    return MTLNeuralClassifier().set_params(**(PARAMETERS | parameters))


@pytest.fixture(scope="module")
def fitted(frames):
    """Do not fit again."""
    return net().fit(frames.X, frames.y, aux=frames.aux)


def objects(cells):
    array = np.empty(len(cells), dtype=object)
    array[:] = cells
    return array


def stacked(frames, n_frames=3):
    return np.stack([sequence[:n_frames] for sequence in frames.sequences])


def with_cells(frames, **cells):
    """The table of frames with some of its cells replaced (r3=... is row 3)."""
    sequences = list(frames.sequences)
    for name, cell in cells.items():
        sequences[int(name[1:])] = cell
    return make_frames_table(sequences, frames.X.index, frames.X.attrs["frame_features"])


def test_learns_all_tasks_by_speakers_of_the_index(frames, fitted):
    assert fitted.score(frames.X, frames.y) > 0.8
    predicted = fitted.predict_aux(frames.X)["gender"].to_numpy()
    assert (predicted == frames.aux["gender"]).mean() > 0.8
    assert fitted.validation_split_["kind"] == "groups"
    assert fitted.predict_aux(frames.X).index.equals(frames.X.index)
    assert list(fitted.predict_aux_proba(frames.X)) == ["gender"]


def test_the_representation_is_means_and_deviations(frames, fitted):
    shared = fitted.transform(frames.X)
    assert (shared.shape, shared.dtype) == ((120, 32), np.float32)
    assert (shared[:, 16:] >= 0).all()
    assert fitted.get_feature_names_out()[-1] == "mtlneuralclassifier31"
    head = fitted.net_.module_.heads[0]
    outputs = shared @ head.weight.detach().numpy().T + head.bias.detach().numpy()
    assert np.array_equal(fitted.classes_[outputs.argmax(axis=1)], fitted.predict(frames.X))
    table = net(max_epochs=1).set_output(transform="pandas").fit_transform(frames.X, frames.y)
    assert table.index.equals(frames.X.index)


def test_features_are_those_of_a_frame(frames, fitted):
    assert fitted.n_features_in_ == 5
    assert fitted.feature_names_in_.tolist() == ["v", "w", "x", "y", "z"]
    model = net(max_epochs=1).fit(frames.X, frames.y).fit(frames.sequences, frames.y)
    assert not hasattr(model, "feature_names_in_")


def test_every_form_gives_the_same(frames):
    cells = frames.sequences
    forms = [cells, tuple(cells), objects(cells), objects(cells)[:, np.newaxis], frames.X["frames"]]
    expected = net(max_epochs=2).fit(frames.X, frames.y, groups=frames.speaker)
    for form in forms:
        model = net(max_epochs=2).fit(form, frames.y, groups=frames.speaker)
        assert model._weights == expected._weights
        assert np.array_equal(model.predict_proba(form), expected.predict_proba(frames.X))
    array = stacked(frames)
    models = [net(max_epochs=2).fit(X, frames.y) for X in (array, list(array.astype(float)))]
    assert models[0]._weights == models[1]._weights


def test_an_utterance_gets_the_same_alone_and_among_others(frames, fitted):
    among = fitted.predict_proba(frames.X)
    alone = np.vstack([fitted.predict_proba(frames.X.iloc[[row]]) for row in range(120)])
    np.testing.assert_allclose(alone, among, rtol=0, atol=1e-6)
    turned = fitted.transform(frames.X.iloc[::-1])[::-1]
    np.testing.assert_allclose(turned, fitted.transform(frames.X), rtol=0, atol=1e-6)


def test_predictions_come_in_bounded_batches(frames, fitted, monkeypatch):
    expected = fitted.predict_proba(frames.X)
    sizes = []
    init = sequences_module.FrameBatch.__init__

    def noting(self, values, lengths):
        sizes.append(len(lengths) * int(lengths.max()))
        init(self, values, lengths)

    monkeypatch.setattr(sequences_module.FrameBatch, "__init__", noting)
    monkeypatch.setattr(sequences_module.batches_by_length, "__kwdefaults__",
                        {"most_frames": 200, "generator": None, "lone_row": True})  # fmt: skip
    np.testing.assert_allclose(fitted.predict_proba(frames.X), expected, rtol=0, atol=1e-6)
    assert len(sizes) > 10
    assert max(sizes) <= 200


def test_one_step_takes_all_rows_if_asked_to(frames, monkeypatch):
    steps = []
    step = _train_network.MultiTaskNet.train_step

    def noting(self, batch, **fit_params):
        steps.append(len(batch[0]))
        return step(self, batch, **fit_params)

    monkeypatch.setattr(_train_network.MultiTaskNet, "train_step", noting)
    monkeypatch.setattr(_train_network, "MOST_FRAMES", 200)
    for batch_size, one_step in ((None, True), (200, False)):
        steps.clear()
        net(max_epochs=1, batch_size=batch_size, early_stopping=False).fit(frames.X, frames.y)
        assert sum(steps) == 120
        assert (len(steps) == 1) == one_step


def test_longer_padding_trains_the_same_network(frames, monkeypatch):
    def weights():
        model = net(max_epochs=3, compute__dtype="float64").fit(frames.X, frames.y)
        return model.transform(frames.X)

    padded = sequences_module.FrameBatch.padded

    def longer(self, values, fill=0.0):
        values = padded(self, values, fill)
        return sequences_module.torch.cat(
            [values, values.new_full((len(self), 60, *values.shape[2:]), fill)], dim=1
        )

    expected = weights()
    monkeypatch.setattr(sequences_module.FrameBatch, "padded", longer)
    np.testing.assert_allclose(weights(), expected, rtol=0, atol=1e-9)


def test_failed_rows_are_left_out_and_missing(frames):
    X = with_cells(frames, r3=None, r50=None)
    message = r"^2 of 120 rows of X are entirely NaN .* left out of training: rows 3, 50$"
    with pytest.warns(TrainingWarning, match=message):
        model = net().fit(X, frames.y, aux=frames.aux)
    rest = np.setdiff1d(np.arange(120), [3, 50])
    same = net().fit(X.iloc[rest], frames.y[rest], aux=frames.aux.iloc[rest])
    assert model._weights == same._weights
    assert model.predict(X)[[3, 50]].tolist() == [None, None]
    assert np.isnan(model.predict_proba(X)[[3, 50]]).all()
    assert np.isnan(model.transform(X)[3]).all()
    assert model.predict_aux(X).iloc[[3, 50]].isna().all(axis=None)
    assert model.predict(X.iloc[[3]]).tolist() == [None]
    assert model.predict([None, np.nan]).tolist() == [None, None]
    assert model.predict_proba(X.iloc[[3]]).shape == (1, 3)


def test_rows_of_a_stacked_array_fail_by_nan_throughout(frames):
    X = stacked(frames)
    X[7] = np.nan
    with pytest.warns(TrainingWarning, match="left out of training: row 7$"):
        model = net(max_epochs=1).fit(X, frames.y)
    assert model.predict(X)[7] is None


def test_nothing_but_failed_rows_cannot_be_trained_on(frames):
    X = make_frames_table([None] * 120, frames.X.index, ["v", "w", "x", "y", "z"])
    with pytest.raises(ValueError, match=r"No row of X has a frame sequence \(failed audio\)"):
        net().fit(X, frames.y)


def test_unlabeled_rows_and_weights(frames):
    y = frames.y.astype(object)
    y[::4] = None
    model = net(unlabeled="nan").fit(frames.X, y, aux=frames.aux)
    assert model.score(frames.X, frames.y) > 0.7
    parameters = {
        "early_stopping": False,
        "batch_size": None,
        "dropout": 0.0,
        "perturbation__noise": 0.0,
        "compute__dtype": "float64",
    }
    twice = np.r_[np.arange(120), np.arange(0, 120, 2)]
    copies = net(**parameters).fit(frames.X.iloc[twice], frames.y[twice])
    weights = 1.0 + (np.arange(120) % 2 == 0)
    weighted = net(**parameters).fit(frames.X, frames.y, sample_weight=weights)
    np.testing.assert_allclose(
        weighted.predict_proba(frames.X), copies.predict_proba(frames.X), atol=1e-7
    )


LAYERS = {"encoder": "layers", "lr": 0.01, "max_epochs": 60}


def layered(frames):
    """Sequences of 4 layers, of which the third tells the emotion."""
    X = np.random.default_rng(0).normal(size=(120, 4, 6))
    X[:, 2, 0] += 3.0 * (frames.y == "anger") - 3.0 * (frames.y == "sadness")
    return X


def test_layers_are_weighted_by_what_they_tell(frames):
    X = layered(frames)
    model = net(**LAYERS).fit(X, frames.y, groups=frames.speaker)
    assert model.score(X, frames.y) > 0.8
    assert model.layer_weights_.shape == (4,)
    assert model.layer_weights_.sum() == pytest.approx(1.0)
    assert model.layer_weights_.argmax() == 2
    assert model.layer_weights_[2] > 0.3
    assert model.transform(X).shape == (120, 16)
    assert model.predict([X[0], None]).tolist()[1] is None


def test_auto_weights_layers_where_the_table_says_so(frames):
    cells = [np.resize(sequence, (4, 5)) for sequence in frames.sequences]
    X = make_frames_table(cells, frames.X.index, list("vwxyz"), {"frame_axis": "layers"})
    net = MTLNeuralClassifier(max_epochs=1, random_state=0)
    scaler = FrameScaler().fit(X)
    assert net.fit(scaler.transform(X), frames.y).layer_weights_.shape == (4,)
    assert not hasattr(net.fit(cells, frames.y), "layer_weights_")  # a list cannot say it


def test_layer_weights_belong_to_layers_only(frames, fitted):
    with pytest.raises(AttributeError, match='only with encoder="layers"'):
        _ = fitted.layer_weights_
    assert not hasattr(fitted, "layer_weights_")


def test_layers_must_be_as_many_as_in_fit(frames):
    ragged = [*layered(frames)]
    ragged[0], ragged[5] = None, ragged[5][:3]
    with pytest.raises(ValueError, match=r"^row 5: .* this one has 3, and row 1 4\. For frames"):
        net(**LAYERS).fit(ragged, frames.y)
    model = net(**LAYERS | {"max_epochs": 1}).fit(layered(frames), frames.y)
    with pytest.raises(ValueError, match=r"^row 1: .* this one has 3, and those of fit 4\."):
        model.predict([layered(frames)[0], ragged[5]])


@pytest.mark.parametrize(
    ("encoder", "of_frames", "message"),
    [
        ("mlp", True, 'encoder="mlp" takes one feature vector per utterance, and X holds '
         'frame sequences. Use encoder="attention" or "layers" or "frame_dnn" or "lstm" or '
         '"cnn_blstm" or "conformer", or pool the frames of each'),
        ("attention", False, 'encoder="attention" takes frame sequences (arrays of shape '
         "(n_frames, n_features), one per utterance), and X is a ndarray of shape (120, 4). Use "
         'encoder="mlp" for feature vectors'),
        ("layers", False, 'encoder="layers" takes frame sequences'),
    ],
)  # fmt: skip
def test_an_encoder_for_the_other_kind_of_x_raises(frames, encoder, of_frames, message):
    rows = np.zeros((120, 4))
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        net(encoder=encoder).fit(frames.X if of_frames else rows, frames.y)


def test_the_network_keeps_to_the_kind_of_x_of_fit(frames, fitted):
    with pytest.raises(ValueError, match=r'^encoder="attention" takes frame sequences'):
        fitted.predict(np.zeros((3, 5)))
    with pytest.raises(ValueError, match=r"Pass a single sequence as \[sequence\]"):
        fitted.predict(frames.sequences[0])
    with pytest.raises(ValueError, match=r'^encoder="attention" takes .* X is a NoneType. Use'):
        fitted.predict(None)
    for empty in ([], frames.X.iloc[:0], frames.X.iloc[:0, 0]):
        with pytest.raises(ValueError, match=r"^X has no rows. At least one frame sequence is"):
            fitted.predict(empty)
    rows = net(max_epochs=1).fit(np.random.default_rng(0).normal(size=(120, 4)), frames.y)
    with pytest.raises(ValueError, match=r'^encoder="mlp" takes one feature vector'):
        rows.predict(frames.X)


BAD = np.zeros((4, 5))
BAD[2, 3] = np.inf
UNFIT = {
    "empty": (np.zeros((0, 5)), r"^row 7: the sequence is empty, of shape \(0, 5\)"),
    "width": (
        np.zeros((4, 6)),
        r"^row 7: the frames have 6 features, but those of earlier rows have 5",
    ),
    "inf": (
        BAD,
        r"^row 7: the sequence contains inf in frame 2, feature 'y', where a finite float32",
    ),
    "nan": (
        np.where(BAD > 0, np.nan, BAD),
        r"^row 7: the sequence contains nan in frame 2, feature 'y'",
    ),
    "large": (
        np.full((4, 5), 1e300),
        r"^row 7: the sequence contains 1e\+300 in frame 0, feature 'v'",
    ),
    "text": (np.full((4, 5), "a"), r"^row 7: expected a sequence of numbers, found .* dtype <U1"),
    "one dimension": (np.zeros(5), r"^row 7: expected an array \(n_frames, n_features\), found"),
}


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("case", UNFIT)
def test_errors_name_the_row(frames, fitted, case):
    cell, message = UNFIT[case]
    X = with_cells(frames, r7=cell)
    with pytest.raises(ValueError, match=message):
        net().fit(X, frames.y)
    with pytest.raises(ValueError, match=message):
        fitted.predict(X)


def test_tensors_and_nested_lists_are_no_sequences(frames, fitted):
    tensors = [torch.tensor(sequence) for sequence in frames.sequences]
    nested = [sequence.tolist() for sequence in frames.sequences]
    equal = torch.zeros(120, 4, 5)
    for X, found in (
        (tensors, r"Tensor of shape torch.Size\(\[\d+, 5\]\) in row 0"),
        (pd.Series([None, *tensors[1:]]), r"Tensor of shape torch.Size\(\[\d+, 5\]\) in row 1"),
        (nested, "list in row 0"),
        (equal, r"Tensor of shape torch.Size\(\[120, 4, 5\]\)"),
    ):
        message = (
            rf"^frame sequences must be numpy arrays \(n_frames, n_features\), one for each row; "
            rf"found {found}\. Convert them: \[numpy\.asarray\(sequence\) for sequence in X\]\.$"
        )
        for call in (lambda X: net().fit(X, frames.y), fitted.predict):
            with pytest.raises(ValueError, match=message):
                call(X)
    converted = [np.asarray(sequence) for sequence in tensors]
    assert np.array_equal(fitted.predict(converted), fitted.predict(frames.X))


def test_other_features_than_in_fit_raise(frames, fitted):
    with pytest.raises(ValueError, match=r"^X has 4 features per frame, but MTLNeuralClassifier is "
                       r"expecting 5 features per frame, as in fit\.$"):  # fmt: skip
        fitted.predict([sequence[:, :4] for sequence in frames.sequences])
    X = make_frames_table(frames.sequences, frames.X.index, ["v", "w", "mel", "y", "z"])
    message = "The first that differs is feature 2, 'mel' here and 'x' in fit."
    with pytest.raises(ValueError, match=re.escape(message)):
        fitted.predict(X)
    assert np.array_equal(fitted.predict(frames.sequences), fitted.predict(frames.X))


def test_tables_in_another_order_raise(frames):
    labels = pd.Index([f"u{row:03d}" for row in range(120)])
    X, y = frames.X.set_axis(labels), pd.Series(frames.y, index=labels)
    with pytest.raises(ValueError, match="y has the index labels of X in another order"):
        net(max_epochs=1).fit(X, y.iloc[::-1])
