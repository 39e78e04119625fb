"""Class weights of scikit-learn, with a check of the given values."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Literal

import numpy as np
from sklearn.utils.class_weight import compute_class_weight


def weights_of_classes(
    class_weight: Literal["balanced"] | Mapping | None,
    classes: np.ndarray,
    y: np.ndarray,
    sample_weight: np.ndarray,
) -> np.ndarray:
    """Compute class weights like scikit-learn; invalid weights in a mapping raise a ValueError."""
    if isinstance(class_weight, Mapping):
        for label, weight in class_weight.items():
            if not (isinstance(weight, Real) and 0.0 <= float(weight) < np.inf):
                raise ValueError(
                    f"the weight of class {label!r} is {weight!r}, and must be a finite number of "
                    "at least 0"
                )
    return compute_class_weight(class_weight, classes=classes, y=y, sample_weight=sample_weight)
