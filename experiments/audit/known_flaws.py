"""Audit of the four real corpora: their documented flaws, and all other findings.

The audit has no information on the flaws: it does not read `duplicate_of`, and the column
`recording` is removed here.

Run: ``python -m experiments.audit.known_flaws`` writes ``results/known_flaws.json``, and with
``--clean``, for synthetic corpora without flaws, ``results/clean.json``.
"""

import json
import sys
import time
from collections import Counter
from datetime import date
from pathlib import Path

from experiments.corpora import NAMES, shared_folder
from sklearn_ser import audit_corpus, concat_corpora, load_corpus, make_speech_corpus

#: Flaws that README and LICENSE files document, and the corpus and the name of the finding.
KNOWN = (
    ("RAVDESS: one duplicate pair", "ravdess", "exact duplicate"),
    ("RAVDESS: half as many neutral as other utterances", "ravdess", "class imbalance"),
    ("RAVDESS: loudness follows the emotion", "ravdess", "label predictable from overall level"),
    ("RAVDESS: 13 files below -60 dBFS", "", "nearly silent audio"),
    ("URDU: 200 segments cut in two", "urdu", "continuing recordings"),
    ("URDU: 26 of 29 speakers have one emotion only", "urdu", "label confounded with speaker"),
    ("naturalness is one value per corpus", "", "auxiliary target confounded with corpus"),
)
N_CLEAN = 12


def main():
    folder = shared_folder() / "corpora"
    corpora = [load_corpus(name, folder / name, drop_duplicates=False, verbose=0) for name in NAMES]
    recordings, audits = {}, []
    for corpus in corpora:
        if "recording" in corpus.frame:
            recordings[corpus.name] = corpus.frame.pop("recording")
        started = time.process_time()
        report = audit_corpus(corpus)
        seconds = time.process_time() - started
        print(f"{report}\n({seconds:.0f} s of processor time)\n", flush=True)
        audits.append(_record(report, seconds))
        if corpus.name in recordings:
            _print_precision(report, recordings[corpus.name])
    started = time.process_time()
    report = audit_corpus(concat_corpora(corpora))
    audits.append(_record(report, time.process_time() - started))
    _write("known_flaws", {"audits": audits})
    print(f"{report}\n")
    findings = report.findings
    print("| documented flaw | found | evidence |\n|---|---|---|")
    for description, corpus, flaw in KNOWN:
        rows = findings[(findings["flaw"] == flaw) & (findings["corpus"] == corpus)]
        evidence = rows["evidence"].iloc[0] if len(rows) else ""
        print(f"| {description} | {'yes' if len(rows) else 'no'} | {evidence} |")


def _record(report, seconds):
    """Return the findings of an audit without their rows."""
    return {
        "subject": report.subject,
        "seconds of processor time per utterance": round(seconds / report.n_rows, 3),
        "findings": report.findings.drop(columns="rows").to_dict("records"),
        "not checked": report.not_checked,
    }


def _write(name, content):
    path = Path(__file__).parent / "results" / f"{name}.json"
    path.parent.mkdir(exist_ok=True)
    text = json.dumps({"date": date.today().isoformat(), **content}, indent=1)
    path.write_text(f"{text}\n", encoding="utf-8")


def _print_precision(report, recordings):
    """Print how many of the reported pairs are segments of one recording."""
    pairs = report.pairs[report.pairs["kind"] == "continuation"]
    values = recordings.to_numpy(object)
    right = sum(values[pairs["first"]] == values[pairs["second"]])
    print(
        f"continuations: {len(pairs)} found, {right} of them two segments of one recording; "
        f"{recordings.nunique()} recordings were cut\n"
    )


def clean():
    """Count the findings on synthetic corpora without flaws."""
    counts, n_corpora = Counter(), 0
    four = ("anger", "happiness", "neutral", "sadness")
    for seed in range(N_CLEAN):
        for settings in (
            {},
            {"n_utterances": 1},
            {"n_speakers": 12, "n_utterances": 4},
            {"channel": None},
            {"name": f"a{seed}"},
            {"emotions": (*four, "fear", "boredom"), "duration": 2.0, "name": f"b{seed}"},
        ):
            corpus = make_speech_corpus(**{"n_speakers": 8, "random_state": seed} | settings)
            counts.update(audit_corpus(corpus).findings["flaw"])
            n_corpora += 1
    print(f"{n_corpora} clean synthetic corpora: {sum(counts.values())} findings {dict(counts)}")
    _write("clean", {"clean synthetic corpora": n_corpora, "findings": dict(counts)})


if __name__ == "__main__":
    clean() if "--clean" in sys.argv[1:] else main()
