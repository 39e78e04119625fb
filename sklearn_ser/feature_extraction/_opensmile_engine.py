"""openSMILE's C library, with objects that are reset and used again, and its configuration files.

`opensmile.Smile` builds a C object for each utterance. Here an object is reset instead, and the
end of its configuration (see `fast_sink`) is such that a reset is cheap. The values are equal bit
by bit.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import re
import tempfile
import weakref
from collections import deque
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from sklearn_ser.exceptions import AudioError

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


class InvalidConfig(ValueError):
    """A configuration that openSMILE does not accept, with the messages that it logged."""


class SmileEngine:
    """openSMILE with one configuration file and one level of it; several threads may share it.

    `sink` is the end of the configuration, which outputs the vectors (see `fast_sink`), and `names`
    are the names of the features.
    """

    def __init__(self, config: str | Path, level: str, sink: str) -> None:
        self._config = config
        self._sink = sink
        self.names = _element_names(_Smile(config, plain_sink(level)))
        self._idle: deque[_Smile] = deque()

    def extract(self, signal: np.ndarray) -> np.ndarray:
        """Return the vectors (n_vectors, n_features) that openSMILE gives for a signal.

        The samples are float32 at 16 kHz, in [-1, 32767/32768].
        """
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
    """Return the options that `opensmile.Smile` passes to every configuration, but another sink.

    The sink is written into `folder`, and only read while an object is initialized.
    """
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
