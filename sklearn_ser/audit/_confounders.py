"""Confounders from which a label may be predicted, beyond what emotion itself explains.

A small tree is given one confounder (the recording's length, its noise floor, ...) and predicts
the labels of unseen speakers. Its unweighted average recall is compared with chance by two tests
that must both reject: a t interval over speakers, and labels permuted within speakers (what
remains then is due to the speakers themselves), or, if most speakers have one label, labels
randomly assigned to whole speakers.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.model_selection import GroupKFold
from sklearn.tree import DecisionTreeClassifier

from sklearn_ser.audit._labels import is_known
from sklearn_ser.audit._report import Finding, name_values, plural
from sklearn_ser.metrics import cluster_interval, holm

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
    "digital silence": (("lead_zeros", "inner_zeros", "trail_zeros"), "s"),
    "leading and trailing silence": (("lead_quiet", "trail_quiet"), "s"),
    "overall level": (("level", "peak"), "dBFS"),
    "noise floor": (("floor",), "dBFS"),
    "bandwidth": (("bandwidth",), "Hz"),
    "sampling rate": (("rate",), "Hz"),
}
_OF_SPEECH = ("recording length", "overall level")
#: Lengths as values: a label may be known by which length a file has, and not by how long it is.
FIXED_LENGTHS = "fixed recording lengths"
#: Lengths that are this close (seconds) say as much about speech as equal ones.
NEAR_LENGTH = 0.16
#: Confounders that are also tested within each speaker, and the smallest distance between the means
#: of a speaker's labels that matters.
WITHIN_SPEAKERS = {
    "digital silence": 0.005,
    "noise floor": 10.0,
    "bandwidth": 500.0,
    "sampling rate": 1.0,
    "overall level": 10.0,
}
#: Of these, that emotion changes too, only what the other speakers do not show counts.
BEYOND_OTHERS = ("noise floor", "overall level")
#: Smallest share of the variance within a speaker that the labels explain.
MIN_EXPLAINED = 0.5


def check_confounders(
    table: pd.DataFrame,
    numbers: pd.DataFrame,
    formats: list[str | None],
    corpus: str,
    y: str,
    rng: np.random.Generator,
) -> list[Finding]:
    """Run a shortcut test for each confounder on the labeled rows of one corpus."""
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
        sentences = np.where(is_known(table["text"]), table["text"].astype(str), None)
        outcomes["sentence"] = _test_category(sentences, labels, speakers, rng)
    lengths = np.round(measured["recording length"][:, 0], 3)
    if not _near_values_suffice(lengths, labels):
        outcomes[FIXED_LENGTHS] = _test_category(lengths, labels, speakers, rng)
    tests = {name: test for name, test in outcomes.items() if test is not None}
    findings, found = [], set()
    corrected = holm([test.p for test in tests.values()])
    for (name, test), p in zip(tests.items(), corrected, strict=True):
        if p > SIGNIFICANCE_LEVEL:
            continue
        values = measured.get(name)
        means = None if values is None else _means_by_label(name, values, labels)
        severity, reason = _rate(name, test, means, values, labels, speakers)
        if severity is None or (name == FIXED_LENGTHS and "recording length" in found):
            continue
        found.add(name)
        text = (
            f"A small tree that is given only {_describe(name)} predicts the label of unseen "
            f"speakers with a UAR of {test.uar:.2f} (95 % interval {test.low:.2f} to "
            f"{test.high:.2f}; chance {test.chance:.2f}){_extremes(name, means)}. {reason}"
        )
        flaw = f"label predictable from {name}"
        findings.append(Finding(flaw, severity, corpus, text, table.index))
    within = {name: values for name, values in measured.items() if name not in found}
    return findings + _check_within_speakers(table, within, labels, speakers, corpus)


def _check_within_speakers(table, measured, labels, speakers, corpus):
    """Find speakers whose labels follow a confounder, which tests over speakers do not see."""
    outcomes = {}
    for name in [name for name in WITHIN_SPEAKERS if name in measured]:
        values = _one_number(name, measured[name])
        medians = pd.DataFrame({"v": values, "l": labels, "s": speakers})
        medians = medians.groupby(["s", "l"])["v"].median().unstack()
        medians = medians.sub(medians.median(axis=1), axis=0)
        for speaker in medians.index:
            own = np.flatnonzero((speakers == speaker) & np.isfinite(values))
            usual = pd.Series(0.0, medians.columns)
            if name in BEYOND_OTHERS:
                others = medians.drop(speaker)
                usual = others.median().where(others.notna().sum() >= 2)
            by_label = {
                label: values[own[labels[own] == label]] - usual[label]
                for label in usual.dropna().index
            }
            by_label = {k: v for k, v in by_label.items() if len(v) >= MIN_ROWS_PER_CLASS}
            outcome = _explained_by_label(by_label)
            if outcome is not None:
                outcomes[name, speaker] = outcome
    corrected = holm([p for p, *_ in outcomes.values()])
    found: dict[str, list] = {}
    for ((name, speaker), (_, explained, means)), p in zip(
        outcomes.items(), corrected, strict=True
    ):
        distance = means.max() - means.min()
        far = distance >= WITHIN_SPEAKERS[name] and explained >= MIN_EXPLAINED
        if p <= SIGNIFICANCE_LEVEL and far:
            found.setdefault(name, []).append((speaker, means))
    findings = []
    for name, items in found.items():
        names = [speaker for speaker, _ in items]
        beyond = " beyond what other speakers show" if name in BEYOND_OTHERS else ""
        text = (
            f"{plural(len(names), 'speaker')} of whom the label follows {_describe(name)}{beyond} "
            f"({name_values(names)}); {names[0]} has {_extremes(name, items[0][1])[2:]}. A model "
            f"can learn these recordings instead of the emotion, and tests over all speakers do "
            f"not show it: remove the difference, or leave these speakers out."
        )
        rows = table.index[np.isin(speakers, names)]
        flaw = f"label predictable from {name} within speakers"
        findings.append(Finding(flaw, "warning", corpus, text, rows))
    return findings


def _explained_by_label(by_label):
    """Return p and explained variance of an analysis of variance, and the means of the labels."""
    values = list(by_label.values())
    if len(values) < 2 or np.ptp(np.concatenate(values)) == 0:
        return None
    within = np.concatenate([part - part.mean() for part in values])
    explained = 1 - np.square(within).mean() / np.concatenate(values).var()
    freedom = len(values) - 1, len(within) - len(values)
    f = explained / max(1 - explained, 1e-12) * freedom[1] / freedom[0]
    return (
        stats.f.sf(f, *freedom),
        explained,
        pd.Series({label: part.mean() for label, part in by_label.items()}),
    )


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
    """Return the lower end of a 95 % t interval of the distance of the two most distant labels."""
    table = pd.DataFrame({"value": values, "label": labels.astype(str), "speaker": speakers})
    by_speaker = table.groupby(["speaker", "label"])["value"].mean().unstack()
    middle = table.groupby("label")["value"].median()
    low, high = by_speaker[middle.idxmin()], by_speaker[middle.idxmax()]
    both = (high - low).dropna()
    # Differences within speakers where enough speakers have both labels, else speakers' means.
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
    grouped = pd.Series(_one_number(name, values)).groupby(pd.Series(labels))
    return grouped.mean() if name.endswith("silence") else grouped.median()


def _one_number(name, values):
    return values.sum(axis=1) if name in MIN_DISTANCE else values[:, 0]


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
        FIXED_LENGTHS: "which of some fixed lengths a recording has",
    }.get(name, f"the {name}")


def _test_category(values, labels, speakers, rng):
    """Predict the label that other speakers with the same value have more often than elsewhere."""
    known = ~pd.isna(values)
    if len(np.unique(values[known])) < 2:
        return None
    values, labels, speakers = values[known], labels[known], speakers[known]
    frame = pd.DataFrame({"value": values, "speaker": speakers, "label": labels.astype(str)})
    counts = pd.get_dummies(frame["label"]).astype(float)
    by_value = counts.groupby(frame["value"]).transform("sum")
    others = by_value - counts.groupby([frame["value"], frame["speaker"]]).transform("sum")
    shared = (others.sum(axis=1) > 0).to_numpy()
    if shared.mean() < 0.5:
        return None  # most values are those of one speaker only
    others = others[shared] / counts.mean()
    ties = rng.random(others.shape) * 1e-9
    predicted = others.columns.to_numpy(object)[np.argmax(others.to_numpy() + ties, axis=1)]
    return compare_with_chance(labels[shared], predicted, speakers[shared], rng)


def _near_values_suffice(values, labels):
    """Return whether labels are predicted as well from near lengths as from equal ones."""
    # In formats with blocks of samples many recordings have equal lengths by chance.
    codes = np.unique(labels.astype(str), return_inverse=True)[1]
    own = np.eye(codes.max() + 1)[codes]
    distinct, cells = np.unique(values, return_inverse=True)
    counts = np.zeros((len(distinct), own.shape[1]))
    np.add.at(counts, cells, own)
    sums = np.vstack([np.zeros(own.shape[1]), np.cumsum(counts, axis=0)])
    low, high = (np.searchsorted(distinct, distinct + d) for d in (-NEAR_LENGTH, NEAR_LENGTH))
    equal, near = counts[cells] - own, (sums[high] - sums[low] - counts)[cells]
    repeated = equal.any(axis=1)
    recalls = [
        _uar(codes[repeated], np.argmax(others[repeated] / own.sum(axis=0), axis=1))
        for others in (equal, near)
        if repeated.any()
    ]
    return not recalls or recalls[0] - recalls[1] < WARNING_EFFECT * (1 - 1 / own.shape[1])


#: Number of folds; fewer with fewer speakers.
MAX_FOLDS = 10
N_PERMUTATIONS = 999
#: Assignments of labels to speakers, none of which may score as high: a test at the level
#: 1 / (1 + N_ASSIGNMENTS).
N_ASSIGNMENTS = 99
ASSIGNMENT_LEVEL = 0.01
#: p of the first test above which the second cannot change the outcome.
MAX_P_TO_PERMUTE = 0.05
#: Smallest number of rows per class, and of speakers, for which a test is run.
MIN_ROWS_PER_CLASS, MIN_SPEAKERS = 4, 3


@dataclass
class ShortcutTest:
    """UAR with its 95 % interval over speakers, chance, and the larger p of the two tests."""

    uar: float
    low: float
    high: float
    chance: float
    p: float

    @property
    def min_effect(self):
        """Lower end of the interval on a scale from 0 (chance) to 1 (label determined)."""
        return (self.low - self.chance) / (1 - self.chance)


def run_shortcut_test(
    numbers: np.ndarray, labels: np.ndarray, speakers: np.ndarray, rng: np.random.Generator
) -> ShortcutTest | None:
    """Predict labels from a confounder, cross-validated over speakers; None with too few data."""
    known = np.isfinite(numbers).any(axis=1)
    numbers, labels, speakers = numbers[known], labels[known].astype(str), speakers[known]
    varies = any(len(np.unique(column[~np.isnan(column)])) > 1 for column in numbers.T)
    if not varies or not _has_enough_data(labels, speakers):
        return None
    test = compare_with_chance(labels, _predict(numbers, labels, speakers), speakers, rng)
    if (
        test is not None
        and test.p < ASSIGNMENT_LEVEL
        and not _most_have_several(labels, speakers)
        and _assignment_scores_as_high(test.uar, numbers, labels, speakers, rng)
    ):
        test.p = 1.0
    return test


def compare_with_chance(
    y_true: np.ndarray, y_pred: np.ndarray, speakers: np.ndarray, rng: np.random.Generator
) -> ShortcutTest | None:
    """Compare predictions for unseen speakers with chance; None if there are too few data."""
    y_true, y_pred, speakers = (v.astype(str) for v in (y_true, y_pred, speakers))
    if not _has_enough_data(y_true, speakers):
        return None
    classes = np.unique(y_true)
    chance, freedom = 1 / len(classes), len(np.unique(speakers)) - 1
    uar = _uar(y_true, y_pred)
    interval = cluster_interval(y_true, y_pred, speakers, min_clusters=2)
    # If only one speaker has a class, nothing is known about that class in other speakers.
    low, high = (0.0, 1.0) if np.isnan(interval.low) else (interval.low, interval.high)
    # If the interval was clipped at 0 or 1, the other half gives the standard error.
    spread = max(high - uar, uar - low) / stats.t.ppf(0.975, freedom)
    p = float(stats.t.sf((uar - chance) / max(spread, 1e-9), freedom))
    if p < MAX_P_TO_PERMUTE:
        p = max(p, _permutation_p(uar, y_true, y_pred, speakers, classes, rng))
    return ShortcutTest(uar, low, high, chance, p)


def _uar(y_true, y_pred):
    return float(np.mean([(y_pred[y_true == name] == name).mean() for name in np.unique(y_true)]))


def _has_enough_data(labels, speakers):
    classes, counts = np.unique(labels.astype(str), return_counts=True)
    n_speakers = len(np.unique(speakers.astype(str)))
    return len(classes) > 1 and counts.min() >= MIN_ROWS_PER_CLASS and n_speakers >= MIN_SPEAKERS


def _predict(numbers, labels, speakers):
    predicted = np.empty_like(labels)
    n_classes = len(np.unique(labels))
    folds = GroupKFold(min(MAX_FOLDS, len(np.unique(speakers.astype(str)))))
    for train, test in folds.split(numbers, labels, speakers.astype(str)):
        tree = DecisionTreeClassifier(
            max_leaf_nodes=2 * n_classes,
            min_samples_leaf=max(3, len(train) // 50),
            class_weight="balanced",
            random_state=0,
        )
        predicted[test] = tree.fit(numbers[train], labels[train]).predict(numbers[test])
    return predicted


def _permutation_p(uar, y_true, y_pred, speakers, classes, rng):
    """Return the p value of permuting the labels within speakers; 0 if that changes nothing."""
    # The predictions stay as they are: those for a speaker do not depend on the speaker's labels.
    codes = np.unique(speakers, return_inverse=True)[1]
    true_codes, pred_codes = np.searchsorted(classes, y_true), np.searchsorted(classes, y_pred)
    order = np.lexsort((np.arange(len(codes)), codes))
    codes, true_codes, pred_codes = codes[order], true_codes[order], pred_codes[order]
    if not _most_have_several(true_codes, codes):
        return 0.0
    weights = 1 / np.bincount(true_codes) / len(classes)
    n_as_high = 0
    for _ in range(N_PERMUTATIONS):
        permuted = true_codes[np.lexsort((rng.random(len(codes)), codes))]
        n_as_high += weights[permuted[permuted == pred_codes]].sum() >= uar - 1e-12
    return (1 + n_as_high) / (1 + N_PERMUTATIONS)


def _most_have_several(labels, speakers):
    """Return whether at least half of the speakers have more than one label."""
    codes, names = pd.factorize(speakers)
    n_labels = [len(np.unique(labels[codes == k])) for k in range(len(names))]
    return np.mean(np.array(n_labels) > 1) >= 0.5


def _assignment_scores_as_high(uar, numbers, labels, speakers, rng):
    """Return whether any random assignment of labels to whole speakers scores as high."""
    # If speakers have one label each, permutations within them change nothing, and the interval is
    # too short if a few speakers have most of the rows.
    codes, names = pd.factorize(speakers)
    label_of_speaker = np.array(
        [pd.Series(labels[codes == k]).mode()[0] for k in range(len(names))]
    )
    for _ in range(N_ASSIGNMENTS):
        assigned = rng.permutation(label_of_speaker)[codes]
        if _uar(assigned, _predict(numbers, assigned, speakers)) >= uar:
            return True
    return False
