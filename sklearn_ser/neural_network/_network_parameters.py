"""The parameters of MTLNeuralClassifier: their defaults, and what each may be."""

from collections.abc import Mapping
from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, Options, StrOptions
from torch import nn

from sklearn_ser.neural_network._adversarial_training import AdversarialTraining
from sklearn_ser.neural_network._encoders import ENCODERS
from sklearn_ser.neural_network._mlp import ACTIVATIONS
from sklearn_ser.neural_network._module import DTYPES
from sklearn_ser.neural_network._nested_params import NestedParams
from sklearn_ser.neural_network._pseudo_labels import PseudoLabels
from sklearn_ser.neural_network._weighting import LOSS_WEIGHTINGS


class NetworkParameters(NestedParams):
    """Holds the parameters, which the docstring of MTLNeuralClassifier describes."""

    _parameter_constraints = {
        # An instance is refused in fit, in words that say what to give instead.
        "encoder": [StrOptions({"auto", *ENCODERS}), type, nn.Module],
        "encoder_params": [dict, None],
        "hidden_units": ["array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "tasks": [StrOptions({"auto"}), Mapping, None],
        "aux_weight": [Interval(Real, 0, None, closed="left")],
        "loss_weighting": [StrOptions(set(LOSS_WEIGHTINGS))],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "focal_gamma": [Interval(Real, 0, None, closed="left")],
        "logit_adjustment": [Interval(Real, 0, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions({"constant", "linear", "cosine"})],
        "warmup": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "weight_averaging": [StrOptions({"ema", "swa"}), None],
        "mixup_alpha": [Interval(Real, 0, None, closed="left")],
        "batch_augmenters": [list, tuple, None],
        "input_noise": [Interval(Real, 0, None, closed="left")],
        "input_dropout": [Interval(Real, 0, 1, closed="left")],
        "adversarial_training": [AdversarialTraining, None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "validation_by": [str, None],
        "monitor": [StrOptions({"loss", "score"})],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "refit": ["boolean"],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "calibrate": ["boolean"],
        "unlabeled": [Options(Integral, {-1}), StrOptions({"nan"}), None],
        "pseudo_labels": [PseudoLabels, None],
        "warm_start": ["boolean"],
        "callbacks": [list, None],
        "mixed_precision": [StrOptions({"auto"}), "boolean"],
        "compile": ["boolean", str],
        "device": [str],
        "dtype": [StrOptions(set(DTYPES))],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        encoder="auto",
        encoder_params=None,
        hidden_units=(128,),
        activation="relu",
        dropout=0.5,
        tasks="auto",
        aux_weight=0.3,
        loss_weighting="fixed",
        class_weight=None,
        label_smoothing=0.0,
        focal_gamma=0.0,
        logit_adjustment=0.0,
        max_epochs=100,
        batch_size=64,
        learning_rate=1e-3,
        lr_schedule="constant",
        warmup=0.0,
        weight_decay=1e-2,
        max_grad_norm=None,
        weight_averaging=None,
        mixup_alpha=0.0,
        batch_augmenters=None,
        input_noise=1.0,
        input_dropout=0.0,
        adversarial_training=None,
        early_stopping=True,
        validation_fraction=0.2,
        validation_by=None,
        monitor="loss",
        patience=10,
        refit=True,
        n_estimators=1,
        calibrate=False,
        unlabeled=None,
        pseudo_labels=None,
        warm_start=False,
        callbacks=None,
        mixed_precision="auto",
        compile=False,
        device="auto",
        dtype="float32",
        n_threads=1,
        random_state=None,
        verbose=0,
    ):
        self.encoder = encoder
        self.encoder_params = encoder_params
        self.hidden_units = hidden_units
        self.activation = activation
        self.dropout = dropout
        self.tasks = tasks
        self.aux_weight = aux_weight
        self.loss_weighting = loss_weighting
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.focal_gamma = focal_gamma
        self.logit_adjustment = logit_adjustment
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.warmup = warmup
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.weight_averaging = weight_averaging
        self.mixup_alpha = mixup_alpha
        self.batch_augmenters = batch_augmenters
        self.input_noise = input_noise
        self.input_dropout = input_dropout
        self.adversarial_training = adversarial_training
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation_by = validation_by
        self.monitor = monitor
        self.patience = patience
        self.refit = refit
        self.n_estimators = n_estimators
        self.calibrate = calibrate
        self.unlabeled = unlabeled
        self.pseudo_labels = pseudo_labels
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.mixed_precision = mixed_precision
        self.compile = compile
        self.device = device
        self.dtype = dtype
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose
