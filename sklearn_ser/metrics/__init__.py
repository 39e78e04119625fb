"""Metrics of emotion recognition, scorers, confidence intervals and paired tests."""

from sklearn_ser._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
