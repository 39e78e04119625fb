"""Switch off, or notice, the use of the rows to be predicted as a batch (DESIGN, decision 6).

A transformer that scales a group it never saw by that group's own rows is transductive: what it
makes of one utterance depends on the others in the batch. An evaluation must report such figures
apart. These two context managers let it find out, and let it have the other figure.
"""

from contextlib import contextmanager
from contextvars import ContextVar

_one_at_a_time = ContextVar("without_batch_statistics", default=False)
_watchers = ContextVar("transduction_watchers", default=())


@contextmanager
def without_batch_statistics():
    """Within this context, transform treats each row as if it had come alone.

    No statistics are taken from the batch, so a result does not depend on the other rows. It
    holds in the thread that entered it, through every Pipeline, search or ensemble that runs
    there, and not in worker processes or threads.

    See Also
    --------
    record_transduction : Tells whether this would make a difference.

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
    token = _one_at_a_time.set(True)
    try:
        yield
    finally:
        _one_at_a_time.reset(token)


class TransductionRecord:
    """What a `record_transduction` block saw.

    Attributes
    ----------
    groups : list of tuple
        The groups that were scaled by their own rows of the batch, each as the values of its ids
        (``("nemo",)``, ``("nemo", "nemo/EB0")``), in the order of first use.
    """

    def __init__(self):
        self.groups = []

    @property
    def used(self):
        """Whether any transform used statistics of its batch."""
        return bool(self.groups)

    def __repr__(self):
        return f"TransductionRecord(used={self.used}, groups={self.groups})"


@contextmanager
def record_transduction():
    """Within this context, notice every transform that uses statistics of its own batch.

    It watches the thread that entered it (see :func:`without_batch_statistics`).

    Yields
    ------
    TransductionRecord
        With `used` and `groups`, filled as transforms run.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_ser.preprocessing import GroupScaler
    >>> from sklearn_ser.preprocessing._transduction import record_transduction
    >>> X = pd.DataFrame({"loudness": [0.0, 2.0], "corpus": "emodb"})
    >>> scaler = GroupScaler(by="corpus", min_samples=2).fit(X)
    >>> with record_transduction() as watch:
    ...     _ = scaler.transform(X)
    >>> watch.used
    False
    >>> with record_transduction() as watch:
    ...     _ = scaler.transform(X.assign(corpus="nemo"))
    >>> watch
    TransductionRecord(used=True, groups=[('nemo',)])
    """
    record = TransductionRecord()
    token = _watchers.set((*_watchers.get(), record))
    try:
        yield record
    finally:
        _watchers.reset(token)


def batch_statistics_allowed():
    """Whether a transform may take statistics from its batch."""
    return not _one_at_a_time.get()


def note_batch_statistics(group):
    """Tell every watcher that `group`, a tuple of ids, was scaled by its rows of the batch."""
    for record in _watchers.get():
        if group not in record.groups:
            record.groups.append(group)
