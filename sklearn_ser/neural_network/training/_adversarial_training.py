"""AdversarialTraining: a network that small changes of its input should not mislead."""

from numbers import Integral, Real

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.utils._public import public_module

#: Steps of a method, and its norm, where none is named.
_STEPS = {"fgsm": 1, "pgd": 5, "vat": 1}
_NORMS = {"fgsm": "inf", "pgd": "inf", "vat": "l2"}
#: Step size where none is named, in parts of epsilon: of all steps of an attack together (so that
#: it can reach the edge of the ball from anywhere), and of a probe.
_REACH, _PROBE = 2.5, 0.1


@public_module("sklearn_ser.neural_network")
class AdversarialTraining(BaseEstimator):
    """Adversarial training: a network learns not to be misled by small changes of its input.

    In every step, the change of each row that misleads the network most is sought within a ball
    around the row, and a further loss, on the changed rows, is added.

    Parameters
    ----------
    method : {"fgsm", "pgd", "vat"}, default="fgsm"
        "fgsm": one step along the sign of the gradient of the loss of `y` [1]_. "pgd": several
        smaller ones, from a random place in the ball [2]_. Both act on rows with a label, and the
        loss is that of `y`. "vat", virtual adversarial training: the change that moves the
        predicted probabilities most, whatever the label, so that rows without one are learned from,
        too; the loss is the Kullback-Leibler divergence from the probabilities of the unchanged
        row [3]_.
    epsilon : float, default=0.1
        Radius of the ball, in units of each feature's own standard deviation over the training
        rows.
    weight : float, default=0.5
        Of the further loss, beside 1 for the loss of `y`. 0 is the training without it.
    n_steps : int or None, default=None
        Gradients taken to find the change. None: 1; 5 of "pgd".
    step_size : float or None, default=None
        In the units of `epsilon`. None: `epsilon` of "fgsm"; 2.5 epsilon / n_steps of "pgd". Of
        "vat", how far from the row its gradient is taken; epsilon / 10.
    norm : {"inf", "l2"} or None, default=None
        What the ball bounds. "inf": the change of every value. "l2": the root mean square of a
        row's changes (of a sequence: over all its frames), so that one `epsilon` means the same
        for rows of any width and sequences of any length; it is the Euclidean norm divided by the
        square root of the number of values. None: "inf"; "l2" of "vat".

    See Also
    --------
    MTLNeuralClassifier : Its parameter `adversarial_training` takes this.
    sklearn_ser.evaluation.adversarial_robustness : How well a fitted classifier withstands.

    Notes
    -----
    The changed rows are the training rows after mixup, without input noise and dropout of inputs.
    The change is sought without dropout, as an attacker finds the network. The loss of "fgsm" and
    "pgd" is taken with dropout, as all training is; that of "vat" without, so that the change
    alone sets the two predictions apart.

    The further loss stands beside the tasks' whatever `loss_weighting` does with those; it trains
    the encoder and the head of `y`. It costs a further forward and backward pass, and one for
    each gradient of the search. What the robustness costs in recall on unchanged speech is to be
    measured, not hoped for.

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
        self, method="fgsm", *, epsilon=0.1, weight=0.5, n_steps=None, step_size=None, norm=None
    ):
        self.method = method
        self.epsilon = epsilon
        self.weight = weight
        self.n_steps = n_steps
        self.step_size = step_size
        self.norm = norm

    def check(self):
        """Refuse parameters that cannot be.

        Raises
        ------
        ValueError
        """
        try:
            self._validate_params()
        except ValueError as error:  # InvalidParameterError, which does not say where it stands
            raise type(error)(f"adversarial_training: {error}") from None
        if self.method == "fgsm" and self.n_steps not in (None, 1):
            raise ValueError(
                f"adversarial_training: method='fgsm' takes one step, and n_steps is "
                f'{self.n_steps}. Leave it None, or take method="pgd".'
            )

    def resolved(self):
        """Number of steps, their size, and the norm: those named, or the method's own.

        Returns
        -------
        n_steps : int
        step_size : float
        norm : {"inf", "l2"}
        """
        n_steps = self.n_steps or _STEPS[self.method]
        step_size = self.step_size
        if step_size is None:
            parts = {"fgsm": 1.0, "pgd": _REACH / n_steps, "vat": _PROBE}
            step_size = parts[self.method] * self.epsilon
        return n_steps, step_size, self.norm or _NORMS[self.method]
