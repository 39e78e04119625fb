"""What every multi-task estimator does with its trained network: keep it, run it, look at it."""

import numpy as np
import pandas as pd
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.neural_network._batches import evaluation_batches
from sklearn_ser.neural_network._encoders import ENCODERS
from sklearn_ser.neural_network._inputs import check_inputs
from sklearn_ser.neural_network._module import (
    NetCache,
    build_module,
    module_from_bytes,
    resolve_device,
)
from sklearn_ser.neural_network._state import check_state
from sklearn_ser.neural_network._tasks import task_from_state
from sklearn_ser.neural_network._training import make_net
from sklearn_ser.utils._failed import with_missing
from sklearn_ser.utils._frames import FRAMES
from sklearn_ser.utils._threads import torch_threads


class MultiTaskNetwork(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of the estimators that hold a trained multi-task network.

    A subclass has the parameters ``device`` and ``n_threads``, and its ``fit`` ends in
    `_store_network`; the first task is the main one.
    """

    def predict_aux(self, X):
        """Predictions of the auxiliary tasks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        DataFrame of shape (n_samples, n_tasks)
            One column per task, with labels or values, and X's index if it has one. Missing in
            rows of failed audio.
        """
        outputs, failed = self._outputs(X)
        columns = {
            task.name: with_missing(task.decode(output), failed)
            for task, output in zip(self._fitted_tasks()[1:], outputs[1:], strict=True)
        }
        return pd.DataFrame(columns, index=_index_of(X, len(failed)))

    def predict_aux_proba(self, X):
        """Class probabilities of the auxiliary classification tasks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        dict of str to DataFrame of shape (n_samples, n_classes)
            For each task, one column per class, and X's index if it has one; NaN in rows of
            failed audio.
        """
        outputs, failed = self._outputs(X)
        return {
            task.name: pd.DataFrame(
                with_missing(task.probabilities(output), failed),
                columns=task.classes,
                index=_index_of(X, len(failed)),
            )
            for task, output in zip(self._fitted_tasks(), outputs, strict=True)
            if task.kind == "classification" and task.name in self.aux_classes_
        }

    def transform(self, X):
        """The representation that all tasks share: the encoder's output.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            Of the dtype that the parameter `dtype` names; NaN in rows of failed audio.
        """
        shared, failed = self._run(X, lambda module, x: (module.encoder(x),))
        return with_missing(shared[0], failed)

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
        on_frames = ENCODERS[self._architecture["encoder"]].on_frames
        if on_frames and input_features is not None and list(input_features) == [FRAMES]:
            input_features = None  # feature_names_in_ are those of a frame
        return super().get_feature_names_out(input_features)

    @property
    def history_(self):
        """Losses by epoch; see the class."""
        check_is_fitted(self)
        return pd.DataFrame(self._history).set_index("epoch")

    @property
    def layer_weights_(self):
        """Weight of each layer of a pretrained model; see the class."""
        check_is_fitted(self)
        if self._architecture["encoder"] != "layers":
            raise AttributeError('layer_weights_ is there only with encoder="layers"')
        return self.net_.module_.encoder.layer_weights.detach().cpu().numpy()

    @property
    def net_(self):
        """The skorch net, built from the stored weights when first needed; see the class."""
        check_is_fitted(self)
        return self._net_cache.get(self._build_net)

    def _store_network(self, architecture, weights, tasks, history):
        """Keep a trained network, as plain values only."""
        self._architecture = architecture
        self._weights = weights
        self._tasks = [task.state() for task in tasks]
        self._history = history
        self._net_cache = NetCache()

    def _outputs(self, X):
        """Outputs of all heads for the rows with usable features, and which rows failed."""
        return self._run(X, lambda module, x: module(x))

    def _run(self, X, function):
        check_is_fitted(self)
        architecture = self._architecture
        x, failed = check_inputs(
            self, X, architecture["dtype"], architecture["encoder"], reset=False
        )
        module = self.net_.module_
        device = next(module.parameters()).device
        order, parts = [], []
        with torch_threads(self.n_threads), torch.inference_mode():
            for rows, batch in evaluation_batches(x[~failed]):
                order.append(rows)
                parts.append([part.cpu().numpy() for part in function(module, batch.to(device))])
        place = np.argsort(np.concatenate(order))
        return [np.concatenate(output)[place] for output in zip(*parts, strict=True)], failed

    def _fitted_tasks(self):
        return [task_from_state(state) for state in self._tasks]

    def _build_net(self):
        device = resolve_device(self.device)
        module = module_from_bytes(self._architecture, self._weights, device)
        return make_net(module, self._fitted_tasks(), device=device).initialize()

    @property
    def _n_features_out(self):
        return build_module(self._architecture, device="meta").encoder.n_outputs

    def __getstate__(self):
        # The net is torch, which neither skops nor another device can take: it is built anew.
        state = dict(super().__getstate__())
        state.pop("_net_cache", None)
        return state

    def __setstate__(self, state):
        check_state(state)  # it may come from a file
        super().__setstate__(state)
        if "_weights" in state:
            self._net_cache = NetCache()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # The representation has the dtype that `dtype` names, whatever that of X.
        tags.transformer_tags.preserves_dtype = []
        return tags


def _index_of(X, n_rows):
    return X.index if isinstance(X, pd.DataFrame | pd.Series) else pd.RangeIndex(n_rows)
