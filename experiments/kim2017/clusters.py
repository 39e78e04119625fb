"""Emotion clusters of single-task and multi-task networks side by side (Kim et al., 2017).

Silhouettes of the emotions among speakers that were not trained on: five speaker-disjoint folds
over four corpora, eGeMAPS functionals and GE2E, scaled per corpus, cosine distance; paired by
fold. And one figure of the first fold, t-SNE side by side.

Run: ``python -m experiments.kim2017.clusters [--figure FILE]``
"""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import json
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import numpy as np
import pandas as pd

from experiments.corpora import PUBLISHABLE, load_frame, load_or_extract
from experiments.kim2017.systems import CONDITIONS, make_network
from experiments.results import parse_config
from sklearn_ser import SpeakerKFold
from sklearn_ser.inspection import RepresentationDisplay, representation_silhouette

CONFIG = {
    "features": ["egemaps", "ge2e"],
    "conditions": ["single-task", "+ gender", "+ naturalness", "+ gender + naturalness"],
    "seeds": 3,
    "figure": "",
}
AUX = ["gender", "naturalness"]


def main():
    config = parse_config(CONFIG, __doc__.splitlines()[0])
    warnings.simplefilter("ignore")
    frame = load_frame()
    ids = pd.MultiIndex.from_frame(frame[["corpus", "speaker"]])
    content = {"config": config}
    for features in config["features"]:
        X = load_or_extract(frame, features).set_index(ids)
        silhouettes = pd.concat(
            representation_silhouette(
                make_networks(config["conditions"], seed),
                X,
                frame["emotion"].to_numpy(object),
                aux=frame[AUX],
                speaker=frame["speaker"].to_numpy(object),
                corpus=frame["corpus"].to_numpy(object),
                cv=5,
                metric="cosine",
            ).assign(seed=seed)
            for seed in range(config["seeds"])
        )
        content[features] = silhouettes.to_dict("records")
        print(f"\n## {features}: silhouette of emotions, speakers not trained on\n")
        show(silhouettes)
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    text = json.dumps(content, indent=1, default=float)
    (folder / "clusters.json").write_text(f"{text}\n", encoding="utf-8")
    if config["figure"]:
        draw(frame, X, config["figure"])


def show(silhouettes):
    """Print the mean silhouette of each network, and its gains by fold over the first one."""
    table = silhouettes.pivot_table(
        index=["seed", "fold"], columns="estimator", values="silhouette", sort=False
    )
    by_fold = table.groupby(level="fold").mean()
    for name in table:
        gain = by_fold[name] - by_fold[table.columns[0]]
        print(
            f"{name:25s} {table[name].mean():+.4f}, beyond {table.columns[0]} {gain.mean():+.4f} "
            f"(folds {np.round(gain.to_numpy(), 4).tolist()})"
        )


def make_networks(conditions, seed):
    """Return an MLP per condition."""
    return {
        name: make_network("MLP", CONDITIONS[name]).set_params(model__random_state=seed)
        for name in conditions
    }


def draw(frame, X, file):
    """Draw the first fold of the corpora whose terms allow it."""
    may_publish = frame["corpus"].isin(PUBLISHABLE).to_numpy()
    X, frame = X[may_publish], frame[may_publish].reset_index(drop=True)
    y = frame["emotion"].to_numpy(object)
    speaker = frame["speaker"].to_numpy(object)
    train, test = next(iter(SpeakerKFold(5).split(X, y)))
    models = make_networks(["single-task", "+ gender"], seed=0)
    for model in models.values():
        aux = frame.loc[train, AUX]
        model.fit(X.iloc[train], y[train], model__aux=aux, model__groups=speaker[train])
    display = RepresentationDisplay.from_estimators(
        models,
        X.iloc[test],
        y[test],
        groups=speaker[test],
        style=frame["corpus"].to_numpy(object)[test],
        metric="cosine",
        random_state=0,
    )
    display.figure_.savefig(file, dpi=110, bbox_inches="tight")


if __name__ == "__main__":
    main()
