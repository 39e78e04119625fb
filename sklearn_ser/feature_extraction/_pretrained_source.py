"""Folders of pretrained models, local or of the Hugging Face hub, and descriptions of the models.

A name on the hub is resolved to the folder of one commit in the local cache of the hub. Files in
that cache are used as they are; the hub is contacted, once and without retries, only for missing
files.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from sklearn_ser.exceptions import PretrainedModelError
from sklearn_ser.store._file_digests import FileDigest, FileDigests
from sklearn_ser.utils._extras import import_extra

CONFIG = "config.json"
#: Settings of the preparation of audio, in either file; newer versions of transformers write the
#: second.
PREPARATION = ("preprocessor_config.json", "processor_config.json")
#: Files of each format of weights, preferred first: one file, index of parts, parts.
WEIGHTS = (
    ("model.safetensors", "model.safetensors.index.json", "model-*.safetensors"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*.bin"),
)
#: "name" or "owner/name", as valid on the hub.
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
#: Seconds that the hub may take to answer.
_TIMEOUT = 10
_resolving = threading.Lock()
_hub_sources: dict[tuple[str, str | None], ModelSource] = {}
_digests: dict[Path, FileDigest] = {}


@dataclass(frozen=True)
class ModelSource:
    """Folder of a model."""

    name: str  # name or folder that the user passed
    folder: Path
    commit: str | None = None  # of a hub model

    def files(self) -> list[str]:
        """Return the names of the files in the folder that the features depend on."""
        return [
            name
            for name in (CONFIG, *PREPARATION, *_weights_in(self.folder))
            if (self.folder / name).is_file()
        ]

    def stamp(self) -> tuple:
        """Return sizes and times of the files, which change when a file is replaced."""
        stats = [(name, (self.folder / name).stat()) for name in self.files()]
        return tuple((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats)

    def version(self) -> str | dict[str, bytes]:
        """Return an identifier of the content: the commit, or digests of the files."""
        if self.commit is not None:
            return f"commit {self.commit}"
        return {name: _digest(self.folder / name) for name in self.files()}


def find_model(model: str | None, revision: str | None = None) -> ModelSource:
    """Find the folder of a model; of a hub model, download at most its small JSON files."""
    if model is None:
        raise PretrainedModelError(
            "PretrainedEmbedding has no model, since a model file holds neither folders nor names "
            "of pretrained models. Set the one that the saved model was fitted with: "
            "set_params(model=...), in a Pipeline set_params(pretrainedembedding__model=...)"
        )
    folder = Path(model).expanduser()
    if model and folder.is_dir():
        if revision is not None:
            raise PretrainedModelError(
                f"{model!r} is a folder, which has no revision {revision!r}: remove revision="
            )
        return ModelSource(model, folder.resolve())
    if not _HUB_NAME.fullmatch(model):
        raise PretrainedModelError(
            f"there is no folder {model!r} (relative paths start at the working directory), and "
            f"it is not a name of the Hugging Face hub either, such as "
            f"'microsoft/wavlm-base-plus'"
        )
    import_transformers()  # which brings the hub's client
    with _resolving:
        source = _hub_sources.get((model, revision))
        if source is None or not (source.folder / CONFIG).is_file():
            source = _from_hub_cache(model, revision)
            if source is None:
                source = ModelSource(model, *_download(model, revision, [CONFIG, *PREPARATION]))
            _hub_sources[model, revision] = source
        return source


def fetch_weights(source: ModelSource) -> None:
    """Check that all weights are in the folder; download those of a hub model if necessary."""
    with _resolving:
        for patterns in WEIGHTS if source.commit is not None else ():
            if _weights_in(source.folder):
                break
            _download(source.name, source.commit, patterns)
    if not _weights_in(source.folder):
        raise PretrainedModelError(
            f"{source.name!r} holds no weights that transformers can read, or not all parts of "
            f"them: expected model.safetensors (or pytorch_model.bin) in {str(source.folder)!r}. "
            f"Convert weights of TensorFlow or Flax first"
        )


def _weights_in(folder: Path) -> list[str]:
    """Return the names of the files of the first format of weights that is complete."""
    for whole, index, _ in WEIGHTS:
        if (folder / whole).is_file():
            return [whole]
        if (folder / index).is_file():
            try:
                parts = json.loads((folder / index).read_bytes())["weight_map"].values()
                names = [index, *sorted(set(parts))]
            except (ValueError, KeyError, AttributeError, TypeError):
                continue
            if all((folder / name).is_file() for name in names):
                return names
    return []


def _from_hub_cache(model, revision):
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        folder = Path(
            snapshot_download(
                model,
                revision=revision,
                allow_patterns=[CONFIG, *PREPARATION],
                local_files_only=True,
            )
        )
    except LocalEntryNotFoundError:
        return None
    return ModelSource(model, folder, folder.name) if (folder / CONFIG).is_file() else None


def _download(model: str, revision: str | None, patterns: Sequence[str]) -> tuple[Path, str]:
    """Download files of a model into the local cache; return its folder and its commit."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    had_bars = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        # Unlike a download, this neither retries for a minute if there is no network, nor returns
        # a folder that lacks the requested files.
        info: Any = HfApi().model_info(model, revision=revision, timeout=_TIMEOUT)
        commit = info.sha
        folder = snapshot_download(
            model, revision=commit, allow_patterns=list(patterns), etag_timeout=_TIMEOUT
        )
    except Exception as error:  # the client of the hub raises many types
        raise _hub_error(model, revision, error) from error
    finally:
        if had_bars:
            enable_progress_bars()
    return Path(folder), commit


def _hub_error(model, revision, error):
    """Return one type of error for all errors of the hub's client."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return PretrainedModelError(
            f"the model {model!r} is gated: accept its conditions on its page on the hub, and log "
            f"in ('hf auth login')"
        )
    if isinstance(error, errors.RepositoryNotFoundError | errors.HFValidationError):
        return PretrainedModelError(
            f"there is neither a folder {model!r} nor a model of that name on the Hugging Face hub "
            f"(or a private one, which needs 'hf auth login'): check the spelling"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return PretrainedModelError(
            f"the model {model!r} of the Hugging Face hub has no revision {revision!r}"
        )
    if isinstance(error, errors.OfflineModeIsEnabled):
        cause = "HF_HUB_OFFLINE is set"
    else:
        line = (str(error).strip().splitlines() or [""])[0][:200]
        cause = f"the hub cannot be reached or fails ({type(error).__name__}: {line})"
    return PretrainedModelError(
        f"there is no folder {model!r}, the local cache of the Hugging Face hub does not hold all "
        f"files of a model of that name, and {cause}: download it once where there is a network "
        f"('hf download {model}'), or pass the folder of a copy"
    )


def _digest(path: Path) -> bytes:
    """Return the digest of a file, cached in this process until the file changes."""
    cached = _digests.get(path)
    if cached is None or not cached.still_holds(str(path)):
        cached = FileDigests().of([str(path)])[str(path)]
        if cached is None:
            raise PretrainedModelError(f"the file {str(path)!r} of the model cannot be read")
        _digests[path] = cached
    return cached.digest


def import_transformers() -> Any:
    """Import transformers, or raise an error that names the extra to install."""
    return import_extra("transformers", "hub", "PretrainedEmbedding")


#: Encoders whose input are samples. Others of transformers are not supported because their frames
#: differ from layer to layer (SEW), or because they have state between calls (conformers).
WAVEFORM_MODELS = (
    "data2vec-audio",
    "hubert",
    "unispeech",
    "unispeech-sat",
    "wav2vec2",
    "wavlm",
)
#: Encoders in which padding to a common length does not change the frames, if there is no
#: normalization over time. (The position layers of data2vec mix padding into the frames.)
_PADDABLE = ("hubert", "unispeech", "unispeech-sat", "wav2vec2", "wavlm")
_quieting = threading.Lock()


@dataclass(frozen=True)
class Description:
    """Speech encoder without its weights."""

    model_type: str
    width: int  # number of features of a frame
    n_layers: int  # there is one state more, the input of the first layer
    config: Any
    preparation: Any  # feature extractor of transformers, from samples to inputs of the network

    @property
    def sampling_rate(self) -> float:
        """Sampling rate in Hz of the audio that the network was trained with."""
        return self.preparation.sampling_rate

    @property
    def is_whisper(self) -> bool:
        """Whether this is the encoder of Whisper, with windows of fixed length."""
        return self.model_type == "whisper"

    @property
    def hop_length(self) -> float:
        """Seconds from one frame to the next."""
        if self.is_whisper:
            return self._samples_per_whisper_frame / self.sampling_rate
        return math.prod(stride for _, stride in self._convolutions) / self.sampling_rate

    @property
    def pads(self) -> bool:
        """Whether utterances of different lengths may share a batch."""
        return (
            self.model_type in _PADDABLE
            and self.config.feat_extract_norm == "layer"
            and not getattr(self.config, "conv_pos_batch_norm", False)
        )

    @property
    def min_samples(self) -> int:
        """Minimum number of samples, which gives one frame."""
        if self.is_whisper:
            return 1
        n_samples = 1
        for kernel, stride in reversed(self._convolutions):
            n_samples = (n_samples - 1) * stride + kernel
        return n_samples

    def n_frames(self, n_samples: int) -> int:
        """Return the number of frames that depend on samples of the utterance only.

        Frames of Whisper are centered on one sample in 320, and always extend further: those whose
        center is in the utterance.
        """
        if self.is_whisper:
            return math.ceil(n_samples / self._samples_per_whisper_frame)
        for kernel, stride in self._convolutions:
            n_samples = (n_samples - kernel) // stride + 1
        return n_samples

    @property
    def _samples_per_whisper_frame(self):
        return self.preparation.n_samples // self.config.max_source_positions

    @property
    def _convolutions(self):
        return list(zip(self.config.conv_kernel, self.config.conv_stride, strict=True))


def describe_model(source: ModelSource) -> Description:
    """Describe the model of a folder, or raise an error if it holds no intact speech encoder."""
    small = [source.folder / name for name in (CONFIG, *PREPARATION)]
    stamps = tuple((at.stat().st_mtime_ns, at.stat().st_size) for at in small if at.is_file())
    return _describe_model(source, stamps)


@lru_cache(maxsize=16)
def _describe_model(source, stamps):
    """Describe a model; `stamps` differ when a file has changed."""
    folder = source.folder
    if not (folder / CONFIG).is_file():
        raise PretrainedModelError(
            f"the folder {source.name!r} holds no model: there is no {CONFIG}. Pass a folder "
            f"written by save_pretrained of transformers, or a downloaded model"
        )
    model_type = _model_type(source)
    if model_type not in (*WAVEFORM_MODELS, "whisper"):
        raise PretrainedModelError(
            f"the model {source.name!r} is of type {model_type!r}, which PretrainedEmbedding does "
            f"not support: expected {', '.join(WAVEFORM_MODELS)} or whisper"
        )
    if not any((folder / name).is_file() for name in PREPARATION):
        raise PretrainedModelError(
            f"the model {source.name!r} has no {PREPARATION[0]}, which specifies the preparation "
            f"of its audio (sampling rate, normalization): copy it from the source of the model"
        )
    transformers = import_transformers()
    prepares = transformers.Wav2Vec2FeatureExtractor
    if model_type == "whisper":
        prepares = transformers.WhisperFeatureExtractor
    try:
        with quiet():
            config = transformers.AutoConfig.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
            preparation = prepares.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # of many types
        raise unreadable(source, "configuration", error) from error
    config.add_adapter = False  # an adapter would shorten the sequence of frames
    if model_type == "whisper":
        n_samples = 2 * preparation.hop_length * config.max_source_positions
        expected = {"feature_size": config.num_mel_bins, "n_samples": n_samples}
        _check_preparation(source, preparation, expected)
        preparation.dither = 0.0  # random numbers
        return Description(model_type, config.d_model, config.encoder_layers, config, preparation)
    _check_preparation(source, preparation, {"feature_size": 1})
    n_layers = config.num_hidden_layers
    return Description(model_type, config.hidden_size, n_layers, config, preparation)


def _model_type(source):
    try:
        return json.loads((source.folder / CONFIG).read_bytes()).get("model_type")
    except (ValueError, AttributeError, OSError) as error:
        raise unreadable(source, "configuration", error) from error


def _check_preparation(source, preparation, expected):
    for name, value in expected.items():
        if getattr(preparation, name) != value:
            raise PretrainedModelError(
                f"the preparation of the model {source.name!r} has "
                f"{name}={getattr(preparation, name)}, but its network takes {value}: the files of "
                f"the folder do not belong together"
            )


def unreadable(source: ModelSource, part: str, error: Exception) -> PretrainedModelError:
    """Return the error for files that transformers cannot read."""
    reason = " ".join(str(error).split())[:300]
    return PretrainedModelError(
        f"the {part} of the model {source.name!r} cannot be read ({type(error).__name__}: "
        f"{reason}): download or save the model again"
    )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence transformers: no progress bars, no reports of what it loads."""
    logging = import_transformers().utils.logging
    with _quieting:  # its settings are those of the process
        verbosity, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity(logging.CRITICAL)
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if had_bars:
                logging.enable_progress_bar()
