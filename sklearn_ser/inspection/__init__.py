"""Plots, as Display objects in scikit-learn's manner: they keep their data and artists."""

from sklearn_ser._lazy import lazy_attributes

__all__ = ["ConfusionDisplay", "UARDisplay"]

__getattr__, __dir__ = lazy_attributes(
    __name__,
    {
        "ConfusionDisplay": "sklearn_ser.inspection._confusion",
        "UARDisplay": "sklearn_ser.inspection._uar",
    },
)
