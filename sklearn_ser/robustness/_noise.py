"""Robustness of classifiers to noise, rooms, codecs and other disturbances."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import validate_params

from sklearn_ser.augmentation import AddNoise, AddReverb, Codec, TelephoneBand
from sklearn_ser.augmentation._recordings import COLORS
from sklearn_ser.evaluation._audio_steps import all_audio_steps, predicting_estimator
from sklearn_ser.exceptions import EvaluationWarning, MetadataError
from sklearn_ser.feature_extraction._base import AudioExtractor
from sklearn_ser.robustness._result_table import EvaluatedRows
from sklearn_ser.utils._ids import as_frame
from sklearn_ser.utils._nested_estimators import Estimators, named_estimators, parameters_named
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._unlabeled import missing_as_none
from sklearn_ser.utils._warnings import warn_user

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: Value of the column `condition` for the unchanged recordings.
CLEAN = "clean"
_CONDITION_COLUMNS = ("condition", "snr", "level")
_NOISES = {"white noise": "white", "pink noise": "pink", "brown noise": "brown"}


@public_module("sklearn_ser.robustness")
@validate_params(
    {
        "snrs": ["array-like"],
        "noises": [dict, None],
        "conditions": [dict, None],
        "return_predictions": ["boolean"],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def noise_robustness(
    estimators: Estimators,
    X: pd.DataFrame | ArrayLike,
    y: ArrayLike,
    *,
    noises: Mapping[str, Any] | None = None,
    snrs: Sequence[float] = (20, 10, 0),
    conditions: Mapping[str, Any] | None = None,
    speaker: ArrayLike | None = None,
    return_predictions: bool = False,
    random_state: int | np.random.RandomState | None = None,
) -> pd.DataFrame | tuple[pd.DataFrame, pd.DataFrame]:
    """Score fitted classifiers on recordings with noise, in rooms, through codecs.

    Every recording of X is disturbed by each condition, and predicted by each estimator.

    Parameters
    ----------
    estimators : estimator, dict of str to estimator, or list of (str, estimator)
        Fitted estimators, which are not changed. Each takes audio: a Pipeline that begins with an
        audio step, or a search or meta-estimator around one.
    X : DataFrame, Series, list or array of n_rows recordings
        Recordings, as audio steps take them.
    y : array-like of shape (n_rows,)
        True labels.
    noises : dict of str to object, default=None
        Noises by name, each a value of the parameter `noises` of
        :class:`~sklearn_ser.augmentation.AddNoise`: a color, a file, a folder, samples, or a list
        of these. Use noises that no estimator was trained with; there is a warning for others. None
        stands for white, pink and brown noise, which are also the defaults of AddNoise, and {} for
        none.
    snrs : sequence of float, default=(20, 10, 0)
        Signal-to-noise ratios in dB at which each noise is added.
    conditions : dict of str to augmenter, default=None
        Other disturbances by name: an object with ``augment(X)`` (an augmenter of
        :mod:`sklearn_ser.augmentation`), a Pipeline of such, or a dict of level to augmenter. The
        levels are numbers, such as reverberation times, which the column ``level`` holds in their
        order. None stands for the default ``AddReverb``, ``TelephoneBand`` and ``Codec``, and {}
        for none.
    speaker : array-like of shape (n_rows,), default=None
        Speaker of each row, for the intervals. None stands for the column or index level
        ``speaker`` of X, if there is one.
    return_predictions : bool, default=False
        Whether to return the predictions as well.
    random_state : int, RandomState instance or None, default=None
        Seed of the augmenters that have none. A noise draws the same numbers at each ratio.

    Returns
    -------
    table : DataFrame
        One row per estimator and condition: ``estimator``, ``condition`` (first "clean", the
        unchanged recordings), ``snr`` (inf for "clean"; NaN for conditions other than noise),
        ``level`` (NaN for conditions without levels), ``uar``, ``uar_low`` and ``uar_high`` (a 95 %
        t interval over speakers, see `cluster_interval`; NaN with fewer than 8, or where a class
        has fewer than two), ``accuracy``, ``changed`` (share of predictions that differ from those
        for the unchanged recordings), ``n_rows``, ``n_speakers``, ``n_classes`` (of `y`).
    predictions : DataFrame
        With `return_predictions`, one row per estimator, condition and row of X: ``estimator``,
        ``condition``, ``snr``, ``level``, ``row``, ``speaker`` (if known), ``y_true``,
        ``y_pred`` (None if the audio failed).

    Raises
    ------
    MetadataError
        If an estimator does not take audio, or rows or labels are not aligned.
    ValueError
        If a condition is not an augmenter, or two have the same name.

    Warns
    -----
    EvaluationWarning
        If an estimator was trained with one of the noises.

    See Also
    --------
    adversarial_robustness : Scores on adversarial examples.
    sklearn_ser.inspection.RobustnessDisplay : Plot of the table.

    Notes
    -----
    All rows of X are predicted together, so that steps that compute statistics of the given rows
    (GroupScaler for an unknown group) adapt to the condition: such scores are transductive.

    Recordings are disturbed each time that they are read. Pipelines that begin with the same audio
    step share its output, also those within a search or an AugmentingClassifier.

    Examples
    --------
    >>> from sklearn_ser import make_speech_corpus, make_svm_baseline
    >>> from sklearn_ser.augmentation import Gain
    >>> from sklearn_ser.evaluation import fit_model
    >>> from sklearn_ser.robustness import noise_robustness
    >>> frame = make_speech_corpus(n_speakers=4, random_state=0).frame
    >>> model = fit_model(make_svm_baseline("egemaps", cv=2, Cs=[0.01]), frame, aux=())
    >>> table = noise_robustness(
    ...     model, frame[["file", "corpus", "speaker"]], frame["emotion"],
    ...     noises={}, conditions={"softer": Gain(-20.0)},
    ... )
    >>> table[["condition", "n_speakers"]]
      condition  n_speakers
    0     clean           4
    1    softer           4
    """
    models = named_estimators(estimators)
    X = as_frame(X)
    for name, estimator in models.items():
        if not all_audio_steps(estimator):
            raise MetadataError(
                f"Estimator {name!r} has no audio step, so that noise cannot be added to its "
                "input. Give a Pipeline that begins with one (LogMelSpectrogram, "
                "OpenSmileExtractor, ...)."
            )
    rows = EvaluatedRows(X, y, speaker)
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    noises = _NOISES if noises is None else noises
    disturbances = _disturbances(noises, snrs, conditions, seed, _audio_column(models))
    _warn_of_known_noises(models, noises)
    table, predictions = [], []
    clean: dict[str, np.ndarray] = {}
    for condition, augmenter in {(CLEAN, np.inf, np.nan): None, **disturbances}.items():
        disturbed = X if augmenter is None else _augmented(augmenter, X)
        extracted: dict[Any, Any] = {}  # by audio step: estimators often share one
        for name, estimator in models.items():
            predicted = np.asarray(_predict(estimator, disturbed, extracted), dtype=object)
            y_pred = missing_as_none(predicted)
            clean.setdefault(name, y_pred)
            keys = {"estimator": name, **dict(zip(_CONDITION_COLUMNS, condition, strict=True))}
            table.append({**keys, **rows.scores(y_pred, clean[name])})
            predictions.append(rows.predictions(y_pred, **keys))
    order = {name: position for position, name in enumerate(models)}
    results, y_pred_table = (
        part.sort_values(
            "estimator", key=lambda names: names.map(order), kind="stable", ignore_index=True
        )
        for part in (pd.DataFrame(table), pd.concat(predictions))
    )
    return (results, y_pred_table) if return_predictions else results


def _audio_column(models):
    """Return the column of X that all estimators read."""
    names = {step.audio for one in models.values() for step in all_audio_steps(one)}
    if len(names) > 1:
        raise MetadataError(
            f"The estimators read their audio from different columns, {sorted(names)}. Give "
            "estimators that read the same column."
        )
    return names.pop()


def _disturbances(noises, snrs, conditions, seed, audio):
    """Return augmenters with seeds, by name, signal-to-noise ratio and other level."""
    if conditions is None:
        conditions = {
            "reverberation": AddReverb(audio=audio),
            "telephone band": TelephoneBand(audio=audio),
            "codec": Codec(audio=audio),
        }
    names = [*noises, *conditions]
    if len(set(names)) < len(names) or CLEAN in names:
        raise ValueError(
            f"Conditions must have different names, none of them {CLEAN!r}; got {names}."
        )
    disturbances = {}
    for name, noise in noises.items():
        for snr in sorted({float(snr) for snr in snrs}, reverse=True):
            augmenter = AddNoise(snr, noise, audio=audio)
            disturbances[name, snr, np.nan] = _with_seed(augmenter, seed, name)
    for name, condition in conditions.items():
        by_level = condition if isinstance(condition, dict) else {np.nan: condition}
        for level, augmenter in by_level.items():
            if not isinstance(level, Real):
                raise ValueError(
                    f"conditions[{name!r}] has the level {level!r}: levels must be numbers, such "
                    "as reverberation times."
                )
            if not hasattr(augmenter, "augment") and not isinstance(augmenter, Pipeline):
                raise ValueError(
                    f"conditions[{name!r}] must be an augmenter (with a method augment), a "
                    f"Pipeline of augmenters, or a dict of level to augmenter; got {augmenter!r}."
                )
            disturbances[name, np.nan, float(level)] = _with_seed(augmenter, seed, name)
    return disturbances


def _warn_of_known_noises(models, noises):
    """Warn of estimators that were trained on copies with one of the noises."""
    for name, estimator in models.items():
        trained = [
            entry
            for part in estimator.get_params().values()
            if isinstance(part, AddNoise)
            for entry in _named_entries(part.noises)
        ]
        known = [
            kind
            for kind, noise in noises.items()
            if any(_overlap(one, other) for one in _named_entries(noise) for other in trained)
        ]
        if known:
            warn_user(
                f"Estimator {name!r} was trained on copies with {', '.join(map(repr, known))}: its "
                "scores there are too high for noise that it does not know. Give other noises=.",
                EvaluationWarning,
            )


def _named_entries(noises):
    """Return the colors and paths in `noises` of AddNoise; arrays have no name."""
    entries = noises if isinstance(noises, list | tuple) else [noises]
    return [os.fsdecode(entry) for entry in entries if isinstance(entry, str | os.PathLike)]


def _overlap(one, other):
    """Return whether two entries are the same color or file, or a file and its folder."""
    if one in COLORS or other in COLORS:
        return one == other
    one, other = (os.path.join(os.path.realpath(path), "") for path in (one, other))
    return one.startswith(other) or other.startswith(one)


def _with_seed(augmenter, seed, name):
    """Return a clone in which every part without a seed has one that is derived from `name`."""
    if not hasattr(augmenter, "get_params"):
        return augmenter
    seeded = clone(augmenter)
    derived = int(np.random.SeedSequence([seed, *name.encode()]).generate_state(1)[0] >> 1)
    for parameter, value in parameters_named(seeded, "random_state").items():
        if value is None:
            seeded.set_params(**{parameter: derived})
    return seeded


def _augmented(augmenter, X):
    return augmenter.augment(X) if hasattr(augmenter, "augment") else augmenter.fit_transform(X)


def _predict(estimator, X, extracted):
    """Return ``estimator.predict(X)``, extracting the features of equal first steps once."""
    estimator = predicting_estimator(estimator)
    if not isinstance(estimator, Pipeline) or not isinstance(estimator.steps[0][1], AudioExtractor):
        return estimator.predict(X)
    first = estimator.steps[0][1]
    key = type(first), repr(sorted(first.get_params().items()))
    if key not in extracted:
        extracted[key] = first.transform(X)
    return Pipeline(estimator.steps[1:]).predict(extracted[key])
