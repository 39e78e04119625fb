"""Systems of `mtl_aug.py`: each adds one part of the published system."""

from dataclasses import dataclass

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC

from experiments.kim2017.systems import CorpusFrameScaler
from experiments.latif2022.data import COPIES, StoredCopies
from sklearn_ser import AugmentingClassifier, GroupScaler, MTLNeuralClassifier
from sklearn_ser.neural_network import ClassificationTask, ReconstructionTask

SVM_GRID = {"estimator__model__C": [1e-5, 1e-4, 1e-3, 1e-2]}
AUX_GRID = {
    "ge2e": {"estimator__model__aux_weight": [0.1, 0.5]},
    "logmel": {"estimator__model__aux_weight": [0.1]},  # (a search would cost many times a fit)
}
TYPE = {"augmentation": ClassificationTask()}
RECONSTRUCTION = {"reconstruction": ReconstructionTask()}


@dataclass(frozen=True)
class System:
    """An estimator and its search.

    Parameters
    ----------
    estimator : AugmentingClassifier
    grid : dict or None
        Searched on training samples.
    unlabeled : bool
        Whether the training speakers' utterances of other emotions are added, without labels.
    """

    estimator: AugmentingClassifier
    grid: dict | None = None
    unlabeled: bool = False

    @property
    def is_random(self):
        """Whether fits with different seeds differ."""
        return isinstance(self.estimator.estimator.named_steps["model"], MTLNeuralClassifier)


def make_systems(kind, tables=None):
    """Return the systems by name.

    Parameters
    ----------
    kind : {"ge2e", "logmel"}
    tables : dict of str to DataFrame, optional
        Result of `load_tables`; without it nothing can be fitted.
    """
    tables = tables or dict.fromkeys(COPIES)

    def system(model, *, copies=COPIES, separate=False, grid=None, unlabeled=False):
        augmenters = {
            name: StoredCopies(tables[name], f"|{name}" if separate else None) for name in copies
        }
        steps = [("scaler", GroupScaler(by="corpus") if kind == "ge2e" else CorpusFrameScaler())]
        if kind == "logmel" and isinstance(model, LinearSVC):
            steps += [
                ("statistics", FunctionTransformer(_statistics)),
                ("statistics_scaler", StandardScaler()),
            ]
        pipeline = Pipeline([*steps, ("model", model)])
        augmenting = AugmentingClassifier(pipeline, augmenters or None, random_state=0)
        return System(augmenting, grid, unlabeled)

    def net(tasks=None, **parameters):
        return make_network(kind, tasks, **parameters)

    both, searched = TYPE | RECONSTRUCTION, AUX_GRID[kind]
    svm = LinearSVC(class_weight="balanced", dual=False)
    longer = net().max_epochs * (1 + len(COPIES))
    systems = {
        "SVM": system(svm, copies=(), grid=SVM_GRID),
        "SVM + augmentation": system(svm, grid=SVM_GRID),
        "SVM + augmentation, scaled separately": system(svm, grid=SVM_GRID, separate=True),
        "single-task": system(net(), copies=()),
        "single-task, as many updates": system(net(max_epochs=longer), copies=()),
        "+ augmentation": system(net()),
        "+ augmentation type": system(net(TYPE), grid=searched),
        "+ reconstruction": system(net(RECONSTRUCTION), grid=searched),
        "+ both": system(net(both), grid=searched),
        "+ both + unlabeled": system(net(both, unlabeled="nan"), grid=searched, unlabeled=True),
    }
    if kind == "ge2e":
        systems["+ augmentation, scaled separately"] = system(net(), separate=True)
        systems["+ both, scaled separately"] = system(net(both), grid=searched, separate=True)
    return systems


def _statistics(X):
    """Return mean and deviation of each mel band, for classifiers of vectors."""
    return np.stack(
        [np.hstack([frames.mean(axis=0), frames.std(axis=0)]) for frames in X["frames"]]
    )


def make_network(kind, tasks, **parameters):
    """Return the network of all systems, with its tasks."""
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
