"""Where models come from, and the one clear error for each way in which they cannot be had."""

import fnmatch
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import huggingface_hub
import numpy as np
import pytest
import transformers
from huggingface_hub import constants, errors
from safetensors.torch import load_file, save_file

from sklearn_ser.exceptions import MissingDependencyError, PretrainedModelError, SerError
from sklearn_ser.feature_extraction import PretrainedEmbedding

COMMIT = "0123456789abcdef0123456789abcdef01234567"
SIGNAL = np.random.default_rng(0).normal(scale=0.1, size=8000).astype(np.float32)


@pytest.fixture
def folder(tmp_path, save_model):
    """A model of its own, to be spoiled."""
    save_model("wav2vec2 group", tmp_path / "model")
    return tmp_path / "model"


def assert_error(model, message, **parameters):
    """Check that a step raises one error of this text for its model."""
    with pytest.raises(PretrainedModelError, match=message) as caught:
        PretrainedEmbedding(str(model), **parameters).fit_transform([SIGNAL])
    assert isinstance(caught.value, SerError)
    assert isinstance(caught.value, OSError)


def test_missing_extra(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    message = r"PretrainedEmbedding needs the package 'transformers'.*sklearn-ser\[hub\]"
    for model in (str(folder), "some/model"):
        with pytest.raises(MissingDependencyError, match=message):
            PretrainedEmbedding(model).fit([SIGNAL])


@pytest.mark.parametrize("name", ["no/such/folder", "/nowhere", "./nowhere", "", "a b"])
def test_what_is_neither_folder_nor_hub_name(name):
    assert_error(
        name, r"^there is no folder '.*' \(relative paths start at the working directory\)"
    )


def test_folder_without_model(tmp_path):
    assert_error(tmp_path, r"^the folder '.*' holds no model: there is no config.json")


def test_folder_has_no_revision(folder):
    assert_error(folder, r"is a folder, which has no revision 'v1'", revision="v1")


def test_models_that_are_not_speech_encoders(tmp_path):
    config = transformers.BertConfig(hidden_size=8, num_hidden_layers=1, num_attention_heads=1)
    config.save_pretrained(tmp_path)
    assert_error(
        tmp_path, r"is of type 'bert', which .* does not support: expected data2vec-audio,"
    )
    (tmp_path / "config.json").write_text("{}")
    assert_error(tmp_path, r"is of type None, which PretrainedEmbedding does not support")


@pytest.mark.parametrize(
    "text", ['{"model_type": ', "[]", '{"model_type": "hubert", "conv_dim": 3}']
)
def test_damaged_configuration(text, folder):
    (folder / "config.json").write_text(text)
    assert_error(
        folder, r"^the configuration of the model '.*' cannot be read \(\w+: .*\): download or"
    )


def test_model_without_preparation(folder):
    (folder / "preprocessor_config.json").unlink()
    assert_error(
        folder, r"has no preprocessor_config.json, which specifies the preparation of its audio"
    )


def test_files_that_do_not_belong_together(folder, tmp_path, save_model):
    transformers.Wav2Vec2FeatureExtractor(feature_size=80).save_pretrained(folder)
    assert_error(folder, r"has feature_size=80, but its network takes 1: .* do not belong together")
    save_model("whisper", tmp_path / "whisper", chunk_length=2)
    assert_error(tmp_path / "whisper", r"has n_samples=32000, but its network takes 16000: ")
    save_model("whisper", tmp_path / "mels", feature_size=20)
    assert_error(tmp_path / "mels", r"has feature_size=20, but its network takes 10: ")


def test_names_need_no_weights_but_features_do(folder):
    (folder / "model.safetensors").unlink()
    assert len(PretrainedEmbedding(str(folder)).get_feature_names_out()) == 16
    assert_error(folder, r"holds no weights that transformers can read, or not all parts of them")


def test_damaged_weights(folder):
    weights = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    assert_error(folder, r"^the weights of the model '.*' cannot be read \(SafetensorError: ")


def test_weights_of_another_shape(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 48}))
    assert_error(folder, r"^the weights of the model '.*' cannot be read \(RuntimeError: ")


@pytest.mark.parametrize("kind", ["wav2vec2 group", "whisper"])
def test_missing_weights_are_not_random(kind, tmp_path, save_model):
    folder = save_model(kind, tmp_path)
    without(tmp_path, "layers.1.fc1" if kind == "whisper" else "layers.1.attention.k_proj")
    message = r"are not complete: 2 arrays of the encoder are missing and would be random numbers"
    assert_error(folder, message + r" \(\S*layers.1.(fc1|attention.k_proj).bias, ")


def test_weights_that_no_feature_needs_may_be_missing(tmp_path, save_model):
    for kind, unneeded in [("wav2vec2 group", "masked_spec_embed"), ("whisper", "decoder.")]:
        folder = save_model(kind, tmp_path / kind)
        step = PretrainedEmbedding(folder, layer="mean")
        before = step.fit_transform([SIGNAL])
        without(Path(folder), unneeded)
        np.testing.assert_array_equal(step.fit_transform([SIGNAL]), before)


def without(folder, part):
    file = folder / "model.safetensors"
    weights = load_file(file)
    kept = {name: values for name, values in weights.items() if part not in name}
    assert len(kept) < len(weights)
    save_file(kept, file, metadata={"format": "pt"})


def test_weights_in_parts(folder, tmp_path):
    expected = PretrainedEmbedding(str(folder)).fit_transform([SIGNAL])
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    parts = {"model-00001-of-00002.safetensors": names[::2]}
    parts["model-00002-of-00002.safetensors"] = names[1::2]
    for file, held in parts.items():
        save_file({name: weights[name] for name in held}, folder / file, metadata={"format": "pt"})
    index = {name: file for file, held in parts.items() for name in held}
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": index})
    )
    (folder / "model.safetensors").unlink()
    step = PretrainedEmbedding(str(folder))
    np.testing.assert_array_equal(step.fit_transform([SIGNAL]), expected)
    assert set(step._versions()["model"]) > set(parts)
    (folder / "model-00002-of-00002.safetensors").unlink()
    assert_error(folder, r"holds no weights that transformers can read, or not all parts of them")


# The hub --------------------------------------------------------------------------------------


def put_into_cache(folder, name="owner/tiny", revision="main"):
    """Copy a model into the local cache of the hub, as a download does."""
    repository = Path(constants.HF_HUB_CACHE) / ("models--" + name.replace("/", "--"))
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / revision).write_text(COMMIT)
    return shutil.copytree(folder, repository / "snapshots" / COMMIT)


def test_a_model_in_the_cache_needs_no_network(folder):
    put_into_cache(folder)
    step = PretrainedEmbedding("owner/tiny")
    expected = PretrainedEmbedding(str(folder)).fit_transform([SIGNAL])
    np.testing.assert_array_equal(step.fit_transform([SIGNAL]), expected)
    assert step._versions()["model"] == f"commit {COMMIT}"
    assert PretrainedEmbedding("owner/tiny", revision=COMMIT).transform([SIGNAL]).equals(expected)
    assert_error("owner/tiny", r"does not hold all files of a model of that name", revision="other")


@pytest.mark.parametrize("offline", [False, True])
def test_no_network_is_one_quick_error(offline, monkeypatch, capfd):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    cause = "HF_HUB_OFFLINE is set" if offline else r"cannot be reached or fails \(ConnectError: "
    assert_error(
        "some/model",
        rf"^there is no folder 'some/model', the local cache .* and .*{cause}.*: download",
    )
    assert capfd.readouterr() == ("", "")


def test_weights_that_cannot_be_fetched_are_one_quick_error(folder, monkeypatch):
    (put_into_cache(folder) / "model.safetensors").unlink()
    assert len(PretrainedEmbedding("owner/tiny").get_feature_names_out()) == 16
    assert_error(
        "owner/tiny", r"does not hold all files of a model of that name, and the hub cannot be"
    )


def response_error(kind):
    """Return an error of the hub's client for a response of the hub."""
    response = Mock(headers={}, status_code=404, request=SimpleNamespace(method="GET", url="u"))
    return kind("404 Client Error. (Request ID: 1)", response=response)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        (
            errors.RepositoryNotFoundError,
            r"^there is neither a folder 'some/model' nor a model of that",
        ),
        (errors.GatedRepoError, r"^the model 'some/model' is gated: accept its conditions"),
        (
            errors.RevisionNotFoundError,
            r"'some/model' of the Hugging Face hub has no revision 'v9'",
        ),
    ],
)
def test_errors_of_the_hub(kind, message, monkeypatch):
    asked = Mock(side_effect=response_error(kind))
    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", asked)
    assert_error("some/model", message, revision="v9")
    assert asked.call_count == 1


@pytest.fixture
def hub(folder, monkeypatch):
    """A hub that has the model `folder` under every name, and records downloads."""
    downloaded = []

    def model_info(self, name, *, revision, timeout):
        assert timeout <= 10
        return SimpleNamespace(sha=COMMIT)

    def download(name, *, revision, allow_patterns, local_files_only=False, **_):
        target = Path(constants.HF_HUB_CACHE) / name / COMMIT
        if local_files_only:
            raise errors.LocalEntryNotFoundError("not in the cache")
        assert revision == COMMIT
        target.mkdir(parents=True, exist_ok=True)
        for file in sorted(folder.iterdir()):
            if any(fnmatch.fnmatch(file.name, pattern) for pattern in allow_patterns):
                shutil.copy(file, target)
                downloaded.append(file.name)
        return str(target)

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", model_info)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return downloaded


def test_only_needed_files_are_downloaded(folder, hub):
    (folder / "pytorch_model.bin").write_bytes(b"not needed")
    (folder / "code.py").write_text("raise SystemExit")
    step = PretrainedEmbedding("owner/tiny", revision="v1")
    step.get_feature_names_out()
    assert hub == ["config.json", "preprocessor_config.json"]
    expected = PretrainedEmbedding(str(folder)).fit_transform([SIGNAL])
    np.testing.assert_array_equal(step.fit_transform([SIGNAL]), expected)
    assert hub == ["config.json", "preprocessor_config.json", "model.safetensors"]
    assert step._versions()["model"] == f"commit {COMMIT}"


def test_pickled_weights_if_there_are_no_others(folder, hub):
    import torch

    expected = PretrainedEmbedding(str(folder)).fit_transform([SIGNAL])
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    found = PretrainedEmbedding("owner/tiny").fit_transform([SIGNAL])
    np.testing.assert_array_equal(found, expected)
    assert hub[-1] == "pytorch_model.bin"


def test_pickled_weights_cannot_run_code(folder):
    import torch

    torch.save(Harmful(), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert_error(
        folder, r"^the weights of the model '.*' cannot be read \(UnpicklingError: Weights only"
    )


class Harmful:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (pytest.fail, ("code in a file of weights was run",))


def test_code_of_a_model_is_not_run(folder):
    config = json.loads((folder / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "harmful.Model", "AutoConfig": "harmful.Config"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "harmful.py").write_text("raise SystemExit('code of a model was run')")
    assert PretrainedEmbedding(str(folder)).fit_transform([SIGNAL]).shape == (1, 16)
