"""BanglaSER, Bangla speech emotion recognition dataset."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, parity

READER = CorpusReader(
    name="banglaser",
    title=(
        "BanglaSER: 34 Bangla speakers speak 3 sentences in 5 acted emotions, recorded with phones "
        "and laptops."
    ),
    languages=("bn",),
    kinds=("acted",),
    license="CC BY 4.0",
    citation=(
        "R. K. Das, N. Islam, M. R. Ahmed, S. Islam, S. Shatabda, A. K. M. M. Islam: BanglaSER: A "
        "Speech Emotion Recognition Dataset for the Bangla Language. Data in Brief 42, 108091, "
        "2022."
    ),
    homepage="https://data.mendeley.com/datasets/t9h6p943xy/5",
    # The names have the form of RAVDESS, with other codes.
    files=(
        r"03-01-(?P<emo>0[1-5])-(?P<level>0[12])-(?P<text>0[1-3])-(?P<take>0[1-3])"
        r"-(?P<speaker>[0-2]\d|3[0-4])",
    ),
    example="BanglaSER/03-01-01-01-01-01-01.wav",
    columns={
        "speaker": "{speaker}",
        "gender": Coded("{speaker}", parity(34, odd="male")),
        "language": "bn",
        "emotion": Coded(
            "{emo}",
            {
                "01": "happiness",
                "02": "sadness",
                "03": "anger",
                "04": "surprise",
                "05": "neutral",
            },
        ),
        "naturalness": "acted",
        "text": "{text}",
        "intensity": Coded("{level}", {"01": "normal", "02": "strong"}),
    },
    utterances=(1467,),
    speakers=34,
    emotions={
        **dict.fromkeys(("happiness", "sadness", "anger", "surprise"), 306),
        "neutral": 243,
    },
    flaws=(
        Flaw("incomplete_speaker", "7 of the 34 speakers have no neutral utterances."),
        Flaw(
            "intensity_follows_emotion",
            "In an earlier version happiness and sadness have normal, anger and surprise strong "
            "intensity throughout.",
        ),
    ),
    uncertain="Names of the folders; license.",
    tried_on="synthetic tree",
)
