"""EmoV-DB, the Emotional Voices Database."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw

_NOUNS = {
    "Amused": "amusement",
    "Angry": "anger",
    "Disgusted": "disgust",
    "Neutral": "neutral",
    "Sleepy": "sleepiness",
}

READER = CorpusReader(
    name="emov-db",
    title=(
        "Emotional Voices Database (EmoV-DB): 4 English speakers read prompts of CMU Arctic in 5 "
        "acted emotions."
    ),
    languages=("en",),
    kinds=("acted",),
    license="For non-commercial use or CC BY: sources disagree",
    citation=(
        "A. Adigwe, N. Tits, K. El Haddad, S. Ostadabbas, T. Dutoit: The Emotional Voices "
        "Database: Towards Controlling the Emotion Dimension in Voice Generation Systems. "
        "arXiv:1806.09514, 2018."
    ),
    homepage="https://www.openslr.org/115/",
    # The folder has the emotion; the styles in the file names have many spellings.
    files=(
        rf"(?P<speaker>bea|jenie|josh|sam)[_/](?P<emo>{'|'.join(_NOUNS)})/\w+_[\d-]+_(?P<text>\d{{4}})",
    ),
    example="bea_Amused/amused_1-15_0001.wav",
    columns={
        "speaker": "{speaker}",
        "gender": Coded(
            "{speaker}",
            {"bea": "female", "jenie": "female", "josh": "male", "sam": "male"},
        ),
        "language": "en",
        "emotion": Coded("{emo}", _NOUNS),
        "naturalness": "acted",
        "text": "{text}",
    },
    utterances=(6887,),
    speakers=4,
    emotions={
        "amusement": 1315,
        "anger": 1267,
        "disgust": 1019,
        "neutral": 1566,
        "sleepiness": 1720,
    },
    flaws=(Flaw("incomplete_speaker", "Speaker josh has no anger and no disgust."),),
    uncertain="License.",
    tried_on="original names",
)
