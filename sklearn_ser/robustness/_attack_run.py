"""An attack run over all rows of one target: predictions, losses, and what is checked."""

import numpy as np
import torch

from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network._sequences import FrameSequences
from sklearn_ser.neural_network.training._attack import Ball, changed, values_of
from sklearn_ser.robustness._attack_search import check_ball, check_gradients, rows_without_gradient


class Attack:
    """The runs of one attack on one target.

    Parameters
    ----------
    target : AttackedFeatures or AttackedWaveform
    codes : Tensor of int64
        Of the true labels, of the rows that have not failed.
    search : Search
    name : str
    own : bool
        Whether the gradients are the estimator's own.
    """

    def __init__(self, target, codes, search, name, *, own):
        self.target = target
        self.search = search
        self.name = name
        self.own = own
        self.codes = codes.to(target.device)
        self.masked = np.zeros(len(codes), dtype=bool)

    def without(self):
        """Predictions and facts of the inputs as they are; checks the gradients."""
        target, said, total = self.target, np.empty(len(self.codes), dtype=np.int64), 0.0
        with target.source.running():
            for rows, batch, scale in target.batches():
                with torch.no_grad():
                    answers = target.log_probabilities(batch)
                places = rows.numpy()  # numpy takes a tensor of one number for that number
                said[places] = answers.argmax(dim=1).cpu().numpy()
                losses_of = self._losses_of(rows)
                total += float(losses_of(batch).detach().cpu().double().sum())
                self.masked[places] = rows_without_gradient(losses_of, batch, scale)
        check_gradients(self.masked, self.name)
        predicted = target.predict(target.x)
        if self.own:
            self._compare(predicted, said)
        return predicted, self._facts(total, np.inf)

    def within(self, epsilon, generator):
        """Predictions and facts of the inputs changed within a ball."""
        target, ball, total = self.target, self.target.ball(epsilon), 0.0
        attacked, ratios = _copied(target.x), []
        with target.source.running():
            for rows, batch, scale in target.batches():
                losses_of = self._losses_of(rows)
                limit = target.limit(batch, scale)
                change = self.search(losses_of, batch, scale, ball, limit, generator)
                check_ball(ball.size(change, batch).cpu().numpy(), ball.radius, self.name)
                there = changed(batch, change, scale)
                with torch.no_grad():
                    total += float(losses_of(there).cpu().double().sum())
                _put(attacked, rows, there)
                ratios.append(_snr(batch, change * scale))
        return target.predict(attacked), self._facts(
            total, _mean_of_changed(np.concatenate(ratios))
        )

    def _losses_of(self, rows):
        codes = self.codes[rows.to(self.codes.device)]

        def losses_of(batch):
            answers = self.target.log_probabilities(batch)
            return -answers.gather(1, codes[:, None])[:, 0]

        return losses_of

    def _facts(self, total, snr):
        share = float(self.masked.mean())
        return {"loss": total / len(self.codes), "masked": share, "snr": snr}

    def _compare(self, predicted, said):
        """Is it the estimator's own decision that has these gradients?"""
        same = np.mean(np.asarray(self.target.source.classes, dtype=object)[said] == predicted)
        if same < 0.98:
            raise SerError(
                f"estimator {self.name!r} predicts {1 - same:.0%} of the rows otherwise than the "
                "function whose gradients would be taken, so an attack by them would not be one "
                "on it. Give surrogate=, and please report the estimator."
            )


def _copied(x):
    if isinstance(x, FrameSequences):
        return FrameSequences(x.frames.clone(), x.starts, x.lengths)
    return x.clone()


def _put(x, rows, batch):
    """Write the values of a batch into the places of its rows."""
    if not isinstance(x, FrameSequences):
        x[rows] = batch
        return
    parts = batch.frames.split(batch.lengths.tolist())
    for start, part in zip(x.starts[rows].tolist(), parts, strict=True):
        x.frames[start : start + len(part)] = part


def _mean_of_changed(ratios):
    """Mean over the rows that were changed; infinite where none was."""
    changed = np.isfinite(ratios)
    return float(ratios[changed].mean()) if changed.any() else float("inf")


def _snr(batch, noise):
    """Signal-to-noise ratio of each row in dB; infinite of rows that stay as they are."""
    ball = Ball("l2", 1.0)
    parts = [ball.size(part, batch).cpu().double() for part in (values_of(batch), noise)]
    signal, disturbance = parts
    return (20.0 * (signal.clamp_min(1e-30) / disturbance).log10()).numpy()
