"""What MTLNeuralClassifier costs: training, more tasks, sequences, searches, one prediction.

Ratios within one run, medians of several pairs. An MLP of 88-256-256-4 on 2,000 rows in batches of
64, one thread, CPU time, stands for networks on functionals; the CNN-BLSTM with attention runs on
log-mel of real speech (the corpora of $SKLEARN_SER_SHARED or ../shared, else lengths drawn like
theirs). Where torch finds a GPU, the same networks are timed there too.

Run: ``python benchmarks/training.py [--only mlp|tasks|sequences|search|prediction|gpu]``
"""

import argparse
import os
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from _timing import ratio, report
from _training_reference import plain_torch, stock_skorch
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.svm import LinearSVC

from sklearn_ser import LogMelSpectrogram, MTLNeuralClassifier, load_corpus
from sklearn_ser.neural_network import _sequences
from sklearn_ser.utils._frames import as_sequences

EPOCHS = 20
WIDTHS = (256, 256)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=PARTS)
    asked = parser.parse_args().only
    torch.set_num_threads(1)
    for name, part in PARTS.items():
        if asked in (None, name):
            part()


def functionals():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 88)).astype(np.float32)
    aux = np.column_stack([rng.integers(2, size=2000), rng.integers(3, size=2000)])
    return X, rng.integers(4, size=2000), aux


def net(**parameters):
    given = {
        "hidden_units": WIDTHS,
        "dropout": 0.5,
        "tasks": None,
        "max_epochs": EPOCHS,
        "batch_size": 64,
        "early_stopping": False,
        "perturbation__noise": 0.0,
        "device": "cpu",
        "random_state": 0,
    }
    return MTLNeuralClassifier().set_params(**given | parameters)


def mlp():
    X, y, _ = functionals()

    def plain():
        plain_torch(X, y, WIDTHS, EPOCHS)

    report("MTLNeuralClassifier / plain torch", ratio(lambda: net().fit(X, y), plain))
    report(
        "stock skorch / plain torch",
        ratio(lambda: stock_skorch(X, y, WIDTHS, EPOCHS), plain, repeats=5),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # neither is meant to converge in so few iterations
        other = MLPClassifier(WIDTHS, batch_size=64, max_iter=EPOCHS, n_iter_no_change=EPOCHS)
        report(
            "scikit-learn's MLPClassifier / plain torch",
            ratio(lambda: other.fit(X, y), plain, repeats=5),
        )
        svm = LinearSVC(C=1e-3, dual=False)
        report("LinearSVC, one fit / plain torch", ratio(lambda: svm.fit(X, y), plain, repeats=5))


def tasks():
    X, y, aux = functionals()
    report(
        "three tasks / one",
        ratio(lambda: net(tasks="auto").fit(X, y, aux=aux), lambda: net().fit(X, y)),
    )


def sequences():
    X, y = log_mel()
    lengths = np.array([len(sequence) for sequence in X])
    print(
        f"{len(X)} sequences of {lengths.min()} to {lengths.max()} frames, "
        f"{lengths.mean() / lengths.max():.2f} of the longest on average"
    )
    longest = [np.pad(x, ((0, lengths.max() - len(x)), (0, 0))) for x in X]

    def fit(data):
        net(encoder="cnn_blstm", hidden_units=(64,), max_epochs=1, batch_size=16).fit(data, y)

    report(
        "CNN-BLSTM-attention, all padded to the longest / batched by length",
        ratio(lambda: fit(longest), lambda: fit(X), repeats=3),
    )

    def at_random():
        pool, _sequences.BATCHES_PER_POOL = _sequences.BATCHES_PER_POOL, 1
        try:
            fit(X)
        finally:
            _sequences.BATCHES_PER_POOL = pool

    report("batches at random / batched by length", ratio(at_random, lambda: fit(X), repeats=3))


def log_mel():
    """Log-mel of real utterances, or noise of such lengths where there are no corpora."""
    shared = Path(os.environ.get("SKLEARN_SER_SHARED", Path(__file__).parents[2] / "shared"))
    rng = np.random.default_rng(0)
    if not (shared / "corpora").is_dir():
        print("no real corpora: lengths are drawn like theirs")
        lengths = np.clip(rng.lognormal(np.log(250), 0.4, size=160), 100, 900).astype(int)
        X = [rng.normal(size=(n, 64)).astype(np.float32) for n in lengths]
        return X, rng.integers(4, size=len(X))
    files = []
    for name in ("emodb", "nemo", "ravdess", "urdu"):
        frame = load_corpus(name, shared / "corpora" / name).frame
        files += frame["file"].sample(40, random_state=0).tolist()
    X = as_sequences(LogMelSpectrogram(n_mels=64).fit_transform(files))
    return [(x - x.mean()) / x.std() for x in X], rng.integers(4, size=len(X))


def search():
    X, y, _ = functionals()
    grid = {"dropout": [0.2, 0.5], "lr": [1e-3, 3e-3]}

    def run(n_jobs):
        GridSearchCV(net(max_epochs=60), grid, cv=4, n_jobs=n_jobs, refit=False).fit(X, y)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report(
            "GridSearchCV, 16 fits, wall time with n_jobs=1 / n_jobs=2",
            ratio(lambda: run(1), lambda: run(2), repeats=5, clock=time.perf_counter),
        )


def prediction():
    X, y, aux = functionals()
    for name, model in {
        "one network": net(max_epochs=1, tasks="auto"),
        "five networks": net(max_epochs=1, tasks="auto", n_estimators=5),
    }.items():
        model.fit(X, y, aux=aux)
        model.predict(X[:1])
        times = []
        for row in range(300):
            started = time.perf_counter()
            model.predict(X[row : row + 1])
            times.append(time.perf_counter() - started)
        print(f"predict, one row, {name}: {statistics.median(times) * 1e3:.2f} ms (median of 300)")


def gpu():
    if not torch.cuda.is_available():
        print("no GPU that torch can use: its part is left out")
        return
    X, y, _ = functionals()

    def synchronized(function):
        function()
        torch.cuda.synchronize()

    report(
        f"{torch.cuda.get_device_name()}: MTLNeuralClassifier / plain torch, both in float32",
        ratio(
            lambda: synchronized(
                lambda: net(device="cuda", compute__mixed_precision=False).fit(X, y)
            ),
            lambda: synchronized(lambda: plain_torch(X, y, WIDTHS, EPOCHS, "cuda")),
            clock=time.perf_counter,
        ),
    )
    frames, labels = log_mel()

    def fit(device, **parameters):
        net(encoder="cnn_blstm", hidden_units=(64,), max_epochs=2, device=device, **parameters).fit(
            frames, labels
        )

    report(
        "CNN-BLSTM-attention, one CPU thread / GPU",
        ratio(lambda: fit("cpu"), lambda: fit("cuda"), repeats=3, clock=time.perf_counter),
    )
    report(
        "CNN-BLSTM-attention on the GPU, float32 / bfloat16",
        ratio(
            lambda: fit("cuda", compute__mixed_precision=False),
            lambda: fit("cuda", compute__mixed_precision=True),
            repeats=3,
            clock=time.perf_counter,
        ),
    )


PARTS = {
    "mlp": mlp,
    "tasks": tasks,
    "sequences": sequences,
    "search": search,
    "prediction": prediction,
    "gpu": gpu,
}

if __name__ == "__main__":
    main()
