"""Growth of the time of statistics, splitters and results with the number of rows and estimators.

    python benchmarks/scale.py [--most ROWS] [--report]

The exponent is the slope of log(CPU time) over log(size): 1 is linear, and n log n has about 1.1.
Speakers have 50 utterances each, so that their number grows with the rows.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_ser.evaluation import EvaluationResult
from sklearn_ser.metrics import cluster_interval, group_scores, paired_test, uar_score
from sklearn_ser.model_selection import (
    CorpusAdaptationSplit,
    LeaveOneCorpusOut,
    PairwiseCorpusSplit,
    SentenceSpeakerKFold,
    SpeakerKFold,
    WithinCorpusSpeakerKFold,
)

LABELS = ["anger", "happiness", "neutral", "sadness"]
ROWS_PER_SPEAKER = 50
N_CORPORA = 4
#: Shorter times are mostly the cost of a call, and are left out of the slope.
SHORTEST = 0.02


def make_predictions(n_rows, n_estimators=1):
    """Predictions of estimators that are right in half of the utterances."""
    rng = np.random.default_rng(0)
    speaker = np.arange(n_rows) // ROWS_PER_SPEAKER
    corpus = np.arange(n_rows) * N_CORPORA // n_rows
    y_true = rng.choice(LABELS, n_rows).astype(object)
    parts = []
    for number in range(n_estimators):
        probabilities = rng.dirichlet(np.ones(len(LABELS)), n_rows)
        guessed = np.array(LABELS, dtype=object)[probabilities.argmax(axis=1)]
        part = pd.DataFrame(
            {
                "estimator": f"e{number}",
                "setting": "single",
                "seed": 0,
                "fold": corpus.astype(str),
                "train": "others",
                "corpus": corpus.astype(str),
                "speaker": speaker.astype(str),
                "row": np.arange(n_rows),
                "y_true": y_true,
                "y_pred": np.where(rng.random(n_rows) < 0.4, y_true, guessed),
                "failed": False,
            }
        )
        columns = [f"p_{label}" for label in LABELS]
        parts.append(part.join(pd.DataFrame(probabilities, columns=columns)))
    return pd.concat(parts, ignore_index=True)


def make_result(n_rows, n_estimators):
    utterances = pd.DataFrame({"gender": np.resize(["female", "male"], n_rows)})
    return EvaluationResult(
        make_predictions(n_rows, n_estimators),
        labels=LABELS,
        protocol="leave-one-corpus-out",
        utterances=utterances,
    )


def cases_of_rows(n_rows):
    """Functions without arguments, by name."""
    table = make_predictions(n_rows)
    result = make_result(n_rows, 2)
    y_true, y_pred, speaker = table["y_true"], table["y_pred"], table["speaker"]
    other = result.predictions["y_pred"][n_rows:]
    number = y_true.map(LABELS.index) + table["p_anger"]
    text = (np.arange(n_rows) % max(n_rows // 20, 2)).astype(str)
    ids = {"speaker": speaker, "corpus": table["corpus"], "text": text}

    def split(splitter, *names):
        return lambda: [
            None for _ in splitter.split(table, y_true, **{name: ids[name] for name in names})
        ]

    return {
        "uar_score": lambda: uar_score(y_true, y_pred),
        "group_scores by speaker": lambda: group_scores(y_true, y_pred, speaker),
        "cluster_interval, UAR": lambda: cluster_interval(y_true, y_pred, speaker),
        "cluster_interval, CCC": lambda: cluster_interval(
            number, table["p_anger"], speaker, metric="ccc"
        ),
        "paired_test, UAR": lambda: paired_test(y_true, y_pred, other, speaker),
        "SpeakerKFold": split(SpeakerKFold(), "speaker"),
        "SentenceSpeakerKFold": split(SentenceSpeakerKFold(), "speaker", "text"),
        "WithinCorpusSpeakerKFold": split(WithinCorpusSpeakerKFold(), "speaker", "corpus"),
        "LeaveOneCorpusOut": split(LeaveOneCorpusOut(), "corpus"),
        "PairwiseCorpusSplit": split(PairwiseCorpusSplit(), "corpus"),
        "CorpusAdaptationSplit": split(CorpusAdaptationSplit(random_state=0), "speaker", "corpus"),
        "EvaluationResult.summary": result.summary,
        "EvaluationResult.scores": result.scores,
        'EvaluationResult.by("speaker")': lambda: result.by("speaker"),
        "EvaluationResult.intervals": result.intervals,
        "EvaluationResult.compare": result.compare,
    }


def cases_of_estimators(n_estimators, n_rows, report=None):
    result = make_result(n_rows, n_estimators)
    cases = {
        "summary": result.summary,
        "scores": result.scores,
        'by("speaker")': lambda: result.by("speaker"),
        "intervals": result.intervals,
        'compare("e0")': lambda: result.compare("e0"),
        "compare, all pairs": result.compare,
        "ranks": result.ranks,
    }
    return cases if report is None else {"report": lambda: result.report(report)}


def measure(sizes, make_cases, unit):
    """Print the CPU time of each case by size, and its exponent."""
    times = {}
    for size in sizes:
        for name, function in make_cases(size).items():
            started = time.process_time()
            function()
            times.setdefault(name, []).append(time.process_time() - started)
    print(f"| CPU time in s, {unit} | {' | '.join(f'{size:,}' for size in sizes)} | exponent |")
    print("|---|" + "---|" * (len(sizes) + 1))
    for name, seconds in times.items():
        known = [(size, own) for size, own in zip(sizes, seconds, strict=True) if own > SHORTEST]
        slope = np.polyfit(*np.log(known[-3:]).T, 1)[0] if len(known) > 1 else np.nan
        shown = " | ".join(f"{own:.3g}" for own in seconds)
        print(f"| {name} | {shown} | {slope:.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=1_000_000, help="largest number of rows")
    parser.add_argument("--report", action="store_true", help="only reports, which draw figures")
    given = parser.parse_args()
    if given.report:
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder) / "report.html"
            measure([2, 4, 8], lambda n: cases_of_estimators(n, 2000, report), "estimators")
        return
    cases_of_rows(1000)["EvaluationResult.compare"]()  # imports
    sizes = [n for n in (1000, 10_000, 100_000, 1_000_000) if n <= given.most]
    measure(sizes, cases_of_rows, "rows")
    measure([2, 5, 10, 20, 50], lambda n: cases_of_estimators(n, 10_000), "estimators, 10,000 rows")


if __name__ == "__main__":
    main()
