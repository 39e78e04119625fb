"""Training a multi-task module with skorch."""

from dataclasses import dataclass, field

import torch
from safetensors.torch import load, save
from skorch.helper import predefined_split

from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network._random import torch_stream
from sklearn_ser.neural_network._sequences import LengthBatches
from sklearn_ser.neural_network._settings import (
    ComputeSettings,
    InputPerturbation,
    OptimizationSettings,
    ValidationSettings,
)
from sklearn_ser.neural_network.encoders._custom_encoder import CustomEncoder
from sklearn_ser.neural_network.tasks._losses import MultiTaskLoss
from sklearn_ser.neural_network.tasks._weighting import LOSS_WEIGHTINGS
from sklearn_ser.neural_network.training._adversarial_training import AdversarialTraining
from sklearn_ser.neural_network.training._attack import AdversarialLoss
from sklearn_ser.neural_network.training._batch_augmenters import resolve_batch_augmenters
from sklearn_ser.neural_network.training._batches import EVALUATION_BATCH, SliceBatches
from sklearn_ser.neural_network.training._callbacks import (
    BestWeights,
    EpochRecorder,
    LastWeights,
    LeaveWeights,
    Patience,
    ProgressBar,
    without_held_out_rows,
)
from sklearn_ser.neural_network.training._net import MultiTaskNet, Procedure, WeightAverage
from sklearn_ser.neural_network.training._perturb import BatchPerturbation, feature_spread


@dataclass(frozen=True)
class TrainingSettings:
    """How a network is trained: parameters of MTLNeuralClassifier by their names there."""

    max_epochs: int
    batch_size: int | None
    lr: float
    loss_weighting: str
    patience: int
    callbacks: list | None
    adversarial_training: AdversarialTraining | None
    optimization: OptimizationSettings
    perturbation: InputPerturbation
    validation: ValidationSettings
    compute: ComputeSettings


@dataclass
class TrainingRecord:
    """How a training went: one row of plain values per finished epoch."""

    epochs: list = field(default_factory=list)
    best_epoch: int = 0
    interrupted: bool = False
    net: MultiTaskNet | None = None

    def columns(self):
        """The epochs as a dict of equally long lists."""
        return {name: [epoch[name] for epoch in self.epochs] for name in self.epochs[0]}


def make_net(module, tasks, *, device, criterion=None, **settings):
    """The skorch net of a module and its tasks, not yet initialized."""
    batches = LengthBatches if module.encoder.on_frames else SliceBatches
    given = {"train_split": None, "procedure": Procedure(tasks), "verbose": 0} | settings
    return MultiTaskNet(
        module,
        criterion=MultiTaskLoss(tasks) if criterion is None else criterion,
        optimizer=torch.optim.AdamW,
        optimizer__fused=torch.device(device).type in ("cpu", "cuda"),
        iterator_train=batches,
        iterator_valid=batches,
        iterator_valid__batch_size=EVALUATION_BATCH,
        device=device,
        **given,
    )


def train(
    module,
    tasks,
    train_rows,
    valid_rows,
    settings,
    *,
    seed,
    device,
    bar,
    state=None,
    horizon=None,
    epochs_before=0,
):
    """Train `module` in place, and leave the best weights in it.

    Parameters
    ----------
    module : MultiTaskModule
    tasks : sequence of fitted tasks
        The first is the main task, by whose held-out rows training stops.
    train_rows, valid_rows : ResidentRows
        `valid_rows` is None for training all `max_epochs`.
    settings : TrainingSettings
    seed : int
        Orders the rows, and whatever else is drawn in training.
    device : str
    bar : progress bar
    state : bytes, optional
        Of `training_state`, to go on with.
    horizon : int, optional
        The number of epochs that the learning rate and adversaries are planned for, where it is
        not `max_epochs`.
    epochs_before : int
        How many of them are over.

    Returns
    -------
    TrainingRecord
    """
    record = TrainingRecord()
    prepare(module, tasks)
    if backend := settings.compute.compile:
        module.compile(**({} if backend is True else {"backend": backend}))
    kept, patience, own = LastWeights(), [], without_held_out_rows(settings.callbacks)
    if valid_rows is not None:
        monitored = f"valid_{settings.validation.monitor}_{tasks[0].name}"
        kept = BestWeights(record, monitored, -1 if settings.validation.monitor == "score" else 1)
        patience, own = [Patience(record, settings.patience)], settings.callbacks or []
    # A user's own find an epoch in the history, and in the end the weights that are kept.
    callbacks = [
        EpochRecorder(record, tasks),
        ProgressBar(bar, record),
        kept,
        LeaveWeights(kept),
        *own,
        *patience,
    ]
    # A custom encoder may have batch normalization, which takes no single row.
    limits = {"iterator_train__lone_row": not isinstance(module.encoder, CustomEncoder)}
    if module.encoder.on_frames and settings.batch_size is None:
        limits["iterator_train__most_frames"] = None
    weighting = LOSS_WEIGHTINGS[settings.loss_weighting](
        tasks, torch_stream(seed, "loss weighting")
    )
    net = make_net(
        module,
        tasks,
        device=device,
        criterion=MultiTaskLoss(tasks, train_rows.priors(tasks), weighting),
        procedure=_procedure(
            module, tasks, train_rows, settings, seed, device, horizon, epochs_before
        ),
        optimizer__lr=settings.lr,
        optimizer__weight_decay=settings.optimization.weight_decay,
        # What weighs the losses is no weight of the network: nothing draws it to 0.
        optimizer__param_groups=[("*log_variances", {"weight_decay": 0.0})],
        max_epochs=settings.max_epochs,
        batch_size=-1 if settings.batch_size is None else settings.batch_size,
        iterator_train__generator=torch_stream(seed, "order of rows"),
        train_split=None if valid_rows is None else predefined_split(valid_rows),
        callbacks=callbacks,
        verbose=1,  # for a user's PrintLog: nothing else prints
        **limits,
    )
    net.initialize()
    if state is not None:
        load_training_state(net, state)
    net.partial_fit(train_rows)
    bar.total += len(record.epochs) - settings.max_epochs  # it may have ended early
    bar.refresh()
    record.interrupted = net.interrupted_
    record.net = net
    return record


def prepare(module, tasks):
    """Tell a module which of its heads get gradients or inputs of another kind in training."""
    module.utterance_heads = {place for place, task in enumerate(tasks) if not task.predicts}
    module.reversal = {place: 0.0 for place, task in enumerate(tasks) if task.reverses_gradient}


def _procedure(module, tasks, rows, settings, seed, device, horizon, epochs_before):
    against = settings.adversarial_training
    if against is not None and not against.weight:
        against = None
    scale = feature_spread(rows, tasks) if settings.perturbation.noise or against else None
    perturbation = BatchPerturbation(
        mixup_alpha=settings.perturbation.mixup_alpha,
        augmenters=resolve_batch_augmenters(settings.perturbation.augmenters),
        noise=settings.perturbation.noise,
        dropout=settings.perturbation.dropout,
        seed=seed,
        device=device,
        scale=scale,
    )
    kind = settings.optimization.weight_averaging
    return Procedure(
        tasks,
        total_rows=len(rows) * (horizon or settings.max_epochs),
        seen_rows=len(rows) * epochs_before,
        learning_rate=settings.lr,
        schedule=settings.optimization.lr_schedule,
        warmup=settings.optimization.warmup,
        max_grad_norm=settings.optimization.max_grad_norm,
        perturbation=perturbation if perturbation.active else None,
        adversarial=AdversarialLoss(against, scale=scale, seed=seed, device=device)
        if against
        else None,
        # (not of the horizon: a training anew is shorter, and would end before it begins)
        average=None if kind is None else WeightAverage(kind, module, settings.max_epochs),
        autocast=mixed_precision(settings.compute.mixed_precision, device, rows.weights.dtype),
    )


def mixed_precision(asked, device, dtype):
    """The context in which the network runs in bfloat16, or None for full precision.

    Parameters
    ----------
    asked : "auto" or bool
        "auto": on a GPU that has bfloat16, with a network in single precision.
    device : str
    dtype : torch.dtype
        Of the network.

    Raises
    ------
    SerError
        If it was asked for and the device cannot, or the network is in double precision.
    """
    if dtype == torch.float64:
        if asked is True:
            raise SerError(
                'mixed_precision=True: a network of dtype="float64" is not trained in bfloat16; '
                'use dtype="float32", or mixed_precision=False.'
            )
        return None
    kind = torch.device(device).type
    if asked is True and kind not in ("cpu", "cuda"):
        raise SerError(
            f'mixed_precision=True: the device {device!r} has no bfloat16; use "auto" or False.'
        )
    if asked is True or (asked == "auto" and _has_bfloat16(device)):
        return torch.autocast(kind, dtype=torch.bfloat16)
    return None


def _has_bfloat16(device):
    """Whether it is a GPU that computes in bfloat16 itself: older ones emulate it, slowly."""
    if torch.device(device).type != "cuda":
        return False
    return torch.cuda.get_device_capability(device) >= (8, 0)


_WEIGHTING = "weighting."


def training_state(net):
    """State of a skorch net's optimizer, and of what weighs its losses, as safetensors bytes."""
    values = {
        f"{place}.{name}": value
        for place, values in net.optimizer_.state_dict()["state"].items()
        for name, value in values.items()
    }
    for name, value in net.criterion_.weighting.state_dict().items():
        values[_WEIGHTING + name] = value
    return save({name: value.detach().cpu().contiguous() for name, value in values.items()})


def load_training_state(net, stored):
    """Give an initialized net what :func:`training_state` kept.

    A state that is not of such a training (another `loss_weighting`, or other tasks of weight 0)
    is left alone: the optimizer then begins anew.
    """
    values = load(stored)
    weighting = net.criterion_.weighting
    kept = {
        name.removeprefix(_WEIGHTING): values.pop(name)
        for name in list(values)
        if name.startswith(_WEIGHTING)
    }
    if _shapes(kept) != _shapes(weighting.state_dict()):
        return
    weighting.load_state_dict(kept)
    state = {}
    for name, value in values.items():
        place, _, part = name.partition(".")
        state.setdefault(int(place), {})[part] = value
    net.optimizer_.load_state_dict({**net.optimizer_.state_dict(), "state": state})


def _shapes(values):
    return {name: value.shape for name, value in values.items()}
