"""Audio to numbers: openSMILE, spectra, and features of pretrained networks."""

from sklearn_ser.feature_extraction._opensmile import OpenSmileExtractor
from sklearn_ser.feature_extraction._speaker_embedding import SpeakerEmbedding
from sklearn_ser.feature_extraction._spectral import MFCC, LogMelSpectrogram

__all__ = ["MFCC", "LogMelSpectrogram", "OpenSmileExtractor", "SpeakerEmbedding"]
