"""Audio to numbers: openSMILE, spectra, and features of pretrained networks."""

from sklearn_ser.feature_extraction._opensmile import OpenSmileExtractor
from sklearn_ser.feature_extraction._pretrained import PretrainedEmbedding
from sklearn_ser.feature_extraction._prosody import Prosody
from sklearn_ser.feature_extraction._speaker_embedding import SpeakerEmbedding
from sklearn_ser.feature_extraction._spectral import MFCC, LogMelSpectrogram
from sklearn_ser.feature_extraction._store import FeatureStore
from sklearn_ser.feature_extraction._windows import SlidingWindows

__all__ = [
    "MFCC",
    "FeatureStore",
    "LogMelSpectrogram",
    "OpenSmileExtractor",
    "PretrainedEmbedding",
    "Prosody",
    "SlidingWindows",
    "SpeakerEmbedding",
]
