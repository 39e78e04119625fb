"""AESDD, the Acted Emotional Speech Dynamic Database."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw

_NOUNS = {"a": "anger", "d": "disgust", "f": "fear", "h": "happiness", "s": "sadness"}

READER = CorpusReader(
    name="aesdd",
    title=(
        "Acted Emotional Speech Dynamic Database (AESDD): 6 Greek actors speak 20 sentences in 5 "
        "acted emotions."
    ),
    languages=("el",),
    kinds=("acted",),
    license="None stated",
    citation=(
        "N. Vryzas, R. Kotsakis, A. Liatsou, C. A. Dimoulas, G. Kalliris: Speech Emotion "
        "Recognition for Performance Interaction. Journal of the Audio Engineering Society 66(6), "
        "2018, 457-467."
    ),
    homepage="http://m3c.web.auth.gr/research/aesdd-speech-emotion-recognition/",
    # Some numbers of speakers are written (01), some utterances have two takes.
    files=(r"(?P<emo>[adfhs])(?P<text>\d\d) ?\(0?(?P<speaker>\d+)\)(?P<take>[ab]?)",),
    example="anger/a01 (1).wav",
    columns={
        "speaker": "{speaker}",
        "language": "el",
        "emotion": Coded("{emo}", _NOUNS),
        "naturalness": "acted",
        "text": "{text}",
    },
    utterances=(604,),
    speakers=6,
    emotions={"anger": 121, "disgust": 122, "fear": 120, "happiness": 119, "sadness": 122},
    excluded={r"s05 ?\(3\)": "cannot be decoded"},
    flaws=(Flaw("undecodable", "s05 (3).wav cannot be decoded: left out."),),
    uncertain=(
        "License; gender (three women and two men among the first five speakers, without their "
        "numbers, are documented); which of the 20 sentences was improvised, and differs between "
        "speakers."
    ),
    tried_on="original names",
)
