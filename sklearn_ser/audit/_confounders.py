"""Confounders from which a label may be predicted, beyond what emotion itself explains."""

import numpy as np
import pandas as pd
from scipy import stats

from sklearn_ser.audit._labels import is_known
from sklearn_ser.audit._report import Finding
from sklearn_ser.audit._shortcut_test import compare_with_chance, run_shortcut_test
from sklearn_ser.metrics import holm

SIGNIFICANCE_LEVEL = 0.01
#: Lower end of the interval, on a scale from 0 (chance) to 1 (label determined), from which a
#: confounder is worth a warning, and from which it is an error.
WARNING_EFFECT, ERROR_EFFECT = 0.1, 0.5
#: Loudness and length belong to speech. They are an error only if they nearly determine the label,
#: and a warning only if they differ more than emotions make them differ.
SPEECH_ERROR_EFFECT = 0.75
#: Distance between the softest and the loudest label in dB, and ratio of the longest to the
#: shortest: acted anger and sadness differ by 12 to 13 dB and by a factor of 1.5 to 1.7. The lower
#: end of the interval over speakers counts.
MIN_LEVEL_DISTANCE, MIN_LENGTH_RATIO = 13.0, 1.75
#: Share of the rows of every label in which a confounder must be known.
MIN_KNOWN = 0.3
#: Smallest distance between the means of labels that matters, in the unit of the confounder.
MIN_DISTANCE = {"digital silence": 0.005, "leading and trailing silence": 0.15, "noise floor": 6.0}

#: Columns and unit of each confounder that is a number.
_NUMBERS = {
    "recording length": (("duration",), "s"),
    "digital silence": (("lead_zeros", "trail_zeros"), "s"),
    "leading and trailing silence": (("lead_quiet", "trail_quiet"), "s"),
    "overall level": (("level", "peak"), "dBFS"),
    "noise floor": (("floor",), "dBFS"),
    "bandwidth": (("bandwidth",), "Hz"),
    "sampling rate": (("rate",), "Hz"),
}
_OF_SPEECH = ("recording length", "overall level")


def check_confounders(
    table: pd.DataFrame,
    numbers: pd.DataFrame,
    formats: list[str | None],
    corpus: str,
    y: str,
    rng: np.random.Generator,
) -> list[Finding]:
    """Run a shortcut test for each confounder on one corpus.

    The rows of `table` have a known label and speaker and readable audio; its index holds their
    positions. `numbers` has the measurements of the same rows, see
    :class:`~sklearn_ser.audit._audio.AudioMeasurements`.
    """
    labels = table[y].to_numpy(dtype=object)
    speakers = table["speaker"].to_numpy(dtype=object)
    measured = {
        name: numbers[list(columns)].to_numpy(float) for name, (columns, _) in _NUMBERS.items()
    }
    inputs = measured | {
        # Relative to half the sampling rate: a lower rate is a confounder by itself.
        "bandwidth": measured["bandwidth"] / (measured["sampling rate"] / 2),
        "file format": pd.get_dummies(pd.Series(formats, dtype=object)).to_numpy(float),
    }
    outcomes = {
        name: run_shortcut_test(values, labels, speakers, rng)
        for name, values in inputs.items()
        if _is_known_enough(values, labels)
    }
    if "text" in table:
        outcomes["sentence"] = _test_sentence(table["text"], labels, speakers, rng)
    tests = {name: test for name, test in outcomes.items() if test is not None}
    findings = []
    corrected = holm([test.p for test in tests.values()])
    for (name, test), p in zip(tests.items(), corrected, strict=True):
        if p > SIGNIFICANCE_LEVEL:
            continue
        values = measured.get(name)
        means = None if values is None else _means_by_label(name, values, labels)
        severity, reason = _rate(name, test, means, values, labels, speakers)
        if severity is None:
            continue
        text = (
            f"A small tree that is given only {_describe(name)} predicts the label of unseen "
            f"speakers with a UAR of {test.uar:.2f} (95 % interval {test.low:.2f} to "
            f"{test.high:.2f}; chance {test.chance:.2f}){_extremes(name, means)}. {reason}"
        )
        flaw = f"label predictable from {name}"
        findings.append(Finding(flaw, severity, corpus, text, table.index))
    return findings


def _is_known_enough(values, labels):
    known = pd.Series(np.isfinite(values).any(axis=1))
    return known.groupby(labels.astype(str)).mean().min() >= MIN_KNOWN


def _rate(name, test, means, values, labels, speakers):
    """Return the severity, or None, and why the finding matters."""
    if name in _OF_SPEECH:
        if test.min_effect >= SPEECH_ERROR_EFFECT:
            return "error", (
                "Emotion alone does not change a voice that much: the difference was probably "
                "introduced when the corpus was recorded or edited. Find its cause."
            )
        if name == "overall level":
            if _min_range(values[:, 0], labels, speakers) >= MIN_LEVEL_DISTANCE:
                return "warning", (
                    "Emotion changes loudness, but with so large a difference a model can rely on "
                    "the level alone: normalize the levels and compare the scores."
                )
            return None, ""
        ratio = np.exp(_min_range(np.log(values[:, 0]), labels, speakers))
        if ratio >= MIN_LENGTH_RATIO:
            return "warning", (
                "Emotion changes tempo, but with so large a difference a model can rely on the "
                "length alone: cut the recordings to equal lengths and compare the scores."
            )
        return None, ""
    if name in MIN_DISTANCE and means.max() - means.min() < MIN_DISTANCE[name]:
        return None, ""
    if test.min_effect >= ERROR_EFFECT:
        return "error", (
            "The label is nearly determined by something that is not speech: remove the "
            "difference, or do not use these data."
        )
    if test.min_effect >= WARNING_EFFECT:
        return "warning", (
            "A model can rely on it, and other recordings will not have it: remove the difference "
            "and compare the scores."
        )
    return None, ""


def _min_range(values, labels, speakers):
    """Return a lower bound of the distance between the two most distant labels.

    It is the lower end of a 95 % t interval: of differences within speakers if five or more have
    both labels, else of speakers' means. -inf with too few speakers.
    """
    table = pd.DataFrame({"value": values, "label": labels.astype(str), "speaker": speakers})
    by_speaker = table.groupby(["speaker", "label"])["value"].mean().unstack()
    middle = table.groupby("label")["value"].median()
    low, high = by_speaker[middle.idxmin()], by_speaker[middle.idxmax()]
    both = (high - low).dropna()
    if len(both) >= 5:
        error, freedom = both.std() / np.sqrt(len(both)), len(both) - 1
        distance = both.mean()
    else:
        low, high = low.dropna(), high.dropna()
        freedom = min(len(low), len(high)) - 1
        if freedom < 1:
            return -np.inf
        error = np.sqrt(low.var() / len(low) + high.var() / len(high))
        distance = high.mean() - low.mean()
    return distance - stats.t.ppf(0.975, freedom) * error


def _means_by_label(name, values, labels):
    """Return per label the mean of silences, or the median of other numbers."""
    values = values.sum(axis=1) if name in MIN_DISTANCE else values[:, 0]
    grouped = pd.Series(values).groupby(pd.Series(labels))
    return grouped.mean() if name.endswith("silence") else grouped.median()


def _extremes(name, means):
    """Return the lowest and the highest mean of a label as a part of a sentence."""
    if means is None or means.isna().all():
        return ""
    unit = _NUMBERS[name][1]
    digits = 2 if unit == "s" else 0
    low, high = means.idxmin(), means.idxmax()
    return f": {means[low]:.{digits}f} {unit} for {low}, {means[high]:.{digits}f} {unit} for {high}"


def _describe(name):
    return {
        "digital silence": "the length of the digital silence before and after the sound",
        "leading and trailing silence": "the length of the silence before and after the speech",
    }.get(name, f"the {name}")


def _test_sentence(texts, labels, speakers, rng):
    """Predict the label that other speakers of the same sentence have more often than elsewhere."""
    known = is_known(texts)
    if texts[known].nunique() < 2:
        return None
    texts, labels, speakers = texts.to_numpy(object)[known], labels[known], speakers[known]
    frame = pd.DataFrame({"text": texts, "speaker": speakers, "label": labels.astype(str)})
    counts = pd.get_dummies(frame["label"]).astype(float)
    by_text = counts.groupby(frame["text"]).transform("sum")
    others = by_text - counts.groupby([frame["text"], frame["speaker"]]).transform("sum")
    shared = (others.sum(axis=1) > 0).to_numpy()
    if shared.mean() < 0.5:
        return None  # most sentences are spoken by one speaker only
    others = others[shared] / counts.mean()
    ties = rng.random(others.shape) * 1e-9
    predicted = others.columns.to_numpy(object)[np.argmax(others.to_numpy() + ties, axis=1)]
    return compare_with_chance(labels[shared], predicted, speakers[shared], rng)
