"""Tasks as a user names them: what to learn beside the emotion, and how."""

from numbers import Integral, Real

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.utils._public import public_module

_WEIGHT = [Interval(Real, 0, None, closed="left"), None]
_COLUMN = [str, None]
_HIDDEN = ["array-like"]
_CLASS_LOSS = {
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    "focal_gamma": [Interval(Real, 0, None, closed="left")],
    "logit_adjustment": [Interval(Real, 0, None, closed="left")],
}


class Task(BaseEstimator):
    """What every task object is: parameters, as an estimator has them, and nothing else."""

    def check(self, name):
        """Refuse parameters that cannot be, naming the task.

        Raises
        ------
        ValueError
        """
        try:
            self._validate_params()
        except ValueError as error:  # InvalidParameterError, which names the class only
            raise type(error)(f"tasks[{name!r}]: {error}") from None


@public_module("sklearn_ser.neural_network")
class ClassificationTask(Task):
    """Labels of a column of `aux`: cross-entropy over a softmax head.

    Parameters
    ----------
    column : str, default=None
        Column of `aux`; the task's own name where None.
    weight : float, default=None
        Of the task's loss in the sum; `aux_weight` of the network where None.
    class_weight : "balanced", dict or None, default=None
        Weights of the classes, as everywhere in scikit-learn.
    label_smoothing : float, default=0.0
        Share of the target that is spread over all classes, in [0, 1) [1]_.
    focal_gamma : float, default=0.0
        Above 0, rows that are already right count less: each loss is multiplied by (1 - p) to
        this power, p the probability of the right class [2]_.
    logit_adjustment : float, default=0.0
        Above 0, this times the logarithm of each class's share of the training rows is added to
        the outputs in training, so that predictions favor no frequent class [3]_; 1 aims at the
        unweighted average recall. Rows are counted by `sample_weight`, not by `class_weight`:
        "balanced" beside it makes up for the frequencies a second time, and favors rare classes.

    References
    ----------
    .. [1] Szegedy, C. et al. (2016). Rethinking the Inception Architecture for Computer Vision.
       CVPR 2016.
    .. [2] Lin, T.-Y. et al. (2017). Focal Loss for Dense Object Detection. ICCV 2017.
    .. [3] Menon, A. K. et al. (2021). Long-tail Learning via Logit Adjustment. ICLR 2021.

    Examples
    --------
    >>> from sklearn_ser.neural_network import ClassificationTask, MTLNeuralClassifier
    >>> net = MTLNeuralClassifier(tasks={"gender": ClassificationTask(weight=0.1)})
    >>> net.set_params(tasks__gender__label_smoothing=0.1).tasks["gender"]
    ClassificationTask(label_smoothing=0.1, weight=0.1)
    """

    _parameter_constraints = {"column": _COLUMN, "weight": _WEIGHT, **_CLASS_LOSS}

    def __init__(
        self,
        *,
        column=None,
        weight=None,
        class_weight=None,
        label_smoothing=0.0,
        focal_gamma=0.0,
        logit_adjustment=0.0,
    ):
        self.column = column
        self.weight = weight
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.focal_gamma = focal_gamma
        self.logit_adjustment = logit_adjustment


@public_module("sklearn_ser.neural_network")
class RegressionTask(Task):
    """Numbers of a column of `aux` (arousal, valence, a rating), standardized within.

    Parameters
    ----------
    column : str, default=None
        Column of `aux`; the task's own name where None.
    weight : float, default=None
        Of the task's loss in the sum; `aux_weight` of the network where None.
    loss : {"mse", "ccc"}, default="mse"
        Squared error, or 1 minus the concordance correlation coefficient of the batch [1]_.

    References
    ----------
    .. [1] Lin, L. I.-K. (1989). A Concordance Correlation Coefficient to Evaluate
       Reproducibility. Biometrics 45(1).

    Examples
    --------
    >>> from sklearn_ser.neural_network import MTLNeuralClassifier, RegressionTask
    >>> MTLNeuralClassifier(tasks={"arousal": RegressionTask(loss="ccc")}).tasks
    {'arousal': RegressionTask(loss='ccc')}
    """

    _parameter_constraints = {
        "column": _COLUMN,
        "weight": _WEIGHT,
        "loss": [StrOptions({"mse", "ccc"})],
    }

    def __init__(self, *, column=None, weight=None, loss="mse"):
        self.column = column
        self.weight = weight
        self.loss = loss


@public_module("sklearn_ser.neural_network")
class DomainAdversarialTask(Task):
    """Labels that the shared representation should not tell: corpus, speaker, language [1]_.

    Its head learns the labels; the gradient that reaches the encoder is reversed, so that the
    encoder unlearns them.

    Parameters
    ----------
    column : str, default=None
        Column of `aux`; the task's own name where None.
    weight : float, default=None
        Of the head's loss in the sum; `aux_weight` of the network where None.
    strength : float, default=1.0
        Factor of the reversed gradient at the end of the schedule.
    schedule : {"ramp", "constant"}, default="ramp"
        "ramp": the factor grows from 0 as ``strength * (2 / (1 + exp(-10 p)) - 1)`` with the share
        p of the epochs done, so that the head has learned something before it is worked against
        [1]_. "constant": `strength` throughout.
    hidden_units : sequence of int, default=()
        Hidden layers of the head.
    class_weight : "balanced", dict or None, default=None
        Weights of the classes.

    References
    ----------
    .. [1] Ganin, Y. et al. (2016). Domain-Adversarial Training of Neural Networks. JMLR 17(59).

    Examples
    --------
    >>> from sklearn_ser.neural_network import DomainAdversarialTask, MTLNeuralClassifier
    >>> MTLNeuralClassifier(tasks={"corpus": DomainAdversarialTask(strength=0.5)}).tasks
    {'corpus': DomainAdversarialTask(strength=0.5)}
    """

    _parameter_constraints = {
        "column": _COLUMN,
        "weight": _WEIGHT,
        "strength": [Interval(Real, 0, None, closed="left")],
        "schedule": [StrOptions({"ramp", "constant"})],
        "hidden_units": _HIDDEN,
        "class_weight": _CLASS_LOSS["class_weight"],
    }

    def __init__(
        self,
        *,
        column=None,
        weight=None,
        strength=1.0,
        schedule="ramp",
        hidden_units=(),
        class_weight=None,
    ):
        self.column = column
        self.weight = weight
        self.strength = strength
        self.schedule = schedule
        self.hidden_units = hidden_units
        self.class_weight = class_weight


@public_module("sklearn_ser.neural_network")
class ReconstructionTask(Task):
    """The input again, from the shared representation; needs no labels at all.

    The loss is the mean squared error over features. Of frame sequences, which have any length,
    the means of `time_bins` equal parts of the sequence are reconstructed.

    Parameters
    ----------
    weight : float, default=None
        Of the task's loss in the sum; `aux_weight` of the network where None.
    target : {"clean", "augmented"}, default="clean"
        What is to come out: the row as it was given (a denoising autoencoder), or what the
        encoder got, after the augmenters, noise and dropout of :class:`InputPerturbation`. Both
        are after mixup.
    time_bins : int, default=8
        Of frame sequences only.
    hidden_units : sequence of int, default=()
        Hidden layers of the decoder.

    Examples
    --------
    >>> from sklearn_ser.neural_network import MTLNeuralClassifier
    >>> net = MTLNeuralClassifier(tasks={"rebuilt": "reconstruction"})
    >>> net.set_params(tasks__rebuilt__target="augmented").tasks
    {'rebuilt': ReconstructionTask(target='augmented')}
    """

    _parameter_constraints = {
        "weight": _WEIGHT,
        "target": [StrOptions({"clean", "augmented"})],
        "time_bins": [Interval(Integral, 1, 1024, closed="both")],
        "hidden_units": _HIDDEN,
    }

    def __init__(self, *, weight=None, target="clean", time_bins=8, hidden_units=()):
        self.weight = weight
        self.target = target
        self.time_bins = time_bins
        self.hidden_units = hidden_units


@public_module("sklearn_ser.neural_network")
class ContrastiveTask(Task):
    """Rows of one label close together, of different labels apart: supervised contrastive [1]_.

    A linear projection of the representation, scaled to length 1; for every row, the other rows
    of its label in the batch are to be more similar to it than the rest.

    Parameters
    ----------
    column : str, default=None
        Column of `aux` with the labels; `y`, the emotion, where None.
    weight : float, default=None
        Of the task's loss in the sum; `aux_weight` of the network where None.
    across : str, default=None
        Column of `aux` (corpus, say): only rows that differ in it are drawn together, which asks
        for one place for an emotion whatever the corpus.
    temperature : float, default=0.1
    n_components : int, default=64
        Width of the projection.

    Notes
    -----
    A row without a partner in its batch does not count; batches of 64 rows or more are advised.

    References
    ----------
    .. [1] Khosla, P. et al. (2020). Supervised Contrastive Learning. NeurIPS 2020.

    Examples
    --------
    >>> from sklearn_ser.neural_network import ContrastiveTask, MTLNeuralClassifier
    >>> MTLNeuralClassifier(tasks={"clusters": ContrastiveTask(across="corpus")}).tasks
    {'clusters': ContrastiveTask(across='corpus')}
    """

    _parameter_constraints = {
        "column": _COLUMN,
        "weight": _WEIGHT,
        "across": _COLUMN,
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "n_components": [Interval(Integral, 1, 65536, closed="both")],
    }

    def __init__(self, *, column=None, weight=None, across=None, temperature=0.1, n_components=64):
        self.column = column
        self.weight = weight
        self.across = across
        self.temperature = temperature
        self.n_components = n_components

    def check(self, name):
        super().check(name)
        if self.column is not None and self.column == self.across:
            raise ValueError(
                f"tasks[{name!r}]: column and across are both {self.column!r}, and no two rows are "
                "alike and differ in one column: no row would have a partner. Take another column "
                "for across, or None."
            )


@public_module("sklearn_ser.neural_network")
class ConsistencyTask(Task):
    """Rows without a label, in training: what the network says of them should outlast noise [1]_.

    In every step the network, without noise and dropout, guesses the class of each row that has no
    label; where it is sure, the same network under noise and dropout learns the guess (as
    probabilities). Needs `unlabeled` of the network, and is of use with the noise or
    dropout of :class:`InputPerturbation`.

    Parameters
    ----------
    weight : float, default=None
        Of the task's loss in the sum; `aux_weight` of the network where None.
    threshold : float, default=0.6
        A guess counts if its most probable class, after balance and sharpening, has at least this
        probability.
    balance : bool, default=True
        Divide the guesses by their running mean over the rows, so that no class swallows all
        [2]_. It supposes that all classes are about equally frequent there.
    sharpening : float, default=2.0
        Power that the guesses are raised to.
    start : float, default=0.0
        Share of `max_epochs` after which it begins. With early stopping the best epoch may well
        come before that, and no guess has then been learned (there is a warning).

    Notes
    -----
    What ends it is what ends the training: early stopping watches labeled rows of other speakers,
    so that a network that its own guesses lead astray is not kept.

    References
    ----------
    .. [1] Sohn, K. et al. (2020). FixMatch: Simplifying Semi-Supervised Learning with Consistency
       and Confidence. NeurIPS 2020. https://arxiv.org/abs/2001.07685
    .. [2] Berthelot, D. et al. (2020). ReMixMatch: Semi-Supervised Learning with Distribution
       Alignment and Augmentation Anchoring. ICLR 2020. https://arxiv.org/abs/1911.09785

    Examples
    --------
    >>> from sklearn_ser.neural_network import ConsistencyTask, MTLNeuralClassifier
    >>> net = MTLNeuralClassifier(
    ...     tasks={"guesses": ConsistencyTask(weight=0.3)}, unlabeled="nan")
    >>> net.set_params(tasks__guesses__threshold=0.8).tasks
    {'guesses': ConsistencyTask(threshold=0.8, weight=0.3)}
    """

    _parameter_constraints = {
        "weight": _WEIGHT,
        "threshold": [Interval(Real, 0, 1, closed="both")],
        "balance": ["boolean"],
        "sharpening": [Interval(Real, 0, None, closed="neither")],
        "start": [Interval(Real, 0, 1, closed="left")],
    }

    def __init__(self, *, weight=None, threshold=0.6, balance=True, sharpening=2.0, start=0.0):
        self.weight = weight
        self.threshold = threshold
        self.balance = balance
        self.sharpening = sharpening
        self.start = start


#: Short names of tasks with their defaults.
SHORT_NAMES = {
    "classification": ClassificationTask,
    "regression": RegressionTask,
    "mse": RegressionTask,
    "ccc": lambda: RegressionTask(loss="ccc"),
    "adversarial": DomainAdversarialTask,
    "reconstruction": ReconstructionTask,
    "contrastive": ContrastiveTask,
    "consistency": ConsistencyTask,
}
