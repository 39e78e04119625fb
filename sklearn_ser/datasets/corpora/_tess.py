"""TESS, the Toronto Emotional Speech Set."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw

_NOUNS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "ps": "surprise",
    "sad": "sadness",
}

READER = CorpusReader(
    name="tess",
    title=(
        "Toronto Emotional Speech Set (TESS): 2 actresses, 26 and 64 years old, speak 200 English "
        "words in a carrier phrase in 7 acted emotions."
    ),
    languages=("en",),
    kinds=("acted",),
    license="CC BY-NC-ND 4.0",
    citation=(
        "M. K. Pichora-Fuller, K. Dupuis: Toronto Emotional Speech Set (TESS). Scholars Portal "
        "Dataverse, 2020."
    ),
    homepage="https://tspace.library.utoronto.ca/handle/1807/24487",
    # OA is a misnamed OAF.
    files=(
        r"(?P<speaker>OAF|YAF|OA)_(?P<text>[a-z-]+)"
        r"_(?P<emo>angry|disgust|fear|happy|neutral|ps|sad)",
    ),
    example="OAF_angry/OAF_back_angry.wav",
    columns={
        "speaker": Coded("{speaker}", {"OA": "OAF"}),
        "gender": "female",
        "language": "en",
        # ps is pleasant surprise.
        "emotion": Coded("{emo}", _NOUNS),
        "naturalness": "acted",
        "text": "{text}",
        "age": Coded("{speaker}", {"OAF": "64", "OA": "64", "YAF": "26"}),
    },
    utterances=(2800,),
    speakers=2,
    emotions=dict.fromkeys(_NOUNS.values(), 400),
    flaws=(
        Flaw("few_speakers", "Two speakers: one is left for training in a speaker-disjoint split."),
        Flaw("single_gender", "Both speakers are female."),
    ),
    uncertain="License.",
    tried_on="original names",
)
