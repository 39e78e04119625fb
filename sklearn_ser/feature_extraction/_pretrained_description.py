"""What a pretrained speech encoder is like, from its small files: no weights are read for it."""

import contextlib
import json
import math
import threading
from dataclasses import dataclass
from functools import lru_cache

from sklearn_ser.exceptions import PretrainedModelError
from sklearn_ser.feature_extraction._pretrained_source import (
    CONFIG,
    PREPARATION,
    import_transformers,
)

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
