"""MTLNeuralClassifier: a multi-task network behind scikit-learn's interface."""

from collections.abc import Mapping
from numbers import Integral, Real

import numpy as np
import pandas as pd
import torch
from scipy.special import softmax
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils._param_validation import Interval, Options, StrOptions
from sklearn.utils.validation import check_is_fitted
from torch import nn

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.neural_network._module import (
    DTYPES,
    NetCache,
    module_from_bytes,
    module_of_shapes,
    resolve_device,
)
from sklearn_ser.neural_network._nested_params import NestedParams
from sklearn_ser.neural_network._state import check_state
from sklearn_ser.neural_network.encoders._mlp import ACTIVATIONS
from sklearn_ser.neural_network.encoders._registry import ENCODERS, takes_frames
from sklearn_ser.neural_network.tasks._fitted_tasks import (
    Labels,
    average_outputs,
    task_from_state,
    task_score,
    utterance_outputs,
)
from sklearn_ser.neural_network.tasks._weighting import LOSS_WEIGHTINGS
from sklearn_ser.neural_network.training._adversarial_training import AdversarialTraining
from sklearn_ser.neural_network.training._batches import evaluation_batches
from sklearn_ser.neural_network.training._fit import fit_network
from sklearn_ser.neural_network.training._inputs import check_inputs
from sklearn_ser.neural_network.training._pseudo_labels import PseudoLabels
from sklearn_ser.neural_network.training._train import make_net
from sklearn_ser.utils._alignment import check_aux, check_row_order
from sklearn_ser.utils._failed import with_missing
from sklearn_ser.utils._frames import FRAMES
from sklearn_ser.utils._model_files import passing_state
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._threads import torch_threads
from sklearn_ser.utils._unlabeled import labeled_rows


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


class NetworkParameters(NestedParams):
    """Holds the parameters, which the docstring of MTLNeuralClassifier describes."""

    _parameter_constraints = {
        # An instance is refused in fit, in words that say what to give instead.
        "encoder": [StrOptions({"auto", *ENCODERS}), type, nn.Module],
        "encoder_params": [dict, None],
        "hidden_units": ["array-like"],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "tasks": [StrOptions({"auto"}), Mapping, None],
        "aux_weight": [Interval(Real, 0, None, closed="left")],
        "loss_weighting": [StrOptions(set(LOSS_WEIGHTINGS))],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "focal_gamma": [Interval(Real, 0, None, closed="left")],
        "logit_adjustment": [Interval(Real, 0, None, closed="left")],
        "max_epochs": [Interval(Integral, 1, None, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "lr_schedule": [StrOptions({"constant", "linear", "cosine"})],
        "warmup": [Interval(Real, 0, 1, closed="left")],
        "weight_decay": [Interval(Real, 0, None, closed="left")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "weight_averaging": [StrOptions({"ema", "swa"}), None],
        "mixup_alpha": [Interval(Real, 0, None, closed="left")],
        "batch_augmenters": [list, tuple, None],
        "input_noise": [Interval(Real, 0, None, closed="left")],
        "input_dropout": [Interval(Real, 0, 1, closed="left")],
        "adversarial_training": [AdversarialTraining, None],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "validation_by": [str, None],
        "monitor": [StrOptions({"loss", "score"})],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "refit": ["boolean"],
        "n_estimators": [Interval(Integral, 1, None, closed="left")],
        "calibrate": ["boolean"],
        "unlabeled": [Options(Integral, {-1}), StrOptions({"nan"}), None],
        "pseudo_labels": [PseudoLabels, None],
        "warm_start": ["boolean"],
        "callbacks": [list, None],
        "mixed_precision": [StrOptions({"auto"}), "boolean"],
        "compile": ["boolean", str],
        "device": [str],
        "dtype": [StrOptions(set(DTYPES))],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        *,
        encoder="auto",
        encoder_params=None,
        hidden_units=(128,),
        activation="relu",
        dropout=0.5,
        tasks="auto",
        aux_weight=0.3,
        loss_weighting="fixed",
        class_weight=None,
        label_smoothing=0.0,
        focal_gamma=0.0,
        logit_adjustment=0.0,
        max_epochs=100,
        batch_size=64,
        learning_rate=1e-3,
        lr_schedule="constant",
        warmup=0.0,
        weight_decay=1e-2,
        max_grad_norm=None,
        weight_averaging=None,
        mixup_alpha=0.0,
        batch_augmenters=None,
        input_noise=1.0,
        input_dropout=0.0,
        adversarial_training=None,
        early_stopping=True,
        validation_fraction=0.2,
        validation_by=None,
        monitor="loss",
        patience=10,
        refit=True,
        n_estimators=1,
        calibrate=False,
        unlabeled=None,
        pseudo_labels=None,
        warm_start=False,
        callbacks=None,
        mixed_precision="auto",
        compile=False,
        device="auto",
        dtype="float32",
        n_threads=1,
        random_state=None,
        verbose=0,
    ):
        self.encoder = encoder
        self.encoder_params = encoder_params
        self.hidden_units = hidden_units
        self.activation = activation
        self.dropout = dropout
        self.tasks = tasks
        self.aux_weight = aux_weight
        self.loss_weighting = loss_weighting
        self.class_weight = class_weight
        self.label_smoothing = label_smoothing
        self.focal_gamma = focal_gamma
        self.logit_adjustment = logit_adjustment
        self.max_epochs = max_epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.lr_schedule = lr_schedule
        self.warmup = warmup
        self.weight_decay = weight_decay
        self.max_grad_norm = max_grad_norm
        self.weight_averaging = weight_averaging
        self.mixup_alpha = mixup_alpha
        self.batch_augmenters = batch_augmenters
        self.input_noise = input_noise
        self.input_dropout = input_dropout
        self.adversarial_training = adversarial_training
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.validation_by = validation_by
        self.monitor = monitor
        self.patience = patience
        self.refit = refit
        self.n_estimators = n_estimators
        self.calibrate = calibrate
        self.unlabeled = unlabeled
        self.pseudo_labels = pseudo_labels
        self.warm_start = warm_start
        self.callbacks = callbacks
        self.mixed_precision = mixed_precision
        self.compile = compile
        self.device = device
        self.dtype = dtype
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose


class AuxiliaryPredictions:
    """Predictions of the auxiliary tasks, and of frames."""

    def predict_aux(self, X):
        """Predictions of the auxiliary tasks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        DataFrame of shape (n_samples, n_tasks)
            One column per task that has labels or values, adversarial ones too, and X's index if
            it has one. Missing in rows of failed audio.
        """
        outputs, failed = self._outputs(X)
        columns = {
            task.name: with_missing(task.decode(output), failed)
            for task, output in self._answering(outputs)
        }
        return pd.DataFrame(columns, index=index_of(X, len(failed)))

    def predict_aux_proba(self, X):
        """Class probabilities of the auxiliary tasks that have classes.

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
                index=index_of(X, len(failed)),
            )
            for task, output in self._answering(outputs)
            if isinstance(task, Labels)
        }

    def score_aux(self, X, aux):
        """How well the auxiliary tasks are answered.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences
        aux : DataFrame of shape (n_samples, n_aux), Series or array-like
            True targets, in columns named as in `fit`; tasks whose column it lacks are left out.
            Rows with a missing target, and those of failed audio, do not count. Labels that the
            network does not know count as misses, as classes of their own.

        Returns
        -------
        Series of float
            By task: unweighted average recall for classes (of an adversarial task, low is good),
            concordance correlation coefficient for values. NaN where no row counts.
        """
        check_row_order(aux, X, "aux", "X")
        outputs, failed = self._outputs(X)
        table = check_aux(aux, len(failed))
        if table is None:
            raise MetadataError("score_aux needs aux, the true targets of the auxiliary tasks.")
        table = table[~failed].reset_index(drop=True)
        scores = {}
        for task, output in self._answering(outputs):
            column = task.spec.column or task.name
            if column in table.columns:
                targets, known = task.encode(table[column])
                if isinstance(task, Labels):
                    targets, known = _with_new_classes(task, table[column], targets, known)
                scores[task.name] = task_score(task, output, targets, known)
        return pd.Series(scores, dtype=float)

    def predict_frame_proba(self, X):
        """Class probabilities of every frame, from a network that works frame by frame.

        Parameters
        ----------
        X : frame sequences

        Returns
        -------
        dict of str to list of ndarray of shape (n_frames, n_classes)
            One array per row, None for failed audio. First the main task, ``y``, with the classes
            of `classes_`, then the auxiliary ones with those of `aux_classes_`. Of several
            networks, the mean.

        Raises
        ------
        ValueError
            If the encoder gives one representation for a sequence.

        Notes
        -----
        Frames are not calibrated. The temperature of `calibrate` is of an utterance: of one
        network, ``predict_proba`` gives the mean of these probabilities over the frames, raised to
        the power 1 / temperature and scaled to sum to 1, which changes no label. To divide the
        outputs of frames by it would make neither frames nor their mean honest.
        """
        check_is_fitted(self)
        tasks = self._fitted_tasks()
        places = [place for place, task in enumerate(tasks) if isinstance(task, Labels)]
        if not self.net_.module_.frame_level:
            raise ValueError(
                f"the encoder {self._architecture['encoder']!r} gives one representation for a "
                "whole sequence: probabilities of frames need one that works frame by frame, e.g. "
                'encoder="frame_dnn" or "lstm" with encoder_params={"pooling": "frames"}.'
            )

        def ragged(module, batch):
            # As objects, which the driver puts in the order of the rows whatever their lengths.
            outputs = module(batch)
            return [_Ragged(outputs[place].split(batch.lengths.tolist())) for place in places]

        members, failed = self._run(X, ragged)
        result = {}
        for position, place in enumerate(places):
            known = iter(zip(*(member[position] for member in members), strict=True))
            result[tasks[place].name] = [
                None if lost else np.mean([_probabilities(part) for part in next(known)], axis=0)
                for lost in failed
            ]
        return result

    def _answering(self, outputs):
        """The auxiliary tasks that answer something, with their outputs."""
        return [
            (task, output)
            for task, output in zip(self._fitted_tasks(), outputs, strict=True)
            if task.predicts
        ][1:]


def _with_new_classes(task, column, codes, known):
    """Codes of all labels, those that the task does not know after its own classes."""
    new = column.notna().to_numpy() & ~known
    found, _ = pd.factorize(column[new])
    codes[new] = task.n_outputs + found
    return codes, known | new


def _probabilities(outputs):
    return softmax(outputs.astype(np.float64), axis=1)


class _Ragged:
    """Tensors of several lengths that go to numpy as one array of objects."""

    def __init__(self, parts):
        self.parts = parts

    def cpu(self):
        return self

    def numpy(self):
        values = np.empty(len(self.parts), dtype=object)
        for row, part in enumerate(self.parts):  # arrays of one shape would be taken for one array
            values[row] = part.cpu().numpy()
        return values


class ClassPredictions(ClassifierMixin):
    """Labels, probabilities, and how many are right."""

    def predict(self, X):
        """Most probable label of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        ndarray of shape (n_samples,)
            Missing (None, or NaN for numeric labels) in rows of failed audio.
        """
        outputs, failed = self._outputs(X)
        return with_missing(self._fitted_tasks()[0].decode(outputs[0]), failed)

    def predict_proba(self, X):
        """Probability of each class of `classes_`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
            NaN in rows of failed audio.
        """
        outputs, failed = self._outputs(X)
        return with_missing(self._fitted_tasks()[0].probabilities(outputs[0]), failed)

    def score(self, X, y, sample_weight=None):
        """Accuracy; a row of failed audio counts as a miss.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences
        y : array-like of shape (n_samples,)
            Rows without a label, as `unlabeled` marks them, do not count.
        sample_weight : array-like of shape (n_samples,), default=None

        Returns
        -------
        float
            NaN where no row has a label.
        """
        check_row_order(y, X, "y", "X")
        predicted = self.predict(X).astype(object)
        truth = column_or_1d(y).astype(object)
        check_consistent_length(predicted, truth, sample_weight)
        labeled = labeled_rows(truth, self.unlabeled)
        if not labeled.any():
            return float("nan")
        weights = None if sample_weight is None else np.asarray(sample_weight)[labeled]
        return float(np.average(predicted[labeled] == truth[labeled], weights=weights))


class FitMethods:
    """`fit` and `partial_fit`."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, aux=None, groups=None, sample_weight=None, sources=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences
            Standardized features. Frame sequences are arrays (n_frames, n_features), one for each
            sample: in the column ``frames`` that an audio step with frames gives, in a list, a
            Series or an object array, or all in one array (n_samples, n_frames, n_features).
        y : array-like of shape (n_samples,)
            Labels.
        aux : DataFrame of shape (n_samples, n_aux), Series or array-like, default=None
            Auxiliary targets, row by row in the order of X; None, NaN or NA where one is not
            known. Columns of an array are called aux0, aux1, and so on.
        groups : array-like of shape (n_samples,), default=None
            The speaker of each row, whom early stopping keeps apart from the training rows. If
            not given, a column or index level ``speaker`` of X is used, if there is one; if there
            is none, rows are held out at random. Rows without a group count as one group.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, in the losses of all tasks.
        sources : array-like of int of shape (n_samples,) or (n_samples, k), default=None
            Of rows that are copies of others, or mixtures: the numbers of the original rows that
            each was made from (an original has its own number). Early stopping never watches a
            row that shares a source with one that is trained on. Given by
            :class:`~sklearn_ser.augmentation.AugmentingClassifier`.

        Returns
        -------
        self

        Raises
        ------
        MetadataError
            If `aux`, `tasks` or `groups` do not fit together or with X.
        ValueError
            If X or y cannot be used, or are not what `encoder` takes, or fewer than two classes
            are left. It names the row.
        SerError
            If the device is not there, or training diverges.
        KeyboardInterrupt
            If interrupted; see the notes on the class.

        Warns
        -----
        TrainingWarning
            If rows of failed audio or constant auxiliary targets are left out, or groups were
            given and could not be kept apart.
        """
        continued = self.warm_start and hasattr(self, "_weights")
        fit_network(self, X, y, aux, groups, sample_weight, sources=sources, continued=continued)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, aux=None, groups=None, sample_weight=None):
        """Train one epoch, from where training is; nothing is held out.

        The first call, before any fit, makes the network: its tasks, and what they know (classes,
        scales), are those of the rows of this call. After :meth:`fit`, it fine-tunes.

        The optimizer goes on from call to call, through pickle too; after a fit, another
        `loss_weighting` or other tasks in the sum it begins anew. How many calls there will be is
        not known: the learning rate is constant, weights are not averaged, and what grows with
        training (adversaries) does so over `max_epochs` calls. A temperature that :meth:`fit` has
        found stays. An interrupted call, or one that fails, changes nothing.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences
        y : array-like of shape (n_samples,)
            May lack classes and, after the first call, with `unlabeled` have no label at all.
        classes : array-like of shape (n_classes,), default=None
            All labels that any call will have. Needed in the first call.
        aux, groups, sample_weight
            As in :meth:`fit`. Tasks whose column is not there are not trained in this call.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If labels are new, `classes` is missing in the first call, or parameters that make the
            network were changed.
        """
        known = None if classes is None else np.unique(np.asarray(classes))
        continued = hasattr(self, "_weights")
        if not continued:
            if known is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            _check_classes(known, self.unlabeled)
        elif known is not None and not np.array_equal(known, self.classes_):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{self.classes_!r}"
            )
        fit_network(
            self,
            X,
            y,
            aux,
            groups,
            sample_weight,
            continued=continued,
            one_epoch=True,
            classes=known,
        )
        return self


def _check_classes(classes, unlabeled):
    if len(classes) < 2:
        raise ValueError(f"classes must hold at least 2 labels, got {classes.tolist()}.")
    if not labeled_rows(classes, unlabeled).all() or pd.isna(classes).any():
        raise ValueError(
            f"classes holds {classes.tolist()}, among them what marks rows without a label "
            f"(unlabeled={unlabeled!r}, NaN and None): give the labels alone."
        )


@public_module("sklearn_ser.neural_network")
class MTLNeuralClassifier(
    ClassPredictions, NetworkParameters, FitMethods, AuxiliaryPredictions, MultiTaskNetwork
):
    """A neural network that learns emotion together with auxiliary targets.

    An encoder, shared by all tasks, turns each utterance (a row of features, or a sequence of
    frames) into a representation; on it stand one linear head for `y` and one for each auxiliary
    target (gender, naturalness, arousal, ...). Training minimizes the sum of the tasks' losses, so
    that what helps to tell gender can help to tell emotion [1]_. Auxiliary targets are needed in
    training only, and may be missing in any row; prediction needs X alone. Without auxiliary
    targets this is a plain network with speaker-disjoint early stopping.

    The features must be standardized before (:class:`~sklearn_ser.preprocessing.GroupScaler` or
    ``StandardScaler`` for rows, ``FrameScaler`` for frames).

    Parameters
    ----------
    encoder : {"auto", "mlp", "attention", "layers", "frame_dnn", "lstm", "cnn_blstm", \
            "conformer"} or a subclass of torch.nn.Module, default="auto"
        "mlp": fully connected layers over one row of features. "attention": such layers over
        each frame of a sequence, then attentive statistics pooling over time [2]_. "layers": for
        sequences that are the layers of a pretrained model, all of one length: a learned weighting
        of the layers [3]_, then the mlp. "frame_dnn": layers over each frame, of which each gets
        the utterance's targets, and whose posteriors are averaged; "lstm": LSTM layers over the
        frames (both [1]_). "cnn_blstm": convolutions over time and frequency, LSTM layers in both
        directions, attentive pooling [9]_. "conformer": self-attention and convolution over time
        [10]_. "auto" is "mlp" for rows, "layers" for a table that says that it holds layers
        (``attrs["frame_axis"]``, written by ``PretrainedEmbedding(layer="all")`` and kept by
        ``FrameScaler``), and "attention" for all other sequences. Lists and arrays say nothing:
        name "layers" for those.

        A class of your own is made as ``encoder(n_features, **encoder_params)``. Its ``forward``
        gets rows, (n, n_features), or with the class attribute ``on_frames = True`` padded
        sequences, (n, longest, n_features), and their lengths, (n,); it returns (n, width).
        `hidden_units`, `activation` and `dropout` do not reach it.
    encoder_params : dict or None, default=None
        Further parameters of the encoder, by name; those that are not given have their defaults.
        Searched as ``encoder_params__pooling``. A class of your own takes what it takes.

        - "mlp": ``residual`` (bool, False): from the second layer on, a layer as wide as the one
          before it is a residual block.
        - "attention": ``pooling`` ("attention" or "mean"; "attention").
        - "frame_dnn": ``pooling`` ("frames", "mean" or "attention"; "frames": the heads answer
          for every frame).
        - "lstm": ``bidirectional`` (bool, False); ``pooling`` ("last", "frames", "mean" or
          "attention"; "last").
        - "cnn_blstm": ``channels`` (sequence of int, (16, 32, 64)) of each block, which halves
          the frequencies; ``time_halvings`` (int, 2): so many blocks halve the time, too.
        - "conformer": ``n_heads`` (int, 4); ``kernel_size`` (odd int, 15) of the convolution;
          ``subsampling`` (int, 4): frames that are averaged to one first; ``pooling``
          ("attention" or "mean"; "attention").
        - "layers": none.
    hidden_units : sequence of int, default=(128,)
        Width of each layer; of "lstm" and "cnn_blstm" the units of each LSTM layer, in each
        direction, of "conformer" the width of each block, all alike. The last is the width of the
        shared representation; LSTM layers in both directions give twice that, and attentive
        pooling twice again, means and deviations.
    activation : {"relu", "gelu", "tanh"}, default="relu"
    dropout : float, default=0.5
        Fraction of each layer's outputs that is zeroed in training, in [0, 1).
    tasks : "auto", None or mapping, default="auto"
        The auxiliary tasks. "auto" makes one of every column of `aux`: strings, categories and
        booleans are classes; floats are regression; whole numbers are classes if there are at
        most 20 different ones, else regression (class codes with gaps are floats in pandas unless
        their dtype is "Int64"). None is the single-task network, whatever `aux` is given. A mapping
        of names takes these tasks only, each a task object (:class:`ClassificationTask`,
        :class:`RegressionTask`, :class:`DomainAdversarialTask`, :class:`ReconstructionTask`,
        :class:`ContrastiveTask`, :class:`ConsistencyTask`) or a short name: "auto",
        "classification", "regression" (or "mse"), "ccc", "adversarial", "reconstruction",
        "contrastive", "consistency". A task takes the column of `aux` that has its name, unless it
        names another. Parameters of tasks are set and searched as ``tasks__gender__weight``.
    aux_weight : float, default=0.3
        Weight of the loss of every auxiliary task that names none; `y` has weight 1.
    loss_weighting : {"fixed", "uncertainty", "pcgrad"}, default="fixed"
        "fixed": the sum of the weighted losses. "uncertainty": each is divided by a learned
        variance [4]_. "pcgrad": parts of the tasks' gradients that conflict are cut [5]_.
    class_weight : "balanced", dict or None, default=None
        Weights of the classes of `y` in its loss, as everywhere in scikit-learn.
    label_smoothing, focal_gamma, logit_adjustment : float, default=0.0
        Of the loss of `y`; see :class:`ClassificationTask`. With ``class_weight="balanced"``,
        `logit_adjustment` makes up for the classes' frequencies a second time: take one of the two.
    max_epochs : int, default=100
        Most passes over the training rows.
    batch_size : int or None, default=64
        Most rows per step. Sequences are batched by like length, and a step has at most 65,536
        frames, padding and rows of weight 0 counted: fewer rows, where they are long. None takes
        all rows at once, however many frames they have. A single row that is left over joins
        another step where `encoder` is a class of your own, which may have batch normalization.
    learning_rate : float, default=0.001
        Of AdamW.
    lr_schedule : {"constant", "linear", "cosine"}, default="constant"
        The last two let the learning rate fall to 0 over `max_epochs`.
    warmup : float, default=0.0
        Share of the training, in [0, 1), over which the learning rate rises from 0 first.
    weight_decay : float, default=0.01
        Of AdamW (decoupled from the gradient).
    max_grad_norm : float or None, default=None
        Longer gradients are scaled down to this length.
    weight_averaging : {"ema", "swa"} or None, default=None
        Validate and keep averaged weights: an exponential moving average over steps (0.99), or
        the mean over the epochs of the second half of training [6]_: beyond half of `max_epochs`,
        and in the training anew of `refit` beyond half of its own, whenever early stopping came.
        What an encoder of your own counts along (batch normalization) is the latest, no average.
    mixup_alpha : float, default=0.0
        Above 0, the rows of a batch are mixed in pairs, with a share drawn from Beta(alpha, alpha),
        and every task learns both rows' targets by their shares [7]_.
    batch_augmenters : list or None, default=None
        What changes the inputs of each batch in training, one after the other, drawn anew in every
        epoch: "specaugment", :class:`BatchSpecAugment`, or any object that is called with a batch
        and a torch.Generator. What is reconstructed is the batch before that.
    input_noise : float, default=1.0
        Standard deviation of normal noise on the inputs in training, in units of each feature's
        own standard deviation over the training rows.
    input_dropout : float, default=0.0
        Share of the input values that is zeroed in training, in [0, 1).
    adversarial_training : AdversarialTraining or None, default=None
        Learn from rows that are changed a little to mislead the network, too; see
        :class:`AdversarialTraining`. Parameters are set and searched as
        ``adversarial_training__epsilon``.
    early_stopping : bool, default=True
        Hold out some rows, stop when `monitor` on them has not improved for `patience` epochs, and
        keep the weights of the best epoch, from memory. The rows are of whole groups (see `groups`
        of :meth:`fit`); where that cannot be, see `validation_split_`.
    validation_fraction : float, default=0.2
        About this part of the labeled rows is held out. With fewer than five groups it is more,
        since whole groups are held out.
    validation_by : str or None, default=None
        Hold out whole groups of another kind than `groups`: the name of a column or index level of
        X, or of a column of `aux`, such as "corpus". Under ``tasks="auto"`` a column of `aux` is
        a task, too.
    monitor : {"loss", "score"}, default="loss"
        Of `y` on the held-out rows: its loss, or unweighted average recall.
    patience : int, default=10
        Epochs without improvement after which training stops.
    refit : bool, default=True
        After early stopping, train anew on all rows for the number of epochs that was best.
    n_estimators : int, default=1
        Networks, each with its own first weights, order of rows and held-out groups, whose mean
        probabilities are predicted.
    calibrate : bool, default=False
        Divide the outputs for `y` by a temperature that fits the held-out rows best [8]_: honest
        probabilities, and of one network the same labels (of several, each has its own); those of
        single frames (:meth:`predict_frame_proba`) are as they are. Where nothing can be held out
        it is 1, with a warning. Without early stopping the rows are held out for this alone.
    unlabeled : -1, "nan" or None, default=None
        What marks a row without a label in `y`. Such rows train the auxiliary tasks only. None:
        every row has a label.
    pseudo_labels : PseudoLabels or None, default=None
        Self-training: rows without a label are learned with labels that the network gives them,
        in several rounds; see :class:`PseudoLabels`. Each network labels them for itself. Only
        rows that :meth:`fit` is given can be labeled, and :meth:`partial_fit` labels none.
        Without early stopping, rows are held out to judge the rounds. Parameters are set and
        searched as ``pseudo_labels__share``.
    warm_start : bool, default=False
        Let :meth:`fit` go on from the networks of the last fit, on whatever rows it is given: fine
        tuning on a target corpus. The classes and tasks stay those of the first fit.
    callbacks : list or None, default=None
        skorch callbacks. They find ``train_loss``, ``valid_loss`` and the other columns of
        `history_` in the history of the net that they are given, and are called as they are, not
        copied: by every network in turn, and again in a training anew (`refit`). Those that monitor
        held-out rows (skorch's EarlyStopping and Checkpoint by default) are left out there and in
        :meth:`partial_fit`, and refused with ``early_stopping=False``. EarlyStopping, or a
        subclass, ends a training; KeyboardInterrupt from any other is Ctrl-C. In ``on_train_end``
        the net has the weights that are kept. ``clone``, and so a search, copies a callback by its
        parameters: its other attributes must have names that end in an underscore. A model file
        (:func:`~sklearn_ser.save_model`) is written without them.
    mixed_precision : "auto" or bool, default="auto"
        Train in bfloat16 where that is faster. "auto": on GPUs that have it.
    compile : bool or str, default=False
        Compile the network with torch.compile (for large ones), by its default backend or the
        one named.
    device : str, default="auto"
        "cpu", "cuda", "cuda:1", "mps", or the best of these that is there. Results repeat bit for
        bit on the CPU; on a GPU as far as the kernels of its libraries do. From one kind of device
        to another they differ a little. A fitted network runs on any: ``set_params(device=...)``.
    dtype : {"float32", "float64"}, default="float32"
        Precision of the network and of the representation.
    n_threads : int or None, default=1
        Torch threads within :meth:`fit` and the predictions (one is fastest for small networks).
        The number can change weights and probabilities in their last bits, since sums are taken
        in another order. None leaves torch's setting as it is, so that they may depend on the
        number of the machine's cores.
    random_state : int, RandomState instance or None, default=None
        One seed is drawn from it for the whole fit. No global generator of torch is used, and
        of numpy only with None. First weights, dropout and order of rows have streams of their
        own: a further task leaves them unchanged.
    verbose : int, default=0
        1 shows a progress bar over the epochs.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Labels of `y`.
    aux_classes_ : dict of str to ndarray
        Labels of each auxiliary task that has labels, adversarial ones too.
    dropped_tasks_ : dict of str to str
        Auxiliary tasks left out because they are constant in the training rows, and their value.
    validation_split_ : dict
        How rows were held out for early stopping: ``kind`` ("groups"; "stratified": at random,
        class by class; "none": not at all, too few rows), ``n_train`` and ``n_valid`` (labeled
        rows), ``groups`` (those held out), ``reason`` (why not by groups, or not at all). Of
        several networks, that of the first.
    n_iter_ : int
        Epochs run, by the network that ran longest.
    best_epoch_ : int
        The epoch whose weights were kept, counted from 1; of the first network.
    members_ : DataFrame
        One row per network: ``n_iter``, ``best_epoch``, ``temperature``, ``n_valid``, ``held_out``.
    history_ : DataFrame
        One row per epoch: ``train_loss``, ``valid_loss`` (weighted sums), and of each task
        ``train_loss_<task>``, ``valid_loss_<task>``, ``valid_score_<task>`` (unweighted average
        recall, or concordance correlation) and ``weight_<task>``; the main task is called ``y``.
        NaN where no row has the task's target. With `adversarial_training` also
        ``adversarial_loss``, in no sum and unweighted. Several networks: the index has the levels
        ``member`` and ``epoch``.
    pseudo_labels_ : DataFrame
        Only with `pseudo_labels`: one row per round; round 0 is the training before any labels
        were given. ``selected`` (rows learned with labels of the network's), ``n_<class>`` (of
        each class), ``agreement`` (share of all unlabeled rows that were labeled as in the
        round before; NaN at first), ``valid_loss`` (cross-entropy) and ``valid_score``
        (unweighted average recall) of `y` on the held-out rows, ``kept`` (the round whose network
        this is), ``stopped`` (in the last round, why it ended: the parameter of
        :class:`PseudoLabels` by which it did, "settled": almost the same rows and labels again,
        "nothing unlabeled", or "interrupted"). Several networks: the index has the levels
        ``member`` and ``round``.
    layer_weights_ : ndarray of shape (n_layers,)
        Only with ``encoder="layers"``: the weight of each layer; they sum to 1.
    net_ : skorch.NeuralNet
        The trained net, to look at: its ``module_`` has ``encoder`` and ``heads``.
    n_features_in_ : int
        Of a row, or of a frame.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Of a row, or of a frame; only where X brings them.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : One task; early stopping on rows of any speaker.

    Notes
    -----
    Rows of X that are entirely NaN (audio that could not be used; of sequences: None or NaN in the
    place of the sequence) are left out of training with a TrainingWarning; the predictions for
    them are missing (None for labels that are not numbers, NaN else). Any other NaN is refused.

    What a sequence gives does not depend on the sequences it is batched with, nor on padding.
    Batches of like length are dealt anew in each epoch, from rows drawn at random.

    A task's loss is its mean over the rows of a batch that have its target, weighted by
    `sample_weight` and class weights. A task of weight 0 changes nothing: the other tasks learn bit
    for bit what they would learn without it. Early stopping looks at `y` alone.

    Ctrl-C ends :meth:`fit` with KeyboardInterrupt, as it ends anything else; if at least one epoch
    is complete, the estimator is fitted all the same, with the best weights so far (of several
    networks, with those that have weights), and a TrainingWarning says how far training got.
    Before that, and after any error, the estimator is as it was.

    With metadata routing on, ``fit`` asks for ``aux``, ``sample_weight`` and ``sources``, and takes
    ``speaker`` as its `groups`. A ``StandardScaler`` before it then has to be told whether it wants
    weights too: ``StandardScaler().set_fit_request(sample_weight=False)``.

    ``StackingClassifier`` hands its metadata to the final estimator too. Let X carry the speakers
    as an index level, which splitters and early stopping find, give `aux` alone, and take a final
    estimator that accepts it: ``StackingClassifier([("net", MTLNeuralClassifier()), ("svm",
    LinearSVC())], final_estimator=MTLNeuralClassifier(tasks=None), cv=SpeakerKFold()).fit(X, y,
    aux=aux)``.

    With `unlabeled`, Pipeline, searches with a splitter object and ``cross_validate`` work as
    ever. Meta-estimators that recode labels (voting, bagging, stacking, calibration, one against
    the rest) would make a class of the rows without one: a fit inside them is refused. What was
    fitted before can be calibrated (``FrozenEstimator``).

    References
    ----------
    .. [1] Kim, J., Englebienne, G., Truong, K. P., Evers, V. (2017). Towards Speech Emotion
       Recognition "in the wild" using Aggregated Corpora and Deep Multi-Task Learning.
       Interspeech 2017. https://arxiv.org/abs/1708.03920
    .. [2] Okabe, K., Koshinaka, T., Shinoda, K. (2018). Attentive Statistics Pooling for Deep
       Speaker Embedding. Interspeech 2018. https://arxiv.org/abs/1803.10963
    .. [3] Yang, S. et al. (2021). SUPERB: Speech processing Universal PERformance Benchmark.
       Interspeech 2021. https://arxiv.org/abs/2105.01051
    .. [4] Kendall, A., Gal, Y., Cipolla, R. (2018). Multi-Task Learning Using Uncertainty to Weigh
       Losses for Scene Geometry and Semantics. CVPR 2018. https://arxiv.org/abs/1705.07115
    .. [5] Yu, T. et al. (2020). Gradient Surgery for Multi-Task Learning. NeurIPS 2020.
       https://arxiv.org/abs/2001.06782
    .. [6] Izmailov, P. et al. (2018). Averaging Weights Leads to Wider Optima and Better
       Generalization. UAI 2018. https://arxiv.org/abs/1803.05407
    .. [7] Zhang, H. et al. (2018). mixup: Beyond Empirical Risk Minimization. ICLR 2018.
       https://arxiv.org/abs/1710.09412
    .. [8] Guo, C. et al. (2017). On Calibration of Modern Neural Networks. ICML 2017.
       https://arxiv.org/abs/1706.04599
    .. [9] Latif, S. et al. (2022). Multitask Learning from Augmented Auxiliary Data for Improving
       Speech Emotion Recognition. IEEE Transactions on Affective Computing.
       https://arxiv.org/abs/2207.05298
    .. [10] Gulati, A. et al. (2020). Conformer: Convolution-augmented Transformer for Speech
       Recognition. Interspeech 2020. https://arxiv.org/abs/2005.08100

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_ser.neural_network import MTLNeuralClassifier
    >>> rng = np.random.default_rng(0)
    >>> emotion = np.tile(["anger", "neutral", "sadness"], 40)
    >>> gender = np.repeat(["female", "male"], 60)
    >>> speaker = np.repeat(["f1", "f2", "f3", "m1", "m2", "m3"], 20)
    >>> X = rng.normal(size=(120, 6))
    >>> X[:, 0] += 3 * (emotion == "anger") - 3 * (emotion == "sadness")
    >>> X[:, 1] += 3 * (gender == "male")
    >>> aux = pd.DataFrame({"gender": gender})
    >>> aux.loc[:9, "gender"] = None  # not known: these rows train emotion only
    >>> net = MTLNeuralClassifier(max_epochs=20, random_state=0)
    >>> net = net.fit(X, emotion, aux=aux, groups=speaker)
    >>> net.validation_split_["kind"], net.validation_split_["n_valid"]
    ('groups', 20)
    >>> bool(net.score(X, emotion) > 0.8)
    True
    >>> net.predict_aux(X[:1]).columns.to_list(), net.transform(X).shape
    (['gender'], (120, 128))

    Frame sequences of any length:

    >>> frames = [rng.normal(size=(5 + row % 7, 6)) + X[row] for row in range(120)]
    >>> net = MTLNeuralClassifier(max_epochs=5, random_state=0).fit(frames, emotion)
    >>> net.transform(frames).shape
    (120, 256)
    >>> net.predict(X)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: encoder="attention" takes frame sequences ...
    """

    __metadata_request__fit = {
        "aux": True,
        "groups": "speaker",
        "sample_weight": True,
        "sources": True,
    }
    __metadata_request__partial_fit = {
        "aux": True,
        "classes": True,
        "groups": "speaker",
        "sample_weight": True,
    }
