"""URDU, speech from television talk shows."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw

READER = CorpusReader(
    name="urdu",
    title="URDU dataset: 400 clips of speech from Urdu television talk shows, natural.",
    languages=("ur",),
    kinds=("natural",),
    license='No standard license: "Anyone can use this data only for research purposes."',
    citation=(
        "S. Latif, A. Qayyum, M. Usman, J. Qadir: Cross Lingual Speech Emotion Recognition: "
        "Urdu vs. Western Languages. FIT 2018 (arXiv:1812.10411)."
    ),
    homepage="https://github.com/siddiquelatif/URDU-Dataset",
    files=(r"(?P<speaker>S(?P<sex>[MF])\d+)_F(?P<file>\d+)_(?P<emo>[AHNS])(?P<number>\d+)",),
    example="Angry/SM1_F1_A01.wav",
    columns={
        "speaker": "{speaker}",
        "gender": Coded("{sex}", {"M": "male", "F": "female"}),
        "language": "ur",
        "emotion": Coded("{emo}", {"A": "anger", "H": "happiness", "N": "neutral", "S": "sadness"}),
        "naturalness": "natural",
        # The clips 2 n - 1 and 2 n of an emotion are halves of one segment.
        "recording": Coded(
            "{emo}{number}",
            {
                f"{letter}{clip:0{width}}": f"{letter}{(clip + 1) // 2:03}"
                for letter in "AHNS"
                for clip in range(1, 101)
                for width in (1, 2, 3, 4)
            },
        ),
    },
    utterances=(400,),
    speakers=29,
    emotions=dict.fromkeys(("anger", "happiness", "neutral", "sadness"), 100),
    flaws=(
        Flaw(
            "cut_recordings",
            "The 400 clips are 200 segments of five seconds cut in two (column recording: keep a "
            "pair on one side of a split).",
        ),
        Flaw(
            "emotion_follows_speaker",
            "26 of the 29 speakers have one emotion only, so speaker and emotion are nearly "
            "confounded: only speaker-disjoint splits are meaningful, and scaling by speaker "
            "removes the emotion.",
        ),
        Flaw(
            "speakers_missing",
            "The publication counts 38 speakers; the file names hold 29 (SM8 to SM16 do not "
            "occur).",
        ),
    ),
    tried_on="real files",
)
