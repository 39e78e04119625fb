"""Packaged features of real corpora, for results without any audio."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from sklearn_ser.datasets._corpus import text_as_object
from sklearn_ser.datasets._known_corpora import reader_of
from sklearn_ser.utils._ids import ID_COLUMNS
from sklearn_ser.utils._public import public_module

DATA = Path(__file__).parent / "data"
UTTERANCES = "utterances.parquet"
ORIGIN = "origin.json"
#: File and its dtype by the name of the features.
FEATURE_SETS = {"egemaps": ("egemaps.parquet", "float32"), "ge2e": ("ge2e.parquet", "float16")}

_DESCRIPTION = """\
Features of {n_utterances} utterances of acted emotional speech, one row each
({counts}); utterances marked as duplicates are left out.

Features: {features}.
    egemaps: 88 functionals, OpenSmileExtractor("eGeMAPSv02"), float32.
    ge2e: 512 numbers, SpeakerEmbedding(pooling="mean_std"), rounded to float16 in the file.

The audio is not part of the package: frame["file"] is the path within the folder of the corpus.
The egemaps features were computed with openSMILE, which is free for research and other
non-commercial use only.
Naturalness is "acted" throughout; emodb has listeners' naturalness_rating for each utterance.

{corpora}
"""


def license_file(corpus):
    """Return the name of the file with the license text of a packaged corpus."""
    return f"LICENSE-{corpus}.txt"


@public_module("sklearn_ser.datasets")
@validate_params(
    {"features": [StrOptions({"egemaps", "ge2e", "both"})]}, prefer_skip_nested_validation=True
)
def load_features(features: Literal["egemaps", "ge2e", "both"] = "egemaps") -> Bunch:
    """Load packaged features of EmoDB, RAVDESS and nEMO: real data without any audio.

    The tables have one row per utterance. The features of a corpus may be used and distributed
    under the license of that corpus only: CC0 1.0 for EmoDB, CC BY-NC-SA 4.0 (non-commercial,
    share alike) for RAVDESS and nEMO; see ``licenses``.

    Parameters
    ----------
    features : {"egemaps", "ge2e", "both"}, default="egemaps"
        Features to load: "egemaps" for the 88 functionals of eGeMAPSv02, "ge2e" for the 512
        numbers of ``SpeakerEmbedding`` (rounded to float16 in the file), "both" for the two side
        by side.

    Returns
    -------
    Bunch
        - frame : DataFrame of shape (2594, n_columns): the columns of :class:`Corpus`; ``file``
          is the path within the folder of the corpus;
        - X : float32 DataFrame of shape (2594, n_features), aligned with `frame` row by row; its
          index levels are the id columns, as in the output of an extractor;
        - feature_names : list of str;
        - licenses : dict of corpus to the text of its license;
        - DESCR : str.

    Examples
    --------
    >>> from sklearn_ser.datasets import load_features
    >>> data = load_features("egemaps")
    >>> data.X.shape
    (2594, 88)
    >>> data.frame["corpus"].value_counts().to_dict()
    {'ravdess': 1439, 'nemo': 816, 'emodb': 339}
    >>> list(data.X.index.names)
    ['corpus', 'speaker', 'language', 'text']
    """
    keys = list(FEATURE_SETS) if features == "both" else [features]
    frame = text_as_object(pd.read_parquet(DATA / UTTERANCES))
    tables = [pd.read_parquet(DATA / FEATURE_SETS[key][0]).astype("float32") for key in keys]
    X = pd.concat(tables, axis=1)
    X.index = pd.MultiIndex.from_frame(frame[[name for name in ID_COLUMNS if name in frame]])
    counts = frame["corpus"].value_counts(sort=False)
    return Bunch(
        frame=frame,
        X=X,
        feature_names=list(X.columns),
        licenses={name: (DATA / license_file(name)).read_text("utf-8") for name in counts.index},
        DESCR=_DESCRIPTION.format(
            n_utterances=len(frame),
            counts=", ".join(f"{name} {count}" for name, count in counts.items()),
            features=" and ".join(keys),
            corpora="\n".join(_about(name) for name in counts.index),
        ),
    )


def _about(name):
    facts = reader_of(name)
    return f"{name}: {facts.description}\nLicense: {facts.license}. Cite: {facts.citation}\n"
