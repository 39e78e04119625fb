"""Four real corpora, and their features, extracted once.

The corpora are read from ``$SKLEARN_SER_SHARED`` or ``../shared``, the folder that holds
``corpora/`` and ``embeddings/``. Features and finished folds are stored in ``$SKLEARN_SER_WORK``,
by default the folder ``sklearn-ser-experiments`` of the system's temporary files.
"""

import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from sklearn_ser import OpenSmileExtractor, SpeakerEmbedding, concat_corpora, load_corpus

NAMES = ("emodb", "nemo", "ravdess", "urdu")
#: Corpora whose terms allow numbers per utterance to be published. URDU's do not.
PUBLISHABLE = ("emodb", "nemo", "ravdess")
EMOTIONS = ("anger", "happiness", "neutral", "sadness")
#: Feature sets, by their parts.
FEATURE_SETS = {
    "egemaps": ("egemaps",),
    "ge2e": ("ge2e",),
    "both": ("egemaps", "ge2e"),
    "all": ("egemaps", "ge2e", "whisper"),
}


def shared_folder():
    """Return the folder that holds the corpora, or exit with a message that names it."""
    configured = os.environ.get("SKLEARN_SER_SHARED")
    folder = Path(configured) if configured else Path(__file__).resolve().parents[2] / "shared"
    if not (folder / "corpora").is_dir():
        sys.exit(
            f"{folder} has no folder corpora/. Set SKLEARN_SER_SHARED to the folder that holds "
            "corpora/ and embeddings/."
        )
    return folder


def work_folder(name):
    """Return a folder for features and finished folds, and create it if necessary."""
    base = os.environ.get("SKLEARN_SER_WORK")
    base = Path(base) if base else Path(tempfile.gettempdir()) / "sklearn-ser-experiments"
    folder = base / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def load_frame():
    """Load one row per utterance of the four corpora with one of the four emotions.

    Duplicates are left out. The column `whisper_row` is the row in the corpus's table of Whisper
    embeddings.
    """
    folder = shared_folder() / "corpora"
    corpora = []
    for name in NAMES:
        corpus = load_corpus(name, folder / name)
        metadata = pd.read_csv(folder / name / "metadata.csv", dtype=str)
        positions = {Path(file).name: row for row, file in enumerate(metadata["file"])}
        corpus.frame["whisper_row"] = [positions[Path(file).name] for file in corpus.frame["file"]]
        corpora.append(corpus)
    frame = concat_corpora(corpora).frame
    return frame[frame["emotion"].isin(EMOTIONS)].reset_index(drop=True)


def add_permuted(frame, columns):
    """Add a column ``<name>_permuted`` per column, whose known values are randomly permuted."""
    rng = np.random.default_rng(0)
    permuted = {}
    for name in columns:
        values = frame[name].copy()
        is_known = values.notna().to_numpy()
        values[is_known] = rng.permutation(values[is_known].to_numpy())
        permuted[f"{name}_permuted"] = values
    return frame.assign(**permuted)


def load_or_extract(frame, name):
    """Return the features of every row of a frame as a float32 DataFrame.

    Parameters
    ----------
    frame : DataFrame
        Result of :func:`load_frame`.
    name : {"egemaps", "ge2e", "whisper", "both", "all"}
    """
    parts = FEATURE_SETS.get(name, (name,))
    if len(parts) > 1:
        return pd.concat([load_or_extract(frame, part) for part in parts], axis=1)
    if name == "whisper":
        return _whisper(frame)
    settings = {"store": work_folder("features"), "n_jobs": 2}
    if name == "egemaps":
        step = OpenSmileExtractor("eGeMAPSv02", **settings)
    else:
        step = SpeakerEmbedding(**settings)
    return step.fit_transform(frame[["file"]]).reset_index(drop=True)


def _whisper(frame):
    folder = shared_folder() / "embeddings"
    tables = {
        name: np.load(folder / f"{name}_whisper_base.npy").astype(np.float32) for name in NAMES
    }
    rows = [
        tables[corpus][row]
        for corpus, row in zip(frame["corpus"], frame["whisper_row"], strict=True)
    ]
    return pd.DataFrame(np.stack(rows)).add_prefix("whisper_")
