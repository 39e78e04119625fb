"""Ready Pipelines: the baselines that a result must beat, and the multi-task net, one line each.

Every recipe takes `features`: the name of an audio step, a transformer of your own, or None where
X holds features already (such as ``load_features().X``). Those on rows of features scale per
corpus, which matters more than the choice of model (see the benchmarks); those on frames scale
by the training set.
"""

from numbers import Integral

from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from sklearn_ser.metrics import uar_scorer
from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.preprocessing import FrameScaler, GroupScaler, SkipFailedRows
from sklearn_ser.recipes._latif2022 import make_mtl_aug
from sklearn_ser.recipes._self_training import make_self_trained_net
from sklearn_ser.recipes._steps import (
    FEATURES,
    FRAME_FEATURES,
    audio_step,
    frame_step,
    make_net,
    net_pipeline,
)
from sklearn_ser.utils._public import public_module

__all__ = [
    "FEATURES",
    "FRAME_FEATURES",
    "make_dnn_elm",
    "make_lstm_elm",
    "make_mtl_aug",
    "make_multi_task_net",
    "make_self_trained_net",
    "make_single_task_net",
    "make_svm_baseline",
]

#: Strong regularization suits few speakers and standardized features; the search may go weaker.
SVM_C_GRID = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)


@public_module("sklearn_ser.recipes")
def make_svm_baseline(
    features="ge2e",
    *,
    scale_by="corpus",
    Cs=SVM_C_GRID,
    cv=5,
    n_jobs=None,
    on_error="raise",
    store=None,
):
    """Linear SVM on utterance features, its C searched on inner speaker-disjoint folds.

    The baseline of the INTERSPEECH paralinguistics challenges. The scaler is fitted inside the
    inner folds too; the score is unweighted average recall and classes are weighted alike.

    Parameters
    ----------
    features : {"ge2e", "egemaps", "both"}, transformer or None, default="ge2e"
        Speaker embedding (512 numbers, the recommended default), openSMILE's eGeMAPSv02
        functionals (88; openSMILE is free for research and other non-commercial use only), both
        side by side, an audio step of your own, or None where X holds features already.
    scale_by : None, str or list of str, default="corpus"
        As `by` of :class:`~sklearn_ser.preprocessing.GroupScaler`.
    Cs : sequence of float
        The C values searched.
    cv : int or splitter, default=5
        Inner folds of the search: a number of speaker-disjoint folds (at least this many training
        speakers are needed; they are found through the `speaker` metadata, or the column or index
        level of X), or a splitter such as ``LeaveOneCorpusOut()``, which chooses a C that
        carries over to other corpora better.
    n_jobs : int, optional
        For the search and the extraction.
    on_error : {"raise", "warn", "ignore"}, default="raise"
        What the audio step does with audio that it cannot use. Where it does not raise, such an
        utterance is left out of training and predicted as missing:
        :class:`~sklearn_ser.preprocessing.SkipFailedRows` stands around the search.
    store : str or Path, optional
        Folder where the audio step keeps features, so that no utterance is extracted twice; see
        :class:`~sklearn_ser.feature_extraction.FeatureStore`.

    Returns
    -------
    Pipeline or GridSearchCV
        A GridSearchCV where `features` is None. In the Pipeline the fitted search is
        ``model.named_steps["search"].estimator_``.

    References
    ----------
    B. Schuller et al., "The INTERSPEECH 2013 Computational Paralinguistics Challenge", 2013.

    Examples
    --------
    >>> from sklearn_ser import load_features, make_svm_baseline
    >>> data = load_features("egemaps")
    >>> emodb = (data.frame["corpus"] == "emodb").to_numpy()
    >>> svm = make_svm_baseline(features=None, Cs=[1e-3])
    >>> svm.fit(data.X[emodb], data.frame["emotion"][emodb]).best_params_
    {'svm__C': 0.001}
    """
    svm = Pipeline(
        [
            ("scaler", GroupScaler(by=scale_by)),
            ("svm", LinearSVC(class_weight="balanced", dual=False, random_state=0)),
        ]
    )
    search = GridSearchCV(
        svm,
        {"svm__C": list(Cs)},
        scoring=uar_scorer,
        cv=SpeakerKFold(cv) if isinstance(cv, Integral) else cv,
        n_jobs=n_jobs,
        error_score="raise",
    )
    step = audio_step(features, n_jobs, on_error, store)
    if step is None:
        return search
    return Pipeline([("features", step), ("search", SkipFailedRows(search))])


@public_module("sklearn_ser.recipes")
def make_single_task_net(
    features="ge2e", *, scale_by="corpus", n_jobs=None, on_error="raise", store=None, **net_params
):
    """The multi-task net without its auxiliary tasks: the baseline for what they bring.

    Parameters
    ----------
    features, scale_by, n_jobs, on_error, store
        As in :func:`make_svm_baseline`.
    **net_params
        Parameters of :class:`~sklearn_ser.neural_network.MTLNeuralClassifier`, also nested ones.

    Returns
    -------
    Pipeline

    Examples
    --------
    >>> from sklearn_ser import make_single_task_net
    >>> list(make_single_task_net("ge2e").named_steps)
    ['features', 'scaler', 'net']
    """
    net = make_net({"tasks": None}, net_params)
    return net_pipeline(features, scale_by, n_jobs, on_error, store, net)


@public_module("sklearn_ser.recipes")
def make_multi_task_net(
    features="ge2e", *, scale_by="corpus", n_jobs=None, on_error="raise", store=None, **net_params
):
    """Multi-task net after Kim et al. (2017): emotion, with every auxiliary target given to fit.

    Parameters
    ----------
    features, scale_by, n_jobs, on_error, store
        As in :func:`make_svm_baseline`.
    **net_params
        Parameters of :class:`~sklearn_ser.neural_network.MTLNeuralClassifier`, also nested ones
        (``perturbation__noise``); with ``tasks={"gender": "classification"}`` only that column of
        `aux` is used.

    Returns
    -------
    Pipeline

    References
    ----------
    J. Kim, G. Englebienne, K. P. Truong, V. Evers, "Towards Speech Emotion Recognition 'in the
    Wild' using Aggregated Corpora and Deep Multi-Task Learning", INTERSPEECH 2017.

    Examples
    --------
    >>> from sklearn_ser import make_multi_task_net
    >>> make_multi_task_net(None).named_steps["net"].tasks
    'auto'
    """
    net = make_net({}, net_params)
    return net_pipeline(features, scale_by, n_jobs, on_error, store, net)


@public_module("sklearn_ser.recipes")
def make_dnn_elm(
    features="logmel", *, n_jobs=None, on_error="raise", store=None, random_state=None, **net_params
):
    """DNN-ELM after Kim et al. (2017): a network of frames, and an ELM over what it says of them.

    A network with two layers of 128 units classifies each frame of an utterance by itself, in
    every task; :class:`~sklearn_ser.neural_network.HighLevelFeatures` sums up its answers, and an
    :class:`~sklearn_ser.neural_network.ELMClassifier` decides. Multi-task with the auxiliary
    targets given to `fit`; ``tasks=None`` is the single-task system.

    The defaults are those of the first author's released trainer, as far as they are the same
    thing here: unit loss weights, no dropout, learning rate 0.001, batches of 128 utterances, at
    most 50 epochs with a patience of 5, 50 linear hidden units and ridge 1 in the ELM, threshold
    0.3. Not the same: early stopping looks at held-out speakers of the training rows; weight
    decay is that of AdamW; gradients are clipped by their norm, not value by value; frames are
    scaled once by the training set, not batch by batch; there is no padding that counts.

    Parameters
    ----------
    features : {"logmel", "egemaps"}, transformer or None, default="logmel"
        Log-mel spectrogram (80 bands), openSMILE's eGeMAPSv02 descriptors (25 numbers a frame;
        openSMILE is free for research and other non-commercial use only), a step of your own that
        gives frame sequences, or None where X holds those already.
    n_jobs, on_error, store
        As in :func:`make_svm_baseline`, for the audio step. Failed audio needs no further step.
    random_state : int, RandomState instance or None, default=None
        Of the network and of the ELM.
    **net_params
        Parameters of :class:`~sklearn_ser.neural_network.MTLNeuralClassifier`, also nested ones
        (``perturbation__noise``). Those of the steps are set with ``set_params``:
        ``highlevel__threshold``, ``highlevel__cv``, ``elm__n_hidden``, ``elm__activation``,
        ``elm__alpha``.

    Returns
    -------
    Pipeline

    References
    ----------
    K. Han, D. Yu, I. Tashev, "Speech Emotion Recognition Using Deep Neural Network and Extreme
    Learning Machine", INTERSPEECH 2014.

    J. Kim, G. Englebienne, K. P. Truong, V. Evers, "Towards Speech Emotion Recognition 'in the
    Wild' using Aggregated Corpora and Deep Multi-Task Learning", INTERSPEECH 2017.

    Examples
    --------
    >>> from sklearn_ser import make_dnn_elm
    >>> model = make_dnn_elm(tasks=None)
    >>> list(model.named_steps)
    ['features', 'scaler', 'highlevel', 'elm']
    >>> model.set_params(elm__n_hidden=120).named_steps["highlevel"].estimator.hidden_units
    (128, 128)
    """
    network = {"encoder": "frame_dnn", "hidden_units": (128, 128)}
    return _make_elm(features, n_jobs, on_error, store, random_state, network, net_params)


@public_module("sklearn_ser.recipes")
def make_lstm_elm(
    features="logmel", *, n_jobs=None, on_error="raise", store=None, random_state=None, **net_params
):
    """LSTM-ELM after Kim et al. (2017): like :func:`make_dnn_elm`, the frames being heard in order.

    The network is two LSTM layers of 64 units, as in the sample scripts of the released trainer,
    whose own default is 256.

    Parameters
    ----------
    features, n_jobs, on_error, store, random_state, **net_params
        As in :func:`make_dnn_elm`, and so are all other settings.

    Returns
    -------
    Pipeline

    References
    ----------
    J. Lee, I. Tashev, "High-level Feature Representation using Recurrent Neural Network for Speech
    Emotion Recognition", INTERSPEECH 2015.

    J. Kim, G. Englebienne, K. P. Truong, V. Evers, "Towards Speech Emotion Recognition 'in the
    Wild' using Aggregated Corpora and Deep Multi-Task Learning", INTERSPEECH 2017.

    Examples
    --------
    >>> from sklearn_ser import make_lstm_elm
    >>> make_lstm_elm("egemaps").named_steps["features"].feature_level
    'lld'
    """
    network = {"encoder": "lstm", "hidden_units": (64, 64)}
    return _make_elm(features, n_jobs, on_error, store, random_state, network, net_params)


def _make_elm(features, n_jobs, on_error, store, random_state, network, net_params):
    from sklearn_ser.neural_network import ELMClassifier, HighLevelFeatures

    if net_params.get("unlabeled") is not None:
        raise ValueError(
            f"unlabeled={net_params['unlabeled']!r}: the extreme learning machine that decides "
            "behind the network needs the label of every row. Leave `unlabeled` out and fit on "
            "labeled rows, or take make_multi_task_net."
        )
    step = frame_step(features, n_jobs, on_error, store)
    released = {
        "encoder_params": {"pooling": "frames"},
        "dropout": 0.0,
        "aux_weight": 1.0,
        "lr": 1e-3,
        "batch_size": 128,
        "max_epochs": 50,
        "patience": 5,
        "optimization__max_grad_norm": 1.0,
        "random_state": random_state,
    }
    net = make_net({**released, **network}, net_params)
    return Pipeline(
        [
            *([] if step is None else [("features", step)]),
            ("scaler", FrameScaler()),
            ("highlevel", HighLevelFeatures(net)),
            ("elm", ELMClassifier(random_state=random_state)),
        ]
    )
