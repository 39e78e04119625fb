"""Audio loading: paths or arrays to mono float32 at one rate."""

from sklearn_ser._lazy import attach_stub

__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
