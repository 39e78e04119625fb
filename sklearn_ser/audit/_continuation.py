"""Files that continue in another file: one recording, cut.

A single junction seldom proves that two files belong together, but many do. Each pair's score is
ranked among those of the same end with other starts and of the same start with other ends, and
the product of the two ranks is compared with that of pairs that cannot belong together. Such
ranks need no assumption on what speech is like. Neighbors in the order of names are looked at
first, then, if nothing is found, all pairs of one speaker.

Rivals and controls are other files' ends and starts, and those that files would have had they been
cut in the middle: there are enough of these, and they lie in speech as well.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import soxr
from scipy import stats
from scipy.linalg import cholesky, solve_triangular, toeplitz
from scipy.signal import lfilter

#: Files that each junction is ranked among; control pairs; pairs of one speaker at most.
N_RIVALS, N_CONTROLS, MOST_PAIRS = 500, 20_000, 2_000_000
#: A pair counts as found where this part of those found can be chance.
FALSE_DISCOVERY = 0.05
#: Of the test that pairs are like the controls; and the least number of junctions found.
SIGNIFICANT, FEWEST = 1e-6, 3
FEWEST_CONTROLS = 100
#: Of those found, as many may fit together the wrong way round.
MOST_TURNED = 0.25
#: Ranks at which pairs and controls are compared.
_THRESHOLDS = (1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 1e-2)


@dataclass
class Continuations:
    """What was found.

    Attributes
    ----------
    pairs : list of (int, int)
        Rows: the first goes on in the second.
    n_tested : int
        Pairs that were looked at: those of which neither edge is silence.
    chance : float
        Part of the controls that ranks as high as those found.
    by_name : bool
        Whether they follow each other in the order of names.
    """

    pairs: list
    n_tested: int
    chance: float = np.nan
    by_name: bool = True


def natural_key(text):
    """Sorts S2 before S10."""
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in _parts(text)]


def _parts(text):
    return [part for part in re.split(r"(\d+)", text) if part]


def neighbors(names, starts, groups):
    """Pairs of rows that follow each other by name, and in one file by time, group by group.

    Parameters
    ----------
    names : list of str
    starts : list of float
        Seconds in the file.
    groups : sequence of shape (n_rows,)
        Speakers.

    Returns
    -------
    list of (int, int)
    """
    order = sorted(
        range(len(names)),
        key=lambda row: (str(groups[row]), natural_key(names[row]), starts[row], row),
    )
    return [(i, j) for i, j in pairwise(order) if groups[i] == groups[j]]


def find_continuations(facts, names, starts, speakers, excluded, rng):
    """Find files that go on in another file of the same speaker.

    Parameters
    ----------
    facts : list of AudioFacts
    names : list of str
        Of the files; rows without names follow each other as they come.
    starts : list of float
        Seconds in the file.
    speakers : list of str
    excluded : set of (int, int)
        Pairs that are copies or overlap.
    rng : numpy.random.Generator

    Returns
    -------
    Continuations
    """
    edges = _AllEdges(facts, rng)
    following = [pair for pair in neighbors(names, starts, speakers) if edges.can_meet(*pair)]
    following = [pair for pair in following if pair not in excluded]
    if not edges.n_real_ends or not edges.n_real_starts or len(edges.ends) < 20:
        return Continuations([], 0)
    near = set(following) | {(j, i) for i, j in following} | excluded
    controls = edges.controls(speakers, near, rng)
    found, chance, limit = _above_chance(following, edges, controls)
    # Neighbors may be alike (noise that drifts through a session), but that is so both ways round.
    turned = [(j, i) for i, j in following if edges.can_meet(j, i)]
    alike = int((edges.ranks(edges.places(turned)) <= limit).sum()) if found and turned else 0
    if found and alike <= MOST_TURNED * len(found):
        return Continuations(found, len(following), chance)
    pairs = edges.of_one_speaker(speakers, excluded)
    if not FEWEST <= len(pairs) <= MOST_PAIRS:
        return Continuations([], len(following))
    # Nearly all of these are chance.
    controls = [edges.with_inner(speakers, rng), edges.of_two_speakers(speakers, rng)]
    found, chance, _ = _above_chance(pairs, edges, *controls)
    # No end goes on in two starts: where pairs share their ends, something else is alike.
    if min(len({i for i, _ in found}), len({j for _, j in found})) < 0.9 * len(found):
        found = []
    return Continuations(found, len(pairs), chance, by_name=False)


class _AllEdges:
    """Real and inner ends and starts, and how each ranks among rivals.

    Attributes
    ----------
    ends, starts : list of int
        The row of each; first those of the real ones.
    """

    def __init__(self, facts, rng):
        kinds = {}
        for kind in ("end", "start"):
            real = [row for row, fact in enumerate(facts) if getattr(fact, kind) is not None]
            inner = [
                row for row, fact in enumerate(facts) if getattr(fact, f"inner_{kind}") is not None
            ]
            stack = [getattr(facts[row], kind) for row in real]
            stack += [getattr(facts[row], f"inner_{kind}") for row in inner]
            kinds[kind] = (real + inner, len(real), Edges(stack) if stack else None)
        self.ends, self.n_real_ends, self._end_stack = kinds["end"]
        self.starts, self.n_real_starts, self._start_stack = kinds["start"]
        self._place_of_end = {row: k for k, row in enumerate(self.ends[: self.n_real_ends])}
        self._place_of_start = {row: k for k, row in enumerate(self.starts[: self.n_real_starts])}
        self._rival_starts = _sample(len(self.starts), rng)
        self._rival_ends = _sample(len(self.ends), rng)
        self._sorted = {}

    def can_meet(self, i, j):
        """Whether row i has an end and row j a start that is no silence."""
        return i in self._place_of_end and j in self._place_of_start

    def places(self, pairs):
        """From rows to places of real ends and starts."""
        return [(self._place_of_end[i], self._place_of_start[j]) for i, j in pairs]

    def of_one_speaker(self, speakers, excluded):
        """All pairs of rows of one speaker, or [] where these are too many."""
        by_speaker = {}
        for row in self._place_of_start:
            by_speaker.setdefault(speakers[row], []).append(row)
        n_pairs = sum(len(by_speaker.get(speakers[row], ())) for row in self._place_of_end)
        if n_pairs > MOST_PAIRS:
            return []
        return [
            (i, j)
            for i in self._place_of_end
            for j in by_speaker.get(speakers[i], ())
            if i != j and (i, j) not in excluded
        ]

    def controls(self, speakers, excluded, rng):
        """Places of pairs that are no neighbors: of one speaker, and others if these are few."""
        within = self.of_one_speaker(speakers, excluded)
        if len(within) > N_CONTROLS:
            within = [within[k] for k in rng.choice(len(within), N_CONTROLS, replace=False)]
        places = self.places(within)
        return places if len(places) >= 1000 else places + self.with_inner(speakers, rng)

    def with_inner(self, speakers, rng):
        """Places of pairs of one speaker of which one edge is real and one inner.

        Pairs of any two speakers are added where these are few.
        """
        found = []
        for same in (True, False):
            for _ in range(20):
                if len(found) >= N_CONTROLS // (1 if same else 10):
                    break
                ends = rng.integers(0, len(self.ends), N_CONTROLS)
                starts = rng.integers(0, len(self.starts), N_CONTROLS)
                one_real = (ends < self.n_real_ends) != (starts < self.n_real_starts)
                for e, s in zip(ends[one_real].tolist(), starts[one_real].tolist(), strict=True):
                    i, j = self.ends[e], self.starts[s]
                    if i != j and (not same or speakers[i] == speakers[j]):
                        found.append((e, s))
        return list(dict.fromkeys(found))[: 2 * N_CONTROLS]

    def of_two_speakers(self, speakers, rng):
        """Places of pairs of real edges that cannot belong together."""
        ends = rng.integers(0, self.n_real_ends, N_CONTROLS)
        starts = rng.integers(0, self.n_real_starts, N_CONTROLS)
        return [
            (e, s)
            for e, s in dict.fromkeys(zip(ends.tolist(), starts.tolist(), strict=True))
            if speakers[self.ends[e]] != speakers[self.starts[s]]
        ]

    def ranks(self, places):
        """Product of a pair's rank among rival starts and among rival ends, each from 0 to 1."""
        places = np.asarray(places)
        best = np.full(len(places), np.inf)
        order = np.argsort(places[:, 0], kind="stable")
        bounds = np.flatnonzero(np.diff(places[order, 0], prepend=-1))
        for view in range(len(VIEWS)):
            for part in np.split(order, bounds[1:]):
                end, starts = int(places[part[0], 0]), places[part, 1]
                score = self._end_stack.scores(end, self._start_stack, starts, view)
                rivals = self._rivals("end", end, view)
                first = 1 + len(rivals) - np.searchsorted(rivals, score)
                # Most pairs lose here, and need not be ranked among ends.
                product = first / (1 + len(rivals))
                for k in np.flatnonzero(product <= 0.1):
                    others = self._rivals("start", int(starts[k]), view)
                    better = 1 + len(others) - np.searchsorted(others, score[k])
                    product[k] *= better / (1 + len(others))
                best[part] = np.minimum(best[part], product)
        return len(VIEWS) * best

    def _rivals(self, kind, place, view):
        """Sorted scores of an end with all rival starts, or of a start with all rival ends."""
        key = (kind, place, view)
        if key not in self._sorted:
            rows = (self.ends, self.starts) if kind == "end" else (self.starts, self.ends)
            stacks = (self._end_stack, self._start_stack)
            mine, theirs = stacks if kind == "end" else stacks[::-1]
            rivals = self._rival_starts if kind == "end" else self._rival_ends
            # No file is a rival of itself.
            rivals = rivals[np.asarray(rows[1])[rivals] != rows[0][place]]
            self._sorted[key] = np.sort(mine.scores(place, theirs, rivals, view))
        return self._sorted[key]


def _above_chance(pairs, edges, *controls):
    """Pairs that rank higher than nearly all controls, part of these that do, and the rank."""
    controls = [places for places in controls if len(places) >= FEWEST_CONTROLS]
    if len(pairs) < FEWEST or not controls:
        return [], np.nan, np.nan
    ranks = edges.ranks(edges.places(pairs))
    ours, others = np.sort(ranks), [np.sort(edges.ranks(places)) for places in controls]
    best = None
    for limit in _THRESHOLDS:
        n_found = int(np.searchsorted(ours, limit, side="right"))
        chance = max(
            (np.searchsorted(other, limit, side="right") + 1) / (len(other) + 1) for other in others
        )
        p = stats.binom.sf(n_found - 1, len(ours), chance) * len(_THRESHOLDS)
        few_false = chance * len(ours) <= FALSE_DISCOVERY * n_found
        if n_found >= FEWEST and p < SIGNIFICANT and few_false:
            best = (limit, float(chance))
    if best is None:
        return [], np.nan, np.nan
    limit, chance = best
    found = [pair for pair, rank in zip(pairs, ranks, strict=True) if rank <= limit]
    return found, chance, limit


def _sample(count, rng):
    if count <= N_RIVALS:
        return np.arange(count)
    return np.sort(rng.choice(count, N_RIVALS, replace=False))


#: (rate in Hz or None for the file's own, order of the prediction, samples left out at each side
#: of the cut).
VIEWS = ((4000, 48, 1), (None, 64, 0))
SECONDS = 0.08
N_PREDICTED = 16
#: An edge more than this far below the speech (dB), or below this level (dBFS), is silence: it
#: continues in any other.
BELOW_SPEECH, LEAST_LEVEL = 30.0, -65.0
#: Degrees of freedom of the t distribution of what linear prediction leaves: speech has glottal
#: pulses, which a Gaussian would take for a contradiction.
FREEDOM = 4.0


def end_edge(signal, rate, speech_level):
    """What is needed of the end of a signal; None where it is silence, or too short.

    Parameters
    ----------
    signal : ndarray of shape (n_samples,)
    rate : int
    speech_level : float
        In dBFS.

    Returns
    -------
    tuple or None
        For each view: what should come next, the whitening matrix of its error with its
        log-determinant, the last samples, and their own log-likelihood.
    """
    n = round(SECONDS * rate)
    return None if len(signal) < 2 * n else _edge(signal[len(signal) - n :], rate, speech_level)


def start_edge(signal, rate, speech_level):
    """The same of the start, in reversed time: arguments as for :func:`end_edge`."""
    n = round(SECONDS * rate)
    return None if len(signal) < 2 * n else _edge(signal[:n][::-1], rate, speech_level)


def _edge(part, rate, speech_level):
    part = part.astype(np.float64)
    last = part[-round(0.02 * rate) :]
    power = np.mean(np.square(last - last.mean()))
    level = 10 * np.log10(power) if power > 0 else -np.inf
    if level < max(LEAST_LEVEL, speech_level - BELOW_SPEECH):
        return None
    views = []
    for own_rate, order, gap in VIEWS:
        samples = part if own_rate is None else _low(part, rate, own_rate)
        views.append(_view(samples, order, gap))
    return tuple(views)


def _low(part, rate, own_rate):
    """Resampled as if the signal went on beyond both ends, mirrored through its last values."""
    pad = len(part) // 2
    longer = np.concatenate(
        [2 * part[0] - part[pad:0:-1], part, 2 * part[-1] - part[-2 : -pad - 2 : -1]]
    )
    low = soxr.resample(longer, rate, own_rate, quality="HQ")
    first, n = round(pad * own_rate / rate), round(len(part) * own_rate / rate)
    return low[first : first + n]


def _view(samples, order, gap):
    """Prediction, its whitening matrix and log-determinant, and those of the edge by itself."""
    samples = samples[: len(samples) - gap]
    filter_, error = _burg(samples, order)
    horizon = 2 * gap + N_PREDICTED
    history = samples[-order:]
    # The filter's zero-input response: what comes next.
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
    edge = samples[-N_PREDICTED:][::-1]  # as seen from the other side, which predicts it
    own_score = _log_density(np.sum(np.square(marginal[0] @ edge)), marginal[1])
    return (
        predicted[2 * gap :].astype(np.float32),
        ahead[0].astype(np.float32),
        np.float32(ahead[1]),
        edge.astype(np.float32),
        np.float32(own_score),
    )


def _burg(x, order):
    """Linear prediction by Burg's method: the filter, and the power of its error."""
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
    # Half a step of 16 bits: more certain than that no sample can be.
    return filter_, max(error, 2.0**-32)


def _whitening(covariance):
    n = len(covariance)
    covariance = covariance + 1e-9 * np.trace(covariance) / n * np.eye(n)
    lower = cholesky(covariance, lower=True)
    whitening = solve_triangular(lower, np.eye(n), lower=True)
    return whitening, 2 * np.log(np.diag(lower)).sum()


def _log_density(square, log_determinant):
    """Of a t distribution, up to a constant."""
    n = N_PREDICTED
    return -(FREEDOM + n) / 2 * np.log1p(square / FREEDOM) - log_determinant / 2


class Edges:
    """Ends, or starts, of many utterances, stacked.

    Parameters
    ----------
    edges : list of tuple
        Of :func:`end_edge`, or of :func:`start_edge`.
    """

    def __init__(self, edges):
        self.views = [
            tuple(np.stack([edge[view][part] for edge in edges]) for part in range(5))
            for view in range(len(VIEWS))
        ]

    def scores(self, place, others, places, view):
        """Score of one of these with many of the other kind.

        Parameters
        ----------
        place : int
            Of the one, here.
        others : Edges
            Starts, where these are ends, and the reverse.
        places : ndarray of int of shape (n_places,)
        view : int
            Which of `VIEWS`.

        Returns
        -------
        ndarray of shape (n_places,)
        """
        predicted, whitening, log_determinant, edge, own = (
            part[place] for part in self.views[view]
        )
        of_others = [part[places] for part in others.views[view]]
        there = np.square((of_others[3] - predicted) @ whitening.T).sum(axis=1)
        back = np.einsum("kij,kj->ki", of_others[1], edge - of_others[0])
        return (
            _log_density(there, log_determinant)
            - of_others[4]
            + _log_density(np.square(back).sum(axis=1), of_others[2])
            - own
        )
