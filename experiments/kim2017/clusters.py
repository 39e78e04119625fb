"""Emotion clusters of single-task and multi-task networks side by side (Kim et al., 2017).

Silhouettes of the emotions among speakers that were not trained on: five speaker-disjoint folds
over four corpora, eGeMAPS functionals and GE2E, scaled per corpus, cosine distance; paired by
fold. And one figure of the first fold, t-SNE side by side.

Run: ``python benchmarks/kim2017_clusters.py [--figure FILE]``
"""

import argparse
import os
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pandas as pd
from _corpora import features_of, load_frame
from _kim_entries import CONDITIONS, systems

from sklearn_ser.inspection import RepresentationDisplay, representation_silhouette
from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.utils._routing import fit_routed

ASKED = ("single-task", "+ gender", "+ naturalness", "+ gender + naturalness")
SEEDS = 3


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--figure", help="file for the t-SNE of EmoDB, nEMO and RAVDESS")
    asked = parser.parse_args()
    warnings.simplefilter("ignore")
    frame = load_frame()
    ids = pd.MultiIndex.from_frame(frame[["corpus", "speaker"]])
    for features in ("egemaps", "ge2e"):
        X = features_of(frame, features).set_index(ids)
        found = pd.concat(
            representation_silhouette(
                models(seed),
                X,
                frame["emotion"].to_numpy(object),
                aux=frame[["gender", "naturalness"]],
                speaker=frame["speaker"].to_numpy(object),
                corpus=frame["corpus"].to_numpy(object),
                cv=5,
                metric="cosine",
            ).assign(seed=seed)
            for seed in range(SEEDS)
        )
        table = found.pivot_table(
            index=["seed", "fold"], columns="estimator", values="silhouette", sort=False
        )
        print(
            f"\n## {features}: silhouette of emotions, held-out speakers, {SEEDS} seeds x 5 folds\n"
        )
        by_fold = table.groupby(level="fold").mean()
        for name in ASKED:
            gain = by_fold[name] - by_fold["single-task"]
            print(
                f"{name:25s} {table[name].mean():+.4f}, beyond single-task {gain.mean():+.4f} "
                f"(folds {np.round(gain.to_numpy(), 4).tolist()})"
            )
    if asked.figure:
        draw(frame, X, asked.figure)


def models(seed):
    make = systems(50)["MLP"]
    return {name: make(CONDITIONS[name]).set_params(model__random_state=seed) for name in ASKED}


def draw(frame, X, file):
    """The first fold of three corpora (URDU's terms allow no packaging of what comes of it)."""
    import matplotlib

    matplotlib.use("Agg")
    rows = (frame["corpus"] != "urdu").to_numpy()
    X, frame = X[rows], frame[rows].reset_index(drop=True)
    y = frame["emotion"].to_numpy(object)
    speaker = frame["speaker"].to_numpy(object)
    train, test = next(iter(SpeakerKFold(5).split(y, y, speaker=speaker)))
    fitted = {
        name: fit_routed(
            model, X.iloc[train], y[train], aux=frame.loc[train, ["gender", "naturalness"]],
            speaker=speaker[train],
        )
        for name, model in models(0).items()
        if name in ("single-task", "+ gender")
    }  # fmt: skip
    display = RepresentationDisplay.from_estimators(
        fitted,
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
