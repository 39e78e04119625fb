"""FAU Aibo Emotion Corpus, children with a robot."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Table

_FOLDER = "IS2009EmotionChallenge"

READER = CorpusReader(
    name="fau-aibo",
    title=(
        "FAU Aibo Emotion Corpus: 51 German children talk to a robot, chunks and labels of the "
        "Interspeech 2009 Emotion Challenge."
    ),
    languages=("de",),
    kinds=("natural",),
    license="License agreement of the University of Erlangen-Nuremberg",
    citation=(
        "S. Steidl: Automatic Classification of Emotion-Related User States in Spontaneous "
        "Children's Speech. Logos, 2009. B. Schuller, S. Steidl, A. Batliner: The Interspeech 2009 "
        "Emotion Challenge. Interspeech 2009, 312-315."
    ),
    homepage="https://www5.cs.fau.de/en/our-team/steidl-stefan/fau-aibo-emotion-corpus/",
    files=(r"(?P<speaker>(?P<school>Ohm|Mont)_\d\d)_(?P<turn>\d{3})_\d\d",),
    example="wav/Ohm_01_000_00.wav",
    columns={
        "speaker": "{speaker}",
        "language": "de",
        "emotion": Coded(
            "{code}",
            {"A": "anger", "E": "emphasis", "N": "neutral", "P": "positive", "R": None},
        ),
        "naturalness": "natural",
        "recording": "{speaker}_{turn}",
        "split": Coded("{school}", {"Ohm": "train", "Mont": "test"}),
        "emotion_code": "{code}",
        "two_classes": Coded("{two}", {"NEG": "negative", "IDL": "idle"}),
        "label_confidence": "{confidence}",
    },
    tables=(
        Table(
            rf"(?:{_FOLDER}/)?chunk_labels_5cl_corpus\.txt",
            shown="chunk_labels_5cl_corpus.txt",
            key="{chunk}",
            separator=r"\s+",
            names=("chunk", "code", "confidence"),
        ),
        Table(
            rf"(?:{_FOLDER}/)?chunk_labels_2cl_corpus\.txt",
            shown="chunk_labels_2cl_corpus.txt",
            key="{chunk}",
            need="optional",
            separator=r"\s+",
            names=("chunk", "two", "confidence_of_two"),
        ),
    ),
    utterances=(18216,),
    speakers=51,
    folds="the challenge's: school Ohm for training, Mont for testing (column split).",
    uncertain="Gender, which is in documents that are not read.",
    tried_on="synthetic tree",
)
