"""nEMO, Polish emotional speech."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Table

READER = CorpusReader(
    name="nemo",
    title="nEMO: 9 Polish actors read sentences in 6 acted emotions.",
    languages=("pl",),
    kinds=("acted",),
    license="CC BY-NC-SA 4.0",
    citation=(
        "I. Christop: nEMO: Dataset of Emotional Speech in Polish. LREC-COLING 2024, 12111-12116."
    ),
    homepage="https://github.com/amu-cai/nEMO",
    files=(r"\w+_[a-z]+_(?P<text>\d+)",),
    example="samples/SM0_anger_1.wav",
    columns={
        "speaker": "{speaker_id}",
        "gender": "{gender}",
        "language": "pl",
        "emotion": Coded(
            "{emotion}",
            {
                "anger": "anger",
                "fear": "fear",
                "happiness": "happiness",
                "neutral": "neutral",
                "sadness": "sadness",
                "surprised": "surprise",
            },
        ),
        "naturalness": "acted",
        "text": "{text}",
        "age": "{age}",
        "transcript": "{raw_text}",
    },
    tables=(Table(r"data\.tsv", key="{file_id}", separator="\t"),),
    utterances=(4481,),
    speakers=9,
    tried_on="original names",
    numbers_may_be_packaged=True,
)
