"""Encoded audio: a file, or the content of one in memory."""

from __future__ import annotations

import io
import os
import stat
from typing import BinaryIO

from sklearn_ser.exceptions import AudioError

#: Suffixes of audio files and videos that are looked for in folders. Of an utterance in several
#: formats the first of these is loaded.
AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".flac", ".aif", ".aiff", ".aifc", ".au", ".snd", ".caf", ".w64", ".rf64"),
    *(".sph", ".nist", ".voc", ".mp3", ".ogg", ".oga", ".opus"),
    *(".m4a", ".aac", ".amr", ".wma", ".mp4", ".m4v", ".mov", ".3gp", ".webm", ".mkv", ".avi"),
    *(".wmv", ".mpg", ".mpeg"),
)


class AudioFile:
    """Regular file with content, or an AudioError.

    Attributes
    ----------
    path : str
        Path of the file.
    size : int
        Size in bytes.
    state : tuple or None
        Content that results for the file may be cached by, None if it cannot be compared.
    """

    def __init__(self, path):
        status = _check_file(path)
        self.path = path
        self.size = status.st_size
        self.state = path, status.st_size, status.st_ino, status.st_mtime_ns

    def open(self) -> BinaryIO:
        """Open the file."""
        return open(self.path, "rb")

    def for_soundfile(self):
        """Return what soundfile opens: it encodes a str strictly, which may not be UTF-8."""
        return self.path if os.name == "nt" else os.fsencode(self.path)


class AudioBytes:
    """Content of an audio file in memory; it has the methods and attributes of `AudioFile`."""

    state = None

    def __init__(self, content):
        if not content:
            raise AudioError("the content is empty (0 bytes): expected that of an audio file")
        self.content = content
        self.size = len(content)

    def open(self) -> BinaryIO:
        """Open the content as a file."""
        return io.BytesIO(self.content)

    for_soundfile = open


def _check_file(path):
    try:
        status = os.stat(path)
    except FileNotFoundError as error:
        if os.path.islink(path):
            raise AudioError(
                f"the file is a link to {os.readlink(path)!r}, which does not exist: fetch or copy "
                f"the audio (git-annex: 'git annex get')"
            ) from error
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
        raise AudioError("this is not a regular file: expected an audio file")
    if status.st_size == 0:
        raise AudioError("the file is empty (0 bytes): copy or convert it again")
    return status
