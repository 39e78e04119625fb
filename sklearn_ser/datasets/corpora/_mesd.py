"""MESD, the Mexican Emotional Speech Database."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw

_NOUNS = {
    "Anger": "anger",
    "Disgust": "disgust",
    "Fear": "fear",
    "Happiness": "happiness",
    "Neutral": "neutral",
    "Sadness": "sadness",
}

READER = CorpusReader(
    name="mesd",
    title=(
        "Mexican Emotional Speech Database (MESD): women, men and children speak single Spanish "
        "words in 6 acted emotions."
    ),
    languages=("es",),
    kinds=("acted",),
    license="CC BY 4.0",
    citation=(
        "M. M. Duville, L. M. Alonso-Valerdi, D. I. Ibarra-Zarate: The Mexican Emotional Speech "
        "Database (MESD): Elaboration and Assessment Based on Machine Learning. EMBC 2021, "
        "1644-1647."
    ),
    homepage="https://data.mendeley.com/datasets/cy34mh68j9/5",
    files=(rf"(?P<emo>{'|'.join(_NOUNS)})_(?P<voice>[FMC])_(?P<set>[AB])_(?P<word>[^/]+)",),
    example="Mexican Emotional Speech Database (MESD)/Anger_C_A_abajo.wav",
    columns={
        # No name tells the speakers of a kind of voice apart.
        "speaker": Coded("{voice}", {"F": "women", "M": "men", "C": "children"}),
        "gender": Coded("{voice}", {"F": "female", "M": "male", "C": None}),
        "language": "es",
        "emotion": Coded("{emo}", _NOUNS),
        "naturalness": "acted",
        "text": "{word}",
        "word_set": "{set}",
    },
    utterances=(862,),
    speakers=3,
    emotions={**dict.fromkeys(_NOUNS.values(), 144), "anger": 143, "neutral": 143},
    flaws=(
        Flaw(
            "speaker_ids_join_people",
            "The column speaker is the kind of voice (3 women, 2 men, 6 children): speakers cannot "
            "be distinguished.",
        ),
        Flaw("text_follows_emotion", "Words of set B belong to one emotion (column word_set)."),
    ),
    tried_on="original names",
)
