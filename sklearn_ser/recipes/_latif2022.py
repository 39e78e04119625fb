"""MTL-AUG as a recipe (behind `sklearn_ser.recipes`)."""

from numbers import Real

from sklearn.pipeline import Pipeline

from sklearn_ser.augmentation import (
    AddNoise,
    AugmentingClassifier,
    Mixup,
    SpecAugment,
    SpeedPerturbation,
)
from sklearn_ser.preprocessing import FrameScaler
from sklearn_ser.recipes._steps import frame_step, make_net
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.recipes")
def make_mtl_aug(
    features="logmel",
    *,
    speed=(0.9, 1.1),
    mixup=True,
    specaugment=True,
    noise=False,
    type_task=True,
    reconstruction=True,
    copies=1,
    unlabeled="nan",
    n_jobs=None,
    on_error="raise",
    store=None,
    random_state=None,
    **net_params,
):
    """MTL-AUG after Latif et al. (2022), reconstructed from the abstract.

    A network learns emotion from speech and augmented copies of it, and beside it, which
    augmentation made each row, and to reconstruct its input; so that rows without a label, for
    which no more is known, teach it too. The paper's text was not at hand: what its abstract says
    is kept (auxiliary tasks on augmented data: the type of the augmentation, and unsupervised
    reconstruction; no labels but emotion; unlabeled data can be added), and everything else is a
    choice of ours:

    - 80 log-mel bands (25 ms every 10 ms), of whole utterances, standardized by the frames of the
      training rows and their copies.
    - One copy by each augmentation, beside the unchanged row: speed 0.9 and 1.1, mixup of log-mel
      frames (share of the row 0.5 to 0.8, from Beta(0.4, 0.4)), masks of frequency and time; noise
      (5 to 20 dB) only where asked for. Each is a class of its own for the type, and so are
      unchanged rows.
    - A mixed row learns both emotions by their shares.
    - An encoder of convolutions, bidirectional LSTM (128 units each way) and attention.
    - What is reconstructed is the row that the network was given: of a copy, the copy. Of its
      frames, the means of 8 equal parts in time.
    - Both tasks weigh 0.3, emotion 1. 40 epochs at most of AdamW, 0.001; early stopping by
      held-out speakers, no copy of whose rows is trained on; dropout 0.3, no noise on the inputs.

    Parameters
    ----------
    features : {"logmel", "egemaps"}, transformer or None, default="logmel"
        As in :func:`make_dnn_elm`. With None, X holds frame sequences, and there is no audio whose
        speed could be changed or that noise could be added to.
    speed : sequence of float, default=(0.9, 1.1)
        Factors, each a copy and a type; empty for none.
    mixup, specaugment : bool, default=True
    noise : bool or augmenter, default=False
        True adds colored noise (:class:`~sklearn_ser.augmentation.AddNoise`).
    type_task, reconstruction : bool, default=True
        The auxiliary tasks. Without both, it is one task with augmented data.
    copies : int, default=1
        Of each row by each augmentation.
    unlabeled : -1, "nan" or None, default="nan"
        What marks a row without a label in y.
    n_jobs, on_error, store
        As in :func:`make_svm_baseline`, for the audio step. A store keeps the features of copies
        by speed and noise, too, where `random_state` is a number.
    random_state : int, RandomState instance or None, default=None
        Of the copies and of the network.
    **net_params
        Parameters of :class:`~sklearn_ser.neural_network.MTLNeuralClassifier`. With
        ``perturbation__augmenters=["specaugment"]``, masks are drawn anew in each epoch, in place
        of or beside copies with masks.

    Returns
    -------
    AugmentingClassifier
        Of a Pipeline with the steps ``features``, ``scaler`` and ``net``.

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
    step = frame_step(features, n_jobs, on_error, store)
    if step is None and (speed or noise):
        raise ValueError(
            "features=None: X holds frame sequences, which have no speed to change and no place "
            "for noise; give speed=() and noise=False."
        )
    augmenters = {f"speed_{factor:g}": SpeedPerturbation(float(factor)) for factor in speed}
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
    chosen = {
        "encoder": "cnn_blstm",
        "hidden_units": (128,),
        "dropout": 0.3,
        "perturbation__noise": 0.0,
        "tasks": tasks or None,
        "max_epochs": 40,
        "unlabeled": unlabeled,
        "random_state": random_state,
    }
    pipeline = Pipeline(
        [
            *([] if step is None else [("features", step)]),
            ("scaler", FrameScaler()),
            ("net", make_net(chosen, net_params)),
        ]
    )
    return AugmentingClassifier(pipeline, augmenters, copies=copies, random_state=random_state)
