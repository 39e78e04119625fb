"""Colours of emotions: the same emotion has the same colour in every plot."""

#: Paul Tol's "bright" scheme, which colour-blind readers can tell apart, and a few more.
EMOTION_COLOURS = {
    "anger": "#EE6677",
    "happiness": "#CCBB44",
    "sadness": "#4477AA",
    "neutral": "#999999",
    "fear": "#AA3377",
    "disgust": "#228833",
    "surprise": "#66CCEE",
    "boredom": "#996633",
    "calm": "#88CCAA",
    "contempt": "#222222",
}
#: Told apart in print, by size and outline alike.
MARKERS = ("o", "^", "s", "D", "v", "P", "*", "X")


def colours_of(labels):
    """A colour for each label: that of the emotion, else one of matplotlib's in turn."""
    others = [label for label in labels if label not in EMOTION_COLOURS]
    return {label: EMOTION_COLOURS.get(label) or f"C{others.index(label)}" for label in labels}
