"""Every error and warning that sklearn_ser raises on its own account.

One root, few children: catch :class:`SerError` for all of them. Each child is also the
built-in exception that a scikit-learn user would expect (ValueError, OSError, ImportError).
"""


class SerError(Exception):
    """Root of every error that sklearn_ser raises on its own account."""


class AudioError(SerError, ValueError):
    """Audio that cannot be used: missing, undecodable, NaN, empty, too short, beyond full scale.

    Parameters
    ----------
    reason : str
        What was found, what was expected and what to do.
    row : int or None
        Position of the utterance in the input (0-based), None where there is only one.
    file : str or None
        The file's path, or None for an array.
    """

    def __init__(self, reason, row=None, file=None):
        self.reason = reason
        self.row = row
        self.file = None if file is None else str(file)
        super().__init__(reason, row, file)

    def __str__(self):
        place = [] if self.row is None else [f"row {self.row}"]
        place += [] if self.file is None else [f"file {self.file!r}"]
        return f"{', '.join(place)}: {self.reason}" if place else self.reason


class MetadataError(SerError, ValueError):
    """An id, group or auxiliary column that is needed was not found or cannot be used."""


class CorpusError(SerError, ValueError):
    """A corpus folder, its table or its labels are not what the reader expects."""


class ModelFileError(SerError, ValueError):
    """A model file that is damaged, of another format, or holds a type that is not trusted."""


class PretrainedModelError(SerError, OSError):
    """A pretrained model that cannot be found, fetched or read, or is no speech encoder."""


class MissingDependencyError(SerError, ImportError):
    """A package of an optional extra is not installed; the message names the extra."""


class StoreError(SerError, OSError):
    """A feature store that cannot be read or written; it says what and where."""


class SerWarning(UserWarning):
    """Root of every warning that sklearn_ser gives on its own account."""


class AudioWarning(SerWarning):
    """Some audio was clipped, or could not be used and became a row of NaN."""


class TrainingWarning(SerWarning):
    """A fit went on with less than it was given (a dropped target, a weaker validation split)."""


class EvaluationWarning(SerWarning):
    """A score is not what it seems (an absent class, rows without features)."""


class StoreWarning(SerWarning):
    """A feature store cannot be used, or features cannot be kept: extraction goes on without it."""
