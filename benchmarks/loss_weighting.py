"""Time of a fit with learned weights of the tasks / with fixed weights.

A network with the tasks gender, speaker, naturalness rating and reconstruction beside emotion, on
the packaged GE2E features. Accuracy: ``experiments/kim2017/loss_weighting.py``.

Run: ``python benchmarks/loss_weighting.py``
"""

import os
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")

from _timing import ratio, report

from sklearn_ser import MTLNeuralClassifier, load_features

TASKS = {
    "gender": "classification",
    "speaker": "classification",
    "naturalness_rating": "regression",
    "rebuilt": "reconstruction",
}
AUX = ["gender", "speaker", "naturalness_rating"]


def main():
    warnings.simplefilter("ignore")
    data = load_features("ge2e")
    for weighting in ("uncertainty", "pcgrad"):
        ratios = ratio(lambda name=weighting: fit(data, name), lambda: fit(data, "fixed"))
        report(f"time of a fit, {weighting} / fixed", ratios)


def fit(data, weighting):
    net = MTLNeuralClassifier(
        tasks=TASKS,
        aux_weight=0.5,
        loss_weighting=weighting,
        hidden_units=(128,),
        max_epochs=3,
        early_stopping=False,
        random_state=0,
    )
    return net.fit(data.X, data.frame["emotion"], aux=data.frame[AUX])


if __name__ == "__main__":
    main()
