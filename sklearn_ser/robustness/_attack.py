"""Adversarial attacks: the search for the change of each sample that raises its loss most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sklearn_ser.exceptions import EvaluationWarning, SerError
from sklearn_ser.neural_network._sequences import FrameSequences
from sklearn_ser.neural_network.training._adversarial_training import Ball, changed, values_of
from sklearn_ser.utils._warnings import warn_user

if TYPE_CHECKING:
    from sklearn_ser.robustness._attacked_features import AttackedFeatures
    from sklearn_ser.robustness._attacked_waveform import AttackedWaveform

#: Relative rounding error of single precision, in which changes are measured.
_ROUNDING = 1e-4


class Search:
    """The search of one attack, with parameters of `adversarial_robustness`, batch by batch."""

    def __init__(self, attack: str, *, n_steps: int, step_size: float | None, n_restarts: int):
        self.attack = attack
        self.n_steps = n_steps
        self.step_size = 2.5 / n_steps if step_size is None else step_size
        self.n_restarts = n_restarts

    def __call__(
        self,
        losses_of: Callable[[Any], torch.Tensor],
        batch: Any,
        scale: torch.Tensor,
        ball: Ball,
        limit: Callable[[torch.Tensor], torch.Tensor],
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Return the change of each sample, in units of `scale`.

        `losses_of` is a function from a batch to one loss per sample; `limit` one that limits a
        change so that the values are valid.
        """
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


class Attack:
    """One attack on all samples of one target.

    `codes` are the true labels of the samples that have not failed, `name` is that of the estimator
    in errors, and `own_gradients` whether the gradients are those of the estimator itself.
    """

    def __init__(
        self,
        target: AttackedFeatures | AttackedWaveform,
        codes: torch.Tensor,
        search: Search,
        name: str,
        *,
        own_gradients: bool,
    ):
        self.target = target
        self.search = search
        self.name = name
        self.own_gradients = own_gradients
        self.codes = codes.to(target.device)
        self.masked = np.zeros(len(codes), dtype=bool)

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
                "samples changes with the input (outputs so extreme that probabilities are exactly "
                "0 and 1, or a network that ignores its input). An attack by gradients would find "
                "nothing, and wrongly show robustness. Standardize the features before the "
                "network, or give surrogate=."
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
    """Warn if the mean loss falls as the ball grows, which is a sign of a weak attack.

    The first loss is that without any change.
    """
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
