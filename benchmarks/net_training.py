"""What the composed net costs: 20 epochs of MTLNeuralClassifier beside a plain torch loop.

CPU time, 2000 x 88 rows, batches of 64, the same layers, dropout and fused AdamW, one thread.

Run: ``python benchmarks/net_training.py``
"""

import itertools

import numpy as np
import torch
from _timing import ratio, report

from sklearn_ser import MTLNeuralClassifier

EPOCHS = 20


def main():
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 88)).astype(np.float32)
    y = rng.integers(4, size=2000)
    aux = {"aux": np.column_stack([rng.integers(2, size=2000), rng.integers(3, size=2000)])}
    for widths in ((128,), (256, 256)):

        def net(tasks=None, widths=widths, **fit_params):
            MTLNeuralClassifier(
                hidden_units=widths, tasks=tasks, max_epochs=EPOCHS, early_stopping=False,
                random_state=0,
            ).fit(X, y, **fit_params)  # fmt: skip

        layers = "x".join(map(str, widths))
        report(f"{layers}, single-task / plain torch", ratio(net, lambda w=widths: plain(X, y, w)))
        report(
            f"{layers}, two auxiliary tasks / single-task",
            ratio(lambda net=net: net("auto", **aux), net),
        )


def plain(X, y, widths):
    """The same network and optimiser, written by hand on resident tensors."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    sizes = (X.shape[1], *widths)
    layers = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU(), torch.nn.Dropout(0.5)]
    module = torch.nn.Sequential(*layers, torch.nn.Linear(sizes[-1], 4))
    optimiser = torch.optim.AdamW(module.parameters(), fused=True)
    loss_of = torch.nn.CrossEntropyLoss()
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(X)).split(64):
            optimiser.zero_grad()
            loss_of(module(X[rows]), y[rows]).backward()
            optimiser.step()


if __name__ == "__main__":
    main()
