"""Flaws planted in real corpora, and how many of them the audit finds.

Voices: a random half of the utterances of one speaker gets another id, or two speakers of one sex
get one id. The others are planted in the measurements of the audio, which are made once per corpus:
each flaw alone, on the corpus as it is otherwise. What the audit reports without a planted flaw
is listed, and is not counted among the other findings.

Run: ``python -m experiments.audit.planted_flaws --corpora emodb nemo`` writes
``results/planted-emodb-nemo.json`` and a table, ``results/planted-emodb-nemo.md``.
"""

import json
import time
from datetime import date
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

import sklearn_ser
from experiments.corpora import shared_folder
from experiments.results import as_markdown, parse_config
from sklearn_ser import load_corpus
from sklearn_ser.audit._audio import measure_all
from sklearn_ser.audit._confounders import check_confounders
from sklearn_ser.audit._text import check_sentences
from sklearn_ser.audit._voices import MIN_TO_DIVIDE, check_voices, embed_voices

CONFIG = {
    "corpora": ["emodb", "nemo", "ravdess", "turev", "urdu"],
    "merged": 8,
    "changed": 4,
    "seed": 0,
}
ONE_VOICE, TWO_VOICES = "one voice under two ids", "two voices under one id"
LENGTHS = (
    "label predictable from fixed recording lengths",
    "label predictable from recording length",
)
SENTENCES = (
    "label predictable mainly in seen sentences",
    "label predicted worse in unseen sentences",
)
#: Changes of one label of one speaker, and the findings that count.
WITHIN = {
    "digital silence of one label of one speaker (0.1 s)": (
        "digital silence",
        {"trail_zeros": 0.1},
    ),
    "levels of one label of one speaker (+20 dB)": ("overall level", {"level": 20.0, "peak": 20.0}),
    "noise of one label of one speaker (+15 dB)": ("noise floor", {"floor": 15.0}),
    "bandwidth of one label of one speaker (-4 kHz)": ("bandwidth", {"bandwidth": -4000.0}),
}


def main():
    config = parse_config(CONFIG, __doc__)
    rows, clean = [], {}
    for name in config["corpora"]:
        started = time.process_time()
        corpus = _Measured(name, config["seed"])
        clean[name] = corpus.clean
        for flaw, found, others in corpus.planted(config["merged"], config["changed"]):
            rows.append(
                {
                    "corpus": name,
                    "planted": flaw,
                    "times": len(found),
                    "found": sum(found),
                    "other findings": others,
                }
            )
        print(f"{name}: {time.process_time() - started:.0f} s of processor time", flush=True)
    path = Path(__file__).parent / "results" / f"planted-{'-'.join(config['corpora'])}"
    path.parent.mkdir(exist_ok=True)
    content = {
        "date": date.today().isoformat(),
        "config": config,
        "versions": {"sklearn_ser": sklearn_ser.__version__, "numpy": np.__version__},
        "findings without a planted flaw": clean,
        "planted": rows,
    }
    Path(f"{path}.json").write_text(f"{json.dumps(content, indent=1)}\n", encoding="utf-8")
    table = pd.DataFrame(rows)
    table["found"] = table["found"].astype(str) + " of " + table.pop("times").astype(str)
    text = as_markdown(table.pivot(index="planted", columns="corpus", values="found").reset_index())
    others = as_markdown(table.groupby("planted", sort=False)["other findings"].sum().reset_index())
    Path(f"{path}.md").write_text(f"{text}\n\n{others}\n", encoding="utf-8")
    print(text, others, json.dumps(clean, indent=1), sep="\n\n")


class _Measured:
    """One corpus: table, measurements and embeddings, and the findings without a planted flaw."""

    def __init__(self, name, seed):
        self.seed = seed
        frame = load_corpus(name, shared_folder() / "corpora" / name, verbose=0).frame
        measured = measure_all(frame, "file", None, 0)
        usable = [row for row, item in enumerate(measured) if item.codes is not None]
        frame = frame.iloc[usable].reset_index(drop=True)
        measured = [measured[row] for row in usable]
        self.table = frame
        self.numbers = pd.DataFrame([item.numbers for item in measured])
        self.formats = [item.format for item in measured]
        of_speech = [self.numbers["level"], np.log(self.numbers["duration"])]
        self.spectra = np.column_stack([np.stack([item.spectrum for item in measured]), *of_speech])
        self.embeddings = embed_voices(frame, "file", None, 0)
        self.has_text = "text" in frame and frame["text"].notna().any()
        self.clean = [
            *self._voices(frame["speaker"]),
            *self._confounders(self.numbers),
            *(self._sentences(frame, self.spectra) if self.has_text else []),
        ]

    def planted(self, n_merged, n_changed):
        """Yield the name of each flaw, whether it was found each time, and other findings."""
        rng = np.random.default_rng(self.seed)
        speakers = self.table["speaker"]
        enough = speakers.value_counts().loc[lambda counts: counts >= 2 * MIN_TO_DIVIDE].index
        yield self._count(
            "half of a speaker under another id",
            [self._voices(self._halved(name, rng)) for name in sorted(enough)],
            (ONE_VOICE,),
        )
        sexes = self.table.groupby("speaker")["gender"].first()
        pairs = [pair for pair in combinations(sorted(enough), 2) if sexes[[*pair]].nunique() == 1]
        chosen = [pairs[k] for k in rng.permutation(len(pairs))[:n_merged]]
        yield self._count(
            "two speakers of one sex under one id",
            [self._voices(speakers.replace({second: first})) for first, second in chosen],
            (TWO_VOICES,),
        )
        labels = sorted(self.table["emotion"].dropna().unique())
        for name, reports in (
            ("three fixed lengths per label", [self._confounders(self._fixed_lengths(rng))]),
            *(
                (name, self._within(changes, n_changed, rng))
                for name, (_, changes) in WITHIN.items()
            ),
        ):
            counted = LENGTHS if name not in WITHIN else _of_confounder(WITHIN[name][0])
            yield self._count(name, reports, counted)
        if self.has_text:
            texts = pd.factorize(self.table["text"])[0]
            own = np.isin(self.table["emotion"], labels)
            own &= texts % len(labels) == self.table["emotion"].map(
                {label: code for code, label in enumerate(labels)}
            )
            scripted = self.table[own].assign(text=(texts // len(labels))[own])
            report = self._sentences(scripted.reset_index(drop=True), self.spectra[own])
            if report is not None and len(set(texts)) >= 2 * len(labels):
                yield self._count("a script of its own for each label", [report], SENTENCES)

    def _count(self, name, reports, counted):
        found = [any(flaw in report for flaw in counted) for report in reports]
        known = {*counted, *self.clean}
        return name, found, sum(flaw not in known for report in reports for flaw in report)

    def _voices(self, speakers):
        rng = np.random.default_rng(self.seed)
        table = self.table.assign(speaker=speakers)
        findings = check_voices(table, self.embeddings, "", "emotion", rng)
        return [finding.flaw for finding in findings or ()]

    def _confounders(self, numbers):
        rng = np.random.default_rng(self.seed)
        table = self.table.drop(columns="text", errors="ignore")
        findings = check_confounders(table, numbers, self.formats, "", "emotion", rng)
        return [finding.flaw for finding in findings]

    def _sentences(self, table, spectra):
        findings = check_sentences(table, spectra, "", "emotion", np.random.default_rng(self.seed))
        return [] if isinstance(findings, str) else [finding.flaw for finding in findings]

    def _halved(self, name, rng):
        own = np.flatnonzero(self.table["speaker"] == name)
        renamed = self.table["speaker"].copy()
        renamed.iloc[rng.permutation(own)[::2]] = "other"
        return renamed

    def _fixed_lengths(self, rng):
        codes = pd.factorize(self.table["emotion"])[0]
        n_labels = codes.max() + 1
        lengths = 1.0 + 0.1 * (codes + n_labels * rng.integers(3, size=len(codes)))
        return self.numbers.assign(duration=lengths)

    def _within(self, changes, n_changed, rng):
        """Return the findings with one label of some speakers changed, one speaker at a time."""
        reports = []
        counts = self.table.groupby(["speaker", "emotion"]).size().loc[lambda sizes: sizes >= 4]
        n_labels = counts.groupby("speaker").size()
        several_labels = sorted(n_labels.index[n_labels >= 2])
        for speaker in rng.permutation(several_labels)[:n_changed]:
            several = counts[speaker]
            own = (self.table["speaker"] == speaker) & (self.table["emotion"] == several.idxmax())
            numbers = self.numbers.copy()
            for column, change in changes.items():
                numbers.loc[own, column] += change
            reports.append(self._confounders(numbers))
        return reports


def _of_confounder(name):
    return (f"label predictable from {name} within speakers", f"label predictable from {name}")


if __name__ == "__main__":
    main()
