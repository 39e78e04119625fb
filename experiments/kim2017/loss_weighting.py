"""Effect of the weighting of several tasks: fixed weights, learned uncertainties, PCGrad.

A network with the tasks gender, speaker, naturalness rating and reconstruction beside emotion;
leave one corpus out on four real corpora, scaled per corpus (transductive). The time of a fit is
measured by ``benchmarks/loss_weighting.py``.

Run: ``python -m experiments.kim2017.loss_weighting [--features ge2e ...]``
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # parallelism is by fold

from pathlib import Path

from sklearn.pipeline import Pipeline

from experiments.corpora import EMOTIONS, load_frame, load_or_extract, work_folder
from experiments.results import as_markdown, parse_config, publish, table
from sklearn_ser import GroupScaler, MTLNeuralClassifier, cross_corpus_validate

CONFIG = {
    "features": ["egemaps", "ge2e"],
    "weightings": ["fixed", "uncertainty", "pcgrad"],
    "seeds": 5,
    "n_jobs": 2,
}
TASKS = {
    "gender": "classification",
    "speaker": "classification",
    "naturalness_rating": "regression",
    "rebuilt": "reconstruction",
}
AUX = ("gender", "speaker", "naturalness_rating")


def main():
    config = parse_config(CONFIG, __doc__.splitlines()[0])
    frame = load_frame()
    estimators = {"single-task": make_model(None, "fixed")}
    estimators |= {name: make_model(TASKS, name) for name in config["weightings"]}
    for features in config["features"]:
        result = cross_corpus_validate(
            estimators,
            frame,
            X=load_or_extract(frame, features),
            aux=AUX,
            labels=EMOTIONS,
            seeds=range(config["seeds"]),
            n_jobs=config["n_jobs"],
            out=work_folder("loss_weighting"),
            verbose=1,
        )
        name = f"loss_weighting-{features}"
        folder = Path(__file__).parent / "results"
        publish(result, folder / name, config | {"features": features}, baselines=["fixed"])
        print(f"\n## {name}\n\n{as_markdown(table(result, 'transductive', ['fixed']))}", flush=True)


def make_model(tasks, weighting):
    """Return a Pipeline of GroupScaler and a network with one weighting of its tasks."""
    net = MTLNeuralClassifier().set_params(
        tasks=tasks,
        aux_weight=0.5,
        loss_weighting=weighting,
        y_task__class_weight="balanced",
        hidden_units=(128,),
        perturbation__noise=1.0,
        max_epochs=15,
        early_stopping=False,
        random_state=0,
    )
    return Pipeline([("scaler", GroupScaler(by="corpus")), ("net", net)])


if __name__ == "__main__":
    main()
