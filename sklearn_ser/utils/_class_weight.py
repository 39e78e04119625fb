"""Weights of classes, as scikit-learn has them, but none that would spoil a training unseen."""

from collections.abc import Mapping
from numbers import Real

import numpy as np
from sklearn.utils.class_weight import compute_class_weight


def weights_of_classes(class_weight, classes, y, sample_weight):
    """What :func:`sklearn.utils.class_weight.compute_class_weight` gives.

    Parameters
    ----------
    class_weight : "balanced", mapping or None
    classes : ndarray
        Those that y has.
    y : ndarray
    sample_weight : ndarray of the shape of y

    Raises
    ------
    ValueError
        If a mapping names classes wrongly, or a weight is negative or not finite.
    """
    if isinstance(class_weight, Mapping):
        for label, weight in class_weight.items():
            if not (isinstance(weight, Real) and 0.0 <= weight < np.inf):
                raise ValueError(
                    f"the weight of class {label!r} is {weight!r}, and must be a finite number of "
                    "at least 0"
                )
    return compute_class_weight(class_weight, classes=classes, y=y, sample_weight=sample_weight)
