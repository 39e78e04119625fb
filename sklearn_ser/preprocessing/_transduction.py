"""Context managers for transductive transformers: detection and prevention of batch statistics.

A transformer that scales an unknown group by the rows of the batch is transductive: its output for
one utterance depends on the others in the batch. An evaluation reports such scores separately.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_forbidden: ContextVar[bool] = ContextVar("batch_statistics_forbidden", default=False)
_records: ContextVar[tuple[list[tuple], ...]] = ContextVar("records", default=())


@contextmanager
def without_batch_statistics() -> Iterator[None]:
    """Forbid statistics of the batch: transform treats each row as if it were given alone.

    The context applies to the current thread, to every Pipeline, search or ensemble that runs in
    it, but not to worker processes or threads.
    """
    token = _forbidden.set(True)
    try:
        yield
    finally:
        _forbidden.reset(token)


@contextmanager
def record_transduction() -> Iterator[list[tuple]]:
    """Collect the groups that transforms of the current thread scale by statistics of the batch.

    Each is the tuple of its ids, such as ``("nemo", "nemo/EB0")``, in the order of first use.
    """
    record: list[tuple] = []
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
        if group not in record:
            record.append(group)
