"""Importance of groups of acoustic features: permutation within speakers, and its display."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring
from sklearn.pipeline import Pipeline
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.evaluation._audio_steps import extract, predicting_estimator, split_extraction
from sklearn_ser.exceptions import EvaluationWarning, MetadataError
from sklearn_ser.inspection._plotting import (
    AxesLike,
    DisplayWithoutOptions,
    draw_spread,
    hide_spines,
    label_rows,
    names_margin,
    series_style,
    shared_parameters,
    wrap_name,
)
from sklearn_ser.inspection._predictions import MIN_SPEAKERS
from sklearn_ser.metrics import uar_scorer
from sklearn_ser.utils._alignment import check_row_order
from sklearn_ser.utils._failed_rows import failed_rows
from sklearn_ser.utils._frames import is_frames
from sklearn_ser.utils._ids import ID_COLUMNS, find_id, require_id, short_list
from sklearn_ser.utils._public import public_module

if TYPE_CHECKING:
    from matplotlib.lines import Line2D
    from numpy.typing import ArrayLike


_METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


@public_module("sklearn_ser.inspection")
def grouped_permutation_importance(
    estimator: BaseEstimator,
    X: pd.DataFrame | ArrayLike,
    y: ArrayLike,
    groups_of_features: Literal["groups", "details"] | Mapping[str, Sequence] = "groups",
    *,
    speaker: ArrayLike | None = None,
    across_speakers: bool = False,
    scoring: str | Callable = uar_scorer,
    n_repeats: int = 10,
    random_state: int | np.random.RandomState | None = None,
) -> pd.DataFrame:
    """Compute the permutation importance of groups of features, permuted together.

    Columns are permuted together since related features can replace each other: permuted one by
    one, none of them is important. They are permuted within each speaker: a row gets the features
    of another utterance of the same voice, so that the importance is that for emotion, and not for
    the speaker, whom features of pitch and timbre also identify. The importance is near 0 for
    speakers with only one emotion.

    Pass data that the model was not fitted on, of unseen speakers.

    Parameters
    ----------
    estimator : fitted estimator
        Model of features; or a Pipeline that begins with audio steps, also within a search or an
        AugmentingClassifier: the output of these steps (of the pooling, if they return frames) is
        permuted.
    X : DataFrame or array-like of shape (n_samples, n_features)
        Features, or audio. Id columns are not permuted. Rows of failed audio are left out.
    y : array-like of shape (n_samples,)
        Emotions.
    groups_of_features : {"groups", "details"} or dict, default="groups"
        "groups" and "details" recognize columns by their names, see :func:`feature_groups`. A dict
        maps the name of a group to the names of its columns, or to their positions in an array.
    speaker : array-like of shape (n_samples,), default=None
        Speaker of each row; by default the column or index level "speaker" of X.
    across_speakers : bool, default=False
        Whether to permute over all rows. The importance is then also that for the speaker.
    scoring : str or callable, default=uar_scorer
        Scorer, ``scorer(estimator, X, y)``; higher is better.
    n_repeats : int, default=10
        Number of permutations, which are the same for every group.
    random_state : int, RandomState instance or None, default=None
        Seed of the permutations.

    Returns
    -------
    DataFrame
        One row per group, the most important first: `importance` (mean decrease of the score),
        `low` and `high` (its 95 % interval over speakers; NaN with fewer than 8), `std` (over
        permutations), `n_features`. Its ``attrs`` hold the `score` before permutation,
        `n_speakers`, `across_speakers`, and `speakers`: group -> speaker -> decrease of the
        speaker's score.

    Raises
    ------
    MetadataError
        If a speaker is needed but not found, or missing in a row, or `speaker` or `y` are in
        another order than X.
    ValueError
        If no column has a known name, a group has an unknown column or none, no speaker has two
        rows, or the model takes frames.

    Warns
    -----
    EvaluationWarning
        If speakers have only one row, which permutation within speakers does not change.

    Notes
    -----
    The interval is a t interval with G - 1 degrees of freedom and the jackknife standard error over
    the G speakers [2]_. It is about similar speakers, for this fitted model.

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
        raise ValueError(f"n_repeats must be an integer of at least 1, got {n_repeats!r}.")
    check_consistent_length(X, y, speaker)
    for name, values in {"y": y, "speaker": speaker}.items():
        check_row_order(values, X, name, "X")
    model, features = _model_and_features(estimator, X)
    speakers = _find_speakers(X, features, speaker, needed=not across_speakers)
    named = isinstance(features, pd.DataFrame)
    table = features if named else pd.DataFrame(np.asarray(features))
    groups = _column_positions(table, groups_of_features, named)
    usable = ~failed_rows(table[[name for name in table if name not in ID_COLUMNS]])
    table, y_true = table[usable], np.asarray(y)[usable]
    codes, names = pd.factorize(np.zeros(0) if speakers is None else speakers[usable])
    random = check_random_state(random_state)
    orders = _permutations(len(table), None if across_speakers else codes, n_repeats, random)

    scorer = check_scoring(model, scoring)
    unchanged = _RecordedModel(model, table, [], orders[:1], named)
    baseline, _ = _scores(unchanged, scorer, y_true, codes, len(names))
    rows, by_speaker = {}, {}
    for group, columns in groups.items():
        permuted = _RecordedModel(model, table, columns, orders, named)
        scores, std = _scores(permuted, scorer, y_true, codes, len(names))
        mean, without, of_speakers = np.split(baseline - scores, [1, 1 + len(names)])
        importance = float(mean[0])
        low, high = _jackknife_interval(importance, without)
        interval = {"low": low, "high": high, "std": std}
        rows[group] = {"importance": importance, **interval, "n_features": len(columns)}
        by_speaker[group] = dict(zip(names, of_speakers.tolist(), strict=True))
    result = pd.DataFrame.from_dict(rows, orient="index").rename_axis("group")
    result = result.sort_values("importance", ascending=False, kind="stable")
    result.attrs = {
        "score": float(baseline[0]),
        "n_speakers": len(names),
        "across_speakers": bool(across_speakers),
        "speakers": by_speaker,
    }
    return result


def _find_speakers(X, features, given, needed):
    """Return the speaker of each row as an array, or None if none is needed nor found."""
    values = given
    for table in (X, features):
        values = find_id(table, "speaker") if values is None else values
    if values is None:
        if not needed:
            return None
        require_id(X, "speaker", owner="grouped_permutation_importance (speaker=)")
    values = np.asarray(values, dtype=object)
    missing = np.flatnonzero(pd.isna(values))
    if len(missing):
        raise MetadataError(
            f"The speaker is missing (None or NaN) in {len(missing)} of {len(values)} rows, first "
            f"in row {missing[0]}. Fill it in, or drop these rows."
        )
    return values


def _column_positions(table, groups, named):
    """Return the positions of the columns of each group."""
    columns = [name for name in table if name not in ID_COLUMNS]
    if isinstance(groups, str):
        if groups not in ("groups", "details"):
            raise ValueError(
                f"groups_of_features must be 'groups', 'details' or a dict, got {groups!r}."
            )
        groups = feature_groups(columns, detail=groups == "details")
        if not named or {*groups} <= {OTHER}:
            raise ValueError(
                f"No column has the name of a known acoustic feature; the columns are "
                f"{short_list(columns)}. Define the groups yourself: "
                f"groups_of_features={{'group': [columns]}}."
            )
    if not groups:
        raise ValueError("groups_of_features is empty. Pass at least one {'group': [columns]}.")
    position_of = {name: position for position, name in enumerate(table.columns)}
    positions = {}
    for group, members in groups.items():
        unknown = [name for name in members if name not in position_of]
        if unknown or not len(members):
            raise ValueError(
                f"Group {group!r} has "
                f"{f'the unknown columns {short_list(unknown)}' if unknown else 'no columns'}; the "
                f"features are {short_list(columns)}."
            )
        positions[group] = [position_of[name] for name in members]
    return positions


def _permutations(n_rows, codes, n_repeats, random):
    """Return permutations of all rows, or of the rows of each speaker."""
    if codes is None:
        return [random.permutation(n_rows) for _ in range(n_repeats)]
    counts = np.bincount(codes)
    n_single = int((counts == 1).sum())
    if n_single == len(counts):
        raise ValueError(
            f"None of the {len(counts)} speakers has two rows, so nothing can be permuted within "
            f"speakers. Pass more rows, or across_speakers=True."
        )
    if n_single:
        warnings.warn(
            f"{n_single} of {len(counts)} speakers have only one row, which permutation within "
            f"speakers does not change: the importances are underestimated. Leave these speakers "
            f"out, or pass more rows of them.",
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


def _scores(recorded, scorer, y_true, codes, n_speakers):
    """Return an array of the mean score, the scores without and of each speaker; and its std."""
    n_tables, n_rows = recorded.n_tables, len(y_true)
    parts = np.arange(n_tables * n_rows).reshape(n_tables, n_rows)
    by_table = np.array([scorer(recorded, part, y_true) for part in parts])
    # Scores of speakers are computed from the rows of all tables at once. That is the mean over
    # the tables for any score that is a mean over rows or over the rows of classes.
    y_true, codes = np.tile(y_true, n_tables), np.tile(codes, n_tables)
    rows = [np.flatnonzero(codes != code) for code in range(n_speakers)]
    rows += [np.flatnonzero(codes == code) for code in range(n_speakers)]
    of_speakers = [scorer(recorded, at, y_true[at]) if len(at) else np.nan for at in rows]
    return np.array([by_table.mean(), *of_speakers]), float(by_table.std())


def _jackknife_interval(estimate, without):
    n = len(without)
    if n < MIN_SPEAKERS:
        return float("nan"), float("nan")
    error = np.sqrt((n - 1) / n * np.square(without - without.mean()).sum())
    half = float(stats.t.ppf(0.975, n - 1) * error)
    return float(estimate - half), float(estimate + half)


class _RecordedModel:
    """Outputs of a model for copies of a table with permuted columns, by positions of rows.

    Rows are predicted within whole tables: alone they would cost time, and the outputs of models
    that scale by the statistics of their batch would change.
    """

    def __init__(self, model, table, columns, orders, named):
        self._model, self._table, self._columns, self._orders = model, table, columns, orders
        self._named, self._outputs, self.n_tables = named, {}, len(orders)

    def _tables(self):
        for order in self._orders:
            permuted = self._table.copy()
            for column in self._columns:
                permuted.isetitem(column, self._table.iloc[order, column].to_numpy())
            yield permuted if self._named else permuted.to_numpy()

    def __getattr__(self, name):
        attribute = getattr(self._model, name)
        if name not in _METHODS:
            return attribute
        if name not in self._outputs:
            outputs = [np.asarray(attribute(table)) for table in self._tables()]
            self._outputs[name] = np.concatenate(outputs)

        def method(rows):
            return self._outputs[name][rows]

        method.__name__ = name  # scikit-learn identifies the method by it
        return method


def _model_and_features(estimator, X):
    """Return the part of a model that takes a table of features, and that table for `X`."""
    check_is_fitted(estimator)
    model = predicting_estimator(estimator)
    extraction, _ = split_extraction(model)
    features = X
    if extraction:
        features, _ = extract(extraction, X)
    if isinstance(model, Pipeline):
        steps = model.steps[len(extraction) :]
        # Steps from frames to their statistics.
        while is_frames(features) and len(steps) > 1:
            (_, step), *steps = steps
            if step is not None and step != "passthrough":
                features = step.transform(features)
        model = Pipeline(steps)
    if is_frames(features):
        raise ValueError(
            "This model takes frame sequences, which have no columns that could be permuted by "
            "group. Add FunctionalsPooling before it, or pass a model of utterance features."
        )
    if not isinstance(features, pd.DataFrame) and not hasattr(features, "shape"):
        raise ValueError(
            f"X is of type {type(features).__name__}, but must be a table of features, or audio "
            f"for a Pipeline that begins with an audio step; the model is of type "
            f"{type(model).__name__}."
        )
    return model, features


#: (group, subgroup) -> patterns of the beginning of a column's name, or of its name after the
#: ``step__`` of a FeatureUnion. The first match counts.
#:
#: Assignments of GeMAPS names follow F. Eyben et al., "The Geneva Minimalistic Acoustic Parameter
#: Set (GeMAPS) for Voice Research and Affective Computing", IEEE Transactions on Affective
#: Computing 7(2), 2016. It sorts parameters into frequency, energy or amplitude, spectral (balance)
#: and temporal ones. Here, frequency without jitter and formants, loudness and temporal ones are
#: prosody; jitter, shimmer and the harmonics-to-noise ratio, which it describes as measures of the
#: voice, are voice quality, as are its harmonic differences H1-H2 and H1-A3, which depend on the
#: glottal pulse. Those of ComParE and the older sets follow B. Schuller et al., "The INTERSPEECH
#: 2013 Computational Paralinguistics Challenge", 2013, and F. Weninger et al., "On the Acoustics of
#: Emotion in Audio: What Speech, Music, and Sound have in Common", Frontiers in Psychology 4, 2013,
#: table 1: its 4 energy, 55 spectral and 6 voicing-related descriptors. Names in lower case with
#: underscores are those of Prosody, LogMelSpectrogram and MFCC, pooled by FunctionalsPooling.
FEATURE_PATTERNS = {
    ("prosody", "rhythm"): (
        "loudnessPeaksPerSec|VoicedSegmentsPerSec|(Mean|Stddev)(V|Unv)oicedSegmentLength",
        "F0final__Turn_",
        "(un)?voiced_(fraction|segment)",
    ),
    ("voice quality", "periodicity"): (
        "jitter|shimmer|HNR",
        "logHNR|voicingFinal|voiceProb",
        "f0_confidence",
    ),
    ("voice quality", "glottal pulse"): ("logRelF0[-_]H1[-_](H2|A3)",),
    ("prosody", "pitch"): ("F0semitone", "F0(final|finEnv|env)?_sma", "f0_"),
    ("prosody", "loudness"): (
        "loudness_sma|equivalentSoundLevel",
        "pcm_(RMSenergy|zcr|loudness|intensity)|audspec(Rasta)?_lengthL1norm",
        "energy_",
    ),
    ("spectrum", "formants"): ("F[123](frequency|bandwidth|amplitude)",),
    ("spectrum", "balance"): ("alphaRatio|hammarbergIndex|slopeU?V",),
    ("spectrum", "shape"): ("spectralFlux", "pcm_fftMag_(fband|spectral|psySharpness)"),
    ("spectrum", "cepstrum"): ("(pcm_fftMag_)?mfcc",),
    ("spectrum", "bands"): ("audSpec_Rfilt|logMelFreqBand|lspFreq", r"mel_\d"),
}
#: Group of columns that match no pattern.
OTHER = "other"


@public_module("sklearn_ser.inspection")
def feature_groups(names: Iterable[str], *, detail: bool = False) -> dict[str, list[str]]:
    """Group columns of acoustic features into prosody, voice quality and spectrum, by their names.

    The names of openSMILE's sets (eGeMAPS, GeMAPS, ComParE, emobase, INTERSPEECH 2009 to 2013) are
    recognized, and those of :class:`~sklearn_ser.preprocessing.FunctionalsPooling` on frames of
    this package's extractors. The patterns follow the GeMAPS and ComParE papers, which the source
    code cites.

    Parameters
    ----------
    names : iterable of str
        Column names.
    detail : bool, default=False
        Whether to return finer groups: "prosody: pitch", "prosody: loudness", "prosody: rhythm",
        "spectrum: formants", ...

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
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(_group_of(str(name), detail), []).append(name)
    return groups


def _group_of(name, detail):
    for (group, part), patterns in FEATURE_PATTERNS.items():
        if re.search(f"(?:^|__)(?:{'|'.join(patterns)})", name):
            return f"{group}: {part}" if detail else group
    return OTHER


@public_module("sklearn_ser.inspection")
@dataclass(eq=False, repr=False)
class GroupImportanceDisplay(DisplayWithoutOptions):
    """Importance of groups of features as bars, with intervals over speakers, or the speakers.

    Use :meth:`from_table`.

    Parameters
    ----------
    table : DataFrame
        Result of :func:`grouped_permutation_importance`, with its ``attrs``.

    Attributes
    ----------
    ax_, figure_ : matplotlib Axes and Figure
    bars_ : BarContainer
    intervals_ : dict of str to matplotlib Line2D
        Interval of each group, if there is one.
    speakers_ : dict of str to matplotlib Line2D
        Decreases of the speakers' scores, with fewer than 8 speakers.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_ser.inspection import GroupImportanceDisplay, grouped_permutation_importance
    >>> rng = np.random.default_rng(0)
    >>> X = pd.DataFrame(rng.normal(size=(80, 2)), columns=["loudness_sma3_amean", "mfcc1_sma3"])
    >>> y = np.where(X["loudness_sma3_amean"] > 0, "anger", "sadness")
    >>> model = LogisticRegression().fit(X, y)
    >>> speaker = np.arange(80) // 10
    >>> table = grouped_permutation_importance(model, X, y, speaker=speaker, random_state=0)
    >>> display = GroupImportanceDisplay.from_table(table)
    >>> [label.get_text() for label in display.ax_.get_yticklabels()]
    ['prosody (1)', 'spectrum (1)']
    """

    table: pd.DataFrame

    @classmethod
    @shared_parameters
    def from_table(cls, table: pd.DataFrame, *, ax: AxesLike = None) -> Self:
        """Draw a table of importances.

        Parameters
        ----------
        table : DataFrame
            Result of :func:`grouped_permutation_importance`.
        %(ax_and_return)s
        """
        return cls(table).plot(ax=ax)

    def _plot(self, ax: AxesLike) -> None:
        table, attrs = self.table, self.table.attrs
        names = [f"{group} ({n})" for group, n in table["n_features"].items()]
        size = (4.2, 1.4 + 0.34 * len(names))
        self._make_subplots(ax, ["importance"], size=size, margin=names_margin(names))
        label_rows(self.ax_, names)
        color = series_style(3)["color"]
        self.bars_ = self.ax_.barh(
            range(len(table)), table["importance"], height=0.55, color=color, zorder=2
        )
        self.ax_.axvline(0, color="0.4", linewidth=0.8, zorder=1)
        self.intervals_: dict[str, Line2D] = {}
        self.speakers_: dict[str, Line2D] = {}
        for row, (group, values) in enumerate(table.iterrows()):
            of_speakers = list(attrs.get("speakers", {}).get(group, {}).values())
            shown = of_speakers if 1 < len(of_speakers) < MIN_SPEAKERS else []
            interval, speakers = draw_spread(self.ax_, row, values, shown, color="0.15")
            if interval is not None:
                self.intervals_[group] = interval
            if speakers is not None:
                self.speakers_[group] = speakers
        # The numbers are beside the longest marks.
        low, high = self.ax_.get_xlim()
        end = high + 0.2 * (high - low)
        self.ax_.set_xlim(low, end)
        for row, value in enumerate(table["importance"]):
            self.ax_.text(end, row, f"{value:.2f}", ha="right", va="center", fontsize=8)
        within = "over all rows" if attrs.get("across_speakers") else "within speakers"
        score = f" (from {attrs['score']:.2f})" if "score" in attrs else ""
        label = f"decrease of the score{score}, features permuted {within}"
        self.ax_.set_xlabel(wrap_name(label, 34))
        hide_spines(self.ax_)
        self.ax_.spines["left"].set_visible(False)
        marks = {"95 % over speakers": self.intervals_, "one speaker": self.speakers_}
        legend = {label: next(iter(lines.values())) for label, lines in marks.items() if lines}
        if legend:
            self._legend_below(list(legend.values()), list(legend))
        self._fit_row_text(len(names), 1)
