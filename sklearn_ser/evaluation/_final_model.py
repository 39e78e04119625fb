"""Final model: fitting on all samples, and predictions for new recordings as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import Interval, validate_params

from sklearn_ser.audio._decoding import path_of
from sklearn_ser.evaluation._audio_steps import (
    all_audio_steps,
    audio_steps,
    extract,
    predicting_estimator,
    split_extraction,
    with_ids,
)
from sklearn_ser.evaluation._evaluation_data import as_frame, select_data
from sklearn_ser.evaluation._predictions_table import probability_columns
from sklearn_ser.exceptions import AudioError
from sklearn_ser.preprocessing import window_table
from sklearn_ser.utils._failed_rows import failed_rows
from sklearn_ser.utils._nested_estimators import named_estimators
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._routing import fit_routed

if TYPE_CHECKING:
    from numpy.typing import ArrayLike
    from sklearn.base import BaseEstimator

    from sklearn_ser.datasets import Corpus


@public_module("sklearn_ser.evaluation")
def fit_model(
    estimator: BaseEstimator,
    frame: pd.DataFrame | Corpus | Sequence[Mapping],
    *,
    X: list[str] | pd.DataFrame | ArrayLike | None = None,
    y: str = "emotion",
    aux: str | Sequence[str] | None = ("gender", "naturalness"),
    corpus: str = "corpus",
    speaker: str = "speaker",
    labels: Sequence | np.ndarray | None = None,
    verbose: int = 0,
) -> BaseEstimator:
    """Fit one estimator on every labeled utterance of `frame`, with the metadata it requests.

    A semi-supervised estimator (with a parameter `unlabeled` that is not None) is fitted on the
    unlabeled utterances as well; see the notes of :func:`cross_corpus_validate`.

    Parameters
    ----------
    estimator : estimator
        It is not modified: a clone is fitted.
    frame, X, y, aux, corpus, speaker, labels : object
        As in :func:`cross_corpus_validate`; `labels` by default are those that every corpus has.
    verbose : int, default=0
        1 shows the progress of the extraction on a terminal.

    Returns
    -------
    model : estimator
        Fitted. Utterances whose audio failed (``on_error="warn"`` or ``"ignore"`` in the
        extractor) are left out of training; the extractor's `failures_` lists them.

    Examples
    --------
    >>> from sklearn_ser import make_single_task_net, make_speech_corpus
    >>> from sklearn_ser.evaluation import fit_model
    >>> corpus = make_speech_corpus(n_speakers=4, random_state=0)
    >>> net = make_single_task_net("egemaps", max_epochs=5, random_state=0)
    >>> fit_model(net, corpus.frame, aux=()).classes_.tolist()
    ['anger', 'happiness', 'neutral', 'sadness']
    """
    name = getattr(estimator, "__name__", type(estimator).__name__)
    chosen = {"X": X, "y": y, "aux": aux, "corpus": corpus, "speaker": speaker, "labels": labels}
    data = select_data(named_estimators({name: estimator}), as_frame(frame), **chosen)
    extraction, rest = split_extraction(estimator) if data.is_audio else ([], clone(estimator))
    if extraction:
        features, _ = extract(extraction, data.X, verbose=verbose)
        features = with_ids(features, data.ids)
    else:
        features = data.X
    usable = ~failed_rows(features)
    metadata = {name: values[usable] for name, values in data.metadata().items()}
    fit_routed(rest, features[usable], data.targets(data.sentinels[name])[usable], **metadata)
    if not extraction:
        return rest
    steps = rest.steps if isinstance(rest, Pipeline) else [("search", rest)]
    return Pipeline([*extraction, *steps])


@public_module("sklearn_ser.evaluation")
def predict_table(model: BaseEstimator, X: pd.DataFrame, *, verbose: int = 0) -> pd.DataFrame:
    """Predict label, probabilities and auxiliary targets of each recording.

    Recordings that cannot be used are no error: they have no label, and the column `error` holds
    the reason.

    Parameters
    ----------
    model : fitted Pipeline from audio to emotion
        Or a search over one, or an AugmentingClassifier of one.
    X : pandas.DataFrame
        Audio column and, if known, id columns.
    verbose : int, default=0
        1 shows the progress of the extraction on a terminal.

    Returns
    -------
    pandas.DataFrame
        One row per recording: `label`, one ``p_<label>`` per class where the model gives
        probabilities, one ``aux_<task>`` per auxiliary task, and `error` (None without error).
    """
    model = predicting_estimator(model)
    extraction, _ = split_extraction(model)
    if not extraction or not isinstance(model, Pipeline):
        inside = ", or contains it further inside" if all_audio_steps(model) else ""
        raise AudioError(
            f"this {type(model).__name__} does not begin with an audio step{inside}, so it cannot "
            "read recordings. Pass a Pipeline that begins with one"
            + (", such as fit_model returns for it" if extraction else "")
        )
    for _, step in extraction:
        for audio_step in audio_steps(step):
            audio_step.set_params(on_error="ignore")
    features, failures = extract(extraction, X, verbose=verbose)
    usable = ~failed_rows(features)
    rows = range(len(X))
    table = pd.DataFrame(index=rows, columns=["label"], dtype=object)
    if usable.any():
        predicted = _predict_usable(Pipeline(model.steps[len(extraction) :]), features[usable])
        table = predicted.set_axis(table.index[usable], axis=0).reindex(rows)
    reasons = {record["row"]: record["reason"] for record in failures}
    table["label"] = table["label"].where(usable, None)
    return table.assign(error=pd.Series([reasons.get(row) for row in rows], dtype=object))


def _predict_usable(rest, features):
    table = pd.DataFrame({"label": rest.predict(features)}, dtype=object)
    if hasattr(rest, "predict_proba"):
        table[probability_columns(rest.classes_)] = rest.predict_proba(features)
    last = rest.steps[-1][1]
    if hasattr(last, "predict_aux"):
        shared = rest[:-1].transform(features) if len(rest.steps) > 1 else features
        predicted = last.predict_aux(shared)
        for task in predicted.columns:
            table[f"aux_{task}"] = predicted[task].to_numpy()
    return table


@public_module("sklearn_ser.evaluation")
@validate_params(
    {
        "window": [Interval(Real, 0, None, closed="neither")],
        "hop": [Interval(Real, 0, None, closed="neither")],
        "min_window": [Interval(Real, 0, None, closed="neither"), None],
    },
    prefer_skip_nested_validation=False,
)
def predict_timeline(
    model: BaseEstimator,
    X: pd.DataFrame | pd.Series | Sequence | np.ndarray,
    window: float = 4.0,
    hop: float = 2.0,
    *,
    min_window: float | None = None,
    verbose: int = 0,
) -> pd.DataFrame:
    """Predict label, probabilities and auxiliary targets of each window of each recording.

    Windows that cannot be used (such as digital silence) are no error: they have no label, and the
    column `error` holds the reason. No recording is held in memory as a whole.

    Parameters
    ----------
    model : fitted Pipeline from audio to emotion
        Or a search over one, or an AugmentingClassifier of one.
    X : DataFrame, Series, list or array of audio
        Recordings, in a DataFrame with their id columns if known. With ``start`` and ``end`` the
        windows are between these.
    window : float, default=4.0
        Duration of a window in seconds, preferably that of the training utterances, and at least
        the minimum of the audio steps (0.06 s for most).
    hop : float, default=2.0
        Seconds from the start of a window to that of the next; at most `window`.
    min_window : float, default=None
        Minimum duration of the last window, if the recording ends within it; a shorter rest is
        covered by a window of full length that ends with the recording. None: half a window. It is
        at least the minimum of the audio steps.
    verbose : int, default=0
        1 shows the progress of the extraction on a terminal.

    Returns
    -------
    pandas.DataFrame
        One row per window, in order: `row` (position of the recording in X), `file` (None for an
        array), `start` and `end` in seconds, and the columns of :func:`predict_table`. A recording
        that cannot be opened has one row, without times.

    See Also
    --------
    predict_table : One row per recording.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> from sklearn_ser import make_single_task_net, make_speech_corpus
    >>> from sklearn_ser.evaluation import fit_model, predict_timeline
    >>> speech = make_speech_corpus(n_speakers=4, random_state=0).frame
    >>> model = fit_model(make_single_task_net("egemaps", max_epochs=5), speech, aux=())
    >>> recording = np.concatenate([signal for signal, rate in speech["file"].head(4)])
    >>> timeline = predict_timeline(model, [recording], window=1.0, hop=0.5)
    >>> list(timeline.columns)[:5]
    ['row', 'file', 'start', 'end', 'label']
    >>> timeline["start"].tolist()[:3]
    [0.0, 0.5, 1.0]
    """
    extraction, _ = split_extraction(predicting_estimator(model))
    steps = [audio_step for _, step in extraction for audio_step in audio_steps(step)]
    audio = steps[0].audio if steps else "file"
    shortest = max((step._min_duration for step in steps), default=0.0)
    if window < shortest:
        raise ValueError(
            f"window must be at least {shortest:g} s, the minimum of the audio steps of this "
            f"model. Got {window:g} instead."
        )
    # A window below the minimum of the steps would only fail.
    min_window = max(window / 2 if min_window is None else min_window, shortest)
    windows = window_table(X, window, hop, min_window=min_window, audio=audio)
    table = predict_table(model, windows, verbose=verbose)
    # Of dtype object: as strings, pandas would replace the None of arrays by NaN.
    files = pd.Series([path_of(one) for one in windows[audio]], windows.index, dtype=object)
    times = windows[["row", "start", "end"]]
    times.insert(1, "file", files)
    for position, name in enumerate(times.columns):
        table.insert(position, name, times[name].set_axis(table.index))
    return table
