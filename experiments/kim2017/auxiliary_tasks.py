"""Effect of gender and naturalness as auxiliary tasks on four real corpora (Kim et al., 2017).

SVM and MLP on eGeMAPS functionals, DNN-ELM and LSTM-ELM on windows of its frames; each network
single-task, + gender, + naturalness (one value per corpus in these data), + naturalness rating
(listeners', EmoDB only), + gender and naturalness, and as controls each auxiliary target permuted.
Four emotions, and arousal and valence in two classes; leave one corpus out, within corpus,
pairwise, aggregated. Everything is scaled per corpus: scores are transductive if the test corpus
was not trained on. Paired sign-flip tests over speakers compare with the same system single-task; p
is not corrected for the number of comparisons.

Finished folds are stored (see `experiments/corpora.py`), so that a run resumes after a kill.

Run: ``python -m experiments.kim2017.auxiliary_tasks [--systems MLP ...] [--labels emotion ...]``
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # parallelism is by fold

from pathlib import Path

from experiments.corpora import add_permuted, load_frame, load_or_extract, work_folder
from experiments.kim2017.systems import (
    AUX,
    AUX_COLUMNS,
    CONDITIONS,
    LABELS,
    load_windows,
    make_network,
    make_svm,
)
from experiments.results import as_markdown, merge, parse_config, publish, table
from sklearn_ser import cross_corpus_validate

CONFIG = {
    "systems": ["SVM", "MLP", "DNN-ELM", "LSTM-ELM"],
    "conditions": list(CONDITIONS),
    "labels": list(LABELS),
    "protocol": ["leave-one-corpus-out", "within-corpus", "pairwise", "aggregated"],
    "seeds": 3,
    "n_jobs": 2,
}


def main():
    config = parse_config(CONFIG, __doc__.splitlines()[0])
    frame = add_permuted(load_frame(), AUX)
    asked = set(config["systems"])
    functionals = load_or_extract(frame, "egemaps") if {"SVM", "MLP"} & asked else None
    windows = load_windows(frame) if {"DNN-ELM", "LSTM-ELM"} & asked else None
    for labels in config["labels"]:
        frame["label"] = frame["emotion"].map(LABELS[labels])
        for protocol in config["protocol"]:
            results = []
            for system in config["systems"]:
                estimators = {"SVM": make_svm(protocol)}
                if system != "SVM":
                    estimators = {
                        f"{system} {name}": make_network(system, CONDITIONS[name])
                        for name in config["conditions"]
                    }
                result = cross_corpus_validate(
                    estimators,
                    frame,
                    X=windows if system.endswith("ELM") else functionals,
                    y="label",
                    aux=AUX_COLUMNS,
                    labels=sorted(set(LABELS[labels].values())),
                    protocol=protocol,
                    seeds=[0] if system == "SVM" else range(config["seeds"]),
                    n_jobs=config["n_jobs"],
                    out=work_folder("kim2017"),
                    verbose=1,
                )
                results.append(result)
            result = merge(results)
            name = f"auxiliary_tasks-{labels}-{protocol}"
            baselines = [f"{system} single-task" for system in config["systems"]]
            folder = Path(__file__).parent / "results"
            own = {"labels": labels, "protocol": protocol}
            publish(result, folder / name, config | own, baselines=baselines)
            scores = table(result, "transductive", baselines)
            scores = scores if len(scores) else table(result, "single", baselines)
            print(f"\n## {name}\n\n{as_markdown(scores)}", flush=True)


if __name__ == "__main__":
    main()
