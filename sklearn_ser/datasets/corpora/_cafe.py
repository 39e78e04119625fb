"""CaFE, the Canadian French Emotional speech dataset."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, folds_of, parity

_NOUNS = {
    "C": "anger",
    "D": "disgust",
    "J": "happiness",
    "N": "neutral",
    "P": "fear",
    "S": "surprise",
    "T": "sadness",
}

READER = CorpusReader(
    name="cafe",
    title=(
        "Canadian French Emotional speech dataset (CaFE): 12 actors speak 6 sentences in 7 acted "
        "emotions, weak and strong."
    ),
    languages=("fr",),
    kinds=("acted",),
    license="CC BY-NC-SA 4.0",
    citation=(
        "P. Gournay, O. Lahaie, R. Lefebvre: A Canadian French Emotional Speech Dataset. ACM "
        "Multimedia Systems Conference 2018, 399-402."
    ),
    homepage="https://zenodo.org/records/1478765",
    # Names of folders are spelled differently in copies of the archive: the file name counts.
    files=(r"(?P<speaker>\d\d)-(?P<emo>[CDJNPST])-(?P<level>[12])-(?P<text>[1-6])",),
    example="Joie/Faible/01-J-1-1.wav",
    columns={
        "speaker": "{speaker}",
        "gender": Coded("{speaker}", parity(12, odd="male")),
        "language": "fr",
        "emotion": Coded("{emo}", _NOUNS),
        "naturalness": "acted",
        "text": "{text}",
        # Neutral has one level.
        "intensity": Coded(
            "{emo}{level}",
            {
                **{f"{emo}1": "weak" for emo in _NOUNS},
                **{f"{emo}2": "strong" for emo in _NOUNS},
                "N1": None,
            },
        ),
        "fold": Coded("{speaker}", folds_of("01 07 08 10", "02 04 09 12", "03 05 06 11")),
    },
    utterances=(936,),
    speakers=12,
    emotions={**dict.fromkeys(_NOUNS.values(), 144), "neutral": 72},
    folds="three folds of four actors (EmoBox).",
    flaws=(Flaw("imbalanced", "Half as many neutral utterances as of every other emotion."),),
    uncertain="License.",
    tried_on="original names",
)
