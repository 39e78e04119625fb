"""openSMILE's C library, held ready: objects are built once, reset and used again.

`opensmile.Smile` builds a C object for each utterance. Here it is reset instead, and the end of
its configuration is our own (see `_opensmile_sink`), which makes a reset cheap. Every value is the
same bit by bit.
"""

import ctypes
import os
import tempfile
import weakref
from collections import deque
from functools import cached_property
from pathlib import Path

import numpy as np

from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction._opensmile_sink import plain_sink

SAMPLING_RATE = 16000
_SOURCE, _SINK = b"extsource", b"extsink"
_SUCCESS, _NO_SUCH_COMPONENT = 0, 4
#: Idle C objects that a process keeps for each configuration; they take some megabytes each.
_MOST_IDLE = os.cpu_count() or 1
#: A bare address instead of a typed pointer: cheaper, with one call for each frame.
_FrameCallback = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_void_p,
    ctypes.c_long,
    ctypes.c_long,
    ctypes.c_void_p,
    ctypes.c_void_p,
)


class RefusedConfig(ValueError):
    """A configuration that openSMILE does not take, with what it logged."""


class SmileEngine:
    """openSMILE with one configuration file and one level of it; several threads may share it.

    Parameters
    ----------
    config : str
        Path of the configuration file.
    level : str
        Name of the level whose vectors it gives.
    sink : str
        The end of the configuration, which hands them on: see `_opensmile_sink`.

    Attributes
    ----------
    names : list of str
        Of the features.
    """

    def __init__(self, config, level, sink):
        self._config = config
        self._sink = sink
        self.names = _find_names(_Smile(config, plain_sink(level)))
        self._idle = deque()

    def extract(self, signal):
        """Every vector that openSMILE gives for a signal.

        Parameters
        ----------
        signal : ndarray of float32 of shape (n_samples,)
            At 16 kHz, in [-1, 32767/32768].

        Returns
        -------
        ndarray of float32 of shape (n_vectors, n_features)
        """
        try:
            smile = self._idle.pop()
        except IndexError:
            smile = _Smile(self._config, self._sink)
        vectors = smile.run(signal)  # if this fails, the object is not used again
        if len(self._idle) < _MOST_IDLE:
            smile.reset()
            self._idle.append(smile)
        return np.frombuffer(vectors, dtype=np.float32).reshape(-1, len(self.names))

    @cached_property
    def gives_frames(self):
        """Whether an utterance gives one vector a frame, not one as a whole."""
        noise = np.random.default_rng(0).normal(scale=0.05, size=5 * SAMPLING_RATE)
        noise = noise.clip(-0.9, 0.9).astype(np.float32)
        return any(len(self.extract(part)) != 1 for part in (noise, noise[:SAMPLING_RATE]))


class _Smile:
    """One object of the C library: to be used by one thread at a time."""

    def __init__(self, config, sink):
        from opensmile.core.lib import ExternalSinkCallbackEx, smileapi

        self._api = smileapi
        with tempfile.TemporaryDirectory() as folder:
            options = _options(folder, sink)
            self.address, code = _new_object(config, options)
            # At exit nothing is freed: a thread may still be in there.
            weakref.finalize(self, smileapi.smile_free, self.address).atexit = False
            if code != _SUCCESS:
                raise RefusedConfig(_log_of_refusal(config, options, Path(folder) / "log"))
        self._vectors = vectors = []

        def keep(data, n_vectors, n_features, meta, parameter):
            vectors.append(ctypes.string_at(data, 4 * n_vectors * n_features))
            return 1

        self._callback = _FrameCallback(keep)
        self._typed_callback = ctypes.cast(self._callback, ExternalSinkCallbackEx)
        self._listen()

    def run(self, signal):
        """The vectors of one signal, as bytes that may be written to."""
        samples = (signal * np.float32(32768)).astype(np.int16).tobytes()
        self._vectors.clear()
        code = self._api.smile_extaudiosource_write_data(
            self.address, _SOURCE, samples, len(samples)
        )
        _check(code, "take the samples")
        code = self._api.smile_extaudiosource_set_external_eoi(self.address, _SOURCE)
        _check(code, "take the end of the samples")
        _check(self._api.smile_run(self.address), "run")
        return bytearray().join(self._vectors)

    def reset(self):
        """Make it ready for the next signal."""
        _check(self._api.smile_reset(self.address), "be reset")
        self._listen()  # a reset forgets the callback, and would give no vector, silently

    def _listen(self):
        # Without a sink there is nothing to listen to: the names are asked for first and say so.
        self._api.smile_extsink_set_data_callback_ex(
            self.address, _SINK, self._typed_callback, None
        )


def _find_names(smile):
    """Names of the elements that a C object hands on; it must know where audio comes and goes."""
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
            raise RefusedConfig(
                f"it does not include the {what}, see the Notes of OpenSmileExtractor"
            )
    names = []
    for position in range(number.value):
        code = smileapi.smile_extsink_get_element_name(
            smile.address, _SINK, position, ctypes.byref(name)
        )
        _check(code, "name its features")
        names.append(name.value.decode(errors="replace"))
    return names


def _new_object(config, options, log=None):
    from opensmile.core.lib import c_char_p_arr, smileapi

    address = smileapi.smile_new()
    if address is None:
        raise MemoryError("openSMILE cannot make another object of its C library")
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


def _log_of_refusal(config, options, log):
    """What openSMILE logs of a configuration that it refuses, in one line."""
    from opensmile.core.lib import smileapi

    address, _ = _new_object(config, options, log)
    smileapi.smile_free(address)
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    # Options that a configuration does not use are logged as errors, and are none.
    said = [
        line.partition("]")[2].strip()
        for line in lines
        if line.strip().startswith("(ERR)") and "parse: unknown option" not in line
    ]
    return " ".join(said) or "it logs no reason"


def _check(code, what):
    if code != _SUCCESS:
        raise AudioError(f"openSMILE cannot {what} (its error code is {code})")


def _options(folder, sink):
    """The options that `opensmile.Smile` passes to every configuration, but for the sink.

    It is written into `folder`, and only read while an object is initialized.
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


def config_root():
    """Folder of the configuration files that come with opensmile."""
    import opensmile

    return Path(opensmile.__file__).parent / "core" / "config"
