"""Multi-task neural networks for speech emotion as scikit-learn estimators."""

from sklearn_ser.neural_network._classifier import MTLNeuralClassifier

__all__ = ["MTLNeuralClassifier"]
