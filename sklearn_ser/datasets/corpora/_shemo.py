"""ShEMO, the Sharif Emotional Speech Database."""

import pandas as pd

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, Table

_MARKS_OF_DIRECTION = dict.fromkeys(map(ord, "\u200e\u200f"))


def _transcript(path):
    with open(path, encoding="utf-8-sig") as file:
        return pd.DataFrame({"transcript": [file.read().translate(_MARKS_OF_DIRECTION).strip()]})


READER = CorpusReader(
    name="shemo",
    title=(
        "Sharif Emotional Speech Database (ShEMO): utterances of 87 Persian speakers from radio "
        "plays in 6 emotions, labeled by listeners."
    ),
    languages=("fa",),
    # The publication calls plays on the radio semi-natural.
    kinds=("acted",),
    license="For research",
    citation=(
        "O. Mohamad Nezami, P. Jamshid Lou, M. Karami: ShEMO: A Large-Scale Validated Database for "
        "Persian Speech Emotion Detection. Language Resources and Evaluation 53, 2019, 1-16."
    ),
    homepage="https://github.com/mansourehk/ShEMO",
    files=(r"(?P<speaker>(?P<sex>[MF])\d\d)(?P<emo>[AFHNSW])\d{2,3}",),
    example="female/F01A01.wav",
    columns={
        "speaker": "{speaker}",
        "gender": Coded("{sex}", {"F": "female", "M": "male"}),
        "language": "fa",
        "emotion": Coded(
            "{emo}",
            {
                "A": "anger",
                "F": "fear",
                "H": "happiness",
                "N": "neutral",
                "S": "sadness",
                "W": "surprise",
            },
        ),
        "naturalness": "acted",
        "transcript": "{transcript}",
    },
    tables=(
        Table(
            r"final text/(?P<utterance>[MF]\d\d[AFHNSW]\d{2,3})\.ort",
            shown="transcript/final text/*.ort",
            key="{utterance}",
            need="optional",
            read=_transcript,
        ),
    ),
    utterances=(3000,),
    speakers=87,
    emotions={
        "anger": 1059,
        "fear": 38,
        "happiness": 201,
        "neutral": 1028,
        "sadness": 449,
        "surprise": 225,
    },
    flaws=(
        Flaw("imbalanced", "Fear has 38 utterances, anger 1059."),
        Flaw(
            "emotion_follows_gender",
            "Women have 28 % of the neutral and 62 % of the sad utterances (in 2838 of the 3000).",
        ),
    ),
    uncertain=(
        "Naturalness: plays are acted, the publication calls them semi-natural. Names of the "
        "corrected release (modified_shemo.json), which is not read."
    ),
    tried_on="original names",
)
