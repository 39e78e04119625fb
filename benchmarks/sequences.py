"""What batching frame sequences by length saves: MTLNeuralClassifier beside padding everything.

CPU time of 2 epochs on 320 sequences of log-mel size (40 features, 100 frames a second, lengths of
acted utterances: log-normal around 2.5 s), batches of 64, the same network, one thread. The other
side is the same network on sequences all padded to the longest, with the same masks.

Run: ``python benchmarks/sequences.py``
"""

import numpy as np
import torch
from _timing import ratio, report

from sklearn_ser import MTLNeuralClassifier
from sklearn_ser.neural_network import _sequences

EPOCHS = 2
N_FEATURES = 40


def main():
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.lognormal(np.log(250), 0.4, size=320), 50, 1500).astype(int)
    X = [rng.normal(size=(n, N_FEATURES)).astype(np.float32) for n in lengths]
    y = rng.integers(4, size=len(X))
    print(
        f"{len(X)} sequences of {lengths.min()} to {lengths.max()} frames, "
        f"{lengths.mean() / lengths.max():.2f} of the longest on average"
    )

    def net():
        MTLNeuralClassifier(
            max_epochs=EPOCHS, early_stopping=False, random_state=0, hidden_units=(128,)
        ).fit(X, y)

    report(
        "attention, padding all to the longest / MTLNeuralClassifier",
        ratio(lambda: padded(X, y), net, repeats=5),
    )
    report("batches at random / batches by length", ratio(at_random(net), net, repeats=5))


def padded(X, y):
    """The same network and optimizer by hand, on one tensor padded to the longest sequence."""
    longest = max(map(len, X))
    x = torch.zeros(len(X), longest, N_FEATURES)
    mask = torch.zeros(len(X), longest, dtype=torch.bool)
    for row, sequence in enumerate(X):
        x[row, : len(sequence)] = torch.from_numpy(sequence)
        mask[row, : len(sequence)] = True
    y = torch.from_numpy(y)
    layer, attention = torch.nn.Linear(N_FEATURES, 128), torch.nn.Linear(128, 128)
    score, head = torch.nn.Linear(128, 1), torch.nn.Linear(256, 4)
    modules = torch.nn.ModuleList([layer, attention, score, head])
    optimizer = torch.optim.AdamW(modules.parameters(), fused=True)
    for _ in range(EPOCHS):
        for rows in torch.randperm(len(X)).split(64):
            optimizer.zero_grad()
            hidden = torch.nn.functional.dropout(layer(x[rows]).relu(), 0.5)
            scores = score(attention(hidden).tanh())[:, :, 0]
            weights = scores.masked_fill(~mask[rows], -torch.inf).softmax(dim=1).unsqueeze(1)
            mean = weights @ hidden
            deviation = (weights @ (hidden - mean).square() + 1e-6).sqrt()
            outputs = head(torch.cat([mean, deviation], dim=2)[:, 0])
            torch.nn.functional.cross_entropy(outputs, y[rows]).backward()
            optimizer.step()


def at_random(net):
    """`net` with pools of one batch: rows are batched as they are drawn."""

    def run():
        pool, _sequences.BATCHES_PER_POOL = _sequences.BATCHES_PER_POOL, 1
        try:
            net()
        finally:
            _sequences.BATCHES_PER_POOL = pool

    return run


if __name__ == "__main__":
    main()
