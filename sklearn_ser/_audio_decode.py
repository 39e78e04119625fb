"""Audio files -> samples, reading only the part that is asked for (behind `sklearn_ser.audio`)."""

import os
import stat
from contextlib import contextmanager

import soundfile

from sklearn_ser._audio_signal import check_rate, sample_span
from sklearn_ser.exceptions import AudioError

_MPEG_SUBTYPES = {"MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III"}
_LOSSY_SUBTYPES = {"VORBIS", "OPUS"} | _MPEG_SUBTYPES

# An mp3 frame borrows bits from frames before it. After a seek these are missing and the decoder
# gives silence, up to 0.3 s of it in trials; 10 frames ahead cured every one, so 16 are decoded.
_MPEG_RUN_UP = 16 * 1152

# libsndfile's "unknown": a stream whose header does not tell its length.
_UNKNOWN_LENGTH = 2**63 - 1


def decode(path, start, end):
    """Read the part of an audio file from `start` to `end` seconds (NaN: the file's own ends).

    The file is closed again on return.

    Returns
    -------
    array : float32 ndarray of shape (samples,) or (channels, samples)
    rate : int
    lossy : bool
        Whether the format decodes to a little more than was encoded (mp3, ogg, opus).
    """
    with _opened(path) as opened:
        return _read_part(opened, start, end)


def extent(path, start, end):
    """Where the part of a file from `start` to `end` seconds lies, by its header alone.

    Returns
    -------
    first, stop : int
        The part's first sample and one past its last.
    rate : int
    """
    with _opened(path) as opened:
        return _span(opened, start, end)


@contextmanager
def _opened(path):
    _check_file(path)
    try:
        # soundfile encodes a str strictly, and so refuses names that are not valid UTF-8.
        with soundfile.SoundFile(path if os.name == "nt" else os.fsencode(path)) as opened:
            yield opened
    except (AudioError, MemoryError):
        raise
    except Exception as error:
        if isinstance(error, TypeError):  # soundfile's answer to .raw: the rate must be given
            detail = "a file without a header"
        else:
            detail = f"{getattr(error, 'error_string', error)}".strip().rstrip(".")
        raise AudioError(
            f"the file cannot be decoded ({detail}): expected wav, flac, ogg or mp3. It may be "
            f"damaged, cut off or of another format; convert it, for example with ffmpeg"
        ) from error


def _check_file(path):
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        raise AudioError(
            f"the file does not exist: relative paths start at the working directory "
            f"({os.getcwd()!r})"
        ) from error
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AudioError(f"the file cannot be opened ({reason})") from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioError("this is a folder: expected an audio file")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError("this is no regular file: expected an audio file")
    if status.st_size == 0:
        raise AudioError("the file is empty (0 bytes): copy or convert it again")


def _span(opened, start, end):
    # A damaged header may claim a rate of 1 Hz, at which resampling would fill the memory.
    rate = check_rate(opened.samplerate, "the sampling rate in the file's header")
    n_frames = opened.frames
    if n_frames == _UNKNOWN_LENGTH:
        raise AudioError(
            "the file's header does not tell its length (it was written to a pipe): write it "
            "again, for example with ffmpeg, straight to a file"
        )
    return *sample_span(start, end, n_frames, rate), rate


def _read_part(opened, start, end):
    first, stop, rate = _span(opened, start, end)
    run_up = min(first, _MPEG_RUN_UP) if opened.subtype in _MPEG_SUBTYPES else 0
    if first > run_up:
        opened.seek(first - run_up)
    array = opened.read(stop - first + run_up, dtype="float32")[run_up:]
    # An mp3 without a table of contents only estimates its length: what was decoded counts. A
    # part that was asked for by its end must be there.
    if len(array) < stop - first and (end == end or len(array) == 0):
        raise AudioError(
            f"the file breaks off at {(first + len(array)) / rate:.6g} s, before the end of the "
            f"part that was asked for ({stop / rate:.6g} s)"
        )
    return array.T, rate, opened.subtype in _LOSSY_SUBTYPES
