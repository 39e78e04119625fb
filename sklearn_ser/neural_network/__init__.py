"""Multi-task neural networks for speech emotion as scikit-learn estimators."""

from sklearn_ser.neural_network._classifier import MTLNeuralClassifier
from sklearn_ser.neural_network._tasks import (
    AdversarialTask,
    ClassificationTask,
    ContrastiveTask,
    ReconstructionTask,
    RegressionTask,
)

__all__ = [
    "AdversarialTask",
    "ClassificationTask",
    "ContrastiveTask",
    "MTLNeuralClassifier",
    "ReconstructionTask",
    "RegressionTask",
]
