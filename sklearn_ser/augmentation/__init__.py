"""Augmentation: changed copies of speech, for training and for tests of robustness."""

from sklearn_ser.augmentation._audiomentations import AudiomentationsAugmenter
from sklearn_ser.augmentation._band import TelephoneBand
from sklearn_ser.augmentation._base import AudioAugmenter
from sklearn_ser.augmentation._classifier import AugmentingClassifier
from sklearn_ser.augmentation._clip import Clip
from sklearn_ser.augmentation._codec import Codec
from sklearn_ser.augmentation._feature_noise import FeatureNoise
from sklearn_ser.augmentation._frames import FrameAugmenter
from sklearn_ser.augmentation._gain import Gain
from sklearn_ser.augmentation._mixing import CutMix, MixingAugmenter, Mixup
from sklearn_ser.augmentation._noise import AddNoise
from sklearn_ser.augmentation._reverb import AddReverb
from sklearn_ser.augmentation._spectrogram import SpecAugment, TimeWarp
from sklearn_ser.augmentation._speed import PitchShift, SpeedPerturbation, TempoPerturbation
from sklearn_ser.augmentation._time import TimeMask, TimeShift
from sklearn_ser.augmentation._vocal_tract import VocalTractLengthPerturbation

__all__ = [
    "AddNoise",
    "AddReverb",
    "AudioAugmenter",
    "AudiomentationsAugmenter",
    "AugmentingClassifier",
    "Clip",
    "Codec",
    "CutMix",
    "FeatureNoise",
    "FrameAugmenter",
    "Gain",
    "MixingAugmenter",
    "Mixup",
    "PitchShift",
    "SpecAugment",
    "SpeedPerturbation",
    "TelephoneBand",
    "TempoPerturbation",
    "TimeMask",
    "TimeShift",
    "TimeWarp",
    "VocalTractLengthPerturbation",
]
