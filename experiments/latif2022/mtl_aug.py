"""Effect of augmentation, its type as a task, and reconstruction (Latif et al., 2022).

Single-task, + augmented copies (speed 0.9 and 1.1, noise, rooms), + their type as an auxiliary
task, + reconstruction, + both, + unlabeled utterances (other emotions of the training speakers),
beside a linear SVM with and without copies. Within each corpus and leaving one corpus out, which is
across languages too (German, Polish, English, Urdu: one corpus each); on clean speech, in noise of
kinds that no copy was made with (kitchen, water, babble at 20, 10 and 0 dB), and under FGSM attack
on the standardized features. Scaled per corpus, so that scores are transductive if the test corpus
was not trained on. "Scaled separately": copies of a kind are scaled by their own statistics.

One fit is tested under every condition, so that the folds are run here and not by
`cross_corpus_validate`. Weights of auxiliary tasks and the SVM's C are searched on the training
samples of each fold. Finished fits are stored (see `experiments/corpora.py`), so that a run resumes
after a kill. ``--features logmel`` is the CNN-BLSTM on log-mel, for a GPU.

Run: ``python -m experiments.latif2022.mtl_aug [--features ge2e|logmel] [--seeds 5]``
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # parallelism is by fit

import hashlib
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from sklearn import config_context
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

import sklearn_ser
from experiments.corpora import EMOTIONS, work_folder
from experiments.latif2022.data import SNRS, extract, load_rows, load_tables
from experiments.latif2022.systems import make_systems
from experiments.results import as_markdown, parse_config, publish, table
from sklearn_ser import EvaluationResult, LeaveOneCorpusOut, SpeakerKFold, uar_scorer
from sklearn_ser.model_selection import SemiSupervisedSplit, WithinCorpusSpeakerKFold
from sklearn_ser.robustness import adversarial_robustness

CONFIG = {
    "features": "ge2e",
    "protocol": ["leave-one-corpus-out", "within-corpus"],
    "systems": ["all"],
    "seeds": 5,
    "n_jobs": 2,
}
PROTOCOLS = {
    "leave-one-corpus-out": LeaveOneCorpusOut(),
    "within-corpus": WithinCorpusSpeakerKFold(5),
}
EPSILONS = (0.03, 0.1, 0.3)
BASELINES = ["single-task", "+ augmentation", "SVM"]


def main():
    config = parse_config(CONFIG, __doc__.splitlines()[0])
    features = config["features"]
    frame = load_rows()
    extract(frame, features, config["n_jobs"])
    for protocol in config["protocol"]:
        predictions = run(frame, protocol, config)
        path = Path(__file__).parent / "results" / f"mtl_aug-{features}-{protocol}"
        for condition, part in predictions.groupby("condition"):
            result = as_result(part, protocol, config)
            name = condition.replace(", ", "-").replace(" ", "")
            own = {"protocol": protocol, "condition": condition}
            publish(result, path / name, config | own, baselines=BASELINES)
        scores = summarize(predictions, protocol, config)
        Path(f"{path}.md").write_text(f"{as_markdown(scores)}\n", encoding="utf-8")
        print(f"\n## {features}, {protocol}\n\n{as_markdown(scores)}", flush=True)


def run(frame, protocol, config):
    """Return the predictions of every system, seed and fold under every condition."""
    features = config["features"]
    systems = make_systems(features)
    names = list(systems) if config["systems"] == ["all"] else config["systems"]
    labeled = np.flatnonzero(frame["emotion"].notna())
    X = load_tables(features)["original"].iloc[labeled]
    y = frame["emotion"].to_numpy(dtype=object)
    folds = list(PROTOCOLS[protocol].split(X, y[labeled].astype(str)))
    fits = [
        (name, seed, labeled[train], labeled[test])
        for seed in range(config["seeds"])
        for train, test in folds
        for name in names
        if seed == 0 or systems[name].is_random
    ]
    return pd.concat(
        Parallel(n_jobs=config["n_jobs"], verbose=1)(
            delayed(fit_or_load)(features, frame, *fit) for fit in fits
        ),
        ignore_index=True,
    )


def fit_or_load(features, frame, name, seed, train, test):
    """Return the predictions of one fit, from a file if it was made before."""
    code = [
        (Path(__file__).parent / file).read_text()
        for file in ("mtl_aug.py", "data.py", "systems.py")
    ]
    key = joblib.hash([features, name, seed, train, test, code, sklearn_ser.__version__])
    digest = hashlib.sha256(key.encode()).hexdigest()[:20]
    file = work_folder(f"mtl_aug/{features}") / f"{digest}.parquet"
    if not file.exists():
        part = fit_and_predict(features, frame, name, seed, train, test)
        partial = file.with_suffix(".partial")
        part.to_parquet(partial)
        partial.replace(file)
    return pd.read_parquet(file)


def fit_and_predict(features, frame, name, seed, train, test):
    """Search and fit on training samples, and predict the test samples under every condition."""
    tables = load_tables(features)
    system = make_systems(features, tables)[name]
    y = frame["emotion"].astype(object).where(frame["emotion"].notna(), None).to_numpy()
    if system.unlabeled:
        speaker = frame["linked_speaker"]
        is_added = frame["emotion"].isna() & speaker.isin(speaker.iloc[train])
        train = np.sort(np.concatenate([train, np.flatnonzero(is_added)]))
    X = tables["original"].iloc[train]
    model = clone(system.estimator)
    if system.is_random:
        model.set_params(estimator__model__random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        best = {}
        if system.grid and np.prod([len(values) for values in system.grid.values()]) > 1:
            several = X.index.get_level_values("corpus").nunique() > 1
            inner = LeaveOneCorpusOut() if several else SpeakerKFold(3)
            search = GridSearchCV(
                model,
                system.grid,
                cv=SemiSupervisedSplit(inner),
                scoring=uar_scorer,
                refit=False,
                error_score="raise",
            )
            with config_context(enable_metadata_routing=True):
                best = search.fit(X, y[train]).best_params_
        elif system.grid:
            best = {key: values[0] for key, values in system.grid.items()}
        model.set_params(**best).fit(X, y[train])
        predictions = pd.concat(list(predict(model, tables, test, y[test])), ignore_index=True)
    row = predictions["row"].to_numpy()
    corpora = frame["corpus"].to_numpy(dtype=object)
    return predictions.assign(
        estimator=name,
        setting="transductive",
        seed=seed,
        fold=f"{corpora[test[0]]}, from row {test[0]}",
        train="+".join(sorted(set(corpora[train]))),
        corpus=corpora[row],
        speaker=frame["speaker"].to_numpy(dtype=object)[row],
        y_true=y[row],
        failed=False,
        best_params=repr(best),
    )


def predict(model, tables, test, y_true):
    """Yield tables of condition, row and y_pred."""
    for name, features in tables.items():
        if name == "original" or " dB" in name:
            y_pred = model.predict(features.iloc[test])
            condition = "clean" if name == "original" else name
            yield pd.DataFrame({"condition": condition, "row": test, "y_pred": y_pred})
    _, attacked = adversarial_robustness(
        {"model": model.estimator_},
        tables["original"].iloc[test],
        y_true.astype(str),
        epsilons=EPSILONS,
        return_predictions=True,
        random_state=0,
    )
    for epsilon, part in attacked[attacked["epsilon"] > 0].groupby("epsilon"):
        yield pd.DataFrame(
            {
                "condition": f"FGSM {epsilon:g}",
                "row": test[part["row"].to_numpy()],
                "y_pred": part["y_pred"].to_numpy(),
            }
        )


def as_result(predictions, protocol, config):
    """Return the predictions under one condition as an EvaluationResult."""
    best = predictions[["estimator", "seed", "fold", "best_params"]].drop_duplicates()
    best = best.rename(columns={"best_params": "value"}).assign(parameter="all")
    systems = make_systems(config["features"])
    return EvaluationResult(
        predictions.drop(columns=["condition", "best_params"]),
        labels=EMOTIONS,
        protocol=protocol,
        best_params=best,
        info={
            "versions": {"sklearn-ser": sklearn_ser.__version__},
            "estimators": {name: repr(systems[name]) for name in best["estimator"].unique()},
            "seconds": {},
        },
    )


def summarize(predictions, protocol, config):
    """Tabulate the mean recall by system and condition, and the gains on clean speech."""
    by_condition = {
        condition: as_result(part, protocol, config)
        for condition, part in predictions.groupby("condition")
    }
    scores = table(by_condition["clean"], "transductive", BASELINES).set_index("estimator")
    scores = scores.rename(columns={"mean": "clean"})
    groups = {f"{snr} dB": f", {snr} dB" for snr in SNRS}
    groups |= {f"FGSM {epsilon:g}": f"FGSM {epsilon:g}" for epsilon in EPSILONS}
    for group, ending in groups.items():
        means = [
            result.summary()["mean"].droplevel("setting")
            for condition, result in by_condition.items()
            if condition.endswith(ending)
        ]
        scores[group] = pd.concat(means, axis=1).mean(axis=1)
    return scores.reset_index()


if __name__ == "__main__":
    main()
