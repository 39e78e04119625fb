"""Splitters that keep a corpus, a language, a speaker or a sentence on one side of a split."""

from sklearn_ser.model_selection._adaptation import CorpusAdaptationSplit
from sklearn_ser.model_selection._corpus import LeaveOneCorpusOut, PairwiseCorpusSplit
from sklearn_ser.model_selection._leave_one_out import LeaveOneLanguageOut, LeaveOneSpeakerOut
from sklearn_ser.model_selection._semi_supervised import SemiSupervisedSplit
from sklearn_ser.model_selection._sentence import SentenceSpeakerKFold
from sklearn_ser.model_selection._speaker import SpeakerKFold
from sklearn_ser.model_selection._within_corpus import WithinCorpusSpeakerKFold

__all__ = [
    "CorpusAdaptationSplit",
    "LeaveOneCorpusOut",
    "LeaveOneLanguageOut",
    "LeaveOneSpeakerOut",
    "PairwiseCorpusSplit",
    "SemiSupervisedSplit",
    "SentenceSpeakerKFold",
    "SpeakerKFold",
    "WithinCorpusSpeakerKFold",
]
