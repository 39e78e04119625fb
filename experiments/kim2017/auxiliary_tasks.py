"""Kim et al. (2017) on four real corpora: do gender and naturalness help a network hear emotion?

SVM and MLP on eGeMAPS functionals, DNN-ELM and LSTM-ELM on windows of its frames; each network
single-task, + gender, + naturalness (one value per corpus in these data), + naturalness rating
(listeners', EmoDB only), + gender and naturalness, and as controls each auxiliary target dealt out
at random. 4 emotions, and arousal and valence in two classes; leave one corpus out, within corpus,
pairwise, aggregated. Everything is scaled per corpus: figures are transductive where the test
corpus was not trained on. Paired sign-flip tests over speakers, against the same system
single-task; p is not corrected for the number of comparisons.

Finished folds are kept (see `_corpora.py`), so the script may be killed and run again.

Run: ``python benchmarks/kim2017.py [--systems MLP ...] [--labels emotion ...] [--protocol ...]``
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the two processes are all that runs at once

import pandas as pd
from _corpora import features_of, load_frame
from _folds import Job, run
from _kim_entries import (
    AUX_COLUMNS,
    CONDITIONS,
    LABELS,
    SVM_GRID,
    binary,
    load_windows,
    svm,
    systems,
    with_controls,
)
from _paired import recall_by_corpus, sign_flip

PROTOCOLS = ("leave-one-corpus-out", "within-corpus", "pairwise", "aggregated")


def main():
    makers = systems(50)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--systems", nargs="+", choices=["SVM", *makers], default=["SVM", *makers])
    parser.add_argument("--labels", nargs="+", choices=LABELS, default=list(LABELS))
    parser.add_argument("--protocol", nargs="+", choices=PROTOCOLS, default=list(PROTOCOLS))
    parser.add_argument("--conditions", nargs="+", choices=CONDITIONS, default=list(CONDITIONS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--n-jobs", type=int, default=2)
    asked = parser.parse_args()
    frame = with_controls(load_frame())
    functionals = features_of(frame, "egemaps") if {"SVM", "MLP"} & set(asked.systems) else None
    windows = load_windows(frame) if {"DNN-ELM", "LSTM-ELM"} & set(asked.systems) else None
    for labels in asked.labels:
        frame["label"] = binary(frame, labels)
        for protocol in asked.protocol:
            rows = []
            for system in asked.systems:
                jobs = {"SVM": Job(svm(), SVM_GRID)}
                if system != "SVM":
                    jobs = {
                        name: Job(makers[system](CONDITIONS[name])) for name in asked.conditions
                    }
                predictions = run(
                    jobs,
                    windows if system.endswith("ELM") else functionals,
                    frame,
                    protocol,
                    range(asked.seeds),
                    aux=AUX_COLUMNS,
                    labels=sorted(set(LABELS[labels].values())),
                    name="kim2017",
                    n_jobs=asked.n_jobs,
                    y="label",
                )
                rows += table(system, predictions, protocol)
            print(f"\n## {labels}, {protocol}\n")
            with pd.option_context("display.width", 200, "display.max_columns", 20):
                print(pd.DataFrame(rows).round(3).to_string(index=False), flush=True)


def table(system, predictions, protocol):
    """One row per condition: each test corpus, their mean, and the gain over single-task."""
    predictions = predictions[predictions["setting"] == "transductive"]
    if protocol == "pairwise":  # a test corpus's figure is the mean over those trained on
        predictions = predictions.assign(
            seed=predictions["seed"].astype(str) + predictions["train"]
        )
    parts = dict(list(predictions.groupby("estimator", sort=False)))
    rows = []
    for condition, part in parts.items():
        uar = recall_by_corpus(part)
        row = {"system": system, "condition": condition, **uar, "mean": uar.mean()}
        if condition not in ("single-task", "SVM"):
            row["gain"], row["p"] = sign_flip(part, parts["single-task"])
        rows.append(row)
    return rows


if __name__ == "__main__":
    main()
