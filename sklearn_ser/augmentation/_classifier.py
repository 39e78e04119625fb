"""AugmentingClassifier: learn from rows and from changed copies of them."""

from numbers import Integral

import numpy as np
from sklearn import config_context
from sklearn.base import BaseEstimator, MetaEstimatorMixin, _fit_context
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils._repr_html.estimator import _VisualBlock
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.augmentation._fit_rows import fit_on_rows
from sklearn_ser.augmentation._named import NestedAugmenters, named_augmenters
from sklearn_ser.utils._alignment import check_row_orders
from sklearn_ser.utils._inner_estimator import InnerAttributes, inner_has
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._routing import arguments_through, routing_is_on


def _has_auxiliary_predictions(meta):
    inner = getattr(meta, "estimator_", meta.estimator)
    last = inner.steps[-1][1] if isinstance(inner, Pipeline) else inner
    return hasattr(last, "predict_aux")


@public_module("sklearn_ser.augmentation")
class AugmentingClassifier(NestedAugmenters, MetaEstimatorMixin, InnerAttributes, BaseEstimator):
    """Fit an estimator on rows and on augmented copies of them, and predict rows as they are.

    Copies are made of training rows alone, in `fit`. What made a copy is an auxiliary target
    (`task`) for an estimator that takes ``aux`` in `fit`, as
    :class:`~sklearn_ser.neural_network.MTLNeuralClassifier` does [1]_; for others it is left out.
    Labels, ids, weights and all other metadata of a row go with its copies, also where it has no
    label.

    **No copy crosses a split.** The network's early stopping, and every splitter inside
    `estimator` (of a search, of a stack of classifiers that ask for no metadata), keep a row and
    its copies together; a search trains on the copies of training rows, and is scored on unchanged
    rows. What scikit-learn's classifiers hold out by themselves (``early_stopping=True``,
    ``oob_score=True``) they draw at random, copies and all: there is a warning. A row made from
    several (by a mixing augmenter, by SMOTE) is trained on only where all of them are.

    Parameters
    ----------
    estimator : estimator
        Such as a Pipeline from audio to classes. With a search outside,
        ``GridSearchCV(AugmentingClassifier(...))``, copies are made in each fold, of its training
        rows; a feature store in the audio step keeps those that come again.
    augmenters : augmenter, list, list of (str, augmenter), dict or None
        Each makes `copies` copies of every row, under its name (by default its class in lower
        case): objects with ``augment(X)``, Pipelines of them, and augmenters that need labels
        (:class:`Mixup`, :class:`CutMix`). Their own `random_state` is replaced. Those of features
        or frames (:class:`SpecAugment`) change what the audio steps at the head of `estimator`, a
        Pipeline, make of the rows. Parameters are set and searched as
        ``augmenters__noise__snr``, or ``augmenters__snr`` of a single one; a None in a list or
        dict is an augmenter that is switched off.
    copies : int, default=1
        Of each row by each augmenter.
    keep_original : bool, default=True
        Train on the unchanged rows, too. Without them, a search inside is scored on copies.
    task : str, default="augmentation"
        Column of `aux` for the name of what made the row; "original" for unchanged rows.
    resampler : imbalanced-learn sampler or None, default=None
        Over- or under-samples the rows before copies are made. Rows without a label stay as they
        are. Random samplers work on any rows, audio too; those that look at features, on rows of
        features. A synthetic row (SMOTE) has a weight of 1, no auxiliary targets, and the ids
        and groups of the nearer of the two rows that it lies between.
    random_state : int, RandomState instance or None, default=None
        Give an int for copies that are the same in every fit, which a feature store then knows.

    Attributes
    ----------
    estimator_ : estimator
        The fitted clone.
    n_rows_ : dict of str to int
        How many rows of each kind it was fitted on; "synthetic" are those of `resampler`.
    classes_ : ndarray of shape (n_classes,)
        Of the inner estimator.
    n_features_in_ : int
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Only where X had column names.

    See Also
    --------
    sklearn_ser.recipes.make_mtl_aug : A whole system with it.

    Notes
    -----
    Rows without a label (None, NaN, or -1 where a parameter ``unlabeled`` inside `estimator`
    says so) get copies as others do, but are not mixed.

    A model file (:func:`~sklearn_ser.save_model`) holds no sampler of imbalanced-learn and no
    transform of audiomentations: saving such a model is refused; set `resampler` and `augmenters`
    to None on the fitted model first, which predicts without them.

    Whichever of `predict`, `predict_proba`, `decision_function`, `transform`, `predict_aux` and
    `score` the inner estimator has, this one has.

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
        estimator,
        augmenters=None,
        *,
        copies=1,
        keep_original=True,
        task="augmentation",
        resampler=None,
        random_state=None,
    ):
        self.estimator = estimator
        self.augmenters = augmenters
        self.copies = copies
        self.keep_original = keep_original
        self.task = task
        self.resampler = resampler
        self.random_state = random_state

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None, **metadata):
        """Make the copies, and fit a clone of the estimator on all rows.

        Parameters
        ----------
        X : DataFrame, Series, list or array
            As the inner estimator and the augmenters take it.
        y : array-like of shape (n_samples,)
        **metadata : array-likes of n_samples rows
            For the inner estimator: ``aux``, ``speaker`` or ``groups``, ``corpus``,
            ``sample_weight``, ... With metadata routing on, it must have requested them; with
            routing off, it gets those it requested and those its `fit` names, and the rest is
            dropped; ``sample_weight`` reaches every predictor inside that takes weights.

        Returns
        -------
        self

        Raises
        ------
        MetadataError
            If `aux` has a column called as `task`, or metadata is not row by row that of X; if an
            augmenter gives rows a weight and the inner estimator takes none.
        TypeError, ValueError
            If an augmenter or the sampler cannot be used with X.
        """
        augmenters = named_augmenters(self.augmenters)
        if not augmenters and not self.keep_original:
            raise ValueError("keep_original=False leaves no rows where there are no augmenters.")
        metadata = {name: value for name, value in metadata.items() if value is not None}
        X, y = (_indexable(given) for given in (X, y))
        check_consistent_length(X, y)
        check_row_orders(X, y, metadata)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        self.estimator_, rows = fit_on_rows(self, augmenters, seed, X, y, metadata)
        kinds = ["synthetic" if kind is None else kind for kind in rows.kinds]
        self.n_rows_ = {str(kind): kinds.count(kind) for kind in dict.fromkeys(kinds)}
        return self

    @available_if(inner_has("predict"))
    def predict(self, X):
        """Predict each row, unchanged.

        Parameters
        ----------
        X : array-like of n_samples rows

        Returns
        -------
        ndarray of shape (n_samples,)
        """
        return self._fitted().predict(X)

    @available_if(inner_has("predict_proba"))
    def predict_proba(self, X):
        """Probability of each class of `classes_`.

        Parameters
        ----------
        X : array-like of n_samples rows

        Returns
        -------
        ndarray of shape (n_samples, n_classes)
        """
        return self._fitted().predict_proba(X)

    @available_if(inner_has("decision_function"))
    def decision_function(self, X):
        """Decision values of the inner estimator.

        Parameters
        ----------
        X : array-like of n_samples rows

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
        """
        return self._fitted().decision_function(X)

    @available_if(_has_auxiliary_predictions)
    def predict_aux(self, X):
        """Auxiliary predictions of the inner estimator, the augmentation's kind among them.

        Of a Pipeline, which has none itself, those of its last step.

        Parameters
        ----------
        X : array-like of n_samples rows

        Returns
        -------
        DataFrame of n_samples rows
        """
        inner = self._fitted()
        if hasattr(inner, "predict_aux"):
            return inner.predict_aux(X)
        # A Pipeline of one step has nothing before it.
        before = inner[:-1].transform(X) if len(inner.steps) > 1 else X
        return inner.steps[-1][1].predict_aux(before)

    @available_if(inner_has("transform"))
    def transform(self, X):
        """Transform each row, unchanged.

        Parameters
        ----------
        X : array-like of n_samples rows

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_outputs)
        """
        return self._fitted().transform(X)

    @available_if(inner_has("transform"))
    def fit_transform(self, X, y=None, **metadata):
        """Fit, then transform the given rows alone.

        Parameters
        ----------
        X, y, **metadata
            As in `fit`.

        Returns
        -------
        ndarray or DataFrame of shape (n_samples, n_outputs)
        """
        return self.fit(X, y, **metadata).transform(X)

    @available_if(inner_has("score"))
    def score(self, X, y=None, **metadata):
        """Score of the inner estimator on the given rows, unchanged.

        Parameters
        ----------
        X : array-like of n_samples rows
        y : array-like of shape (n_samples,)
        **metadata : array-likes of n_samples rows
            As in `fit`.

        Returns
        -------
        float
        """
        inner = self._fitted()
        given = arguments_through(self, "score", metadata)
        with config_context(enable_metadata_routing=bool(given) or routing_is_on()):
            return inner.score(X, y, **given)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False  # augmenters take what has a place for every value
        return tags

    def _fitted(self):
        check_is_fitted(self)
        return self.estimator_

    def __sklearn_is_fitted__(self):
        return hasattr(self, "estimator_")

    def _sk_visual_block_(self):
        try:
            pairs = list(named_augmenters(self.augmenters).items())
        except (TypeError, ValueError):
            pairs = []
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


def _indexable(given):
    """What has no rows to take, but knows how to become an array, as one."""
    known = given is None or hasattr(given, "__getitem__")
    return given if known else np.asarray(given)
