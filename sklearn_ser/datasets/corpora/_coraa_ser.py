"""CORAA SER, informal Brazilian Portuguese."""

import re

import pandas as pd

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, Table

_LABELS = "neutral|non-neutral-female|non-neutral-male"
_NAME = rf"(?P<recording>[^/]+)_segment\d+_(?P<label>{_LABELS})"


def _test_labels(path):
    """Return the fields in the original names of the test files."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    fields = table["file"].str.extract(re.compile(rf"(?:.*/)?{_NAME}(?:\.\w+)?$"))
    return table[["wav_file"]].join(fields.add_prefix("test_"))


READER = CorpusReader(
    name="coraa-ser",
    title=(
        "CORAA SER: segments of informal spontaneous Brazilian Portuguese, neutral or non-neutral "
        "(task of the workshop SE&R 2022)."
    ),
    languages=("pt",),
    kinds=("natural",),
    license="None stated",
    citation=(
        "R. M. Marcacini, A. Candido Junior, E. Casanova: Overview of the Automatic Speech "
        "Recognition for Spontaneous and Prepared Speech and Speech Emotion Recognition in "
        "Portuguese (SE&R) Shared-Tasks at PROPOR 2022."
    ),
    homepage="https://github.com/rmarcacini/ser-coraa-pt-br",
    files=(rf"(?P<part>train)/(?:[^/]+/)*{_NAME}", r"(?P<part>test)_ser/[^/]+"),
    example="train/bfamcv01_segment12_non-neutral-female.wav",
    columns={
        "speaker": ("{recording}", "{test_recording}", "{stem}"),
        "gender": Coded(
            ("{label}", "{test_label}"),
            {"neutral": None, "non-neutral-female": "female", "non-neutral-male": "male"},
        ),
        "language": "pt",
        "emotion": Coded(
            ("{label}", "{test_label}"),
            {
                "neutral": "neutral",
                "non-neutral-female": "non-neutral",
                "non-neutral-male": "non-neutral",
            },
        ),
        "naturalness": "natural",
        "recording": ("{recording}", "{test_recording}"),
        "split": "{part}",
    },
    tables=(
        Table(r"test_ser_metadata\.csv", key="{wav_file}", need="expected", read=_test_labels),
    ),
    utterances=(),
    speakers=None,
    folds="the parts of the shared task (column split).",
    flaws=(
        Flaw(
            "speaker_ids_join_people",
            "The column speaker is the recording, in which several people talk.",
        ),
        Flaw(
            "gender_follows_emotion",
            "Gender is known for non-neutral utterances only: do not train a gender task on it.",
        ),
    ),
    uncertain="Number of utterances (about 50 minutes); license; names of the recordings.",
    tried_on="synthetic tree",
)
