"""Plots, as Display objects in scikit-learn's manner: they keep their data and artists."""

from sklearn_ser._lazy import lazy_attributes

__all__ = [
    "ConfusionDisplay",
    "LearningCurve",
    "RepresentationDisplay",
    "RobustnessDisplay",
    "TaskWeights",
    "UARDisplay",
    "representation_silhouette",
]

__getattr__, __dir__ = lazy_attributes(
    __name__,
    {
        "ConfusionDisplay": "sklearn_ser.inspection._confusion",
        "LearningCurve": "sklearn_ser.inspection._learning_curve",
        "RepresentationDisplay": "sklearn_ser.inspection._representation",
        "RobustnessDisplay": "sklearn_ser.inspection._robustness",
        "TaskWeights": "sklearn_ser.inspection._task_weights",
        "UARDisplay": "sklearn_ser.inspection._uar",
        "representation_silhouette": "sklearn_ser.inspection._silhouette",
    },
)
