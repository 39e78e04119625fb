"""Time of `cross_corpus_validate` / the same folds written by hand, on the packaged features.

By hand means what the function has to do: fit on all corpora but one, predict labels and
probabilities of that one, and collect them. What is added are checks, warnings as notes, metadata
and the tidy table, without a folder and with one (``out=``, all folds computed).

Run: ``python benchmarks/cross_validation.py``
"""

import os
import shutil
import tempfile
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

import pandas as pd
from _timing import ratio, report
from sklearn import clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser import cross_corpus_validate, load_features, make_single_task_net

ESTIMATORS = {
    "linear SVM": make_pipeline(StandardScaler(), LinearSVC(C=1e-3, random_state=0)),
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression(C=1e-3)),
    "network of 5 epochs": make_single_task_net(None, max_epochs=5, random_state=0),
}


def main():
    warnings.simplefilter("ignore")
    for features in ("egemaps", "ge2e"):
        data = load_features(features)
        for name, estimator in ESTIMATORS.items():
            for folder in (False, True):
                ratios = ratio(
                    lambda estimator=estimator, folder=folder, data=data: evaluate(
                        estimator, data, folder
                    ),
                    lambda estimator=estimator, data=data: by_hand(estimator, data),
                    repeats=5,
                )
                where = "with a folder" if folder else "in memory"
                report(f"{features}, {name}, {where} / by hand", ratios)


def evaluate(estimator, data, folder):
    out = tempfile.mkdtemp() if folder else None
    labels = sorted(data.frame["emotion"].unique())
    try:
        return cross_corpus_validate(
            estimator, data.frame, X=data.X, aux=(), labels=labels, out=out
        )
    finally:
        if folder:
            shutil.rmtree(out)


def by_hand(estimator, data):
    frame, X = data.frame, data.X
    X = X.set_axis(pd.MultiIndex.from_frame(frame[["corpus", "speaker"]]), axis=0)
    parts = []
    for corpus in sorted(frame["corpus"].unique()):
        train, test = frame["corpus"] != corpus, (frame["corpus"] == corpus).to_numpy()
        model = clone(estimator).fit(X[~test], frame["emotion"][train])
        part = pd.DataFrame({"y_true": frame["emotion"][test], "y_pred": model.predict(X[test])})
        if hasattr(model, "predict_proba"):
            part[list(model.classes_)] = model.predict_proba(X[test])
        if "scaler" in model.named_steps:  # also each utterance on its own, as GroupScaler can
            part["single"] = model.predict(X[test].reset_index(drop=True))
        parts.append(part)
    return pd.concat(parts)


if __name__ == "__main__":
    main()
