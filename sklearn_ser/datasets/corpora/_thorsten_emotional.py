"""Thorsten-Voice, emotional part."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, Table

_NOUNS = {
    "amused": "amusement",
    "angry": "anger",
    "disgusted": "disgust",
    "drunk": "drunkenness",
    "neutral": "neutral",
    "sleepy": "sleepiness",
    "surprised": "surprise",
    "whisper": "whisper",
}

READER = CorpusReader(
    name="thorsten-emotional",
    title=(
        "Thorsten-Voice emotional: one German speaker reads 300 sentences in 8 acted emotions and "
        "manners of speaking."
    ),
    languages=("de",),
    kinds=("acted",),
    license="CC0 1.0",
    citation=(
        "T. Müller, D. Kreutz: Thorsten-Voice Dataset 2021.06 emotional. Zenodo, 2021 "
        "(10.5281/zenodo.5525023)."
    ),
    homepage="https://www.openslr.org/110/",
    files=(rf"(?P<emo>{'|'.join(_NOUNS)})/(?P<sentence>[0-9a-f]+)",),
    example="amused/0a1b2c3d4e5f60718293a4b5c6d7e8f9.wav",
    columns={
        "speaker": "thorsten",
        "gender": "male",
        "language": "de",
        "emotion": Coded("{emo}", _NOUNS),
        "naturalness": "acted",
        "text": "{sentence}",
        "transcript": "{transcript}",
    },
    tables=(
        Table(
            r"thorsten-emotional-metadata\.csv",
            key="{sentence}",
            need="optional",
            separator="|",
            names=("sentence", "transcript"),
        ),
    ),
    # One release lacks a whisper.
    utterances=(2400, 2399),
    speakers=1,
    emotions=dict.fromkeys(_NOUNS.values(), 300),
    flaws=(Flaw("few_speakers", "One speaker: it serves for training or for testing, not both."),),
    uncertain="Form of the file names (a hash); columns of the table.",
    tried_on="synthetic tree",
)
