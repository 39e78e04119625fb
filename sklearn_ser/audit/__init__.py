"""Audits of corpora and splits: flaws that make scores meaningless."""

from sklearn_ser._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
