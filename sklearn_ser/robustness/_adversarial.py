"""Robustness of classifiers to adversarial changes of their inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_ser.exceptions import EvaluationWarning, MetadataError, SerError
from sklearn_ser.neural_network._random import torch_stream
from sklearn_ser.neural_network._sequences import FrameSequences
from sklearn_ser.neural_network.training._adversarial_training import Ball, changed, values_of
from sklearn_ser.robustness._attacked_features import AttackedFeatures
from sklearn_ser.robustness._attacked_waveform import AttackedWaveform
from sklearn_ser.robustness._result_table import EvaluatedRows
from sklearn_ser.utils._ids import as_frame
from sklearn_ser.utils._nested_estimators import Estimators, named_estimators
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._torch_state import default_torch_state
from sklearn_ser.utils._warnings import warn_user

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

_DEFAULTS = {"features": (0.01, 0.03, 0.1, 0.3), "waveform": (-60.0, -50.0, -40.0, -30.0)}


@public_module("sklearn_ser.robustness")
@validate_params(
    {
        "epsilons": ["array-like", None],
        "attack": [StrOptions({"fgsm", "pgd"})],
        "space": [StrOptions({"features", "waveform"})],
        "norm": [StrOptions({"inf", "l2"})],
        "relative": ["boolean"],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "step_size": [Interval(Real, 0, None, closed="neither"), None],
        "n_restarts": [Interval(Integral, 1, None, closed="left")],
        "return_predictions": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
@default_torch_state()
def adversarial_robustness(
    estimators: Estimators,
    X: pd.DataFrame | ArrayLike,
    y: ArrayLike,
    *,
    epsilons: Sequence[float] | None = None,
    attack: Literal["fgsm", "pgd"] = "fgsm",
    space: Literal["features", "waveform"] = "features",
    norm: Literal["inf", "l2"] = "inf",
    relative: bool = True,
    n_steps: int = 10,
    step_size: float | None = None,
    n_restarts: int = 1,
    surrogate: BaseEstimator | None = None,
    speaker: ArrayLike | None = None,
    return_predictions: bool = False,
    random_state: int | np.random.RandomState | None = None,
) -> pd.DataFrame | tuple[pd.DataFrame, pd.DataFrame]:
    """Score fitted classifiers on adversarial examples.

    The attack searches, for each sample, the change within a ball that raises the loss of its true
    label most, by the gradient of the classifier in evaluation mode [1]_ [2]_.

    Parameters
    ----------
    estimators : estimator, dict of str to estimator, or list of (str, estimator)
        Fitted estimators, which are not changed. Each ends in an MTLNeuralClassifier (also an
        ensemble or a calibrated one), or in a linear model of scikit-learn that has ``coef_``:
        alone, in a Pipeline, or found by a search.
    X : DataFrame, array-like or frame sequences of n_rows rows
        Audio or features that the estimators take.
    y : array-like of shape (n_rows,)
        True labels.
    epsilons : sequence of float, default=None
        Radii of the ball. For "features" they are above 0, and None stands for 0.01, 0.03, 0.1,
        0.3. For "waveform" they are in dB, and None stands for -60, -50, -40, -30. The unchanged
        inputs come first in any case.
    attack : {"fgsm", "pgd"}, default="fgsm"
        Attack: "fgsm" is one step along the (signed) gradient, to the edge of the ball; "pgd" is
        several projected steps, of which the point with the largest loss is used.
    space : {"features", "waveform"}, default="features"
        Space of the changes. "features" is the input of the last step, after all scaling (the steps
        before it are run once, on the unchanged X). "waveform" is the samples of the recordings,
        which stay within full scale; the changed recordings then pass through the whole estimator.
        It is available for a Pipeline of LogMelSpectrogram, any FrameScaler and
        MTLNeuralClassifier, or with such a `surrogate` for any estimator that takes audio.
    norm : {"inf", "l2"}, default="inf"
        Norm of the ball: "inf" bounds the change of every value, "l2" the root mean square of the
        changes of a row (an utterance).
    relative : bool, default=True
        Whether `epsilons` for "features" are in units of the standard deviation of each feature
        over the rows (frames) of X, instead of in the units of the feature. For "waveform" they
        are always relative to the utterance, in dB: "inf" to its peak, "l2" to its root mean
        square, so that minus epsilon is the signal-to-noise ratio.
    n_steps : int, default=10
        Number of steps of "pgd".
    step_size : float or None, default=None
        Size of the steps of "pgd", as a share of the radius. None stands for 2.5 / n_steps.
    n_restarts : int, default=1
        Number of searches of "pgd": the first starts at the sample itself, others at a random point
        of the ball.
    surrogate : estimator, default=None
        Fitted estimator whose gradients are used instead of those of each estimator: the scores
        show how well its adversarial examples transfer (a transfer attack, for classifiers of any
        kind). For "features", its last step must take the same input as theirs; for "waveform", it
        must take X.
    speaker : array-like of shape (n_rows,), default=None
        Speaker of each row, for the intervals. None stands for the column or index level
        ``speaker`` of X, if there is one.
    return_predictions : bool, default=False
        Whether to return the predictions as well.
    random_state : int, RandomState instance or None, default=None
        Seed of the random points of "pgd".

    Returns
    -------
    table : DataFrame
        One row per estimator and epsilon: ``estimator``, ``attack`` ("fgsm", with the space and
        norm if they are not "features" and "inf"), ``epsilon`` (0, or -inf dB, for the unchanged
        inputs), ``uar``, ``uar_low`` and ``uar_high`` (a 95 % t interval over speakers, see
        `cluster_interval`; NaN with fewer than 8, or where a class has fewer than two),
        ``accuracy``, ``changed`` (share of predictions that differ from those for the unchanged
        inputs), ``n_rows``, ``n_speakers``, ``n_classes`` (of `y`), ``loss`` (mean cross-entropy
        of the estimator that gives the gradients; for linear models, of the softmax of their
        decision values), ``masked`` (share of rows without a gradient). For "waveform" also
        ``snr``, the mean signal-to-noise ratio in dB of the changes.
    predictions : DataFrame
        With `return_predictions`, one row per estimator, epsilon and row of X: ``estimator``,
        ``attack``, ``epsilon``, ``row``, ``speaker`` (if known), ``y_true``, ``y_pred`` (None if
        the audio failed).

    Raises
    ------
    MetadataError
        If the gradient of an estimator is not known, labels are unknown to it, or rows are not
        aligned.
    SerError
        If an estimator has no gradient at all, or a change exceeds its ball.

    Warns
    -----
    EvaluationWarning
        If the mean loss falls as the ball grows, or some rows have no gradient: the attack is
        then too weak, and the scores are too high.

    See Also
    --------
    noise_robustness : Scores on disturbed recordings.
    sklearn_ser.inspection.RobustnessDisplay : Plot of the table.
    sklearn_ser.neural_network.AdversarialTraining : Training on adversarial examples.

    Notes
    -----
    A row of failed audio is a miss at every epsilon. Steps that compute statistics of the given
    rows (GroupScaler for an unknown group) compute them of X here, as in ``predict``.

    References
    ----------
    .. [1] Goodfellow, I. J., Shlens, J., Szegedy, C. (2015). Explaining and Harnessing Adversarial
       Examples. ICLR 2015. https://arxiv.org/abs/1412.6572
    .. [2] Madry, A. et al. (2018). Towards Deep Learning Models Resistant to Adversarial Attacks.
       ICLR 2018. https://arxiv.org/abs/1706.06083

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ser.robustness import adversarial_robustness
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile(["anger", "sadness"], 50)
    >>> X = rng.normal(size=(100, 5)) + (y == "anger")[:, None]
    >>> model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    >>> table = adversarial_robustness(model, X, y, epsilons=[0.1, 0.5])
    >>> table[["epsilon", "uar", "changed"]].round(2)
       epsilon   uar  changed
    0      0.0  0.93     0.00
    1      0.1  0.85     0.08
    2      0.5  0.46     0.47
    """
    models = named_estimators(estimators)
    X = as_frame(X)
    rows = EvaluatedRows(X, y, speaker)
    clean = -np.inf if space == "waveform" else 0.0
    radii = _checked_radii(_DEFAULTS[space] if epsilons is None else epsilons, space)
    search = Search(attack, n_steps, step_size or 2.5 / n_steps, n_restarts)
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    label = " ".join(
        [attack, *([space] if space == "waveform" else []), *([norm] if norm != "inf" else [])]
    )
    table, predictions = [], []
    for name, estimator in models.items():
        target: AttackedFeatures | AttackedWaveform
        if space == "waveform":
            target = AttackedWaveform(estimator, X, name, norm=norm, surrogate=surrogate)
        else:
            target = AttackedFeatures(
                estimator, X, name, norm=norm, relative=relative, surrogate=surrogate
            )
        codes = _codes(rows.y_true[~target.failed], target.source.classes, name)
        attacks = Attack(target, codes, search, name, surrogate is None)
        losses = []
        for epsilon in [clean, *radii]:
            if epsilon == clean:
                y_pred, figures = attacks.clean()
            else:
                generator = torch_stream(seed, f"{label} {epsilon}", target.device)
                y_pred, figures = attacks.within(epsilon, generator)
            y_pred_all = np.full(len(rows.y_true), None, dtype=object)  # None for failed rows
            y_pred_all[~target.failed] = y_pred
            if epsilon == clean:
                y_pred_clean = y_pred_all
            losses.append(figures["loss"])
            condition = {"estimator": name, "attack": label, "epsilon": epsilon}
            if space == "features":
                figures.pop("snr")
            table.append({**condition, **rows.scores(y_pred_all, y_pred_clean), **figures})
            predictions.append(rows.predictions(y_pred_all, **condition))
        warn_of_falling_loss([clean, *radii], losses, name, label)
    results = pd.DataFrame(table)
    return (results, pd.concat(predictions, ignore_index=True)) if return_predictions else results


def _checked_radii(epsilons, space):
    values = sorted({float(value) for value in epsilons})
    least = -np.inf if space == "waveform" else 0.0
    if not values or not all(least < value < np.inf for value in values):
        unit = "finite numbers (dB)" if space == "waveform" else "finite numbers above 0"
        raise ValueError(f"epsilons must be one or more {unit}, got {list(epsilons)}.")
    return values


def _codes(y_true, classes, name):
    codes = pd.Index(np.asarray(classes, dtype=object)).get_indexer(y_true)
    if (codes < 0).any():
        unknown = sorted({str(label) for label in y_true[codes < 0]})
        raise MetadataError(
            f"y holds the labels {unknown}, which are unknown to estimator {name!r}: its classes "
            f"are {np.asarray(classes).tolist()}. An attack raises the loss of the true label: "
            "leave these rows out."
        )
    return torch.from_numpy(codes.astype(np.int64))


#: Relative rounding error of single precision, in which changes are measured.
_ROUNDING = 1e-4


@dataclass
class Search:
    """The search of one attack, with parameters of `adversarial_robustness`, batch by batch."""

    attack: str
    n_steps: int
    step_size: float
    n_restarts: int

    def __call__(
        self,
        losses_of: Callable[[Any], torch.Tensor],
        batch: Any,
        scale: torch.Tensor,
        ball: Ball,
        limit: Callable[[torch.Tensor], torch.Tensor],
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Return the change of each sample, in units of `scale`, within a ball and `limit`."""
        start = torch.zeros_like(values_of(batch))
        if self.attack == "fgsm":
            gradient, _ = _gradient(losses_of, batch, scale, start)
            return limit(ball.radius * ball.steepest(gradient, batch))
        best, best_loss = start, torch.full((len(batch),), -np.inf, device=start.device)
        for turn in range(self.n_restarts):
            change = start if turn == 0 else limit(ball.drawn(start, batch, generator))
            for _ in range(self.n_steps):
                gradient, losses = _gradient(losses_of, batch, scale, change)
                best, best_loss = _better(best, best_loss, change, losses, batch)
                step = self.step_size * ball.radius * ball.steepest(gradient, batch)
                change = limit(ball.projected(change + step, batch))
            with torch.no_grad():
                losses = losses_of(changed(batch, change, scale))
            best, best_loss = _better(best, best_loss, change, losses, batch)
        return best


def _gradient(losses_of, batch, scale, change):
    """Return the gradient of the sum of the losses at a change, and the losses."""
    with torch.enable_grad():
        change = change.detach().requires_grad_()
        losses = losses_of(changed(batch, change, scale))
        (gradient,) = torch.autograd.grad(losses.sum(), change)
    return gradient, losses.detach()


def _better(best, best_loss, change, losses, batch):
    """Return the one of two changes with the greater loss, for each sample."""
    higher = losses > best_loss
    of_value = higher[batch.row_of_frame] if hasattr(batch, "row_of_frame") else higher
    return torch.where(of_value[:, None], change, best), torch.where(higher, losses, best_loss)


@dataclass
class Attack:
    """One attack on all samples of one target."""

    target: AttackedFeatures | AttackedWaveform
    codes: torch.Tensor  # true labels of the samples that have not failed
    search: Search
    name: str  # of the estimator, for errors
    own_gradients: bool  # whether the gradients are those of the estimator itself

    def __post_init__(self) -> None:
        self.codes = self.codes.to(self.target.device)
        self.masked = np.zeros(len(self.codes), dtype=bool)

    def clean(self) -> tuple[np.ndarray, dict[str, float]]:
        """Return predictions and figures for the unchanged inputs, and check the gradients."""
        target, total = self.target, 0.0
        codes = np.empty(len(self.codes), dtype=np.int64)
        with target.source.running():
            for rows, batch, scale in target.batches():
                with torch.no_grad():
                    log_probabilities = target.log_probabilities(batch)
                indices = rows.numpy()  # numpy takes a tensor of one element for a number
                codes[indices] = log_probabilities.argmax(dim=1).cpu().numpy()
                losses_of = self._losses_of(rows)
                total += float(losses_of(batch).detach().cpu().double().sum())
                self.masked[indices] = _has_no_gradient(losses_of, batch, scale)
        self._check_gradients()
        y_pred = target.predict(target.x)
        if self.own_gradients:
            self._check_predictions(y_pred, np.asarray(target.source.classes, dtype=object)[codes])
        return y_pred, self._figures(total, np.inf)

    def within(
        self, epsilon: float, generator: torch.Generator
    ) -> tuple[np.ndarray, dict[str, float]]:
        """Return predictions and figures for inputs changed within a ball."""
        target, ball, total = self.target, self.target.ball(epsilon), 0.0
        attacked, ratios = _copied(target.x), []
        with target.source.running():
            for rows, batch, scale in target.batches():
                losses_of = self._losses_of(rows)
                limit = target.limit(batch, scale)
                change = self.search(losses_of, batch, scale, ball, limit, generator)
                check_ball(ball.size(change, batch).cpu().numpy(), ball.radius, self.name)
                changed_batch = changed(batch, change, scale)
                with torch.no_grad():
                    total += float(losses_of(changed_batch).cpu().double().sum())
                _put(attacked, rows, changed_batch)
                ratios.append(_snr(batch, change * scale))
        snr = np.concatenate(ratios)
        finite = np.isfinite(snr)
        mean_snr = float(snr[finite].mean()) if finite.any() else np.inf
        return target.predict(attacked), self._figures(total, mean_snr)

    def _losses_of(self, rows):
        codes = self.codes[rows.to(self.codes.device)]

        def losses_of(batch):
            return -self.target.log_probabilities(batch).gather(1, codes[:, None])[:, 0]

        return losses_of

    def _figures(self, total, snr):
        share = float(self.masked.mean())
        return {"loss": total / len(self.codes), "masked": share, "snr": snr}

    def _check_gradients(self):
        """Raise for an estimator without any gradient; warn if many samples have none."""
        n_masked, n_samples = self.masked.sum(), len(self.masked)
        if n_masked == n_samples:
            raise SerError(
                f"Estimator {self.name!r} has no gradient: the loss of none of the {n_samples} "
                "samples changes with the input (its probabilities are exactly 0 and 1, or it "
                "ignores its input). An attack would change nothing, and the scores would show "
                "false robustness. Standardize the features before the network, or give "
                "surrogate=."
            )
        if n_masked > 0.01 * n_samples:
            warn_user(
                f"Estimator {self.name!r} has no gradient in {n_masked} of {n_samples} samples "
                "(masked gradients): the attack does not change these samples, and the scores are "
                "too high. Give surrogate=, or standardize the features before the network.",
                EvaluationWarning,
            )

    def _check_predictions(self, y_pred, y_pred_of_gradients):
        """Raise if the gradients are not those of the decisions of the estimator."""
        same = np.mean(y_pred_of_gradients == y_pred)
        if same < 0.98:
            raise SerError(
                f"The predictions of estimator {self.name!r} for {1 - same:.0%} of the samples "
                "differ from those of the function whose gradients would be used, so that these "
                "would not attack the estimator. Give surrogate=, and please report the estimator."
            )


def _has_no_gradient(losses_of, batch, scale):
    """Return a mask of samples whose loss does not depend on their values, in single precision."""
    gradient, _ = _gradient(losses_of, batch, scale, torch.zeros_like(values_of(batch)))
    some = gradient.ne(0.0).any(dim=1).to(gradient.dtype)
    if hasattr(batch, "row_of_frame"):
        some = batch.means(some)
    return (some == 0.0).cpu().numpy()


def _copied(x):
    if isinstance(x, FrameSequences):
        return FrameSequences(x.frames.clone(), x.starts, x.lengths)
    return x.clone()


def _put(x, rows, batch):
    """Write the values of a batch into the given rows."""
    if not isinstance(x, FrameSequences):
        x[rows] = batch
        return
    parts = batch.frames.split(batch.lengths.tolist())
    for start, part in zip(x.starts[rows].tolist(), parts, strict=True):
        x.frames[start : start + len(part)] = part


def _snr(batch, noise):
    """Return the signal-to-noise ratio of each sample in dB; infinite for unchanged samples."""
    ball = Ball("l2", 1.0)
    signal_level, noise_level = (
        ball.size(part, batch).cpu().double() for part in (values_of(batch), noise)
    )
    return (20.0 * (signal_level.clamp_min(1e-30) / noise_level).log10()).numpy()


def check_ball(sizes: np.ndarray, radius: float, name: str) -> None:
    """Raise if a change is outside of its ball, which would be an error of the attack."""
    largest = float(sizes.max(initial=0.0))
    if largest > radius * (1.0 + _ROUNDING) + 1e-12:
        raise SerError(
            f"An adversarial change of size {largest} for estimator {name!r} is outside of its "
            f"ball of radius {radius}. Please report this with the parameters of the estimator."
        )


def warn_of_falling_loss(
    epsilons: Sequence[float], losses: Sequence[float], name: str, attack: str
) -> None:
    """Warn if the mean loss falls as the ball grows, which is a sign of a weak attack."""
    values = np.asarray(losses)
    fallen = np.flatnonzero(np.diff(values) < -1e-6 * np.maximum(1.0, np.abs(values[:-1])))
    if len(fallen):
        i = fallen[0]
        warn_user(
            f"Estimator {name!r}: under attack={attack!r} the mean loss falls from "
            f"{values[i]:.4g} at epsilon={epsilons[i]:g} to {values[i + 1]:.4g} at "
            f"epsilon={epsilons[i + 1]:g}, though the larger ball contains the smaller one. The "
            "attack is too weak there (too long a step for a curved loss, or masked gradients), "
            'and the scores are too high: use attack="pgd" with more steps.',
            EvaluationWarning,
        )
