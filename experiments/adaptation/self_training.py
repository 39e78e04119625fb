"""Effect of gender as an auxiliary task on a self-trained network, with one setting for all.

In `comparison.py` inner folds choose the parameters of each system, so that two systems may differ
in these too. Here every network has the same parameters: single-task, with gender, and with gender
permuted. Leave one corpus out; the samples under test are in training without labels.

Run: ``python -m experiments.adaptation.self_training [--features ge2e ...] [--seeds 5]``
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # parallelism is by fold

from pathlib import Path

from experiments.adaptation.systems import GENDER, network
from experiments.corpora import EMOTIONS, add_permuted, load_frame, load_or_extract, work_folder
from experiments.results import as_markdown, parse_config, publish, table
from sklearn_ser import cross_corpus_validate
from sklearn_ser.neural_network import ClassificationTask, PseudoLabels

CONFIG = {
    "features": ["ge2e", "both"],
    "activation": ["relu", "tanh"],
    "share": [0.6, 0.9],
    "seeds": 5,
    "n_jobs": 2,
}
#: Parameters that all networks share, those of `make_self_trained_net`.
NETWORK = {
    "unlabeled": "nan",
    "early_stopping": False,
    "optimization__lr_schedule": "cosine",
    "max_epochs": 20,
    "perturbation__noise": 1.0,
}
TASKS = {
    "single-task": None,
    "+ gender": GENDER,
    "+ gender, permuted": {"gender_permuted": ClassificationTask(weight=1.0)},
}


def main():
    config = parse_config(CONFIG, __doc__.splitlines()[0])
    frame = add_permuted(load_frame(), ["gender"])
    for features in config["features"]:
        X = load_or_extract(frame, features)
        for activation in config["activation"]:
            for share in config["share"]:
                estimators = {
                    name: network(
                        ["corpus", "speaker"],
                        tasks,
                        activation=activation,
                        pseudo_labels=PseudoLabels(share=share),
                        **NETWORK,
                    )
                    for name, tasks in TASKS.items()
                }
                result = cross_corpus_validate(
                    estimators,
                    frame,
                    X=X,
                    aux=("gender", "gender_permuted"),
                    labels=EMOTIONS,
                    unlabeled_test="train",
                    seeds=range(config["seeds"]),
                    n_jobs=config["n_jobs"],
                    out=work_folder("self_training"),
                    verbose=1,
                )
                name = f"self_training-{features}-{activation}-{share:g}"
                own = {"features": features, "activation": activation, "share": share}
                folder = Path(__file__).parent / "results"
                publish(result, folder / name, config | own, baselines=["single-task"])
                print(f"\n## {name}\n\n{as_markdown(table(result, 'transductive', TASKS))}")


if __name__ == "__main__":
    main()
