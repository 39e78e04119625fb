"""MTLNeuralClassifier: a multi-task network behind scikit-learn's interface."""

from sklearn_ser.neural_network._aux_predictions import AuxiliaryPredictions
from sklearn_ser.neural_network._base import MultiTaskNetwork
from sklearn_ser.neural_network._class_predictions import ClassPredictions
from sklearn_ser.neural_network._fit_methods import FitMethods
from sklearn_ser.neural_network._network_parameters import NetworkParameters


class MTLNeuralClassifier(
    ClassPredictions, NetworkParameters, FitMethods, AuxiliaryPredictions, MultiTaskNetwork
):
    """A neural network that learns emotion together with auxiliary targets.

    An encoder, shared by all tasks, turns each utterance (a row of features, or a sequence of
    frames) into a representation; on it stand one linear head for `y` and one for each auxiliary
    target (gender, naturalness, arousal, ...). Training minimizes the sum of the tasks' losses, so
    that what helps to tell gender can help to tell emotion [1]_. Auxiliary targets are needed in
    training only, and may be missing in any row; prediction needs X alone. Without auxiliary
    targets this is a plain network with speaker-disjoint early stopping.

    The features must be standardized before (:class:`~sklearn_ser.preprocessing.GroupScaler` or
    ``StandardScaler`` for rows, ``FrameScaler`` for frames).

    Parameters
    ----------
    encoder : {"auto", "mlp", "attention", "layers", "frame_dnn", "lstm", "cnn_blstm", \
            "conformer"} or a subclass of torch.nn.Module, default="auto"
        "mlp": fully connected layers over one row of features. "attention": such layers over
        each frame of a sequence, then attentive statistics pooling over time [2]_. "layers": for
        sequences that are the layers of a pretrained model, all of one length: a learned weighting
        of the layers [3]_, then the mlp. "frame_dnn": layers over each frame, of which each gets
        the utterance's targets, and whose posteriors are averaged; "lstm": LSTM layers over the
        frames (both [1]_). "cnn_blstm": convolutions over time and frequency, LSTM layers in both
        directions, attentive pooling [9]_. "conformer": self-attention and convolution over time
        [10]_. "auto" is "mlp" for rows, "layers" for a table that says that it holds layers
        (``attrs["frame_axis"]``, written by ``PretrainedEmbedding(layer="all")`` and kept by
        ``FrameScaler``), and "attention" for all other sequences. Lists and arrays say nothing:
        name "layers" for those.

        A class of your own is made as ``encoder(n_features, **encoder_params)``. Its ``forward``
        gets rows, (n, n_features), or with the class attribute ``on_frames = True`` padded
        sequences, (n, longest, n_features), and their lengths, (n,); it returns (n, width).
        `hidden_units`, `activation` and `dropout` do not reach it.
    encoder_params : dict or None, default=None
        Further parameters of the encoder, by name; those that are not given have their defaults.
        Searched as ``encoder_params__pooling``. A class of your own takes what it takes.

        - "mlp": ``residual`` (bool, False): from the second layer on, a layer as wide as the one
          before it is a residual block.
        - "attention": ``pooling`` ("attention" or "mean"; "attention").
        - "frame_dnn": ``pooling`` ("frames", "mean" or "attention"; "frames": the heads answer
          for every frame).
        - "lstm": ``bidirectional`` (bool, False); ``pooling`` ("last", "frames", "mean" or
          "attention"; "last").
        - "cnn_blstm": ``channels`` (sequence of int, (16, 32, 64)) of each block, which halves
          the frequencies; ``time_halvings`` (int, 2): so many blocks halve the time, too.
        - "conformer": ``n_heads`` (int, 4); ``kernel_size`` (odd int, 15) of the convolution;
          ``subsampling`` (int, 4): frames that are averaged to one first; ``pooling``
          ("attention" or "mean"; "attention").
        - "layers": none.
    hidden_units : sequence of int, default=(128,)
        Width of each layer; of "lstm" and "cnn_blstm" the units of each LSTM layer, in each
        direction, of "conformer" the width of each block, all alike. The last is the width of the
        shared representation; LSTM layers in both directions give twice that, and attentive
        pooling twice again, means and deviations.
    activation : {"relu", "gelu", "tanh"}, default="relu"
    dropout : float, default=0.5
        Fraction of each layer's outputs that is zeroed in training, in [0, 1).
    tasks : "auto", None or mapping, default="auto"
        The auxiliary tasks. "auto" makes one of every column of `aux`: strings, categories and
        booleans are classes; floats are regression; whole numbers are classes if there are at
        most 20 different ones, else regression (class codes with gaps are floats in pandas unless
        their dtype is "Int64"). None is the single-task network, whatever `aux` is given. A mapping
        of names takes these tasks only, each a task object (:class:`ClassificationTask`,
        :class:`RegressionTask`, :class:`DomainAdversarialTask`, :class:`ReconstructionTask`,
        :class:`ContrastiveTask`, :class:`ConsistencyTask`) or a short name: "auto",
        "classification", "regression" (or "mse"), "ccc", "adversarial", "reconstruction",
        "contrastive", "consistency". A task takes the column of `aux` that has its name, unless it
        names another. Parameters of tasks are set and searched as ``tasks__gender__weight``.
    aux_weight : float, default=0.3
        Weight of the loss of every auxiliary task that names none; `y` has weight 1.
    loss_weighting : {"fixed", "uncertainty", "pcgrad"}, default="fixed"
        "fixed": the sum of the weighted losses. "uncertainty": each is divided by a learned variance
        [4]_. "pcgrad": parts of the tasks' gradients that conflict are cut [5]_.
    class_weight : "balanced", dict or None, default=None
        Weights of the classes of `y` in its loss, as everywhere in scikit-learn.
    label_smoothing, focal_gamma, logit_adjustment : float, default=0.0
        Of the loss of `y`; see :class:`ClassificationTask`. With ``class_weight="balanced"``,
        `logit_adjustment` makes up for the classes' frequencies a second time: take one of the two.
    max_epochs : int, default=100
        Most passes over the training rows.
    batch_size : int or None, default=64
        Most rows per step. Sequences are batched by like length, and a step has at most 65,536
        frames, padding and rows of weight 0 counted: fewer rows, where they are long. None takes
        all rows at once, however many frames they have. A single row that is left over joins
        another step where `encoder` is a class of your own, which may have batch normalization.
    learning_rate : float, default=0.001
        Of AdamW.
    lr_schedule : {"constant", "linear", "cosine"}, default="constant"
        The last two let the learning rate fall to 0 over `max_epochs`.
    warmup : float, default=0.0
        Share of the training, in [0, 1), over which the learning rate rises from 0 first.
    weight_decay : float, default=0.01
        Of AdamW (decoupled from the gradient).
    max_grad_norm : float or None, default=None
        Longer gradients are scaled down to this length.
    weight_averaging : {"ema", "swa"} or None, default=None
        Validate and keep averaged weights: an exponential moving average over steps (0.99), or
        the mean over the epochs of the second half of training [6]_: beyond half of `max_epochs`,
        and in the training anew of `refit` beyond half of its own, whenever early stopping came.
        What an encoder of your own counts along (batch normalization) is the latest, no average.
    mixup_alpha : float, default=0.0
        Above 0, the rows of a batch are mixed in pairs, with a share drawn from Beta(alpha, alpha),
        and every task learns both rows' targets by their shares [7]_.
    batch_augmenters : list or None, default=None
        What changes the inputs of each batch in training, one after the other, drawn anew in every
        epoch: "specaugment", :class:`BatchSpecAugment`, or any object that is called with a batch
        and a torch.Generator. What is reconstructed is the batch before that.
    input_noise : float, default=1.0
        Standard deviation of normal noise on the inputs in training, in units of each feature's
        own standard deviation over the training rows.
    input_dropout : float, default=0.0
        Share of the input values that is zeroed in training, in [0, 1).
    adversarial_training : AdversarialTraining or None, default=None
        Learn from rows that are changed a little to mislead the network, too; see
        :class:`AdversarialTraining`. Parameters are set and searched as
        ``adversarial_training__epsilon``.
    early_stopping : bool, default=True
        Hold out some rows, stop when `monitor` on them has not improved for `patience` epochs, and
        keep the weights of the best epoch, from memory. The rows are of whole groups (see `groups`
        of :meth:`fit`); where that cannot be, see `validation_split_`.
    validation_fraction : float, default=0.2
        About this part of the labeled rows is held out. With fewer than five groups it is more,
        since whole groups are held out.
    validation_by : str or None, default=None
        Hold out whole groups of another kind than `groups`: the name of a column or index level of
        X, or of a column of `aux`, such as "corpus". Under ``tasks="auto"`` a column of `aux` is
        a task, too.
    monitor : {"loss", "score"}, default="loss"
        Of `y` on the held-out rows: its loss, or unweighted average recall.
    patience : int, default=10
        Epochs without improvement after which training stops.
    refit : bool, default=True
        After early stopping, train anew on all rows for the number of epochs that was best.
    n_estimators : int, default=1
        Networks, each with its own first weights, order of rows and held-out groups, whose mean
        probabilities are predicted.
    calibrate : bool, default=False
        Divide the outputs for `y` by a temperature that fits the held-out rows best [8]_: honest
        probabilities, and of one network the same labels (of several, each has its own); those of
        single frames (:meth:`predict_frame_proba`) are as they are. Where nothing can be held out
        it is 1, with a warning. Without early stopping the rows are held out for this alone.
    unlabeled : -1, "nan" or None, default=None
        What marks a row without a label in `y`. Such rows train the auxiliary tasks only. None:
        every row has a label.
    pseudo_labels : PseudoLabels or None, default=None
        Self-training: rows without a label are learned with labels that the network gives them,
        in several rounds; see :class:`PseudoLabels`. Each network labels them for itself. Only
        rows that :meth:`fit` is given can be labeled, and :meth:`partial_fit` labels none.
        Without early stopping, rows are held out to judge the rounds. Parameters are set and
        searched as ``pseudo_labels__share``.
    warm_start : bool, default=False
        Let :meth:`fit` go on from the networks of the last fit, on whatever rows it is given: fine
        tuning on a target corpus. The classes and tasks stay those of the first fit.
    callbacks : list or None, default=None
        skorch callbacks. They find ``train_loss``, ``valid_loss`` and the other columns of
        `history_` in the history of the net that they are given, and are called as they are, not
        copied: by every network in turn, and again in a training anew (`refit`). Those that monitor
        held-out rows (skorch's EarlyStopping and Checkpoint by default) are left out there and in
        :meth:`partial_fit`, and refused with ``early_stopping=False``. EarlyStopping, or a
        subclass, ends a training; KeyboardInterrupt from any other is Ctrl-C. In ``on_train_end``
        the net has the weights that are kept. ``clone``, and so a search, copies a callback by its
        parameters: its other attributes must have names that end in an underscore. A model file
        (:func:`~sklearn_ser.save_model`) is written without them.
    mixed_precision : "auto" or bool, default="auto"
        Train in bfloat16 where that is faster. "auto": on GPUs that have it.
    compile : bool or str, default=False
        Compile the network with torch.compile (for large ones), by its default backend or the
        one named.
    device : str, default="auto"
        "cpu", "cuda", "cuda:1", "mps", or the best of these that is there. Results repeat bit for
        bit on the CPU; on a GPU as far as the kernels of its libraries do. From one kind of device
        to another they differ a little. A fitted network runs on any: ``set_params(device=...)``.
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
        Labels of each auxiliary task that has labels, adversarial ones too.
    dropped_tasks_ : dict of str to str
        Auxiliary tasks left out because they are constant in the training rows, and their value.
    validation_split_ : dict
        How rows were held out for early stopping: ``kind`` ("groups"; "stratified": at random,
        class by class; "none": not at all, too few rows), ``n_train`` and ``n_valid`` (labeled
        rows), ``groups`` (those held out), ``reason`` (why not by groups, or not at all). Of
        several networks, that of the first.
    n_iter_ : int
        Epochs run, by the network that ran longest.
    best_epoch_ : int
        The epoch whose weights were kept, counted from 1; of the first network.
    members_ : DataFrame
        One row per network: ``n_iter``, ``best_epoch``, ``temperature``, ``n_valid``, ``held_out``.
    history_ : DataFrame
        One row per epoch: ``train_loss``, ``valid_loss`` (weighted sums), and of each task
        ``train_loss_<task>``, ``valid_loss_<task>``, ``valid_score_<task>`` (unweighted average
        recall, or concordance correlation) and ``weight_<task>``; the main task is called ``y``.
        NaN where no row has the task's target. With `adversarial_training` also
        ``adversarial_loss``, in no sum and unweighted. Several networks: the index has the levels
        ``member`` and ``epoch``.
    pseudo_labels_ : DataFrame
        Only with `pseudo_labels`: one row per round; round 0 is the training before any labels
        were given. ``selected`` (rows learned with labels of the network's), ``n_<class>`` (of
        each class), ``agreement`` (share of all unlabeled rows that were labeled as in the
        round before; NaN at first), ``valid_loss`` (cross-entropy) and ``valid_score``
        (unweighted average recall) of `y` on the held-out rows, ``kept`` (the round whose network
        this is), ``stopped`` (in the last round, why it ended: the parameter of
        :class:`PseudoLabels` by which it did, "settled": almost the same rows and labels again,
        "nothing unlabeled", or "interrupted"). Several networks: the index has the levels
        ``member`` and ``round``.
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

    A task's loss is its mean over the rows of a batch that have its target, weighted by
    `sample_weight` and class weights. A task of weight 0 changes nothing: the other tasks learn bit
    for bit what they would learn without it. Early stopping looks at `y` alone.

    Ctrl-C ends :meth:`fit` with KeyboardInterrupt, as it ends anything else; if at least one epoch
    is complete, the estimator is fitted all the same, with the best weights so far (of several
    networks, with those that have weights), and a TrainingWarning says how far training got.
    Before that, and after any error, the estimator is as it was.

    With metadata routing on, ``fit`` asks for ``aux``, ``sample_weight`` and ``sources``, and takes
    ``speaker`` as its `groups`. A ``StandardScaler`` before it then has to be told whether it wants
    weights too: ``StandardScaler().set_fit_request(sample_weight=False)``.

    ``StackingClassifier`` hands its metadata to the final estimator too. Let X carry the speakers
    as an index level, which splitters and early stopping find, give `aux` alone, and take a final
    estimator that accepts it: ``StackingClassifier([("net", MTLNeuralClassifier()), ("svm",
    LinearSVC())], final_estimator=MTLNeuralClassifier(tasks=None), cv=SpeakerKFold()).fit(X, y,
    aux=aux)``.

    With `unlabeled`, Pipeline, searches with a splitter object and ``cross_validate`` work as
    ever. Meta-estimators that recode labels (voting, bagging, stacking, calibration, one against
    the rest) would make a class of the rows without one: a fit inside them is refused. What was
    fitted before can be calibrated (``FrozenEstimator``).

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
    .. [6] Izmailov, P. et al. (2018). Averaging Weights Leads to Wider Optima and Better
       Generalization. UAI 2018. https://arxiv.org/abs/1803.05407
    .. [7] Zhang, H. et al. (2018). mixup: Beyond Empirical Risk Minimization. ICLR 2018.
       https://arxiv.org/abs/1710.09412
    .. [8] Guo, C. et al. (2017). On Calibration of Modern Neural Networks. ICML 2017.
       https://arxiv.org/abs/1706.04599
    .. [9] Latif, S. et al. (2022). Multitask Learning from Augmented Auxiliary Data for Improving
       Speech Emotion Recognition. IEEE Transactions on Affective Computing.
       https://arxiv.org/abs/2207.05298
    .. [10] Gulati, A. et al. (2020). Conformer: Convolution-augmented Transformer for Speech
       Recognition. Interspeech 2020. https://arxiv.org/abs/2005.08100

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

    __metadata_request__fit = {
        "aux": True,
        "groups": "speaker",
        "sample_weight": True,
        "sources": True,
    }
    __metadata_request__partial_fit = {
        "aux": True,
        "classes": True,
        "groups": "speaker",
        "sample_weight": True,
    }
