"""adversarial_robustness: how far small changes that are made to mislead lead a classifier."""

from numbers import Integral, Real

import numpy as np
import pandas as pd
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions, validate_params

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.neural_network._random import torch_stream
from sklearn_ser.robustness._attack_run import Attack
from sklearn_ser.robustness._attack_search import Search, warn_of_falling_loss
from sklearn_ser.robustness._features import AttackedFeatures
from sklearn_ser.robustness._table import Rows, spread_out
from sklearn_ser.robustness._waveform import AttackedWaveform
from sklearn_ser.utils._nested_estimators import named_estimators
from sklearn_ser.utils._public import public_module

_DEFAULTS = {"features": (0.01, 0.03, 0.1, 0.3), "waveform": (-60.0, -50.0, -40.0, -30.0)}


@public_module("sklearn_ser.robustness")
@validate_params(
    {
        "epsilons": ["array-like", None],
        "attack": [StrOptions({"fgsm", "pgd"})],
        "space": [StrOptions({"features", "waveform"})],
        "norm": [StrOptions({"inf", "l2"})],
        "relative": ["boolean"],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "step_size": [Interval(Real, 0, None, closed="neither"), None],
        "n_restarts": [Interval(Integral, 1, None, closed="left")],
        "return_predictions": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def adversarial_robustness(
    estimators,
    X,
    y,
    *,
    epsilons=None,
    attack="fgsm",
    space="features",
    norm="inf",
    relative=True,
    n_steps=10,
    step_size=None,
    n_restarts=1,
    surrogate=None,
    speaker=None,
    return_predictions=False,
    random_state=None,
):
    """Recall of fitted classifiers on inputs that were changed a little to mislead them.

    For each row the change within a ball is sought that raises the loss of its true label most,
    by the gradient of the classifier, which answers as it does in predictions [1]_ [2]_.

    Parameters
    ----------
    estimators : estimator, dict of str to estimator, or list of (str, estimator)
        Fitted, and not changed. Each ends in an MTLNeuralClassifier (ensembles and calibrated ones
        too), or in a linear model of scikit-learn that has ``coef_``: alone, in a Pipeline, or
        found by a search.
    X : DataFrame, array-like or frame sequences of n_rows rows
        What they predict: audio or features.
    y : array-like of shape (n_rows,)
        True labels.
    epsilons : sequence of float, default=None
        Radii of the ball. In "features": above 0; None: 0.01, 0.03, 0.1, 0.3. In "waveform", in
        dB; None: -60, -50, -40, -30. The inputs as they are come first in any case.
    attack : {"fgsm", "pgd"}, default="fgsm"
        One step along the (signed) gradient, to the edge of the ball; or several projected steps,
        of which the worst place passed is taken.
    space : {"features", "waveform"}, default="features"
        What is changed. "features": the input of the last step, after all scaling (the steps
        before are run once, on X as it is). "waveform": the samples of the recordings, which stay
        within full scale; the changed recordings then go through the whole estimator.
        For LogMelSpectrogram, any FrameScaler and MTLNeuralClassifier in a Pipeline, or anything
        that takes audio with such a `surrogate`.
    norm : {"inf", "l2"}, default="inf"
        "inf" bounds the change of every value, "l2" the root mean square of a row's (an
        utterance's) changes.
    relative : bool, default=True
        In "features": `epsilons` are in units of each feature's standard deviation over the rows
        (frames) of X. False: in the feature's own units. In "waveform" they always are relative to
        the utterance, in dB: "inf" to its peak, "l2" to its root mean square, so that minus epsilon
        is the signal-to-noise ratio.
    n_steps : int, default=10
        Of "pgd".
    step_size : float or None, default=None
        Of "pgd", in parts of the radius. None: 2.5 / n_steps.
    n_restarts : int, default=1
        Of "pgd": searches from the row itself and, beyond the first, from random places in the
        ball.
    surrogate : estimator, default=None
        A fitted estimator whose gradients are taken, instead of each one's own: how well
        examples made for it mislead the others (a transfer attack, for classifiers of any kind).
        In "features", its last step must take what theirs take; in "waveform", it must take X.
    speaker : array-like of shape (n_rows,), default=None
        The speaker of each row, for the intervals. None: the column or index level ``speaker`` of
        X, if there is one.
    return_predictions : bool, default=False
        Whether to return each row's prediction, too.
    random_state : int, RandomState instance or None, default=None
        For random places in the ball.

    Returns
    -------
    table : DataFrame
        One row for each estimator and epsilon: ``estimator``, ``attack`` ("fgsm", with the space
        and norm where they are not "features" and "inf"), ``epsilon`` (0, or -inf dB, for the
        inputs as they are), ``uar``, ``uar_low`` and ``uar_high`` (a 95 % t interval over
        speakers, see `cluster_interval`, but however few; NaN where a class has fewer than
        two), ``accuracy``, ``changed`` (share of decisions that differ from those on the
        inputs as they are), ``n_rows``, ``n_speakers``, ``n_classes`` (of `y`), ``loss`` (mean
        cross-entropy of what gives the gradients; of linear models, of the softmax of their
        decision values), ``masked`` (share of rows without a gradient). In "waveform" also
        ``snr``: the mean signal-to-noise ratio in dB that the changes really have.
    predictions : DataFrame
        With `return_predictions`: one row for each estimator, epsilon and row of X:
        ``estimator``, ``attack``, ``epsilon``, ``row``, ``speaker`` (where known), ``truth``,
        ``prediction`` (None where the audio failed).

    Raises
    ------
    MetadataError
        If the gradient of an estimator is not known, or labels or rows do not fit.
    SerError
        If an estimator has no gradient at all, or the attack breaks its own rules.

    Warns
    -----
    EvaluationWarning
        If the mean loss falls as the ball grows, or some rows have no gradient: the attack is
        then too weak, and the figures are too good.

    See Also
    --------
    noise_robustness : Disturbances that are not made to mislead.
    sklearn_ser.inspection.RobustnessDisplay : Draws the table.
    sklearn_ser.neural_network.AdversarialTraining : Training against it.

    Notes
    -----
    A row of failed audio is a miss at every epsilon. Scaling that looks at the rows it is given
    (GroupScaler on a group that it has not seen) looks at X here as it does in ``predict``.

    References
    ----------
    .. [1] Goodfellow, I. J., Shlens, J., Szegedy, C. (2015). Explaining and Harnessing Adversarial
       Examples. ICLR 2015. https://arxiv.org/abs/1412.6572
    .. [2] Madry, A. et al. (2018). Towards Deep Learning Models Resistant to Adversarial Attacks.
       ICLR 2018. https://arxiv.org/abs/1706.06083

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_ser.robustness._adversarial import adversarial_robustness
    >>> rng = np.random.default_rng(0)
    >>> y = np.tile(["anger", "sadness"], 50)
    >>> X = rng.normal(size=(100, 5)) + (y == "anger")[:, None]
    >>> model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    >>> table = adversarial_robustness(model, X, y, epsilons=[0.1, 0.5])
    >>> table[["epsilon", "uar", "changed"]].round(2)
       epsilon   uar  changed
    0      0.0  0.93     0.00
    1      0.1  0.85     0.08
    2      0.5  0.46     0.47
    """
    models = named_estimators(estimators)
    rows = Rows(X, y, speaker)
    radii = _checked_radii(_DEFAULTS[space] if epsilons is None else epsilons, space)
    search = Search(attack, n_steps=n_steps, step_size=step_size, n_restarts=n_restarts)
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    label = " ".join(
        [attack, *([space] if space == "waveform" else []), *([norm] if norm != "inf" else [])]
    )
    table, predictions = [], []
    for name, estimator in models.items():
        if space == "waveform":
            target = AttackedWaveform(estimator, X, name, norm=norm, surrogate=surrogate)
        else:
            target = AttackedFeatures(
                estimator, X, name, norm=norm, relative=relative, surrogate=surrogate
            )
        codes = _codes(rows.truth[~target.failed], target.source.classes, name)
        found = Attack(target, codes, search, name, own=surrogate is None)
        losses, clean = [], None
        none = -np.inf if space == "waveform" else 0.0
        for epsilon in [none, *radii]:
            if epsilon == none:
                predicted, facts = found.without()
            else:
                generator = torch_stream(seed, f"{label} {epsilon}", target.device)
                predicted, facts = found.within(epsilon, generator)
            predicted = spread_out(predicted, target.failed)
            clean = predicted if clean is None else clean
            losses.append(facts["loss"])
            condition = {"estimator": name, "attack": label, "epsilon": epsilon}
            if space == "features":
                facts.pop("snr")
            table.append({**condition, **rows.figures(predicted, clean), **facts})
            predictions.append(rows.predictions(predicted, **condition))
        warn_of_falling_loss([none, *radii], losses, name, label)
    table = pd.DataFrame(table)
    return (table, pd.concat(predictions, ignore_index=True)) if return_predictions else table


def _checked_radii(epsilons, space):
    values = sorted({float(value) for value in epsilons})
    least = -np.inf if space == "waveform" else 0.0
    if not values or not all(least < value < np.inf for value in values):
        unit = "finite numbers (dB)" if space == "waveform" else "finite numbers above 0"
        raise ValueError(f"epsilons must be one or more {unit}, got {list(epsilons)}")
    return values


def _codes(truth, classes, name):
    codes = pd.Index(np.asarray(classes, dtype=object)).get_indexer(truth)
    if (codes < 0).any():
        strangers = sorted({str(label) for label in truth[codes < 0]})
        raise MetadataError(
            f"y holds {strangers}, which are none of the classes {np.asarray(classes).tolist()} of "
            f"estimator {name!r}: an attack raises the loss of the true label. Leave these rows "
            "out."
        )
    return torch.from_numpy(codes.astype(np.int64))
