"""MSP-IMPROV, dyadic improvisations."""

import re

import pandas as pd

from sklearn_ser.datasets._reader import Coded, CorpusReader, Scaled, Table, Votes

_RATINGS = "".join(rf"\s*{d}:\s*(?P<{d}>[\d.]+|NaN)\s*;" for d in "AVDN")
_CLIP = re.compile(rf"(UTD|MSP)-IMPROV-(?P<clip>[\w-]+)\.\w+;\s*(?P<code>\w)\s*;{_RATINGS}")
_ANSWER = re.compile(r"(?P<rater>[^;]+);\s*(?P<label>\w+)\s*;")


def _clips(path):
    """Return the consensus of each clip."""
    with open(path, encoding="utf-8", errors="replace") as lines:
        rows = [found.groupdict() for found in map(_CLIP.match, lines) if found]
    return pd.DataFrame(rows, columns=list(_CLIP.groupindex), dtype=object)


def _answers(path):
    """Return one row per rater of a clip; answers that are written twice count once."""
    rows, clip = {}, None
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if found := _CLIP.match(line):
                clip = found["clip"]
            elif found := _ANSWER.match(line):
                rows[clip, found["rater"].strip()] = found["label"]
    return pd.DataFrame(
        [(clip, label) for (clip, _), label in rows.items()],
        columns=["clip", "label"],
        dtype=object,
    )


_EVALUATION = r"Evalua?tion\.txt"

READER = CorpusReader(
    name="msp-improv",
    title=(
        "MSP-IMPROV: 12 actors in pairs improvise scenes around 20 English sentences, read the "
        "sentences and talk between the scenes; rated by listeners."
    ),
    languages=("en",),
    kinds=("acted", "elicited", "natural"),
    license="Academic license of the University of Texas at Dallas",
    citation=(
        "C. Busso, S. Parthasarathy, A. Burmania, M. AbdelWahab, N. Sadoughi, E. Mower Provost: "
        "MSP-IMPROV: An Acted Corpus of Dyadic Interactions to Study Emotion Perception. IEEE "
        "Transactions on Affective Computing 8(1), 2017, 67-80."
    ),
    homepage="https://www.lab-msp.com/MSP/MSP-Improv.html",
    files=(
        # Read and improvised target sentences, which all actors speak; other turns.
        r"MSP-IMPROV-(?P<clip>(?P<scene>S(?P<text>\d\d)[AHNS])"
        r"-(?P<speaker>(?P<sex>[FM])(?P<session>\d\d))-(?P<kind>[RT])-[FM]{2}\d{2,3})",
        r"MSP-IMPROV-(?P<clip>(?P<scene>S\d\d[AHNS])"
        r"-(?P<speaker>(?P<sex>[FM])(?P<session>\d\d))-(?P<kind>[SP])-[FM]{2}\d{2,3})",
    ),
    example="session1/S01A/T/MSP-IMPROV-S01A-F01-T-FM01.wav",
    columns={
        "speaker": "{speaker}",
        "gender": Coded("{sex}", {"F": "female", "M": "male"}),
        "language": "en",
        "emotion": Coded(
            "{code}",
            {
                "A": "anger",
                "H": "happiness",
                "S": "sadness",
                "N": "neutral",
                "O": None,
                "X": None,
            },
        ),
        "naturalness": Coded(
            "{kind}", {"R": "acted", "T": "elicited", "S": "elicited", "P": "natural"}
        ),
        "text": "{text}",
        "recording": "{session}-{scene}-{kind}",
        "naturalness_rating": Scaled("{N}", 1, 5),
        # Activation is written from 1 (active) to 5 (calm).
        "arousal": Scaled("{A}", 5, 1),
        "valence": Scaled("{V}", 1, 5),
        "dominance": Scaled("{D}", 1, 5),
        "fold": "{session}",
        "condition": Coded(
            "{kind}",
            {
                "R": "target read",
                "T": "target improvised",
                "S": "other improvised",
                "P": "natural interaction",
            },
        ),
        "emotion_code": "{code}",
    },
    tables=(Table(_EVALUATION, shown="Evaluation.txt", key="{clip}", on="{clip}", read=_clips),),
    votes=(
        Votes(
            Table(_EVALUATION, shown="Evaluation.txt", key="{clip}", on="{clip}", read=_answers),
            label="{label}",
            codes={
                "Angry": "anger",
                "Happy": "happiness",
                "Sad": "sadness",
                "Neutral": "neutral",
                "Other": "other",
            },
        ),
    ),
    utterances=(8438,),
    speakers=12,
    folds="the six sessions (column fold).",
    uncertain=(
        "Letters of the condition (R, T, S, P), and the direction of the activation ratings, which "
        "are taken to fall from 1 (active) to 5 (calm)."
    ),
    tried_on="synthetic tree",
)
