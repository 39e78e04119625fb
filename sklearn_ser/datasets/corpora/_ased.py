"""ASED, the Amharic Speech Emotion Dataset."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw

_NOUNS = {"n": "neutral", "f": "fear", "h": "happiness", "s": "sadness", "a": "anger"}
# One file each of four women has the number of men.
_WOMEN = ("09", "15", "21", "23")

READER = CorpusReader(
    name="ased",
    title=(
        "Amharic Speech Emotion Dataset (ASED): 65 volunteers of four dialects speak 27 sentences "
        "in 5 acted emotions."
    ),
    languages=("am",),
    kinds=("acted",),
    license="None stated",
    citation=(
        "E. A. Retta, E. Almekhlafi, R. Sutcliffe, M. Mhamed, H. Ali, J. Feng: A New Amharic "
        "Speech Emotion Dataset and Classification Benchmark. ACM Transactions on Asian and "
        "Low-Resource Language Information Processing 22(1), 2023."
    ),
    homepage="https://github.com/wgwangang/ASED_V1",
    files=(
        r"(?P<emo>[nfhsaS])[1-5]-(?P<text>0[1-7])-(?P<take>0[12])-(?P<sex>0[12])-(?P<speaker>\d\d)",
    ),
    example="01Neutral/n1-01-01-01-01.wav",
    columns={
        "speaker": "{speaker}",
        "gender": Coded(
            "{sex}-{speaker}",
            {
                f"{sex}-{n:02}": gender
                for sex, gender in (("01", "female"), ("02", "male"))
                for n in range(1, 66)
            }
            | {f"02-{speaker}": "female" for speaker in _WOMEN},
        ),
        "language": "am",
        "emotion": Coded("{emo}", {**_NOUNS, "S": "sadness"}),
        "naturalness": "acted",
        # Sentences 01 and 02 are the same in all emotions, the others belong to one.
        "text": Coded(
            "{emo}{text}",
            {f"{emo}{text}": text for emo in (*_NOUNS, "S") for text in ("01", "02")}
            | {f"S{n:02}": f"s{n:02}" for n in range(3, 8)},
        ),
    },
    utterances=(2474,),
    speakers=65,
    emotions={"neutral": 522, "fear": 510, "happiness": 486, "sadness": 470, "anger": 486},
    flaws=(
        Flaw("text_follows_emotion", "25 of the 27 sentences occur in one emotion only."),
        Flaw(
            "mislabeled_ids",
            "The number of the sex differs in one file each of speakers 09, 15, 21 and 23: the "
            "speaker's other files count. One file of sadness is named S4.",
        ),
    ),
    uncertain=(
        "License. Sentences 01 and 02 of all emotions are the same by automatic transcripts of "
        "another project."
    ),
    tried_on="original names",
)
