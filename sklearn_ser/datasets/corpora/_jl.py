"""JL corpus, emotional speech of New Zealand."""

from sklearn_ser.datasets._reader import Coded, CorpusReader

_NOUNS = {
    "angry": "anger",
    "anxious": "anxiety",
    "apologetic": "apology",
    "assertive": "assertiveness",
    "concerned": "concern",
    "encouraging": "encouragement",
    "excited": "excitement",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
}

READER = CorpusReader(
    name="jl",
    title=(
        "JL corpus: 4 New Zealand actors speak 30 English sentences in 5 primary and 5 secondary "
        "acted emotions."
    ),
    languages=("en",),
    kinds=("acted",),
    license="CC0 1.0 or ODC-By: sources disagree",
    citation=(
        "J. James, L. Tian, C. I. Watson: An Open Source Emotional Speech Corpus for Human Robot "
        "Interaction Applications. Interspeech 2018, 2768-2772."
    ),
    homepage="https://www.kaggle.com/datasets/tli725/jl-corpus",
    files=(
        rf"(?P<speaker>(?P<sex>female|male)[12])_(?P<emo>{'|'.join(_NOUNS)})"
        r"_(?P<text>\d+[ab])_(?P<take>[12])",
    ),
    example=("Raw JL corpus (unchecked and unannotated)/JL(wav+txt)/female1_angry_10a_1.wav"),
    columns={
        "speaker": "{speaker}",
        "gender": "{sex}",
        "language": "en",
        "emotion": Coded("{emo}", _NOUNS),
        "naturalness": "acted",
        "text": "{text}",
    },
    utterances=(2400,),
    speakers=4,
    emotions=dict.fromkeys(_NOUNS.values(), 240),
    uncertain="License.",
    tried_on="original names",
)
