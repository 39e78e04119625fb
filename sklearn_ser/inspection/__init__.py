"""Display classes (plots) in the manner of scikit-learn, and explanation of models."""

from sklearn_ser._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
