"""Training on adversarial perturbations: changes of the input that increase a loss most.

Changes are in units of the standard deviation (scale) of each feature, with one value per value of
the batch: of shape (n_samples, n_features) for rows of features and (n_frames, n_features) for
sequences, their frames one after the other without padding.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import TYPE_CHECKING, Literal, TypeAlias

import torch
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn
from torch.nn import functional

from sklearn_ser.neural_network._parameter_names import SuggestingEstimator
from sklearn_ser.neural_network._random import torch_stream
from sklearn_ser.neural_network._sequences import FrameBatch
from sklearn_ser.neural_network._settings import check_parameters
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from sklearn_ser.neural_network.training._batch_perturbation import Mix
    from sklearn_ser.neural_network.training._training_step import MultiTaskNet

Batch: TypeAlias = torch.Tensor | FrameBatch

#: Default number of steps, and default norm, of each method.
_STEPS = {"fgsm": 1, "pgd": 5, "vat": 1}
_NORMS = {"fgsm": "inf", "pgd": "inf", "vat": "l2"}
#: Default step sizes in units of epsilon: of all steps of an attack together (so that it can reach
#: the edge of the ball from any point), and of the power iteration of "vat".
_REACH, _PROBE = 2.5, 0.1


@public_module("sklearn_ser.neural_network")
class AdversarialTraining(SuggestingEstimator):
    """Training on adversarially perturbed inputs.

    In every step, the perturbation of each sample that misleads the network most is searched
    within a ball around the sample, and an additional loss on the perturbed samples is added.

    Parameters
    ----------
    method : {"fgsm", "pgd", "vat"}, default="fgsm"
        Search of the perturbation. "fgsm" takes one step along the sign of the gradient of the
        loss of `y` [1]_; "pgd" takes several smaller steps from a random point in the ball [2]_.
        Both perturb labeled samples, and the additional loss is that of `y`. "vat" (virtual
        adversarial training) searches the perturbation that changes the predicted probabilities
        most, also for unlabeled samples; the additional loss is the Kullback-Leibler divergence
        from the probabilities of the unperturbed sample [3]_.
    epsilon : float, default=0.1
        Radius of the ball, in units of the standard deviation of each feature over the training
        samples.
    weight : float, default=0.5
        Weight of the additional loss, relative to 1 for the loss of `y`. With 0, training is the
        same as without it.
    n_steps : int or None, default=None
        Number of gradients computed to find the perturbation. None means 5 for "pgd", else 1.
    step_size : float or None, default=None
        Step size, in the units of `epsilon`. None means `epsilon` for "fgsm" and
        2.5 epsilon / n_steps for "pgd". For "vat", it is the distance from the sample at which the
        gradient is computed, and None means epsilon / 10.
    norm : {"inf", "l2"} or None, default=None
        Norm of the ball. "inf" bounds the change of every value. "l2" bounds the root mean square
        of the changes of a sample (for sequences, over all frames), so that `epsilon` has the same
        meaning for any number of features and frames; it is the Euclidean norm divided by the
        square root of the number of values. None means "l2" for "vat", else "inf".

    See Also
    --------
    MTLNeuralClassifier : Its parameter `adversarial_training` takes this object.
    sklearn_ser.robustness.adversarial_robustness : Robustness of a fitted classifier.

    Notes
    -----
    The perturbed samples are the training samples after mixup, without noise and dropout of
    :class:`InputPerturbation`. The perturbation is searched without dropout of the network, as an
    attacker would. The additional loss of "fgsm" and "pgd" is computed with dropout, like the
    other losses; that of "vat" without, so that the perturbation alone changes the prediction.

    The additional loss is not part of `loss_weighting`; it trains the encoder and the head of `y`.
    It costs an additional forward and backward pass, and one for each gradient of the search.
    Measure how much recall on unperturbed speech the robustness costs.

    References
    ----------
    .. [1] Goodfellow, I. J., Shlens, J., Szegedy, C. (2015). Explaining and Harnessing Adversarial
       Examples. ICLR 2015. https://arxiv.org/abs/1412.6572
    .. [2] Madry, A. et al. (2018). Towards Deep Learning Models Resistant to Adversarial Attacks.
       ICLR 2018. https://arxiv.org/abs/1706.06083
    .. [3] Miyato, T., Maeda, S., Koyama, M., Ishii, S. (2018). Virtual Adversarial Training: A
       Regularization Method for Supervised and Semi-Supervised Learning. IEEE TPAMI 41(8).
       https://arxiv.org/abs/1704.03976

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.neural_network import AdversarialTraining, MTLNeuralClassifier
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 4)) + 2 * y[:, None]
    >>> net = MTLNeuralClassifier(
    ...     adversarial_training=AdversarialTraining("pgd", epsilon=0.2), max_epochs=5,
    ...     random_state=0,
    ... )
    >>> net.fit(X, y).history_[["train_loss_y", "adversarial_loss"]].shape
    (5, 2)
    >>> net.set_params(adversarial_training__epsilon=0.3).adversarial_training
    AdversarialTraining(epsilon=0.3, method='pgd')
    """

    _parameter_constraints = {
        "method": [StrOptions(set(_STEPS))],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "weight": [Interval(Real, 0, None, closed="left")],
        "n_steps": [Interval(Integral, 1, None, closed="left"), None],
        "step_size": [Interval(Real, 0, None, closed="neither"), None],
        "norm": [StrOptions({"inf", "l2"}), None],
    }

    def __init__(
        self,
        method: Literal["fgsm", "pgd", "vat"] = "fgsm",
        *,
        epsilon: float = 0.1,
        weight: float = 0.5,
        n_steps: int | None = None,
        step_size: float | None = None,
        norm: Literal["inf", "l2"] | None = None,
    ):
        self.method = method
        self.epsilon = epsilon
        self.weight = weight
        self.n_steps = n_steps
        self.step_size = step_size
        self.norm = norm

    def _check(self) -> None:
        """Validate the parameters."""
        check_parameters(self, "adversarial_training")
        if self.method == "fgsm" and self.n_steps not in (None, 1):
            raise ValueError(
                f"adversarial_training: method='fgsm' takes one step, and n_steps is "
                f'{self.n_steps}. Set n_steps=None, or method="pgd".'
            )

    def _resolved(self) -> tuple[int, float, str]:
        """Return the number of steps, their size and the norm, with the defaults of the method."""
        n_steps = self.n_steps or _STEPS[self.method]
        step_size = self.step_size
        if step_size is None:
            parts = {"fgsm": 1.0, "pgd": _REACH / n_steps, "vat": _PROBE}
            step_size = parts[self.method] * self.epsilon
        return n_steps, step_size, self.norm or _NORMS[self.method]


class Ball:
    """Ball of the permitted changes of each sample.

    The norm "inf" is the largest absolute change of a value. "l2" is the root mean square over all
    values of a sample (for sequences, of all frames), the Euclidean norm divided by the square root
    of their number.
    """

    def __init__(self, norm: str, radius: float):
        self.norm = norm
        self.radius = radius

    def size(self, change: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the norm of the change of each sample, of shape (n_samples,)."""
        return _largest(change, batch) if self.norm == "inf" else _length(change, batch)

    def steepest(self, gradient: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the change of norm 1 that increases a loss with this gradient most."""
        if self.norm == "inf":
            return gradient.sign()
        direction, length, _ = _measured(gradient, batch)
        return self._scaled(direction, 1.0 / length, batch)

    def projected(self, change: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Return the nearest change within the ball."""
        if self.norm == "inf":
            return change.clamp(-self.radius, self.radius)
        _, length, largest = _measured(change, batch)
        return self._scaled(change, (self.radius / (length * largest)).clamp_max(1.0), batch)

    def drawn(self, like: torch.Tensor, batch: Batch, generator: torch.Generator) -> torch.Tensor:
        """Draw a change: uniform in the cube, or of random direction and length."""
        drawn = torch.empty_like(like)
        if self.norm == "inf":
            return drawn.uniform_(-self.radius, self.radius, generator=generator)
        direction = self.steepest(drawn.normal_(generator=generator), batch)
        length = like.new_empty(len(batch)).uniform_(0.0, self.radius, generator=generator)
        return self._scaled(direction, length, batch)

    @staticmethod
    def _scaled(change, factors, batch):
        if isinstance(batch, FrameBatch):
            factors = factors[batch.row_of_frame]
        return change * factors[:, None]


def _largest(change, batch):
    """Return the largest absolute value of each sample."""
    largest = change.abs().amax(dim=1)
    return batch.padded(largest).amax(dim=1) if isinstance(batch, FrameBatch) else largest


def _length(change, batch):
    """Return the root mean square of each sample."""
    squares = change.square().mean(dim=1)
    return (batch.means(squares) if isinstance(batch, FrameBatch) else squares).sqrt()


def _measured(change, batch):
    """Return samples scaled to a largest value of 1, their norms then, and the divisors."""
    tiny = torch.finfo(change.dtype).tiny
    largest = _largest(change, batch).clamp_min(tiny)
    direction = Ball._scaled(change, 1.0 / largest, batch)
    return direction, _length(direction, batch).clamp_min(tiny), largest


def values_of(batch: Batch) -> torch.Tensor:
    """Return the values of a batch; for sequences, all their frames."""
    return batch.frames if isinstance(batch, FrameBatch) else batch


def changed(batch: Batch, change: torch.Tensor, scale: torch.Tensor | float) -> Batch:
    """Return the batch with `change` (in units of `scale`) added."""
    values = values_of(batch) + change * scale
    return batch.with_frames(values) if isinstance(batch, FrameBatch) else values


def input_gradient(
    loss_of: Callable[[Batch], torch.Tensor],
    batch: Batch,
    scale: torch.Tensor | float,
    change: torch.Tensor,
) -> torch.Tensor:
    """Compute the gradient of a loss with respect to a change of the batch alone."""
    with torch.enable_grad():
        change = change.detach().requires_grad_()
        loss = loss_of(changed(batch, change, scale))
        (gradient,) = torch.autograd.grad(loss, change)
    return gradient


@contextlib.contextmanager
def without_dropout(module: nn.Module) -> Iterator[None]:
    """Evaluate `module` as in predictions within this context."""
    before = {part: part.training for part in module.modules()}
    for part in before:
        # cuDNN computes no gradients through recurrent layers in evaluation mode.
        if not (isinstance(part, nn.RNNBase) and not part.dropout):
            part.training = False
    try:
        yield
    finally:
        for part, training in before.items():
            part.training = training


class AdversarialLoss:
    """Loss of a batch that is perturbed within a ball to mislead the current network."""

    def __init__(
        self, spec: AdversarialTraining, *, scale: torch.Tensor | float, seed: int, device: str
    ):
        self.method = spec.method
        self.weight = spec.weight
        self.scale = scale
        self.n_steps, self.step_size, norm = spec._resolved()
        self.ball = Ball(norm, spec.epsilon)
        self.generator = torch_stream(seed, "adversarial training", device)

    def __call__(
        self,
        net: MultiTaskNet,
        batch: Batch,
        targets: torch.Tensor,
        weights: torch.Tensor,
        mix: Mix | None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Compute the loss of a batch before noise, and the total weight of its samples."""
        if self.method == "vat":
            return self._virtual(net, batch), weights.new_tensor(float(len(batch)))

        def loss_of(x):
            outputs, frame_batch = net._forward(x)
            return net.criterion_.main(outputs[0], targets, weights, mix, frame_batch)

        change = torch.zeros_like(values_of(batch))
        if self.method == "pgd":
            change = self.ball.drawn(change, batch, self.generator)
        with without_dropout(net.module_):
            for _ in range(self.n_steps):
                gradient = input_gradient(loss_of, batch, self.scale, change)
                step = self.step_size * self.ball.steepest(gradient, batch)
                change = self.ball.projected(change + step, batch)
        return loss_of(changed(batch, change, self.scale)), weights.sum()

    def _virtual(self, net, batch):
        def divergence(x):
            logarithms = net._main(*net._forward(x)).log_softmax(dim=1)
            return functional.kl_div(logarithms, probabilities, reduction="batchmean")

        with without_dropout(net.module_):
            with torch.no_grad():
                probabilities = net._main(*net._forward(batch)).softmax(dim=1)
            values = values_of(batch)
            # Power iterations: the gradient near the sample, since that at the sample is 0.
            change = torch.empty_like(values).normal_(generator=self.generator)
            for _ in range(self.n_steps):
                probe = self.step_size * self.ball.steepest(change, batch)
                change = input_gradient(divergence, batch, self.scale, probe)
            change = self.ball.radius * self.ball.steepest(change, batch)
            return divergence(changed(batch, change, self.scale))
