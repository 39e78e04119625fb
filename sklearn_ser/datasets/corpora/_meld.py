"""MELD, the Multimodal EmotionLines Dataset."""

import pandas as pd

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, Table

# Names of one speaker or group, as _utterances writes them; roles that a main character plays.
_SAME_SPEAKER = {
    "leedbetter": "ledbetter",
    "fireman #1": "fireman no 1",
    "professore clerk": "paleontologist",
    "joey/drake": "joey",
    "drake remoray": "joey",
    "phoebe/waitress": "phoebe",
    "rachel/actress": "rachel",
    "ross and joey": "joey and ross",
    "rachel and phoebe": "phoebe and rachel",
}


def _utterances(path):
    """Return the table of a part; speakers without case, dots, articles and titles of men."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    names = table["Speaker"].str.lower().str.replace(".", " ").str.split().str.join(" ")
    return table.assign(Speaker=names.str.replace("^(?:an?|the|mr|dr|doctor) ", "", regex=True))


READER = CorpusReader(
    name="meld",
    title=(
        "Multimodal EmotionLines Dataset (MELD): utterances of the television series Friends in 7 "
        "emotions (video files)."
    ),
    languages=("en",),
    kinds=("acted",),
    license="GPL 3.0 (tables); the recordings are copyrighted",
    citation=(
        "S. Poria, D. Hazarika, N. Majumder, G. Naik, E. Cambria, R. Mihalcea: MELD: A Multimodal "
        "Multi-Party Dataset for Emotion Recognition in Conversations. ACL 2019, 527-536."
    ),
    homepage="https://github.com/declare-lab/MELD",
    files=(
        r"(?P<part>train)_splits/dia(?P<dialog>\d+)_utt(?P<turn>\d+)",
        r"(?P<part>dev)_splits_complete/dia(?P<dialog>\d+)_utt(?P<turn>\d+)",
        r"output_repeated_splits_(?P<part>test)/dia(?P<dialog>\d+)_utt(?P<turn>\d+)",
    ),
    example="train/train_splits/dia0_utt0.mp4",
    columns={
        "speaker": Coded("{Speaker}", _SAME_SPEAKER),
        "language": "en",
        "emotion": Coded(
            "{Emotion}",
            {
                "anger": "anger",
                "disgust": "disgust",
                "fear": "fear",
                "joy": "happiness",
                "neutral": "neutral",
                "sadness": "sadness",
                "surprise": "surprise",
            },
        ),
        "naturalness": "acted",
        "recording": "{part}-{dialog}",
        "split": "{part}",
        "sentiment": "{Sentiment}",
        "transcript": "{Utterance}",
    },
    tables=(
        Table(
            r"(?P<part_of_table>train|dev|test)_sent_emo\.csv",
            shown="train_sent_emo.csv (and dev, test)",
            key="{part_of_table}-{Dialogue_ID}-{Utterance_ID}",
            on="{part}-{dialog}-{turn}",
            read=_utterances,
        ),
    ),
    # 13708 with the two that cannot be decoded.
    utterances=(13706,),
    speakers=None,
    excluded={
        r"train_splits/dia125_utt3": "cannot be decoded",
        r"dev_splits_complete/dia110_utt7": "cannot be decoded",
    },
    folds="the official parts (column split).",
    flaws=(
        Flaw("undecodable", "dia125_utt3 of train and dia110_utt7 of dev: left out."),
        Flaw("split_shares_speakers", "The main characters are in all parts of the column split."),
        Flaw(
            "speaker_ids_join_people",
            "Names such as woman, waiter or all are several people; some rows are two people.",
        ),
        Flaw("background", "Laughter of the audience and music are in the sound."),
    ),
    uncertain="License; gender, which is not given; spellings of the speakers' names.",
    tried_on="original names",
)
