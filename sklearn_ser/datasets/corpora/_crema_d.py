"""CREMA-D, the Crowd-sourced Emotional Multimodal Actors Dataset."""

import pandas as pd

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, Table, Votes

_NOUNS = {
    "A": "anger",
    "D": "disgust",
    "F": "fear",
    "H": "happiness",
    "N": "neutral",
    "S": "sadness",
}


def _answers_to_the_sound(path):
    """Return one row per answer from the counts; the first digit of a line's number is the kind."""
    counts = pd.read_csv(path, dtype={0: str})
    counts = counts[counts.iloc[:, 0].str.startswith("1")]
    long = counts.melt("fileName", list(_NOUNS), var_name="label", value_name="count")
    return long.loc[long.index.repeat(long["count"]), ["fileName", "label"]]


READER = CorpusReader(
    name="crema-d",
    title=(
        "Crowd-sourced Emotional Multimodal Actors Dataset (CREMA-D): 91 actors speak 12 English "
        "sentences in 6 acted emotions; listeners rated every utterance."
    ),
    languages=("en",),
    kinds=("acted",),
    license="ODbL 1.0",
    citation=(
        "H. Cao, D. G. Cooper, M. K. Keutmann, R. C. Gur, A. Nenkova, R. Verma: CREMA-D: "
        "Crowd-sourced Emotional Multimodal Actors Dataset. IEEE Transactions on Affective "
        "Computing 5(4), 2014, 377-390."
    ),
    homepage="https://github.com/CheyneyComputerScience/CREMA-D",
    files=(
        r"(?P<speaker>1\d{3})_(?P<text>[A-Z]{3})_(?P<emo>ANG|DIS|FEA|HAP|NEU|SAD)"
        r"_(?P<level>LO|MD|HI|XX?)",
    ),
    example="AudioWAV/1001_DFA_ANG_XX.wav",
    columns={
        "speaker": "{speaker}",
        "gender": "{Sex}",
        "language": "en",
        "emotion": Coded(
            "{emo}",
            {
                "ANG": "anger",
                "DIS": "disgust",
                "FEA": "fear",
                "HAP": "happiness",
                "NEU": "neutral",
                "SAD": "sadness",
            },
        ),
        "naturalness": "acted",
        "text": "{text}",
        "intensity": Coded(
            "{level}", {"LO": "low", "MD": "medium", "HI": "high", "XX": None, "X": None}
        ),
        "age": "{Age}",
    },
    tables=(Table(r"VideoDemographics\.csv", key="{ActorID}", on="{speaker}", need="expected"),),
    # Answers to the sound alone.
    votes=(
        Votes(
            Table(r"finishedResponses\.csv", key="{clipName}"),
            label="{respEmo}",
            codes=_NOUNS,
            where={"queryType": "1"},
            # Two answers that are copies (numbers of the lines, a column without name).
            without={"Unnamed: 0": ("137526", "312184")},
        ),
        # A clone without git-lfs has the counts only.
        Votes(
            Table(r"tabulatedVotes\.csv", key="{fileName}", read=_answers_to_the_sound),
            label="{label}",
            codes=_NOUNS,
        ),
    ),
    utterances=(7442,),
    speakers=91,
    emotions={
        **dict.fromkeys(("anger", "disgust", "fear", "happiness", "sadness"), 1271),
        "neutral": 1087,
    },
    # The same utterances in other formats.
    not_utterances=(r"(AudioMP3|VideoFlash)/[^/]+",),
    flaws=(
        Flaw("silent", "1076_MTI_SAD_XX is silent."),
        Flaw(
            "label_differs_from_votes",
            "The emotion is the intended one; listeners of the sound "
            "alone often hear another (votes).",
        ),
    ),
    tried_on="original names",
)
