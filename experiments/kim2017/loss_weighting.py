"""How to weigh several tasks: fixed weights, learned uncertainties, PCGrad.

A network with the tasks gender, speaker, naturalness rating and reconstruction beside emotion;
leave one corpus out on four real corpora, scaled per corpus (transductive), 5 seeds; and the time
of a fit beside that with fixed weights.

Run: ``python benchmarks/weighting.py [--features ge2e ...]``
"""

import argparse
import os
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

from _corpora import FEATURE_SETS, features_of, load_frame
from _folds import Job, run
from _paired import recall_by_corpus, sign_flip
from _timing import ratio
from sklearn.pipeline import Pipeline

from sklearn_ser import GroupScaler, MTLNeuralClassifier
from sklearn_ser.neural_network.tasks._weighting import LOSS_WEIGHTINGS

TASKS = {
    "gender": "classification",
    "speaker": "classification",
    "naturalness_rating": "regression",
    "rebuilt": "reconstruction",
}
AUX = ("gender", "speaker", "naturalness_rating")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", nargs="+", choices=FEATURE_SETS, default=["egemaps", "ge2e"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--n-jobs", type=int, default=2)
    asked = parser.parse_args()
    frame = load_frame()
    for features in asked.features:
        X = features_of(frame, features)
        jobs = {"single-task": Job(model(None, "fixed"))}
        jobs |= {name: Job(model(TASKS, name)) for name in LOSS_WEIGHTINGS}
        found = run(
            jobs,
            X,
            frame,
            "leave-one-corpus-out",
            range(asked.seeds),
            aux=AUX,
            name="weighting",
            n_jobs=asked.n_jobs,
        )
        found = found[found["setting"] == "transductive"]
        parts = dict(list(found.groupby("estimator", sort=False)))
        print(f"\n## {features}, leave one corpus out\n")
        for name, part in parts.items():
            uar = recall_by_corpus(part)
            gain, p = sign_flip(part, parts["fixed"])
            line = " ".join(f"{corpus} {value:.3f}" for corpus, value in uar.items())
            print(f"{name:12s} {line} mean {uar.mean():.3f}, beyond fixed {gain:+.3f} (p {p:.2f})")
        for name in LOSS_WEIGHTINGS:
            median, _, _ = ratio(
                lambda X=X, name=name: fit(X, frame, name),
                lambda X=X: fit(X, frame, "fixed"),
                repeats=3,
            )
            print(f"{name:12s} time of a fit / fixed {median:.2f}")


def model(tasks, weighting):
    return Pipeline(
        [
            ("scaler", GroupScaler(by="corpus")),
            (
                "net",
                MTLNeuralClassifier().set_params(
                    tasks=tasks,
                    aux_weight=0.5,
                    loss_weighting=weighting,
                    y_task__class_weight="balanced",
                    hidden_units=(128,),
                    perturbation__noise=1.0,
                    max_epochs=15,
                    early_stopping=False,
                    random_state=0,
                ),
            ),
        ]
    )


def fit(X, frame, weighting):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        net = model(TASKS, weighting).named_steps["net"].set_params(max_epochs=3)
        net.fit(X, frame["emotion"], aux=frame[list(AUX)])


if __name__ == "__main__":
    main()
