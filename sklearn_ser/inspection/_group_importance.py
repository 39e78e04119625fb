"""How much a fitted model needs groups of features: permutation within speakers."""

import re
import warnings
from dataclasses import dataclass
from numbers import Integral

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import check_scoring
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.evaluation._audio_steps import extract, predicting_estimator, split_extraction
from sklearn_ser.exceptions import EvaluationWarning, MetadataError
from sklearn_ser.inspection._selection import FEWEST_SPEAKERS
from sklearn_ser.metrics import uar_scorer
from sklearn_ser.utils._alignment import check_row_order
from sklearn_ser.utils._failed import failed_rows
from sklearn_ser.utils._frames import is_frames
from sklearn_ser.utils._ids import ID_COLUMNS, find_id, require_id, short_list
from sklearn_ser.utils._public import public_module

_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


@public_module("sklearn_ser.inspection")
def grouped_permutation_importance(
    estimator,
    X,
    y,
    groups_of_features="groups",
    *,
    speaker=None,
    across_speakers=False,
    scoring=uar_scorer,
    n_repeats=10,
    random_state=None,
):
    """How far the score falls when a group of features is permuted, all its columns together.

    Columns are permuted together since related features can stand in for each other: permuted one
    by one, none of them matters. And they are permuted within each speaker: rows get the features
    of another utterance by the same voice, so that what is measured is emotion, and not who
    speaks, which features of pitch and timbre also tell. Where a speaker has one emotion only,
    nothing can be seen so, and the importance is near 0.

    Give rows that the model was not fitted on, by speakers that it has not heard.

    Parameters
    ----------
    estimator : fitted estimator
        Of features; or a Pipeline that begins with audio steps, also within a search or an
        AugmentingClassifier: what is permuted is then the output of these steps (of the pooling,
        where they give frames).
    X : DataFrame or array-like of shape (n_rows, n_features)
        Features, or audio. Id columns are never permuted. Rows of failed audio are left out.
    y : array-like of shape (n_rows,)
        Emotions.
    groups_of_features : {"groups", "details"} or dict, default="groups"
        "groups" and "details" recognize columns by their names, see :func:`feature_groups`; or
        name of a group -> names of its columns, or their positions (required of an array).
    speaker : array-like of shape (n_rows,), default=None
        The speaker of each row; by default the column or index level "speaker" of X.
    across_speakers : bool, default=False
        Permute over all rows instead. What the features tell of the speaker then counts as well.
    scoring : str or callable, default=uar_scorer
        A scorer, ``scorer(estimator, X, y)``; higher is better.
    n_repeats : int, default=10
        Permutations; every group gets the same ones.
    random_state : int, RandomState instance or None, default=None

    Returns
    -------
    DataFrame
        One row per group, the most important first: `importance` (mean fall of the score), `low`
        and `high` (its 95 % interval over speakers), `std` (over permutations), `n_features`. In
        ``attrs``: `score` before any permutation, `n_speakers`, `across_speakers`, and `speakers`,
        group -> speaker -> fall of the speaker's own score. With fewer than 8 speakers there is no
        interval (NaN): look at these.

    Raises
    ------
    MetadataError
        If a speaker is needed and not found or missing in a row, or `speaker` or `y` are in another
        order than X.
    ValueError
        If no column's name is known, a group names a column that is not there or none, no speaker
        has two rows, or the model gets frames.

    Warns
    -----
    EvaluationWarning
        If speakers have one row only, which permutation within speakers leaves as it is.

    Notes
    -----
    The interval is a t interval with G - 1 degrees of freedom around the jackknife's standard error
    over the G speakers [2]_; it speaks of speakers like these, for this fitted model.

    References
    ----------
    .. [1] L. Breiman, "Random Forests", Machine Learning 45, 2001, section 10.
    .. [2] B. Efron, C. Stein, "The Jackknife Estimate of Variance", Annals of Statistics 9, 1981.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.svm import LinearSVC
    >>> from sklearn_ser import GroupScaler, load_features
    >>> from sklearn_ser.inspection import grouped_permutation_importance
    >>> data = load_features("egemaps")
    >>> test = (data.frame["corpus"] == "emodb").to_numpy()
    >>> train = (data.frame["corpus"] == "ravdess").to_numpy()
    >>> keep = data.frame["emotion"].isin(["anger", "sadness"]).to_numpy()
    >>> svm = make_pipeline(GroupScaler(by="corpus"), LinearSVC(C=0.001))
    >>> svm = svm.fit(data.X[train & keep], data.frame["emotion"][train & keep])
    >>> table = grouped_permutation_importance(
    ...     svm, data.X[test & keep], data.frame["emotion"][test & keep], random_state=0)
    >>> table["n_features"].sort_index().to_dict()
    {'prosody': 27, 'spectrum': 51, 'voice quality': 10}
    """
    if not isinstance(n_repeats, Integral) or n_repeats < 1:
        raise ValueError(f"n_repeats must be a whole number of at least 1, got {n_repeats!r}")
    check_consistent_length(X, y, speaker)
    for name, values in {"y": y, "speaker": speaker}.items():
        check_row_order(values, X, name, "X")
    model, features = model_and_features(estimator, X)
    speakers = _speakers(X, features, speaker, needed=not across_speakers)
    named = isinstance(features, pd.DataFrame)
    table = features if named else pd.DataFrame(np.asarray(features))
    groups = _positions(table, groups_of_features, named)
    usable = ~failed_rows(table[[name for name in table if name not in ID_COLUMNS]])
    table, truth = table[usable], np.asarray(y)[usable]
    codes, names = pd.factorize(np.zeros(0) if speakers is None else speakers[usable])
    random = check_random_state(random_state)
    orders = _orders(len(table), None if across_speakers else codes, n_repeats, random)

    measure = _Measure(model, check_scoring(model, scoring), truth, codes, len(names), named)
    whole = measure([table])
    rows, by_speaker = {}, {}
    for group, columns in groups.items():
        permuted = _Permuted(table, columns, orders)
        fall = measure(permuted, minus=whole)
        low, high = _jackknife_interval(fall.mean, fall.without)
        rows[group] = {
            "importance": fall.mean,
            "low": low,
            "high": high,
            "std": fall.std,
            "n_features": len(columns),
        }
        by_speaker[group] = dict(zip(names, fall.of_speakers.tolist(), strict=True))
    found = pd.DataFrame.from_dict(rows, orient="index").rename_axis("group")
    found = found.sort_values("importance", ascending=False, kind="stable")
    found.attrs = {
        "score": whole.mean,
        "n_speakers": len(names),
        "across_speakers": bool(across_speakers),
        "speakers": by_speaker,
    }
    return found


def _speakers(X, features, given, needed):
    """The speaker of each row as an array, or None where none is needed nor known."""
    values = given
    for place in (X, features):
        values = find_id(place, "speaker") if values is None else values
    if values is None:
        if not needed:
            return None
        require_id(X, "speaker", wanted_by="grouped_permutation_importance (speaker=)")
    values = np.asarray(values, dtype=object)
    missing = np.flatnonzero(pd.isna(values))
    if len(missing):
        raise MetadataError(
            f"the speaker is missing (None or NaN) in {len(missing)} of {len(values)} rows, first "
            f"in row {missing[0]}: fill it in, or drop these rows"
        )
    return values


def _positions(table, groups, named):
    """Group -> positions of its columns."""
    columns = [name for name in table if name not in ID_COLUMNS]
    if isinstance(groups, str):
        if groups not in ("groups", "details"):
            raise ValueError(
                f"groups_of_features must be 'groups', 'details' or a dict, got {groups!r}"
            )
        groups = feature_groups(columns, detail=groups == "details")
        if not named or {*groups} <= {OTHER}:
            raise ValueError(
                f"no column has the name of a known acoustic feature (they are "
                f"{short_list(columns)}): name the groups, "
                f"groups_of_features={{'group': [columns]}}"
            )
    if not groups:
        raise ValueError("groups_of_features is empty: give at least one {'group': [columns]}")
    found = {}
    for group, members in groups.items():
        known = {name: place for place, name in enumerate(table.columns)}
        strangers = [name for name in members if name not in known]
        if strangers or not len(members):
            raise ValueError(
                f"group {group!r} names {short_list(strangers) if strangers else 'no columns'}; "
                f"the features are {short_list(columns)}"
            )
        found[group] = [known[name] for name in members]
    return found


def _orders(n_rows, codes, n_repeats, random):
    """Permutations of the rows: of all of them, or of each speaker's among themselves."""
    if codes is None:
        return [random.permutation(n_rows) for _ in range(n_repeats)]
    counts = np.bincount(codes)
    alone = int((counts == 1).sum())
    if alone == len(counts):
        raise ValueError(
            f"none of the {len(counts)} speakers has two rows, so nothing can be permuted within "
            f"speakers: give more rows, or across_speakers=True"
        )
    if alone:
        warnings.warn(
            f"{alone} of {len(counts)} speakers have one row only, which permutation within "
            f"speakers leaves as it is: importances are too low by their share",
            EvaluationWarning,
            stacklevel=3,
        )
    rows_of = [np.flatnonzero(codes == code) for code in range(len(counts))]
    orders = []
    for _ in range(n_repeats):
        order = np.arange(n_rows)
        for rows in rows_of:
            order[rows] = random.permutation(rows)
        orders.append(order)
    return orders


class _Permuted:
    """Tables with some columns in other orders of rows; the other columns and the index stay."""

    def __init__(self, table, columns, orders):
        self._table, self._columns, self._orders = table, columns, orders

    def __len__(self):
        return len(self._orders)

    def __iter__(self):
        for order in self._orders:
            permuted = self._table.copy()
            for column in self._columns:
                permuted.isetitem(column, self._table.iloc[order, column].to_numpy())
            yield permuted


@dataclass
class _Scores:
    """Over tables: mean and deviation of the score; scores without, and of, each speaker."""

    mean: float
    std: float
    without: np.ndarray
    of_speakers: np.ndarray


class _Measure:
    """Scores of one model on tables of the same rows."""

    def __init__(self, model, scorer, truth, codes, n_speakers, named):
        self.model, self.scorer, self.truth = model, scorer, truth
        self.codes, self.n_speakers, self.named = codes, n_speakers, named

    def __call__(self, tables, minus=None):
        """Scores on these tables, or by how much they are below those of `minus`."""
        recorded = _Recorded(self.model, tables, self.named)
        n_tables, n_rows = len(tables), len(self.truth)
        truth = np.tile(self.truth, n_tables)
        parts = np.arange(len(truth)).reshape(n_tables, n_rows)
        single = np.array([self.scorer(recorded, part, self.truth) for part in parts])
        # Speakers' scores are of the rows of all tables together: one call each. That is the mean
        # over the tables, of any score that is a mean of rows or of classes' rows.
        codes = np.tile(self.codes, n_tables)
        rows = [np.flatnonzero(codes != one) for one in range(self.n_speakers)]
        rows += [np.flatnonzero(codes == one) for one in range(self.n_speakers)]
        scores = [self.scorer(recorded, at, truth[at]) if len(at) else np.nan for at in rows]
        found = _Scores(
            float(single.mean()),
            float(single.std()),
            np.array(scores[: self.n_speakers]),
            np.array(scores[self.n_speakers :]),
        )
        if minus is None:
            return found
        return _Scores(
            minus.mean - found.mean,
            found.std,
            minus.without - found.without,
            minus.of_speakers - found.of_speakers,
        )


def _jackknife_interval(estimate, without):
    n = len(without)
    if n < FEWEST_SPEAKERS:
        return float("nan"), float("nan")
    error = np.sqrt((n - 1) / n * np.square(without - without.mean()).sum())
    half = float(stats.t.ppf(0.975, n - 1) * error)
    return float(estimate - half), float(estimate + half)


class _Recorded:
    """A model's answers to whole tables, one after the other, given out by positions of rows.

    A scorer that asks it about some rows gets what the model said of them among all rows: once,
    and not what it would say of these rows alone, where it scales by the statistics of its batch.
    """

    def __init__(self, model, tables, named):
        self._model, self._tables, self._named, self._answers = model, tables, named, {}

    def __getattr__(self, name):
        found = getattr(self._model, name)
        if name not in _METHODS:
            return found
        if name not in self._answers:
            self._answers[name] = np.concatenate(
                [
                    np.asarray(found(table if self._named else table.to_numpy()))
                    for table in self._tables
                ]
            )

        def answer(rows):
            return self._answers[name][rows]

        answer.__name__ = name  # scikit-learn looks for the method by it
        return answer


#: Group, part of it, names (what a column's name, or its name behind the ``step__`` of a
#: FeatureUnion, begins with), and where the assignment comes from. The first that fits counts.
#:
#: "GeMAPS": F. Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice
#: Research and Affective Computing", IEEE Transactions on Affective Computing 7(2), 2016: it sorts
#: parameters into frequency, energy or amplitude, spectral (balance) and temporal ones.
#: Frequency without jitter and formants, loudness and temporal ones are prosody here; jitter,
#: shimmer and the harmonics-to-noise ratio, which it describes as measures of the voice, are voice
#: quality, as are its harmonic differences H1-H2 and H1-A3, which depend on the glottal pulse.
#: "ComParE": B. Schuller et al., "The INTERSPEECH 2013 Computational Paralinguistics Challenge",
#: 2013, and F. Weninger et al., "On the Acoustics of Emotion in Audio: What Speech, Music, and
#: Sound have in Common", Frontiers in Psychology 4, 2013, table 1: its 4 energy and 55 spectral
#: descriptors and its 6 related to voicing; the older sets use the same names.
#: "sklearn_ser": frames of Prosody, LogMelSpectrogram and MFCC, pooled by FunctionalsPooling.
FEATURE_PATTERNS = (
    (
        "prosody",
        "rhythm",
        "loudnessPeaksPerSec|VoicedSegmentsPerSec|(Mean|Stddev)(V|Unv)oicedSegmentLength",
        "GeMAPS",
    ),
    ("prosody", "rhythm", "F0final__Turn_", "IS10"),
    ("prosody", "rhythm", "(un)?voiced_(fraction|segment)", "sklearn_ser"),
    ("voice quality", "periodicity", "jitter|shimmer|HNR", "GeMAPS"),
    ("voice quality", "periodicity", "logHNR|voicingFinal|voiceProb", "ComParE"),
    ("voice quality", "periodicity", "f0_confidence", "sklearn_ser"),
    ("voice quality", "glottal pulse", "logRelF0-H1-(H2|A3)", "GeMAPS"),
    ("prosody", "pitch", "F0semitone", "GeMAPS"),
    ("prosody", "pitch", "F0(final|finEnv|env)?_sma", "ComParE"),
    ("prosody", "pitch", "f0_", "sklearn_ser"),
    ("prosody", "loudness", "loudness_sma|equivalentSoundLevel", "GeMAPS"),
    (
        "prosody",
        "loudness",
        "pcm_(RMSenergy|zcr|loudness|intensity)|audspec(Rasta)?_lengthL1norm",
        "ComParE",
    ),
    ("prosody", "loudness", "energy_", "sklearn_ser"),
    ("spectrum", "formants", "F[123](frequency|bandwidth|amplitude)", "GeMAPS"),
    ("spectrum", "balance", "alphaRatio|hammarbergIndex|slopeU?V", "GeMAPS"),
    ("spectrum", "shape", "spectralFlux", "GeMAPS"),
    ("spectrum", "shape", "pcm_fftMag_(fband|spectral|psySharpness)", "ComParE"),
    ("spectrum", "cepstrum", "(pcm_fftMag_)?mfcc", "GeMAPS, ComParE, sklearn_ser"),
    ("spectrum", "bands", "audSpec_Rfilt|logMelFreqBand|lspFreq", "ComParE, IS10"),
    ("spectrum", "bands", r"mel_\d", "sklearn_ser"),
)
#: Group of columns that no pattern fits.
OTHER = "other"


@public_module("sklearn_ser.inspection")
def feature_groups(names, *, detail=False):
    """Sort columns of acoustic features into prosody, voice quality and spectrum, by their names.

    Known are the names of openSMILE's sets (eGeMAPS, GeMAPS, ComParE, emobase, INTERSPEECH 2009
    to 2013), and those of :class:`~sklearn_ser.preprocessing.FunctionalsPooling` over our own
    frames. The table of patterns, with its sources, is
    ``sklearn_ser.inspection._group_importance.FEATURE_PATTERNS``.

    Parameters
    ----------
    names : iterable of str
        Names of columns.
    detail : bool, default=False
        Finer: "prosody: pitch", "prosody: loudness", "prosody: rhythm", "spectrum: formants", ...

    Returns
    -------
    dict of str to list of str
        Group -> its columns, in their order. Columns with unknown names, such as those of an
        embedding, are in the group "other".

    Examples
    --------
    >>> from sklearn_ser.inspection import feature_groups
    >>> feature_groups(["loudness_sma3_amean", "mfcc1_sma3_amean", "mel_03_mean", "ge2e_mean_000"])
    {'prosody': ['loudness_sma3_amean'], 'spectrum': ['mfcc1_sma3_amean', 'mel_03_mean'],
     'other': ['ge2e_mean_000']}
    """
    found = {}
    for name in names:
        found.setdefault(_group_of(str(name), detail), []).append(name)
    return found


def _group_of(name, detail):
    for group, part, pattern, _ in FEATURE_PATTERNS:
        if re.search(f"(?:^|__)(?:{pattern})", name):
            return f"{group}: {part}" if detail else group
    return OTHER


def model_and_features(estimator, X):
    """What predicts from a table of features, and that table.

    Parameters
    ----------
    estimator : fitted estimator
        Of features; or a Pipeline that begins with audio steps, alone, within a search or within
        an AugmentingClassifier.
    X : array-like or DataFrame
        What `estimator` predicts from.

    Returns
    -------
    model : fitted estimator
    features : DataFrame or array-like of shape (n_rows, n_features)

    Raises
    ------
    ValueError
        If the features stay frame sequences to the end.
    """
    check_is_fitted(estimator)
    model = predicting_estimator(estimator)
    extraction, _ = split_extraction(model)
    features = X
    if extraction:
        features, _ = extract(extraction, X)
    if isinstance(model, Pipeline):
        steps = model.steps[len(extraction) :]
        # On the way from frames to statistics of them.
        while is_frames(features) and len(steps) > 1:
            (_, step), *steps = steps
            if step is not None and step != "passthrough":
                features = step.transform(features)
        model = Pipeline(steps)
    if is_frames(features):
        raise ValueError(
            "this model gets frame sequences, which have no columns that could be permuted by "
            "group: put FunctionalsPooling before it, or explain a model of utterance features"
        )
    if not isinstance(features, pd.DataFrame) and not hasattr(features, "shape"):
        raise ValueError(
            f"X must be a table of features, or audio for a Pipeline that begins with an audio "
            f"step; got {type(features).__name__} for a {type(model).__name__}"
        )
    return model, features
