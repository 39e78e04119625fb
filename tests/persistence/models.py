"""Small fitted models of every class that a model file can hold; do not fit them again."""

from functools import cache

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.feature_selection import VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import MinMaxScaler, Normalizer, RobustScaler, StandardScaler
from sklearn.svm import SVC, LinearSVC

from sklearn_ser import FrameScaler, GroupScaler, MTLNeuralClassifier, SkipFailedRows, uar_scorer
from sklearn_ser.augmentation import AugmentingClassifier, FeatureNoise, Mixup, SpecAugment
from sklearn_ser.feature_extraction import (
    MFCC,
    LogMelSpectrogram,
    OpenSmileExtractor,
    Prosody,
    SlidingWindows,
    SpeakerEmbedding,
)
from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.neural_network import ELMClassifier, HighLevelFeatures
from sklearn_ser.preprocessing import FunctionalsPooling
from sklearn_ser.recipes import make_svm_baseline

X, y = load_iris(return_X_y=True)
NAMES = np.array(["anger", "happiness", "sadness"])[y]
TWO = slice(0, 100)
TABLE = pd.DataFrame(X, columns=["a", "b", "c", "d"]).assign(
    corpus=np.repeat(["x", "y", "z"], 50), speaker=np.arange(150) % 6
)
FRAMES = [
    np.outer(np.linspace(0.5, 1.5, 4 + i % 3), row).astype("float32") for i, row in enumerate(X)
]
AUX = pd.DataFrame({"gender": np.where(np.arange(150) % 2, "female", "male")})


def net(**params):
    given = {"max_epochs": 2, "hidden_units": (4,), "random_state": 0}
    return MTLNeuralClassifier().set_params(**given | params)


def _search():
    search = make_svm_baseline(features=None, scale_by=None, Cs=[0.01, 0.1], cv=3)
    return search.fit(X, NAMES, groups=np.arange(150) % 10)


def _requests():
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=False)
        return make_pipeline(scaler, net()).fit(X, NAMES, aux=AUX)


def _high_level():
    frame_net = net(encoder="frame_dnn", encoder_params={"pooling": "frames"})
    return make_pipeline(FrameScaler(), HighLevelFeatures(frame_net), ELMClassifier(random_state=0))


#: A function that fits a model, and its inputs for predictions.
MODELS = {
    "standard": (lambda: StandardScaler().fit(X), X),
    "standard of a table": (lambda: StandardScaler().fit(TABLE[list("abcd")]), TABLE[list("abcd")]),
    "standard without scale": (lambda: StandardScaler(with_std=False).fit(X), X),
    "minmax": (lambda: MinMaxScaler().fit(X.astype("float32")), X.astype("float32")),
    "robust": (lambda: RobustScaler().fit(X), X),
    "normalizer": (lambda: Normalizer().fit(X), X),
    "imputer": (lambda: SimpleImputer().fit(np.where(X > 6, np.nan, X)), X),
    "variance": (lambda: VarianceThreshold(0.2).fit(X), X),
    "pca": (lambda: PCA(2).fit(X), X),
    "pca of a fraction": (lambda: PCA(0.9, whiten=True).fit(X), X),
    "linear svm": (lambda: LinearSVC().fit(X, NAMES), X),
    "linear svm without intercept": (lambda: LinearSVC(fit_intercept=False).fit(X, y), X),
    "linear svm of objects": (lambda: LinearSVC().fit(X[TWO], NAMES[TWO].astype(object)), X),
    "svm": (lambda: SVC().fit(X, NAMES), X),
    "svm of two classes": (lambda: SVC(kernel="linear").fit(X[TWO], NAMES[TWO]), X),
    "svm of a polynomial": (lambda: SVC(kernel="poly", class_weight="balanced").fit(X, y), X),
    "logistic": (lambda: LogisticRegression(max_iter=1000).fit(X, NAMES), X),
    "logistic of two classes": (
        lambda: LogisticRegression(C=np.float64(0.1)).fit(X[TWO].astype("float32"), y[TWO] > 0),
        X.astype("float32"),
    ),
    "bayes": (lambda: GaussianNB().fit(X, NAMES), X),
    "dummy": (lambda: DummyClassifier(strategy="prior").fit(X, NAMES), X),
    "calibrated": (lambda: CalibratedClassifierCV(LinearSVC(), cv=2).fit(X, NAMES), X),
    "calibrated, isotonic": (
        lambda: CalibratedClassifierCV(LinearSVC(), cv=2, method="isotonic").fit(X[TWO], y[TWO]),
        X,
    ),
    "calibrated, temperature": (
        lambda: CalibratedClassifierCV(net(tasks=None), cv=2, method="temperature").fit(X, NAMES),
        X,
    ),
    "calibrated, frozen": (
        lambda: CalibratedClassifierCV(FrozenEstimator(net().fit(X, NAMES))).fit(X, NAMES),
        X,
    ),
    "voting": (
        lambda: VotingClassifier(
            [("net", net(tasks=None)), ("off", "drop"), ("bayes", GaussianNB())], voting="soft"
        ).fit(X, NAMES),
        X,
    ),
    "stacking": (
        lambda: StackingClassifier([("svm", LinearSVC()), ("bayes", GaussianNB())], cv=2).fit(
            X, NAMES
        ),
        X,
    ),
    "bagging": (
        lambda: BaggingClassifier(LinearSVC(), n_estimators=2, random_state=0).fit(X, NAMES),
        X,
    ),
    "search": (_search, X),
    "random search": (
        lambda: RandomizedSearchCV(
            SVC(), {"C": [0.1, 1.0], "gamma": np.logspace(-2, 0, 3)}, n_iter=2, random_state=0,
            scoring=["accuracy", "f1_macro"], refit="accuracy",
        ).fit(X, NAMES),
        X,
    ),
    "grid search": (
        lambda: GridSearchCV(
            make_pipeline(StandardScaler(), LinearSVC()), {"linearsvc__C": [0.1, 1.0]},
            cv=SpeakerKFold(3), scoring=uar_scorer,
        ).fit(TABLE[list("abcd")].set_index(TABLE["speaker"].rename("speaker")), NAMES),
        TABLE[list("abcd")],
    ),
    "group scaler": (lambda: GroupScaler(["corpus", "speaker"], min_samples=2).fit(TABLE), TABLE),
    "union": (
        lambda: FeatureUnion([("a", StandardScaler()), ("b", PCA(2))])
        .set_output(transform="pandas")
        .fit(X),
        X,
    ),
    "frame scaler": (lambda: FrameScaler().fit(FRAMES), FRAMES),
    "frame scaler by utterance": (lambda: FrameScaler("utterance").fit(FRAMES), FRAMES),
    "functionals": (lambda: FunctionalsPooling(("mean", "p20")).fit(FRAMES), FRAMES),
    "elm": (lambda: ELMClassifier(random_state=0).fit(X, NAMES), X),
    "high level": (lambda: _high_level().fit(FRAMES, NAMES), FRAMES),
    "network": (lambda: net().fit(X, NAMES, aux=AUX), X),
    "network with tasks": (
        lambda: net(
            n_estimators=2, tasks={"gender": "adversarial", "again": "reconstruction"},
            calibrate=True, compute__dtype="float64", random_state=np.random.RandomState(0),
        ).fit(X, y, aux=AUX),
        X,
    ),
    "network by steps": (
        lambda: net().partial_fit(TABLE[list("abcd")], NAMES, classes=np.unique(NAMES)),
        TABLE[list("abcd")],
    ),
    "requests": (_requests, X),
    "skipped": (lambda: SkipFailedRows(SVC()).fit(X, NAMES.astype(object)), X),
    "skipped frames": (lambda: SkipFailedRows(_high_level()).fit(FRAMES, NAMES), FRAMES),
    "augmented": (
        lambda: AugmentingClassifier(
            LogisticRegression(max_iter=1000), {"noise": FeatureNoise(0.5), "mixup": Mixup()},
            random_state=0,
        ).fit(X, NAMES),
        X,
    ),
    "augmented frames": (
        lambda: AugmentingClassifier(
            make_pipeline(FrameScaler(), net(encoder="attention")), [SpecAugment()]
        ).fit(FRAMES, NAMES),
        FRAMES,
    ),
}  # fmt: skip
_NOISE = list(np.random.default_rng(0).normal(0, 0.1, (4, 8000)).clip(-1, 1).astype("float32"))
for step in (
    OpenSmileExtractor(n_jobs=2),
    SpeakerEmbedding(),
    LogMelSpectrogram(),
    MFCC(),
    Prosody(),
    SlidingWindows(OpenSmileExtractor("GeMAPSv01b"), window=0.3, hop=0.1),
):
    MODELS[type(step).__name__] = (lambda step=step: step.fit(_NOISE), _NOISE)

METHODS = ("predict", "predict_proba", "decision_function", "transform", "predict_aux")


@cache
def fitted(name):
    return MODELS[name][0]()


def outputs_of(model, X):
    """Return the outputs of all methods of a model, by name."""
    return {name: getattr(model, name)(X) for name in METHODS if hasattr(model, name)}
