"""AugmentingClassifier: a meta-estimator that trains on samples and augmented copies of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from inspect import signature
from numbers import Integral
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing, check_random_state, indexable
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils._repr_html.estimator import _VisualBlock
from sklearn.utils.validation import _check_method_params, _num_samples

from sklearn_ser.augmentation._original_samples_split import (
    SOURCES,
    keep_copies_together,
    restore_splitters,
)
from sklearn_ser.augmentation._training_rows import TrainingRows, copies_of, joined, resampled
from sklearn_ser.exceptions import MetadataError
from sklearn_ser.feature_extraction._base import leading_audio_steps
from sklearn_ser.utils._alignment import check_aux, check_row_orders
from sklearn_ser.utils._ids import find_id
from sklearn_ser.utils._inner_estimator import InnerAttributes
from sklearn_ser.utils._nested_estimators import parameters_named
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._routing import arguments_for, arguments_through, routing_for, routing_is_on
from sklearn_ser.utils._unlabeled import labeled_rows, sentinel_as_none

if TYPE_CHECKING:
    from typing import Self

    from numpy.typing import ArrayLike

#: Name of the samples that no augmenter has changed.
ORIGINAL = "original"


@public_module("sklearn_ser.augmentation")
class AugmentingClassifier(MetaEstimatorMixin, InnerAttributes, BaseEstimator):
    """Fit an estimator on samples and augmented copies of them; predict samples unchanged.

    Copies are made of training samples only, in `fit`. The name of the augmenter that made a copy
    is an auxiliary target (`task`) for estimators whose `fit` takes ``aux``, such as
    :class:`~sklearn_ser.neural_network.MTLNeuralClassifier` [1]_; other estimators do not get it.
    Copies have the label, ids, weight and all other metadata of their original; unlabeled samples
    are copied as well.

    **No copy crosses a split.** Each sample carries the numbers of the original samples that it was
    made from, as metadata ``sources``. Every splitter that is a parameter ``cv`` inside `estimator`
    (of a search, a calibration, a stack) splits the originals, and copies follow them
    (:class:`OriginalSamplesSplit`): a search trains on the copies of training samples, and is
    scored on unchanged samples. The early stopping of the network keeps copies together, too. An
    estimator that holds out training samples by itself without knowing of copies
    (``early_stopping=True`` or ``oob_score=True`` in scikit-learn, ``train_split`` in skorch) is an
    error. A sample made from several (by mixing or SMOTE) is trained on only where all of them are.

    Parameters
    ----------
    estimator : estimator
        Estimator to fit, such as a Pipeline from audio to classes. With a search outside,
        ``GridSearchCV(AugmentingClassifier(...))``, copies are made in each fold, of its training
        samples; a feature store in the audio step avoids extracting equal copies again.
    augmenters : augmenter, list, list of (str, augmenter), dict or None
        Augmenters, each of which makes `copies` copies of every sample, under its name (by default
        its class in lower case): objects with ``augment(X)``, Pipelines of them, and augmenters
        that need labels (:class:`Mixup`, :class:`CutMix`). The seed of each copy is derived from
        the augmenter's own `random_state` where that is set, else from that of this class.
        Augmenters of features or frames (:class:`SpecAugment`) change the output of the audio
        steps at the head of `estimator`, a Pipeline. Parameters are set and searched as
        ``augmenters__noise__snr``, or ``augmenters__snr`` of a single one; a None in a list or
        dict is an augmenter that is switched off.
    copies : int, default=1
        Number of copies of each sample by each augmenter.
    keep_original : bool, default=True
        Whether to train on the unchanged samples as well. Without them, a search inside is scored
        on copies.
    task : str, default="augmentation"
        Column of `aux` for the name of the augmenter; "original" for unchanged samples.
    resampler : imbalanced-learn sampler or None, default=None
        Sampler that over- or under-samples the training samples before copies are made. Unlabeled
        samples are all retained. Random samplers work on any samples, including audio; those that
        use features work on features only. A synthetic sample (SMOTE) has a weight of 1, no
        auxiliary targets, and the ids and groups of the nearer of the two samples that it lies
        between; a sampler whose samples do not lie on a line through two (ClusterCentroids) is an
        error. Its own `random_state` is used where it is set.
    random_state : int, RandomState instance or None, default=None
        Seed of augmenters and sampler that have none of their own. With an int, copies are the
        same in every fit, so that a feature store recognizes them.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone.
    n_rows_ : dict of str to int
        Number of training samples of each kind; "synthetic" are those of `resampler`.
    classes_ : ndarray of shape (n_classes,)
        Classes of the inner estimator.
    n_features_in_ : int
        Number of features of the inner estimator.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns of X. Defined only if X has column names.

    See Also
    --------
    OriginalSamplesSplit : The splitter that keeps copies together.
    sklearn_ser.recipes.make_mtl_aug : A whole system with it.

    Notes
    -----
    Unlabeled samples (None, NaN, or -1 where a parameter ``unlabeled`` inside `estimator` says so)
    get copies, but are not mixed.

    A model file (:func:`~sklearn_ser.save_model`) holds no sampler of imbalanced-learn, no
    transform of audiomentations, and no recordings of noise or rooms. To save such a model, set
    `resampler` and `augmenters` to None on the fitted model first; it predicts without them.

    The methods `predict`, `predict_proba`, `decision_function`, `transform`, `predict_aux` and
    `score` are available where the inner estimator has them.

    Sample weights, those that mixing augmenters make included, reach the estimators that request
    them (``set_fit_request(sample_weight=True)``), as networks do; with metadata routing off also
    an estimator whose `fit` names them, and such a last step of a Pipeline. Where nothing takes
    them there is an error.

    References
    ----------
    .. [1] Latif, S., Rana, R., Khalifa, S., Jurdak, R., Schuller, B. W. (2022). Multitask
       Learning from Augmented Auxiliary Data for Improving Speech Emotion Recognition. IEEE
       Transactions on Affective Computing. https://arxiv.org/abs/2207.05298

    Examples
    --------
    >>> from sklearn_ser import SpeakerEmbedding, make_speech_corpus
    >>> from sklearn_ser.augmentation import Gain
    >>> from sklearn_ser.augmentation import AugmentingClassifier
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import LinearSVC
    >>> frame = make_speech_corpus(n_speakers=4, n_utterances=1, random_state=0).frame
    >>> X, y = frame[["file", "speaker"]], frame["emotion"]
    >>> svm = make_pipeline(SpeakerEmbedding(), LinearSVC())
    >>> model = AugmentingClassifier(svm, {"louder": Gain(6.0)}, random_state=0).fit(X, y)
    >>> model.n_rows_
    {'original': 16, 'louder': 16}
    >>> len(model.predict(X))
    16
    """

    estimator_: Any
    n_rows_: dict[str, int]

    _parameter_constraints = {
        "estimator": [HasMethods(["fit"])],
        "augmenters": "no_validation",  # named_augmenters
        "copies": [Interval(Integral, 1, None, closed="left")],
        "keep_original": ["boolean"],
        "task": [str],
        "resampler": [HasMethods(["fit_resample"]), None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator: BaseEstimator,
        augmenters: BaseEstimator | Sequence[Any] | Mapping[str, Any] | None = None,
        *,
        copies: int = 1,
        keep_original: bool = True,
        task: str = "augmentation",
        resampler: BaseEstimator | None = None,
        random_state: int | np.random.RandomState | None = None,
    ):
        self.estimator = estimator
        self.augmenters = augmenters
        self.copies = copies
        self.keep_original = keep_original
        self.task = task
        self.resampler = resampler
        self.random_state = random_state

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the parameters of this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include those of the inner estimator, as ``estimator__<parameter>``, and of
            augmenters in a list or mapping, as ``augmenters__<name>`` and
            ``augmenters__<name>__<parameter>`` (of a single one, ``augmenters__<parameter>``).

        Returns
        -------
        dict
            Parameters by name.
        """
        params = super().get_params(deep=deep)
        if deep and isinstance(self.augmenters, Mapping | list | tuple):
            for name, augmenter in _readable_pairs(self.augmenters):
                params[f"augmenters__{name}"] = augmenter
                if hasattr(augmenter, "get_params") and not isinstance(augmenter, type):
                    for parameter, value in augmenter.get_params().items():
                        params[f"augmenters__{name}__{parameter}"] = value
        return params

    def set_params(self, **params: Any) -> Self:
        """Set parameters, also of the inner estimator and of augmenters.

        A changed augmenter is a clone in a new container, so that other estimators that share the
        container stay as they are.

        Parameters
        ----------
        **params
            Parameters by the names of `get_params`. ``augmenters__<name>=None`` switches an
            augmenter off.

        Returns
        -------
        self : object
            The estimator itself.

        Raises
        ------
        ValueError
            If there is no such parameter or augmenter.
        """
        nested = {name: value for name, value in params.items() if name.startswith("augmenters__")}
        super().set_params(**{name: params[name] for name in params if name not in nested})
        if self.augmenters is not None and not isinstance(self.augmenters, Mapping | list | tuple):
            return super().set_params(**nested)
        # Whole augmenters before their parameters, in whatever order they are given.
        for path in sorted(nested, key=lambda path: path.count("__")):
            _, name, *rest = path.split("__", 2)
            self._set_augmenter(name, rest, nested[path])
        return self

    def _set_augmenter(self, name, rest, value):
        pairs = _readable_pairs(self.augmenters)
        names = [each for each, _ in pairs]
        if name not in names:
            raise ValueError(f"There is no augmenter {name!r}: the augmenters are {names}.")
        position = names.index(name)
        if rest:
            augmenter = pairs[position][1]
            if not hasattr(augmenter, "set_params"):
                raise ValueError(f"Augmenter {name!r} has no parameters: it is {augmenter!r}.")
            value = clone(augmenter).set_params(**{rest[0]: value})
        pairs[position] = (name, value)
        self.augmenters = dict(pairs) if isinstance(self.augmenters, Mapping) else pairs

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: pd.DataFrame | ArrayLike, y: ArrayLike | None = None, **metadata: Any) -> Self:
        """Make the copies, and fit a clone of the estimator on all samples.

        Parameters
        ----------
        X : DataFrame, Series, list or array
            Samples that the inner estimator and the augmenters take.
        y : array-like of shape (n_samples,)
            Labels.
        **metadata : array-likes of n_samples values
            Metadata for the inner estimator: ``aux``, ``speaker`` or ``groups``, ``corpus``,
            ``sample_weight``, ... With metadata routing on, it must have requested them; with
            routing off, it gets those that it requested and those that its `fit` names, and the
            rest, except for sample weights, is dropped.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        MetadataError
            If `aux` has a column with the name `task`, metadata is not aligned with X, samples have
            weights and the inner estimator does not take them, or a part of it holds out training
            samples without knowing of copies.
        TypeError, ValueError
            If an augmenter or the sampler cannot be used with X.
        """
        augmenters = named_augmenters(self.augmenters)
        if not augmenters and not self.keep_original:
            raise ValueError(
                "keep_original=False leaves no training samples without augmenters. Give "
                "augmenters, or keep_original=True."
            )
        metadata = {name: value for name, value in metadata.items() if value is not None}
        X, y = indexable(self._with_ids_as_levels(X), y)
        check_row_orders(X, y, metadata)
        n_samples = _num_samples(X)
        labeled = _labeled(self.estimator, y, n_samples)
        rows, steps = self._augmented(augmenters, X, y, labeled)
        labels = None if y is None else _safe_indexing(_without_index(y), rows.labels)
        estimator = self.estimator
        if steps:  # the rest of the Pipeline, of its own class and with its own settings
            estimator = clone(estimator).set_params(steps=estimator.steps[len(steps) :])
        given, derived = self._metadata(metadata, X, n_samples, rows, bool(augmenters))
        prepared = keep_copies_together(estimator, rows.sources)
        self._fit(prepared, rows.X, labels, given, derived, labeled)
        restore_splitters(prepared)
        if steps:
            prepared = clone(self.estimator).set_params(steps=[*steps, *prepared.steps])
        self.estimator_ = prepared
        kinds = ["synthetic" if kind is None else kind for kind in rows.kinds]
        self.n_rows_ = {str(kind): kinds.count(kind) for kind in dict.fromkeys(kinds)}
        return self

    def _augmented(self, augmenters, X, y, labeled):
        """Return the training samples, and the fitted steps that extracted features for them."""
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        needs_labels = any(hasattr(each, "augment_rows") for each in augmenters.values())
        if y is None and (self.resampler is not None or needs_labels):
            raise ValueError(
                "y is None, but samplers and augmenters that mix samples need labels. Give y, or "
                "leave out resampler and these augmenters."
            )
        base = TrainingRows.of(X, ORIGINAL)
        if self.resampler is not None:
            base = resampled(self.resampler, base, y, labeled, seed)
        late = {name: each for name, each in augmenters.items() if _is_of_features(each)}
        early = {name: each for name, each in augmenters.items() if name not in late}
        extraction = leading_audio_steps(self.estimator) if late else []
        rows = joined([base, *copies_of(base, early, self.copies, seed, y, labeled)])
        steps = []
        if extraction:
            pipeline = Pipeline([(name, clone(step)) for name, step in extraction])
            rows.X = pipeline.fit_transform(rows.X)
            base = rows.take(np.arange(len(base)))
            steps = pipeline.steps
        rows = joined([rows, *copies_of(base, late, self.copies, seed, y, labeled)])
        if not self.keep_original:
            rows = rows.take(np.flatnonzero(~rows.original))
        return rows, steps

    def _metadata(self, metadata, X, n_samples, rows, with_kinds):
        """Return the metadata of all training samples: that of the user, and derived metadata."""
        other = {name: value for name, value in metadata.items() if name != "aux"}
        weights = _weights(other.pop("sample_weight", None), n_samples, rows)
        for name, value in other.items():
            if hasattr(value, "__len__") and not isinstance(value, str) and len(value) != n_samples:
                raise MetadataError(
                    f"{name} has {len(value)} rows and X has {n_samples}. Give one value for each "
                    "row of X."
                )
        given = _check_method_params(X, other, rows.sources[:, 0])
        given = {name: _without_index(value) for name, value in given.items()}
        derived = {SOURCES: rows.sources}
        if "groups" not in given and "speaker" not in given:
            # A step inside may lose the speakers that X names.
            speakers = find_id(X, "speaker")
            if speakers is not None:
                derived["speaker"] = np.asarray(speakers, dtype=object)[rows.sources[:, 0]]
        # A network may have this task also where every augmenter is switched off.
        tasks = parameters_named(self.estimator, "tasks").values()
        is_task = any(isinstance(value, Mapping) and self.task in value for value in tasks)
        aux = _aux(self.task, metadata.get("aux"), n_samples, rows, with_kinds or is_task)
        for name, value in {"aux": aux, "sample_weight": weights}.items():
            if value is not None:
                (given if name in metadata else derived)[name] = value
        return given, derived

    def _fit(self, estimator, X, y, given, derived, labeled):
        """Fit `estimator` with the metadata that it takes."""
        taken = {
            **arguments_through(self, "fit", given),
            **arguments_for(estimator, "fit", derived),
        }
        weights = given.get("sample_weight", derived.get("sample_weight"))
        plain: dict[str, Any] = {}
        if not routing_is_on():
            # With routing off an estimator need not request what its `fit` names.
            for name in signature(estimator.fit).parameters:
                if name in ("aux", "sample_weight") and name in derived:
                    taken[name] = derived[name]
            if not taken and weights is not None and isinstance(estimator, Pipeline):
                # The names by which scikit-learn's Pipeline takes them then.
                last, step = estimator.steps[-1]
                if hasattr(step, "fit") and "sample_weight" in signature(step.fit).parameters:
                    plain[f"{last}__sample_weight"] = weights
        if weights is not None and not any(
            name.endswith("sample_weight") for name in (*taken, *plain)
        ):
            raise MetadataError(
                f"The training samples have sample weights, and {type(estimator).__name__} takes "
                "none. (Augmenters that mix samples of two classes use their shares as weights.) "
                "With metadata routing on, request them by set_fit_request(sample_weight=True) of "
                "the estimator inside that takes them; or leave out the weights and these "
                "augmenters."
            )
        with routing_for(estimator, taken):
            try:
                estimator.fit(X, y, **taken, **plain)
            except (TypeError, ValueError) as error:
                _explain_unlabeled(error, self.estimator, labeled)
                raise

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        return tags

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def _sk_visual_block_(self):
        pairs = [pair for pair in _readable_pairs(self.augmenters) if pair[1] is not None]
        estimators = [augmenter for _, augmenter in pairs]
        names = [f"{name}: {type(augmenter).__name__}" for name, augmenter in pairs]
        inner = getattr(self, "estimator_", self.estimator)
        parts = [inner]
        labels = [f"estimator: {type(inner).__name__}"]
        if pairs:
            parts.insert(0, _VisualBlock("parallel", estimators, names=names))
            labels.insert(0, "augmenters")
        return _VisualBlock(
            "serial", parts, names=labels, name_details=[str(part) for part in parts]
        )


def named_augmenters(augmenters: Any) -> dict[str, Any]:
    """Return the augmenters that are not None by name, by default that of their class."""
    pairs = [(name, each) for name, each in _pairs(augmenters) if each is not None]
    for name, augmenter in pairs:
        if not isinstance(name, str) or not name or "__" in name:
            raise ValueError(f'augmenters need names without "__", got {name!r}.')
        if name == ORIGINAL:
            raise ValueError(
                f"An augmenter cannot be called {ORIGINAL!r}, which is the name of unchanged "
                "samples. Give it another name."
            )
        methods = ("augment", "augment_rows", "fit_transform")
        if isinstance(augmenter, type) or not any(hasattr(augmenter, each) for each in methods):
            raise TypeError(
                f"Augmenter {name!r} must have a method augment, augment_rows or fit_transform "
                f"(such as Gain(), or a Pipeline of augmenters), got {augmenter!r}."
            )
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"augmenters must have different names, got {names}.")
    return dict(pairs)


def _pairs(augmenters):
    if augmenters is None:
        return []
    if isinstance(augmenters, Mapping):
        return list(augmenters.items())
    if not isinstance(augmenters, list | tuple):
        return [(_default_name(augmenters), augmenters)]
    named = [
        isinstance(each, tuple | list) and len(each) == 2 and isinstance(each[0], str)
        for each in augmenters
    ]
    if any(named) and not all(named):
        raise TypeError(
            "augmenters must be a list of augmenters or a list of (name, augmenter): "
            f"augmenters[{named.index(False)}] has no name and others do."
        )
    if any(named):
        return [tuple(each) for each in augmenters]
    names = [_default_name(each) for each in augmenters]
    return [
        (f"{name}-{names[: i + 1].count(name)}" if names.count(name) > 1 else name, augmenter)
        for i, (name, augmenter) in enumerate(zip(names, augmenters, strict=True))
    ]


def _default_name(augmenter):
    steps = getattr(augmenter, "steps", None)
    if steps:  # the steps of a Pipeline
        return "-".join(name for name, _ in steps)
    return type(augmenter).__name__.lower()


def _readable_pairs(augmenters):
    """Return names and augmenters also where they cannot be used: a repr must not raise."""
    try:
        return [(str(name), each) for name, each in _pairs(augmenters)]
    except TypeError:
        return []


def _is_of_features(augmenter):
    first = augmenter.steps[0][1] if isinstance(augmenter, Pipeline) else augmenter
    return getattr(first, "_augments", None) == "features"


def _without_index(values):
    """Return values without an index, whose labels would repeat."""
    is_pandas = isinstance(values, pd.Series | pd.DataFrame)
    return values.reset_index(drop=True) if is_pandas else values


def _labeled(estimator, y, n_samples):
    """Return a mask of the labeled samples. Only the estimator says whether -1 is a label."""
    if y is None or np.ndim(y) != 1:
        return np.ones(n_samples, dtype=bool)
    return labeled_rows(sentinel_as_none(estimator, y))


def _explain_unlabeled(error, estimator, labeled):
    """Raise an error that says which samples are unlabeled, where scikit-learn's does not."""
    about_labels = any(part in str(error).lower() for part in ("unknown label", "y contains nan"))
    if labeled.all() or parameters_named(estimator, "unlabeled") or not about_labels:
        return
    missing = np.flatnonzero(~labeled)
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    raise ValueError(
        f"y is None or NaN in {len(missing)} of {len(labeled)} samples, first in row "
        f"{missing[0]}, and {type(last).__name__} needs labeled samples. Leave the unlabeled ones "
        "out, or use a semi-supervised estimator such as MTLNeuralClassifier(unlabeled='nan')."
    ) from error


def _weights(given, n_samples, rows):
    """Return the sample weights of all training samples, or None where all are 1."""
    if given is None:
        return None if (rows.weights == 1).all() else rows.weights
    given = np.asarray(given)
    if given.shape != (n_samples,):
        raise ValueError(f"sample_weight.shape == {given.shape}, expected {(n_samples,)}!")
    return np.where(rows.synthetic, 1.0, given[rows.labels] * rows.weights)


def _aux(task, given, n_samples, rows, with_kinds):
    """Return the auxiliary targets of all training samples, among them the augmenters' names."""
    table = check_aux(given, n_samples)
    if table is not None and task in table.columns:
        raise MetadataError(
            f"aux has a column {task!r}, in which AugmentingClassifier puts the names of the "
            "augmenters. Rename the column, or give another task=."
        )
    if table is None:
        targets = pd.DataFrame(index=range(len(rows)))
    else:
        first, second = (table.iloc[side].reset_index(drop=True) for side in rows.sources.T)
        agree = (first == second).fillna(False).astype(bool) & ~rows.synthetic[:, None]
        targets = _nullable(first, agree).where(agree)
    if with_kinds:
        targets = targets.assign(**{task: pd.Series(rows.kinds, index=targets.index, dtype=object)})
    return targets if len(targets.columns) else None


def _nullable(table, known):
    """Return a table in which integers and booleans that are not all known can be missing."""
    # As floats, codes of classes would look like values.
    nullable = {"i": "Int64", "u": "Int64", "b": "boolean"}
    kinds = {
        name: nullable[table[name].dtype.kind]
        for name in table.columns
        if getattr(table[name].dtype, "kind", "O") in nullable and not known[name].all()
    }
    return table.astype(kinds)
