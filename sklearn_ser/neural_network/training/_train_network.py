"""Training of a single network with skorch."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from inspect import signature
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Literal

import torch
from safetensors.torch import load, save
from skorch.callbacks import EpochTimer, PrintLog
from skorch.helper import predefined_split

from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network._module import MultiTaskModule, build_module, load_weights
from sklearn_ser.neural_network._random import torch_stream
from sklearn_ser.neural_network._sequences import MOST_FRAMES
from sklearn_ser.neural_network.encoders._registry import CustomEncoder
from sklearn_ser.neural_network.tasks._losses import LOSS_WEIGHTINGS, MultiTaskLoss
from sklearn_ser.neural_network.training._adversarial_training import AdversarialLoss
from sklearn_ser.neural_network.training._batch_perturbation import (
    BatchPerturbation,
    feature_spread,
)
from sklearn_ser.neural_network.training._batches import EVALUATION_BATCH, Batches, ResidentRows
from sklearn_ser.neural_network.training._callbacks import (
    BestWeights,
    EpochRecorder,
    LastWeights,
    Patience,
    without_validation_callbacks,
)
from sklearn_ser.neural_network.training._training_step import (
    MultiTaskNet,
    Procedure,
    WeightAverage,
)

if TYPE_CHECKING:
    from sklearn_ser.neural_network.tasks._base import FittedTask
    from sklearn_ser.neural_network.training._callbacks import Interrupts


#: Columns of the history, by task, that are not printed.
_NOT_PRINTED = ("train_loss", "valid_loss", "weight")
#: Optimizers by their names in the parameter `optimizer`.
OPTIMIZERS = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}
#: Parameters of optimizers that are not in `optimizer_params`.
_NAMED_ELSEWHERE = {"params", "lr", "weight_decay"}


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

    params: Any  # the estimator, of which only parameters are read
    objects: SimpleNamespace  # its parameter objects
    architecture: dict[str, Any]  # of `describe_network`
    tasks: Sequence[FittedTask]
    device: str
    seed: int  # from which all random streams of the network are derived
    bar: Any
    interrupts: Interrupts
    start: Start
    max_epochs: int  # schedules are planned for those of the estimator
    one_epoch: bool  # a pass of partial_fit, after which the optimizer's state is retained
    validation_fraction: float | None  # None if nothing is held out


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


def train_network(
    rows: ResidentRows, settings: TrainingSettings, valid: ResidentRows | None = None
) -> TrainingRecord:
    """Train a network and retain its best weights; there are none before an epoch is complete."""
    params, objects, tasks = settings.params, settings.objects, settings.tasks
    device, seed = settings.device, settings.seed
    record = TrainingRecord()
    module = build_module(settings.architecture, device=device, seed=seed)
    if settings.start.weights is not None:
        load_weights(module, settings.start.weights)
    module.utterance_heads = {index for index, task in enumerate(tasks) if not task.predicts}
    module.reversal = {index: 0.0 for index, task in enumerate(tasks) if task.reverses_gradient}
    if backend := objects.compute.compile:
        module.compile(**({} if backend is True else {"backend": backend}))
    retained: LastWeights | BestWeights = LastWeights()
    patience: list[Patience] = []
    of_user = without_validation_callbacks(params.callbacks)
    if valid is not None:
        monitor = objects.validation.monitor
        monitored = f"valid_{monitor}_{tasks[0].name}"
        retained = BestWeights(record, monitored, -1 if monitor == "score" else 1)
        patience, of_user = [Patience(record, params.patience)], params.callbacks or []
    # Callbacks of users find the epoch in the history and, in the end, the retained weights.
    callbacks = [EpochRecorder(record, tasks, settings.bar), retained, *of_user, *patience]
    if params.verbose > 1:
        by_task = [f"{name}_{task.name}" for task in tasks for name in _NOT_PRINTED]
        callbacks = [EpochTimer(), callbacks[0], PrintLog(by_task), *callbacks[1:]]
    weighting = LOSS_WEIGHTINGS[params.loss_weighting](tasks, torch_stream(seed, "loss weighting"))
    net = make_net(
        module,
        tasks,
        device=device,
        criterion=MultiTaskLoss(tasks, rows.priors(tasks), weighting),
        procedure=_procedure(module, rows, settings),
        **_optimizer(params.lr, objects.optimization, device),
        max_epochs=settings.max_epochs,
        batch_size=-1 if params.batch_size is None else params.batch_size,
        iterator_train__generator=torch_stream(seed, "order of rows"),
        iterator_train__most_frames=None if params.batch_size is None else MOST_FRAMES,
        # A custom encoder may contain batch normalization, which cannot process a single sample.
        iterator_train__lone_row=not isinstance(module.encoder, CustomEncoder),
        train_split=None if valid is None else predefined_split(valid),
        callbacks=callbacks,
        verbose=1,  # for PrintLog callbacks of users: nothing else prints
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
    given = {
        "optimizer": torch.optim.AdamW,
        "train_split": None,
        "procedure": Procedure(tasks),
        "verbose": 0,
    } | settings
    return MultiTaskNet(
        module,
        criterion=MultiTaskLoss(tasks) if criterion is None else criterion,
        iterator_train=Batches,
        iterator_valid=Batches,
        iterator_valid__batch_size=EVALUATION_BATCH,
        device=device,
        **given,
    )


def _optimizer(lr, settings, device):
    """Return the optimizer and its parameters as parameters of a skorch net."""
    kind, given = settings.optimizer, dict(settings.optimizer_params or {})
    kind = OPTIMIZERS[kind] if isinstance(kind, str) else kind
    if not issubclass(kind, torch.optim.Optimizer) or kind is torch.optim.LBFGS:
        raise TypeError(
            f"optimization__optimizer is {kind.__name__}, and must be one of {sorted(OPTIMIZERS)} "
            "or a subclass of torch.optim.Optimizer that needs no closure."
        )
    known = signature(kind).parameters
    unknown = sorted(given.keys() - known)
    if unknown or given.keys() & _NAMED_ELSEWHERE:
        raise ValueError(
            f"optimization__optimizer_params is {given!r}, and must name parameters of "
            f"{kind.__name__} other than lr (lr of the network) and weight_decay "
            f"(optimization__weight_decay): {sorted({*known} - _NAMED_ELSEWHERE)}."
        )
    given["lr"] = lr
    if "weight_decay" in known:
        given["weight_decay"] = settings.weight_decay
        # Learned weights of losses are not weights of the network, and do not decay.
        given["param_groups"] = [("*log_variances", {"weight_decay": 0.0})]
    if "fused" in known:
        given.setdefault("fused", torch.device(device).type in ("cpu", "cuda"))
    return {"optimizer": kind, **{f"optimizer__{name}": value for name, value in given.items()}}


def _procedure(module, rows, settings):
    params, objects = settings.params, settings.objects
    seed, device, optimization = settings.seed, settings.device, objects.optimization
    adversarial = params.adversarial_training
    if adversarial is not None and not adversarial.weight:
        adversarial = None
    needs_scale = objects.perturbation.noise or adversarial
    scale = feature_spread(rows, settings.tasks) if needs_scale else 1.0
    perturbation = BatchPerturbation(objects.perturbation, seed=seed, device=device, scale=scale)
    kind = optimization.weight_averaging
    return Procedure(
        settings.tasks,
        interrupts=settings.interrupts,
        total_rows=len(rows) * params.max_epochs,
        seen_rows=len(rows) * settings.start.epochs_before,
        lr=params.lr,
        optimization=optimization,
        perturbation=perturbation if perturbation.active else None,
        adversarial=adversarial
        and AdversarialLoss(adversarial, scale=scale, seed=seed, device=device),
        # Planned for its own epochs: a refit is shorter, and would end before it begins.
        average=None if kind is None else WeightAverage(kind, module, settings.max_epochs),
        autocast=mixed_precision(objects.compute.mixed_precision, device, rows.weights.dtype),
    )


def mixed_precision(
    requested: Literal["auto"] | bool, device: str, dtype: torch.dtype
) -> contextlib.AbstractContextManager | None:
    """Return the context in which the network runs in bfloat16, or None for full precision."""
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
    kind = type(net.optimizer_).__name__
    values = {
        f"{kind}.{index}.{name}": value
        for index, values in net.optimizer_.state_dict()["state"].items()
        for name, value in values.items()
        if isinstance(value, torch.Tensor)
    }
    for name, value in net.criterion_.weighting.state_dict().items():
        values[_WEIGHTING + name] = value
    return save({name: value.detach().cpu().contiguous() for name, value in values.items()})


def load_optimizer_state(net: MultiTaskNet, stored: bytes) -> None:
    """Load what :func:`optimizer_state` returned, unless it is the state of another training."""
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
        kind, index, part = name.split(".", 2)
        if kind != type(net.optimizer_).__name__:
            return
        state.setdefault(int(index), {})[part] = value
    net.optimizer_.load_state_dict({**net.optimizer_.state_dict(), "state": state})


def _shapes(values):
    return {name: value.shape for name, value in values.items()}
