"""MTLNeuralClassifier: a multi-task network with scikit-learn's interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import torch
from scipy.special import log_softmax, softmax
from sklearn.base import (
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.neural_network._module import (
    NetCache,
    module_from_bytes,
    module_of_shapes,
    resolve_device,
)
from sklearn_ser.neural_network._nested_params import (
    get_nested_params,
    parameter_object,
    set_nested_params,
)
from sklearn_ser.neural_network._parameter_names import SuggestingEstimator
from sklearn_ser.neural_network._settings import (
    ComputeSettings,
    InputPerturbation,
    OptimizationSettings,
    ValidationSettings,
)
from sklearn_ser.neural_network._state import check_state
from sklearn_ser.neural_network.encoders._base import ACTIVATIONS
from sklearn_ser.neural_network.encoders._registry import (
    ENCODERS,
    check_predicts_frames,
    takes_frames,
)
from sklearn_ser.neural_network.tasks._base import average_outputs, utterance_outputs
from sklearn_ser.neural_network.tasks._classification import (
    ClassificationTask,
    FittedClassification,
)
from sklearn_ser.neural_network.tasks._losses import LOSS_WEIGHTINGS
from sklearn_ser.neural_network.tasks._make_tasks import task_from_state
from sklearn_ser.neural_network.training._adversarial_training import AdversarialTraining
from sklearn_ser.neural_network.training._batches import evaluation_batches
from sklearn_ser.neural_network.training._fit_ensemble import FitMode, fit_network
from sklearn_ser.neural_network.training._inputs import FitArguments, check_inputs
from sklearn_ser.neural_network.training._pseudo_labels import PseudoLabels
from sklearn_ser.neural_network.training._train_network import make_net
from sklearn_ser.utils._alignment import check_aux, check_row_order
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._failed_rows import accuracy_with_missing, insert_missing_rows
from sklearn_ser.utils._frames import FRAMES
from sklearn_ser.utils._ids import id_columns
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._threads import torch_threads
from sklearn_ser.utils._torch_state import default_torch_state
from sklearn_ser.utils._unlabeled import SENTINEL_CONSTRAINTS, labeled_rows

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike
    from skorch import NeuralNet
    from skorch.callbacks import Callback

    from sklearn_ser.neural_network._module import MultiTaskModule
    from sklearn_ser.neural_network.tasks._base import Task


@public_module("sklearn_ser.neural_network")
@substitute_docstring(
    X="X : array-like of shape (n_samples, n_features), or frame sequences\n    As in :meth:`fit`."
)
class MTLNeuralClassifier(
    ClassNamePrefixFeaturesOutMixin, ClassifierMixin, TransformerMixin, SuggestingEstimator
):
    """A neural network that learns emotion together with auxiliary targets.

    An encoder, shared by all tasks, maps each utterance (a row of features, or a sequence of
    frames) to a representation. On top of it are a linear head for `y` and one for each auxiliary
    target (gender, naturalness, arousal, ...). Training minimizes the weighted sum of the losses of
    all tasks, so that the representation that predicts gender can help to predict emotion [1]_.
    Auxiliary targets are used in training only, and may be missing for any sample; predictions
    need X alone. Without auxiliary targets, this is a single-task network with speaker-disjoint
    early stopping.

    Standardize the features before the network: rows of features with
    :class:`~sklearn_ser.preprocessing.GroupScaler` or ``StandardScaler``, frames with
    ``FrameScaler``.

    Parameters
    ----------
    encoder : {"auto", "mlp", "attention", "layers", "frame_dnn", "lstm", "cnn_blstm", \
            "conformer"} or a subclass of torch.nn.Module, default="auto"
        Network that computes the shared representation.

        - "mlp": fully connected layers over one row of features.
        - "attention": fully connected layers over each frame of a sequence, then attentive
          statistics pooling over time [2]_.
        - "layers": a learned weighted sum of the layers of a pretrained model [3]_, then the
          layers of "mlp". Its sequences are the layers, all of one length.
        - "frame_dnn": fully connected layers over each frame; each frame learns the targets of its
          utterance, and the posteriors of the frames are averaged [1]_.
        - "lstm": LSTM layers over the frames [1]_.
        - "cnn_blstm": convolutions over time and frequency, bidirectional LSTM layers, attentive
          pooling [6]_.
        - "conformer": self-attention and convolution over time [7]_.
        - "auto": "mlp" for rows of features; "layers" for tables of layers
          (``attrs["frame_axis"]``, set by ``PretrainedEmbedding(layer="all")`` and retained by
          ``FrameScaler``); "attention" for all other sequences. Lists and arrays carry no such
          mark: name "layers" for them.

        A custom class is constructed as ``encoder(n_features, **encoder_params)``. Its
        ``forward`` receives rows of shape (n, n_features) or, with the class attribute
        ``on_frames = True``, padded sequences of shape (n, longest, n_features) and their lengths
        of shape (n,), and returns an array of shape (n, width). `hidden_units`, `activation` and
        `dropout` have no effect on it. From a model file it is loaded by
        ``load_model(path, trusted=["my_package.MyEncoder"])``.
    encoder_params : dict or None, default=None
        Further parameters of the encoder by name, also accessible as
        ``encoder_params__pooling``. Those that are not given have the defaults in parentheses.

        - "mlp": ``residual`` (False), residual connections around each layer, from the second on,
          that is as wide as the one before it.
        - "attention": ``pooling`` ("attention"), "attention" or "mean".
        - "layers": none.
        - "frame_dnn": ``pooling`` ("frames"), "frames" (the heads predict each frame), "mean" or
          "attention".
        - "lstm": ``bidirectional`` (False); ``pooling`` ("last"), "last", "frames", "mean" or
          "attention".
        - "cnn_blstm": ``channels`` ((16, 32, 64)), the channels of each block, which halves the
          frequencies; ``time_halvings`` (2), the number of blocks that also halve the time.
        - "conformer": ``n_heads`` (4); ``kernel_size`` (15) of the convolution, odd;
          ``subsampling`` (4), the number of frames averaged to one first; ``pooling``
          ("attention"), "attention" or "mean".
    hidden_units : sequence of int, default=(128,)
        Width of each hidden layer: for "lstm" and "cnn_blstm" the units of each LSTM layer and
        direction, for "conformer" the width of each block, all equal. The last one is the width of
        the shared representation; bidirectional LSTM layers double it, and so does attentive
        pooling, which computes means and standard deviations.
    activation : {"relu", "gelu", "tanh"}, default="relu"
        Activation function of the hidden layers.
    dropout : float, default=0.5
        Fraction of the outputs of each hidden layer set to zero in training, in [0, 1).
    y_task : ClassificationTask or None, default=None
        Loss of the main task: class weights, label smoothing, focal loss and logit adjustment; its
        `column` and `weight` must be None. None means ``ClassificationTask()``. Parameters are
        accessible as ``y_task__class_weight``.
    tasks : "auto", "aux", None or mapping, default="auto"
        Auxiliary tasks.

        - "auto": one task for each column of `aux`. Strings, categories and booleans become
          classification, floats regression, and integers classification if there are at most 20
          distinct values, else regression (pandas stores class codes with missing values as floats
          unless their dtype is "Int64").
        - "aux": as "auto", with a TrainingWarning if no `aux` is passed.
        - None: the single-task network, whatever `aux` is passed.
        - A mapping of names to task objects (:class:`ClassificationTask`,
          :class:`RegressionTask`, :class:`DomainAdversarialTask`, :class:`ReconstructionTask`,
          :class:`ContrastiveTask`, :class:`ConsistencyTask`) or to the short names "auto",
          "classification", "regression" (or "mse"), "ccc", "adversarial", "reconstruction",
          "contrastive" and "consistency": exactly these tasks. Each uses the column of `aux` that
          has its name, unless its parameter `column` names another. Parameters are accessible as
          ``tasks__gender__weight``.
    aux_weight : float, default=0.3
        Weight of the loss of each auxiliary task whose own `weight` is None. The loss of `y` has
        weight 1.
    loss_weighting : {"fixed", "uncertainty", "pcgrad"}, default="fixed"
        Combination of the losses. "fixed": the weighted sum. "uncertainty": the sum of losses each
        divided by a learned variance [4]_. "pcgrad": the weighted sum, without the conflicting
        parts of the gradients of the tasks [5]_.
    max_epochs : int, default=100
        Maximum number of passes over the training samples.
    batch_size : int or None, default=64
        Maximum number of samples per step. Sequences are batched with others of similar length,
        and a step has at most 65,536 frames, including padding and samples of weight 0, so that
        batches of long sequences are smaller. None uses all samples in one step, whatever their
        number of frames. With a custom encoder, which may contain batch normalization, a single
        remaining sample joins another batch.
    lr : float, default=0.001
        Learning rate of the optimizer.
    optimization : OptimizationSettings or None, default=None
        Optimizer (AdamW), learning rate schedule, weight decay, gradient clipping and weight
        averaging. None means ``OptimizationSettings()``. Parameters are accessible as
        ``optimization__weight_decay``.
    perturbation : InputPerturbation or None, default=None
        Noise, dropout, mixup and augmentation of the inputs in training. None means
        ``InputPerturbation()``, noise of one standard deviation. Parameters are accessible as
        ``perturbation__noise``.
    adversarial_training : AdversarialTraining or None, default=None
        Additional training on adversarially perturbed inputs. Parameters are accessible as
        ``adversarial_training__epsilon``.
    early_stopping : bool, default=True
        Whether to hold out validation samples, to stop when the monitored quantity has not
        improved on them for `patience` epochs, and to retain the weights of the best epoch. Whole
        groups are held out (see `groups` in :meth:`fit`); if that is impossible,
        `validation_split_` describes the fallback.
    validation_fraction : float, default=0.2
        Approximate fraction of the labeled samples held out. It is larger with fewer than five
        groups, because whole groups are held out.
    validation : ValidationSettings or None, default=None
        Groups to hold out, quantity to monitor, and whether to refit on all samples. None means
        ``ValidationSettings()``. Parameters are accessible as ``validation__refit``.
    patience : int, default=10
        Number of epochs without improvement after which training stops.
    n_estimators : int, default=1
        Number of networks. Each has its own initial weights, sample order and validation groups;
        predictions average their probabilities.
    calibrate : bool, default=False
        Whether the outputs for `y` are divided by a temperature that is fitted on the validation
        samples [8]_. This calibrates the probabilities. With a single network it changes no
        predicted label; with several, each has its own temperature. Probabilities of single frames
        (:meth:`predict_frame_proba`) are not calibrated. The temperature is 1, with a warning,
        where nothing can be held out. Without early stopping, samples are held out for calibration
        alone.
    unlabeled : -1, "nan" or None, default=None
        Sentinel value of unlabeled samples in `y`, which train the auxiliary tasks only. With
        None, every sample is labeled.
    pseudo_labels : PseudoLabels or None, default=None
        Self-training: unlabeled samples are learned with labels predicted by the network, in
        several rounds. Each network of an ensemble labels them independently. Only samples passed
        to :meth:`fit` are labeled; :meth:`partial_fit` labels none. Without early stopping,
        samples are held out to validate the rounds. Parameters are accessible as
        ``pseudo_labels__share``.
    warm_start : bool, default=False
        Whether :meth:`fit` continues from the networks of the previous fit, for example to
        fine-tune them on a target corpus. Classes and tasks are those of the first fit, and
        `history_` continues with the epochs of further fits, as with :meth:`partial_fit`. Further
        fits use the seed of the first one, so that the same samples are held out if they are given
        again: all others have been trained on.
    callbacks : list or None, default=None
        skorch callbacks.

        The history of the net passed to them contains ``train_loss``, ``valid_loss`` and the
        other columns of `history_`. Callbacks are not copied: every network calls them in turn,
        and so does the refit on all samples. Callbacks that monitor validation samples (by default
        skorch's EarlyStopping and Checkpoint) are skipped in the refit and in :meth:`partial_fit`,
        and raise an error with ``early_stopping=False``. In ``on_batch_end``, ``loss`` has the loss
        of each task and ``y_pred`` the outputs for `y`. EarlyStopping, or a subclass, ends a
        training; KeyboardInterrupt raised by any other callback is a user interrupt. In
        ``on_train_end`` the net has the retained weights. ``clone``, and so a search, copies a
        callback by its parameters; its other attributes must have names that end in an underscore.
        Model files (:func:`~sklearn_ser.save_model`) do not contain callbacks.
    device : str, default="auto"
        "cpu", "cuda", "cuda:1", "mps", or "auto" for the best one available. Results are
        reproducible bit for bit on the CPU, and on a GPU as far as the kernels of its libraries
        are deterministic; they differ slightly between kinds of devices. A fitted network runs on
        any device: ``set_params(device=...)``.
    compute : ComputeSettings or None, default=None
        Precision, number of threads and compilation. None means ``ComputeSettings()``. Parameters
        are accessible as ``compute__dtype``.
    random_state : int, RandomState instance or None, default=None
        Source of the single seed drawn for each fit. The global generators of torch are not used,
        and that of numpy only with None. Initial weights, dropout and sample order have separate
        random streams: an additional task does not change them.
    verbose : int, default=0
        Verbosity. 1 shows a progress bar over the epochs; 2 prints a row for each epoch, with its
        losses, scores and seconds, as skorch does.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of `y`.
    aux_classes_ : dict of str to ndarray
        Labels of each auxiliary classification task, including domain-adversarial ones.
    dropped_tasks_ : dict of str to str
        Auxiliary tasks left out because their target is constant in the training samples, and the
        constant value.
    validation_split_ : dict
        Record of the validation split: ``kind`` ("groups"; "stratified" for a random split within
        each class; "none" if nothing was held out), ``n_train`` and ``n_valid`` (labeled samples),
        ``groups`` (those held out), ``reason`` (why the split is not by groups, or absent). With
        several networks, that of the first.
    n_iter_ : int
        Number of epochs run, by all fits that continue training; with several networks, the
        largest.
    best_epoch_ : int
        Epoch whose weights were retained, counted from 1; with several networks, of the first.
    members_ : DataFrame
        One row per network: ``n_iter``, ``best_epoch``, ``temperature``, ``n_valid``, ``held_out``.
    history_ : DataFrame
        One row per epoch: ``train_loss`` and ``valid_loss`` (weighted sums) and, for each task,
        ``train_loss_<task>``, ``valid_loss_<task>``, ``valid_score_<task>`` (unweighted average
        recall, or concordance correlation coefficient) and ``weight_<task>``; the main task is
        called ``y``. NaN where no sample has the target of the task. With `adversarial_training`
        also ``adversarial_loss``, which is unweighted and part of no sum. With several networks,
        the index has the levels ``member`` and ``epoch``.
    pseudo_labels_ : DataFrame
        Only with `pseudo_labels`. One row per round; round 0 is the training before any
        pseudo-labels. ``selected`` (number of pseudo-labeled samples), ``n_<class>`` (the same for
        each class), ``agreement`` (fraction of the unlabeled samples with the same label as in the
        previous round; NaN at first), ``valid_loss`` (cross-entropy) and ``valid_score``
        (unweighted average recall) of `y` on the validation samples, ``retained`` (whether the
        network is that of this round), ``stopped`` (in the last round, why it was the last: the
        parameter of :class:`PseudoLabels` that ended the rounds, "settled" if the pseudo-labels
        hardly changed, "nothing unlabeled", or "interrupted"). With several networks, the index
        has the levels ``member`` and ``round``.
    layer_weights_ : ndarray of shape (n_layers,)
        Only with ``encoder="layers"``. Weight of each layer; they sum to 1.
    net_ : skorch.NeuralNet
        Trained net of the first network, for inspection; its ``module_`` has ``encoder`` and
        ``heads``, and its ``history`` the columns of `history_`.
    n_features_in_ : int
        Number of features of a row or a frame.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the features of a row or a frame; only if X has them.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : Single-task network; its early stopping splits at random.

    Notes
    -----
    **Failed audio.** Rows of X that are entirely NaN, and sequences that are None or NaN, are left
    out of training with a TrainingWarning; their predictions are missing (NaN, or None for labels
    that are not numbers). Any other NaN raises an error.

    **Sequences.** The result for a sequence does not depend on padding, nor on the other sequences
    of its batch. Batches of similar length are formed in each epoch from randomly drawn samples.

    **Losses.** The loss of a task is the mean over those samples of a batch that have its target,
    weighted by `sample_weight` and class weights. A task of weight 0 changes nothing: the other
    tasks learn bit for bit what they would learn without it. Early stopping considers `y` alone.

    **Interrupts.** A user interrupt (Ctrl-C) in :meth:`fit` raises KeyboardInterrupt. If at least
    one epoch is complete, the estimator is fitted with the best weights so far (with several
    networks, with those that have weights), and a TrainingWarning says how far training got.
    Before that, and after any error, the estimator is unchanged.

    **Metadata routing.** With routing enabled, ``fit`` requests ``aux``, ``sample_weight``,
    ``sources`` and ``speaker`` (its `groups`). A ``StandardScaler`` before it must then be
    configured to use the weights or not:
    ``StandardScaler().set_fit_request(sample_weight=False)``.

    ``StackingClassifier`` passes its metadata to the final estimator, too. Let X carry the speakers
    as an index level, which splitters and early stopping use, pass only `aux`, and choose a final
    estimator that accepts it: ``StackingClassifier([("net", MTLNeuralClassifier()), ("svm",
    LinearSVC())], final_estimator=MTLNeuralClassifier(tasks=None), cv=SpeakerKFold()).fit(X, y,
    aux=aux)``.

    **Unlabeled samples.** With `unlabeled` set, Pipeline, searches with a splitter object and
    ``cross_validate`` work as usual. Meta-estimators that encode labels (voting, bagging, stacking,
    calibration, one-vs-rest), and ``cross_val_predict`` with ``method="predict_proba"``, turn the
    sentinel value into a class of its own. Fit the network on labeled samples there, or make it
    the outermost estimator; a network that is already fitted can be calibrated
    (``FrozenEstimator``).

    References
    ----------
    .. [1] Kim, J., Englebienne, G., Truong, K. P., Evers, V. (2017). Towards Speech Emotion
       Recognition "in the wild" using Aggregated Corpora and Deep Multi-Task Learning.
       Interspeech 2017. https://arxiv.org/abs/1708.03920
    .. [2] Okabe, K., Koshinaka, T., Shinoda, K. (2018). Attentive Statistics Pooling for Deep
       Speaker Embedding. Interspeech 2018. https://arxiv.org/abs/1803.10963
    .. [3] Yang, S. et al. (2021). SUPERB: Speech processing Universal PERformance Benchmark.
       Interspeech 2021. https://arxiv.org/abs/2105.01051
    .. [4] Kendall, A., Gal, Y., Cipolla, R. (2018). Multi-Task Learning Using Uncertainty to Weigh
       Losses for Scene Geometry and Semantics. CVPR 2018. https://arxiv.org/abs/1705.07115
    .. [5] Yu, T. et al. (2020). Gradient Surgery for Multi-Task Learning. NeurIPS 2020.
       https://arxiv.org/abs/2001.06782
    .. [6] Latif, S. et al. (2022). Multitask Learning from Augmented Auxiliary Data for Improving
       Speech Emotion Recognition. IEEE Transactions on Affective Computing.
       https://arxiv.org/abs/2207.05298
    .. [7] Gulati, A. et al. (2020). Conformer: Convolution-augmented Transformer for Speech
       Recognition. Interspeech 2020. https://arxiv.org/abs/2005.08100
    .. [8] Guo, C. et al. (2017). On Calibration of Modern Neural Networks. ICML 2017.
       https://arxiv.org/abs/1706.04599

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_ser.neural_network import MTLNeuralClassifier
    >>> rng = np.random.default_rng(0)
    >>> emotion = np.tile(["anger", "neutral", "sadness"], 40)
    >>> gender = np.repeat(["female", "male"], 60)
    >>> speaker = np.repeat(["f1", "f2", "f3", "m1", "m2", "m3"], 20)
    >>> X = rng.normal(size=(120, 6))
    >>> X[:, 0] += 3 * (emotion == "anger") - 3 * (emotion == "sadness")
    >>> X[:, 1] += 3 * (gender == "male")
    >>> aux = pd.DataFrame({"gender": gender})
    >>> aux.loc[:9, "gender"] = None  # unknown: these samples train emotion only
    >>> net = MTLNeuralClassifier(max_epochs=20, random_state=0)
    >>> net = net.fit(X, emotion, aux=aux, groups=speaker)
    >>> net.validation_split_["kind"], net.validation_split_["n_valid"]
    ('groups', 20)
    >>> bool(net.score(X, emotion) > 0.8)
    True
    >>> net.predict_aux(X[:1]).columns.to_list(), net.transform(X).shape
    (['gender'], (120, 128))

    Nested parameters are set and searched by name:

    >>> net.set_params(y_task__class_weight="balanced", perturbation__noise=0.5)
    MTLNeuralClassifier(max_epochs=20, perturbation=InputPerturbation(noise=0.5),
                        random_state=0,
                        y_task=ClassificationTask(class_weight='balanced'))

    Frame sequences of any length:

    >>> frames = [rng.normal(size=(5 + row % 7, 6)) + X[row] for row in range(120)]
    >>> net = MTLNeuralClassifier(max_epochs=5, random_state=0).fit(frames, emotion)
    >>> net.transform(frames).shape
    (120, 256)
    >>> net.predict(X)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: encoder="attention" takes frame sequences ...
    """

    # `speaker` is a parameter of its own: meta-estimators that call cross_val_predict route twice,
    # and the second time an alias (groups="speaker") is no longer known.
    __metadata_request__fit = {
        "aux": True,
        "groups": False,
        "sample_weight": True,
        "sources": True,
        "speaker": True,
    }
    __metadata_request__partial_fit = {
        "aux": True,
        "classes": True,
        "groups": False,
        "sample_weight": True,
        "speaker": True,
    }

    #: Parameters that hold an object with nested parameters, and the class of the object that None
    #: stands for.
    _default_objects = {
        "y_task": ClassificationTask,
        "optimization": OptimizationSettings,
        "perturbation": InputPerturbation,
        "validation": ValidationSettings,
        "compute": ComputeSettings,
    }
    #: Parameters for which None means that there is no such object.
    _optional_objects = {"adversarial_training": AdversarialTraining, "pseudo_labels": PseudoLabels}

    _parameter_constraints = {
        # Instances of modules are rejected in fit, with a message that says what to pass instead.
        "encoder": [StrOptions({"auto", *ENCODERS}), type, nn.Module],
        "encoder_params": [dict, None],
        "hidden_units": ["array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "tasks": [StrOptions({"auto", "aux"}), Mapping, None],
        "aux_weight": [Interval(Real, 0, None, closed="left")],
        "loss_weighting": [StrOptions(set(LOSS_WEIGHTINGS))],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "lr": [Interval(Real, 0, None, closed="neither")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "calibrate": ["boolean"],
        "unlabeled": [*SENTINEL_CONSTRAINTS, None],
        "warm_start": ["boolean"],
        "callbacks": [list, None],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        **{name: [kind, None] for name, kind in {**_default_objects, **_optional_objects}.items()},
    }

    def __init__(
        self,
        *,
        encoder: str | type[nn.Module] = "auto",
        encoder_params: dict[str, Any] | None = None,
        hidden_units: Sequence[int] = (128,),
        activation: Literal["relu", "gelu", "tanh"] = "relu",
        dropout: float = 0.5,
        y_task: ClassificationTask | None = None,
        tasks: Mapping[str, Task | str] | Literal["auto", "aux"] | None = "auto",
        aux_weight: float = 0.3,
        loss_weighting: Literal["fixed", "uncertainty", "pcgrad"] = "fixed",
        max_epochs: int = 100,
        batch_size: int | None = 64,
        lr: float = 1e-3,
        optimization: OptimizationSettings | None = None,
        perturbation: InputPerturbation | None = None,
        adversarial_training: AdversarialTraining | None = None,
        early_stopping: bool = True,
        validation_fraction: float = 0.2,
        validation: ValidationSettings | None = None,
        patience: int = 10,
        n_estimators: int = 1,
        calibrate: bool = False,
        unlabeled: Literal[-1, "nan"] | None = None,
        pseudo_labels: PseudoLabels | None = None,
        warm_start: bool = False,
        callbacks: list[Callback | tuple[str, Callback]] | None = None,
        device: str = "auto",
        compute: ComputeSettings | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
    ):
        self.encoder = encoder
        self.encoder_params = encoder_params
        self.hidden_units = hidden_units
        self.activation = activation
        self.dropout = dropout
        self.y_task = y_task
        self.tasks = tasks
        self.aux_weight = aux_weight
        self.loss_weighting = loss_weighting
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.lr = lr
        self.optimization = optimization
        self.perturbation = perturbation
        self.adversarial_training = adversarial_training
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation = validation
        self.patience = patience
        self.n_estimators = n_estimators
        self.calibrate = calibrate
        self.unlabeled = unlabeled
        self.pseudo_labels = pseudo_labels
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.device = device
        self.compute = compute
        self.random_state = random_state
        self.verbose = verbose

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Get the parameters of this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include nested parameters: ``tasks__<task>`` and
            ``tasks__<task>__<parameter>``, ``encoder_params__<parameter>``, and those of parameter
            objects, such as ``perturbation__noise``, also where the object is None and stands for
            the default one.

        Returns
        -------
        dict
            Parameters by name.
        """
        return get_nested_params(self) if deep else super().get_params(deep=False)

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this estimator, including nested ones.

        Parameters
        ----------
        **params
            ``tasks__<task>`` replaces a task, ``tasks__<task>__<parameter>`` one of its
            parameters; a short name in `tasks` becomes the task object that it stands for.
            ``perturbation__noise`` changes one parameter of a parameter object, which is created
            if it is None.

        Returns
        -------
        self : object
            The estimator itself.

        Raises
        ------
        ValueError
            If there is no such parameter or task.
        """
        set_nested_params(self, params)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        aux: pd.DataFrame | pd.Series | ArrayLike | None = None,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        sources: ArrayLike | None = None,
        speaker: ArrayLike | None = None,
    ) -> Self:
        """Fit the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences
            Standardized features; id columns of a table (speaker, corpus, ...) are none. Frame
            sequences are arrays of shape (n_frames, n_features), one for each sample: in the column
            ``frames`` of a table, as frame-level audio steps return it, in a list, a Series or an
            object array, or all in one array of shape (n_samples, n_frames, n_features).
        y : array-like of shape (n_samples,)
            Labels.
        aux : DataFrame of shape (n_samples, n_aux), Series or array-like, default=None
            Auxiliary targets in the order of X; None, NaN or NA where one is unknown. Columns of
            an array are named aux0, aux1, and so on.
        groups : array-like of shape (n_samples,), default=None
            Speaker of each sample; early stopping holds out whole speakers. If None, a column or
            index level ``speaker`` of X is used if there is one, else samples are held out at
            random, with a warning. Samples without a group form one group.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights in the losses of all tasks.
        sources : array-like of int of shape (n_samples,) or (n_samples, k), default=None
            Original samples that augmented copies and mixtures were made from, by number; an
            original has its own number. No validation sample shares a source with a training
            sample. Passed by :class:`~sklearn_ser.augmentation.AugmentingClassifier`.
        speaker : array-like of shape (n_samples,), default=None
            Another name of `groups`, under which metadata routing passes them.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        MetadataError
            If `aux`, `tasks` or `groups` do not match each other or X.
        ValueError
            If X or y is invalid, does not match `encoder`, or has fewer than two classes.
        SerError
            If the device is not available, or training diverges.
        KeyboardInterrupt
            If the user interrupts the fit; see the notes of the class.

        Warns
        -----
        TrainingWarning
            If failed audio or constant auxiliary targets are left out, if groups could not be held
            out as a whole or there are none, if no sample is unlabeled although `unlabeled` is set,
            or if there is no `aux` with ``tasks="aux"``.
        """
        if groups is not None and speaker is not None:
            raise MetadataError(
                "groups and speaker were both passed, and are two names of the same metadata. Pass "
                "one of them."
            )
        groups = speaker if groups is None else groups
        arguments = FitArguments(X, y, aux, groups, sample_weight, sources)
        fit_network(self, arguments, FitMode(self.warm_start and hasattr(self, "_weights")))
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(
        self,
        X: ArrayLike,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        aux: pd.DataFrame | pd.Series | ArrayLike | None = None,
        groups: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        speaker: ArrayLike | None = None,
    ) -> Self:
        """Train for one epoch on all samples, continuing from the current state.

        The first call, before any fit, creates the network: its tasks, classes and scales are
        those of the samples of this call. After :meth:`fit`, it fine-tunes the fitted network.

        The state of the optimizer is retained from call to call, also through pickle; it is reset
        after a fit, and if `loss_weighting` or the tasks of the sum change. Since the number of
        calls is unknown, the learning rate is constant, weights are not averaged, and the strength
        of domain-adversarial tasks grows over `max_epochs` calls. A temperature fitted by
        :meth:`fit` is retained. A call that is interrupted, or that raises an error, changes
        nothing.

        Parameters
        ----------
        %(X)s
        y : array-like of shape (n_samples,)
            Labels. Classes may be absent; with `unlabeled` set, all samples of a later call may be
            unlabeled.
        classes : array-like of shape (n_classes,), default=None
            All labels of all calls. Required in the first call.
        aux : DataFrame of shape (n_samples, n_aux), Series or array-like, default=None
            As in :meth:`fit`. Tasks whose column is absent are not trained in this call.
        groups, speaker : array-like of shape (n_samples,), default=None
            Ignored, since nothing is held out.
        sample_weight : array-like of shape (n_samples,), default=None
            As in :meth:`fit`.

        Returns
        -------
        self : object
            The estimator itself.

        Raises
        ------
        ValueError
            If there are unknown labels, `classes` is missing in the first call, or parameters that
            define the network were changed.
        """
        known = None if classes is None else np.unique(np.asarray(classes))
        resume = hasattr(self, "_weights")
        if not resume:
            if known is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            _check_classes(known, self.unlabeled)
        elif known is not None and not np.array_equal(known, self.classes_):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{self.classes_!r}"
            )
        arguments = FitArguments(X, y, aux, groups, sample_weight)
        fit_network(self, arguments, FitMode(resume, one_epoch=True, classes=known))
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Predict the most probable label of each sample.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        ndarray of shape (n_samples,)
            Missing for failed audio: None, or NaN for numeric labels.
        """
        outputs, failed = self._outputs(X)
        return insert_missing_rows(self._fitted_tasks()[0].decode(outputs[0]), failed)

    def predict_proba(self, X: ArrayLike) -> np.ndarray:
        """Predict the probability of each class of `classes_`.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            NaN for failed audio.
        """
        outputs, failed = self._outputs(X)
        return insert_missing_rows(self._fitted_tasks()[0].probabilities(outputs[0]), failed)

    def predict_log_proba(self, X: ArrayLike) -> np.ndarray:
        """Predict the logarithm of the probability of each class of `classes_`.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            NaN for failed audio. Finite also where the probability is too small for a float.
        """
        outputs, failed = self._outputs(X)
        return insert_missing_rows(log_softmax(outputs[0].astype(float), axis=1), failed)

    def score(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Compute the accuracy; failed audio counts as misclassified.

        Parameters
        ----------
        %(X)s
        y : array-like of shape (n_samples,)
            True labels. Unlabeled samples, by the sentinel value `unlabeled`, are ignored.
        sample_weight : array-like of shape (n_samples,), default=None
            Sample weights.

        Returns
        -------
        float
            NaN if no sample is labeled.
        """
        check_row_order(y, X, "y", "X")
        return accuracy_with_missing(y, self.predict(X), sample_weight, self.unlabeled)

    def predict_aux(self, X: ArrayLike) -> pd.DataFrame:
        """Predict the targets of the auxiliary tasks.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        DataFrame of shape (n_samples, n_tasks)
            One column per task with labels or values, including domain-adversarial ones, with the
            index of X if it has one. Missing for failed audio.
        """
        outputs, failed = self._outputs(X)
        columns = {
            task.name: insert_missing_rows(task.decode(output), failed)
            for task, output in self._aux_outputs(outputs)
        }
        return pd.DataFrame(columns, index=_index_like(X, len(failed)))

    def predict_aux_proba(self, X: ArrayLike) -> dict[str, pd.DataFrame]:
        """Predict class probabilities of the auxiliary classification tasks.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        dict of str to DataFrame of shape (n_samples, n_classes)
            For each task, one column per class, with the index of X if it has one; NaN for failed
            audio.
        """
        outputs, failed = self._outputs(X)
        return {
            task.name: pd.DataFrame(
                insert_missing_rows(task.probabilities(output), failed),
                columns=task.classes,
                index=_index_like(X, len(failed)),
            )
            for task, output in self._aux_outputs(outputs)
            if isinstance(task, FittedClassification)
        }

    def score_aux(self, X: ArrayLike, aux: pd.DataFrame | pd.Series | ArrayLike) -> pd.Series:
        """Score the predictions of the auxiliary tasks.

        Parameters
        ----------
        %(X)s
        aux : DataFrame of shape (n_samples, n_aux), Series or array-like
            True targets, in columns named as in `fit`; tasks without a column are left out.
            Samples with a missing target, and failed audio, are ignored. Unknown labels count as
            misclassified, as additional classes.

        Returns
        -------
        Series of float
            By task: the unweighted average recall for labels (lower is better for a
            domain-adversarial task), the concordance correlation coefficient for values. NaN if no
            sample counts.
        """
        check_row_order(aux, X, "aux", "X")
        outputs, failed = self._outputs(X)
        table = check_aux(aux, len(failed))
        if table is None:
            raise MetadataError("score_aux needs aux, the true targets of the auxiliary tasks.")
        table = table[~failed].reset_index(drop=True)
        scores = {}
        for task, output in self._aux_outputs(outputs):
            column = task.column
            if column in table.columns:
                targets, known = task.encode(table[column])
                if isinstance(task, FittedClassification):
                    targets, known = _with_new_classes(task, table[column], targets, known)
                scores[task.name] = task.score(output, targets, known)
        return pd.Series(scores, dtype=float)

    def predict_frame_proba(self, X: ArrayLike) -> dict[str, list[np.ndarray | None]]:
        """Predict class probabilities of every frame, with an encoder that works frame by frame.

        Parameters
        ----------
        X : frame sequences
            One array of shape (n_frames, n_features) per sample.

        Returns
        -------
        dict of str to list of ndarray of shape (n_frames, n_classes)
            For each classification task one array per sample, None for failed audio. The first
            task is the main one, ``y``, with the classes of `classes_`; the others have those of
            `aux_classes_`. With several networks, the mean of their probabilities.

        Raises
        ------
        ValueError
            If the encoder computes one representation for a whole sequence.

        Notes
        -----
        Probabilities of frames are not calibrated, because the temperature of `calibrate` is
        fitted on utterances. With one network, ``predict_proba`` returns the mean of these
        probabilities over the frames, raised to the power 1 / temperature and normalized to sum
        to 1, which changes no label.
        """
        check_is_fitted(self)
        tasks = self._fitted_tasks()
        positions = [
            number for number, task in enumerate(tasks) if isinstance(task, FittedClassification)
        ]
        architecture = self._architecture
        check_predicts_frames(architecture["encoder"], architecture["encoder_params"])

        def outputs_by_sample(module, batch):
            outputs = module(batch)
            sizes = batch.lengths.tolist()
            return [_object_array(outputs[position].split(sizes)) for position in positions]

        members, failed = self._run(X, outputs_by_sample)
        result = {}
        for number, position in enumerate(positions):
            means = (
                np.mean([softmax(part.astype(float), axis=1) for part in parts], axis=0)
                for parts in zip(*(member[number] for member in members), strict=True)
            )
            result[tasks[position].name] = [None if lost else next(means) for lost in failed]
        return result

    def _check_predicts_frames(self):
        """Raise a ValueError if :meth:`predict_frame_proba` will not be possible after a fit."""
        check_predicts_frames(self.encoder, self.encoder_params)

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Compute the shared representation, the output of the encoder.

        Parameters
        ----------
        %(X)s

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            Representations in the dtype of the network (``compute__dtype``), NaN for failed audio.
            With an encoder that works frame by frame, the mean over the frames. With several
            networks, their representations side by side.
        """
        shared, failed = self._run(X, lambda module, x: [module.represent(x).cpu().numpy()])
        return insert_missing_rows(np.hstack([parts[0] for parts in shared]), failed)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Get the names of the columns of `transform`: ``mtlneuralclassifier0``, ...

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the features of `fit`, which are compared if given. For frame sequences also
            ``["frames"]``, the column that holds them.

        Returns
        -------
        ndarray of str of shape (n_outputs,)
            Names of the output columns.
        """
        check_is_fitted(self)
        if input_features is not None:
            given = np.asarray(input_features, dtype=object).tolist()
            ids = id_columns(given)
            input_features = [name for name in given if name not in ids]
            if takes_frames(self._architecture["encoder"]) and input_features == [FRAMES]:
                input_features = None  # feature_names_in_ are those of a frame
        return super().get_feature_names_out(input_features)

    @property
    def aux_classes_(self) -> dict[str, np.ndarray]:
        """Labels of each auxiliary classification task; see the class."""
        check_is_fitted(self)
        return {
            task.name: task.classes
            for task in self._fitted_tasks()[1:]
            if isinstance(task, FittedClassification)
        }

    @property
    def validation_split_(self) -> dict[str, Any]:
        """Record of the validation split; see the class."""
        check_is_fitted(self)
        return self._splits[0]

    @property
    def n_iter_(self) -> int:
        """Number of epochs run; see the class."""
        check_is_fitted(self)
        return max(len(history["epoch"]) for history in self._history)

    @property
    def best_epoch_(self) -> int:
        """Epoch whose weights were retained; see the class."""
        check_is_fitted(self)
        return self._best_epochs[0]

    @property
    def history_(self) -> pd.DataFrame:
        """Losses and scores by epoch; see the class."""
        check_is_fitted(self)
        tables = [pd.DataFrame(history).set_index("epoch") for history in self._history]
        return _table_of_members(tables)

    @property
    def members_(self) -> pd.DataFrame:
        """One row per network; see the class."""
        check_is_fitted(self)
        return pd.DataFrame(
            {
                "n_iter": [len(history["epoch"]) for history in self._history],
                "best_epoch": self._best_epochs,
                "temperature": self._temperatures,
                "n_valid": [split["n_valid"] for split in self._splits],
                "held_out": [", ".join(split["groups"]) for split in self._splits],
            }
        ).rename_axis("member")

    @property
    def pseudo_labels_(self) -> pd.DataFrame:
        """One row per round of self-training; see the class."""
        check_is_fitted(self)
        rounds = getattr(self, "_rounds", [None])
        if None in rounds:
            raise AttributeError("pseudo_labels_ is available only after fit with pseudo_labels.")
        names = [f"n_{label}" for label in self.classes_]
        tables = []
        for lines in rounds:
            table = pd.DataFrame(lines)
            counts = pd.DataFrame(table.pop("counts").tolist(), columns=names)
            tables.append(
                pd.concat([table[["selected"]], counts, table.iloc[:, 1:]], axis=1).rename_axis(
                    "round"
                )
            )
        return _table_of_members(tables)

    @property
    def layer_weights_(self) -> np.ndarray:
        """Weight of each layer of a pretrained model; see the class."""
        check_is_fitted(self)
        if self._architecture["encoder"] != "layers":
            raise AttributeError('layer_weights_ is available only with encoder="layers".')
        weights = [net.module_.encoder.layer_weights.detach().cpu().numpy() for net in self._nets()]
        return np.mean(weights, axis=0)

    @property
    def net_(self) -> NeuralNet:
        """skorch net of the first network, built from the stored weights when first needed."""
        return self._nets()[0]

    def _store_networks(self, architecture, members, tasks):
        """Store trained networks, as plain values only."""
        self._architecture = architecture
        self._weights = [member.weights for member in members]
        self._temperatures = [member.temperature for member in members]
        self._states = [member.state for member in members if member.state is not None]
        self._tasks = [task.state() for task in tasks]
        self._history = [member.history for member in members]
        self._best_epochs = [member.best_epoch for member in members]
        self._splits = [member.split for member in members]
        if not self._states:  # partial_fit leaves the rounds unchanged
            self._rounds = [member.rounds for member in members]
        self._net_cache = NetCache()

    @default_torch_state()
    def _nets(self):
        check_is_fitted(self)
        return self._net_cache.get(self.device, self._build_nets)  # (set_params moves them)

    def _build_nets(self):
        device = resolve_device(self.device)
        tasks = self._fitted_tasks()
        nets = []
        for weights, history in zip(self._weights, self._history, strict=True):
            module = module_from_bytes(self._architecture, weights, device)
            net = make_net(module, tasks, device=device).initialize()
            for epoch in zip(*history.values(), strict=True):
                net.history.new_epoch()
                for name, value in zip(history, epoch, strict=True):
                    net.history.record(name, value)
            nets.append(net)
        return nets

    def _fitted_tasks(self):
        return [task_from_state(state) for state in self._tasks]

    def _outputs(self, X):
        """Return the outputs of all heads for the usable samples, and the mask of failed ones."""
        check_is_fitted(self)
        tasks = self._fitted_tasks()

        def compute_outputs(module, x):
            outputs = module(x)
            if module.frame_level:
                outputs = utterance_outputs(tasks, outputs, x)
            return [output.cpu().numpy() for output in outputs]

        members, failed = self._run(X, compute_outputs)
        for outputs, temperature in zip(members, self._temperatures, strict=True):
            outputs[0] = outputs[0] / temperature
        return average_outputs(tasks, members), failed

    def _aux_outputs(self, outputs):
        """Return the auxiliary tasks that predict something, with their outputs."""
        return [
            (task, output)
            for task, output in zip(self._fitted_tasks(), outputs, strict=True)
            if task.predicts
        ][1:]

    @default_torch_state()
    def _run(
        self, X: ArrayLike, function: Callable[[MultiTaskModule, Any], list[np.ndarray]]
    ) -> tuple[list[list[np.ndarray]], np.ndarray]:
        """Evaluate `function(module, batch)` for all usable samples and networks.

        Return the results of each network, in the order of the samples, and the mask of failed
        ones.
        """
        check_is_fitted(self)
        x, failed = check_inputs(self, X)
        modules = [net.module_ for net in self._nets()]
        device = next(modules[0].parameters()).device
        order: list[np.ndarray] = []
        parts: list[list[list[np.ndarray]]] = [[] for _ in modules]
        n_threads = parameter_object(self, "compute").n_threads
        with torch_threads(n_threads), torch.inference_mode():
            for positions, batch in evaluation_batches(x[~failed]):
                order.append(positions)
                on_device = batch.to(device)
                for module, results in zip(modules, parts, strict=True):
                    results.append(function(module, on_device))
        inverse = np.argsort(np.concatenate(order))
        return [
            [np.concatenate(output)[inverse] for output in zip(*results, strict=True)]
            for results in parts
        ], failed

    @property
    def _n_features_out(self):
        width = module_of_shapes(self._architecture).encoder.n_outputs
        return width * len(self._weights)

    def __getstate__(self):
        # The nets are torch objects, which another device cannot load: they are built again from
        # the weights.
        state = dict(super().__getstate__())
        state.pop("_net_cache", None)
        return state

    def __setstate__(self, state):
        check_state(state)  # it may come from a file
        super().__setstate__(state)
        if "_weights" in state:
            self._net_cache = NetCache()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # The representation has the dtype of the network, whatever that of X.
        tags.transformer_tags.preserves_dtype = []
        kind = ENCODERS.get(self.encoder) if isinstance(self.encoder, str) else self.encoder
        on_frames = bool(getattr(kind, "on_frames", False))
        tags.input_tags.two_d_array = not on_frames
        tags.input_tags.three_d_array = on_frames or kind is None  # "auto"
        return tags


def _object_array(parts):
    """Return tensors of several lengths as an array of objects, which can be reordered."""
    values = np.empty(len(parts), dtype=object)
    for row, part in enumerate(parts):  # np.array would stack arrays of one shape
        values[row] = part.cpu().numpy()
    return values


def _check_classes(classes, unlabeled):
    if len(classes) < 2:
        raise ValueError(f"classes must contain at least 2 labels, got {classes.tolist()}.")
    if not (labeled_rows(classes, unlabeled) & labeled_rows(classes)).all():
        raise ValueError(
            f"classes contains {classes.tolist()}, among them the sentinel value of unlabeled "
            f"samples (unlabeled={unlabeled!r}, NaN or None). Pass the labels alone."
        )


def _index_like(X, n_rows):
    """Return the index of X if it has one, else a default index."""
    return X.index if isinstance(X, pd.DataFrame | pd.Series) else pd.RangeIndex(n_rows)


def _table_of_members(tables):
    """Return the table of a single network, or those of several by the level ``member``."""
    if len(tables) == 1:
        return tables[0]
    return pd.concat(tables, keys=range(len(tables)), names=["member"])


def _with_new_classes(task, column, codes, known):
    """Return codes of all labels, with those that the task does not know after its own classes."""
    new = column.notna().to_numpy() & ~known
    new_codes, _ = pd.factorize(column[new])
    codes[new] = task.n_outputs + new_codes
    return codes, known | new
