"""Augmentation: changed copies of speech, for training and for tests of robustness."""

from sklearn_ser.augmentation._base import AudioAugmenter
from sklearn_ser.augmentation._gain import Gain

__all__ = ["AudioAugmenter", "Gain"]
