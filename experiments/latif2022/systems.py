"""The systems of `mtl_aug.py`: what the paper's abstract claims, one part after the other."""

from dataclasses import dataclass

import numpy as np
from _kim_entries import CorpusFrameScaler
from _mtl_aug_data import COPIES, Known
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser import AugmentingClassifier, GroupScaler, MTLNeuralClassifier
from sklearn_ser.evaluation._fold import is_random
from sklearn_ser.neural_network import ClassificationTask, ReconstructionTask
from sklearn_ser.utils._frames import as_sequences

SVM_GRID = {"estimator__model__C": [1e-5, 1e-4, 1e-3, 1e-2]}
AUX_GRID = {
    "ge2e": {"estimator__model__aux_weight": [0.1, 0.5]},
    "logmel": {"estimator__model__aux_weight": [0.1]},  # (a search would cost many times a fit)
}
TYPE = {"augmentation": ClassificationTask()}
RECONSTRUCTION = {"reconstruction": ReconstructionTask()}


@dataclass(frozen=True)
class System:
    """What is fitted.

    Parameters
    ----------
    estimator : AugmentingClassifier
    grid : dict or None
        Searched on training rows.
    unlabeled : bool
        Whether the training speakers' utterances of other emotions are there, without labels.
    """

    estimator: AugmentingClassifier
    grid: dict | None = None
    unlabeled: bool = False

    @property
    def random(self):
        """Whether seeds tell fits apart."""
        return is_random(self.estimator.estimator)


def systems(kind, tables=None):
    """Name of each system to it.

    Parameters
    ----------
    kind : {"ge2e", "logmel"}
    tables : dict of str to DataFrame, optional
        Of :func:`_mtl_aug_data.load_tables`; nothing can be fitted without.
    """
    tables = tables or dict.fromkeys(COPIES)

    def system(model, *, copies=COPIES, apart=False, grid=None, unlabeled=False):
        known = {name: Known(tables[name], f"|{name}" if apart else None) for name in copies}
        steps = [("scaler", GroupScaler(by="corpus") if kind == "ge2e" else CorpusFrameScaler())]
        if kind == "logmel" and isinstance(model, LinearSVC):
            steps += [("statistics", FunctionTransformer(_statistics)), ("again", StandardScaler())]
        pipeline = Pipeline([*steps, ("model", model)])
        augmenting = AugmentingClassifier(pipeline, known or None, random_state=0)
        return System(augmenting, grid, unlabeled)

    def net(tasks=None, **parameters):
        return network(kind, tasks, **parameters)

    both, searched = TYPE | RECONSTRUCTION, AUX_GRID[kind]
    svm = LinearSVC(class_weight="balanced", dual=False, random_state=None)
    rows = {
        "SVM": system(svm, copies=(), grid=SVM_GRID),
        "SVM + augmentation": system(svm, grid=SVM_GRID),
        "SVM + augmentation, scaled apart": system(svm, grid=SVM_GRID, apart=True),
    }
    longer = net().max_epochs * (1 + len(COPIES))
    found = {
        "single-task": system(net(), copies=()),
        "single-task, as many updates": system(net(max_epochs=longer), copies=()),
        "+ augmentation": system(net()),
        "+ augmentation type": system(net(TYPE), grid=searched),
        "+ reconstruction": system(net(RECONSTRUCTION), grid=searched),
        "+ both": system(net(both), grid=searched),
        "+ both + unlabeled": system(net(both, unlabeled="nan"), grid=searched, unlabeled=True),
    }
    if kind == "ge2e":
        found["+ augmentation, scaled apart"] = system(net(), apart=True)
        found["+ both, scaled apart"] = system(net(both), grid=searched, apart=True)
    return rows | found


def _statistics(X):
    """Mean and deviation of each mel band, for classifiers of rows."""
    return np.stack([np.hstack([part.mean(axis=0), part.std(axis=0)]) for part in as_sequences(X)])


def network(kind, tasks, **parameters):
    """The network of all systems but for its tasks."""
    given = {
        "tasks": tasks,
        "y_task__class_weight": "balanced",
        "early_stopping": False,
        "optimization__lr_schedule": "cosine",
        "random_state": 0,
    }
    if kind == "ge2e":
        given |= {"hidden_units": (128,), "max_epochs": 20}
    else:
        given |= {
            "encoder": "cnn_blstm",
            "encoder_params": {"channels": (8, 16)},
            "hidden_units": (32,),
            "max_epochs": 12,
            "batch_size": 64,
            "lr": 2e-3,
            "perturbation__noise": 0.2,
        }
    return MTLNeuralClassifier().set_params(**given | parameters)
