"""EmoDB, the Berlin Database of Emotional Speech."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, Scaled, Table

_GENDERS = dict.fromkeys(("03", "10", "11", "12", "15"), "male") | dict.fromkeys(
    ("08", "09", "13", "14", "16"), "female"
)
_AGES = dict(
    zip(
        ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16"),
        ("31", "34", "21", "32", "26", "30", "32", "35", "25", "31"),
        strict=True,
    )
)

READER = CorpusReader(
    name="emodb",
    title=(
        "Berlin Database of Emotional Speech (EmoDB): 10 German actors read 10 sentences in "
        "acted emotions."
    ),
    languages=("de",),
    kinds=("acted",),
    license="CC0 1.0",
    citation=(
        "F. Burkhardt, A. Paeschke, M. Rolfes, W. Sendlmeier, B. Weiss: A Database of German "
        "Emotional Speech. Interspeech 2005, 1517-1520."
    ),
    homepage="http://emodb.bilderbar.info",
    files=(r"(?P<speaker>\d\d)(?P<text>[ab]\d\d)(?P<emo>[WLEAFTN])(?P<take>[a-h])(xx)?",),
    example="wav/03a01Fa.wav",
    columns={
        "speaker": "{speaker}",
        "gender": Coded("{speaker}", _GENDERS),
        "language": "de",
        "emotion": Coded(
            "{emo}",
            {
                "W": "anger",
                "L": "boredom",
                "E": "disgust",
                "A": "fear",
                "F": "happiness",
                "T": "sadness",
                "N": "neutral",
            },
        ),
        "naturalness": "acted",
        "text": "{text}",
        "naturalness_rating": Scaled("{natural}", 0, 100),
        "recognition_rating": Scaled("{recognized}", 0, 100),
        "age": Coded("{speaker}", _AGES),
    },
    tables=(
        Table(
            r"listener_judgements\.txt",
            key="{sample}",
            need="optional",
            separator="\t",
            encoding="latin-1",
        ),
    ),
    # The original, and 2.0 with the recordings that the original leaves out.
    utterances=(535, 816),
    speakers=10,
    emotions={
        "anger": 127,
        "boredom": 81,
        "disgust": 46,
        "fear": 69,
        "happiness": 71,
        "sadness": 62,
        "neutral": 79,
    },
    # Channels of the laryngograph, in folders of their own.
    not_utterances=(r"(wav_)?laryng\w*/[^/]+",),
    flaws=(
        Flaw(
            "selected_by_listeners",
            "The original contains only utterances that listeners recognized well (80 % or more "
            "in the 339 of anger, happiness, neutral and sadness), so scores on it are "
            "optimistic.",
        ),
    ),
    uncertain="Ages of the speakers; takes after f in version 2.0.",
    tried_on="real files",
    numbers_may_be_packaged=True,
)
