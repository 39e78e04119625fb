"""Tasks: how a column of targets becomes numbers to learn, and outputs become answers."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import softmax

from sklearn_ser.exceptions import MetadataError


@dataclass(frozen=True)
class ClassificationTask:
    """One label per row out of `classes`.

    Parameters
    ----------
    name : str
    weight : float
        Of the task's loss in the sum of all tasks.
    classes : ndarray
        Sorted.
    """

    name: str
    weight: float
    classes: np.ndarray
    kind = "classification"

    @classmethod
    def from_column(cls, name, weight, column):
        values = column.dropna().tolist()
        try:
            classes = np.unique(np.asarray(values)) if values else np.empty(0)
            mixed = classes.dtype.kind in "US" and not all(isinstance(v, str) for v in values)
        except (TypeError, ValueError):
            mixed = True
        if mixed:
            types = sorted({type(value).__name__ for value in values})
            raise MetadataError(
                f"aux column {name!r} mixes values of the types {types}: labels of one task must "
                "be all strings, all numbers or all booleans; mark missing ones with None."
            )
        return cls(name, weight, classes)

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
        codes = pd.Categorical(column.tolist(), categories=self.classes.tolist()).codes
        codes = codes.astype(np.int64)
        return codes, codes >= 0

    def decode(self, outputs):
        return self.classes[outputs.argmax(axis=1)]

    def probabilities(self, outputs):
        # In double precision: rows sum to 1 as exactly as scikit-learn's own classifiers'.
        return softmax(outputs.astype(np.float64), axis=1)

    def state(self):
        return {
            "name": self.name,
            "weight": self.weight,
            "kind": self.kind,
            "classes": self.classes,
        }


@dataclass(frozen=True)
class RegressionTask:
    """One number per row, learnt as its distance from `mean` in units of `scale`.

    Parameters
    ----------
    name : str
    weight : float
        Of the task's loss in the sum of all tasks.
    mean, scale : float
        Mean and standard deviation of the training values.
    """

    name: str
    weight: float
    mean: float
    scale: float
    kind = "regression"
    n_outputs = 1

    @classmethod
    def from_column(cls, name, weight, column):
        values = cls._numbers(name, column)
        known = values[~np.isnan(values)]
        if not len(known):
            return cls(name, weight, np.nan, 0.0)
        return cls(name, weight, float(known.mean()), float(known.std()))

    @staticmethod
    def _numbers(name, column):
        try:
            values = pd.to_numeric(column).to_numpy(dtype=np.float64, na_value=np.nan)
        except (TypeError, ValueError) as error:
            raise MetadataError(
                f"aux column {name!r} is a regression task but holds values that are not "
                f'numbers ({error}). Use tasks={{{name!r}: "classification"}} for labels.'
            ) from error
        if np.isinf(values).any():
            row = int(np.flatnonzero(np.isinf(values))[0])
            raise MetadataError(
                f"aux column {name!r} holds an infinite value in row {row}: give a finite number, "
                "or NaN where it is missing."
            )
        return values

    @property
    def constant_value(self):
        """The one value seen, "no value at all", or None where there are several."""
        if self.scale > 0.0:
            return None
        return "no value at all" if np.isnan(self.mean) else repr(self.mean)

    def encode(self, column):
        """Standardised values (0 where missing) and whether each row has a value."""
        values = self._numbers(self.name, column)
        known = ~np.isnan(values)
        return np.where(known, (values - self.mean) / self.scale, 0.0), known

    def decode(self, outputs):
        return outputs[:, 0].astype(np.float64) * self.scale + self.mean

    def state(self):
        return {
            "name": self.name,
            "weight": self.weight,
            "kind": self.kind,
            "mean": self.mean,
            "scale": self.scale,
        }


TASK_KINDS = {task.kind: task for task in (ClassificationTask, RegressionTask)}


def task_from_state(state):
    """The task object of a plain dict made by its ``state()``."""
    values = dict(state)
    return TASK_KINDS[values.pop("kind")](**values)
