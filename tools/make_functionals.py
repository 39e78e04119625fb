"""Make the numbers that load_features gives: features of the corpora whose license allows it.

Run by hand, on the folders of the corpora (each with metadata.csv, audio/ and LICENSE.txt)::

    python tools/make_functionals.py --corpora DIR

It reads every corpus that ``datasets._known_corpora`` marks as packageable, runs the two
extractors at their defaults and writes into the package's data folder: ``utterances.parquet``
(all metadata), ``egemaps.parquet`` (88 numbers, float32), ``ge2e.parquet`` (512, float16),
``origin.json`` (versions, counts) and ``LICENSE-<corpus>.txt`` (each corpus's own text).
"""

import argparse
import json
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from sklearn_ser import __version__
from sklearn_ser.datasets import concat_corpora, load_corpus
from sklearn_ser.datasets._known_corpora import CORPUS_NAMES, reader_of
from sklearn_ser.datasets._packaged_features import (
    DATA,
    FEATURE_SETS,
    ORIGIN,
    UTTERANCES,
    license_file,
)
from sklearn_ser.feature_extraction import OpenSmileExtractor, SpeakerEmbedding
from sklearn_ser.utils._ids import ID_COLUMNS

LIBRARIES = ("opensmile", "torch", "numpy", "soundfile", "soxr", "pandas", "pyarrow")


def make(folder, out, n_jobs):
    """Extract from the corpora below `folder` and write everything into `out`."""
    names = [name for name in CORPUS_NAMES if reader_of(name).numbers_may_be_packaged]
    frame = concat_corpora([load_corpus(name, folder / name) for name in names]).frame
    X = frame[["file", *(name for name in ID_COLUMNS if name in frame.columns)]]
    extractors = {
        "egemaps": OpenSmileExtractor("eGeMAPSv02", n_jobs=n_jobs, verbose=1),
        "ge2e": SpeakerEmbedding(pooling="mean_std", n_jobs=n_jobs, verbose=1),
    }
    out.mkdir(parents=True, exist_ok=True)
    for key, extractor in extractors.items():
        file, dtype = FEATURE_SETS[key]
        features = extractor.fit_transform(X).reset_index(drop=True).astype(dtype)
        # A dictionary of float values costs a third of the size again.
        features.to_parquet(out / file, compression="zstd", use_dictionary=False)
        print(f"{file}: {features.shape[0]} x {features.shape[1]} {dtype}")
    relative = [
        Path(file).relative_to(Path(folder / corpus).absolute()).as_posix()
        for file, corpus in zip(frame["file"], frame["corpus"], strict=True)
    ]
    frame.assign(file=pd.Series(relative, dtype=object)).to_parquet(
        out / UTTERANCES, compression="zstd"
    )
    for name in names:
        text = (folder / name / "LICENSE.txt").read_text(encoding="utf-8")
        (out / license_file(name)).write_text(text, encoding="utf-8")
    origin = {
        "made_by": "tools/make_functionals.py",
        "extractors": {key: _described(value) for key, value in extractors.items()},
        "utterances": frame["corpus"].value_counts().to_dict(),
        "versions": {"sklearn-ser": __version__} | {name: version(name) for name in LIBRARIES},
    }
    (out / ORIGIN).write_text(json.dumps(origin, indent=2) + "\n", encoding="utf-8")


def _described(extractor):
    """Class and parameters, without those that change no number."""
    parameters = extractor.get_params()
    return {"class": type(extractor).__name__} | {
        name: value for name, value in parameters.items() if name not in ("n_jobs", "verbose")
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpora", type=Path, required=True, help="folder of the corpora")
    parser.add_argument("--out", type=Path, default=DATA, help="folder (default: package data)")
    parser.add_argument("--n-jobs", type=int, default=1, help="utterances at a time")
    options = parser.parse_args()
    make(options.corpora, options.out, options.n_jobs)


if __name__ == "__main__":
    main()
