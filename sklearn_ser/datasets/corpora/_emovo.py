"""EMOVO, Italian emotional speech."""

from sklearn_ser.datasets._reader import Coded, CorpusReader

_NOUNS = {
    "dis": "disgust",
    "gio": "happiness",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}

READER = CorpusReader(
    name="emovo",
    title="EMOVO: 6 Italian actors speak 14 sentences in 7 acted emotions.",
    languages=("it",),
    kinds=("acted",),
    license="CC BY-NC-SA 4.0",
    citation=(
        "G. Costantini, I. Iaderola, A. Paoloni, M. Todisco: EMOVO Corpus: an Italian Emotional "
        "Speech Database. LREC 2014, 3501-3504."
    ),
    homepage="http://voice.fub.it/activities/corpora/emovo/index.html",
    files=(
        r"(?P<emo>dis|gio|neu|pau|rab|sor|tri)-(?P<speaker>(?P<sex>[fm])[123])-(?P<text>[bdln]\d)",
    ),
    example="f1/dis-f1-b1.wav",
    columns={
        "speaker": "{speaker}",
        "gender": Coded("{sex}", {"f": "female", "m": "male"}),
        "language": "it",
        "emotion": Coded("{emo}", _NOUNS),
        "naturalness": "acted",
        "text": "{text}",
    },
    utterances=(588,),
    speakers=6,
    emotions=dict.fromkeys(_NOUNS.values(), 84),
    uncertain="License.",
    tried_on="original names",
)
