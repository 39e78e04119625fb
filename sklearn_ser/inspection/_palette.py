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
#: Of estimators and groups, after Okabe and Ito: told apart by colour-blind readers, and in grey as
#: dark and light take turns. There is one marker more than colours, so that pairs repeat late.
SERIES_COLOURS = ("#0072B2", "#E69F00", "#222222", "#56B4E9", "#D55E00", "#CC79A7", "#009E73")


def series_style(place):
    """Colour and marker of the line, group or estimator at this place, as keyword arguments."""
    return {
        "color": SERIES_COLOURS[place % len(SERIES_COLOURS)],
        "marker": MARKERS[place % len(MARKERS)],
    }


def colours_of(labels):
    """A colour for each label: that of the emotion, else one of matplotlib's in turn."""
    others = [label for label in labels if label not in EMOTION_COLOURS]
    return {label: EMOTION_COLOURS.get(label) or f"C{others.index(label)}" for label in labels}
