"""Splitters that keep a corpus or a speaker on one side of a split."""

from sklearn_ser.model_selection._corpus import LeaveOneCorpusOut
from sklearn_ser.model_selection._speaker import SpeakerKFold

__all__ = ["LeaveOneCorpusOut", "SpeakerKFold"]
