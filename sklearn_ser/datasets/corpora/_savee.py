"""SAVEE, the Surrey Audio-Visual Expressed Emotion database."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw

_NOUNS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}

READER = CorpusReader(
    name="savee",
    title=(
        "Surrey Audio-Visual Expressed Emotion (SAVEE): 4 male British actors read 15 English "
        "sentences per emotion (30 neutral) in 7 acted emotions."
    ),
    languages=("en",),
    kinds=("acted",),
    license="For research, after registration",
    citation=(
        "S. Haq, P. J. B. Jackson: Speaker-Dependent Audio-Visual Emotion Recognition. AVSP 2009, "
        "53-58."
    ),
    homepage="http://kahlan.eps.surrey.ac.uk/savee/",
    # AudioData/DC/a01.wav, or ALL/DC_a01.wav.
    files=(r"(?P<speaker>DC|JE|JK|KL)[/_](?P<emo>sa|su|[adfhn])(?P<number>\d\d)",),
    example="AudioData/DC/a01.wav",
    columns={
        "speaker": "{speaker}",
        "gender": "male",
        "language": "en",
        "emotion": Coded("{emo}", _NOUNS),
        "naturalness": "acted",
        # The first three sentences are the same in all emotions.
        "text": Coded(
            "{emo}{number}",
            {f"{emo}{number:02}": f"common{number}" for emo in _NOUNS for number in (1, 2, 3)},
        ),
    },
    utterances=(480,),
    speakers=4,
    emotions={**dict.fromkeys(_NOUNS.values(), 60), "neutral": 120},
    flaws=(
        Flaw("single_gender", "All speakers are male."),
        Flaw("imbalanced", "Twice as many neutral utterances as of every other emotion."),
    ),
    uncertain=(
        "Texts: numbers 01 to 03 are taken for the sentences that all emotions share; which "
        "neutral sentences repeat those of an emotion is not known."
    ),
    tried_on="original names",
)
