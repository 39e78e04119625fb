"""Parameter objects of the networks: computation, input perturbation, optimization, validation."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, Literal

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.neural_network._parameter_names import SuggestingEstimator
from sklearn_ser.utils._public import public_module


def check_parameters(instance: BaseEstimator, where: str) -> None:
    """Validate a parameter object; errors name the parameter of the network that holds it."""
    try:
        instance._validate_params()
    except ValueError as error:  # InvalidParameterError, which names only the class of the object
        raise type(error)(f"{where}: {error}") from None


@public_module("sklearn_ser.neural_network")
class ComputeSettings(SuggestingEstimator):
    """Precision, threads and compilation of a network.

    Parameters
    ----------
    dtype : {"float32", "float64"}, default="float32"
        Precision of the network and of the representation.
    n_threads : int or None, default=1
        Number of torch threads in ``fit`` and in the predictions; one is fastest for small
        networks. The number can change weights and probabilities in their last bits, because it
        changes the order of summation. None leaves torch's own setting unchanged; results may
        then depend on the number of cores.
    mixed_precision : "auto" or bool, default="auto"
        Training in bfloat16. "auto" uses it on GPUs that support it.
    compile : bool or str, default=False
        Compilation with :func:`torch.compile`, which pays off for large networks. A string is the
        name of the backend.

    See Also
    --------
    MTLNeuralClassifier : Its parameter `compute` takes this object.

    Examples
    --------
    >>> from sklearn_ser.neural_network import ComputeSettings, MTLNeuralClassifier
    >>> MTLNeuralClassifier(compute=ComputeSettings(n_threads=4))
    MTLNeuralClassifier(compute=ComputeSettings(n_threads=4))
    >>> MTLNeuralClassifier().set_params(compute__dtype="float64").compute
    ComputeSettings(dtype='float64')
    """

    _parameter_constraints = {
        "dtype": [StrOptions({"float32", "float64"})],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "mixed_precision": [StrOptions({"auto"}), "boolean"],
        "compile": ["boolean", str],
    }

    def __init__(
        self,
        *,
        dtype: Literal["float32", "float64"] = "float32",
        n_threads: int | None = 1,
        mixed_precision: Literal["auto"] | bool = "auto",
        compile: bool | str = False,
    ):
        self.dtype = dtype
        self.n_threads = n_threads
        self.mixed_precision = mixed_precision
        self.compile = compile


@public_module("sklearn_ser.neural_network")
class InputPerturbation(SuggestingEstimator):
    """Random changes of the inputs of each batch in training.

    They are applied in this order: mixup, augmenters, noise, dropout. Predictions use the inputs
    unchanged.

    Parameters
    ----------
    noise : float, default=1.0
        Standard deviation of normal noise added to the inputs, in units of the standard deviation
        of each feature over the training samples.
    dropout : float, default=0.0
        Fraction of the input values set to zero, in [0, 1).
    mixup_alpha : float, default=0.0
        Parameter of mixup [1]_. Above 0, the samples of a batch are mixed in pairs, with a share
        drawn from Beta(alpha, alpha), and every task learns the targets of both samples by their
        shares.
    augmenters : list or None, default=None
        Augmenters of the batch, applied one after the other with new random numbers in every
        epoch: "specaugment", :class:`BatchSpecAugment`, or any object that is called with a batch
        and a :class:`torch.Generator`. A reconstruction task with ``target="clean"`` reconstructs
        the batch before them.

    See Also
    --------
    MTLNeuralClassifier : Its parameter `perturbation` takes this object.

    References
    ----------
    .. [1] Zhang, H. et al. (2018). mixup: Beyond Empirical Risk Minimization. ICLR 2018.
       https://arxiv.org/abs/1710.09412

    Examples
    --------
    >>> from sklearn_ser.neural_network import InputPerturbation, MTLNeuralClassifier
    >>> net = MTLNeuralClassifier(perturbation=InputPerturbation(noise=0.5))
    >>> net.set_params(perturbation__mixup_alpha=0.2).perturbation
    InputPerturbation(mixup_alpha=0.2, noise=0.5)
    """

    _parameter_constraints = {
        "noise": [Interval(Real, 0, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "mixup_alpha": [Interval(Real, 0, None, closed="left")],
        "augmenters": [list, tuple, None],
    }

    def __init__(
        self,
        *,
        noise: float = 1.0,
        dropout: float = 0.0,
        mixup_alpha: float = 0.0,
        augmenters: list[Any] | None = None,
    ):
        self.noise = noise
        self.dropout = dropout
        self.mixup_alpha = mixup_alpha
        self.augmenters = augmenters


@public_module("sklearn_ser.neural_network")
class OptimizationSettings(SuggestingEstimator):
    """Optimizer, learning rate schedule, regularization and weight averaging.

    Parameters
    ----------
    optimizer : {"adamw", "adam", "sgd"} or a subclass of torch.optim.Optimizer, default="adamw"
        Optimizer of the weights. A class is constructed with `lr` of the network, with
        `weight_decay` if it has such a parameter, and with `optimizer_params`.
    optimizer_params : dict or None, default=None
        Further parameters of the optimizer, such as ``{"momentum": 0.9}``.
    lr_schedule : {"constant", "linear", "cosine"}, default="constant"
        Schedule of the learning rate. "linear" and "cosine" decrease it to 0 over `max_epochs`.
    warmup : float, default=0.0
        Fraction of the training, in [0, 1), in which the learning rate first rises from 0.
    weight_decay : float, default=0.01
        Weight decay. That of AdamW is decoupled from the gradient.
    max_grad_norm : float or None, default=None
        Maximum norm of the gradient of a step; longer gradients are scaled down to it.
    weight_averaging : {"ema", "swa"} or None, default=None
        Average of the weights that is validated and retained. "ema" is an exponential moving
        average over steps, with decay 0.99. "swa" is the mean over the epochs of the second half
        of training [1]_: those after half of `max_epochs`, and in the refit on all samples those
        after half of its own epochs. Running statistics of custom encoders (batch normalization)
        are taken from the last epoch; they are not averaged.

    See Also
    --------
    MTLNeuralClassifier : Its parameter `optimization` takes this object; the learning rate itself
        is its parameter `lr`.

    References
    ----------
    .. [1] Izmailov, P. et al. (2018). Averaging Weights Leads to Wider Optima and Better
       Generalization. UAI 2018. https://arxiv.org/abs/1803.05407

    Examples
    --------
    >>> from sklearn_ser.neural_network import MTLNeuralClassifier, OptimizationSettings
    >>> net = MTLNeuralClassifier(optimization=OptimizationSettings(lr_schedule="cosine"))
    >>> net.set_params(optimization__warmup=0.1).optimization
    OptimizationSettings(lr_schedule='cosine', warmup=0.1)
    >>> OptimizationSettings(optimizer="sgd", optimizer_params={"momentum": 0.9})
    OptimizationSettings(optimizer='sgd', optimizer_params={'momentum': 0.9})
    """

    _parameter_constraints = {
        "optimizer": [StrOptions({"adamw", "adam", "sgd"}), type],
        "optimizer_params": [dict, None],
        "lr_schedule": [StrOptions({"constant", "linear", "cosine"})],
        "warmup": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "weight_averaging": [StrOptions({"ema", "swa"}), None],
    }

    def __init__(
        self,
        *,
        optimizer: Literal["adamw", "adam", "sgd"] | type = "adamw",
        optimizer_params: dict[str, Any] | None = None,
        lr_schedule: Literal["constant", "linear", "cosine"] = "constant",
        warmup: float = 0.0,
        weight_decay: float = 0.01,
        max_grad_norm: float | None = None,
        weight_averaging: Literal["ema", "swa"] | None = None,
    ):
        self.optimizer = optimizer
        self.optimizer_params = optimizer_params
        self.lr_schedule = lr_schedule
        self.warmup = warmup
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.weight_averaging = weight_averaging


@public_module("sklearn_ser.neural_network")
class ValidationSettings(SuggestingEstimator):
    """Choice of the validation samples, and their use.

    Parameters
    ----------
    by : str or None, default=None
        Groups that are held out as a whole, if they are others than the `groups` of ``fit``: the
        name of a column or index level of X, or of a column of `aux`, such as "corpus". With
        ``tasks="auto"``, a column of `aux` is a task, too.
    monitor : {"loss", "score"}, default="loss"
        Quantity that early stopping monitors: the loss of `y` on the validation samples, or their
        unweighted average recall.
    refit : bool, default=True
        Whether the network is retrained on all samples after early stopping, for the number of
        epochs that was best.

    See Also
    --------
    MTLNeuralClassifier : Its parameter `validation` takes this object.

    Examples
    --------
    >>> from sklearn_ser.neural_network import MTLNeuralClassifier, ValidationSettings
    >>> net = MTLNeuralClassifier(validation=ValidationSettings(by="corpus"))
    >>> net.set_params(validation__refit=False).validation
    ValidationSettings(by='corpus', refit=False)
    """

    _parameter_constraints = {
        "by": [str, None],
        "monitor": [StrOptions({"loss", "score"})],
        "refit": ["boolean"],
    }

    def __init__(
        self,
        *,
        by: str | None = None,
        monitor: Literal["loss", "score"] = "loss",
        refit: bool = True,
    ):
        self.by = by
        self.monitor = monitor
        self.refit = refit
