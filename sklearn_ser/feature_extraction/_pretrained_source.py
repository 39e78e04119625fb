"""Where a pretrained model lies: a local folder, or a name on the Hugging Face hub.

A hub name becomes the folder of one commit in the hub's local cache, so that everything after
this deals with folders. What is in that cache is used as it is; the hub is asked, once and
without retries, only for what is not there.
"""

import contextlib
import json
import math
import re
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sklearn_ser.exceptions import PretrainedModelError
from sklearn_ser.store._files import FileDigests
from sklearn_ser.utils._extras import import_extra

CONFIG = "config.json"
#: Either says how audio is to be prepared; newer versions of transformers write the second.
PREPARATION = ("preprocessor_config.json", "processor_config.json")
#: The files of one format of weights, preferred first: whole, index of parts, parts.
WEIGHTS = (
    ("model.safetensors", "model.safetensors.index.json", "model-*.safetensors"),
    ("pytorch_model.bin", "pytorch_model.bin.index.json", "pytorch_model-*.bin"),
)
#: "name" or "owner/name", as the hub allows it.
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")
#: Seconds that the hub may take to answer.
_PATIENCE = 10
_asking = threading.Lock()
_found_on_hub = {}
_digests = {}


@dataclass(frozen=True)
class ModelSource:
    """A folder with a model.

    Attributes
    ----------
    name : str
        As the user gave it.
    folder : Path
    commit : str or None
        Of a model of the hub.
    """

    name: str
    folder: Path
    commit: str | None = None

    def files(self):
        """Names of the files there that the features depend on; weights only where needed."""
        return [
            name
            for name in (CONFIG, *PREPARATION, *_weights_in(self.folder))
            if (self.folder / name).is_file()
        ]

    def stamp(self):
        """What changes when one of the files is replaced; costs a look at each."""
        found = [(name, (self.folder / name).stat()) for name in self.files()]
        return tuple((name, at.st_size, at.st_mtime_ns, at.st_ino) for name, at in found)

    def version(self):
        """What the model is, by content: the commit, or a digest of the folder's files."""
        if self.commit is not None:
            return f"commit {self.commit}"
        return {name: _digest(self.folder / name) for name in self.files()}


def find_model(model, revision=None):
    """Find a model's folder; of a model of the hub, fetch at most its small JSON files.

    Parameters
    ----------
    model : str
        A folder or a name on the hub.
    revision : str or None
        Branch, tag or commit of a hub model.

    Returns
    -------
    ModelSource

    Raises
    ------
    PretrainedModelError
    """
    folder = Path(model).expanduser()
    if model and folder.is_dir():
        if revision is not None:
            raise PretrainedModelError(
                f"{model!r} is a folder, which has no revision {revision!r}: leave out revision="
            )
        return ModelSource(model, folder.resolve())
    if not _HUB_NAME.fullmatch(model):
        raise PretrainedModelError(
            f"there is no folder {model!r} (relative paths start at the working directory), and "
            f"it is no name of the Hugging Face hub either, such as 'microsoft/wavlm-base-plus'"
        )
    import_transformers()  # which brings the hub's client
    with _asking:
        found = _found_on_hub.get((model, revision))
        if found is None or not (found.folder / CONFIG).is_file():
            found = _from_hub_cache(model, revision) or _from_hub(model, revision)
            _found_on_hub[model, revision] = found
        return found


def fetch_weights(source):
    """See that the weights are in the folder; of a model of the hub, download them if need be.

    Raises
    ------
    PretrainedModelError
        If there are none, or parts are missing.
    """
    with _asking:
        for patterns in WEIGHTS if source.commit is not None else ():
            if _weights_in(source.folder):
                break
            _download(source.name, source.commit, patterns)
    if not _weights_in(source.folder):
        raise PretrainedModelError(
            f"{source.name!r} holds no weights that transformers could read, or not all parts of "
            f"them: expected model.safetensors (or pytorch_model.bin) in {str(source.folder)!r}. "
            f"Weights of TensorFlow or Flax have to be converted first"
        )


def _weights_in(folder):
    """Names of the weights' files, of the first format of which all files are there."""
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


def _from_hub(model, revision):
    folder, commit = _download(model, revision, [CONFIG, *PREPARATION])
    return ModelSource(model, folder, commit)


def _download(model, revision, patterns):
    """Bring files of a model into the hub's local cache; its folder there, and its commit."""
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
    )

    had_bars = not are_progress_bars_disabled()
    disable_progress_bars()
    try:
        # Unlike a download, this neither retries for a minute where there is no network, nor
        # returns a folder that lacks what was asked for.
        commit = HfApi().model_info(model, revision=revision, timeout=_PATIENCE).sha
        folder = snapshot_download(
            model, revision=commit, allow_patterns=list(patterns), etag_timeout=_PATIENCE
        )
    except Exception as error:  # whatever the hub's client raises: it has many kinds
        raise _hub_error(model, revision, error) from error
    finally:
        if had_bars:
            enable_progress_bars()
    return Path(folder), commit


def _hub_error(model, revision, error):
    """The one error for all that can go wrong with the hub."""
    from huggingface_hub import errors

    if isinstance(error, errors.GatedRepoError):
        return PretrainedModelError(
            f"the model {model!r} is gated: accept its conditions on the hub's page of it and log "
            f"in ('hf auth login')"
        )
    if isinstance(error, errors.RepositoryNotFoundError | errors.HFValidationError):
        return PretrainedModelError(
            f"there is no folder {model!r}, and no model of that name on the Hugging Face hub (or "
            f"a private one, which needs 'hf auth login'): check the spelling"
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return PretrainedModelError(
            f"the model {model!r} of the Hugging Face hub has no revision {revision!r}"
        )
    if isinstance(error, errors.OfflineModeIsEnabled):
        cause = "HF_HUB_OFFLINE is set"
    else:
        cause = f"the hub cannot be reached or fails ({_in_short(error)})"
    return PretrainedModelError(
        f"there is no folder {model!r}, the local cache of the Hugging Face hub does not hold all "
        f"of a model of that name, and {cause}: fetch it once where there is a network ('hf "
        f"download {model}'), or give the folder of a copy"
    )


def _in_short(error):
    lines = str(error).strip().splitlines() or [""]
    return f"{type(error).__name__}: {lines[0][:200]}"


def _digest(path):
    """Digest of a file, remembered in this process until the file changes."""
    known = _digests.get(path)
    if known is None or not known.still_holds(path):
        known = _digests[path] = FileDigests().of([str(path)])[str(path)]
        if known is None:
            raise PretrainedModelError(f"the file {str(path)!r} of the model cannot be read")
    return known.digest


def import_transformers():
    """The library, or the one error that says how to get it."""
    return import_extra("transformers", "hub", "PretrainedEmbedding")


#: Encoders that read the samples themselves. Others of transformers are left out because their
#: frames differ from layer to layer (SEW), or because they keep state between calls (conformers).
WAVEFORM_MODELS = (
    "data2vec-audio",
    "hubert",
    "unispeech",
    "unispeech-sat",
    "wav2vec2",
    "wavlm",
)
#: Of these, utterances can be padded to a common length without touching each other's frames, if
#: there is no normalization over time. (The position layers of data2vec spread what is padded.)
_PADDABLE = ("hubert", "unispeech", "unispeech-sat", "wav2vec2", "wavlm")
_talking = threading.Lock()


@dataclass(frozen=True)
class Description:
    """A speech encoder, without its weights.

    Attributes
    ----------
    model_type : str
        As transformers calls it.
    width : int
        Numbers a frame.
    n_layers : int
        Transformer layers; there is one more state than layers, the first layer's input.
    config : transformers.PretrainedConfig
    preparation : transformers feature extractor
        Prepares samples for the network.
    """

    model_type: str
    width: int
    n_layers: int
    config: object
    preparation: object

    @property
    def sampling_rate(self):
        """Rate in Hz of the audio that the network was trained with."""
        return self.preparation.sampling_rate

    @property
    def is_whisper(self):
        return self.model_type == "whisper"

    @property
    def hop_length(self):
        """Seconds from one frame to the next."""
        if self.is_whisper:
            return self._samples_per_whisper_frame / self.sampling_rate
        return math.prod(stride for _, stride in self._convolutions) / self.sampling_rate

    @property
    def pads(self):
        """Whether utterances of other lengths may share a batch."""
        return (
            self.model_type in _PADDABLE
            and self.config.feat_extract_norm == "layer"
            and not getattr(self.config, "conv_pos_batch_norm", False)
        )

    @property
    def shortest(self):
        """Samples that give one frame."""
        if self.is_whisper:
            return 1
        n_samples = 1
        for kernel, stride in reversed(self._convolutions):
            n_samples = (n_samples - 1) * stride + kernel
        return n_samples

    def n_frames(self, n_samples):
        """Frames that see samples of the utterance only.

        Whisper's are centerd on one sample in 320 (and always see further): those whose center is
        in the utterance.
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


def describe(source):
    """Describe the model of a `ModelSource`.

    Raises
    ------
    PretrainedModelError
        If the folder holds no model, a damaged one, or one that is no speech encoder.
    MissingDependencyError
    """
    small = [source.folder / name for name in (CONFIG, *PREPARATION)]
    stamps = tuple((at.stat().st_mtime_ns, at.stat().st_size) for at in small if at.is_file())
    return _describe(source, stamps)


@lru_cache(maxsize=16)
def _describe(source, stamps):
    """`stamps` make a changed file count as another."""
    folder = source.folder
    if not (folder / CONFIG).is_file():
        raise PretrainedModelError(
            f"the folder {source.name!r} holds no model: there is no {CONFIG}. Expected is a "
            f"folder that transformers' save_pretrained wrote, or a download of a model"
        )
    model_type = _model_type(source)
    if model_type not in (*WAVEFORM_MODELS, "whisper"):
        raise PretrainedModelError(
            f"the model {source.name!r} is of the type {model_type!r}, which is no speech encoder "
            f"that PretrainedEmbedding knows: it takes {', '.join(WAVEFORM_MODELS)} and whisper"
        )
    if not any((folder / name).is_file() for name in PREPARATION):
        raise PretrainedModelError(
            f"the model {source.name!r} has no {PREPARATION[0]}, which says how its audio is to be "
            f"prepared (sampling rate, normalization): copy it from where the model came from"
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
    except Exception as error:  # of many kinds
        raise unreadable(source, "configuration", error) from error
    config.add_adapter = False  # what an adapter shortens are no longer the encoder's frames
    if model_type == "whisper":
        _check_whisper(source, config, preparation)
        preparation.dither = 0.0  # random numbers
        return Description(model_type, config.d_model, config.encoder_layers, config, preparation)
    _check_waveform(source, preparation)
    n_layers = config.num_hidden_layers
    return Description(model_type, config.hidden_size, n_layers, config, preparation)


def _model_type(source):
    try:
        return json.loads((source.folder / CONFIG).read_bytes()).get("model_type")
    except (ValueError, AttributeError, OSError) as error:
        raise unreadable(source, "configuration", error) from error


def _check_waveform(source, preparation):
    if preparation.feature_size != 1:
        raise PretrainedModelError(
            f"the model {source.name!r} is prepared for {preparation.feature_size} numbers a "
            f"sample ('feature_size'), but reads the samples themselves: the folder's files do not "
            f"belong together"
        )


def _check_whisper(source, config, preparation):
    expected = {
        "feature_size": config.num_mel_bins,
        "n_samples": 2 * preparation.hop_length * config.max_source_positions,
    }
    for name, value in expected.items():
        if getattr(preparation, name) != value:
            raise PretrainedModelError(
                f"the model {source.name!r} is prepared with {name}={getattr(preparation, name)}, "
                f"but its network takes {value}: the folder's files do not belong together"
            )


def unreadable(source, what, error):
    """The error for files that transformers cannot make sense of."""
    said = " ".join(str(error).split())[:300]
    return PretrainedModelError(
        f"the {what} of the model {source.name!r} cannot be read ({type(error).__name__}: {said}): "
        f"fetch or save the model again"
    )


@contextlib.contextmanager
def quiet():
    """Keep transformers from talking: no progress bars, no reports of what it loads.

    Its settings are those of the process, so one thread at a time.
    """
    logging = import_transformers().utils.logging
    with _talking:
        verbosity, had_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
        logging.set_verbosity(logging.CRITICAL)
        logging.disable_progress_bar()
        try:
            yield
        finally:
            logging.set_verbosity(verbosity)
            if had_bars:
                logging.enable_progress_bar()
