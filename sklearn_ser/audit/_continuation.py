"""Detection of files that continue in another file: recordings that were cut into segments.

A single junction seldom proves that two files belong together, but many do. The score of each pair
is ranked among those of the same end with other starts and of the same start with other ends, and
the product of the two ranks is compared with that of pairs that cannot belong together. Such
ranks need no assumption about speech. Neighbors in the order of names are tested first, then, if
nothing is found, all pairs of one speaker.

Rivals and controls are the ends and starts of other files, and those of files cut in the middle:
there are enough of these, and they are within speech as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import soxr
from scipy import stats

if TYPE_CHECKING:
    from sklearn_ser.audit._audio import AudioMeasurements

#: Rivals of each end or start; control pairs; largest number of pairs of one speaker.
N_RIVALS, N_CONTROLS, MAX_PAIRS = 500, 20_000, 2_000_000
#: False discovery rate of the reported pairs.
FALSE_DISCOVERY = 0.05
#: Level of the test that pairs are like the controls, and the smallest number of reported pairs.
SIGNIFICANCE_LEVEL, MIN_PAIRS = 1e-6, 3
MIN_CONTROLS = 100
#: Share of the reported pairs that may also fit together in the reverse order.
MAX_REVERSED = 0.25
#: Ranks at which pairs and controls are compared.
_THRESHOLDS = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2)


@dataclass
class Continuations:
    """Pairs of rows of which the first continues in the second, and how they were found."""

    pairs: list[tuple[int, int]]
    #: Number of pairs of which neither edge is silent.
    n_tested: int
    #: Share of the controls that rank as high as the reported pairs.
    chance: float = np.nan
    #: Whether the pairs are neighbors in the order of names.
    by_name: bool = True


def natural_key(text):
    """Return a sort key by which S2 comes before S10."""
    parts = [part for part in re.split(r"(\d+)", text) if part]
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts]


def neighbors(names, starts, speakers):
    """Return the pairs of rows of one speaker that are consecutive by file name, then by start."""
    order = sorted(
        range(len(names)),
        key=lambda row: (str(speakers[row]), natural_key(names[row]), starts[row], row),
    )
    return [(i, j) for i, j in pairwise(order) if speakers[i] == speakers[j]]


def find_continuations(
    measurements: list[AudioMeasurements],
    names: list[str],
    starts: list[float],
    speakers: list[str],
    excluded: set[tuple[int, int]],
    rng: np.random.Generator,
) -> Continuations:
    """Find files that continue in another file of the same speaker, except in excluded pairs."""
    edges = _AllEdges(measurements, rng)
    following = [pair for pair in neighbors(names, starts, speakers) if edges.can_meet(*pair)]
    following = [pair for pair in following if pair not in excluded]
    if not edges.ends.n_real or not edges.starts.n_real or len(edges.ends.rows) < 20:
        return Continuations([], 0)
    near = set(following) | {(j, i) for i, j in following} | excluded
    controls = edges.controls(speakers, near, rng)
    reported, chance, limit = _above_chance(following, edges, controls)
    # Neighbors may be similar (noise that drifts through a session), but then in both orders.
    reverse = [(j, i) for i, j in following if edges.can_meet(j, i)]
    n_reverse = 0
    if reported and reverse:
        n_reverse = int((edges.ranks(edges.positions(reverse)) <= limit).sum())
    if reported and n_reverse <= MAX_REVERSED * len(reported):
        return Continuations(reported, len(following), chance)
    pairs = edges.of_one_speaker(speakers, excluded)
    if not MIN_PAIRS <= len(pairs) <= MAX_PAIRS:
        return Continuations([], len(following))
    # Nearly all of these pairs do not belong together.
    controls = [edges.with_inner(speakers, rng), edges.of_two_speakers(speakers, rng)]
    reported, chance, _ = _above_chance(pairs, edges, *controls)
    # No end continues in two starts: if pairs share their ends, something else is similar.
    if min(len({i for i, _ in reported}), len({j for _, j in reported})) < 0.9 * len(reported):
        reported = []
    return Continuations(reported, len(pairs), chance, by_name=False)


class _Edges:
    """Ends, or starts, of all rows: the real ones, then those of cuts in the middle of files."""

    def __init__(self, measurements, kind):
        edges = [
            (row, measured.edges[name])
            for name in (kind, f"inner_{kind}")
            for row, measured in enumerate(measurements)
            if name in measured.edges
        ]
        self.rows = [row for row, _ in edges]
        self.n_real = sum(kind in measured.edges for measured in measurements)
        self.position_of = {row: k for k, row in enumerate(self.rows[: self.n_real])}
        views = zip(*(views for _, views in edges), strict=True)
        self._views = [tuple(map(np.stack, zip(*view, strict=True))) for view in views]
        self._rival_scores = {}

    def scores(self, position, others, positions, view):
        """Return log-likelihood ratios that an edge belongs to those of the other kind."""
        predicted, whitening, log_determinant, edge, own = (
            part[position] for part in self._views[view]
        )
        of_others = [part[positions] for part in others._views[view]]
        forward = np.square((of_others[3] - predicted) @ whitening.T).sum(axis=1)
        backward = np.einsum("kij,kj->ki", of_others[1], edge - of_others[0])
        return (
            _log_density(forward, log_determinant)
            - of_others[4]
            + _log_density(np.square(backward).sum(axis=1), of_others[2])
            - own
        )

    def relative_rank(self, position, score, others, rivals, view):
        """Return the relative rank of scores of an edge among those with its rivals."""
        key = (position, view)
        if key not in self._rival_scores:
            # A file is not a rival of itself.
            rivals = [k for k in rivals if others.rows[k] != self.rows[position]]
            self._rival_scores[key] = np.sort(self.scores(position, others, rivals, view))
        of_rivals = self._rival_scores[key]
        n_better = len(of_rivals) - np.searchsorted(of_rivals, score)
        return (1 + n_better) / (1 + len(of_rivals))


class _AllEdges:
    """Ends and starts of all rows, and ranks of their pairs among rivals."""

    def __init__(self, measurements, rng):
        self.ends, self.starts = (_Edges(measurements, kind) for kind in ("end", "start"))
        self._rival_starts = _sample(len(self.starts.rows), rng)
        self._rival_ends = _sample(len(self.ends.rows), rng)

    def can_meet(self, i, j):
        """Return whether neither the end of row i nor the start of row j is silent."""
        return i in self.ends.position_of and j in self.starts.position_of

    def positions(self, pairs):
        """Return the positions of the ends and starts of pairs of rows."""
        return [(self.ends.position_of[i], self.starts.position_of[j]) for i, j in pairs]

    def of_one_speaker(self, speakers, excluded):
        """Return all pairs of rows of one speaker, or [] if they are too many."""
        by_speaker: dict[str, list[int]] = {}
        for row in self.starts.position_of:
            by_speaker.setdefault(speakers[row], []).append(row)
        n_pairs = sum(len(by_speaker.get(speakers[row], [])) for row in self.ends.position_of)
        if n_pairs > MAX_PAIRS:
            return []
        return [
            (i, j)
            for i in self.ends.position_of
            for j in by_speaker.get(speakers[i], [])
            if i != j and (i, j) not in excluded
        ]

    def controls(self, speakers, excluded, rng):
        """Return positions of pairs that are not neighbors, of one speaker if these are enough."""
        within = self.of_one_speaker(speakers, excluded)
        if len(within) > N_CONTROLS:
            within = [within[k] for k in rng.choice(len(within), N_CONTROLS, replace=False)]
        positions = self.positions(within)
        return positions if len(positions) >= 1000 else positions + self.with_inner(speakers, rng)

    def with_inner(self, speakers, rng):
        """Return positions of pairs of one speaker of which one edge is real and one inner."""
        positions: list[tuple[int, int]] = []
        # Pairs of any two speakers are added if those of one speaker are few.
        for same in (True, False):
            for _ in range(20):
                if len(positions) >= N_CONTROLS // (1 if same else 10):
                    break
                ends = rng.integers(0, len(self.ends.rows), N_CONTROLS)
                starts = rng.integers(0, len(self.starts.rows), N_CONTROLS)
                one_real = (ends < self.ends.n_real) != (starts < self.starts.n_real)
                for e, s in zip(ends[one_real].tolist(), starts[one_real].tolist(), strict=True):
                    i, j = self.ends.rows[e], self.starts.rows[s]
                    if i != j and (not same or speakers[i] == speakers[j]):
                        positions.append((e, s))
        return list(dict.fromkeys(positions))[: 2 * N_CONTROLS]

    def of_two_speakers(self, speakers, rng):
        """Return positions of pairs of real edges of two speakers."""
        ends = rng.integers(0, self.ends.n_real, N_CONTROLS)
        starts = rng.integers(0, self.starts.n_real, N_CONTROLS)
        return [
            (e, s)
            for e, s in dict.fromkeys(zip(ends.tolist(), starts.tolist(), strict=True))
            if speakers[self.ends.rows[e]] != speakers[self.starts.rows[s]]
        ]

    def ranks(self, positions):
        """Return the product of the relative ranks among rival starts and among rival ends."""
        positions = np.asarray(positions)
        best = np.full(len(positions), np.inf)
        order = np.argsort(positions[:, 0], kind="stable")
        bounds = np.flatnonzero(np.diff(positions[order, 0], prepend=-1))
        ends, starts = self.ends, self.starts
        for view in range(len(VIEWS)):
            for part in np.split(order, bounds[1:]):
                end, own = int(positions[part[0], 0]), positions[part, 1]
                score = ends.scores(end, starts, own, view)
                product = ends.relative_rank(end, score, starts, self._rival_starts, view)
                # Most pairs rank low here and need not be ranked among ends.
                for k in np.flatnonzero(product <= 0.1):
                    product[k] *= starts.relative_rank(
                        int(own[k]), score[k], ends, self._rival_ends, view
                    )
                best[part] = np.minimum(best[part], product)
        return len(VIEWS) * best


def _above_chance(pairs, edges, *controls):
    """Return the pairs that rank higher than chance, the share of such controls, and the rank."""
    enough = [positions for positions in controls if len(positions) >= MIN_CONTROLS]
    if len(pairs) < MIN_PAIRS or not enough:
        return [], np.nan, np.nan
    ranks = edges.ranks(edges.positions(pairs))
    of_pairs = np.sort(ranks)
    of_controls = [np.sort(edges.ranks(positions)) for positions in enough]
    best: tuple[float, float] | None = None
    for limit in _THRESHOLDS:
        n_reported = int(np.searchsorted(of_pairs, limit, side="right"))
        chance = max(
            float(np.searchsorted(control, limit, side="right") + 1) / (len(control) + 1)
            for control in of_controls
        )
        p = stats.binom.sf(n_reported - 1, len(of_pairs), chance) * len(_THRESHOLDS)
        few_false = chance * len(of_pairs) <= FALSE_DISCOVERY * n_reported
        if n_reported >= MIN_PAIRS and p < SIGNIFICANCE_LEVEL and few_false:
            best = (limit, chance)
    if best is None:
        return [], np.nan, np.nan
    limit, chance = best
    reported = [pair for pair, rank in zip(pairs, ranks, strict=True) if rank <= limit]
    return reported, chance, limit


def _sample(count, rng):
    if count <= N_RIVALS:
        return np.arange(count)
    return np.sort(rng.choice(count, N_RIVALS, replace=False))


#: Edges of a file: its end and start, and those of a cut in the middle.
EDGES = ("end", "start", "inner_end", "inner_start")
#: (rate in Hz or None for that of the file, order of the prediction, samples left out at each side
#: of the cut).
VIEWS = ((4000, 48, 1), (None, 64, 0))
SECONDS = 0.08
N_PREDICTED = 16
#: An edge is silent if it is softer than the speech by this much (dB), or below this level (dBFS):
#: silence fits any other silence.
MAX_BELOW_SPEECH, MIN_LEVEL = 30.0, -65.0
#: Degrees of freedom of the t distribution of prediction errors: speech has glottal pulses, which
#: are outliers of a Gaussian.
FREEDOM = 4.0


def describe_edges(signal, rate, speech_level):
    """Describe the ends and starts of a signal and of its two halves, by the names of `EDGES`.

    Edges that are silent or too short are left out.
    """
    middle, n = len(signal) // 2, round(SECONDS * rate)
    # Starts are ends of reversed signals.
    pieces = (signal, signal[::-1], signal[:middle], signal[middle:][::-1])
    parts = {}
    for name, piece in zip(EDGES, pieces, strict=True):
        last = piece[len(piece) - round(0.02 * rate) :].astype(np.float64)
        power = np.mean(np.square(last - last.mean())) if len(piece) >= 2 * n else 0.0
        level = 10 * np.log10(power) if power > 0 else -np.inf
        if level >= max(MIN_LEVEL, speech_level - MAX_BELOW_SPEECH):
            parts[name] = piece[len(piece) - n :]
    if not parts:
        return {}
    stacked = np.stack(list(parts.values())).astype(np.float64)
    views = []
    for view_rate, order, gap in VIEWS:
        samples = stacked if view_rate is None else _resample(stacked, rate, view_rate)
        views.append(_view(samples, order, gap))
    return {
        name: tuple(tuple(values[k] for values in view) for view in views)
        for k, name in enumerate(parts)
    }


def _resample(parts, rate, new_rate):
    """Resample signals in rows, extended at both ends by their point reflections."""
    parts = np.ascontiguousarray(parts.T)
    pad = len(parts) // 2
    longer = np.concatenate(
        [2 * parts[0] - parts[pad:0:-1], parts, 2 * parts[-1] - parts[-2 : -pad - 2 : -1]]
    )
    resampled = soxr.resample(longer, rate, new_rate, quality="HQ")
    first, n = round(pad * new_rate / rate), round(len(parts) * new_rate / rate)
    return np.ascontiguousarray(resampled[first : first + n].T)


def _view(samples, order, gap):
    """Return the predictions, whitenings of their errors, edges and their own log-likelihoods."""
    samples = samples[:, : samples.shape[1] - gap]
    filters, error, covariance = _burg(samples, order)
    horizon = 2 * gap + N_PREDICTED
    padding = np.zeros((len(samples), horizon))
    predicted = np.hstack([samples[:, -order:], padding])
    response = np.hstack([np.zeros((len(samples), order - 1)), np.ones((len(samples), 1)), padding])
    newest_last = filters[:, :0:-1]
    for k in range(order, order + horizon):
        for values in (predicted, response):
            values[:, k] = -(newest_last * values[:, k - order : k]).sum(axis=1)
    lags = np.subtract.outer(np.arange(horizon), np.arange(horizon))
    spread = np.where(lags >= 0, response[:, order - 1 + np.maximum(lags, 0)], 0.0)[:, 2 * gap :]
    ahead = _whitening(error[:, None, None] * spread @ spread.transpose(0, 2, 1))
    marginal = _whitening(covariance[:, np.abs(lags[:N_PREDICTED, :N_PREDICTED])])
    # In the time order of the other side, which predicts it.
    edges = samples[:, : -N_PREDICTED - 1 : -1]
    own = np.square((marginal[0] @ edges[:, :, None])[:, :, 0]).sum(axis=1)
    results = (predicted[:, order + 2 * gap :], *ahead, edges, _log_density(own, marginal[1]))
    return tuple(values.astype(np.float32) for values in results)


def _burg(samples, order):
    """Return linear prediction filters by Burg's method, powers of their errors, covariances."""
    forward, backward = samples[:, 1:], samples[:, :-1]
    energy = _products(forward, forward) + _products(backward, backward)
    power = np.square(samples).mean(axis=1)
    error = power.copy()
    filters = np.zeros((len(samples), order + 1))
    filters[:, 0] = 1.0
    covariance = np.zeros((len(samples), N_PREDICTED))
    covariance[:, 0] = power
    for k in range(1, order + 1):
        reflection = -2 * _products(forward, backward) / (energy + 1e-20)
        if k < N_PREDICTED:  # Levinson's recursion, from the coefficients to the covariances
            known = (filters[:, 1:k] * covariance[:, k - 1 : 0 : -1]).sum(axis=1)
            covariance[:, k] = -reflection * error - known
        reflections = reflection[:, None]
        filters[:, : k + 1] += reflections * filters[:, k::-1]
        forward, backward = (
            (forward + reflections * backward)[:, 1:],
            (backward + reflections * forward)[:, :-1],
        )
        energy = _products(forward, forward) + _products(backward, backward)
        error *= 1 - reflection**2
    error = np.maximum(error, 1e-9 * power)
    # Half a step of 16 bits: no prediction of a sample is more precise.
    precise = np.maximum(error, 2.0**-32)
    return filters, precise, covariance * (precise / error)[:, None]


def _products(first, second):
    return np.einsum("ij,ij->i", first, second)


def _whitening(covariances):
    """Return matrices that whiten, and log-determinants."""
    n = covariances.shape[1]
    noise = 1e-9 / n * np.trace(covariances, axis1=1, axis2=2)
    lower = np.linalg.cholesky(covariances + noise[:, None, None] * np.eye(n))
    log_diagonal = np.log(np.diagonal(lower, axis1=1, axis2=2))
    return np.linalg.inv(lower), 2 * log_diagonal.sum(axis=1)


def _log_density(square, log_determinant):
    """Return the log density of a t distribution, up to a constant."""
    n = N_PREDICTED
    return -(FREEDOM + n) / 2 * np.log1p(square / FREEDOM) - log_determinant / 2
