"""The nuisances that may tell a label, and what of them is more than emotion itself explains."""

import numpy as np
import pandas as pd

from sklearn_ser.evaluation._audit_labels import is_known
from sklearn_ser.evaluation._audit_probe import holm, judge, run_probe
from sklearn_ser.evaluation._audit_report import Finding

LEVEL_OF_TEST = 0.01
#: Lower end of the interval, as a part of the way from chance to certainty: there is something
#: to live off; the label is nearly determined.
SOME, NEARLY_ALL = 0.1, 0.5
#: What speech itself has (loudness, length) is a flaw only where it goes beyond what emotions do
#: to a voice, or determines the label by itself.
NEARLY_ALL_OF_SPEECH = 0.75
#: dB between the softest and the loudest label, and ratio of the longest to the shortest (of
#: medians). Acted anger and sadness lie about 13 dB and a factor of 1.5 to 1.7 apart.
LEVELS_APART, LENGTHS_APART = 15.0, 2.0
#: Least distance between labels' means that matters, in the unit of the nuisance.
LEAST_DISTANCE = {"digital silence": 0.005, "silence at the ends": 0.15, "noise floor": 6.0}

_NUMBERS = {
    "recording length": ("duration",),
    "digital silence": ("lead_zeros", "trail_zeros"),
    "silence at the ends": ("lead_quiet", "trail_quiet"),
    "overall level": ("level", "peak"),
    "noise floor": ("floor",),
    "bandwidth": ("bandwidth",),
    "sampling rate": ("rate",),
}
_OF_SPEECH = ("recording length", "overall level")
_UNITS = {
    "recording length": "s", "digital silence": "s", "silence at the ends": "s",
    "overall level": "dBFS", "noise floor": "dBFS", "bandwidth": "Hz", "sampling rate": "Hz",
}  # fmt: skip


def check_nuisances(table, numbers, formats, corpus, y, rng):
    """Run every probe on one corpus.

    Parameters
    ----------
    table : DataFrame
        Rows with known label and speaker and readable audio; its index holds their positions.
    numbers : DataFrame
        Of the same rows: see :class:`~sklearn_ser.evaluation._audit_audio.AudioFacts`.
    formats : list of (str or None)
    corpus, y : str
    rng : numpy.random.Generator

    Returns
    -------
    list of Finding
    """
    labels = table[y].to_numpy(dtype=object)
    speakers = table["speaker"].to_numpy(dtype=object)
    inputs = {name: numbers[list(columns)].to_numpy(float) for name, columns in _NUMBERS.items()}
    inputs["file format"] = _indicators(pd.Series(formats, dtype=object))
    probes = {
        name: run_probe(values, labels, speakers, rng)
        for name, values in inputs.items()
        if values is not None
    }
    if "text" in table:
        inputs["sentence"] = None
        probes["sentence"] = _sentence_probe(table["text"], labels, speakers, rng)
    probes = {name: probe for name, probe in probes.items() if probe is not None}
    findings = []
    corrected = holm([probe.p for probe in probes.values()])
    for (name, probe), p in zip(probes.items(), corrected, strict=True):
        if p > LEVEL_OF_TEST:
            continue
        means = _by_label(name, inputs[name], labels)
        severity, why = _judge(name, probe, means)
        if severity is None:
            continue
        said = _said(name, means)
        text = (
            f"a small tree that sees nothing but {_described(name)} finds the label of unseen "
            f"speakers with a UAR of {probe.uar:.2f} (95 % {probe.low:.2f} to {probe.high:.2f}; "
            f"chance {probe.chance:.2f}){said}. {why}"
        )
        findings.append(Finding(f"label by {name}", severity, corpus, text, table.index))
    return findings


def _judge(name, probe, means):
    """Severity, or None, and what it means."""
    if name in _OF_SPEECH:
        if probe.least_effect >= NEARLY_ALL_OF_SPEECH:
            return "error", "That is more than emotion does to a voice: it looks made."
        low, high = means.min(), means.max()
        if name == "overall level" and high - low >= LEVELS_APART:
            return "warning", (
                "Emotion moves loudness, but so much lets a model live off the level: set levels "
                "equal, and see what is left."
            )
        if name == "recording length" and high >= LENGTHS_APART * low:
            return "warning", (
                "Emotion moves tempo, but so much lets a model live off the length: cut to equal "
                "lengths, and see what is left."
            )
        return None, ""
    if name in LEAST_DISTANCE and means.max() - means.min() < LEAST_DISTANCE[name]:
        return None, ""
    if probe.least_effect >= NEARLY_ALL:
        return "error", "The label is nearly determined by something that is no speech."
    if probe.least_effect >= SOME:
        return "warning", "A model can live off it, and other recordings will not have it."
    return None, ""


def _by_label(name, values, labels):
    """Per label: the median of a level or length, the mean of seconds, None for categories."""
    if name not in _NUMBERS:
        return None
    values = values.sum(axis=1) if name in LEAST_DISTANCE else values[:, 0]
    grouped = pd.Series(values).groupby(pd.Series(labels))
    return grouped.mean() if name.endswith(("silence", "ends")) else grouped.median()


def _said(name, means):
    if means is None or means.isna().all():
        return ""
    digits = 2 if _UNITS[name] == "s" else 0
    low, high = means.idxmin(), means.idxmax()
    return (
        f": {means[low]:.{digits}f} {_UNITS[name]} for {low}, {means[high]:.{digits}f} "
        f"{_UNITS[name]} for {high}"
    )


def _described(name):
    return {
        "digital silence": "how much digital silence stands before and after the sound",
        "silence at the ends": "how long it is quiet before and after the speech",
        "sentence": "the sentence",
    }.get(name, f"the {name}")


def _indicators(values):
    """One column a category; None where there is only one."""
    if values.nunique() < 2:
        return None
    return pd.get_dummies(values).to_numpy(float)


def _sentence_probe(texts, labels, speakers, rng):
    """Guess the label that other speakers of the same sentence have more often than elsewhere."""
    known = is_known(texts)
    texts, labels, speakers = texts.to_numpy(object)[known], labels[known], speakers[known]
    frame = pd.DataFrame({"text": texts, "speaker": speakers, "label": labels.astype(str)})
    counts = pd.get_dummies(frame["label"]).astype(float)
    by_text = counts.groupby(frame["text"]).transform("sum")
    others = by_text - counts.groupby([frame["text"], frame["speaker"]]).transform("sum")
    heard = (others.sum(axis=1) > 0).to_numpy()
    if heard.mean() < 0.5 or frame["text"].nunique() < 2:
        return None  # sentences of one speaker: they cannot be known from others
    others = others[heard] / counts.mean()
    ties = rng.random(others.shape) * 1e-9
    said = others.columns.to_numpy(object)[np.argmax(others.to_numpy() + ties, axis=1)]
    return judge(labels[heard], said, speakers[heard], rng)
