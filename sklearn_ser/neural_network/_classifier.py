"""MTLNeuralClassifier: a multi-task network behind scikit-learn's interface."""

import warnings
from numbers import Integral, Real

import numpy as np
from sklearn.base import ClassifierMixin, _fit_context
from sklearn.utils import check_consistent_length, check_random_state, column_or_1d
from sklearn.utils._param_validation import Interval, Options, StrOptions

from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.neural_network._aux import MAIN_TASK, make_tasks
from sklearn_ser.neural_network._base import MultiTaskNetwork
from sklearn_ser.neural_network._batches import pack_rows
from sklearn_ser.neural_network._encoders import ENCODERS, choose_encoder
from sklearn_ser.neural_network._inputs import check_training_data
from sklearn_ser.neural_network._mlp import ACTIVATIONS
from sklearn_ser.neural_network._module import (
    DTYPES,
    build_module,
    describe_network,
    resolve_device,
    weights_to_bytes,
)
from sklearn_ser.neural_network._random import torch_stream
from sklearn_ser.neural_network._tasks import ClassificationTask
from sklearn_ser.neural_network._training import train
from sklearn_ser.neural_network._validation_split import hold_out
from sklearn_ser.utils._failed import with_missing
from sklearn_ser.utils._threads import torch_threads


class MTLNeuralClassifier(ClassifierMixin, MultiTaskNetwork):
    """A neural network that learns emotion together with auxiliary targets.

    An encoder, shared by all tasks, turns each utterance (a row of features, or a sequence of
    frames) into a representation; on it stand one linear head for `y` and one for each auxiliary
    target (gender, naturalness, arousal, ...). Training minimises the sum of the tasks' losses, so
    that what helps to tell gender can help to tell emotion [1]_. Auxiliary targets are needed in
    training only, and may be missing in any row; prediction needs X alone. Without auxiliary
    targets this is a plain network with speaker-disjoint early stopping.

    The features must be standardised before (:class:`~sklearn_ser.preprocessing.GroupScaler` or
    ``StandardScaler`` for rows, ``FrameScaler`` for frames).

    Parameters
    ----------
    encoder : {"auto", "mlp", "attention", "layers"}, default="auto"
        "mlp": fully connected layers over one row of features. "attention": such layers over
        each frame of a sequence, then attentive statistics pooling over time [2]_. "layers": for
        sequences that are the layers of a pretrained model, all of one length: a learned weighting
        of the layers [3]_, then the mlp. "auto" is "mlp" for rows, "layers" for a table that says
        that it holds layers (``attrs["frame_axis"]``, written by ``PretrainedEmbedding(layer=
        "all")`` and kept by ``FrameScaler``), and "attention" for all other sequences. Lists and
        arrays say nothing: name "layers" for those.
    hidden_units : sequence of int, default=(128,)
        Width of each layer. The last is the width of the shared representation; "attention" gives
        twice that, means and deviations.
    activation : {"relu", "gelu", "tanh"}, default="relu"
    dropout : float, default=0.5
        Fraction of each layer's outputs that is zeroed in training, in [0, 1).
    tasks : "auto", None or dict, default="auto"
        The auxiliary tasks. "auto" makes one of every column of `aux`: strings, categories and
        booleans are classes; floats are regression; whole numbers are classes if there are at
        most 20 different ones, else regression (class codes with gaps are floats in pandas unless
        their dtype is "Int64"). None is the single-task network, whatever `aux` is given. A dict
        of column name to "classification", "regression" or "auto" takes these columns only.
    task_weights : dict of str to float, default=None
        Weight of a task's loss, by name; 0.3 where not named. `y` has weight 1.
    class_weight : "balanced", dict or None, default=None
        Weights of the classes of `y` in its loss, as everywhere in scikit-learn.
    max_epochs : int, default=100
        Most passes over the training rows.
    batch_size : int or None, default=64
        Most rows per step. Sequences are batched by like length, and a step has at most 65,536
        frames, padding and rows of weight 0 counted: fewer rows, where they are long. None takes
        all rows at once, however many frames they have.
    learning_rate : float, default=0.001
        Of AdamW.
    weight_decay : float, default=0.01
        Of AdamW (decoupled from the gradient).
    early_stopping : bool, default=True
        Hold out some rows, stop when the loss of `y` on them has not improved for `patience`
        epochs, and keep the weights of the best epoch. The rows are of whole groups (see
        `groups` of :meth:`fit`); where that cannot be, see `validation_split_`.
    validation_fraction : float, default=0.2
        About this part of the labelled rows is held out. With fewer than five groups it is more,
        since whole groups are held out.
    patience : int, default=10
        Epochs without improvement after which training stops.
    unlabelled : -1, "nan" or None, default=None
        What marks a row without a label in `y`. Such rows train the auxiliary tasks only. None:
        every row has a label.
    device : str, default="auto"
        "cpu", "cuda", "mps", or the best of these that is there. Results are repeatable on one
        kind of device, and differ a little from one kind to another.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the network and of the representation.
    n_threads : int or None, default=1
        Torch threads within :meth:`fit` and the predictions (one is fastest for small networks).
        The number can change weights and probabilities in their last bits, since sums are taken
        in another order. None leaves torch's setting as it is, so that they may depend on the
        number of the machine's cores.
    random_state : int, RandomState instance or None, default=None
        One seed is drawn from it for the whole fit. No global generator of torch is used, and
        of numpy only with None. First weights, dropout and order of rows have streams of their
        own: a further task leaves them unchanged.
    verbose : int, default=0
        1 shows a progress bar over the epochs.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of `y`.
    aux_classes_ : dict of str to ndarray
        Labels of each auxiliary classification task.
    dropped_tasks_ : dict of str to str
        Auxiliary tasks left out because they are constant in the training rows, and their value.
    validation_split_ : dict
        How rows were held out for early stopping: ``kind`` ("groups"; "stratified": at random,
        class by class; "none": not at all, too few rows), ``n_train`` and ``n_valid`` (labelled
        rows), ``groups`` (those held out), ``reason`` (why not by groups, or not at all).
    n_iter_ : int
        Epochs run.
    best_epoch_ : int
        The epoch whose weights were kept, counted from 1.
    history_ : DataFrame
        One row per epoch: ``train_loss``, ``valid_loss`` (the weighted sums that training
        minimises), and ``train_loss_<task>``, ``valid_loss_<task>`` of each task; the main task is
        called ``y``. NaN where no row has the task's target.
    layer_weights_ : ndarray of shape (n_layers,)
        Only with ``encoder="layers"``: the weight of each layer; they sum to 1.
    net_ : skorch.NeuralNet
        The trained net, to look at: its ``module_`` has ``encoder`` and ``heads``.
    n_features_in_ : int
        Of a row, or of a frame.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Of a row, or of a frame; only where X brings them.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : One task; early stopping on rows of any speaker.

    Notes
    -----
    Rows of X that are entirely NaN (audio that could not be used; of sequences: None or NaN in the
    place of the sequence) are left out of training with a TrainingWarning; the predictions for
    them are missing (None for labels that are not numbers, NaN else). Any other NaN is refused.

    What a sequence gives does not depend on the sequences it is batched with, nor on padding.
    Batches of like length are dealt anew in each epoch, from rows drawn at random.

    A task's loss is its mean over the labelled rows of a batch, weighted by `sample_weight` (and
    `class_weight` for `y`): cross-entropy for classes, squared error of the standardised value
    for numbers. Early stopping looks at `y` alone.

    Ctrl-C ends :meth:`fit` with KeyboardInterrupt, as it ends anything else; if at least one epoch
    is complete, the estimator is fitted all the same, with the best weights so far, and a
    TrainingWarning says how far training got.

    With metadata routing on, ``fit`` asks for ``aux``, ``sample_weight``, and takes ``speaker`` as
    its `groups`. A ``StandardScaler`` before it then has to be told whether it wants weights too:
    ``StandardScaler().set_fit_request(sample_weight=False)``.

    References
    ----------
    .. [1] Kim, J., Englebienne, G., Truong, K. P., Evers, V. (2017). Towards Speech Emotion
       Recognition "in the wild" using Aggregated Corpora and Deep Multi-Task Learning.
       Interspeech 2017. https://arxiv.org/abs/1708.03920
    .. [2] Okabe, K., Koshinaka, T., Shinoda, K. (2018). Attentive Statistics Pooling for Deep
       Speaker Embedding. Interspeech 2018. https://arxiv.org/abs/1803.10963
    .. [3] Yang, S. et al. (2021). SUPERB: Speech processing Universal PERformance Benchmark.
       Interspeech 2021. https://arxiv.org/abs/2105.01051

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
    >>> aux.loc[:9, "gender"] = None  # not known: these rows train emotion only
    >>> net = MTLNeuralClassifier(max_epochs=20, random_state=0)
    >>> net = net.fit(X, emotion, aux=aux, groups=speaker)
    >>> net.validation_split_["kind"], net.validation_split_["n_valid"]
    ('groups', 20)
    >>> bool(net.score(X, emotion) > 0.8)
    True
    >>> net.predict_aux(X[:1]).columns.to_list(), net.transform(X).shape
    (['gender'], (120, 128))

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

    __metadata_request__fit = {"aux": True, "groups": "speaker", "sample_weight": True}

    _parameter_constraints = {
        "encoder": [StrOptions({"auto", *ENCODERS})],
        "hidden_units": ["array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "tasks": [StrOptions({"auto"}), dict, None],
        "task_weights": [dict, None],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "unlabelled": [Options(Integral, {-1}), StrOptions({"nan"}), None],
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
        hidden_units=(128,),
        activation="relu",
        dropout=0.5,
        tasks="auto",
        task_weights=None,
        class_weight=None,
        max_epochs=100,
        batch_size=64,
        learning_rate=1e-3,
        weight_decay=1e-2,
        early_stopping=True,
        validation_fraction=0.2,
        patience=10,
        unlabelled=None,
        device="auto",
        dtype="float32",
        n_threads=1,
        random_state=None,
        verbose=0,
    ):
        self.encoder = encoder
        self.hidden_units = hidden_units
        self.activation = activation
        self.dropout = dropout
        self.tasks = tasks
        self.task_weights = task_weights
        self.class_weight = class_weight
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.unlabelled = unlabelled
        self.device = device
        self.dtype = dtype
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, aux=None, groups=None, sample_weight=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences
            Standardised features. Frame sequences are arrays (n_frames, n_features), one for each
            sample: in the column ``frames`` that an audio step with frames gives, in a list, a
            Series or an object array, or all in one array (n_samples, n_frames, n_features).
        y : array-like of shape (n_samples,)
            Labels.
        aux : DataFrame of shape (n_samples, n_aux), Series or array-like, default=None
            Auxiliary targets, row by row in the order of X; None, NaN or NA where one is not
            known. Columns of an array are called aux0, aux1, and so on.
        groups : array-like of shape (n_samples,), default=None
            The speaker of each row, whom early stopping keeps apart from the training rows. If
            not given, a column or index level ``speaker`` of X is used, if there is one; if there
            is none, rows are held out at random. Rows without a group count as one group.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, in the losses of all tasks.

        Returns
        -------
        self

        Raises
        ------
        MetadataError
            If `aux`, `tasks`, `task_weights` or `groups` do not fit together or with X.
        ValueError
            If X or y cannot be used, or are not what `encoder` takes, or fewer than two classes
            are left. It names the row.
        SerError
            If the device is not there, or training diverges.
        KeyboardInterrupt
            If interrupted; see the notes on the class.

        Warns
        -----
        TrainingWarning
            If rows of failed audio or constant auxiliary targets are left out, or groups were
            given and could not be kept apart.
        """
        device = resolve_device(self.device)
        encoder = choose_encoder(self.encoder, X)
        data = check_training_data(
            self,
            X,
            y,
            aux,
            groups,
            sample_weight,
            dtype=self.dtype,
            encoder=encoder,
            unlabelled=self.unlabelled,
        )
        main = ClassificationTask(MAIN_TASK, 1.0, np.unique(data.y[data.labelled]))
        aux_tasks, dropped = make_tasks(data.aux, self.tasks, self.task_weights)
        tasks = [main, *aux_tasks]
        rows = pack_rows(data, tasks, self.class_weight)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        train_part, valid_part, split = hold_out(
            rows, data.groups, self.validation_fraction if self.early_stopping else None, seed
        )
        architecture = describe_network(
            encoder,
            data.X,
            tasks,
            n_features=self.n_features_in_,
            hidden_units=self.hidden_units,
            activation=self.activation,
            dropout=self.dropout,
            dtype=self.dtype,
        )
        rows = rows.to(device)
        with torch_threads(self.n_threads):
            module = build_module(architecture, device=device, seed=seed)
            record = train(
                module,
                tasks,
                rows.take(train_part),
                rows.take(valid_part) if len(valid_part) else None,
                max_epochs=self.max_epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                patience=self.patience,
                generator=torch_stream(seed, "order of rows"),
                device=device,
                verbose=self.verbose,
            )
            if not record.epochs:  # interrupted before there was anything to keep
                raise KeyboardInterrupt
            weights = weights_to_bytes(module)

        self.classes_ = main.classes
        self.aux_classes_ = {
            task.name: task.classes for task in aux_tasks if task.kind == "classification"
        }
        self.dropped_tasks_ = dropped
        self.validation_split_ = split
        self.n_iter_ = len(record.epochs)
        self.best_epoch_ = record.best_epoch
        self._store_network(architecture, weights, tasks, record.columns())
        if record.interrupted:
            warnings.warn(
                f"training was interrupted after {self.n_iter_} of at most {self.max_epochs} "
                f"epochs: the network is fitted with the weights of epoch {self.best_epoch_}",
                TrainingWarning,
                stacklevel=2,
            )
            raise KeyboardInterrupt
        return self

    def predict(self, X):
        """Most probable label of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        ndarray of shape (n_samples,)
            Missing (None, or NaN for numeric labels) in rows of failed audio.
        """
        outputs, failed = self._outputs(X)
        return with_missing(self._fitted_tasks()[0].decode(outputs[0]), failed)

    def predict_proba(self, X):
        """Probability of each class of `classes_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            NaN in rows of failed audio.
        """
        outputs, failed = self._outputs(X)
        return with_missing(self._fitted_tasks()[0].probabilities(outputs[0]), failed)

    def score(self, X, y, sample_weight=None):
        """Accuracy; a row of failed audio counts as a miss.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences
        y : array-like of shape (n_samples,)
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
        """
        predicted = self.predict(X).astype(object)
        truth = column_or_1d(y).astype(object)
        check_consistent_length(predicted, truth, sample_weight)
        return float(np.average(predicted == truth, weights=sample_weight))
