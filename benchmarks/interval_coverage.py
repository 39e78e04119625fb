"""Do intervals cover, and do paired tests err as seldom as they say? A simulation.

Speakers are drawn from a population whose recalls are known. Each has a recall of his own for each
of four classes (standard deviation .1), and, in the paired part, a difference of his own between
two estimators (standard deviation .05, mean 0, or a gain that is to be found). "even": 8
utterances of each class by each speaker; "uneven": numbers of utterances and shares of classes
differ much between speakers, as in found speech.

Run: ``python benchmarks/interval_coverage.py [--draws 1000]`` (about 5 minutes on one core)
"""

import argparse

import numpy as np
import pandas as pd
from scipy.special import expit
from scipy.stats import norm

from sklearn_ser.metrics import _intervals, _significance, cluster_interval, concordance_cc
from sklearn_ser.metrics._cluster_statistics import cluster_rows, own_values, statistic

CLASSES = np.array(["anger", "happiness", "neutral", "sadness"], dtype=object)
#: Logits of the mean speaker's recalls; standard deviations of what is the speaker's, and the
#: speaker's for one class: together .42, a tenth in recall.
LEVELS, SPEAKER, SPEAKER_CLASS = np.array([1.0, -0.2, 0.3, 0.6]), 0.3, 0.3
#: The same of a speaker's difference between two estimators: .05 in recall.
INTERACTION = 0.21
#: How alike two estimators are in which utterances of a speaker they have right.
ALIKE = 0.6
#: Of the true difference whose discovery is counted, in logits: about 5 points.
GAIN = 0.22
N_SPEAKERS = (4, 10, 24, 76)
RESAMPLES = 999


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000, help="simulated experiments per row")
    asked = parser.parse_args()
    settings = [(kind, n) for kind in ("even", "uneven") for n in N_SPEAKERS]
    print(f"true recall {true_recall():.3f}, with the gain {true_recall(GAIN / 2):.3f}")
    show("Coverage of 95 % intervals", coverage, settings, asked.draws)
    show("Coverage, concordance of numbers", coverage_of_numbers, settings, asked.draws)
    show("False positives at .05, difference varies by speaker", errors, settings, asked.draws)
    uneven = [setting for setting in settings if setting[0] == "uneven"]
    show("False positives, no difference at all", errors, uneven, asked.draws, interaction=0.0)
    show("Power at 5 points", errors, uneven, asked.draws, gain=GAIN)


def show(title, simulate, settings, n_draws, **options):
    rows = [
        {"speakers": f"{n}, {kind}", **simulate(kind, n, n_draws, **options)}
        for kind, n in settings
    ]
    table = pd.DataFrame(rows).set_index("speakers").round(3)
    print(f"\n## {title}\n\n{table.to_string()}", flush=True)


def true_recall(shift=0.0):
    """Mean recall of the population's speakers, by quadrature."""
    points, weights = np.polynomial.hermite_e.hermegauss(40)
    spread = np.hypot(SPEAKER, SPEAKER_CLASS)
    return float(np.mean([expit(m + shift + spread * points) @ weights for m in LEVELS])) / (
        np.sqrt(2 * np.pi)
    )


def coverage(kind, n_speakers, n_draws):
    """Share of the intervals that hold the true recall, and their mean widths."""
    rng = np.random.default_rng(n_speakers)
    true_score = true_recall()
    inside, widths = [], []
    for _ in range(n_draws):
        speaker, code, (right,) = experiment(kind, n_speakers, rng, estimators=1)
        rows = cluster_rows(CLASSES[code], [said(code, right)], speaker, None, "uar", None)
        found = statistic(rows, 0, "rows")
        intervals = {
            name: _intervals._METHODS[name](found, 0.95, RESAMPLES, rng)
            for name in ("t", "bootstrap-t", "percentile")
        }
        linear = (found.estimate, found.linear_influence, found.group, 0.95)
        intervals["linearized t"] = _intervals.t_interval(*linear)
        intervals["i.i.d. bootstrap"] = independent_bootstrap(code, right, rng)
        inside.append({name: holds(true_score, *edges) for name, edges in intervals.items()})
        widths.append(
            {
                f"width {name}": np.minimum(1, high) - np.maximum(0, low)
                for name, (low, high) in intervals.items()
                if name in ("t", "bootstrap-t")
            }
        )
    return {**pd.DataFrame(inside).mean(), **pd.DataFrame(widths).mean()}


def coverage_of_numbers(kind, n_speakers, n_draws):
    """The same of a concordance correlation, whose speakers differ in height and scale."""
    population = numbers(np.repeat(np.arange(20_000), 20), np.random.default_rng(0))
    true_score = concordance_cc(*population)
    rng = np.random.default_rng(n_speakers)
    inside = []
    for _ in range(n_draws):
        speaker = experiment(kind, n_speakers, rng, estimators=1)[0]
        y_true, y_pred = numbers(speaker, rng)
        found = cluster_interval(y_true, y_pred, speaker, metric="ccc", min_clusters=2)
        inside.append(holds(true_score, found.low, found.high))
    return {"t": np.nanmean(inside)}


def holds(value, low, high):
    """Is the value inside? NaN where there is no interval: only one speaker has a class."""
    return np.nan if np.isnan(low) else float(low <= value <= high)


def numbers(speaker, rng):
    """Ratings, and predictions that are each speaker's own mixture of true rating and noise."""
    n = speaker.max() + 1
    y_true = rng.normal(size=len(speaker)) + rng.normal(0, 0.3, n)[speaker]
    slope, height = rng.normal(0.5, 0.15, n)[speaker], rng.normal(0, 0.3, n)[speaker]
    return y_true, slope * y_true + height + rng.normal(0, 0.6, len(speaker))


def errors(kind, n_speakers, n_draws, *, gain=0.0, interaction=INTERACTION):
    """Share of the tests with p below .05."""
    rng = np.random.default_rng(n_speakers)
    found = []
    for _ in range(n_draws):
        speaker, code, rights = experiment(
            kind, n_speakers, rng, gain=gain, interaction=interaction
        )
        parts = [said(code, right) for right in rights]
        rows = cluster_rows(CLASSES[code], parts, speaker, None, "uar", None)
        first, second = (statistic(rows, which, "rows") for which in (0, 1))
        own = [own_values(rows, which).to_numpy() for which in (0, 1)]
        sums = _significance._contributions(first, second)
        difference = first.estimate - second.estimate
        influence = first.influence - second.influence
        linear = first.linear_influence - second.linear_influence
        found.append(
            {
                "sign-flip": _significance.sign_flips([sums], RESAMPLES, rng)[0][0],
                "wilcoxon": _significance.sign_flips(
                    [_significance.signed_ranks(*own)], RESAMPLES, rng
                )[0][0],
                "t": _significance._t(1.0, difference, influence, first.group),
                "linearized t": _significance._t(1.0, difference, linear, first.group),
                "i.i.d. McNemar": _significance._mcnemar(rows, (0, 1))[0],
            }
        )
    return (pd.DataFrame(found) < 0.05).mean()


def experiment(kind, n_speakers, rng, *, estimators=2, gain=0.0, interaction=INTERACTION):
    """Speakers, classes, and which utterances each estimator has right."""
    if kind == "even":
        counts = np.full((n_speakers, 4), 8)
    else:
        n = np.maximum(4, rng.lognormal(3.1, 0.8, n_speakers).astype(int))
        shares = rng.dirichlet([2.0, 1.0, 2.0, 1.0], n_speakers)
        counts = np.stack([rng.multinomial(*part) for part in zip(n, shares, strict=True)])
    logits = LEVELS + rng.normal(0, SPEAKER, (n_speakers, 1))
    logits = logits + rng.normal(0, SPEAKER_CLASS, (n_speakers, 4))
    half = (gain + rng.normal(0, interaction, (n_speakers, 1)))[:, :1] / 2
    speaker, code = (np.repeat(part.ravel(), counts.ravel()) for part in np.indices(counts.shape))
    shared = rng.normal(size=len(code))
    rights = []
    for sign in (1, -1)[:estimators]:
        chance = expit(logits + (sign * half if estimators > 1 else 0))[speaker, code]
        ease = np.sqrt(ALIKE) * shared + np.sqrt(1 - ALIKE) * rng.normal(size=len(code))
        rights.append(norm.cdf(ease) < chance)
    return speaker, code, rights


def said(code, right):
    return CLASSES[np.where(right, code, (code + 1) % 4)]


def independent_bootstrap(code, right, rng):
    """The percentile bootstrap that draws utterances, as toolkits do."""
    cells = np.bincount(code * 2 + right, minlength=8)
    drawn = rng.multinomial(len(code), cells / len(code), size=RESAMPLES).reshape(-1, 4, 2)
    with np.errstate(invalid="ignore"):
        recalls = drawn[:, :, 1] / drawn.sum(axis=2)
    return np.nanquantile(np.nanmean(recalls, axis=1), [0.025, 0.975])


if __name__ == "__main__":
    main()
