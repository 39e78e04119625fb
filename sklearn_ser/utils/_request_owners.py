"""Metadata requests without the estimators that they belong to.

``set_fit_request`` and its like leave in an estimator a record of what it asks for, and in the
record, for error messages alone, the estimator (of a clone: what it was cloned from). Pickle
follows that circle once; skops follows it until the recursion limit.
"""

import pickle
from contextlib import contextmanager, suppress

from sklearn.utils.metadata_routing import MetadataRequest


@contextmanager
def named_owners(model):
    """While this is open, the metadata requests within a model name their owners only."""
    owners = [(part, part.owner) for part in _parts(model) if not isinstance(part.owner, str)]
    try:
        for part, owner in owners:
            part.owner = type(owner).__name__
        yield
    finally:
        for part, owner in owners:
            part.owner = owner


def _parts(model):
    """The requests anywhere in a model, and of each those of single methods."""
    finder = _Finder()
    with suppress(Exception):  # what cannot be pickled skops refuses too, and says why
        finder.dump(model)
    for request in finder.found:
        yield request
        yield from (part for part in vars(request).values() if hasattr(part, "owner"))


class _Finder(pickle.Pickler):
    """Goes through an object as pickle does, and keeps nothing but the requests in it."""

    def __init__(self):
        super().__init__(self, protocol=5, buffer_callback=_outside)
        self.found = []

    def write(self, data):
        return len(data)

    def reducer_override(self, obj):
        if isinstance(obj, MetadataRequest):
            self.found.append(obj)
        return NotImplemented


def _outside(buffer):
    """False: an array is not copied."""
    return False
