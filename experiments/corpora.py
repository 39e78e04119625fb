"""The four real corpora of the accuracy benchmarks, and features of them, extracted once.

The corpora lie in $SKLEARN_SER_SHARED or ../shared (the folder that holds corpora/ and
embeddings/). Features are kept in a store in $SKLEARN_SER_BENCHMARKS, by default the folder
``sklearn-ser-benchmarks`` of the system's temporary files.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_ser import OpenSmileExtractor, SpeakerEmbedding, concat_corpora, load_corpus

NAMES = ("emodb", "nemo", "ravdess", "urdu")
EMOTIONS = ("anger", "happiness", "neutral", "sadness")
#: Feature sets of the race, by their parts.
FEATURE_SETS = {
    "egemaps": ("egemaps",),
    "ge2e": ("ge2e",),
    "both": ("egemaps", "ge2e"),
    "all": ("egemaps", "ge2e", "whisper"),
}


def shared_folder():
    """The folder with the corpora, or an exit that says where it was looked for."""
    named = os.environ.get("SKLEARN_SER_SHARED")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "corpora").is_dir():
        sys.exit(
            f"{folder} holds no corpora/: set SKLEARN_SER_SHARED to the folder that holds corpora/ "
            "and embeddings/"
        )
    return folder


def work_folder(name):
    """A folder for what a benchmark keeps between runs."""
    base = os.environ.get("SKLEARN_SER_BENCHMARKS")
    base = Path(base) if base else Path(tempfile.gettempdir()) / "sklearn-ser-benchmarks"
    folder = base / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def load_frame():
    """One row per utterance of the four corpora with one of the four emotions, duplicates out.

    `whisper_row` is the row of the corpus's table of Whisper embeddings.
    """
    folder = shared_folder() / "corpora"
    corpora = []
    for name in NAMES:
        corpus = load_corpus(name, folder / name)
        table = pd.read_csv(folder / name / "metadata.csv", dtype=str)
        places = {Path(file).name: row for row, file in enumerate(table["file"])}
        corpus.frame["whisper_row"] = [places[Path(file).name] for file in corpus.frame["file"]]
        corpora.append(corpus)
    frame = concat_corpora(corpora).frame
    return frame[frame["emotion"].isin(EMOTIONS)].reset_index(drop=True)


def features_of(frame, name):
    """Features of every row of `frame`, as a float32 DataFrame with plain columns.

    Parameters
    ----------
    frame : DataFrame
        Of :func:`load_frame`.
    name : {"egemaps", "ge2e", "whisper", "both", "all"}
    """
    if name in FEATURE_SETS and FEATURE_SETS[name] != (name,):
        parts = [features_of(frame, part) for part in FEATURE_SETS[name]]
        return pd.concat(parts, axis=1)
    if name == "whisper":
        return _whisper(frame)
    store = work_folder("features")
    step = {
        "egemaps": lambda: OpenSmileExtractor("eGeMAPSv02", store=store, n_jobs=2),
        "ge2e": lambda: SpeakerEmbedding(store=store, n_jobs=2),
    }[name]()
    return step.fit_transform(frame[["file"]]).reset_index(drop=True)


def _whisper(frame):
    tables = {
        name: np.load(shared_folder() / "embeddings" / f"{name}_whisper_base.npy").astype(
            np.float32
        )
        for name in NAMES
    }
    rows = [
        tables[corpus][row]
        for corpus, row in zip(frame["corpus"], frame["whisper_row"], strict=True)
    ]
    return pd.DataFrame(np.stack(rows)).add_prefix("whisper_")
