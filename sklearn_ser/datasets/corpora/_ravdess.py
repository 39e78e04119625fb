"""RAVDESS, the Ryerson Audio-Visual Database of Emotional Speech and Song."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, folds_of, parity

READER = CorpusReader(
    name="ravdess",
    title=(
        "Ryerson Audio-Visual Database of Emotional Speech and Song (RAVDESS), audio-only: 24 "
        "actors speak and sing 2 English sentences in 8 acted emotions."
    ),
    languages=("en",),
    kinds=("acted",),
    license="CC BY-NC-SA 4.0",
    citation=(
        "S. R. Livingstone, F. A. Russo: The Ryerson Audio-Visual Database of Emotional "
        "Speech and Song (RAVDESS). PLoS ONE 13(5): e0196391, 2018."
    ),
    homepage="https://zenodo.org/records/1188976",
    files=(
        r"03-(?P<channel>0[12])-(?P<emo>0[1-8])-(?P<level>0[12])-(?P<text>0[12])"
        r"-(?P<take>0[12])-(?P<speaker>[01]\d|2[0-4])",
    ),
    example="Actor_01/03-01-01-01-01-01-01.wav",
    columns={
        "speaker": "{speaker}",
        "gender": Coded("{speaker}", parity(24, odd="male")),
        "language": "en",
        "emotion": Coded(
            "{emo}",
            {
                "01": "neutral",
                "02": "calm",
                "03": "happiness",
                "04": "sadness",
                "05": "anger",
                "06": "fear",
                "07": "disgust",
                "08": "surprise",
            },
        ),
        "naturalness": "acted",
        "text": "{text}",
        "intensity": Coded("{level}", {"01": "normal", "02": "strong"}),
        "vocal_channel": Coded("{channel}", {"01": "speech", "02": "song"}),
        "repetition": Coded("{take}", {"01": "1", "02": "2"}),
        "fold": Coded(
            "{speaker}",
            folds_of(
                *("01 11 20 21", "04 10 12 14", "08 09 19 23"),
                *("03 05 07 24", "02 15 16 18", "06 13 17 22"),
            ),
        ),
    },
    # Speech, song, both.
    utterances=(1440, 1012, 2452),
    speakers=24,
    emotions={
        "neutral": 96,
        **dict.fromkeys(
            ("calm", "happiness", "sadness", "anger", "fear", "disgust", "surprise"), 192
        ),
    },
    # Videos with and without sound have the same utterances.
    not_utterances=(r"0[12]-0[12](-0\d){4}-\d\d",),
    duplicates={"03-01-03-01-02-02-07": "03-01-03-01-02-01-07"},
    folds="six folds of four actors (EmoBox).",
    flaws=(
        Flaw(
            "duplicates",
            "One utterance is a copy of another (column duplicate_of; dropped by default).",
        ),
        Flaw("imbalanced", "Half as many neutral utterances as of every other emotion."),
        Flaw(
            "level_follows_emotion",
            "Recording level follows the emotion (calm about -49 dBFS, anger about -30).",
        ),
    ),
    tried_on="real files",
    numbers_may_be_packaged=True,
)
