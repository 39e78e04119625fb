"""Augmentation: changed copies of speech, for training and for tests of robustness."""

from sklearn_ser.augmentation._base import AudioAugmenter
from sklearn_ser.augmentation._classifier import AugmentingClassifier
from sklearn_ser.augmentation._feature_noise import FeatureNoise
from sklearn_ser.augmentation._frames import FrameAugmenter
from sklearn_ser.augmentation._gain import Gain
from sklearn_ser.augmentation._mixing import CutMix, MixingAugmenter, Mixup
from sklearn_ser.augmentation._spectrogram import SpecAugment, TimeWarp

__all__ = [
    "AudioAugmenter",
    "AugmentingClassifier",
    "CutMix",
    "FeatureNoise",
    "FrameAugmenter",
    "Gain",
    "MixingAugmenter",
    "Mixup",
    "SpecAugment",
    "TimeWarp",
]
