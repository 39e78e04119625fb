"""What every multi-task estimator does with its trained networks: keep them, run them."""

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.neural_network._batches import evaluation_batches
from sklearn_ser.neural_network._encoders import takes_frames
from sklearn_ser.neural_network._ensemble import average_outputs
from sklearn_ser.neural_network._fitted_tasks import task_from_state
from sklearn_ser.neural_network._frame_level import utterance_outputs
from sklearn_ser.neural_network._inputs import check_inputs
from sklearn_ser.neural_network._module import (
    NetCache,
    module_from_bytes,
    module_of_shapes,
    resolve_device,
)
from sklearn_ser.neural_network._state import check_state
from sklearn_ser.neural_network._training import make_net
from sklearn_ser.utils._failed import with_missing
from sklearn_ser.utils._frames import FRAMES
from sklearn_ser.utils._model_files import passing_state
from sklearn_ser.utils._threads import torch_threads


class MultiTaskNetwork(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of the estimators that hold trained multi-task networks, all of one architecture.

    A subclass has the parameters ``device`` and ``n_threads``, and its ``fit`` ends in
    `_store_networks`; the first task is the main one.
    """

    def transform(self, X):
        """The representation that all tasks share: the encoder's output.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            Of the dtype that the parameter `dtype` names; those of several networks side by side;
            of a network that works frame by frame, the mean over the frames. NaN in rows of failed
            audio.
        """
        shared, failed = self._run(X, lambda module, x: (module.represent(x),))
        return with_missing(np.hstack([parts[0] for parts in shared]), failed)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns that `transform` gives: ``mtlneuralclassifier0``, ...

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            If given, the features of `fit`. For frame sequences also ``["frames"]``, the column
            that holds them.

        Returns
        -------
        ndarray of str of shape (n_outputs,)
        """
        check_is_fitted(self)
        on_frames = takes_frames(self._architecture["encoder"])
        if on_frames and input_features is not None and list(input_features) == [FRAMES]:
            input_features = None  # feature_names_in_ are those of a frame
        return super().get_feature_names_out(input_features)

    @property
    def history_(self):
        """Losses and scores by epoch; see the class."""
        check_is_fitted(self)
        tables = [pd.DataFrame(history).set_index("epoch") for history in self._history]
        if len(tables) == 1:
            return tables[0]
        return pd.concat(tables, keys=range(len(tables)), names=["member"])

    @property
    def members_(self):
        """One row per network; see the class."""
        check_is_fitted(self)
        return pd.DataFrame(
            {
                "n_iter": [len(history["epoch"]) for history in self._history],
                "best_epoch": self._best_epochs,
                "temperature": self._temperatures,
                "n_valid": [split["n_valid"] for split in self._splits],
                "held_out": [", ".join(split["groups"]) for split in self._splits],
            }
        ).rename_axis("member")

    @property
    def pseudo_labels_(self):
        """One row per round of self-training; see the class."""
        check_is_fitted(self)
        rounds = getattr(self, "_rounds", [None])
        if None in rounds:
            raise AttributeError("pseudo_labels_ is there only after fit with pseudo_labels set")
        names = [f"n_{label}" for label in self.classes_]
        tables = []
        for lines in rounds:
            table = pd.DataFrame(lines)
            counts = pd.DataFrame(table.pop("counts").tolist(), columns=names)
            tables.append(
                pd.concat([table[["selected"]], counts, table.iloc[:, 1:]], axis=1).rename_axis(
                    "round"
                )
            )
        if len(tables) == 1:
            return tables[0]
        return pd.concat(tables, keys=range(len(tables)), names=["member"])

    @property
    def layer_weights_(self):
        """Weight of each layer of a pretrained model; see the class."""
        check_is_fitted(self)
        if self._architecture["encoder"] != "layers":
            raise AttributeError('layer_weights_ is there only with encoder="layers"')
        weights = [net.module_.encoder.layer_weights.detach().cpu().numpy() for net in self._nets()]
        return np.mean(weights, axis=0)

    @property
    def net_(self):
        """The skorch net, built from the stored weights when first needed; see the class."""
        return self._nets()[0]

    def _nets(self):
        check_is_fitted(self)
        return self._net_cache.get(self.device, self._build_nets)  # (set_params moves them)

    def _store_networks(self, architecture, members, tasks):
        """Keep trained networks, as plain values only."""
        self._architecture = architecture
        self._weights = [member.weights for member in members]
        self._temperatures = [member.temperature for member in members]
        self._states = [member.state for member in members if member.state is not None]
        self._tasks = [task.state() for task in tasks]
        self._history = [member.history for member in members]
        self._best_epochs = [member.best_epoch for member in members]
        self._splits = [member.split for member in members]
        if not self._states:  # an epoch of partial_fit leaves them as they were
            self._rounds = [member.rounds for member in members]
        self.validation_split_ = members[0].split
        self.best_epoch_ = members[0].best_epoch
        self.n_iter_ = max(len(member.history["epoch"]) for member in members)
        self._net_cache = NetCache()

    def _outputs(self, X):
        """Outputs of all heads for the rows with usable features, and which rows failed."""
        check_is_fitted(self)
        tasks = self._fitted_tasks()

        def answer(module, x):
            outputs = module(x)
            return utterance_outputs(tasks, outputs, x) if module.frame_level else outputs

        members, failed = self._run(X, answer)
        for outputs, temperature in zip(members, self._temperatures, strict=True):
            outputs[0] = outputs[0] / temperature
        return average_outputs(tasks, members), failed

    def _run(self, X, function):
        """What `function(module, batch)` gives for all rows, of each network; the failed rows."""
        check_is_fitted(self)
        architecture = self._architecture
        x, failed = check_inputs(
            self, X, architecture["dtype"], architecture["encoder"], reset=False
        )
        modules = [net.module_ for net in self._nets()]
        device = next(modules[0].parameters()).device
        order, parts = [], [[] for _ in modules]
        with torch_threads(self.n_threads), torch.inference_mode():
            for rows, batch in evaluation_batches(x[~failed]):
                order.append(rows)
                there = batch.to(device)
                for module, found in zip(modules, parts, strict=True):
                    found.append([part.cpu().numpy() for part in function(module, there)])
        place = np.argsort(np.concatenate(order))
        return [
            [np.concatenate(output)[place] for output in zip(*found, strict=True)]
            for found in parts
        ], failed

    def _fitted_tasks(self):
        return [task_from_state(state) for state in self._tasks]

    def _build_nets(self):
        device = resolve_device(self.device)
        tasks = self._fitted_tasks()
        return [
            make_net(
                module_from_bytes(self._architecture, weights, device), tasks, device=device
            ).initialize()
            for weights in self._weights
        ]

    @property
    def _n_features_out(self):
        width = module_of_shapes(self._architecture).encoder.n_outputs
        return width * len(self._weights)

    def __getstate__(self):
        # The nets are torch, which neither skops nor another device can take: they are built anew.
        state = dict(super().__getstate__())
        state.pop("_net_cache", None)
        return passing_state(state)

    def __setstate__(self, state):
        check_state(state)  # it may come from a file
        super().__setstate__(passing_state(state))
        if "_weights" in state:
            self._net_cache = NetCache()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # The representation has the dtype that `dtype` names, whatever that of X.
        tags.transformer_tags.preserves_dtype = []
        return tags


def index_of(X, n_rows):
    """Index of a table of answers: that of X, if it has one."""
    return X.index if isinstance(X, pd.DataFrame | pd.Series) else pd.RangeIndex(n_rows)
