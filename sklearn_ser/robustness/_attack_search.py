"""The search for the change of each row that misleads a classifier most, and its checks."""

import numpy as np
import torch

from sklearn_ser.exceptions import EvaluationWarning, SerError
from sklearn_ser.neural_network.training._attack import changed, values_of
from sklearn_ser.utils._warnings import warn_user

#: Of single precision, in which a change is measured.
_ROUNDING = 1e-4


class Search:
    """An attack on batches.

    Parameters
    ----------
    attack : {"fgsm", "pgd"}
    n_steps : int
        Of "pgd".
    step_size : float or None
        Of "pgd", in parts of the radius. None: 2.5 / n_steps.
    n_restarts : int
        Of "pgd": the first begins at the row itself, others at a random place in the ball.
    """

    def __init__(self, attack, *, n_steps, step_size, n_restarts):
        self.attack = attack
        self.n_steps = n_steps
        self.step_size = 2.5 / n_steps if step_size is None else step_size
        self.n_restarts = n_restarts

    def __call__(self, losses_of, batch, scale, ball, limit, generator):
        """Change of each row, in units of `scale`.

        Parameters
        ----------
        losses_of : callable
            From a batch to one loss per row.
        batch : Tensor or FrameBatch
        scale : Tensor
            Broadcasts to the values of the batch.
        ball : Ball
        limit : callable
            From a change to one after which the values are possible ones.
        generator : torch.Generator
        """
        begin = torch.zeros_like(values_of(batch))
        if self.attack == "fgsm":
            gradient, _ = _climb(losses_of, batch, scale, begin)
            return limit(ball.radius * ball.steepest(gradient, batch))
        best, best_loss = begin, torch.full((len(batch),), -np.inf, device=begin.device)
        for turn in range(self.n_restarts):
            change = begin if turn == 0 else limit(ball.drawn(begin, batch, generator))
            for _ in range(self.n_steps):
                gradient, losses = _climb(losses_of, batch, scale, change)
                best, best_loss = _better(best, best_loss, change, losses, batch)
                step = self.step_size * ball.radius * ball.steepest(gradient, batch)
                change = limit(ball.projected(change + step, batch))
            with torch.no_grad():
                losses = losses_of(changed(batch, change, scale))
            best, best_loss = _better(best, best_loss, change, losses, batch)
        return best


def _climb(losses_of, batch, scale, change):
    """Gradient of the sum of the losses for a change, and the losses there."""
    with torch.enable_grad():
        change = change.detach().requires_grad_()
        losses = losses_of(changed(batch, change, scale))
        (gradient,) = torch.autograd.grad(losses.sum(), change)
    return gradient, losses.detach()


def _better(best, best_loss, change, losses, batch):
    """Of each row, the one of two changes with the greater loss."""
    higher = losses > best_loss
    of_value = higher[batch.row_of_frame] if hasattr(batch, "row_of_frame") else higher
    return torch.where(of_value[:, None], change, best), torch.where(higher, losses, best_loss)


def rows_without_gradient(losses_of, batch, scale):
    """Which rows' loss does not change with their values, to single precision (a mask)."""
    gradient, _ = _climb(losses_of, batch, scale, torch.zeros_like(values_of(batch)))
    some = gradient.ne(0.0).any(dim=1).to(gradient.dtype)
    if hasattr(batch, "row_of_frame"):
        some = batch.means(some)
    return (some == 0.0).cpu().numpy()


def check_gradients(masked, name):
    """Refuse a classifier without any gradient, and warn of one with many rows without.

    Parameters
    ----------
    masked : ndarray of bool of shape (n_rows,)
    name : str
    """
    if masked.all():
        raise SerError(
            f"estimator {name!r} has no gradient: the loss of none of the {len(masked)} rows "
            "changes with the input (outputs so extreme that probabilities are exactly 0 and 1, "
            "or a network that does not look at its input). An attack by gradients would find "
            "nothing and show robustness that is not there: standardize the features before the "
            "network, or give surrogate=."
        )
    if masked.mean() > 0.01:
        warn_user(
            f"estimator {name!r} has no gradient in {masked.sum()} of {len(masked)} rows (masked "
            "gradients): the attack leaves these rows as they are, and the figures are too good. "
            "Give surrogate=, or standardize the features before the network.",
            EvaluationWarning,
        )


def check_ball(sizes, radius, name):
    """Refuse a perturbation that has left its ball: an error of the attack itself."""
    largest = float(sizes.max(initial=0.0))
    if largest > radius * (1.0 + _ROUNDING) + 1e-12:
        raise SerError(
            f"an adversarial change of size {largest} for estimator {name!r} is outside of its "
            f"ball of radius {radius}: please report this with the estimator's parameters"
        )


def warn_of_falling_loss(epsilons, losses, name, attack):
    """Warn where the mean loss falls as the ball grows: a sign of a weak attack.

    Parameters
    ----------
    epsilons, losses : sequence of float
        From the smallest ball to the largest, the first without any change.
    name, attack : str
    """
    losses = np.asarray(losses)
    fallen = np.flatnonzero(np.diff(losses) < -1e-6 * np.maximum(1.0, np.abs(losses[:-1])))
    if len(fallen):
        place = fallen[0]
        warn_user(
            f"estimator {name!r}: under attack={attack!r} the mean loss falls from "
            f"{losses[place]:.4g} at epsilon={epsilons[place]:g} to {losses[place + 1]:.4g} at "
            f"epsilon={epsilons[place + 1]:g}, though the larger ball holds the smaller one. The "
            "attack is too weak there (a step too long for a curved loss, or masked gradients), "
            'and the figures are too good: take attack="pgd" with more steps.',
            EvaluationWarning,
        )
