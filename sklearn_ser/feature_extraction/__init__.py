"""Audio to numbers: openSMILE functionals and speaker-encoder features."""

from sklearn_ser.feature_extraction._opensmile import OpenSmileExtractor
from sklearn_ser.feature_extraction._speaker_embedding import SpeakerEmbedding

__all__ = ["OpenSmileExtractor", "SpeakerEmbedding"]
