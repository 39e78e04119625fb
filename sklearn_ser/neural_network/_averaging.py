"""Averages of the weights that training passes through."""

import contextlib

import torch

#: Share of the training after which SWA begins to average.
SWA_START = 0.5
#: Of the exponential average, per step; less in the first steps, which are far from the end.
EMA_DECAY = 0.99


class WeightAverage:
    """Keeps an average of a module's weights, and lends it to the module.

    Parameters
    ----------
    kind : {"ema", "swa"}
        Exponential moving average over steps, or the mean of the weights after each epoch of the
        second half of the training [1]_.
    module : torch.nn.Module
    n_epochs : int
        Of the training, at most.

    References
    ----------
    .. [1] Izmailov, P. et al. (2018). Averaging Weights Leads to Wider Optima and Better
       Generalization. UAI 2018.
    """

    def __init__(self, kind, module, n_epochs):
        self.kind = kind
        self.first = SWA_START * n_epochs  # averages epochs after this one
        self.epoch = 0
        self.live = list(module.parameters())
        self.average = [parameter.detach().clone() for parameter in self.live]
        self.count = 0

    def after_step(self):
        if self.kind == "ema":
            self.count += 1
            self._move(1.0 - min(EMA_DECAY, self.count / (self.count + 10.0)))

    def after_epoch(self):
        """Take the weights of an epoch in."""
        self.epoch += 1
        if self.kind == "swa":
            # Before it begins, the average is the latest weights.
            self.count = self.count + 1 if self.epoch > self.first else 0
            self._move(1.0 / max(self.count, 1))

    @torch.no_grad()
    def _move(self, share):
        torch._foreach_lerp_(self.average, [parameter.data for parameter in self.live], share)

    @contextlib.contextmanager
    def applied(self):
        """The module has the averaged weights within."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self):
        for parameter, kept in zip(self.live, self.average, strict=True):
            value = parameter.detach().clone()
            parameter.copy_(kept)
            kept.copy_(value)
