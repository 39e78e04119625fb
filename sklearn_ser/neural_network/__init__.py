"""Multi-task neural networks for speech emotion, and what stands behind them, as estimators."""

from sklearn_ser._lazy import lazy_attributes

# On first use: only the network needs torch.
_LOCATIONS = {
    "DomainAdversarialTask": "sklearn_ser.neural_network._tasks",
    "AdversarialTraining": "sklearn_ser.neural_network._adversarial_training",
    "BatchSpecAugment": "sklearn_ser.neural_network._batch_augmenters",
    "ClassificationTask": "sklearn_ser.neural_network._tasks",
    "ConsistencyTask": "sklearn_ser.neural_network._tasks",
    "ContrastiveTask": "sklearn_ser.neural_network._tasks",
    "ELMClassifier": "sklearn_ser.neural_network._elm",
    "HighLevelFeatures": "sklearn_ser.neural_network._high_level_features",
    "MTLNeuralClassifier": "sklearn_ser.neural_network._classifier",
    "PseudoLabels": "sklearn_ser.neural_network._pseudo_labels",
    "ReconstructionTask": "sklearn_ser.neural_network._tasks",
    "RegressionTask": "sklearn_ser.neural_network._tasks",
}

__all__ = list(_LOCATIONS)
__getattr__, __dir__ = lazy_attributes(__name__, _LOCATIONS)
