"""The nuisances that may tell a label, and what of them is more than emotion itself explains."""

import numpy as np
import pandas as pd
from scipy import stats

from sklearn_ser.audit._labels import is_known
from sklearn_ser.audit._probe import judge, run_probe
from sklearn_ser.audit._report import Finding
from sklearn_ser.metrics import holm

LEVEL_OF_TEST = 0.01
#: Lower end of the interval, as a part of the way from chance to certainty: there is something
#: to live off; the label is nearly determined.
SOME, NEARLY_ALL = 0.1, 0.5
#: What speech itself has (loudness, length) is a flaw only where it goes beyond what emotions do
#: to a voice, or determines the label by itself.
NEARLY_ALL_OF_SPEECH = 0.75
#: dB between the softest and the loudest label, and ratio of the longest to the shortest: acted
#: anger and sadness lie 12 to 13 dB and a factor of 1.5 to 1.7 apart. The lower end of the
#: interval over speakers counts.
LEVELS_APART, LENGTHS_APART = 13.0, 1.75
#: Part of every label's rows in which a nuisance must be known.
LEAST_KNOWN = 0.3
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
        Of the same rows: see :class:`~sklearn_ser.audit._audio.AudioFacts`.
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
    # Of what the rate lets through: a lower rate is a nuisance of its own.
    inputs["bandwidth"] = inputs["bandwidth"] / (inputs["sampling rate"] / 2)
    inputs["file format"] = _indicators(pd.Series(formats, dtype=object))
    probes = {
        name: run_probe(values, labels, speakers, rng)
        for name, values in inputs.items()
        if values is not None and _is_known_enough(values, labels)
    }
    if "text" in table:
        inputs["sentence"] = None
        probes["sentence"] = _sentence_probe(table["text"], labels, speakers, rng)
    probes = {name: probe for name, probe in probes.items() if probe is not None}
    inputs["bandwidth"] = numbers[["bandwidth"]].to_numpy(float)  # to be told in Hz
    findings = []
    corrected = holm([probe.p for probe in probes.values()])
    for (name, probe), p in zip(probes.items(), corrected, strict=True):
        if p > LEVEL_OF_TEST:
            continue
        means = _by_label(name, inputs[name], labels)
        severity, why = _judge(name, probe, means, inputs[name], labels, speakers)
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


def _is_known_enough(values, labels):
    known = pd.Series(np.isfinite(values).any(axis=1))
    return known.groupby(labels.astype(str)).mean().min() >= LEAST_KNOWN


def _judge(name, probe, means, values, labels, speakers):
    """Severity, or None, and what it means."""
    if name in _OF_SPEECH:
        if probe.least_effect >= NEARLY_ALL_OF_SPEECH:
            return "error", "That is more than emotion does to a voice: it looks made."
        if name == "overall level" and _least_range(values[:, 0], labels, speakers) >= LEVELS_APART:
            return "warning", (
                "Emotion moves loudness, but so much lets a model live off the level: set levels "
                "equal, and see what is left."
            )
        if name == "recording length":
            ratio = np.exp(_least_range(np.log(values[:, 0]), labels, speakers))
            if ratio >= LENGTHS_APART:
                return "warning", (
                    "Emotion moves tempo, but so much lets a model live off the length: cut to "
                    "equal lengths, and see what is left."
                )
        return None, ""
    if name in LEAST_DISTANCE and means.max() - means.min() < LEAST_DISTANCE[name]:
        return None, ""
    if probe.least_effect >= NEARLY_ALL:
        return "error", "The label is nearly determined by something that is no speech."
    if probe.least_effect >= SOME:
        return "warning", "A model can live off it, and other recordings will not have it."
    return None, ""


def _least_range(values, labels, speakers):
    """How far the two outermost labels are apart at least, over speakers.

    The lower end of a 95 % t interval: of differences within speakers where five or more have both
    labels, else of speakers' means. -inf where there are too few.
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
    if texts[known].nunique() < 2:
        return None
    texts, labels, speakers = texts.to_numpy(object)[known], labels[known], speakers[known]
    frame = pd.DataFrame({"text": texts, "speaker": speakers, "label": labels.astype(str)})
    counts = pd.get_dummies(frame["label"]).astype(float)
    by_text = counts.groupby(frame["text"]).transform("sum")
    others = by_text - counts.groupby([frame["text"], frame["speaker"]]).transform("sum")
    heard = (others.sum(axis=1) > 0).to_numpy()
    if heard.mean() < 0.5:
        return None  # sentences of one speaker: they cannot be known from others
    others = others[heard] / counts.mean()
    ties = rng.random(others.shape) * 1e-9
    said = others.columns.to_numpy(object)[np.argmax(others.to_numpy() + ties, axis=1)]
    return judge(labels[heard], said, speakers[heard], rng)
