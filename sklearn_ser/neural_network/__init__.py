"""Multi-task neural networks for speech emotion, and what stands behind them, as estimators."""

from sklearn_ser._lazy import lazy_attributes

__all__ = ["ELMClassifier", "HighLevelFeatures", "MTLNeuralClassifier"]

# On first use: only the network needs torch.
__getattr__, __dir__ = lazy_attributes(
    __name__,
    {
        "ELMClassifier": "sklearn_ser.neural_network._elm",
        "HighLevelFeatures": "sklearn_ser.neural_network._high_level_features",
        "MTLNeuralClassifier": "sklearn_ser.neural_network._classifier",
    },
)
