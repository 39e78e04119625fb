"""IEMOCAP, the Interactive Emotional Dyadic Motion Capture database."""

import re

import pandas as pd

from sklearn_ser.datasets._reader import Coded, CorpusReader, Flaw, Scaled, Table, Votes

_TURN = re.compile(
    r"\[[\d.]+ - [\d.]+\]\s+(?P<turn>Ses\w+)\s+(?P<code>\w+)"
    r"\s+\[(?P<valence>[\d.]+), *(?P<arousal>[\d.]+), *(?P<dominance>[\d.]+)\]"
)
_ANSWER = re.compile(r"C-(?P<rater>[EFM])\d*:\s*(?P<labels>[^(]*)")
_TRANSCRIPT = re.compile(r"(?P<turn>Ses\w+)\s+\[[^]]*\]:?\s*(?P<transcript>.*)")
_NOUNS = {
    "ang": "anger",
    "hap": "happiness",
    "sad": "sadness",
    "neu": "neutral",
    "exc": "excitement",
    "fru": "frustration",
    "sur": "surprise",
    "fea": "fear",
    "dis": "disgust",
}


def _answers(path):
    """Return one row per label that a rater (E) or an actor (F, M) chose for a turn."""
    rows, turn = [], None
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if found := _TURN.match(line):
                turn = found["turn"]
            elif found := _ANSWER.match(line):
                labels = [label.strip() for label in found["labels"].split(";")]
                rows += [(turn, found["rater"], label) for label in labels if label]
    return pd.DataFrame(rows, columns=["turn", "rater", "label"], dtype=object)


def _turns(path):
    """Return the consensus of each turn, and what the actor reported."""
    with open(path, encoding="utf-8", errors="replace") as lines:
        rows = [found.groupdict() for found in map(_TURN.match, lines) if found]
    turns = pd.DataFrame(rows, columns=list(_TURN.groupindex), dtype=object)
    answers = _answers(path)
    own = answers[answers["rater"] != "E"].groupby("turn")["label"].agg(", ".join)
    return turns.assign(self_report=turns["turn"].map(own.str.lower()))


def _transcripts(path):
    with open(path, encoding="utf-8", errors="replace") as lines:
        rows = [found.groupdict() for found in map(_TRANSCRIPT.match, lines) if found]
    return pd.DataFrame(rows, columns=list(_TRANSCRIPT.groupindex), dtype=object)


_EVALUATION = r"EmoEvaluation/Ses\w+\.txt"

READER = CorpusReader(
    name="iemocap",
    title=(
        "Interactive Emotional Dyadic Motion Capture database (IEMOCAP): 10 actors in pairs, "
        "improvised and scripted dialogs in English, rated by listeners."
    ),
    languages=("en",),
    kinds=("acted", "elicited"),
    license="License of the University of Southern California, for research",
    citation=(
        "C. Busso, M. Bulut, C.-C. Lee, A. Kazemzadeh, E. Mower, S. Kim, J. N. Chang, S. Lee, S. "
        "S. Narayanan: IEMOCAP: Interactive Emotional Dyadic Motion Capture Database. Language "
        "Resources and Evaluation 42, 2008, 335-359."
    ),
    homepage="https://sail.usc.edu/iemocap/",
    files=(
        # The letter in the dialog's name is the actor with markers, not who speaks the turn.
        r"(?P<dialog>Ses0(?P<session>\d)[FM]_(?P<kind>impro)\w+)_(?P<sex>[FM])\d{3}",
        r"(?P<dialog>Ses0(?P<session>\d)[FM]_(?P<kind>script)(?P<scene>\d\d_\d)\w*)"
        r"_(?P<sex>[FM])\d{3}",
    ),
    example="Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav",
    columns={
        "speaker": "Ses0{session}{sex}",
        "gender": Coded("{sex}", {"F": "female", "M": "male"}),
        "language": "en",
        "emotion": Coded("{code}", {**_NOUNS, "oth": None, "xxx": None}),
        "naturalness": Coded("{kind}", {"impro": "elicited", "script": "acted"}),
        # Every pair of actors reads the same scenes.
        "text": "script{scene}",
        "recording": "{dialog}",
        "arousal": Scaled("{arousal}", 1, 5),
        "valence": Scaled("{valence}", 1, 5),
        "dominance": Scaled("{dominance}", 1, 5),
        "fold": "{session}",
        "emotion_code": "{code}",
        "self_report": "{self_report}",
        "transcript": "{transcript}",
    },
    tables=(
        Table(_EVALUATION, shown="EmoEvaluation/*.txt", key="{turn}", read=_turns),
        Table(
            r"transcriptions/Ses\w+\.txt",
            shown="transcriptions/*.txt",
            key="{turn}",
            need="optional",
            read=_transcripts,
        ),
    ),
    votes=(
        Votes(
            Table(_EVALUATION, shown="EmoEvaluation/*.txt", key="{turn}", read=_answers),
            label="{label}",
            codes={
                "Anger": "anger",
                "Happiness": "happiness",
                "Sadness": "sadness",
                "Neutral": "neutral",
                "Neutral state": "neutral",
                "Excited": "excitement",
                "Frustration": "frustration",
                "Surprise": "surprise",
                "Fear": "fear",
                "Disgust": "disgust",
                "Other": "other",
            },
            where={"rater": "E"},
        ),
    ),
    utterances=(10039,),
    speakers=10,
    emotions={
        "anger": 1103,
        "happiness": 595,
        "sadness": 1084,
        "neutral": 1708,
        "excitement": 1041,
        "frustration": 1849,
        "surprise": 107,
        "fear": 40,
        "disgust": 2,
    },
    # Sound and video of whole dialogs.
    not_utterances=(r"dialog/.+",),
    folds="the five sessions (column fold).",
    flaws=(
        Flaw(
            "speaker_in_name_misleads",
            "The letter in a dialog's name (Ses01F) is the actor with markers; the speaker of a "
            "turn is the letter before its number.",
        ),
    ),
    tried_on="synthetic tree",
)
