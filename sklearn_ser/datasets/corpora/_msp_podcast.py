"""MSP-Podcast, speech from podcasts."""

import pandas as pd

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, Scaled, Table, Votes


def _answers(path):
    """Return one row per rater; releases before 2.0 have one column for an answer (EmoDetail)."""
    used = ("FileName", "EmoDetail", "EmoClass_Major")
    answers = pd.read_csv(path, dtype=str, keep_default_na=False, usecols=lambda c: c in used)
    if "EmoDetail" in answers.columns:
        label = answers["EmoDetail"].str.split(";", n=2).str[1].str.strip()
        answers = answers.assign(EmoClass_Major=label)
    if "EmoClass_Major" in answers.columns:  # "Other-Concerned"
        label = answers["EmoClass_Major"]
        answers = answers.assign(EmoClass_Major=label.mask(label.str.startswith("Other"), "Other"))
    return answers


READER = CorpusReader(
    name="msp-podcast",
    title="MSP-Podcast: natural speech from English podcasts, rated by at least five listeners.",
    languages=("en",),
    kinds=("natural",),
    license="Academic license of the University of Texas at Dallas",
    citation=(
        "R. Lotfian, C. Busso: Building Naturalistic Emotionally Balanced Speech Corpus by "
        "Retrieving Emotional Speech from Existing Podcast Recordings. IEEE Transactions on "
        "Affective Computing 10(4), 2019, 471-483."
    ),
    homepage="https://www.lab-msp.com/MSP/MSP-Podcast.html",
    files=(r"MSP-PODCAST_(?P<podcast>\d{4})_\d{4}(_\d{4})*",),
    example="Audios/MSP-PODCAST_0001_0008.wav",
    columns={
        # Utterances of unknown speakers are grouped by their podcast.
        "speaker": ("{SpkrID}", "podcast{podcast}"),
        "gender": "{Gender}",
        "language": "en",
        "emotion": Coded(
            "{EmoClass}",
            {
                "A": "anger",
                "H": "happiness",
                "S": "sadness",
                "N": "neutral",
                "U": "surprise",
                "F": "fear",
                "D": "disgust",
                "C": "contempt",
                "O": None,
                "X": None,
            },
        ),
        "naturalness": "natural",
        "recording": "{podcast}",
        "arousal": Scaled("{EmoAct}", 1, 7),
        "valence": Scaled("{EmoVal}", 1, 7),
        "dominance": Scaled("{EmoDom}", 1, 7),
        "split": Coded(
            "{Split_Set}",
            {
                "Train": "train",
                "Development": "dev",
                "Validation": "dev",
                "Test1": "test1",
                "Test2": "test2",
                "Test3": "test3",
            },
        ),
        "emotion_code": "{EmoClass}",
    },
    tables=(
        Table(
            r"labels_con[cs]ensus\.csv",
            shown="labels_consensus.csv",
            key="{FileName}",
            missing=("Unknown",),
        ),
    ),
    votes=(
        Votes(
            Table(r"labels_detailed\.csv", key="{FileName}", read=_answers),
            label="{EmoClass_Major}",
            codes={
                "Angry": "anger",
                "Happy": "happiness",
                "Sad": "sadness",
                "Neutral": "neutral",
                "Surprise": "surprise",
                "Fear": "fear",
                "Disgust": "disgust",
                "Contempt": "contempt",
                "Other": "other",
            },
        ),
    ),
    # Releases 1.11, 1.12 and 2.0.
    utterances=(151654, 207136, 264705),
    speakers=None,
    folds="the official partition (Split_Set).",
    flaws=(
        Flaw(
            "speaker_ids_join_people",
            "Utterances of unknown speakers have their podcast as speaker (podcast0001).",
        ),
    ),
    uncertain="Utterances of the releases; columns of labels_detailed.csv before 2.0.",
    tried_on="synthetic tree",
)
