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
from scipy.linalg import cholesky, solve_triangular, toeplitz
from scipy.signal import lfilter

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
            (row, getattr(measured, name))
            for name in (kind, f"inner_{kind}")
            for row, measured in enumerate(measurements)
            if getattr(measured, name) is not None
        ]
        self.rows = [row for row, _ in edges]
        self.n_real = sum(getattr(measured, kind) is not None for measured in measurements)
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


def describe_edge(signal, rate, speech_level):
    """Describe the end of a signal, or the start of a reversed one; None if silent or too short."""
    n = round(SECONDS * rate)
    if len(signal) < 2 * n:
        return None
    part = signal[len(signal) - n :].astype(np.float64)
    last = part[-round(0.02 * rate) :]
    power = np.mean(np.square(last - last.mean()))
    level = 10 * np.log10(power) if power > 0 else -np.inf
    if level < max(MIN_LEVEL, speech_level - MAX_BELOW_SPEECH):
        return None
    views = []
    for view_rate, order, gap in VIEWS:
        samples = part if view_rate is None else _resample(part, rate, view_rate)
        views.append(_view(samples, order, gap))
    return tuple(views)


def _resample(part, rate, new_rate):
    """Resample a signal, extended at both ends by its point reflection."""
    pad = len(part) // 2
    longer = np.concatenate(
        [2 * part[0] - part[pad:0:-1], part, 2 * part[-1] - part[-2 : -pad - 2 : -1]]
    )
    resampled = soxr.resample(longer, rate, new_rate, quality="HQ")
    first, n = round(pad * new_rate / rate), round(len(part) * new_rate / rate)
    return resampled[first : first + n]


def _view(samples, order, gap):
    """Return the prediction, the whitening of its error, the edge and its own log-likelihood."""
    samples = samples[: len(samples) - gap]
    filter_, error = _burg(samples, order)
    horizon = 2 * gap + N_PREDICTED
    history = samples[-order:]
    # The zero-input response of the filter is the prediction.
    state = np.zeros(order)
    for k in range(order):
        state[k] = -(filter_[k + 1 :] @ history[::-1][: order - k])
    predicted, _ = lfilter([1.0], filter_, np.zeros(horizon), zi=state)
    impulse = np.zeros(4000)
    impulse[0] = 1.0
    response = lfilter([1.0], filter_, impulse)
    spread = np.tril(toeplitz(response[:horizon]))[2 * gap :]
    ahead = _whitening(error * spread @ spread.T)
    own = toeplitz([error * (response[: 4000 - k] @ response[k:]) for k in range(N_PREDICTED)])
    marginal = _whitening(own)
    edge = samples[-N_PREDICTED:][::-1]  # in the time order of the other side, which predicts it
    own_score = _log_density(np.sum(np.square(marginal[0] @ edge)), marginal[1])
    return (
        predicted[2 * gap :].astype(np.float32),
        ahead[0].astype(np.float32),
        np.float32(ahead[1]),
        edge.astype(np.float32),
        np.float32(own_score),
    )


def _burg(x, order):
    """Return the linear prediction filter by Burg's method, and the power of its error."""
    forward, backward = x[1:].copy(), x[:-1].copy()
    filter_, error = np.ones(1), np.mean(np.square(x))
    for _ in range(order):
        energy = forward @ forward + backward @ backward
        reflection = -2 * (forward @ backward) / (energy + 1e-20)
        longer = np.append(filter_, 0.0)
        filter_ = longer + reflection * longer[::-1]
        forward, backward = (
            (forward + reflection * backward)[1:],
            (backward + reflection * forward)[:-1],
        )
        error *= 1 - reflection**2
    # Half a step of 16 bits: no prediction of a sample is more precise.
    return filter_, max(error, 2.0**-32)


def _whitening(covariance):
    n = len(covariance)
    covariance = covariance + 1e-9 * np.trace(covariance) / n * np.eye(n)
    lower = cholesky(covariance, lower=True)
    whitening = solve_triangular(lower, np.eye(n), lower=True)
    return whitening, 2 * np.log(np.diag(lower)).sum()


def _log_density(square, log_determinant):
    """Return the log density of a t distribution, up to a constant."""
    n = N_PREDICTED
    return -(FREEDOM + n) / 2 * np.log1p(square / FREEDOM) - log_determinant / 2
