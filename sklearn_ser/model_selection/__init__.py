"""Splitters that keep a corpus, a language, a speaker or a sentence on one side."""

from sklearn_ser._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
