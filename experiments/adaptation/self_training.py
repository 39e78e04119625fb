"""Is it gender that helps a self-trained network, or any second task, or another setting?

`race.py` lets inner folds choose the setting of each entry, so that two entries may differ by what
was chosen for them. Here every network has the same setting, for each of four: single-task, with
gender, and with gender dealt out at random. One corpus is left out, its rows are in training
without labels (`PseudoLabels`), scaled by corpus and speaker; figures are transductive.

Finished folds are kept (see `_corpora.py`), so the script may be killed and run again.

Run: ``python benchmarks/self_training.py [--features ge2e ...]``
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the two processes are all that runs at once

from _corpora import FEATURE_SETS, features_of, load_frame
from _folds import Job, run
from _kim_entries import with_controls
from _paired import summary
from _race_entries import GENDER, entries
from sklearn.base import clone

from sklearn_ser.neural_network import ClassificationTask, PseudoLabels

TASKS = {
    "single-task": None,
    "+ gender": GENDER,
    "+ gender, permuted": {"gender_permuted": ClassificationTask(weight=1.0)},
}
SETTINGS = [(activation, share) for activation in ("relu", "tanh") for share in (0.6, 0.9)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", nargs="+", choices=FEATURE_SETS, default=["ge2e", "both"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--n-jobs", type=int, default=2)
    asked = parser.parse_args()
    frame = with_controls(load_frame())
    single = entries(["corpus", "speaker"])["test rows unlabeled: single-task net + self-training"]
    for features in asked.features:
        X = features_of(frame, features)
        for activation, share in SETTINGS:
            jobs = {}
            for name, tasks in TASKS.items():
                model = clone(single.estimator).set_params(
                    model__tasks=tasks,
                    model__pseudo_labels=PseudoLabels(share=share),
                    model__activation=activation,
                    model__early_stopping=False,
                    model__optimization__lr_schedule="cosine",
                    model__max_epochs=20,
                    model__perturbation__noise=1.0,
                )
                jobs[name] = Job(model, sees_test=True)
            predictions = run(
                jobs,
                X,
                frame,
                "leave-one-corpus-out",
                range(asked.seeds),
                aux=("gender", "gender_permuted"),
                name=f"self_training/{features}",
                n_jobs=asked.n_jobs,
            )
            print(f"\n## {features}, {activation}, share {share}\n")
            found = predictions[predictions["setting"] == "transductive"]
            print(summary(found, ["single-task"]).round(3).to_string(index=False), flush=True)


if __name__ == "__main__":
    main()
