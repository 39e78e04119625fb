"""MTLNeuralClassifier: a multi-task network behind scikit-learn's interface."""

import warnings
from numbers import Integral, Real

import numpy as np
import pandas as pd
import torch
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.neural_network._aux import MAIN_TASK, make_tasks
from sklearn_ser.neural_network._batches import pack_rows
from sklearn_ser.neural_network._encoders import ACTIVATIONS, ENCODERS
from sklearn_ser.neural_network._inputs import check_features, check_training_data, with_missing
from sklearn_ser.neural_network._module import (
    DTYPES,
    NetCache,
    build_module,
    module_from_bytes,
    resolve_device,
    weights_to_bytes,
)
from sklearn_ser.neural_network._random import numpy_stream, torch_stream
from sklearn_ser.neural_network._tasks import ClassificationTask, task_from_state
from sklearn_ser.neural_network._training import EVALUATION_BATCH, make_net, train
from sklearn_ser.neural_network._validation_split import no_validation, split_validation
from sklearn_ser.utils._threads import torch_threads


class MTLNeuralClassifier(
    ClassNamePrefixFeaturesOutMixin, ClassifierMixin, TransformerMixin, BaseEstimator
):
    __metadata_request__fit = {"aux": True, "groups": "speaker", "sample_weight": True}

    _parameter_constraints = {
        "encoder": [StrOptions(set(ENCODERS))],
        "hidden_units": ["array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "tasks": [StrOptions({"auto"}), dict, None],
        "task_weights": [dict, None],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "unlabelled": [Options(Integral, {-1}), StrOptions({"nan"}), None],
        "device": [str],
        "dtype": [StrOptions(set(DTYPES))],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        encoder="mlp",
        hidden_units=(128,),
        activation="relu",
        dropout=0.5,
        tasks="auto",
        task_weights=None,
        class_weight=None,
        max_epochs=100,
        batch_size=64,
        learning_rate=1e-3,
        weight_decay=1e-2,
        early_stopping=True,
        validation_fraction=0.2,
        patience=10,
        unlabelled=None,
        device="auto",
        dtype="float32",
        n_threads=1,
        random_state=None,
        verbose=0,
    ):
        self.encoder = encoder
        self.hidden_units = hidden_units
        self.activation = activation
        self.dropout = dropout
        self.tasks = tasks
        self.task_weights = task_weights
        self.class_weight = class_weight
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.patience = patience
        self.unlabelled = unlabelled
        self.device = device
        self.dtype = dtype
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, aux=None, groups=None, sample_weight=None):
        device = resolve_device(self.device)
        data = check_training_data(
            self,
            X,
            y,
            aux,
            groups,
            sample_weight,
            dtype=self.dtype,
            unlabelled=self.unlabelled,
        )
        main = ClassificationTask(MAIN_TASK, 1.0, np.unique(data.y[data.labelled]))
        aux_tasks, dropped = make_tasks(data.aux, self.tasks, self.task_weights)
        tasks = [main, *aux_tasks]
        rows = pack_rows(data, tasks, self.class_weight)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        train_part, valid_part, split = self._split(rows, data.groups, seed)
        architecture = self._describe_network(tasks)
        with torch_threads(self.n_threads):
            module = build_module(architecture, device=device, seed=seed)
            record = train(
                module,
                tasks,
                rows.take(train_part).to(device),
                rows.take(valid_part).to(device) if len(valid_part) else None,
                max_epochs=self.max_epochs,
                batch_size=self.batch_size,
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                patience=self.patience,
                generator=torch_stream(seed, "order of rows"),
                device=device,
                verbose=self.verbose,
            )
            if not record.epochs:  # interrupted before there was anything to keep
                raise KeyboardInterrupt
            weights = weights_to_bytes(module)

        self.classes_ = main.classes
        self.aux_classes_ = {
            task.name: task.classes for task in aux_tasks if task.kind == "classification"
        }
        self.dropped_tasks_ = dropped
        self.validation_split_ = split
        self.n_iter_ = len(record.epochs)
        self.best_epoch_ = record.best_epoch
        self._tasks = [task.state() for task in tasks]
        self._history = record.columns()
        self._architecture = architecture
        self._weights = weights
        self._net_cache = NetCache()
        if record.interrupted:
            warnings.warn(
                f"training was interrupted after {self.n_iter_} of at most {self.max_epochs} "
                f"epochs: the network is fitted with the weights of epoch {self.best_epoch_}",
                TrainingWarning,
                stacklevel=2,
            )
            raise KeyboardInterrupt
        return self

    def predict(self, X):
        outputs, failed = self._outputs(X)
        return with_missing(self._fitted_tasks()[0].decode(outputs[0]), failed)

    def predict_proba(self, X):
        outputs, failed = self._outputs(X)
        return with_missing(self._fitted_tasks()[0].probabilities(outputs[0]), failed)

    def predict_aux(self, X):
        outputs, failed = self._outputs(X)
        columns = {
            task.name: with_missing(task.decode(output), failed)
            for task, output in zip(self._fitted_tasks()[1:], outputs[1:], strict=True)
        }
        return pd.DataFrame(columns, index=_index_of(X, len(failed)))

    def predict_aux_proba(self, X):
        outputs, failed = self._outputs(X)
        columns = {
            (task.name, label): probability
            for task, output in zip(self._fitted_tasks()[1:], outputs[1:], strict=True)
            if task.kind == "classification"
            for label, probability in zip(
                task.classes.tolist(),
                with_missing(task.probabilities(output), failed).T,
                strict=True,
            )
        }
        names = pd.MultiIndex.from_tuples(list(columns), names=["task", "class"])
        index = _index_of(X, len(failed))
        if not columns:
            return pd.DataFrame(index=index)
        return pd.DataFrame(np.column_stack(list(columns.values())), columns=names, index=index)

    def transform(self, X):
        shared, failed = self._run(X, lambda module, x: (module.encoder(x),))
        return with_missing(shared[0], failed)

    @property
    def history_(self):
        check_is_fitted(self)
        return pd.DataFrame(self._history).set_index("epoch")

    @property
    def net_(self):
        check_is_fitted(self)
        return self._net_cache.get(self._build_net)

    def _split(self, rows, groups, seed):
        """Positions of the training and the validation rows, and the record of the split."""
        codes = np.where(rows.weights[:, 0] > 0, rows.targets[0], -1)
        if not self.early_stopping:
            valid, train_, split, weaker = no_validation(codes, "early_stopping=False")
        else:
            valid, train_, split, weaker = split_validation(
                codes, groups, self.validation_fraction, numpy_stream(seed, "validation")
            )
        if weaker:
            warnings.warn(
                "early stopping watches rows of speakers that are also trained on, because "
                f"{split['reason']}",
                TrainingWarning,
                stacklevel=4,
            )
        return np.flatnonzero(train_), np.flatnonzero(valid), split

    def _describe_network(self, tasks):
        """The network as plain values, from which it can be built again."""
        hidden_units = [*self.hidden_units]
        if not hidden_units or not all(
            isinstance(width, Integral) and width > 0 for width in hidden_units
        ):
            raise ValueError(
                "hidden_units must be one or more positive whole numbers, the widths of the "
                f"layers, e.g. (128,); got {self.hidden_units!r}."
            )
        return {
            "encoder": self.encoder,
            "n_features": self.n_features_in_,
            "hidden_units": [int(width) for width in hidden_units],
            "activation": self.activation,
            "dropout": float(self.dropout),
            "dtype": self.dtype,
            "heads": {task.name: task.n_outputs for task in tasks},
        }

    def _outputs(self, X):
        """Outputs of all heads for the rows with usable features, and which rows failed."""
        return self._run(X, lambda module, x: module(x))

    def _run(self, X, function):
        check_is_fitted(self)
        values, failed = check_features(self, X, self._architecture["dtype"], reset=False)
        module = self.net_.module_
        device = next(module.parameters()).device
        with torch_threads(self.n_threads), torch.inference_mode():
            usable = torch.from_numpy(values[~failed])
            parts = [
                [part.cpu().numpy() for part in function(module, batch.to(device))]
                for batch in usable.split(EVALUATION_BATCH)
            ]
        return [np.concatenate(output) for output in zip(*parts, strict=True)], failed

    def _fitted_tasks(self):
        return [task_from_state(state) for state in self._tasks]

    def _build_net(self):
        device = resolve_device(self.device)
        module = module_from_bytes(self._architecture, self._weights, device)
        return make_net(module, self._fitted_tasks(), device=device).initialize()

    @property
    def _n_features_out(self):
        return self._architecture["hidden_units"][-1]

    def __getstate__(self):
        # The net is torch, which neither skops nor another device can take: it is built anew.
        state = dict(super().__getstate__())
        state.pop("_net_cache", None)
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "_weights" in state:
            self._net_cache = NetCache()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        # The representation has the dtype that `dtype` names, whatever that of X.
        tags.transformer_tags.preserves_dtype = []
        return tags


def _index_of(X, n_rows):
    return X.index if isinstance(X, pd.DataFrame) else pd.RangeIndex(n_rows)
