"""Toolkit for speech emotion recognition, compatible with scikit-learn.

Public names are loaded on first use: importing the package imports neither torch nor opensmile.
"""

from sklearn_ser._lazy import attach_stub

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
