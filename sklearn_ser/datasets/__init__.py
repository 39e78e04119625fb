"""Corpora: readers, label maps, aggregation, packaged functionals, synthetic speech."""

from sklearn_ser._lazy import lazy_attributes

_LOCATIONS = {
    "Corpus": "sklearn_ser.datasets._corpus",
    "concat_corpora": "sklearn_ser.datasets._concat",
    "load_corpus": "sklearn_ser.datasets._load",
    "load_features": "sklearn_ser.datasets._functionals",
    "make_speech_corpus": "sklearn_ser.datasets._synthetic",
}

__all__ = sorted(_LOCATIONS)
__getattr__, __dir__ = lazy_attributes(__name__, _LOCATIONS)
