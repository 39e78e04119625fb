"""TurEV-DB, the Turkish Emotion Voice Database."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw

_GENDERS = dict.fromkeys(("1234", "1984", "7895"), "female") | dict.fromkeys(
    ("1157", "1358", "6783"), "male"
)

READER = CorpusReader(
    name="turev-db",
    title="Turkish Emotion Voice Database (TurEV-DB): 6 actors speak 82 words in 4 acted emotions.",
    languages=("tr",),
    kinds=("acted",),
    license="CC BY-NC-ND 4.0 (README) or GPL 3.0 (LICENSE), which conflict",
    citation=(
        "S. F. Canpolat, Z. Ormanoglu, D. Zeyrek: Turkish Emotion Voice Database (TurEV-DB). "
        "SLTU/CCURL 2020, 368-375."
    ),
    homepage="https://github.com/Xeonen/TurEV-DB",
    files=(r"(?P<speaker>\d{4})_(?P<emo>hl|kz|mt|sk)_(?P<word>\w+?)(?P<take>\d*)",),
    example="Sound Source/Angry/1234_kz_acik.wav",
    columns={
        "speaker": "{speaker}",
        "gender": Coded("{speaker}", _GENDERS),
        "language": "tr",
        "emotion": Coded(
            "{emo}", {"hl": "sadness", "kz": "anger", "mt": "happiness", "sk": "calm"}
        ),
        "naturalness": "acted",
        "text": "{word}",
    },
    utterances=(1735,),
    speakers=6,
    flaws=(
        Flaw("incomplete_speaker", "Speaker 1157 has no calm and no happiness."),
        Flaw(
            "silence_follows_emotion",
            "Anger and sadness of speaker 1358 begin and end in digital zeros, his other "
            "utterances do not: trim silence first.",
        ),
        Flaw(
            "level_follows_emotion",
            "Levels of speakers 1358 and 1984 differ by 18 to 24 dB between emotions.",
        ),
    ),
    uncertain="Gender, which is from the pitch of the voices; license.",
    tried_on="real files",
)
