"""Who takes part in `race.py`: pipelines, and what is searched of each on the training rows."""

import numpy as np
from _folds import Job
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import LinearSVC

from sklearn_ser import GroupScaler, MTLNeuralClassifier
from sklearn_ser.neural_network import (
    ClassificationTask,
    ConsistencyTask,
    DomainAdversarialTask,
    PseudoLabels,
)

#: Columns of the auxiliary targets that any entry may learn.
AUX = ("gender", "speaker", "corpus")

SVM_GRID = {"model__C": [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2]}
LOGISTIC_GRID = {"model__C": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]}
SELF_TRAINED_GRID = {"model__C": [3e-4, 1e-3, 3e-3, 1e-2], "model__threshold": [0.6, 0.9]}
#: A fixed number of epochs, or early stopping and then all rows.
NET_GRID = [
    {
        "model__early_stopping": [False],
        "model__optimization__lr_schedule": ["cosine"],
        "model__max_epochs": [20],
        "model__perturbation__noise": [1.0],
        "model__activation": ["relu", "tanh"],
    },
    {"model__validation__refit": [True], "model__perturbation__noise": [1.0]},
]
GUESSING_GRID = {
    "model__early_stopping": [False],
    "model__optimization__lr_schedule": ["cosine"],
    "model__max_epochs": [20],
    "model__perturbation__noise": [1.0],
    "model__activation": ["relu", "tanh"],
    "model__tasks__guesses__weight": [0.1, 0.3],
}
#: Rounds of self-training, each a training from the start, with few or many of the test rows.
SELF_TRAINING_GRID = {
    **{name: values for name, values in GUESSING_GRID.items() if "guesses" not in name},
    "model__pseudo_labels": [PseudoLabels()],
    "model__pseudo_labels__share": [0.3, 0.6, 0.9],
}
GENDER = {"gender": ClassificationTask(weight=1.0)}
SPEAKER = {"speaker": ClassificationTask(weight=0.5)}
CORPUS = {"corpus": DomainAdversarialTask(weight=0.3)}
GUESSES = {"guesses": ConsistencyTask(start=0.3)}


def entries(scale_by):
    """Name of each entry to its job."""

    def scaled(model):
        return Pipeline([("scaler", GroupScaler(by=scale_by)), ("model", model)])

    def net(tasks=None, **parameters):
        return scaled(
            MTLNeuralClassifier().set_params(
                tasks=tasks,
                hidden_units=(128,),
                y_task__class_weight="balanced",
                random_state=0,
                **parameters,
            )
        )

    def guessing(tasks, **parameters):
        return Job(
            net(tasks | GUESSES, unlabeled="nan", **parameters), GUESSING_GRID, sees_test=True
        )

    def self_training(tasks=None, grid=SELF_TRAINING_GRID, **parameters):
        return Job(net(tasks, unlabeled="nan", **parameters), grid, sees_test=True)

    svm = LinearSVC(class_weight="balanced", dual=False, random_state=None)
    logistic = LogisticRegression(class_weight="balanced", max_iter=1000)
    return {
        "SVM": Job(scaled(svm), SVM_GRID),
        "logistic regression": Job(scaled(logistic), LOGISTIC_GRID),
        "single-task net": Job(net(), NET_GRID),
        "+ gender": Job(net(GENDER), NET_GRID),
        "+ speaker": Job(net(SPEAKER), NET_GRID),
        "+ adversarial corpus": Job(net(CORPUS), NET_GRID),
        "single-task net, 5 networks": Job(net(n_estimators=5), NET_GRID[0]),
        "+ gender, 5 networks": Job(net(GENDER, n_estimators=5), NET_GRID[0]),
        "test rows unlabeled: logistic regression, self-trained": Job(
            scaled(SelfTrainedLogisticRegression()), SELF_TRAINED_GRID, sees_test=True
        ),
        "test rows unlabeled: single-task net + guesses": guessing({}),
        "test rows unlabeled: + gender + guesses": guessing(GENDER),
        "test rows unlabeled: + gender + adversarial corpus + guesses": guessing(GENDER | CORPUS),
        "test rows unlabeled: + gender + guesses, 5 networks": guessing(GENDER, n_estimators=5),
        "test rows unlabeled: single-task net + self-training": self_training(),
        "test rows unlabeled: + gender + self-training": self_training(GENDER),
        "test rows unlabeled: + gender + self-training, 5 networks": self_training(
            GENDER, SELF_TRAINING_GRID | {"model__pseudo_labels__share": [0.6]}, n_estimators=5
        ),
    }


class SelfTrainedLogisticRegression(ClassifierMixin, BaseEstimator):
    """scikit-learn's self-training with the sentinel value "nan"."""

    def __init__(self, C=1e-3, threshold=0.75, unlabeled="nan"):
        self.C = C
        self.threshold = threshold
        self.unlabeled = unlabeled

    def fit(self, X, y):
        known = np.array([label is not None for label in y])
        self.classes_ = np.unique(np.asarray(y)[known].astype(str))
        codes = np.full(len(y), -1)
        codes[known] = np.searchsorted(self.classes_, np.asarray(y)[known].astype(str))
        inner = LogisticRegression(C=self.C, class_weight="balanced", max_iter=1000)
        self.model_ = SelfTrainingClassifier(inner, threshold=self.threshold)
        self.model_.fit(np.asarray(X), codes)
        return self

    def predict(self, X):
        return self.classes_[self.model_.predict(np.asarray(X))]
