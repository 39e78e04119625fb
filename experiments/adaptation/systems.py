"""Estimators of the experiments on adaptation, and the parameters that are searched."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import LinearSVC

from sklearn_ser import (
    GroupScaler,
    LeaveOneCorpusOut,
    MTLNeuralClassifier,
    SpeakerKFold,
    uar_scorer,
)
from sklearn_ser.neural_network import (
    ClassificationTask,
    ConsistencyTask,
    DomainAdversarialTask,
    PseudoLabels,
)

#: Columns of the auxiliary targets of any system.
AUX = ("gender", "speaker", "corpus")
SCALINGS = {"corpus": "corpus", "hierarchical": ["corpus", "speaker"]}

SVM_GRID = {"model__C": [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2]}
LOGISTIC_GRID = {"model__C": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]}
FIXED_EPOCHS = {
    "model__early_stopping": [False],
    "model__optimization__lr_schedule": ["cosine"],
    "model__max_epochs": [20],
    "model__perturbation__noise": [1.0],
    "model__activation": ["relu", "tanh"],
}
#: A fixed number of epochs, or early stopping and then a training on all samples.
NET_GRID = [
    FIXED_EPOCHS,
    {"model__validation__refit": [True], "model__perturbation__noise": [1.0]},
]
CONSISTENCY_GRID = FIXED_EPOCHS | {"model__tasks__consistency__weight": [0.1, 0.3]}
#: Shares of the unlabeled samples that are pseudo-labeled at most.
SELF_TRAINING_GRID = FIXED_EPOCHS | {
    "model__pseudo_labels": [PseudoLabels()],
    "model__pseudo_labels__share": [0.3, 0.6, 0.9],
}
LOGISTIC_SELF_TRAINING_GRID = {
    "model__C": [3e-4, 1e-3, 3e-3, 1e-2],
    "model__threshold": [0.6, 0.9],
}

GENDER = {"gender": ClassificationTask(weight=1.0)}
SPEAKER = {"speaker": ClassificationTask(weight=0.5)}
CORPUS = {"corpus": DomainAdversarialTask(weight=0.3)}
CONSISTENCY = {"consistency": ConsistencyTask(start=0.3)}


def network(scale_by, tasks=None, **parameters):
    """Return a Pipeline of GroupScaler and a network."""
    net = MTLNeuralClassifier().set_params(
        tasks=tasks,
        hidden_units=(128,),
        y_task__class_weight="balanced",
        random_state=0,
        **parameters,
    )
    return Pipeline([("scaler", GroupScaler(by=scale_by)), ("model", net)])


def search(estimator, grid, protocol):
    """Return a search on the training samples: by corpus, or by speaker inside one corpus."""
    one_corpus = protocol == "within-corpus"
    cv = SpeakerKFold(4) if one_corpus else LeaveOneCorpusOut()
    return GridSearchCV(estimator, grid, cv=cv, scoring=uar_scorer, error_score="raise")


def linear_systems(scale_by, protocol):
    """Return the deterministic systems, with searches."""
    models = {
        "SVM": (LinearSVC(class_weight="balanced", dual=False), SVM_GRID),
        "logistic regression": (
            LogisticRegression(class_weight="balanced", max_iter=1000),
            LOGISTIC_GRID,
        ),
    }
    return {
        name: search(
            Pipeline([("scaler", GroupScaler(by=scale_by)), ("model", model)]), grid, protocol
        )
        for name, (model, grid) in models.items()
    }


def network_systems(scale_by, protocol):
    """Return the networks that are trained on labeled samples only, with searches."""
    tasks = {
        "single-task": {},
        "+ gender": GENDER,
        "+ speaker": SPEAKER,
        "+ adversarial corpus": CORPUS,
    }
    found = {
        name: search(network(scale_by, part or None), NET_GRID, protocol)
        for name, part in tasks.items()
    }
    for name, part in {"single-task": None, "+ gender": GENDER}.items():
        ensemble = network(scale_by, part, n_estimators=5)
        found[f"{name}, 5 networks"] = search(ensemble, FIXED_EPOCHS, protocol)
    return found


def adapted_systems(scale_by):
    """Return (estimator, grid) of the systems that are trained on unlabeled test samples too."""

    def consistent(tasks, **parameters):
        net = network(scale_by, tasks | CONSISTENCY, unlabeled="nan", **parameters)
        return net, CONSISTENCY_GRID

    def self_trained(tasks=None, grid=SELF_TRAINING_GRID, **parameters):
        return network(scale_by, tasks, unlabeled="nan", **parameters), grid

    logistic = Pipeline(
        [("scaler", GroupScaler(by=scale_by)), ("model", SelfTrainedLogisticRegression())]
    )
    one_share = SELF_TRAINING_GRID | {"model__pseudo_labels__share": [0.6]}
    systems = {
        "logistic regression, self-trained": (logistic, LOGISTIC_SELF_TRAINING_GRID),
        "single-task + consistency": consistent({}),
        "+ gender + consistency": consistent(GENDER),
        "+ gender + adversarial corpus + consistency": consistent(GENDER | CORPUS),
        "+ gender + consistency, 5 networks": consistent(GENDER, n_estimators=5),
        "single-task + self-training": self_trained(),
        "+ gender + self-training": self_trained(GENDER),
        "+ gender + self-training, 5 networks": self_trained(GENDER, one_share, n_estimators=5),
    }
    return {f"adapted: {name}": system for name, system in systems.items()}


class SelfTrainedLogisticRegression(ClassifierMixin, BaseEstimator):
    """scikit-learn's self-training with the sentinel value "nan"."""

    def __init__(self, C=1e-3, threshold=0.75, unlabeled="nan"):
        self.C = C
        self.threshold = threshold
        self.unlabeled = unlabeled

    def fit(self, X, y):
        y = np.asarray(y, dtype=object)
        is_labeled = np.array([label is not None for label in y])
        self.classes_ = np.unique(y[is_labeled].astype(str))
        codes = np.full(len(y), -1)
        codes[is_labeled] = np.searchsorted(self.classes_, y[is_labeled].astype(str))
        inner = LogisticRegression(C=self.C, class_weight="balanced", max_iter=1000)
        self.model_ = SelfTrainingClassifier(inner, threshold=self.threshold)
        self.model_.fit(np.asarray(X), codes)
        return self

    def predict(self, X):
        return self.classes_[self.model_.predict(np.asarray(X))]
