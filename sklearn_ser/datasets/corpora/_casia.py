"""CASIA Chinese emotional corpus, public part."""

from sklearn_ser.datasets._reader import Coded, CorpusReader

_GENDERS = {
    "liuchanhg": "female",
    "wangzhe": "male",
    "zhaoquanyin": "female",
    "zhaozuoxiang": "male",
}
_NOUNS = {
    "angry": "anger",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
}

READER = CorpusReader(
    name="casia",
    title=(
        "CASIA Chinese emotional corpus, public part: 4 speakers read 50 sentences in 6 acted "
        "emotions."
    ),
    languages=("zh",),
    kinds=("acted",),
    license="License of the Institute of Automation, Chinese Academy of Sciences",
    citation="CASIA Chinese Emotional Corpus. Chinese Linguistic Data Consortium.",
    homepage="http://www.chineseldc.org",
    files=(rf"(?P<speaker>{'|'.join(_GENDERS)})/(?P<emo>{'|'.join(_NOUNS)})/(?P<text>2\d\d)",),
    example="liuchanhg/angry/201.wav",
    columns={
        "speaker": "{speaker}",
        "gender": Coded("{speaker}", _GENDERS),
        "language": "zh",
        "emotion": Coded("{emo}", _NOUNS),
        "naturalness": "acted",
        "text": "{text}",
    },
    utterances=(1200,),
    speakers=4,
    emotions=dict.fromkeys(_NOUNS.values(), 200),
    uncertain="Gender of the speakers; license; citation.",
    tried_on="original names",
)
