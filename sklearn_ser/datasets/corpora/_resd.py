"""RESD, Russian Emotional Speech Dialogs."""

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw

READER = CorpusReader(
    name="resd",
    title="Russian Emotional Speech Dialogs (RESD): actors play dialogs in 7 emotions.",
    languages=("ru",),
    kinds=("acted",),
    license="MIT",
    citation="Aniemore: Russian Emotional Speech Dialogs (RESD). Hugging Face, 2022.",
    homepage="https://huggingface.co/datasets/Aniemore/resd",
    # The folder has the emotions of both speakers, the letter that of the utterance.
    files=(
        r"(?P<part>train|test)/[^/]+/(?P<dialog>\d\d)_[a-z]+_[a-z]+[ _](?P<emo>[aedfhns])"
        r"_(?P<turn>\d+)",
    ),
    example="train/happiness_enthusiasm_32/32_happiness_enthusiasm_h_120.wav",
    columns={
        # No name tells the two speakers of a dialog apart.
        "speaker": "dialog{dialog}",
        "language": "ru",
        "emotion": Coded(
            "{emo}",
            {
                "a": "anger",
                "d": "disgust",
                "e": "enthusiasm",
                "f": "fear",
                "h": "happiness",
                "n": "neutral",
                "s": "sadness",
            },
        ),
        "naturalness": "acted",
        "recording": "{dialog}",
        "split": "{part}",
    },
    utterances=(1396,),
    speakers=None,
    emotions={
        "anger": 219,
        "disgust": 185,
        "enthusiasm": 198,
        "fear": 223,
        "happiness": 218,
        "neutral": 191,
        "sadness": 162,
    },
    folds="the corpus's own parts (column split), which share all dialogs.",
    flaws=(
        Flaw(
            "speaker_ids_join_people",
            "The column speaker is the dialog; one actor may speak in several of the 50 dialogs.",
        ),
        Flaw("split_shares_speakers", "All dialogs are in both parts of the column split."),
    ),
    uncertain="Number and gender of the speakers.",
    tried_on="original names",
)
