"""A fitted network as a function that torch can differentiate: its inputs' gradients."""

import contextlib

import numpy as np
import torch

from sklearn_ser.neural_network._nested_params import parameter_object
from sklearn_ser.neural_network.tasks._fitted_tasks import utterance_outputs
from sklearn_ser.neural_network.training._batches import evaluation_batches
from sklearn_ser.neural_network.training._inputs import check_inputs
from sklearn_ser.utils._threads import torch_threads


class DifferentiableNetwork:
    """Logarithms of the probabilities that a fitted classifier predicts, with gradients.

    Those of all its networks together, divided by their temperatures; without dropout.

    Parameters
    ----------
    estimator : MTLNeuralClassifier
        Fitted. It is not changed.
    """

    def __init__(self, estimator):
        self.estimator = estimator
        self.classes = estimator.classes_
        self.tasks = estimator._fitted_tasks()
        self.modules = [net.module_ for net in estimator._nets()]
        self.device = next(self.modules[0].parameters()).device

    def pack(self, X):
        """X, of rows that have not failed, as a Tensor or as FrameSequences on the device."""
        architecture = self.estimator._architecture
        x, _ = check_inputs(
            self.estimator, X, architecture["dtype"], architecture["encoder"], reset=False
        )
        return x.to(self.device)

    def batches(self, x):
        """Positions and values of the rows of `x`, in parts of bounded size."""
        return evaluation_batches(x)

    def log_probabilities(self, batch):
        """Tensor of shape (n_rows, n_classes).

        Parameters
        ----------
        batch : Tensor or FrameBatch
        """
        answers = []
        for module, temperature in zip(self.modules, self.estimator._temperatures, strict=True):
            outputs = module(batch)
            if module.frame_level:
                outputs = utterance_outputs(self.tasks[:1], outputs[:1], batch)
            answers.append((outputs[0] / temperature).log_softmax(dim=1))
        return torch.stack(answers).logsumexp(dim=0) - float(np.log(len(answers)))

    @contextlib.contextmanager
    def running(self):
        """The context in which it is to be called."""
        # cuDNN has no gradients of recurrent layers outside of training.
        with (
            torch_threads(parameter_object(self.estimator, "compute").n_threads),
            torch.backends.cudnn.flags(enabled=False),
        ):
            yield


class DifferentiableLinear:
    """A linear classifier as `DifferentiableNetwork` is one: log-softmax of its decision values.

    Of two classes, the decision value stands for the second class and 0 for the first, which for
    logistic regression is its probability.

    Parameters
    ----------
    estimator : classifier
        With ``coef_``, ``intercept_`` and ``classes_``.
    """

    def __init__(self, estimator):
        self.classes = estimator.classes_
        weights = np.asarray(estimator.coef_, dtype=np.float64)
        bias = np.broadcast_to(np.asarray(estimator.intercept_, np.float64), len(weights))
        self.weights, self.bias = torch.tensor(weights), torch.tensor(bias.tolist()).double()

    def pack(self, X):
        return torch.tensor(np.asarray(X, dtype=np.float64))

    def batches(self, x):
        return evaluation_batches(x)

    def log_probabilities(self, batch):
        decision = batch @ self.weights.T + self.bias
        if decision.shape[1] == 1:
            decision = torch.cat([torch.zeros_like(decision), decision], dim=1)
        return decision.log_softmax(dim=1)

    @contextlib.contextmanager
    def running(self):
        with torch_threads(1):
            yield
