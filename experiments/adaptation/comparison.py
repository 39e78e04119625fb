"""Comparison of linear baselines, networks and adapted networks on four real corpora.

Four emotions; leave one corpus out, and speaker-disjoint folds within each corpus; eGeMAPS, GE2E,
both, and these with Whisper embeddings; scaled per corpus, or per corpus and speaker
("hierarchical"). Parameters are searched in each fold on its training samples only: by leaving one
of the training corpora out, or by speakers inside one corpus. "Transductive" scales the test corpus
by its own unlabeled statistics, "single" is one utterance at a time; "adapted" systems are also
trained on the samples under test, without their labels.

Finished folds are stored (see `experiments/corpora.py`), so that a run resumes after a kill.

Run: ``python -m experiments.adaptation.comparison [--features ge2e ...] [--seeds 5]``
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # parallelism is by fold

from pathlib import Path

import pandas as pd
from sklearn.base import clone
from sklearn.model_selection import ParameterGrid

from experiments.adaptation.systems import (
    AUX,
    SCALINGS,
    adapted_systems,
    linear_systems,
    network_systems,
)
from experiments.corpora import EMOTIONS, FEATURE_SETS, load_frame, load_or_extract, work_folder
from experiments.results import as_markdown, merge, parse_config, publish, tables
from sklearn_ser import EvaluationResult, cross_corpus_validate

CONFIG = {
    "features": list(FEATURE_SETS),
    "scaling": list(SCALINGS),
    "protocol": ["leave-one-corpus-out", "within-corpus"],
    "systems": ["all"],
    "seeds": 5,
    "n_jobs": 2,
}
BASELINES = ["SVM", "single-task", "adapted: single-task + self-training"]


def main():
    config = parse_config(CONFIG, __doc__.splitlines()[0])
    frame = load_frame()
    for features in config["features"]:
        X = load_or_extract(frame, features)
        for scaling in config["scaling"]:
            for protocol in config["protocol"]:
                result = compare(X, frame, SCALINGS[scaling], protocol, config)
                name = f"comparison-{features}-{scaling}-{protocol}"
                own = {"features": features, "scaling": scaling, "protocol": protocol}
                folder = Path(__file__).parent / "results"
                publish(result, folder / name, config | own, baselines=BASELINES)
                result.report(work_folder("reports") / f"{name}.html", baseline="SVM")
                print(f"\n## {name}")
                for setting, part in tables(result, BASELINES).items():
                    print(f"\n{setting}\n\n{as_markdown(part)}", flush=True)


def compare(X, frame, scale_by, protocol, config):
    """Evaluate the configured systems on one feature set; return an EvaluationResult."""
    options = {
        "X": X,
        "aux": AUX,
        "labels": EMOTIONS,
        "n_jobs": config["n_jobs"],
        "out": work_folder("comparison"),
        "verbose": 1,
    }

    def configured(systems):
        every = config["systems"] == ["all"]
        return {name: part for name, part in systems.items() if every or name in config["systems"]}

    results = []
    for systems, seeds in (
        (linear_systems(scale_by, protocol), [0]),
        (network_systems(scale_by, protocol), range(config["seeds"])),
    ):
        if estimators := configured(systems):
            results.append(
                cross_corpus_validate(estimators, frame, protocol=protocol, seeds=seeds, **options)
            )
    if protocol == "leave-one-corpus-out":
        for name, (estimator, grid) in configured(adapted_systems(scale_by)).items():
            seeds = range(config["seeds"])
            results.append(evaluate_adapted(name, estimator, grid, frame, seeds, options))
    return merge(results)


def evaluate_adapted(name, estimator, grid, frame, seeds, options):
    """Evaluate a system that is adapted to each test corpus, with a search per test corpus.

    GridSearchCV cannot adapt to the corpus that it scores on. So the candidates of each fold are
    evaluated on its training corpora alone, leaving each out in turn with the same adaptation.
    """
    options = options | {"unlabeled_test": "train"}
    candidates = {
        repr(parameters): clone(estimator).set_params(**parameters)
        for parameters in ParameterGrid(grid)
    }
    X = options["X"]
    chosen = {}
    for corpus in sorted(set(frame["corpus"])):
        train = (frame["corpus"] != corpus).to_numpy()
        inner = options | {"X": X[train].reset_index(drop=True)}
        result = cross_corpus_validate(
            candidates, frame[train].reset_index(drop=True), seeds=[0], **inner
        )
        chosen[corpus] = result.summary()["mean"].idxmax()[0]
    models = {key: candidates[key] for key in sorted(set(chosen.values()))}
    result = cross_corpus_validate(models, frame, seeds=seeds, **options)
    predictions = result.predictions
    predictions = predictions[predictions["estimator"] == predictions["corpus"].map(chosen)]
    return EvaluationResult(
        predictions.assign(estimator=name),
        labels=result.labels,
        protocol=result.protocol,
        utterances=result.utterances,
        notes=result.notes.assign(estimator=name),
        best_params=pd.DataFrame(
            {"estimator": name, "seed": 0, "fold": fold, "parameter": "all", "value": value}
            for fold, value in chosen.items()
        ),
        info=result.info
        | {
            "estimators": {name: f"{estimator!r} with the candidates {grid!r}"},
            "seconds": {name: sum(result.info["seconds"].values())},
        },
    )


if __name__ == "__main__":
    main()
