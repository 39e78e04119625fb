"""Training of a single network with skorch."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors.torch import load, save
from skorch.helper import predefined_split

from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network._module import MultiTaskModule, build_module, load_weights
from sklearn_ser.neural_network._random import torch_stream
from sklearn_ser.neural_network.encoders._registry import CustomEncoder
from sklearn_ser.neural_network.tasks._losses import LOSS_WEIGHTINGS, MultiTaskLoss
from sklearn_ser.neural_network.training._adversarial_training import AdversarialLoss
from sklearn_ser.neural_network.training._batch_perturbation import (
    BatchPerturbation,
    feature_spread,
)
from sklearn_ser.neural_network.training._batches import (
    EVALUATION_BATCH,
    LengthBatches,
    ResidentRows,
    SliceBatches,
)
from sklearn_ser.neural_network.training._callbacks import (
    BestWeights,
    EpochRecorder,
    LastWeights,
    Patience,
    without_validation_callbacks,
)
from sklearn_ser.neural_network.training._skorch_net import MultiTaskNet, Procedure, WeightAverage

if TYPE_CHECKING:
    from sklearn_ser.neural_network._settings import (
        ComputeSettings,
        InputPerturbation,
        OptimizationSettings,
    )
    from sklearn_ser.neural_network.tasks._base import FittedTask
    from sklearn_ser.neural_network.training._adversarial_training import AdversarialTraining
    from sklearn_ser.neural_network.training._callbacks import Interrupts


@dataclass(frozen=True)
class Start:
    """State of a fitted network from which training continues; by default, a new network."""

    weights: bytes | None = None
    optimizer_state: bytes | None = None  # of `optimizer_state`
    temperature: float = 1.0
    epochs_before: int = 0  # of the planned ones


@dataclass(frozen=True)
class TrainingSettings:
    """Settings of the training of a network; the first of its tasks is the main task."""

    architecture: dict[str, Any]  # of `describe_network`
    tasks: Sequence[FittedTask]
    device: str
    seed: int  # from which all random streams of the network are derived
    bar: Any
    interrupts: Interrupts
    planned_epochs: int  # that schedules are planned for, if all of them are run
    start: Start
    max_epochs: int
    batch_size: int | None
    lr: float
    loss_weighting: str
    patience: int
    callbacks: list | None
    adversarial_training: AdversarialTraining | None
    optimization: OptimizationSettings
    perturbation: InputPerturbation
    compute: ComputeSettings
    monitor: Literal["loss", "score"]


@dataclass
class TrainingRecord:
    """Result of a training: the net, and one row of plain values per complete epoch."""

    epochs: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int = 0
    net: MultiTaskNet | None = None

    @property
    def module(self) -> MultiTaskModule:
        """The trained network."""
        assert self.net is not None
        return self.net.module_

    def columns(self) -> dict[str, list]:
        """Return the epochs as a dict of lists of equal length."""
        return {name: [epoch[name] for epoch in self.epochs] for name in self.epochs[0]}


def fit_one(
    rows: ResidentRows, settings: TrainingSettings, valid: ResidentRows | None = None
) -> TrainingRecord:
    """Train one network and retain its best weights.

    The record has no epochs if a user interrupt came in the first one.
    """
    tasks, device, seed = settings.tasks, settings.device, settings.seed
    record = TrainingRecord()
    module = build_module(settings.architecture, device=device, seed=seed)
    if settings.start.weights is not None:
        load_weights(module, settings.start.weights)
    module.utterance_heads = {index for index, task in enumerate(tasks) if not task.predicts}
    module.reversal = {index: 0.0 for index, task in enumerate(tasks) if task.reverses_gradient}
    if backend := settings.compute.compile:
        module.compile(**({} if backend is True else {"backend": backend}))
    retained: LastWeights | BestWeights = LastWeights()
    patience: list[Patience] = []
    of_user = without_validation_callbacks(settings.callbacks)
    if valid is not None:
        monitored = f"valid_{settings.monitor}_{tasks[0].name}"
        retained = BestWeights(record, monitored, -1 if settings.monitor == "score" else 1)
        patience, of_user = [Patience(record, settings.patience)], settings.callbacks or []
    # Callbacks of users find the epoch in the history and, in the end, the retained weights.
    callbacks = [EpochRecorder(record, tasks, settings.bar), retained, *of_user, *patience]
    # A custom encoder may contain batch normalization, which cannot process a single sample.
    limits: dict[str, Any] = {
        "iterator_train__lone_row": not isinstance(module.encoder, CustomEncoder)
    }
    if module.encoder.on_frames and settings.batch_size is None:
        limits["iterator_train__most_frames"] = None
    weighting = LOSS_WEIGHTINGS[settings.loss_weighting](
        tasks, torch_stream(seed, "loss weighting")
    )
    net = make_net(
        module,
        tasks,
        device=device,
        criterion=MultiTaskLoss(tasks, rows.priors(tasks), weighting),
        procedure=_procedure(module, rows, settings),
        optimizer__lr=settings.lr,
        optimizer__weight_decay=settings.optimization.weight_decay,
        # Learned weights of losses are no weights of the network, and do not decay.
        optimizer__param_groups=[("*log_variances", {"weight_decay": 0.0})],
        max_epochs=settings.max_epochs,
        batch_size=-1 if settings.batch_size is None else settings.batch_size,
        iterator_train__generator=torch_stream(seed, "order of rows"),
        train_split=None if valid is None else predefined_split(valid),
        callbacks=callbacks,
        verbose=1,  # for PrintLog callbacks of users: nothing else prints
        **limits,
    )
    net.initialize()
    if settings.start.optimizer_state is not None:
        load_optimizer_state(net, settings.start.optimizer_state)
    net.partial_fit(rows)
    settings.bar.total += len(record.epochs) - settings.max_epochs  # it may have ended early
    settings.bar.refresh()
    record.net = net
    return record


def make_net(module, tasks, *, device, criterion=None, **settings):
    """Return the skorch net of a module and its tasks, not yet initialized."""
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


def _procedure(module, rows, settings):
    seed, device, optimization = settings.seed, settings.device, settings.optimization
    adversarial = settings.adversarial_training
    if adversarial is not None and not adversarial.weight:
        adversarial = None
    needs_scale = settings.perturbation.noise or adversarial
    scale = feature_spread(rows, settings.tasks) if needs_scale else 1.0
    perturbation = BatchPerturbation(settings.perturbation, seed=seed, device=device, scale=scale)
    kind = optimization.weight_averaging
    return Procedure(
        settings.tasks,
        interrupts=settings.interrupts,
        total_rows=len(rows) * settings.planned_epochs,
        seen_rows=len(rows) * settings.start.epochs_before,
        lr=settings.lr,
        optimization=optimization,
        perturbation=perturbation if perturbation.active else None,
        adversarial=adversarial
        and AdversarialLoss(adversarial, scale=scale, seed=seed, device=device),
        # Planned for its own epochs: a refit is shorter, and would end before it begins.
        average=None if kind is None else WeightAverage(kind, module, settings.max_epochs),
        autocast=mixed_precision(settings.compute.mixed_precision, device, rows.weights.dtype),
    )


def mixed_precision(
    requested: Literal["auto"] | bool, device: str, dtype: torch.dtype
) -> contextlib.AbstractContextManager | None:
    """Return the context in which the network runs in bfloat16, or None for full precision.

    "auto" requests it on GPUs that support bfloat16. `dtype` is that of the network.
    """
    if dtype == torch.float64:
        if requested is True:
            raise SerError(
                "compute__mixed_precision=True requires compute__dtype='float32', found 'float64'. "
                "Change one of the two."
            )
        return None
    kind = torch.device(device).type
    if requested is True and kind not in ("cpu", "cuda"):
        raise SerError(
            f"compute__mixed_precision=True: the device {device!r} does not support bfloat16. Set "
            'it to "auto" or False.'
        )
    if requested == "auto":  # GPUs below compute capability 8 emulate bfloat16, slowly
        requested = kind == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0)
    return torch.autocast(kind, dtype=torch.bfloat16) if requested else None


_WEIGHTING = "weighting."


def optimizer_state(record: TrainingRecord) -> bytes:
    """Return the state of the optimizer, and of the weighting of the losses, as safetensors."""
    net = record.net
    assert net is not None  # of a complete training
    values = {
        f"{index}.{name}": value
        for index, values in net.optimizer_.state_dict()["state"].items()
        for name, value in values.items()
    }
    for name, value in net.criterion_.weighting.state_dict().items():
        values[_WEIGHTING + name] = value
    return save({name: value.detach().cpu().contiguous() for name, value in values.items()})


def load_optimizer_state(net: MultiTaskNet, stored: bytes) -> None:
    """Load what :func:`optimizer_state` returned into an initialized net.

    The state of another training (another `loss_weighting`, or other tasks of weight 0) is
    ignored; the optimizer then starts from scratch.
    """
    values = load(stored)
    weighting = net.criterion_.weighting
    of_weighting = {
        name.removeprefix(_WEIGHTING): values.pop(name)
        for name in list(values)
        if name.startswith(_WEIGHTING)
    }
    if _shapes(of_weighting) != _shapes(weighting.state_dict()):
        return
    weighting.load_state_dict(of_weighting)
    state: dict[int, dict[str, torch.Tensor]] = {}
    for name, value in values.items():
        index, _, part = name.partition(".")
        state.setdefault(int(index), {})[part] = value
    net.optimizer_.load_state_dict({**net.optimizer_.state_dict(), "state": state})


def _shapes(values):
    return {name: value.shape for name, value in values.items()}
