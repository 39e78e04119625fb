"""Features of openSMILE: standard sets and configuration files."""

from __future__ import annotations

import ctypes
import hashlib
import importlib.metadata
import os
import re
import tempfile
import threading
import weakref
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction._base import (
    AudioExtractor,
    BeyondFullScale,
    OnError,
    document_audio_parameters,
)
from sklearn_ser.utils._public import public_module

#: Minimum duration in seconds of sets that need more than the usual 0.06 at any of their levels
#: (measured with opensmile 2.6; below, openSMILE gives nothing).
LONGER_MINIMUM = {"IS10": 0.07, "IS11": 0.07, "IS12": 0.07}
#: Name that scikit-learn users expect for the level "func" of `opensmile.FeatureLevel`.
FUNCTIONALS = "functionals"
#: Levels of the standard sets, and their names in the configuration files.
STANDARD_LEVELS = {FUNCTIONALS: "func", "lld": "lld", "lld_de": "lld_de"}
#: Characters that `plain_names` replaces.
_OTHER_CHARACTERS = re.compile(r"[^A-Za-z0-9_]+_?")
#: Part of the names of sets whose configuration has no deltas.
_WITHOUT_DELTAS = "GeMAPS"

SAMPLING_RATE = 16000
_SOURCE, _SINK = b"extsource", b"extsink"
_SUCCESS, _NO_SUCH_COMPONENT = 0, 4
#: Idle C objects that a process holds per configuration; each takes some megabytes.
_MAX_IDLE = os.cpu_count() or 1
#: A bare address instead of a typed pointer: cheaper, because there is a call for each frame.
_FrameCallback = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_long,
    ctypes.c_long,
    ctypes.c_void_p,
    ctypes.c_void_p,
)

_engines: dict[tuple[Path, str, bool], tuple[str | None, SmileEngine]] = {}
_building = threading.Lock()


@public_module("sklearn_ser.feature_extraction")
@document_audio_parameters
class OpenSmileExtractor(AudioExtractor):
    r"""Acoustic descriptors and their statistics, computed by openSMILE.

    By default, each utterance gives one row of statistics (mean pitch, loudness percentiles,
    spectral slopes, ...); other levels give the descriptors, frame by frame. Every utterance is
    passed to openSMILE as mono audio at 16 kHz within full scale: at other rates openSMILE
    computes other features, and it silently wraps samples beyond full scale around. On the same
    clean signal the values equal those of `opensmile.Smile` bit by bit.

    .. note::
       **License**: openSMILE is free for research, education and other non-commercial use only.
       Commercial use needs a license from audEERING (https://www.audeering.com/).
       :class:`SpeakerEmbedding` has no such condition.

    Parameters
    ----------
    feature_set : str, default="eGeMAPSv02"
        Name of a standard set of `opensmile.FeatureSet`, or path of a configuration file (see
        Notes). Functionals, and descriptors per frame, of the standard sets:

        ===================================== ===== ====
        "eGeMAPSv02"                             88   25
        "GeMAPSv01b"                             62   18
        "ComParE_2016"                         6373   65
        "emobase"                               988   26
        "IS09"                                  384   16
        "IS10"                                 1582   38
        "IS11"                                 4368   59
        "IS12"                                 6125   64
        "IS13"                                 6373   65
        "eGeMAPS", "eGeMAPSv01a" (older)         88   23
        "eGeMAPSv01b" (older)                    88   23
        "GeMAPS", "GeMAPSv01a" (older)           62   18
        ===================================== ===== ====
    feature_level : str, default="functionals"
        Level of the features:

        - ``"functionals"``: statistics over the whole utterance, one row.
        - ``"lld"``: the low-level descriptors, a frame every 10 ms. No value is missing:
          undefined ones (the pitch of an unvoiced frame) are 0.
        - ``"lld_de"``: their first-order differences over time, equal in number. The GeMAPS family
          has none.

        For a configuration file: the name of a level that one of its components writes
        ("functionals" also stands for a level "func").
    plain_names : bool, default=False
        Whether the names of features have no other characters than letters, digits and
        underscores, as gradient-boosting libraries (XGBoost, LightGBM) demand: any other
        characters become an underscore, and ``mfcc_sma[1]_max`` is ``mfcc_sma_1_max``.
    %(audio_parameters)s

    Attributes
    ----------
    %(failures_attribute)s

    See Also
    --------
    SpeakerEmbedding : Features of a pretrained network, without conditions on their use.

    Notes
    -----
    Utterances must last at least 0.06 s, for IS10, IS11 and IS12 0.07 s. A constant offset of the
    signal of 0.2 silences most features: remove it by `remove_dc`.

    **Levels of frames** give one column, ``frames``, of float32 arrays (n_frames, n_features), with
    as many frames as openSMILE gives: deltas have two more at the end than descriptors, sets with
    longer windows fewer.

    **Configuration files** have the format of `opensmile.Smile`. They contain

    - ``\{\cm[source{?}:source include config]}``, the source of the audio (it writes the level
      "wave"),
    - ``\{\cm[sink{?}:include external sink]}`` at the end, which outputs the level,
    - an instance of cDataMemory, and components of any kind in between.

    A level that gives a single vector for each of two test signals of 1 s and 5 s gives rows, any
    other level gives frames. Relative paths of included files start at the file that includes
    them. A configuration is read again when the file, or one that it includes or names, changes,
    and its features have another cache key then. A model file
    (:func:`~sklearn_ser.save_model`) does not hold a step with a configuration file.

    References
    ----------
    F. Eyben, M. Woellmer, B. Schuller, "openSMILE: the Munich versatile and fast open-source
    audio feature extractor", ACM Multimedia 2010.

    F. Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research
    and Affective Computing", IEEE Transactions on Affective Computing 7(2), 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.feature_extraction import OpenSmileExtractor
    >>> noise = np.random.default_rng(0).normal(scale=0.05, size=(2, 8000))
    >>> extractor = OpenSmileExtractor("eGeMAPSv02")
    >>> features = extractor.fit_transform(list(noise))
    >>> features.shape
    (2, 88)
    >>> print(extractor.get_feature_names_out()[0])
    F0semitoneFrom27.5Hz_sma3nz_amean
    """

    _parameter_constraints = {
        "feature_set": [str],
        "feature_level": [str],
        "plain_names": ["boolean"],
        **AudioExtractor._parameter_constraints,
    }

    def __init__(
        self,
        feature_set: str = "eGeMAPSv02",
        feature_level: str = "functionals",
        *,
        plain_names: bool = False,
        audio: str = "file",
        on_error: OnError = "raise",
        beyond_full_scale: BeyondFullScale = "raise",
        remove_dc: bool = False,
        store: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(audio, on_error, beyond_full_scale, remove_dc, store, n_jobs, verbose)
        self.feature_set = feature_set
        self.feature_level = feature_level
        self.plain_names = plain_names

    @property
    def _min_duration(self) -> float:
        return LONGER_MINIMUM.get(self.feature_set, super()._min_duration)

    @property
    def _frame_level(self) -> bool:
        if is_standard(self.feature_set):
            return self.feature_level != FUNCTIONALS
        return self._engine().gives_frames

    def _validate_params(self) -> None:
        super()._validate_params()
        check_config(self.feature_set, self.feature_level)
        if not is_standard(self.feature_set):
            self._engine()  # openSMILE itself checks a custom file

    def _engine(self) -> SmileEngine:
        return load_engine(self.feature_set, self.feature_level)

    def _feature_names(self) -> list[str]:
        names = self._engine().names
        if not self.plain_names:
            return names
        plain = [_OTHER_CHARACTERS.sub("_", name).strip("_") for name in names]
        if len(set(plain)) < len(set(names)):
            raise ValueError(
                f"plain_names=True gives several features of {self.feature_set!r} the same name: "
                f"they differ only in other characters than letters, digits and underscores. "
                f"Set plain_names=False, or rename them in the configuration."
            )
        return plain

    def _versions(self) -> dict[str, Any]:
        versions = {"opensmile": importlib.metadata.version("opensmile")}
        if not is_standard(self.feature_set):
            versions["config"] = config_digest(self.feature_set)
        return versions

    def _extract(self, signal: np.ndarray) -> ArrayLike:
        engine = self._engine()
        vectors = engine.extract(signal)
        # Not by `_frame_level`, which would check the files of a configuration once more.
        standard = is_standard(self.feature_set)
        if self.feature_level != FUNCTIONALS if standard else engine.gives_frames:
            return vectors
        if len(vectors) > 1:
            raise AudioError(
                f"openSMILE gives {len(vectors)} vectors for this utterance of "
                f"{len(signal) / self._sampling_rate:.3f} s, but level {self.feature_level!r} of "
                f"{self.feature_set!r} gives one vector for 1 s and for 5 s. Configure the level "
                f"to give one vector per utterance or one per frame"
            )
        return vectors.ravel()


def feature_sets() -> tuple[str, ...]:
    """Return the names of openSMILE's standard feature sets."""
    import opensmile

    return tuple(opensmile.FeatureSet.__members__)


def check_config(feature_set: str, feature_level: str) -> None:
    """Check that the parameters name a level of a standard set, or an existing file."""
    known = feature_sets()
    if feature_set in known:
        levels = standard_levels(feature_set)
        if feature_level not in levels:
            raise ValueError(
                f"The 'feature_level' parameter of OpenSmileExtractor must be one of the levels "
                f"of {feature_set}, {', '.join(map(repr, levels))}. Got {feature_level!r} instead."
            )
    elif not os.path.isfile(feature_set):
        if feature_set.endswith(".conf"):
            raise ValueError(
                f"The 'feature_set' parameter of OpenSmileExtractor names a configuration file "
                f"that does not exist: {feature_set!r} (relative paths start at the working "
                f"directory, {os.getcwd()!r})."
            )
        raise ValueError(
            f"The 'feature_set' parameter of OpenSmileExtractor must be one of openSMILE's "
            f"standard sets, {', '.join(known)}, or the path of a .conf file. Got {feature_set!r} "
            f"instead."
        )


def is_standard(feature_set: str) -> bool:
    """Return whether this is the name of one of openSMILE's own sets, and not a path."""
    return feature_set in feature_sets()


def standard_levels(feature_set: str) -> list[str]:
    """Return the levels of a standard set."""
    return [
        level
        for level in STANDARD_LEVELS
        if not (level == "lld_de" and _WITHOUT_DELTAS in feature_set)
    ]


def load_engine(feature_set: str, feature_level: str) -> SmileEngine:
    """Return the engine of a set and level, built once per process and when its files change."""
    standard = is_standard(feature_set)
    path = standard_path(feature_set) if standard else Path(os.path.abspath(feature_set))
    digest = None if standard else config_digest(path)
    key = path, feature_level, standard
    with _building:
        cached_digest, engine = _engines.get(key, (None, None))
        if engine is None or cached_digest != digest:
            try:
                engine = _new_engine(*key)
            except InvalidConfig as error:
                message = _config_error(feature_set, path, feature_level, error)
                raise ValueError(message) from None
            _engines[key] = digest, engine
    return engine


def _new_engine(path, feature_level, standard):
    level = STANDARD_LEVELS.get(feature_level, feature_level)
    if standard:
        return SmileEngine(path, level, fast_sink_of_standard_set(path, level))
    if feature_level in written_levels(path):
        level = feature_level  # a level of the file that is itself called "functionals"
    return SmileEngine(path, level, fast_sink(level))


def standard_path(feature_set: str) -> Path:
    """Return the path of the configuration file of a standard set."""
    import opensmile

    return config_root() / f"{opensmile.FeatureSet[feature_set].value}.conf"


def _config_error(feature_set, path, feature_level, error):
    if "component 'extsink.reader' requires it" in str(error):
        levels = ", ".join(map(repr, written_levels(path)))
        return (
            f"{feature_set!r} has no level {feature_level!r} (parameter 'feature_level' of "
            f"OpenSmileExtractor). Its components write {levels or 'none'}."
        )
    return f"openSMILE does not accept the configuration {feature_set!r}: {error}"


# openSMILE's C library. `opensmile.Smile` builds a C object for each utterance. Here an object is
# reset instead, and the end of its configuration (see `fast_sink`) is such that a reset is cheap.
# The values are equal bit by bit.


class InvalidConfig(ValueError):
    """A configuration that openSMILE does not accept, with the messages that it logged."""


class SmileEngine:
    """openSMILE with one configuration file and one level of it; several threads may share it."""

    def __init__(self, config: str | Path, level: str, sink: str) -> None:
        self._config = config
        self._sink = sink
        self.names = _element_names(_Smile(config, plain_sink(level)))
        self._idle: deque[_Smile] = deque()

    def extract(self, signal: np.ndarray) -> np.ndarray:
        """Return the vectors (n_vectors, n_features) for a signal in [-1, 32767/32768]."""
        try:
            smile = self._idle.pop()
        except IndexError:
            smile = _Smile(self._config, self._sink)
        vectors = smile.run(signal)  # if this fails, the object is not used again
        if len(self._idle) < _MAX_IDLE:
            smile.reset()
            self._idle.append(smile)
        return np.frombuffer(vectors, dtype=np.float32).reshape(-1, len(self.names))

    @cached_property
    def gives_frames(self) -> bool:
        """Whether an utterance gives one vector per frame, not one as a whole."""
        noise = np.random.default_rng(0).normal(scale=0.05, size=5 * SAMPLING_RATE)
        noise = noise.clip(-0.9, 0.9).astype(np.float32)
        return any(len(self.extract(part)) != 1 for part in (noise, noise[:SAMPLING_RATE]))


class _Smile:
    """One object of the C library, to be used by one thread at a time."""

    def __init__(self, config: str | Path, sink: str) -> None:
        from opensmile.core.lib import ExternalSinkCallbackEx, smileapi

        self._api = smileapi
        with tempfile.TemporaryDirectory() as folder:
            options = _options(folder, sink)
            self.address, code = _new_object(config, options)
            # Not freed at exit: a thread may still be using it.
            weakref.finalize(self, smileapi.smile_free, self.address).atexit = False
            if code != _SUCCESS:
                raise InvalidConfig(_logged_errors(config, options, Path(folder) / "log"))
        self._vectors: list[bytes] = []
        vectors = self._vectors

        def collect(data, n_vectors, n_features, meta, parameter):
            vectors.append(ctypes.string_at(data, 4 * n_vectors * n_features))
            return 1

        self._callback = _FrameCallback(collect)
        self._typed_callback = ctypes.cast(self._callback, ExternalSinkCallbackEx)
        self._listen()

    def run(self, signal: np.ndarray) -> bytearray:
        """Return the vectors of one signal."""
        samples = (signal * np.float32(32768)).astype(np.int16).tobytes()
        self._vectors.clear()
        code = self._api.smile_extaudiosource_write_data(
            self.address, _SOURCE, samples, len(samples)
        )
        _check(code, "accept the samples")
        code = self._api.smile_extaudiosource_set_external_eoi(self.address, _SOURCE)
        _check(code, "accept the end of the samples")
        _check(self._api.smile_run(self.address), "run")
        return bytearray().join(self._vectors)

    def reset(self) -> None:
        """Prepare for the next signal."""
        _check(self._api.smile_reset(self.address), "be reset")
        self._listen()  # a reset removes the callback: silently, there would be no vector

    def _listen(self):
        # (A missing sink is reported by `_element_names`, which is called first.)
        self._api.smile_extsink_set_data_callback_ex(
            self.address, _SINK, self._typed_callback, None
        )


def _element_names(smile):
    """Return the names of the elements that a C object outputs; check its source and sink."""
    from opensmile.core.lib import smileapi

    number, name = ctypes.c_long(), ctypes.c_char_p()
    for what, code in (
        ("source", smileapi.smile_extaudiosource_write_data(smile.address, _SOURCE, b"", 0)),
        (
            "sink",
            smileapi.smile_extsink_get_num_elements(smile.address, _SINK, ctypes.byref(number)),
        ),
    ):
        if code == _NO_SUCH_COMPONENT:
            raise InvalidConfig(
                f"it does not include the {what}; see the Notes of OpenSmileExtractor"
            )
    names = []
    for position in range(number.value):
        code = smileapi.smile_extsink_get_element_name(
            smile.address, _SINK, position, ctypes.byref(name)
        )
        _check(code, "name its features")
        names.append((name.value or b"").decode(errors="replace"))
    return names


def _new_object(config, options, log=None):
    from opensmile.core.lib import c_char_p_arr, smileapi

    address = smileapi.smile_new()
    if address is None:
        raise MemoryError("openSMILE cannot create another object of its C library")
    words = [os.fsencode(str(word)) for option in options.items() for word in option]
    code = smileapi.smile_initialize(
        address,
        os.fsencode(config),
        len(options),
        c_char_p_arr(words),
        2,  # errors, warnings and messages
        0,
        0,
        None if log is None else os.fsencode(log),
    )
    return address, code


def _logged_errors(config, options, log):
    """Return the errors that openSMILE logs for an invalid configuration, in one line."""
    from opensmile.core.lib import smileapi

    address, _ = _new_object(config, options, log)
    smileapi.smile_free(address)
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    # Unused options are logged as errors, but are none.
    errors = [
        line.partition("]")[2].strip()
        for line in lines
        if line.strip().startswith("(ERR)") and "parse: unknown option" not in line
    ]
    return " ".join(errors) or "it logs no reason"


def _check(code, action):
    if code != _SUCCESS:
        raise AudioError(f"openSMILE cannot {action} (error code {code})")


def _options(folder, sink):
    """Return the options that `opensmile.Smile` passes to every configuration, but another sink."""
    sink_file = Path(folder) / "sink.conf.inc"
    sink_file.write_text(sink)
    shared = config_root() / "shared"
    return {
        "source": shared / "standard_external_wave_input.conf.inc",
        "sink": sink_file,
        "sampleRate": SAMPLING_RATE,
        "nBits": 16,
        "bufferModeRbConf": shared / "BufferModeRb.conf.inc",
        "frameModeFunctionalsConf": shared / "FrameModeFunctionals.conf.inc",
    }


def config_root() -> Path:
    """Return the folder of the configuration files of opensmile."""
    import opensmile

    return Path(opensmile.__file__).parent / "core" / "config"


#: A component that does nothing unless it is sent a message.
_IDLE = "cExternalMessageInterface"

_PLAIN = """
[componentInstances:cComponentManager]
instance[extsink].type = cExternalSink

[extsink:cExternalSink]
reader.dmLevel = {levels}
blocksize = 1
"""

# Multiplied by one, the values stay the same but become one field. A sink looks up the name of each
# of its elements, for which openSMILE counts through the fields before it: with 6373 fields this
# takes half of the time that ComParE_2016 needs to be initialized.
_NAMELESS = """
[componentInstances:cComponentManager]
instance[serOneField].type = cVectorOperation

[serOneField:cVectorOperation]
reader.dmLevel = {levels}
writer.dmLevel = serOneField
writer.levelconf.growDyn = 0
writer.levelconf.isRb = 1
writer.levelconf.nT = 5
processArrayFields = 0
preserveFieldNames = 0
operation = mul
param1 = 1.0
"""


def plain_sink(level: str) -> str:
    """Return the text of a sink that knows the names of the elements of a level."""
    return _PLAIN.format(levels=level)


def fast_sink(level: str) -> str:
    """Return the text of a sink that outputs the vectors of a level, without names."""
    return _NAMELESS.format(levels=level) + _PLAIN.format(levels="serOneField")


def fast_sink_of_standard_set(path: Path, level: str) -> str:
    """Return a `fast_sink` for a standard set that also disables components it does not need.

    The standard sets compute descriptors, deltas and functionals whichever is requested, and the
    newer sets also features that only the older ones output. Their components work on nothing but
    levels, so that those which the requested level does not depend on can be disabled.
    """
    components = read_components(path)
    writers = {level: name for name, item in components.items() for level in item.writes}
    levels = [level]
    last = components[writers[level]]
    if last.joins:
        levels = last.reads  # a reader of several levels joins them itself
    needed, pending = set(), list(levels)
    while pending:
        name = writers.get(pending.pop())  # no component writes the audio: its source is an option
        if name is not None and name not in needed:
            needed.add(name)
            pending += components[name].reads
    idle = [name for name, item in components.items() if item.writes and name not in needed]
    lines = [f"instance[{name}].type = {_IDLE}" for name in idle]
    manager = "\n".join(["[componentInstances:cComponentManager]", *lines, ""])
    return manager + fast_sink(";".join(levels))


_INCLUDE = re.compile(r"\\\{(?P<path>[^{}]*?(?:\{[^{}]*\}[^{}]*?)?)\}")
_OPTION = re.compile(r"\\cm\[\s*(?P<name>\w+)[^\]{]*(?:\{(?P<default>[^}]*)\})?[^\]]*\]")
_SECTION = re.compile(r"\[(?P<name>[^:\]]+):\s*(?P<type>\w+)\s*\]")
_VALUE = re.compile(r"(?P<key>[\w.\[\]]+)\s*=\s*(?P<value>.*)")
_WORD = re.compile(r"[^\s;,{}\[\]\"']+")
_BLOCK_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)

#: Files that a configuration consists of, and their digest, by its path: while they are unchanged,
#: their text need not be searched again for the names of files (10 ms, for every utterance).
_digests: dict[str, tuple[list[Path | str], str]] = {}


@dataclass
class Component:
    """Component of a configuration."""

    type: str
    values: dict[str, str] = field(default_factory=dict)

    @property
    def reads(self) -> list[str]:
        """Names of the levels that it reads."""
        return [
            level
            for key, value in self.values.items()
            if key.endswith(".dmLevel") and not key.startswith("writer")
            for level in _items(value)
        ]

    @property
    def writes(self) -> list[str]:
        """Names of the levels that it writes."""
        return _items(self.values.get("writer.dmLevel", ""))

    @property
    def joins(self) -> bool:
        """Whether it only concatenates the vectors that it reads."""
        return self.type == "cVectorConcat" and self.values.get("includeSingleElementFields") == "1"


def config_digest(path: str | Path) -> str:
    """Return a digest of a configuration: the texts of the file and of every file it includes.

    It covers also the content of every existing file that a component other than a sink has as a
    value (a network, a model, a list of features).
    """
    path = os.path.abspath(path)
    if path in _digests:
        files, digest = _digests[path]
        if _digest(files) == digest:
            return digest
    files = _all_files(path)
    _digests[path] = files, _digest(files)
    return _digests[path][1]


def read_components(path: str | Path) -> dict[str, Component]:
    """Return the components of a configuration and of the files that it includes, by name."""
    components: dict[str, Component] = {}
    for text in _texts(path).values():
        for name, component in _components(text).items():
            components.setdefault(name, Component(component.type)).values.update(component.values)
    return components


def written_levels(path: str | Path) -> list[str]:
    """Return the names of the levels that the components of a configuration write."""
    components = read_components(path).values()
    return list(dict.fromkeys(level for component in components for level in component.writes))


def _texts(path: str | Path) -> dict[Path, str]:
    """Return the texts of a file and of every file that it includes, in order of first use."""
    texts: dict[Path, str] = {}
    defaults: dict[str, tuple[Path, str]] = {}

    def read(path):
        path = Path(os.path.abspath(path))
        if path in texts or not path.is_file():
            return  # openSMILE itself reports missing files
        texts[path] = text = path.read_text(encoding="utf-8", errors="surrogateescape")
        for match in _INCLUDE.finditer(text):
            folder, target = path.parent, match["path"].strip()
            if option := _OPTION.match(target):
                # Only its first use has the default, a path relative to that file.
                if option["default"] is not None:
                    defaults.setdefault(option["name"], (folder, option["default"]))
                folder, target = defaults.get(option["name"], (folder, ""))
            if target:
                read(folder / target)

    read(path)
    return texts


def _components(text: str) -> dict[str, Component]:
    components: dict[str, Component] = {}
    current = None
    for line in map(str.strip, _BLOCK_COMMENT.sub("", text).splitlines()):
        if section := _SECTION.match(line):
            current = components.setdefault(section["name"], Component(section["type"]))
        elif current is not None and (value := _VALUE.match(line)):
            current.values[value["key"]] = value["value"].strip()
    return components


def _items(value):
    return [item.strip() for item in value.split(";") if item.strip()]


def _all_files(path: str | Path) -> list[Path | str]:
    """Return every file that a configuration consists of."""
    files: list[Path | str] = []
    for included, text in _texts(path).items():
        files.append(included)
        for component in _components(text).values():
            if not component.type.endswith("Sink"):
                names = (name for value in component.values.values() for name in _file_names(value))
                files += [name for name in names if os.path.isfile(name)]
    return files


def _file_names(value):
    """Return all parts of a value that may be the name of a file; one too many costs nothing."""
    names = {value, value.partition("//")[0].strip(), *_WORD.findall(value)}
    names.update(match["default"].strip() for match in _OPTION.finditer(value) if match["default"])
    names.update(_items(value))
    # A longer one is not a path, and looking for it is an error on some systems.
    return sorted(name for name in names if 0 < len(name) < 250)


def _digest(files):
    digest = hashlib.blake2b(digest_size=16)
    for file in files:
        # A removed file differs from an empty one.
        content = Path(file).read_bytes() if os.path.isfile(file) else None
        digest.update(b"none" if content is None else b"%d:" % len(content) + content)
    return digest.hexdigest()
