"""After Latif et al. (2022): do augmentation, its type as a task, and reconstruction help?

Single-task, + augmented copies (speed 0.9 and 1.1, noise, rooms), + their type as an auxiliary
task, + reconstruction, + both, + unlabeled utterances (other emotions of the training speakers),
beside a linear SVM with and without copies. Within each corpus and leaving one corpus out, which is
across languages too (German, Polish, English, Urdu: one corpus each); on clean speech, in noise of
kinds that no copy was made with (kitchen, water, babble at 20, 10 and 0 dB), and under FGSM attack
on the standardized features. Per-corpus scaling, so that figures are transductive where the test
corpus was not trained on. "Scaled apart": copies of a kind are scaled by their own statistics.

Networks have `--seeds` seeds; weights of auxiliary tasks and the SVM's C are searched on each
fold's training rows. Finished fits are kept (see `_corpora.py`), so the script may be killed and
run again, and `--finished` prints the table of what there is. `--features logmel` is the CNN-BLSTM
on log-mel, for a GPU: its auxiliary weights are not searched.

Run: ``python benchmarks/mtl_aug.py [--features ge2e|logmel] [--protocol ...] [--seeds 5]``
"""

import argparse
import ast
import hashlib
import os
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # the processes are all that runs at once

import joblib
import numpy as np
import pandas as pd
from _corpora import work_folder
from _folds import kept_together
from _mtl_aug_data import SNRS, extract, load_rows, load_tables
from _mtl_aug_systems import systems
from _paired import recall_by_corpus, sign_flip
from joblib import Parallel, delayed
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, ParameterGrid

from sklearn_ser import LeaveOneCorpusOut, SpeakerKFold, uar_scorer
from sklearn_ser.evaluation._fold import with_seed
from sklearn_ser.evaluation._protocols import make_folds
from sklearn_ser.model_selection import SemiSupervisedSplit
from sklearn_ser.robustness._adversarial import adversarial_robustness
from sklearn_ser.utils._routing import fit_routed

PROTOCOLS = ("leave-one-corpus-out", "within-corpus")
EPSILONS = (0.03, 0.1, 0.3)
INNER_FOLDS = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--features", choices=("ge2e", "logmel"), default="ge2e")
    parser.add_argument("--protocol", nargs="+", choices=PROTOCOLS, default=list(PROTOCOLS))
    parser.add_argument("--only", nargs="+", help="names of systems")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--finished", action="store_true", help="fit nothing, show what there is")
    asked = parser.parse_args()
    frame = load_rows()
    if not asked.finished:
        extract(frame, asked.features, asked.n_jobs)
    names = asked.only or list(systems(asked.features))
    for protocol in asked.protocol:
        found = run(names, frame, protocol, asked)
        print(f"\n## {asked.features}, {protocol}\n")
        with pd.option_context("display.width", 200, "display.max_columns", 20):
            print(table(found).round(3).to_string(index=False), flush=True)


def run(names, frame, protocol, asked):
    """Predictions of every system in every fold and condition, seed by seed."""
    labeled = np.flatnonzero(frame["emotion"].notna())
    speaker = kept_together(frame)
    folds = make_folds(
        protocol,
        y=frame["emotion"].to_numpy(dtype=object)[labeled].astype(str),
        corpus=frame["corpus"].to_numpy(dtype=object)[labeled],
        speaker=speaker[labeled],
    )
    known = systems(asked.features)
    found = []
    for seed in range(asked.seeds):  # (what is searched is searched with the first)
        jobs = [
            (name, seed, fold.name, labeled[fold.train], labeled[fold.test])
            for fold in folds
            for name in names
            if seed == 0 or known[name].random
        ]
        if not asked.finished:
            Parallel(n_jobs=asked.n_jobs, verbose=1)(
                delayed(_fit)(asked.features, frame, speaker, *job)
                for job in jobs
                if not _file(asked.features, job).exists()
            )
        files = [_file(asked.features, job) for job in jobs]
        found += [pd.read_parquet(file) for file in files if file.exists()]
    return complete(found, len(folds))


def complete(tables, n_folds):
    """The seeds that every fold of their system has."""
    found = pd.concat(tables, ignore_index=True)
    folds = found.groupby(["system", "seed"])["fold"].transform("nunique")
    return found[folds == n_folds]


def _file(features, job):
    """Where the predictions of one fit are kept."""
    digest = hashlib.sha256(joblib.hash([*job, _code()]).encode()).hexdigest()[:20]
    return work_folder(f"mtl_aug/{features}") / f"{digest}.parquet"


def _fit(features, frame, speaker, name, seed, fold, train, test):
    first, file = (_file(features, (name, of, fold, train, test)) for of in (0, seed))
    tables = load_tables(features)
    entry = systems(features, tables)[name]
    if entry.unlabeled:
        known = set(speaker[train])
        others = np.flatnonzero(frame["emotion"].isna().to_numpy() & np.isin(speaker, list(known)))
        train = np.sort(np.concatenate([train, others]))
    y = frame["emotion"].to_numpy(dtype=object)
    y = np.where(pd.isna(y), None, y)
    X = tables["original"].iloc[train]
    metadata = {"speaker": speaker[train], "corpus": frame["corpus"].to_numpy(dtype=object)[train]}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if seed:
            chosen = ast.literal_eval(pd.read_parquet(first)["chosen"].iloc[0])
        else:
            chosen = _choose(entry.estimator, entry.grid, X, y[train], metadata)
        model = with_seed(clone(entry.estimator).set_params(**chosen), seed)
        model.set_params(random_state=0)  # (the copies are known: nothing to draw)
        fit_routed(model, X, y[train], **metadata)
        found = pd.concat(_predict(model, tables, test, y[test]), ignore_index=True)
    row = found["row"].to_numpy()
    partial = file.with_suffix(".partial")
    found.assign(
        system=name,
        seed=seed,
        fold=fold,
        corpus=frame["corpus"].to_numpy(dtype=object)[row],
        speaker=frame["speaker"].to_numpy(dtype=object)[row],
        y_true=y[row],
        chosen=repr(chosen),
    ).to_parquet(partial)
    partial.replace(file)


def _choose(estimator, grid, X, y, metadata):
    """Searched on training rows alone, where there is more than one choice."""
    if len(ParameterGrid(grid or {})) == 1:
        return ParameterGrid(grid or {})[0]
    several = len(set(metadata["corpus"])) > 1
    inner = LeaveOneCorpusOut() if several else SpeakerKFold(INNER_FOLDS)
    search = GridSearchCV(
        with_seed(estimator, 0),
        grid,
        cv=SemiSupervisedSplit(inner),
        scoring=uar_scorer,
        refit=False,
        error_score="raise",
    )
    with config_context(enable_metadata_routing=True):
        fit_routed(search, X, y, **metadata)
    return search.best_params_


def _predict(model, tables, test, truth):
    """Tables of predictions: condition, row, y_pred."""
    for condition, table in tables.items():
        if condition == "original" or " dB" in condition:
            predicted = model.predict(table.iloc[test])
            name = "clean" if condition == "original" else condition
            yield pd.DataFrame({"condition": name, "row": test, "y_pred": predicted})
    _, attacked = adversarial_robustness(
        {"model": model.estimator_},
        tables["original"].iloc[test],
        truth.astype(str),
        epsilons=EPSILONS,
        return_predictions=True,
        random_state=0,
    )
    for epsilon, part in attacked.groupby("epsilon"):
        if epsilon > 0:
            yield pd.DataFrame(
                {
                    "condition": f"FGSM {epsilon:g}",
                    "row": test[part["row"].to_numpy()],
                    "y_pred": part["prediction"].to_numpy(),
                }
            )


def _code():
    """What the figures depend on beside the data: the text of this benchmark."""
    folder = Path(__file__).resolve().parent
    names = ("mtl_aug.py", "_mtl_aug_data.py", "_mtl_aug_systems.py")
    return [(folder / name).read_text() for name in names]


def table(found):
    """UAR, mean over the corpora, by system and condition; gains beyond single-task and SVM."""
    conditions = {"clean": ["clean"]}
    conditions |= {
        f"{snr} dB": [name for name in found["condition"].unique() if name.endswith(f", {snr} dB")]
        for snr in SNRS
    }
    conditions |= {f"FGSM {epsilon:g}": [f"FGSM {epsilon:g}"] for epsilon in EPSILONS}
    rows = []
    for system, part in found.groupby("system", sort=False):
        row = {"system": system}
        for name, kinds in conditions.items():
            uars = [recall_by_corpus(part[part["condition"] == kind]) for kind in kinds]
            row[name] = float(np.mean([uar.mean() for uar in uars]))
            if name == "clean":
                row |= dict(uars[0])
        for baseline in ("single-task", "+ augmentation", "SVM"):
            other = found[(found["system"] == baseline) & (found["condition"] == "clean")]
            if len(other) and baseline != system:
                clean = part[part["condition"] == "clean"]
                row[f"- {baseline}"], row[f"p ({baseline})"] = sign_flip(clean, other)
        rows.append(row)
    return pd.DataFrame(rows)


if __name__ == "__main__":
    main()
