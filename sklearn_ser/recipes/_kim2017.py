"""DNN-ELM and LSTM-ELM after Kim et al. (2017)."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.pipeline import Pipeline

from sklearn_ser.preprocessing import FrameScaler
from sklearn_ser.recipes._steps import (
    PARAMETERS,
    FrameFeatures,
    OnError,
    Store,
    frame_step,
    make_net,
    pipeline_of,
)
from sklearn_ser.utils._docstrings import substitute_docstring
from sklearn_ser.utils._public import public_module

_SHARED = {
    "features": PARAMETERS["frame_features"],
    **{name: PARAMETERS[name] for name in ("extraction", "random_state", "verbose")},
    "net_params": f"""{PARAMETERS["net_params"]}
            Parameters of the other steps are set by ``set_params``: ``highlevel__threshold``,
            ``highlevel__cv``, ``elm__n_hidden``, ``elm__activation``, ``elm__alpha``.""",
}


@public_module("sklearn_ser.recipes")
@substitute_docstring(**_SHARED)
def make_dnn_elm(
    features: FrameFeatures = "logmel",
    *,
    n_jobs: int | None = None,
    on_error: OnError = "raise",
    store: Store = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
    **net_params: Any,
) -> Pipeline:
    """Make the DNN-ELM of Kim et al. (2017): a network on frames, and an ELM on its statistics.

    A network with two layers of 128 units classifies each frame of an utterance separately, in
    every task; :class:`~sklearn_ser.neural_network.HighLevelFeatures` computes statistics of its
    outputs over the utterance, which an :class:`~sklearn_ser.neural_network.ELMClassifier`
    classifies. The system is multi-task with the auxiliary targets given to `fit`, and
    single-task with ``tasks=None``.

    The defaults follow the trainer released by the first author where the settings correspond:
    unit loss weights, no dropout, learning rate 0.001, batches of 128 utterances, at most 50
    epochs with a patience of 5, 50 linear hidden units and ridge 1 in the ELM, threshold 0.3.
    The differences: early stopping monitors held-out speakers of the training set; weight decay
    is that of AdamW; gradients are clipped by their norm, not by value; frames are scaled once by
    the training set, not by batch; padding is masked.

    Parameters
    ----------
    %(features)s
    %(extraction)s
    %(random_state)s
    %(verbose)s
    %(net_params)s

    Returns
    -------
    Pipeline
        Unfitted model.

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
    step = frame_step(features, n_jobs=n_jobs, on_error=on_error, store=store, verbose=verbose)
    network = {
        "encoder": "frame_dnn",
        "hidden_units": (128, 128),
        "random_state": random_state,
        "verbose": verbose,
    }
    return _elm_pipeline(step, network, net_params)


@public_module("sklearn_ser.recipes")
@substitute_docstring(**_SHARED)
def make_lstm_elm(
    features: FrameFeatures = "logmel",
    *,
    n_jobs: int | None = None,
    on_error: OnError = "raise",
    store: Store = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
    **net_params: Any,
) -> Pipeline:
    """Make the LSTM-ELM of Kim et al. (2017): :func:`make_dnn_elm` with a recurrent network.

    The network has two LSTM layers of 64 units, as in the sample scripts of the released trainer,
    whose default is 256. All other settings are those of :func:`make_dnn_elm`.

    Parameters
    ----------
    %(features)s
    %(extraction)s
    %(random_state)s
    %(verbose)s
    %(net_params)s

    Returns
    -------
    Pipeline
        Unfitted model.

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
    step = frame_step(features, n_jobs=n_jobs, on_error=on_error, store=store, verbose=verbose)
    network = {
        "encoder": "lstm",
        "hidden_units": (64, 64),
        "random_state": random_state,
        "verbose": verbose,
    }
    return _elm_pipeline(step, network, net_params)


def _elm_pipeline(step, network, net_params):
    from sklearn_ser.neural_network import ELMClassifier, HighLevelFeatures  # import torch

    if net_params.get("unlabeled") is not None:
        raise ValueError(
            f"unlabeled={net_params['unlabeled']!r}: the extreme learning machine needs the "
            "label of every sample. Leave `unlabeled` out and fit on labeled samples, or use "
            "make_multi_task_net."
        )
    released = {
        "encoder_params": {"pooling": "frames"},
        "dropout": 0.0,
        "aux_weight": 1.0,
        "lr": 1e-3,
        "batch_size": 128,
        "max_epochs": 50,
        "patience": 5,
        "optimization__max_grad_norm": 1.0,
    }
    net = make_net({**released, **network}, net_params)
    return pipeline_of(
        step,
        ("scaler", FrameScaler()),
        ("highlevel", HighLevelFeatures(net)),
        ("elm", ELMClassifier(random_state=network["random_state"])),
    )
