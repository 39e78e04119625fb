"""The accuracy race on four real corpora: linear baselines, single-task and multi-task nets.

4 emotions; leave one corpus out, and speaker-disjoint folds within each corpus; on eGeMAPS, GE2E,
both, and these with Whisper embeddings; scaled per corpus, or per corpus and speaker
("hierarchical"). Whatever is searched is searched on each fold's training rows only: by leaving
one of the training corpora out, or by speakers where there is one corpus. Nets have five seeds.
"transductive" scales the test corpus by its own unlabeled statistics, "single" is one utterance
at a time; "test rows unlabeled" besides trains on the test corpus's rows without labels. Finished
folds are kept (see `_corpora.py`), so the script may be killed and run again.

Run: ``python benchmarks/race.py [--features ge2e ...] [--protocol leave-one-corpus-out ...]``
"""

import argparse
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the two processes are all that runs at once

import pandas as pd
from _corpora import EMOTIONS, FEATURE_SETS, features_of, load_frame
from _folds import run
from _paired import summary
from _race_entries import AUX, entries

from sklearn_ser.evaluation import EvaluationResult

PROTOCOLS = ("leave-one-corpus-out", "within-corpus")
BASELINES = (
    "SVM",
    "single-task net",
    "test rows unlabeled: single-task net + guesses",
    "test rows unlabeled: single-task net + self-training",
)
SCALINGS = {"corpus": "corpus", "hierarchical": ["corpus", "speaker"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", nargs="+", choices=FEATURE_SETS, default=list(FEATURE_SETS))
    parser.add_argument("--protocol", nargs="+", choices=PROTOCOLS, default=list(PROTOCOLS))
    parser.add_argument("--scaling", nargs="+", choices=SCALINGS, default=list(SCALINGS))
    parser.add_argument("--only", nargs="+", help="names of entries")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--out", help="folder for results and reports of each combination")
    asked = parser.parse_args()
    frame = load_frame()
    for features in asked.features:
        X = features_of(frame, features)
        for scaling in asked.scaling:
            for protocol in asked.protocol:
                jobs = entries(SCALINGS[scaling])
                if asked.only:
                    jobs = {name: jobs[name] for name in asked.only}
                elif protocol == "within-corpus":
                    jobs = {name: job for name, job in jobs.items() if not job.sees_test}
                predictions = run(
                    jobs,
                    X,
                    frame,
                    protocol,
                    range(asked.seeds),
                    aux=AUX,
                    name=f"race/{features}",
                    n_jobs=asked.n_jobs,
                )
                show(predictions, f"{features}, scaled by {scaling}, {protocol}")
                if asked.out:
                    report(predictions, frame, protocol, f"{asked.out}/{features}-{scaling}")


def report(predictions, frame, protocol, folder):
    """Keep the result, print its intervals and tests corrected for their number, write a report."""
    known = frame[["gender", "language", "naturalness"]].astype(object)
    result = EvaluationResult(
        predictions.assign(failed=False),
        labels=list(EMOTIONS),
        protocol=protocol,
        utterances=known.rename_axis("row"),
    )
    result.save(f"{folder}-{protocol}")
    result.report(f"{folder}-{protocol}/report.html", baseline="SVM")
    for setting in ("transductive", "single"):
        print(f"\n{setting}, intervals over speakers and paired tests:")
        print(result.intervals().query("setting == @setting").round(3).to_string(index=False))
        print(result.compare("SVM", setting=setting).round(3).to_string(index=False))


def show(predictions, title):
    """Print the table of one combination."""
    # Those that see the test rows have one setting.
    seeing = predictions["estimator"].str.startswith("test rows")
    predictions = predictions[~seeing | (predictions["setting"] == "transductive")]
    baselines = [name for name in BASELINES if name in set(predictions["estimator"])]
    table = summary(predictions, baselines)
    print(f"\n## {title}\n")
    with pd.option_context("display.width", 200, "display.max_columns", 20):
        print(table.round(3).to_string(index=False))
    chosen = predictions.groupby(["estimator", "fold"], sort=False)["chosen"].first()
    for (estimator, fold), parameters in chosen.items():
        if parameters != "{}" and "speakers" not in fold:
            print(f"  {estimator}, {fold}: {parameters}")


if __name__ == "__main__":
    main()
