"""Tasks in a network: how targets become numbers to learn, and outputs become answers."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from pandas.api import types
from scipy.special import log_softmax, logsumexp, softmax

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.metrics import concordance_cc
from sklearn_ser.neural_network.tasks._tasks import (
    ClassificationTask,
    ConsistencyTask,
    ContrastiveTask,
    DomainAdversarialTask,
    ReconstructionTask,
    RegressionTask,
)

#: Parameters of task objects that are kept after training: by them a network was built, or finds
#: its targets again.
_KEPT = ("column", "across", "hidden_units", "time_bins", "n_components")


@dataclass(frozen=True)
class _Fitted:
    """What every task of a network has.

    Parameters
    ----------
    name : str
    weight : float
        Of the task's loss in the sum of all tasks.
    """

    name: str
    weight: float

    #: Whether its outputs answer something that a user may ask (`predict_aux`).
    predicts = True

    @property
    def head_units(self):
        """Widths of the hidden layers of the head that is to be trained."""
        return tuple(getattr(self.spec, "hidden_units", ()))

    def state(self):
        """Plain values, from which :func:`task_from_state` makes the task again."""
        kept = {name: value for name, value in vars(self.spec).items() if name in _KEPT}
        if "hidden_units" in kept:
            kept["hidden_units"] = [int(width) for width in kept["hidden_units"]]
        return {
            "kind": self.kind,
            "name": self.name,
            "weight": self.weight,
            "spec": kept,
            **self._own_state(),
        }


@dataclass(frozen=True)
class Labels(_Fitted):
    """One label per row out of `classes`.

    Parameters
    ----------
    classes : ndarray
        Sorted.
    spec : ClassificationTask
        How it is learned; once training is over, only what made the network or names columns.
    """

    classes: np.ndarray
    spec: ClassificationTask = field(default_factory=ClassificationTask, compare=False)
    kind = "classification"
    spec_type = ClassificationTask

    @classmethod
    def from_column(cls, name, weight, column, spec=None):
        values = column.dropna().tolist()
        try:
            labels = np.asarray(values) if values else np.empty(0)
            classes = np.unique(labels)
            plain = labels.ndim == 1 and labels.dtype.kind in "Ubiuf"
            texts = labels.dtype.kind == "U"
            usable = plain and (not texts or all(isinstance(value, str) for value in values))
        except (TypeError, ValueError):
            usable = False
        if not usable:
            names = sorted({type(value).__name__ for value in values})
            found = "mixes values of the types" if len(names) > 1 else "holds values of the type"
            raise MetadataError(
                f"aux column {column.name!r} {found} {names}: labels of one task must be all "
                "strings, all numbers or all booleans; mark missing ones with None."
            )
        return cls(name, weight, classes, **({} if spec is None else {"spec": spec}))

    @property
    def n_outputs(self):
        return len(self.classes)

    @property
    def constant_value(self):
        """The one value seen, "no value at all", or None where there are several."""
        if len(self.classes) > 1:
            return None
        return repr(self.classes[0].item()) if len(self.classes) else "no value at all"

    def encode(self, column):
        """Class codes (-1 where missing) and whether each row has a label."""
        # As objects: what is missing, and what is no label of the task, is found among no labels.
        classes = pd.Index(self.classes.tolist(), dtype=object)
        codes = classes.get_indexer(pd.Index(column.tolist(), dtype=object)).astype(np.int64)
        return codes, codes >= 0

    def unknown(self, column):
        """Labels of `column` that the task does not have."""
        codes, _ = self.encode(column)
        return sorted(set(column[(codes < 0) & column.notna().to_numpy()].tolist()), key=str)

    def decode(self, outputs):
        return self.classes[outputs.argmax(axis=1)]

    def probabilities(self, outputs):
        # In double precision: rows sum to 1 as exactly as scikit-learn's own classifiers'.
        return softmax(outputs.astype(np.float64), axis=1)

    def _own_state(self):
        return {"classes": self.classes}


@dataclass(frozen=True)
class AdversarialLabels(Labels):
    """Labels whose gradient reaches the encoder reversed."""

    spec: DomainAdversarialTask = field(default_factory=DomainAdversarialTask, compare=False)
    kind = "adversarial"
    spec_type = DomainAdversarialTask


@dataclass(frozen=True)
class Values(_Fitted):
    """One number per row, learned as its distance from `mean` in units of `scale`.

    Parameters
    ----------
    mean, scale : float
        Mean and standard deviation of the training values.
    spec : RegressionTask
    """

    mean: float
    scale: float
    spec: RegressionTask = field(default_factory=RegressionTask, compare=False)
    kind = "regression"
    spec_type = RegressionTask
    n_outputs = 1

    @classmethod
    def from_column(cls, name, weight, column, spec=None):
        values = cls._numbers(name, column)
        known = values[~np.isnan(values)]
        given = {} if spec is None else {"spec": spec}
        if not len(known):
            return cls(name, weight, np.nan, 0.0, **given)
        if known.min() == known.max():  # the rounding of their mean may give a deviation above 0
            return cls(name, weight, float(known[0]), 0.0, **given)
        return cls(name, weight, float(known.mean()), float(known.std()), **given)

    @staticmethod
    def _numbers(name, column):
        if types.is_datetime64_any_dtype(column) or types.is_timedelta64_dtype(column):
            raise MetadataError(
                f"aux column {column.name!r} holds times (dtype {column.dtype}), which a "
                "regression task does not take: convert them to numbers, with NaN where missing."
            )
        try:
            values = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise MetadataError(
                f"aux column {column.name!r} is a regression task but holds values that are not "
                f'numbers ({error}). Use tasks={{{name!r}: "classification"}} for labels.'
            ) from error
        if np.isinf(values).any():
            row = int(np.flatnonzero(np.isinf(values))[0])
            raise MetadataError(
                f"aux column {column.name!r} holds an infinite value in row {row}: give a finite "
                "number, or NaN where it is missing."
            )
        return values

    @property
    def constant_value(self):
        """The one value seen, "no value at all", or None where there are several."""
        if self.scale > 0.0:
            return None
        return "no value at all" if np.isnan(self.mean) else repr(self.mean)

    def encode(self, column):
        """Standardized values (0 where missing) and whether each row has a value."""
        values = self._numbers(self.name, column)
        known = ~np.isnan(values)
        return np.where(known, (values - self.mean) / self.scale, 0.0), known

    def decode(self, outputs):
        return outputs[:, 0].astype(np.float64) * self.scale + self.mean

    def _own_state(self):
        return {"mean": self.mean, "scale": self.scale}


@dataclass(frozen=True)
class Reconstruction(_Fitted):
    """The input again: `n_outputs` numbers a row; its targets are made of the batch.

    Parameters
    ----------
    n_outputs : int
    spec : ReconstructionTask
    """

    n_outputs: int
    spec: ReconstructionTask = field(default_factory=ReconstructionTask, compare=False)
    kind = "reconstruction"
    spec_type = ReconstructionTask
    predicts = False
    constant_value = None

    def _own_state(self):
        return {"n_outputs": self.n_outputs}


@dataclass(frozen=True)
class Contrast(_Fitted):
    """A projection in which rows of one label lie together.

    Parameters
    ----------
    n_outputs : int
        Width of the projection.
    labels, across : Labels or None
        What is drawn together, and what has to differ in that; None once training is over.
    spec : ContrastiveTask
    """

    n_outputs: int
    labels: Labels = field(default=None, compare=False)
    across: Labels = field(default=None, compare=False)
    spec: ContrastiveTask = field(default_factory=ContrastiveTask, compare=False)
    kind = "contrastive"
    spec_type = ContrastiveTask
    predicts = False

    @property
    def constant_value(self):
        return self.labels.constant_value or (
            None if self.across is None else self.across.constant_value
        )

    def _own_state(self):
        return {"n_outputs": self.n_outputs}


@dataclass(frozen=True)
class Consistency(_Fitted):
    """Guesses of the main task for rows without a label; it has no head of its own.

    Parameters
    ----------
    spec : ConsistencyTask
    """

    spec: ConsistencyTask = field(default_factory=ConsistencyTask, compare=False)
    kind = "consistency"
    spec_type = ConsistencyTask
    n_outputs = 0
    predicts = False
    constant_value = None

    def _own_state(self):
        return {}


TASK_KINDS = {
    kind.kind: kind
    for kind in (Labels, AdversarialLabels, Values, Reconstruction, Contrast, Consistency)
}


def task_from_state(state):
    """The task object of a plain dict made by its ``state()``."""
    values = dict(state)
    kind = TASK_KINDS[values.pop("kind")]
    return kind(**values | {"spec": kind.spec_type(**values["spec"])})


def task_score(task, outputs, targets, weights):
    """Unweighted average recall of labels, concordance correlation of values.

    Parameters
    ----------
    task : Labels or Values
    outputs : ndarray of shape (n_rows, n_outputs)
    targets : ndarray of shape (n_rows,)
        Codes of classes, or standardized values.
    weights : ndarray of shape (n_rows,)
        Rows of weight 0 do not count; otherwise weights change nothing.

    Returns
    -------
    float
        NaN where no row counts.
    """
    known = weights > 0
    if not known.any():
        return float("nan")
    targets = targets[known]
    if task.kind == "regression":
        return concordance_cc(targets.astype(np.float64), outputs[known, 0].astype(np.float64))
    right = outputs[known].argmax(axis=1) == targets
    n_rows, n_right = np.bincount(targets), np.bincount(targets, weights=right)
    present = n_rows > 0
    return float((n_right[present] / n_rows[present]).mean())


def utterance_outputs(tasks, outputs, batch):
    """Outputs of each sequence, from those of its frames.

    Posteriors are averaged, and given as their logarithms, of which a softmax makes the posteriors
    again; values are averaged.

    Parameters
    ----------
    tasks : sequence of fitted tasks
    outputs : sequence of Tensor
        One per task, of shape (n_frames, n_outputs); for tasks that answer nothing, of shape
        (n_sequences, n_outputs), which are kept.
    batch : FrameBatch

    Returns
    -------
    list of Tensor of shape (n_sequences, n_outputs)
    """
    pooled = []
    for task, output in zip(tasks, outputs, strict=True):
        if task.kind == "regression":
            pooled.append(batch.means(output))
        elif task.predicts:
            posteriors = batch.means(output.softmax(dim=1))
            pooled.append(posteriors.clamp_min(torch.finfo(output.dtype).tiny).log())
        else:
            pooled.append(output)
    return pooled


def average_outputs(tasks, members):
    """Outputs of an ensemble: of classes, the logarithms of the mean probabilities.

    Parameters
    ----------
    tasks : sequence of fitted tasks
    members : list of list of ndarray of shape (n_rows, n_outputs)
        Outputs of each network, one array per task.

    Returns
    -------
    list of ndarray
        One network's are given as they are.
    """
    if len(members) == 1:
        return members[0]
    averaged = []
    for place, task in enumerate(tasks):
        outputs = np.stack([outputs[place] for outputs in members])
        if task.predicts and task.kind != "regression":
            logs = log_softmax(outputs.astype(np.float64), axis=2)
            averaged.append(logsumexp(logs, axis=0) - np.log(len(members)))
        else:
            averaged.append(outputs.mean(axis=0))
    return averaged
