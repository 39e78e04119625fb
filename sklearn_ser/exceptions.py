"""Errors and warnings of sklearn_ser.

All errors derive from :class:`SerError`, and each is also the built-in exception that a
scikit-learn user would expect (ValueError, OSError, ImportError).
"""

from __future__ import annotations

import os


class SerError(Exception):
    """Base class of all errors of sklearn_ser."""


class AudioError(SerError, ValueError):
    """Error for unusable audio: missing, undecodable, empty, too short, or with NaN or Inf.

    Parameters
    ----------
    reason : str
        What was found, what was expected and how to correct it.
    row : int or None
        Position of the utterance in the input (0-based), None where there is only one utterance.
    file : str or None
        Path of the file, or None for an array.
    """

    def __init__(
        self,
        reason: str,
        row: int | None = None,
        file: str | os.PathLike[str] | None = None,
    ):
        self.reason = reason
        self.row = row
        self.file = None if file is None else str(file)
        super().__init__(reason, row, file)

    def __str__(self) -> str:
        location = [] if self.row is None else [f"row {self.row}"]
        location += [] if self.file is None else [f"file {self.file!r}"]
        return f"{', '.join(location)}: {self.reason}" if location else self.reason


class MetadataError(SerError, ValueError):
    """Error for a required id, group or auxiliary column that is missing or cannot be used."""


class CorpusError(SerError, ValueError):
    """Error for a corpus folder, table or label that the reader does not expect."""


class ModelFileError(SerError, ValueError):
    """Error for a model file that is damaged, of another format, or holds an untrusted type."""


class PretrainedModelError(SerError, OSError):
    """Error for a pretrained model that cannot be found, fetched or read as a speech encoder."""


class MissingDependencyError(SerError, ImportError):
    """Error for a missing package of an optional extra; the message names the extra."""


class StoreError(SerError, OSError):
    """Error for a feature store that cannot be read or written."""


class SerWarning(UserWarning):
    """Base class of all warnings of sklearn_ser."""


class AudioWarning(SerWarning):
    """Warning for audio that was clipped, or could not be used and became a row of NaN."""


class CorpusWarning(SerWarning):
    """Warning for a partial copy of a corpus, or for files that are none of its utterances."""


class TrainingWarning(SerWarning):
    """Warning for training on less than was given (a dropped target, a weaker validation split)."""


class EvaluationWarning(SerWarning):
    """Warning for a score that may mislead (an absent class, rows without features)."""


class StoreWarning(SerWarning):
    """Warning for a feature store that cannot be used; extraction continues without it."""
