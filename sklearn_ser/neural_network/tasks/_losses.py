"""What each task's outputs cost, against the targets of the rows that have them.

Every loss is called with a head's outputs, the targets, and one share per row: the row's weight
divided by the sum of all, so that the shares sum to 1, or are all 0 where no row of the batch has
the target. A loss is then 0, with a gradient of 0, and never NaN.

Where not every row with a share counts, the loss says after each call in `counted` which part of
the shares did.
"""

from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from sklearn_ser.neural_network._sequences import FrameBatch
from sklearn_ser.neural_network.tasks._weighting import FixedWeighting

# Keeps what is divided by it finite, and changes nothing that is not tiny itself.
_TINY = 1e-8
# Stands for minus infinity among similarities, where infinity would make gradients NaN.
_EXCLUDED = -1e9


class Inputs(NamedTuple):
    """What targets are made of that no row brings.

    Parameters
    ----------
    clean, seen : Tensor or FrameBatch
        The batch before noise and dropout, and as the encoder got it.
    outputs : Tensor of shape (n_rows, n_classes), optional
        Of the main head, of utterances.
    guesses : Tensor of shape (n_rows, n_classes), optional
        The main head's probabilities without noise and dropout.
    """

    clean: object
    seen: object
    outputs: torch.Tensor | None = None
    guesses: torch.Tensor | None = None


class CrossEntropy(nn.Module):
    """Cross-entropy of class codes; a row without a label has code -1.

    Parameters
    ----------
    smoothing : float
        Share of the target that is spread over all classes.
    gamma : float
        Exponent of the focal loss; 0 is plain cross-entropy.
    shift : Tensor of shape (n_classes,), optional
        Added to the outputs (logit adjustment).
    """

    def __init__(self, smoothing=0.0, gamma=0.0, shift=None):
        super().__init__()
        self.smoothing = smoothing
        self.gamma = gamma
        self.register_buffer("shift", shift, persistent=False)

    def forward(self, outputs, targets, shares, inputs=None):
        if self.shift is not None:
            outputs = outputs + self.shift
        losses = functional.cross_entropy(
            outputs,
            targets,
            reduction="none",
            ignore_index=-1,
            label_smoothing=self.smoothing,
        )
        if self.gamma:
            right = outputs.log_softmax(dim=1).gather(1, targets.clamp_min(0).unsqueeze(1))
            # Where the class is certain the base is 0, whose power has no finite gradient.
            losses = losses * (1.0 - right.squeeze(1).exp()).clamp_min(_TINY).pow(self.gamma)
        return torch.dot(losses, shares)


class SquaredError(nn.Module):
    """Squared error of one output; a row without a value has share 0 and any target."""

    def forward(self, outputs, targets, shares, inputs=None):
        return torch.dot(functional.mse_loss(outputs[:, 0], targets, reduction="none"), shares)


class Concordance(nn.Module):
    """1 minus the concordance correlation coefficient of the batch's rows."""

    def forward(self, outputs, targets, shares, inputs=None):
        found = outputs[:, 0]
        found_mean, true_mean = torch.dot(found, shares), torch.dot(targets, shares)
        found, true = found - found_mean, targets - true_mean
        spread = torch.dot(found.square() + true.square(), shares)
        distance = spread + (found_mean - true_mean).square()
        agreement = 2.0 * torch.dot(found * true, shares) / (distance + _TINY)
        return (1.0 - agreement) * shares.sum()


class ReconstructionError(nn.Module):
    """Mean squared error of the input's values.

    Parameters
    ----------
    target : {"clean", "augmented"}
    time_bins : int
    """

    def __init__(self, target, time_bins):
        super().__init__()
        self.target = target
        self.time_bins = time_bins

    def forward(self, outputs, targets, shares, inputs=None):
        x = inputs.clean if self.target == "clean" else inputs.seen
        if isinstance(x, FrameBatch):
            x = x.binned(self.time_bins).flatten(start_dim=1)
        return torch.dot((outputs - x).square().mean(dim=1), shares)


class SupervisedContrast(nn.Module):
    """Negative log-probability of a row's partners among all other rows, by similarity.

    Parameters
    ----------
    temperature : float
    """

    def __init__(self, temperature):
        super().__init__()
        self.temperature = temperature

    def forward(self, outputs, targets, shares, inputs=None):
        known = shares > 0
        pairs = known.unsqueeze(0) & known.unsqueeze(1)
        pairs = pairs & ~torch.eye(len(known), dtype=torch.bool, device=known.device)
        labels = targets[:, 0]
        alike = labels.unsqueeze(0) == labels.unsqueeze(1)
        partners = pairs & alike
        if targets.shape[1] > 1:
            partners = partners & (targets[:, 1].unsqueeze(0) != targets[:, 1].unsqueeze(1))
        # A row of the same label that is no partner (same corpus) is neither drawn nor pushed.
        compared = partners | (pairs & ~alike)
        points = functional.normalize(outputs, dim=1)
        similar = (points @ points.T / self.temperature).masked_fill(~compared, _EXCLUDED)
        log_probability = similar - similar.logsumexp(dim=1, keepdim=True)
        n_partners = partners.sum(dim=1)
        of_row = -(log_probability * partners).sum(dim=1) / n_partners.clamp_min(1)
        shares = shares * (n_partners > 0)
        # It is the mean over these alone.
        self.counted = (shares.sum() > 0).to(shares)
        return torch.dot(of_row, shares) / shares.sum().clamp_min(_TINY)


class ConsistencyError(nn.Module):
    """Cross-entropy of the main head's outputs against its own guesses without noise.

    Parameters
    ----------
    spec : ConsistencyTask
    """

    #: Of the running mean of the guesses, per step.
    momentum = 0.9

    def __init__(self, spec):
        super().__init__()
        self.spec = spec
        self.mean = None

    def forward(self, outputs, targets, shares, inputs=None):
        if inputs is None or inputs.guesses is None:
            self.counted = shares.new_zeros(())
            return outputs.sum() * 0.0  # of no outputs at all: 0, with the gradient of 0
        guesses = self._sharpened(inputs.guesses, shares)
        sure = guesses.max(dim=1).values >= self.spec.threshold
        losses = functional.cross_entropy(inputs.outputs, guesses, reduction="none")
        self.counted = torch.dot(sure.to(shares), shares)
        return torch.dot(losses * sure, shares)

    @torch.no_grad()
    def _sharpened(self, guesses, shares):
        if self.spec.balance and shares.sum() > 0:
            mean = shares @ guesses / shares.sum()
            if self.mean is None:
                self.mean = mean
            self.mean = self.momentum * self.mean + (1.0 - self.momentum) * mean
        if self.mean is not None:
            guesses = guesses / self.mean.clamp_min(_TINY)
        guesses = guesses / guesses.sum(dim=1, keepdim=True)
        guesses = guesses.pow(self.spec.sharpening)
        return guesses / guesses.sum(dim=1, keepdim=True)


def loss_of(task, prior=None):
    """The loss of a fitted task.

    Parameters
    ----------
    task : fitted task
    prior : Tensor of shape (n_classes,), optional
        Share of each class among the training rows; None where no row has a label.
    """
    spec = task.spec
    if task.kind == "regression":
        return Concordance() if spec.loss == "ccc" else SquaredError()
    if task.kind == "reconstruction":
        return ReconstructionError(spec.target, spec.time_bins)
    if task.kind == "consistency":
        return ConsistencyError(spec)
    if task.kind == "contrastive":
        return SupervisedContrast(spec.temperature)
    if task.kind == "adversarial":
        return CrossEntropy()
    shift = None
    if spec.logit_adjustment and prior is not None:
        # A class without rows is not adjusted: it would be spared, and then predicted.
        shift = spec.logit_adjustment * torch.where(prior > 0, prior, 1.0).log()
    return CrossEntropy(spec.label_smoothing, spec.focal_gamma, shift)


class MultiTaskLoss(nn.Module):
    """The losses of all tasks in a batch.

    A task's loss is the mean over the batch's rows, weighted by the rows' weights for that task;
    a row without its target has weight 0.

    Parameters
    ----------
    tasks : sequence of fitted tasks
    priors : sequence of Tensor or None, optional
        Of each task, the share of each class among the training rows.
    weighting : FixedWeighting, optional
        How the losses become one step.

    Attributes
    ----------
    counted : Tensor of shape (n_tasks,)
        Of the last batch, what share of the rows with the task's target counted in its loss; 0
        where there is none.
    """

    def __init__(self, tasks, priors=None, weighting=None):
        super().__init__()
        priors = [None] * len(tasks) if priors is None else priors
        self.losses = nn.ModuleList(map(loss_of, tasks, priors))
        self.by_frame = [task.predicts for task in tasks]
        self.weighting = FixedWeighting(tasks) if weighting is None else weighting

    def per_task(self, outputs, targets, weights, inputs=None, frame_batch=None):
        """List of one scalar tensor per task.

        Parameters
        ----------
        outputs, targets : sequence of Tensor
            One of each per task, with one row per row of the batch.
        weights : Tensor of shape (n_rows, n_tasks)
        inputs : Inputs, optional
            Of tasks whose targets are made of the batch.
        frame_batch : FrameBatch, optional
            Where the outputs are of frames: every frame gets its sequence's target, and each
            sequence counts as one row, however long it is.
        """
        # Each task's weights are summed alone and side by side in memory: a sum over a column of a
        # table is taken in an order, and so to last digits, that depend on the number of columns.
        columns = weights.T.contiguous().unbind()
        losses = [
            self._of_task(place, output, target, column, inputs, frame_batch)
            for place, (output, target, column) in enumerate(
                zip(outputs, targets, columns, strict=True)
            )
        ]
        self.counted = torch.stack(
            [
                getattr(loss, "counted", (column.sum() > 0).to(column))
                for loss, column in zip(self.losses, columns, strict=True)
            ]
        )
        return losses

    def _of_task(self, place, output, target, weights, inputs, frame_batch):
        share = weights / weights.sum().clamp_min(torch.finfo(weights.dtype).tiny)
        if frame_batch is not None and self.by_frame[place]:
            rows = frame_batch.row_of_frame
            share = (share / frame_batch.lengths.to(share))[rows]
            target = target[rows]
        return self.losses[place](output, target, share, inputs)

    def main(self, output, target, weights, mix=None, frame_batch=None):
        """The main task's loss alone, as `per_task` gives it, or `mixed` with a mix.

        Parameters
        ----------
        output : Tensor of shape (n_rows, n_classes)
        target, weights : Tensor of shape (n_rows,)
        mix : Mix, optional
        frame_batch : FrameBatch, optional
        """
        own = self._of_task(0, output, target, weights, None, frame_batch)
        if mix is None:
            return own
        partner = mix.partner.to(weights.device)
        other = self._of_task(0, output, target[partner], weights[partner], None, frame_batch)
        return mix.share * own + (1.0 - mix.share) * other

    def mixed(self, outputs, targets, weights, mix, inputs=None, frame_batch=None):
        """As `per_task`, for rows that were mixed in pairs: both rows' targets, each by its share.

        For cross-entropy this is the loss of the mixed (soft) targets.
        """
        partner = mix.partner.to(weights.device)
        own = self.per_task(outputs, targets, weights, inputs, frame_batch)
        own_counted = self.counted
        other = self.per_task(
            outputs, [target[partner] for target in targets], weights[partner], inputs, frame_batch
        )
        self.counted = self.counted.lerp(own_counted, mix.share)
        return [
            mix.share * first + (1.0 - mix.share) * second
            for first, second in zip(own, other, strict=True)
        ]
