"""What `AugmentingClassifier` costs: three augmenters beside a plain fit, with and without a store.

From 160 utterances of 3 s to a fitted classifier on eGeMAPS functionals: with an empty feature
store (everything is decoded, augmented and extracted), and with one that has seen the rows and the
copies. Four times the rows would cost four times as much if augmenting were free. Elapsed time,
one process.

Run: ``python benchmarks/augmenting_classifier.py [--repeats N]``
"""

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import soundfile
import torch
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from sklearn_ser import (
    AugmentingClassifier,
    MTLNeuralClassifier,
    OpenSmileExtractor,
    make_speech_corpus,
)
from sklearn_ser.augmentation import AddNoise, AddReverb, SpeedPerturbation

AUGMENTERS = {"noise": AddNoise((5, 20), "pink"), "room": AddReverb(), "speed": SpeedPerturbation()}


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    classifiers = {
        "SVM": LinearSVC(),
        "network, 20 epochs": MTLNeuralClassifier(
            early_stopping=False, max_epochs=20, random_state=0, device="cpu"
        ),
    }
    with tempfile.TemporaryDirectory() as name:
        files, emotions = speech(Path(name) / "speech")
        for title, classifier in classifiers.items():
            runs = [times(Path(name), classifier, files, emotions) for _ in range(repeats + 1)]
            show(title, runs[1:])  # the first one imports


def speech(folder):
    folder.mkdir()
    corpus = make_speech_corpus(10, 4, duration=3.0, random_state=0).frame.head(160)
    files = []
    for number, (signal, rate) in enumerate(corpus["file"]):
        files.append(str(folder / f"{number}.flac"))
        soundfile.write(files[-1], np.resize(signal, 3 * rate), rate)
    return files, corpus["emotion"].to_numpy(dtype=object)


def times(folder, classifier, files, emotions):
    """Seconds of a plain and an augmenting fit, with an empty and with a filled store."""
    found = {}
    for name, augmenters in {"plain": None, "augmenting": AUGMENTERS}.items():
        with tempfile.TemporaryDirectory(dir=folder) as store:
            steps = OpenSmileExtractor("eGeMAPSv02", store=store, verbose=0), StandardScaler()
            model = make_pipeline(*steps, classifier)
            if augmenters is not None:
                model = AugmentingClassifier(model, augmenters, random_state=0)
            for state in ("cold", "warm"):
                started = time.perf_counter()
                model.fit(files, emotions)
                found[name, state] = time.perf_counter() - started
    return found


def show(title, runs):
    def median(numerator, denominator):
        return statistics.median(run[numerator] / run[denominator] for run in runs)

    for state in ("cold", "warm"):
        figure = median(("augmenting", state), ("plain", state))
        print(f"{title}: three augmenters / plain fit, both {state}: {figure:.2f}")
    figure = median(("augmenting", "cold"), ("augmenting", "warm"))
    print(f"{title}: three augmenters, cold / warm: {figure:.1f}")
    figure = median(("augmenting", "warm"), ("plain", "cold"))
    print(f"{title}: three augmenters, warm / plain fit, cold: {figure:.2f}", flush=True)


if __name__ == "__main__":
    main()
