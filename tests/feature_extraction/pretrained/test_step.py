"""PretrainedEmbedding as an audio step: the checks of all steps, and its own behavior."""

import pickle
import shutil
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from joblib import parallel_config
from safetensors.torch import load_file, save_file
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser import MTLNeuralClassifier, load_model, make_speech_corpus, save_model
from sklearn_ser.evaluation import fit_model
from sklearn_ser.exceptions import PretrainedModelError
from sklearn_ser.feature_extraction import (
    PretrainedEmbedding,
    SlidingWindows,
    _pretrained,
    _pretrained_source,
)
from sklearn_ser.preprocessing import FrameScaler
from sklearn_ser.testing import check_audio_step
from tests.conftest import changed_torch_state


@pytest.fixture
def loads(monkeypatch):
    """Record each network that is read from disk."""
    noted, load = [], _pretrained._load

    def noting(source, device):
        noted.append(Path(source.name).name)
        return load(source, device)

    monkeypatch.setattr(_pretrained, "_load", noting)
    return noted


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [
        ("wav2vec2 group", {"layer": 1, "pooling": "mean_std"}),
        ("whisper", {"pooling": "frames"}),
    ],
)
def test_contract_of_audio_steps(kind, parameters, tiny_model):
    results = check_audio_step(
        PretrainedEmbedding(tiny_model(kind), **parameters), processes=False, on_skip=None
    )
    assert [result["status"] for result in results] == ["passed"] * 43


@pytest.mark.slow
def test_worker_processes_give_the_same(tiny_model, signals):
    step = PretrainedEmbedding(tiny_model("wavlm layer"), "all", batch_size=2)
    expected = step.fit_transform(signals)
    with parallel_config(backend="loky", n_jobs=2):
        found = clone(step).set_params(n_jobs=2).fit_transform(signals)
    assert found.attrs == expected.attrs
    for cell, other in zip(found["frames"], expected["frames"], strict=True):
        np.testing.assert_array_equal(cell, other)


def test_parameters_are_checked(tiny_model, signals):
    model = tiny_model("hubert layer")
    for parameters, message in [
        ({"layer": 4}, r"'mean', 'all' or a number from -4 to 3: the model .* has 3 layers, and 0"),
        ({"layer": -5}, r"from -4 to 3: .* Got -5 instead"),
        ({"layer": True}, r"^The 'layer' parameter .* 'all' or a number. Got True instead"),
        ({"layer": "last"}, r"The 'layer' parameter of PretrainedEmbedding must be"),
        ({"layer": "all", "pooling": "frames"}, r"^layer='all' and pooling='frames' .* cannot be"),
        (
            {"device": "typewriter"},
            r"'device' .* must be 'auto' or a device .*'typewriter' instead",
        ),
        ({"batch_size": 0}, r"The 'batch_size' parameter"),
        ({"model": 3}, r"The 'model' parameter"),
    ]:
        step = PretrainedEmbedding(**{"model": model, **parameters})
        for call in (step.fit, step.transform):
            with pytest.raises(ValueError, match=message):
                call(signals)


def test_an_unavailable_device(tiny_model):
    # One more than there are: so it is not here on any machine, with GPUs or without.
    absent = f"cuda:{torch.cuda.device_count()}"
    text = rf"a device that torch can use.* Got '{absent}' instead"
    with pytest.raises(ValueError, match=text):
        PretrainedEmbedding(tiny_model("hubert layer"), device=absent).fit([])
    kind = PretrainedEmbedding(tiny_model("hubert layer"))._versions()["device"]
    assert kind == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_instance_holds_no_network(tiny_model, signals):
    step = PretrainedEmbedding(tiny_model("hubert group")).fit(signals)
    step.transform(signals[:1])
    assert set(vars(step)) == {*step.get_params(), "failures_"}
    assert len(pickle.dumps(step)) < 2000
    assert vars(clone(step)) == step.get_params()


def test_saved_within_a_model(tiny_model, signals, tmp_path):
    model = make_pipeline(PretrainedEmbedding(tiny_model("wavlm group")), LinearSVC())
    y = np.arange(len(signals)) % 2
    expected = model.fit(signals, y).decision_function(signals)
    save_model(model, tmp_path / "model.ser")
    loaded = load_model(tmp_path / "model.ser")
    for use in (lambda: loaded.predict(signals), lambda: loaded[0].get_feature_names_out()):
        with pytest.raises(PretrainedModelError, match=r"set_params\(pretrainedembedding__model="):
            use()
    loaded.set_params(pretrainedembedding__model=model[0].model)
    np.testing.assert_array_equal(loaded.decision_function(signals), expected)


def test_a_search_over_layers_loads_the_model_once(tiny_model, signals, loads):
    model = make_pipeline(
        PretrainedEmbedding(tiny_model("hubert group")), StandardScaler(), LinearSVC()
    )
    layers = [0, 1, -1, "mean"]
    search = GridSearchCV(
        model, {"pretrainedembedding__layer": layers}, cv=3, error_score="raise", n_jobs=2
    )
    with parallel_config(backend="threading"):
        search.fit(signals, np.arange(len(signals)) % 2)
    assert search.best_params_["pretrainedembedding__layer"] in layers
    assert loads == ["hubert_group"]


def test_threads_share_one_network(tiny_model, signals, loads):
    step = PretrainedEmbedding(tiny_model("wavlm layer"))
    expected = step.fit_transform(signals)
    _pretrained._loaded.clear()
    loads.clear()
    found = [None] * 4

    def work(place):
        found[place] = clone(step).set_params(n_jobs=2).fit_transform(signals)

    threads = [threading.Thread(target=work, args=(place,)) for place in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for table in found:
        assert table.equals(expected)
    assert loads == ["wavlm_layer"]


def test_layers_requested_at_once_do_not_mix(tiny_model, signals):
    """Several steps use one network at the same time, each stopping it after its own layer."""
    steps = [PretrainedEmbedding(tiny_model("wavlm layer"), layer=i) for i in (0, 1, 3, "mean")]
    expected = [step.fit_transform(signals) for step in steps]
    found = [[] for _ in steps]

    def work(place):
        for _ in range(5):
            found[place].append(steps[place].transform(signals))

    threads = [threading.Thread(target=work, args=(place,)) for place in range(len(steps))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for tables, table in zip(found, expected, strict=True):
        assert len(tables) == 5
        assert all(other.equals(table) for other in tables)


def test_few_models_stay_in_memory(tiny_model, signals, loads):
    kinds = ["hubert group", "wavlm group", "hubert group", "data2vec", "hubert group"]
    for kind in [*kinds, "wavlm group"]:
        PretrainedEmbedding(tiny_model(kind)).fit_transform(signals[:1])
    assert loads == ["hubert_group", "wavlm_group", "data2vec", "wavlm_group"]
    assert len(_pretrained._loaded) == _pretrained.MAX_LOADED == 2


def test_a_changed_model_is_another_model(tiny_model, signals, tmp_path):
    folder = Path(shutil.copytree(tiny_model("hubert group"), tmp_path / "model"))
    step = PretrainedEmbedding(str(folder), store=str(tmp_path / "store"))
    first, version = step.fit_transform(signals), step._versions()
    assert step.transform(signals).equals(first)
    assert step._versions() == version
    weights = load_file(folder / "model.safetensors")
    weights["encoder.layers.2.final_layer_norm.bias"] += 1
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    second = step.transform(signals)
    np.testing.assert_allclose(second - first, 1, atol=1e-5)
    changed = step._versions()
    assert {name for name in version if version[name] != changed[name]} == {"model"}
    assert {
        name for name in version["model"] if version["model"][name] != changed["model"][name]
    } == {"model.safetensors"}


def test_the_digest_of_the_model_is_computed_once(tiny_model, tmp_path, monkeypatch):
    import os

    folder = Path(shutil.copytree(tiny_model("hubert group"), tmp_path / "model"))
    for file in folder.iterdir():
        os.utime(file, (1e9, 1e9))
    step = PretrainedEmbedding(str(folder))
    monkeypatch.setattr("sklearn_ser.store._file_digests._COARSEST_TICK", -1e9)
    expected = step._versions()
    monkeypatch.setattr(_pretrained_source, "FileDigests", None)
    assert step._versions() == expected


def test_leaves_no_trace(tiny_model, signals, capfd):
    import transformers

    logging = transformers.utils.logging
    before = logging.get_verbosity(), logging.is_progress_bar_enabled(), torch.get_rng_state()
    np_before = np.random.get_state()[1].copy()  # noqa: NPY002
    for kind in ("wav2vec2 group", "whisper"):
        PretrainedEmbedding(tiny_model(kind), batch_size=2).fit_transform(signals)
    assert (logging.get_verbosity(), logging.is_progress_bar_enabled()) == before[:2]
    assert torch.equal(torch.get_rng_state(), before[2])
    assert np.array_equal(np.random.get_state()[1], np_before)  # noqa: NPY002
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["wav2vec2 group", "wavlm layer", "whisper"])
def test_the_state_of_torch_does_not_change_the_features(kind, tiny_model, signals, monkeypatch):
    step = PretrainedEmbedding(tiny_model(kind), batch_size=2)
    expected = step.fit_transform(signals)
    monkeypatch.setattr(_pretrained, "_loaded", type(_pretrained._loaded)())
    with changed_torch_state():
        pd.testing.assert_frame_equal(step.fit_transform(signals), expected)


def test_all_layers_go_into_the_network_that_weights_them(tiny_model):
    frame = make_speech_corpus(n_speakers=4, n_utterances=1, duration=0.4, random_state=0).frame
    model = make_pipeline(
        PretrainedEmbedding(tiny_model("wavlm layer"), layer="all"),
        FrameScaler(),
        MTLNeuralClassifier(max_epochs=2, random_state=0),
    )
    model = fit_model(model, frame, aux=())
    assert model[-1].layer_weights_.shape == (4,)
    assert set(model.predict(frame)) <= set(frame["emotion"])


@pytest.mark.parametrize("kind", ["wavlm layer", "whisper"])
def test_frame_attributes_of_the_table(kind, tiny_model, signals):
    step = PretrainedEmbedding(tiny_model(kind), pooling="frames")
    table = step.transform(signals)
    assert table.attrs["hop_length"] == 0.02
    assert "frame_axis" not in table.attrs
    table = step.set_params(layer="all", pooling="mean").transform(signals)
    assert table.attrs["frame_axis"] == "layers"
    assert "hop_length" not in table.attrs


def test_sliding_windows_do_not_accept_all_layers(tiny_model, signals):
    step = SlidingWindows(PretrainedEmbedding(tiny_model("wavlm layer"), layer="all"))
    message = r"PretrainedEmbedding gives all layers of its model. Choose one layer, or their mean"
    with pytest.raises(ValueError, match=message):
        step.transform(signals)
