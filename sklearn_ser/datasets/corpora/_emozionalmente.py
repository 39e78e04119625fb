"""Emozionalmente, crowd-sourced Italian emotional speech."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Table, Votes

_NOUNS = {
    "anger": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "happiness",
    "neutrality": "neutral",
    "sadness": "sadness",
    "surprise": "surprise",
}

READER = CorpusReader(
    name="emozionalmente",
    title=(
        "Emozionalmente: 431 Italian amateurs speak 18 sentences in 7 acted emotions, recorded by "
        "themselves; five listeners rated every utterance."
    ),
    languages=("it",),
    kinds=("acted",),
    license="CC BY 4.0",
    citation=(
        "F. Catania: Emozionalmente: A Crowd-Sourced Corpus of Simulated Emotional Speech in "
        "Italian. Zenodo, 2022 (10.5281/zenodo.6569824)."
    ),
    homepage="https://zenodo.org/records/6569824",
    files=(r"audio/\d+",),
    example="audio/1612871026347.wav",
    columns={
        "speaker": "{actor}",
        "gender": Coded("{gender}", {"other": None}),
        "language": "it",
        "emotion": Coded("{emotion_expressed}", _NOUNS),
        "naturalness": "acted",
        "text": "{sentence}",
        "age": "{age}",
    },
    tables=(
        Table(r"samples\.csv", shown="metadata/samples.csv", key="{file_name}"),
        Table(
            r"users\.csv",
            shown="metadata/users.csv",
            key="{username}",
            on="{actor}",
            need="expected",
        ),
    ),
    votes=(
        Votes(
            Table(r"evaluations\.csv", key="{file_name}"),
            label="{emotion_recognized}",
            codes=_NOUNS,
        ),
    ),
    utterances=(6902,),
    speakers=431,
    emotions=dict.fromkeys(_NOUNS.values(), 986),
    tried_on="original names",
)
