"""LDC Emotional Prosody Speech and Transcripts."""

import re

import pandas as pd

from sklearn_ser.datasets._reader import Coded, CorpusReader, Table

_NOUNS = {
    "anxiety": "anxiety",
    "boredom": "boredom",
    "cold anger": "cold anger",
    "contempt": "contempt",
    "despair": "despair",
    "disgust": "disgust",
    "elation": "elation",
    "happy": "happiness",
    "hot anger": "hot anger",
    "interest": "interest",
    "neutral": "neutral",
    "panic": "panic",
    "pride": "pride",
    "sadness": "sadness",
    "shame": "shame",
}
_UTTERANCE = re.compile(
    rf"(?P<start>[\d.]+)\s+(?P<end>[\d.]+)\s+[AB]:\s*"
    rf"(?P<category>{'|'.join(name.replace(' ', '[ -]') for name in _NOUNS)})\s*,\s*(?P<text>.*\S)",
    re.IGNORECASE,
)


def _utterances(path):
    """Return the utterances of a transcript; other lines are noises and announcements."""
    with open(path, encoding="utf-8", errors="replace") as lines:
        rows = [found.groupdict() for found in map(_UTTERANCE.match, lines) if found]
    table = pd.DataFrame(rows, columns=list(_UTTERANCE.groupindex), dtype=object)
    category = table["category"].str.lower().str.replace("-", " ")
    return table.assign(category=category, text=table["text"].str.lower())


READER = CorpusReader(
    name="ldc-epst",
    title=(
        "Emotional Prosody Speech and Transcripts (LDC2002S28): actors read dates and numbers in "
        "English in 15 acted emotions; utterances are parts of long files."
    ),
    languages=("en",),
    kinds=("acted",),
    license="License of the Linguistic Data Consortium",
    citation=(
        "M. Liberman, K. Davis, M. Grossman, N. Martey, J. Bell: Emotional Prosody Speech and "
        "Transcripts. LDC2002S28, 2002."
    ),
    homepage="https://catalog.ldc.upenn.edu/LDC2002S28",
    files=(r"(?P<speaker>[a-z]{2})_?\d+\w*",),
    example="data/cc_001.sph",
    columns={
        "speaker": "{speaker}",
        "language": "en",
        "emotion": Coded("{category}", _NOUNS),
        "naturalness": "acted",
        "text": "{text}",
        "recording": "{stem}",
        "start": "{start}",
        "end": "{end}",
    },
    tables=(
        Table(
            r"(?P<name>[a-z]{2}_?\d+\w*)\.txt",
            shown="cc_001.txt (a transcript per recording)",
            key="{name}",
            read=_utterances,
            several_rows=True,
        ),
    ),
    utterances=(),
    speakers=None,
    uncertain=(
        "Names of the files after the two letters of the actor, their folder, number of "
        "utterances (2324 are reported for 7 actors); gender of the actors is missing."
    ),
    tried_on="synthetic tree",
)
