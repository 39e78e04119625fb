"""Label maps: named and cited translations of emotions to other label sets."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from sklearn_ser.datasets._labels import check_all_used, check_emotion_map, noun_or_none
from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._public import public_module

#: What :meth:`Corpus.map_labels` accepts.
Labels = str | Mapping[str, str | None] | Callable[[str], str | None]


@dataclass(frozen=True)
class LabelMap:
    """Label of each emotion (others have none), what the map is, and its source."""

    labels: Mapping[str, str]
    description: str
    citation: str


def _by_emotion(**emotions):
    """Return a map of emotions to labels from text with the emotions of each label."""
    return {
        emotion.strip(): label for label, text in emotions.items() for emotion in text.split(",")
    }


_AROUSAL = _by_emotion(
    high="anger, excitement, fear, frustration, happiness, surprise, hot anger, panic, elation",
    low="boredom, calm, contempt, disgust, neutral, sadness, cold anger, shame",
)
_VALENCE = _by_emotion(
    negative="anger, boredom, contempt, disgust, fear, frustration, sadness, hot anger, "
    "cold anger, panic, anxiety, despair, shame",
    positive="calm, excitement, happiness, neutral, surprise, elation, interest, pride",
)
_KIM = "Kim et al. (2017), Towards Speech Emotion Recognition 'in the Wild', INTERSPEECH"
_DIMENSIONS = (
    "anger, disgust, fear, happiness, sadness and surprise as in the first author's released code "
    "(for eNTERFACE'05), whose neutral is a level between; boredom and neutral as in Schuller et "
    "al. (2010); the other emotions are a decision of this package"
)
_SCHULLER = "Schuller et al. (2010), Cross-Corpus Acoustic Emotion Recognition, IEEE TAC 1(2)"

LABEL_MAPS = {
    "4-class": LabelMap(
        {
            **{emotion: emotion for emotion in ("anger", "happiness", "neutral", "sadness")},
            "excitement": "happiness",
        },
        "the usual four classes of IEMOCAP, with excitement as happiness",
        "Busso et al. (2008), IEMOCAP, Language Resources and Evaluation 42",
    ),
    "6-class": LabelMap(
        {e: e for e in ("anger", "disgust", "fear", "happiness", "neutral", "sadness")},
        "the classes of CREMA-D",
        "Cao et al. (2014), CREMA-D, IEEE Transactions on Affective Computing 5(4)",
    ),
    "ekman": LabelMap(
        {e: e for e in ("anger", "disgust", "fear", "happiness", "sadness", "surprise")},
        "the six basic emotions",
        "Ekman (1992), An Argument for Basic Emotions, Cognition and Emotion 6",
    ),
    "kim2017-arousal": LabelMap(
        _AROUSAL, f"high or low arousal: {_DIMENSIONS}", f"{_KIM}; {_SCHULLER}"
    ),
    "kim2017-valence": LabelMap(
        _VALENCE, f"positive or negative valence: {_DIMENSIONS}", f"{_KIM}; {_SCHULLER}"
    ),
    "quadrants": LabelMap(
        {
            emotion: f"{arousal}-{_VALENCE[emotion]}"
            for emotion, arousal in _AROUSAL.items()
            if emotion != "neutral"
        },
        "quadrants of arousal and valence, by the two maps of Kim et al.; neutral is the origin "
        "and has none",
        "Russell (1980), A Circumplex Model of Affect, J. of Personality and Social Psychology 39",
    ),
}


@public_module("sklearn_ser.datasets")
def list_label_maps() -> pd.DataFrame:
    """List the label maps for :meth:`Corpus.map_labels`.

    Returns
    -------
    DataFrame
        One row per map, indexed by name: labels (a dict of each emotion that has a label),
        classes, description and citation.

    See Also
    --------
    Corpus.map_labels : Translate the emotions of a corpus.

    Examples
    --------
    >>> from sklearn_ser.datasets import list_label_maps
    >>> maps = list_label_maps()
    >>> maps.loc["4-class", "classes"]
    'anger, happiness, neutral, sadness'
    >>> maps.loc["kim2017-arousal", "labels"]["fear"]
    'high'
    """
    rows = {
        name: {
            "labels": dict(of.labels),
            "classes": ", ".join(sorted(set(of.labels.values()))),
            "description": of.description,
            "citation": of.citation,
        }
        for name, of in LABEL_MAPS.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("name")


def labels_of(labels: Labels, emotions: set[str]) -> tuple[dict[str, str | None], str]:
    """Return the label of each of `emotions`, None where it has none, and the name of the map."""
    if isinstance(labels, str):
        if labels not in LABEL_MAPS:
            near = difflib.get_close_matches(labels, LABEL_MAPS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise CorpusError(
                f"there is no label map {labels!r}; expected one of {', '.join(LABEL_MAPS)}, a "
                f"dict or a function.{hint}"
            )
        own = dict(LABEL_MAPS[labels].labels)
        return {emotion: own.get(emotion) for emotion in emotions}, labels
    if isinstance(labels, Mapping):
        own = _by_noun(check_emotion_map(labels))
        unknown = {key for key in own if key not in emotions and noun_or_none(str(key)) is None}
        check_all_used(unknown, "the corpus", emotions, "the label map")
        return {emotion: own.get(emotion) for emotion in emotions}, "the dict"
    name = getattr(labels, "__name__", type(labels).__name__)
    if not callable(labels):
        raise CorpusError(
            f"map_labels got a {name}; expected the name of a label map ({', '.join(LABEL_MAPS)}), "
            f"a dict of emotions to labels or a function of an emotion."
        )
    return check_emotion_map({emotion: labels(emotion) for emotion in sorted(emotions)}), name


def _by_noun(labels):
    """Return a map whose keys are nouns, and raise if spellings of one have different labels."""
    nouns: dict[str, str | None] = {}
    written: dict[str, str] = {}
    for key, label in labels.items():
        noun = noun_or_none(str(key)) or key
        if nouns.setdefault(noun, label) != label:
            raise CorpusError(
                f"the label map is contradictory: {written[noun]!r} is mapped to {nouns[noun]!r} "
                f"and {key!r} to {label!r}, but both are {noun!r}. Remove one of them."
            )
        written.setdefault(noun, key)
    return nouns
