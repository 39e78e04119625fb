"""Who takes part in `race.py`: pipelines, and what is searched of each on the training rows."""

from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC

from sklearn_ser import (
    AdversarialTask,
    ClassificationTask,
    GroupScaler,
    MTLNeuralClassifier,
)

#: Columns of the auxiliary targets that any entry may learn.
AUX = ("gender", "speaker", "corpus", "naturalness", "naturalness_rating")

SVM_GRID = {"model__C": [1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2]}
LOGISTIC_GRID = {"model__C": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1]}
NET_GRID = {"model__input_noise": [0.5, 2.0], "model__max_epochs": [8, 20]}
GENDER = {"gender": ClassificationTask(weight=0.5)}
SPEAKER = {"speaker": ClassificationTask(weight=0.5)}


def entries(scale_by, protocol):
    """Name of each entry to its pipeline and its grid."""

    def scaled(model):
        return Pipeline([("scaler", GroupScaler(by=scale_by)), ("model", model)])

    def net(tasks=None, **parameters):
        return scaled(
            MTLNeuralClassifier(
                tasks=tasks,
                class_weight="balanced",
                early_stopping=False,
                random_state=0,
                **parameters,
            )
        )

    svm = LinearSVC(class_weight="balanced", dual=False, random_state=None)
    logistic = LogisticRegression(class_weight="balanced", max_iter=1000)
    return {
        "SVM": (scaled(svm), SVM_GRID),
        "logistic regression": (scaled(logistic), LOGISTIC_GRID),
        "single-task net": (net(), NET_GRID),
        "+ gender": (net(GENDER), NET_GRID),
        "+ speaker": (net(SPEAKER), NET_GRID),
        "+ adversarial corpus": (net({"corpus": AdversarialTask(weight=0.3)}), NET_GRID),
    }
