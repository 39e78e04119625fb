"""Attacks on the input of an estimator's last step."""

import numpy as np
import torch
from sklearn.utils import _safe_indexing

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.neural_network._sequences import FrameSequences, batches_by_length
from sklearn_ser.neural_network.training._attack import Ball
from sklearn_ser.robustness._attack_targets import (
    gradients_of,
    open_chain,
    transformed,
    with_values,
)
from sklearn_ser.utils._failed import failed_rows

#: Rows, and frames, that go through a network with gradients at a time.
_ROWS, _FRAMES = 512, 16384


class AttackedFeatures:
    """An estimator whose last step is attacked.

    Parameters
    ----------
    estimator : estimator
    X : object
        What it predicts.
    name : str
    norm : {"inf", "l2"}
    relative : bool
        Whether sizes are in standard deviations of each feature over the rows of X.
    surrogate : estimator or None
    """

    def __init__(self, estimator, X, name, *, norm, relative, surrogate):
        self.norm = norm
        steps, self.last = open_chain(estimator)
        features = transformed(steps, X)
        self.failed = failed_rows(features)
        if self.failed.all():
            raise MetadataError(f"estimator {name!r}: the audio of all rows of X failed")
        self.features = _safe_indexing(features, np.flatnonzero(~self.failed))
        given = self.last if surrogate is None else open_chain(surrogate)[1]
        self.source = gradients_of(given, name if surrogate is None else "surrogate")
        self.x = self.source.pack(self.features)
        self.device = getattr(self.source, "device", "cpu")
        spread = _spread(self.x)
        if relative and not spread.any():
            usable = int((~self.failed).sum())
            raise MetadataError(
                f"no input of estimator {name!r} varies over the {usable} usable rows of X, and "
                "epsilons are in units of its standard deviation there: give more rows, or "
                "relative=False"
            )
        self.scale = spread if relative else torch.ones_like(spread)

    def ball(self, epsilon):
        return Ball(self.norm, epsilon)

    def batches(self):
        """Positions, batch and scale of all usable rows, in parts."""
        if isinstance(self.x, FrameSequences):
            parts = batches_by_length(self.x.lengths, _ROWS, most_frames=_FRAMES)
        else:
            parts = torch.arange(len(self.x)).split(_ROWS)
        for rows in parts:
            batch = self.x[rows]
            yield rows, batch.batch() if isinstance(batch, FrameSequences) else batch, self.scale

    def limit(self, batch, scale):
        """Any value is a possible one."""
        return lambda change: change

    def log_probabilities(self, batch):
        return self.source.log_probabilities(batch)

    def predict(self, x):
        """What the estimator itself says of the values `x`."""
        return np.asarray(self.last.predict(with_values(self.features, x)), dtype=object)


def _spread(x):
    values = x.frames if isinstance(x, FrameSequences) else x
    return values.cpu().double().std(dim=0, correction=0).to(values)
