"""PseudoLabels: how rows without a label are given one."""

from numbers import Integral, Real

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.neural_network")
class PseudoLabels(BaseEstimator):
    """Self-training: rows without a label are learned with the labels that the network gives them.

    The network is trained on the labeled rows, labels the others, and is trained anew on both;
    and so on, round by round [1]_. Each round takes more of the rows, the most probable ones of
    each class first [2]_. What holds it back from learning its own errors:

    - quotas: no class gets more than its part of the rows (`balance`);
    - only rows that are sure enough (`threshold`), and whose label stays the same when the input
      is disturbed (`consistency`) [3]_;
    - a lower weight than that of true labels (`weight`);
    - it ends when the last round changed many labels (`stability`): what so little
      upsets was not worth learning;
    - it ends when the labeled rows that are held out, of other speakers, are told worse
      (`tolerance`), and that round is dropped.

    Parameters
    ----------
    share : float, default=0.6
        Of the unlabeled rows, the most that may be chosen in the last round, in (0, 1]; in the
        rounds before in proportion: of four rounds a quarter of it in the first.
    threshold : float, default=0.0
        Least probability of a label, in [0, 1], after temperature scaling on the held-out rows.
        0 leaves the choice to the quotas.
    balance : {"equal", "prior"} or None, default="equal"
        How `share` is divided into quotas. "equal": the same for every class. "prior": by the
        classes' shares of the labeled rows. None: no quotas of classes.
    consistency : int, default=0
        Number of disturbed copies of each row that are labeled too, with the network's own
        dropout left on and normal noise on the input. 0 asks none.
    agreement : float, default=0.75
        Least share of these copies, in (0, 1], that have to get the row's label.
    input_noise : float, default=0.5
        Standard deviation of the noise on the (standardized) inputs of the copies.
    weight : float, default=0.5
        Weight of a chosen row in the loss of `y`, beside 1 for a labeled row (both times
        `sample_weight` and the class's weight).
    max_rounds : int, default=4
        Most trainings after the first.
    min_rows : int, default=10
        With fewer rows to choose it ends.
    stability : float, default=0.92
        It ends when less than this share of all unlabeled rows, in [0, 1], has kept its label
        since the round before.
    tolerance : float or None, default=0.05
        It ends when the held-out loss of `y` is more than this share above the lowest so far.
        None: never for this reason.

    See Also
    --------
    MTLNeuralClassifier : Its parameter `pseudo_labels` takes this, and `pseudo_labels_` tells
        what became of it.
    sklearn.semi_supervised.SelfTrainingClassifier : By a threshold alone, around any classifier.

    Notes
    -----
    Labels are given to rows that :meth:`MTLNeuralClassifier.fit` gets, and there to those of
    groups that are trained on. To adapt to a new corpus, fit with its rows unlabeled
    (transductive learning); the rows of a validation or test fold are never seen unless they are
    among the rows of `fit`. Speakers held out for early stopping judge the rounds: their
    unlabeled rows take no part.

    Where the network is good on the new rows this helps much, and where it is poor a little harm
    is done: measure on labeled corpora, left out one at a time, before you rely on it.

    References
    ----------
    .. [1] Lee, D.-H. (2013). Pseudo-Label: The Simple and Efficient Semi-Supervised Learning
       Method for Deep Neural Networks. ICML 2013 Workshop on Challenges in Representation
       Learning.
    .. [2] Zou, Y., Yu, Z., Vijaya Kumar, B. V. K., Wang, J. (2018). Unsupervised Domain Adaptation
       for Semantic Segmentation via Class-Balanced Self-Training. ECCV 2018.
       https://arxiv.org/abs/1810.07911
    .. [3] Sohn, K. et al. (2020). FixMatch: Simplifying Semi-Supervised Learning with Consistency
       and Confidence. NeurIPS 2020. https://arxiv.org/abs/2001.07685

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.neural_network import MTLNeuralClassifier, PseudoLabels
    >>> rng = np.random.default_rng(0)
    >>> truth = np.tile([0, 1], 100)
    >>> X = rng.normal(size=(200, 4)) + 3 * truth[:, None]
    >>> y = np.where(np.arange(200) < 60, truth, -1)
    >>> net = MTLNeuralClassifier(
    ...     unlabeled=-1, pseudo_labels=PseudoLabels(max_rounds=2), max_epochs=10, random_state=0
    ... )
    >>> net.fit(X, y).pseudo_labels_[["selected", "n_0", "n_1", "kept"]]
           selected  n_0  n_1   kept
    round
    0               0    0    0  False
    1              42   21   21  False
    2              84   42   42   True
    >>> net.set_params(pseudo_labels__threshold=0.8).pseudo_labels
    PseudoLabels(max_rounds=2, threshold=0.8)
    """

    _parameter_constraints = {
        "share": [Interval(Real, 0, 1, closed="right")],
        "threshold": [Interval(Real, 0, 1, closed="both")],
        "balance": [StrOptions({"equal", "prior"}), None],
        "consistency": [Interval(Integral, 0, None, closed="left")],
        "agreement": [Interval(Real, 0, 1, closed="right")],
        "input_noise": [Interval(Real, 0, None, closed="left")],
        "weight": [Interval(Real, 0, None, closed="neither")],
        "max_rounds": [Interval(Integral, 1, None, closed="left")],
        "min_rows": [Interval(Integral, 1, None, closed="left")],
        "stability": [Interval(Real, 0, 1, closed="both")],
        "tolerance": [Interval(Real, 0, None, closed="left"), None],
    }

    def __init__(
        self,
        *,
        share=0.6,
        threshold=0.0,
        balance="equal",
        consistency=0,
        agreement=0.75,
        input_noise=0.5,
        weight=0.5,
        max_rounds=4,
        min_rows=10,
        stability=0.92,
        tolerance=0.05,
    ):
        self.share = share
        self.threshold = threshold
        self.balance = balance
        self.consistency = consistency
        self.agreement = agreement
        self.input_noise = input_noise
        self.weight = weight
        self.max_rounds = max_rounds
        self.min_rows = min_rows
        self.stability = stability
        self.tolerance = tolerance

    def check(self, unlabeled):
        """Refuse parameters that cannot be, or an estimator that knows no unlabeled rows.

        Parameters
        ----------
        unlabeled : -1, "nan" or None
            Of the estimator.

        Raises
        ------
        ValueError
        """
        try:
            self._validate_params()
        except ValueError as error:  # InvalidParameterError, which does not say where it stands
            raise type(error)(f"pseudo_labels: {error}") from None
        if unlabeled is None:
            raise ValueError(
                "pseudo_labels labels the rows that have no label, and unlabeled=None says that "
                "every row has one: set unlabeled=-1 or unlabeled='nan', and mark these rows "
                "in y."
            )
