"""Plots, as Display objects in scikit-learn's manner, and what explains a model."""

from sklearn_ser._lazy import lazy_attributes

__all__ = [
    "ConfusionDisplay",
    "CorpusHeatmapDisplay",
    "CriticalDifferenceDisplay",
    "GroupGapDisplay",
    "GroupImportanceDisplay",
    "ReliabilityDisplay",
    "RepresentationDisplay",
    "RobustnessDisplay",
    "TaskWeightsDisplay",
    "TrainingHistoryDisplay",
    "UARDisplay",
    "confident_errors",
    "feature_groups",
    "grouped_permutation_importance",
    "representation_silhouette",
]

__getattr__, __dir__ = lazy_attributes(
    __name__,
    {
        "ConfusionDisplay": "sklearn_ser.inspection._confusion",
        "CorpusHeatmapDisplay": "sklearn_ser.inspection._corpus_heatmap",
        "CriticalDifferenceDisplay": "sklearn_ser.inspection._critical_difference",
        "GroupGapDisplay": "sklearn_ser.inspection._group_gap",
        "GroupImportanceDisplay": "sklearn_ser.inspection._group_importance_display",
        "TrainingHistoryDisplay": "sklearn_ser.inspection._learning_curve",
        "ReliabilityDisplay": "sklearn_ser.inspection._reliability",
        "RepresentationDisplay": "sklearn_ser.inspection._representation",
        "RobustnessDisplay": "sklearn_ser.inspection._robustness",
        "TaskWeightsDisplay": "sklearn_ser.inspection._task_weights",
        "UARDisplay": "sklearn_ser.inspection._uar",
        "confident_errors": "sklearn_ser.inspection._confident_errors",
        "feature_groups": "sklearn_ser.inspection._feature_groups",
        "grouped_permutation_importance": "sklearn_ser.inspection._group_importance",
        "representation_silhouette": "sklearn_ser.inspection._silhouette",
    },
)
