"""What changes by plan as training goes on: the learning rate, the strength of adversaries."""

import math


def rate_factor(done, schedule, warmup):
    """Factor of the learning rate after the share `done` of the training.

    Parameters
    ----------
    done : float
        In [0, 1].
    schedule : {"constant", "linear", "cosine"}
        After warm-up; the last two fall to 0 at the end.
    warmup : float
        Share of the training in which the factor rises from 0 in a straight line.
    """
    if done < warmup:
        return done / warmup
    if schedule == "constant":
        return 1.0
    left = (1.0 - done) / (1.0 - warmup)
    return left if schedule == "linear" else 0.5 - 0.5 * math.cos(math.pi * left)


def reversal_strength(done, spec):
    """Factor of an DomainAdversarialTask's reversed gradient after the share `done` of the training."""
    if spec.schedule == "constant":
        return float(spec.strength)
    return spec.strength * (2.0 / (1.0 + math.exp(-10.0 * done)) - 1.0)
