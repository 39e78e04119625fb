"""Context managers for transductive transformers: detection and prevention of batch statistics.

A transformer that scales an unknown group by the rows of the batch is transductive: its output for
one utterance depends on the others in the batch. An evaluation reports such scores separately.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_forbidden: ContextVar[bool] = ContextVar("batch_statistics_forbidden", default=False)
_records: ContextVar[tuple[TransductionRecord, ...]] = ContextVar("records", default=())


@contextmanager
def without_batch_statistics() -> Iterator[None]:
    """Forbid statistics of the batch: transform treats each row as if it were given alone.

    The context applies to the current thread, to every Pipeline, search or ensemble that runs in
    it, but not to worker processes or threads.

    See Also
    --------
    record_transduction : Detect whether statistics of the batch are used.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sklearn_ser.preprocessing import GroupScaler
    >>> from sklearn_ser.preprocessing._transduction import without_batch_statistics
    >>> def corpus(name, loudness):
    ...     return pd.DataFrame({"loudness": loudness, "corpus": name})
    >>> scaler = GroupScaler(by="corpus", min_samples=2).fit(corpus("emodb", [0.0, 2.0]))
    >>> scaler.transform(corpus("nemo", [10.0, 12.0]))["loudness"].tolist()
    [-1.0, 1.0]
    >>> with without_batch_statistics():
    ...     scaler.transform(corpus("nemo", [10.0, 12.0]))["loudness"].tolist()
    [9.0, 11.0]
    """
    token = _forbidden.set(True)
    try:
        yield
    finally:
        _forbidden.reset(token)


class TransductionRecord:
    """Groups that were scaled by statistics of the batch.

    Attributes
    ----------
    groups : list of tuple
        Groups that were scaled by their rows in the batch, each as the values of its ids
        (``("nemo",)``, ``("nemo", "nemo/EB0")``), in the order of first use.
    """

    def __init__(self):
        self.groups: list[tuple] = []

    @property
    def used(self) -> bool:
        """Whether any transform used statistics of its batch."""
        return bool(self.groups)

    def __repr__(self) -> str:
        return f"TransductionRecord(used={self.used}, groups={self.groups})"


@contextmanager
def record_transduction() -> Iterator[TransductionRecord]:
    """Record every transform that uses statistics of its batch.

    Like :func:`without_batch_statistics`, the context applies to the current thread.

    Yields
    ------
    TransductionRecord
        Record with `used` and `groups`, updated as transforms run.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.preprocessing import GroupScaler
    >>> from sklearn_ser.preprocessing._transduction import record_transduction
    >>> X = pd.DataFrame({"loudness": [0.0, 2.0], "corpus": "emodb"})
    >>> scaler = GroupScaler(by="corpus", min_samples=2).fit(X)
    >>> with record_transduction() as record:
    ...     _ = scaler.transform(X)
    >>> record.used
    False
    >>> with record_transduction() as record:
    ...     _ = scaler.transform(X.assign(corpus="nemo"))
    >>> record
    TransductionRecord(used=True, groups=[('nemo',)])
    """
    record = TransductionRecord()
    token = _records.set((*_records.get(), record))
    try:
        yield record
    finally:
        _records.reset(token)


def batch_statistics_allowed() -> bool:
    """Return whether a transform may compute statistics of its batch."""
    return not _forbidden.get()


def note_batch_statistics(group: tuple) -> None:
    """Add a group, a tuple of ids, that is scaled by its rows in the batch to every record."""
    for record in _records.get():
        if group not in record.groups:
            record.groups.append(group)
