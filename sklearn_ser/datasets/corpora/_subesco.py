"""SUBESCO, the SUST Bangla Emotional Speech Corpus."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, folds_of

_NOUNS = {
    "ANGRY": "anger",
    "DISGUST": "disgust",
    "FEAR": "fear",
    "HAPPY": "happiness",
    "NEUTRAL": "neutral",
    "SAD": "sadness",
    "SURPRISE": "surprise",
}

READER = CorpusReader(
    name="subesco",
    title=(
        "SUST Bangla Emotional Speech Corpus (SUBESCO): 20 actors speak 10 Bangla sentences five "
        "times in 7 acted emotions."
    ),
    languages=("bn",),
    kinds=("acted",),
    license="CC BY 4.0",
    citation=(
        "S. Sultana, M. S. Rahman, M. R. Selim, M. Z. Iqbal: SUST Bangla Emotional Speech Corpus "
        "(SUBESCO): An Audio-Only Emotional Speech Corpus for Bangla. PLoS ONE 16(4): e0250173, "
        "2021."
    ),
    homepage="https://zenodo.org/records/4526477",
    # F_01 and M_01 are two people. One name of a copy ends in "]".
    files=(
        r"(?P<speaker>(?P<sex>[MF])_\d\d)_[A-Z]+_S_(?P<text>\d+)"
        rf"_(?P<emo>{'|'.join(_NOUNS)})_(?P<take>\d)\]?",
    ),
    example="F_01_OISHI_S_1_ANGRY_1.wav",
    columns={
        "speaker": "{speaker}",
        "gender": Coded("{sex}", {"F": "female", "M": "male"}),
        "language": "bn",
        "emotion": Coded("{emo}", _NOUNS),
        "naturalness": "acted",
        "text": "{text}",
        "fold": Coded(
            "{speaker}",
            folds_of(
                *("F_03 M_03 M_08 M_09", "F_01 F_04 F_10 M_07", "F_06 F_08 M_05 M_06"),
                *("F_05 F_07 F_09 M_04", "F_02 M_01 M_02 M_10"),
            ),
        ),
    },
    utterances=(7000,),
    speakers=20,
    emotions=dict.fromkeys(_NOUNS.values(), 1000),
    folds="five folds of four speakers (EmoBox).",
    tried_on="original names",
)
