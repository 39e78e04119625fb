"""
Hyper-parameter search with Optuna, from audio
==============================================

The outer split leaves one corpus out; inside of it, Optuna chooses on folds that share no speaker.
A feature store makes it cheap: however many trials there are, each utterance is processed once for
each setting of the audio step.

Needs ``pip install 'sklearn-ser[search]'``, and no data: the speech is synthetic.
"""

import tempfile
from functools import partial

import optuna
from sklearn.base import clone
from sklearn.model_selection import cross_validate
from sklearn.pipeline import make_pipeline
from sklearn.svm import LinearSVC

from sklearn_ser import (
    MFCC,
    FeatureStore,
    FunctionalsPooling,
    GroupScaler,
    LeaveOneCorpusOut,
    SpeakerKFold,
    concat_corpora,
    make_speech_corpus,
    uar_scorer,
)

# %%
# Three small corpora, each with its own speakers and its own sound.
corpora = [
    make_speech_corpus(n_speakers=4, n_utterances=1, name=name, random_state=seed)
    for seed, name in enumerate(["one", "two", "three"])
]
frame = concat_corpora(corpora).frame
X, y = frame[["file", "corpus", "speaker"]], frame["emotion"]

# %%
# The audio step keeps its features in a folder; the classifier and the number of cepstra are open.
folder = tempfile.mkdtemp()
model = make_pipeline(
    MFCC(store=folder),
    FunctionalsPooling(("mean", "std")),
    GroupScaler(by="corpus"),
    LinearSVC(class_weight="balanced", dual=False),
)


def objective(trial, X, y):
    """Mean recall on inner folds, none of whose speakers was trained on."""
    candidate = clone(model).set_params(
        mfcc__n_mfcc=trial.suggest_categorical("mfcc__n_mfcc", [13, 20]),
        linearsvc__C=trial.suggest_float("linearsvc__C", 1e-4, 1.0, log=True),
    )
    found = cross_validate(candidate, X, y, cv=SpeakerKFold(2), scoring=uar_scorer)
    return found["test_score"].mean()


# %%
# A study for each outer fold. It gets the training corpora alone: the test corpus chooses nothing.
# The seeded sampler makes it repeat.
optuna.logging.set_verbosity(optuna.logging.WARNING)
for train, test in LeaveOneCorpusOut().split(X, y):
    train_X, train_y = X.iloc[train], y.iloc[train]
    sampler = optuna.samplers.TPESampler(seed=0)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(partial(objective, X=train_X, y=train_y), n_trials=6)
    best = clone(model).set_params(**study.best_params).fit(train_X, train_y)
    score = uar_scorer(best, X.iloc[test], y.iloc[test])
    print(f"{X['corpus'].iloc[test[0]]}: UAR {score:.2f} with {study.best_params}")

# %%
# Three studies of six trials with two folds each, and no utterance was processed more than twice.
print(len(X), "utterances,", FeatureStore(folder).info()["entries"], "entries in the store")
