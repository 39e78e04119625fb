"""What became of one utterance."""

from dataclasses import dataclass

import numpy as np

from sklearn_ser.exceptions import AudioError


@dataclass
class Extracted:
    """What became of one utterance.

    Attributes
    ----------
    values : ndarray of float32 of shape (n_features,) or (n_frames, n_features), or None
    error : AudioError or None
        Why there are no values.
    clipped : float or None
        The peak, where it was beyond full scale and was clipped.
    """

    values: np.ndarray | None = None
    error: AudioError | None = None
    clipped: float | None = None
