"""MTL-AUG after Latif et al. (2022)."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from typing import Any, Literal

import numpy as np
from sklearn.base import BaseEstimator

from sklearn_ser.augmentation import (
    AddNoise,
    AugmentingClassifier,
    Mixup,
    SpecAugment,
    SpeedPerturbation,
)
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


@public_module("sklearn_ser.recipes")
@substitute_docstring(
    features=PARAMETERS["frame_features"],
    **{name: PARAMETERS[name] for name in ("extraction", "verbose", "net_params")},
)
def make_mtl_aug(
    features: FrameFeatures = "logmel",
    *,
    speed: Sequence[float] = (0.9, 1.1),
    mixup: bool = True,
    specaugment: bool = True,
    noise: bool | BaseEstimator = False,
    type_task: bool = True,
    reconstruction: bool = True,
    copies: int = 1,
    unlabeled: Literal[-1, "nan"] | None = "nan",
    n_jobs: int | None = None,
    on_error: OnError = "raise",
    store: Store = None,
    random_state: int | np.random.RandomState | None = None,
    verbose: int = 0,
    **net_params: Any,
) -> AugmentingClassifier:
    """Make MTL-AUG after Latif et al. (2022), reconstructed from the abstract.

    A network learns emotion from speech and augmented copies of it, with two auxiliary tasks that
    need no labels: classification of the type of augmentation, and reconstruction of the input.
    Unlabeled samples therefore contribute to training as well. The full text of the paper was not
    available. What its abstract states is implemented (auxiliary tasks on augmented data: the
    type of augmentation, and unsupervised reconstruction; no labels but emotion; unlabeled data
    can be added); everything else is a choice of this package:

    - Features are 80 log-mel bands (25 ms every 10 ms) of whole utterances, standardized by the
      frames of the training samples and their copies.
    - Each augmentation adds one copy of each sample: speed 0.9 and 1.1, mixup of log-mel frames
      (share of the sample 0.5 to 0.8, from Beta(0.4, 0.4)), masks of frequency and time, and
      optionally noise (5 to 20 dB). Each is a class of the augmentation type, and so are
      unchanged samples.
    - The target of a mixed sample is both emotions, weighted by their shares.
    - The encoder consists of convolutions, a bidirectional LSTM (128 units per direction) and
      attention.
    - The target of the reconstruction is the input of the network, for a copy the copy itself:
      the means of its frames over 8 equal parts in time.
    - Both auxiliary tasks have the weight 0.3, emotion has 1. Training takes at most 40 epochs of
      AdamW with learning rate 0.001; early stopping monitors held-out speakers, without copies of
      their samples in training; dropout is 0.3, without noise on the inputs.

    Training is expensive: with the default augmentations every sample is learned five times in an
    epoch. Of 20 utterances of 3 s an epoch took 1.6 s of processor time (0.4 s without copies): by
    this, 40 epochs of 1,100 utterances take an hour, and the refit on all samples as long again.
    Set ``verbose=1`` for a progress bar, or ``verbose=2`` to see how long each epoch takes.

    Parameters
    ----------
    %(features)s
        With None there is no audio: `speed` and `noise` must be switched off.
    speed : sequence of float, default=(0.9, 1.1)
        Speed factors, each with a copy and a class of its own; empty for none.
    mixup, specaugment : bool, default=True
        Whether to add copies by mixup and by masks of frequency and time.
    noise : bool or augmenter, default=False
        Whether to add noisy copies. True adds colored noise
        (:class:`~sklearn_ser.augmentation.AddNoise`).
    type_task, reconstruction : bool, default=True
        Whether to train the auxiliary tasks. Without both, the network is single-task with
        augmented data.
    copies : int, default=1
        Number of copies of each sample by each augmentation.
    unlabeled : -1, "nan" or None, default="nan"
        Sentinel value of unlabeled samples in y.
    %(extraction)s
        The features of copies by speed and noise are stored too if `random_state` is an int.
    random_state : int, RandomState instance or None, default=None
        Seed or generator of the copies and of the network.
    %(verbose)s
    %(net_params)s
        With ``perturbation__augmenters=["specaugment"]``, new masks are drawn in each epoch,
        instead of or in addition to copies with masks.

    Returns
    -------
    AugmentingClassifier
        Wrapper of a Pipeline with the steps ``features``, ``scaler`` and ``net``.

    References
    ----------
    S. Latif, R. Rana, S. Khalifa, R. Jurdak, B. W. Schuller, "Multitask Learning from Augmented
    Auxiliary Data for Improving Speech Emotion Recognition", IEEE Transactions on Affective
    Computing, 2022. https://arxiv.org/abs/2207.05298

    Examples
    --------
    >>> from sklearn_ser import make_mtl_aug
    >>> model = make_mtl_aug(noise=True)
    >>> list(model.augmenters)
    ['speed_0.9', 'speed_1.1', 'mixup', 'specaugment', 'noise']
    >>> list(model.estimator.named_steps["net"].tasks)
    ['augmentation', 'reconstruction']
    """
    if isinstance(speed, Real | str):
        raise ValueError(
            "speed must be a sequence of factors, such as (0.9, 1.1), or () for none; got "
            f"{speed!r}."
        )
    step = frame_step(features, n_jobs=n_jobs, on_error=on_error, store=store, verbose=verbose)
    if step is None and (speed or noise):
        raise ValueError(
            "features=None: X holds frame sequences, whose speed cannot be changed and to which no "
            "noise can be added. Set speed=() and noise=False."
        )
    augmenters: dict[str, Any] = {
        f"speed_{factor:g}": SpeedPerturbation(float(factor)) for factor in speed
    }
    if mixup:
        augmenters["mixup"] = Mixup(on="features")
    if specaugment:
        augmenters["specaugment"] = SpecAugment()
    if noise:
        augmenters["noise"] = AddNoise() if noise is True else noise
    tasks = {}
    if type_task and augmenters:
        tasks["augmentation"] = "classification"
    if reconstruction:
        tasks["reconstruction"] = "reconstruction"
    defaults = {
        "encoder": "cnn_blstm",
        "hidden_units": (128,),
        "dropout": 0.3,
        "perturbation__noise": 0.0,
        "tasks": tasks or None,
        "max_epochs": 40,
        "unlabeled": unlabeled,
        "random_state": random_state,
        "verbose": verbose,
    }
    net = make_net(defaults, net_params)
    pipeline = pipeline_of(step, ("scaler", FrameScaler()), ("net", net))
    return AugmentingClassifier(pipeline, augmenters, copies=copies, random_state=random_state)
