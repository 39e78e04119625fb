"""AdversarialTraining: parameters of the training on adversarially perturbed inputs."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Literal

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.neural_network._settings import check_parameters
from sklearn_ser.utils._public import public_module

#: Default number of steps, and default norm, of each method.
_STEPS = {"fgsm": 1, "pgd": 5, "vat": 1}
_NORMS = {"fgsm": "inf", "pgd": "inf", "vat": "l2"}
#: Default step sizes in units of epsilon: of all steps of an attack together (so that it can reach
#: the edge of the ball from any point), and of the power iteration of "vat".
_REACH, _PROBE = 2.5, 0.1


@public_module("sklearn_ser.neural_network")
class AdversarialTraining(BaseEstimator):
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

    def check(self) -> None:
        """Validate the parameters."""
        check_parameters(self, "adversarial_training")
        if self.method == "fgsm" and self.n_steps not in (None, 1):
            raise ValueError(
                f"adversarial_training: method='fgsm' takes one step, and n_steps is "
                f'{self.n_steps}. Set n_steps=None, or method="pgd".'
            )

    def resolved(self) -> tuple[int, float, str]:
        """Return the number of steps, their size and the norm, with the defaults of the method."""
        n_steps = self.n_steps or _STEPS[self.method]
        step_size = self.step_size
        if step_size is None:
            parts = {"fgsm": 1.0, "pgd": _REACH / n_steps, "vat": _PROBE}
            step_size = parts[self.method] * self.epsilon
        return n_steps, step_size, self.norm or _NORMS[self.method]
