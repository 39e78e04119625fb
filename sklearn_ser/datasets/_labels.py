"""Spellings of the labels of emotion, gender and naturalness, and their unification."""

from __future__ import annotations

import difflib

from sklearn_ser.exceptions import CorpusError
from sklearn_ser.utils._ids import rows_text

#: Other spellings in corpora and papers by the noun that this package uses.
EMOTION_SPELLINGS = {
    "anger": ("angry", "ang"),
    "happiness": ("happy", "hap", "joy", "joyful"),
    "sadness": ("sad",),
    "neutral": ("neu", "neutrality"),
    "fear": ("fearful", "afraid", "fea", "anxiety"),
    "disgust": ("disgusted", "dis"),
    "surprise": ("surprised", "sur"),
    "boredom": ("bored", "bor"),
    "calm": ("calmness",),
    "contempt": ("contemptuous",),
}
GENDER_SPELLINGS = {
    "female": ("f", "w", "woman", "fem"),
    "male": ("m", "man"),
}
NATURALNESS_SPELLINGS = {
    "acted": ("posed", "simulated"),
    "elicited": ("induced",),
    "natural": ("spontaneous",),
}


def map_to_nouns(emotions, emotion_map, corpus, known=(), rated=()):
    """Return the noun of each label; labels that `emotion_map` leaves out are absent.

    A missing label (None, "" in `emotion_map`) has no noun, unless it is mapped to one. Labels
    among `known` are nouns; those among `rated` may be keys of `emotion_map`.
    """
    emotion_map = map_of_nouns(emotion_map, known)
    nouns, unknown, used = {}, [], set()
    for label in emotions.unique():
        raw = "" if label is None else str(label)
        noun = raw if raw in known else noun_or_none(raw)
        key = next((key for key in (raw, noun) if key in emotion_map), None)
        if key is not None:
            used.add(key)
            noun = emotion_map[key]
        elif noun is None and label is not None:
            unknown.append(label)
        nouns[label] = noun
    if unknown:
        found = ", ".join(f"{label!r} ({rows_text(emotions == label)})" for label in unknown)
        example = unknown[0]
        raise CorpusError(
            f"corpus {corpus!r}: column 'emotion' has unknown label(s): {found}. Known labels and "
            f"their other spellings: {_listed(EMOTION_SPELLINGS)}. Map the others to a noun "
            f"with emotion_map={{{example!r}: 'anger'}}, or leave these utterances out with "
            f"emotion_map={{{example!r}: None}}."
        )
    labels = {label or "" for label in nouns} | set(rated)
    check_all_used(set(emotion_map) - used - labels, f"corpus {corpus!r}", labels)
    left_out = {label for label, noun in emotion_map.items() if noun is None}
    return {
        label: noun
        for label, noun in nouns.items()
        if noun is not None or (label is None and "" not in left_out)
    }


def noun_or_none(label):
    """Return the noun for a label in any of its known spellings, else None."""
    return _by_spelling(EMOTION_SPELLINGS).get(label.strip().lower())


def unify_spelling(values, spellings, column, corpus):
    """Map values to their unified spelling; None stays None, and unknown values raise."""
    known = _by_spelling(spellings)
    words = {v: known.get(str(v).strip().lower()) for v in values.dropna().unique()}
    unknown = [value for value, word in words.items() if word is None]
    if unknown:
        found = ", ".join(f"{value!r} ({rows_text(values == value)})" for value in unknown)
        raise CorpusError(
            f"corpus {corpus!r}: column {column!r} has {found}; expected {_listed(spellings)}, or "
            f"an empty cell where it is unknown."
        )
    return values.map(words, na_action="ignore").astype(object).where(values.notna(), None)


def check_emotion_map(emotion_map):
    """Validate an `emotion_map`; return it as a dict."""
    emotion_map = {} if emotion_map is None else dict(emotion_map)
    for label, noun in emotion_map.items():
        if noun is not None and not (isinstance(noun, str) and noun and noun == noun.lower()):
            raise CorpusError(
                f"emotion_map: {label!r} is mapped to {noun!r}; expected a lower-case noun, or "
                f"None to leave these utterances out."
            )
    return emotion_map


def map_of_nouns(emotion_map, known=()):
    """Validate an `emotion_map`; return it with nouns for other spellings of them ("happy").

    Labels among `known` are nouns.
    """
    return {
        label: noun if noun is None or noun in known else noun_or_none(noun) or noun
        for label, noun in check_emotion_map(emotion_map).items()
    }


def check_all_used(keys, where, labels, what="emotion_map"):
    """Raise if keys of a map do not occur as labels (a misspelled key has no effect)."""
    if keys:
        key = sorted(keys)[0]
        near = difflib.get_close_matches(key, labels, n=1)
        hint = f" Did you mean {near[0]!r}?" if near else ""
        raise CorpusError(
            f"{what} has the key {key!r}, which no utterance of {where} has; its labels are "
            f"{sorted(labels)}.{hint}"
        )


def _by_spelling(spellings):
    return {word: noun for noun, others in spellings.items() for word in (noun, *others)}


def _listed(spellings):
    return ", ".join(f"{noun} ({', '.join(others)})" for noun, others in spellings.items())
