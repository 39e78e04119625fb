"""noise_robustness: what noise, rooms, codecs and narrow bands do to fitted classifiers."""

import os
from numbers import Real

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import validate_params

from sklearn_ser.augmentation._recordings import COLORS
from sklearn_ser.evaluation._extraction import all_audio_steps, that_predicts
from sklearn_ser.exceptions import EvaluationWarning, MetadataError
from sklearn_ser.feature_extraction._base import AudioExtractor
from sklearn_ser.robustness._table import Rows
from sklearn_ser.utils._nested_estimators import named_estimators, parameters_named
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._warnings import warn_user

#: What stands in the column `condition` for the recordings as they are.
CLEAN = "clean"
_WHERE = ("condition", "snr", "level")
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
    estimators,
    X,
    y,
    *,
    noises=None,
    snrs=(20, 10, 0),
    conditions=None,
    speaker=None,
    return_predictions=False,
    random_state=None,
):
    """Recall of fitted classifiers on recordings with noise, in rooms, through codecs.

    Every recording of X is disturbed in each way, and predicted by each estimator.

    Parameters
    ----------
    estimators : estimator, dict of str to estimator, or list of (str, estimator)
        Fitted, and not changed. Each takes audio: a Pipeline that begins with an audio step, or a
        search or meta-estimator around one.
    X : DataFrame, Series, list or array of n_rows recordings
        As audio steps take them.
    y : array-like of shape (n_rows,)
        True labels.
    noises : dict of str to object, default=None
        Name of a kind of noise to what :class:`~sklearn_ser.augmentation.AddNoise` takes as
        `noises`: a color, a file, a folder, samples, or a list of these. Take kinds that no
        estimator was trained with. None: white, pink and brown noise, which are also those that
        AddNoise takes by default. {}: none. Kinds that an estimator was trained with give a
        warning.
    snrs : sequence of float, default=(20, 10, 0)
        Signal-to-noise ratios in dB at which each of them is added.
    conditions : dict of str to augmenter, default=None
        Other disturbances: name to an object whose ``augment(X)`` gives X with other audio (an
        augmenter of :mod:`sklearn_ser.augmentation`), or to a Pipeline of such. Or name to a
        dict of level to augmenter, whose levels (numbers, such as the seconds of a reverberation)
        stand in the column ``level``, in their order. None: a room (``AddReverb``), the
        telephone's band (``TelephoneBand``) and a codec (``Codec``), as they are by default; {}:
        none.
    speaker : array-like of shape (n_rows,), default=None
        The speaker of each row, for the intervals. None: the column or index level ``speaker`` of
        X, if there is one.
    return_predictions : bool, default=False
        Whether to return each row's prediction, too.
    random_state : int, RandomState instance or None, default=None
        Of every augmenter that has none. A kind of noise draws the same at each ratio.

    Returns
    -------
    table : DataFrame
        One row for each estimator and condition: ``estimator``, ``condition`` (first "clean", the
        recordings as they are), ``snr`` (inf of "clean"; NaN of what is no noise), ``level`` (of
        conditions that have levels; else NaN), ``uar``,
        ``uar_low`` and ``uar_high`` (a 95 % t interval over speakers, see `cluster_interval`, but
        however few; NaN where a class has fewer than two), ``accuracy``, ``changed``
        (share of decisions that differ from those on the recordings as they are), ``n_rows``,
        ``n_speakers``, ``n_classes`` (of `y`).
    predictions : DataFrame
        With `return_predictions`: one row for each estimator, condition and row of X:
        ``estimator``, ``condition``, ``snr``, ``level``, ``row``, ``speaker`` (where known),
        ``truth``, ``prediction`` (None where the audio failed).

    Raises
    ------
    MetadataError
        If an estimator does not take audio, or rows or labels do not fit.
    ValueError
        If a condition is no augmenter, or two have one name.

    See Also
    --------
    adversarial_robustness : Changes that are made to mislead.
    sklearn_ser.inspection.RobustnessDisplay : Draws the table.

    Notes
    -----
    All rows of X are predicted together, so scaling that looks at the rows it is given
    (GroupScaler on a group that it has not seen) adapts to the condition. Within
    :func:`~sklearn_ser.preprocessing.one_utterance_at_a_time` it does not.

    Recordings are disturbed when they are read, each time they are read; Pipelines that begin with
    the same audio step share what it extracts, those within a search or an AugmentingClassifier
    too.

    Examples
    --------
    >>> from sklearn_ser import make_speech_corpus, make_svm_baseline
    >>> from sklearn_ser.augmentation import Gain
    >>> from sklearn_ser.evaluation import fit_model
    >>> from sklearn_ser.robustness._noise import noise_robustness
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
    for name, estimator in models.items():
        _require_audio(estimator, name)
    rows = Rows(X, y, speaker)
    seed = int(check_random_state(random_state).randint(np.iinfo(np.int32).max))
    noises = _NOISES if noises is None else noises
    disturbances = _disturbances(noises, snrs, conditions, seed, _audio_column(models))
    _warn_of_known_noises(models, noises)
    table, predictions, clean = [], [], {}
    for where, augmenter in {(CLEAN, np.inf, np.nan): None, **disturbances}.items():
        heard = X if augmenter is None else _augmented(augmenter, X)
        extracted = {}  # by audio step: estimators often share one
        for name, estimator in models.items():
            predicted = np.asarray(_predict(estimator, heard, extracted), dtype=object)
            predicted = np.where(pd.isna(predicted), None, predicted)
            clean.setdefault(name, predicted)
            keys = {"estimator": name, **dict(zip(_WHERE, where, strict=True))}
            table.append({**keys, **rows.figures(predicted, clean[name])})
            predictions.append(rows.predictions(predicted, **keys))
    order = {name: place for place, name in enumerate(models)}
    table, predictions = (
        part.sort_values("estimator", key=lambda names: names.map(order), kind="stable")
        for part in (pd.DataFrame(table), pd.concat(predictions))
    )
    table = table.reset_index(drop=True)
    return (table, predictions.reset_index(drop=True)) if return_predictions else table


def _require_audio(estimator, name):
    if not all_audio_steps(estimator):
        raise MetadataError(
            f"estimator {name!r} has no audio step, so it cannot hear noise: give a Pipeline that "
            "begins with one (LogMelSpectrogram, OpenSmileExtractor, ...)"
        )


def _audio_column(models):
    """The column of X that all of them read."""
    names = {step.audio for one in models.values() for step in all_audio_steps(one)}
    if len(names) > 1:
        raise MetadataError(
            f"the estimators read their audio from different columns, {sorted(names)}: give those "
            "of one column at a time"
        )
    return names.pop()


def _disturbances(noises, snrs, conditions, seed, audio):
    """(name, signal-to-noise ratio, other level) to augmenter, each with a seed."""
    from sklearn_ser import augmentation

    if conditions is None:
        conditions = {
            "reverberation": augmentation.AddReverb(audio=audio),
            "telephone band": augmentation.TelephoneBand(audio=audio),
            "codec": augmentation.Codec(audio=audio),
        }
    levels = sorted({float(level) for level in snrs}, reverse=True)
    made = {}
    for name, given in noises.items():
        for level in levels:
            augmenter = augmentation.AddNoise(level, given, audio=audio)
            made[name, level, np.nan] = _with_seed(augmenter, seed, name)
    twice = sorted({*noises} & {*conditions})
    if twice or CLEAN in {*noises, *conditions}:
        raise ValueError(
            f"every condition needs a name of its own, not {CLEAN!r}; got {[*noises, *conditions]}"
        )
    for name, given in conditions.items():
        by_level = given if isinstance(given, dict) else {np.nan: given}
        for level, augmenter in by_level.items():
            if not isinstance(level, Real):
                raise ValueError(
                    f"conditions[{name!r}] has the level {level!r}: levels are numbers, such as "
                    "the seconds of a reverberation"
                )
            if not hasattr(augmenter, "augment") and not isinstance(augmenter, Pipeline):
                raise ValueError(
                    f"conditions[{name!r}] must be an augmenter (with a method augment), a "
                    f"Pipeline of augmenters, or a dict of level to one; got {augmenter!r}"
                )
            made[name, np.nan, float(level)] = _with_seed(augmenter, seed, name)
    return made


def _warn_of_known_noises(models, noises):
    """A model that was trained on copies with a noise has heard it."""
    from sklearn_ser.augmentation import AddNoise

    for name, estimator in models.items():
        trained = [
            entry
            for part in estimator.get_params().values()
            if isinstance(part, AddNoise)
            for entry in _entries(part.noises)
        ]
        heard = [
            kind
            for kind, given in noises.items()
            if any(_overlap(one, other) for one in _entries(given) for other in trained)
        ]
        if heard:
            warn_user(
                f"estimator {name!r} was trained on copies with {', '.join(map(repr, heard))}, so "
                "that these figures say nothing of noise that it has not heard: give other kinds "
                "(noises=)",
                EvaluationWarning,
            )


def _entries(noises):
    """What is named in `noises` of AddNoise; arrays have no name."""
    entries = noises if isinstance(noises, list | tuple) else [noises]
    return [os.fsdecode(entry) for entry in entries if isinstance(entry, str | os.PathLike)]


def _overlap(one, other):
    """Whether two entries are one color or one file, or a file and its folder."""
    if one in COLORS or other in COLORS:
        return one == other
    one, other = (os.path.join(os.path.realpath(path), "") for path in (one, other))
    return one.startswith(other) or other.startswith(one)


def _with_seed(augmenter, seed, name):
    """A clone in which every part that has no seed has one of this condition."""
    seeded = clone(augmenter) if hasattr(augmenter, "get_params") else augmenter
    if seeded is augmenter:
        return augmenter
    own = int(np.random.SeedSequence([seed, *name.encode()]).generate_state(1)[0] >> 1)
    for parameter, value in parameters_named(seeded, "random_state").items():
        if value is None:
            seeded.set_params(**{parameter: own})
    return seeded


def _augmented(augmenter, X):
    return augmenter.augment(X) if hasattr(augmenter, "augment") else augmenter.fit_transform(X)


def _predict(estimator, X, extracted):
    """As ``estimator.predict(X)``; features of equal first steps are extracted once."""
    estimator = that_predicts(estimator)
    if not isinstance(estimator, Pipeline) or not isinstance(estimator.steps[0][1], AudioExtractor):
        return estimator.predict(X)
    first = estimator.steps[0][1]
    key = type(first), repr(sorted(first.get_params().items()))
    if key not in extracted:
        extracted[key] = first.transform(X)
    return Pipeline(estimator.steps[1:]).predict(extracted[key])
