"""Does one recording continue in another? How well the end of one predicts the start of another.

From the last samples of a file, linear prediction says what should come next, and how surely. The
score of a pair is the log-likelihood of the other file's first samples under that prediction
minus that under their own statistics, in both directions. Two spans are used: the waveform as it
is, and a low-passed one from which the samples right at the cut are left out, since resampling
after the cut damages these. The score means something only beside that of other pairs: see
`_audit_continuation`.
"""

import numpy as np
import soxr
from scipy.linalg import cholesky, solve_triangular, toeplitz
from scipy.signal import lfilter

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
