"""BAVED, the Basic Arabic Vocal Emotions Dataset."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, Scaled

# Copies, each with its original.
_COPIES = """
    17-m-23-3-2-931 17-m-23-3-2-930
    51-m-20-1-0-456 51-m-20-1-0-455
    54-f-19-6-1-1645 54-f-19-6-1-1644
    53-m-20-0-0-209 46-m-20-0-0-156
    53-m-20-1-0-460 46-m-20-1-0-412
    53-m-20-2-0-768 46-m-20-2-0-715
    53-m-20-3-0-1019 46-m-20-3-0-952
    53-m-20-4-0-1308 46-m-20-4-0-1239
    53-m-20-5-0-1552 46-m-20-5-0-1492
    53-m-20-6-0-1794 46-m-20-6-0-1727
    53-m-20-0-1-210 46-m-20-0-1-157
    53-m-20-1-1-461 46-m-20-1-1-413
    53-m-20-2-1-769 46-m-20-2-1-716
    53-m-20-3-1-1020 46-m-20-3-1-953
    53-m-20-4-1-1309 46-m-20-4-1-1240
    53-m-20-5-1-1553 46-m-20-5-1-1493
    53-m-20-6-1-1795 46-m-20-6-1-1728
    53-m-20-0-2-211 46-m-20-0-2-158
    53-m-20-1-2-462 46-m-20-1-2-414
    53-m-20-2-2-770 46-m-20-2-2-717
    53-m-20-3-2-1021 46-m-20-3-2-954
    53-m-20-4-2-1310 46-m-20-4-2-1241
    53-m-20-5-2-1554 46-m-20-5-2-1494
    53-m-20-6-2-1796 46-m-20-6-2-1729
"""

READER = CorpusReader(
    name="baved",
    title=(
        "Basic Arabic Vocal Emotions Dataset (BAVED): 7 Arabic words at three levels of "
        "expression (low, neutral, high), which are no emotions: emotion is missing throughout, "
        "the level is in arousal and intensity."
    ),
    languages=("ar",),
    kinds=("acted",),
    license="None stated",
    citation="A. Aouf: Basic Arabic Vocal Emotions Dataset (BAVED). GitHub, 2019.",
    homepage="https://github.com/40uf411/Basic-Arabic-Vocal-Emotions-Dataset",
    files=(
        # The word of the name counts, not the folder: 49-m-23-6-1-201 is in the folder of word 0.
        r"(?P<speaker>\d+)-(?P<sex>[mf])-(?P<age>\d+)-(?P<word>[0-6])-(?P<level>[012])-\d+",
    ),
    example="0/0-m-21-0-1-105.wav",
    columns={
        # Ids that repeat people, by their voices, sex and age.
        "speaker": Coded(
            "{speaker}",
            {
                "53": "46",
                "100": "50",
                "39": "50",
                "102": "56",
                "101": "47",
                "17": "49",
                "44": "3",
            },
        ),
        "gender": Coded("{sex}", {"m": "male", "f": "female"}),
        "language": "ar",
        "naturalness": "acted",
        "text": "{word}",
        "arousal": Scaled("{level}", 0, 2),
        "intensity": Coded("{level}", {"0": "low", "1": "neutral", "2": "high"}),
        "age": "{age}",
        "speaker_in_name": "{speaker}",
    },
    utterances=(1935,),
    speakers=53,
    duplicates=dict(line.split() for line in _COPIES.strip().splitlines()),
    flaws=(
        Flaw("duplicates", "Speakers 46 and 53 have the same recordings (duplicate_of)."),
        Flaw(
            "speaker_ids_repeat_people",
            "Some ids are the same person; they are joined here (speaker_in_name is the original "
            "id), and others may repeat people, too.",
        ),
        Flaw(
            "label_follows_speaker",
            "43 of the 60 ids have one level only: use speaker-disjoint splits.",
        ),
        Flaw("level_follows_label", "Loudness alone predicts the level of expression."),
    ),
    uncertain="License; copies were searched in 984 of the 1935 recordings.",
    tried_on="real files",
)
