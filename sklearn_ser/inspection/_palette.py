"""Colors of emotions: the same emotion has the same color in every plot."""

#: Paul Tol's "bright" scheme, which color-blind readers can tell apart, and a few more.
EMOTION_COLORS = {
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
#: Of estimators and groups, after Okabe and Ito: told apart by color-blind readers, and in gray as
#: dark and light take turns. There is one marker more than colors, so that pairs repeat late.
SERIES_COLORS = ("#0072B2", "#E69F00", "#222222", "#56B4E9", "#D55E00", "#CC79A7", "#009E73")


def series_style(place):
    """Color and marker of the line, group or estimator at this place, as keyword arguments."""
    return {
        "color": SERIES_COLORS[place % len(SERIES_COLORS)],
        "marker": MARKERS[place % len(MARKERS)],
    }


def colors_of(labels):
    """A color for each label: that of the emotion, else one of matplotlib's in turn."""
    others = [label for label in labels if label not in EMOTION_COLORS]
    return {label: EMOTION_COLORS.get(label) or f"C{others.index(label)}" for label in labels}
