"""Scaling by group beside scikit-learn's StandardScaler, which checks its input as well.

Run: ``python benchmarks/scaling.py``
"""

import numpy as np
import pandas as pd
from _timing import ratio, report
from sklearn.preprocessing import StandardScaler

from sklearn_ser.preprocessing import GroupScaler


def main():
    rng = np.random.default_rng(0)
    for n_rows, n_features in ((100, 6373), (2000, 512)):
        speaker = np.arange(n_rows) // 20
        index = pd.MultiIndex.from_arrays([speaker // 2, speaker], names=["corpus", "speaker"])
        columns = [f"feature_{i:04d}_sma_de" for i in range(n_features)]  # as openSMILE names them
        values = rng.normal(size=(n_rows, n_features)).astype(np.float32)
        X = pd.DataFrame(values, index=index, columns=columns)
        for name, table, by in (
            ("GroupScaler()", X, None),
            ("GroupScaler(by='corpus')", X, "corpus"),
            ("GroupScaler(by=['corpus', 'speaker'])", X, ["corpus", "speaker"]),
            ("GroupScaler(by='corpus'), ids as columns", X.reset_index(), "corpus"),
        ):
            _report(f"{name} / StandardScaler(), {n_rows} x {n_features}", by, table, X)


def _report(name, by, table, X):
    ours, theirs = GroupScaler(by=by), StandardScaler()
    report(f"fit: {name}", ratio(lambda: ours.fit(table), lambda: theirs.fit(X)))
    report(f"transform: {name}", ratio(lambda: ours.transform(table), lambda: theirs.transform(X)))


if __name__ == "__main__":
    main()
