"""Final model: fitting on all samples, and predictions for new recordings as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Real
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils._param_validation import Interval, validate_params

from sklearn_ser.audio._decoding import path_of
from sklearn_ser.audio._input import as_table, find_references
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


#: Suffixes of the recordings that are looked for in folders.
_AUDIO_SUFFIXES = {
    *(".aif", ".aifc", ".aiff", ".au", ".caf", ".flac", ".mp3", ".nist", ".oga", ".ogg", ".opus"),
    *(".rf64", ".snd", ".sph", ".voc", ".w64", ".wav", ".wave"),
}


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
def predict_table(
    model: BaseEstimator,
    X: str | PathLike | pd.DataFrame | pd.Series | Sequence | np.ndarray,
    *,
    verbose: int = 0,
) -> pd.DataFrame:
    """Predict label, probabilities and auxiliary targets of each recording.

    Recordings that cannot be used are no error: they have no label, and the column `error` holds
    the reason.

    Parameters
    ----------
    model : fitted Pipeline from audio to emotion
        Or a search over one, or an AugmentingClassifier of one.
    X : path, DataFrame, Series, list or array of audio
        Recordings, in a DataFrame with their id columns if known. The path of a folder stands for
        the audio files in it and in its subfolders, in the order of their paths.
    verbose : int, default=0
        1 shows the progress of the extraction on a terminal.

    Returns
    -------
    pandas.DataFrame
        One row per recording: `file` (its path, None for an array), `label`, one ``p_<label>`` per
        class where the model gives probabilities, for each auxiliary task ``aux_<task>`` and, if
        it predicts classes, one ``aux_<task>_p_<class>`` per class, and `error` (None without
        error).

    See Also
    --------
    predict_timeline : One row per window of each recording.

    Examples
    --------
    >>> from sklearn_ser import make_multi_task_net, make_speech_corpus
    >>> from sklearn_ser.evaluation import fit_model, predict_table
    >>> speech = make_speech_corpus(n_speakers=4, random_state=0).frame
    >>> net = make_multi_task_net("egemaps", tasks={"gender": "auto"}, max_epochs=5)
    >>> table = predict_table(fit_model(net, speech, aux="gender"), speech["file"].head(3))
    >>> list(table.columns)[-4:]
    ['aux_gender', 'aux_gender_p_female', 'aux_gender_p_male', 'error']
    """
    model = predicting_estimator(model)
    extraction, audio = _extraction_of(model)
    X = find_recordings(X, audio)
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
    # Of dtype object: as strings, pandas would replace the None of arrays by NaN.
    table.insert(0, "file", pd.Series(list(map(path_of, X[audio])), dtype=object))
    return table.assign(error=pd.Series([reasons.get(row) for row in rows], dtype=object))


def _extraction_of(model):
    """Return the leading audio steps of a model, and the name of their audio column."""
    extraction, _ = split_extraction(model)
    steps = [audio_step for _, step in extraction for audio_step in audio_steps(step)]
    return extraction, steps[0].audio if steps else "file"


def find_recordings(X: Any, audio: str) -> pd.DataFrame:
    """Return a table with one row per recording; folders are replaced by the audio files in them.

    `audio` names the column of the audio.
    """
    X = [X] if isinstance(X, str | PathLike) else X
    table = as_table(X, find_references(X, audio), audio)
    files = [_files_in(reference) for reference in table[audio]]
    table = table.iloc[np.repeat(np.arange(len(table)), list(map(len, files)))]
    found = pd.Series([file for part in files for file in part], table.index, dtype=object)
    return table.assign(**{audio: found}).reset_index(drop=True)


def _files_in(reference):
    """List the audio files in a folder, or an audio reference of another kind alone."""
    path = path_of(reference)
    if path is None or not Path(path).is_dir():
        return [reference]
    files = [
        str(file)
        for file in sorted(Path(path).rglob("*"))
        if file.suffix.lower() in _AUDIO_SUFFIXES
        and not file.name.startswith(".")
        and file.is_file()
    ]
    return files or [reference]  # (whose error is reported like that of a file)


def _predict_usable(rest, features):
    table = pd.DataFrame({"label": rest.predict(features)}, dtype=object)
    if hasattr(rest, "predict_proba"):
        table[probability_columns(rest.classes_)] = rest.predict_proba(features)
    last = rest.steps[-1][1]
    if hasattr(last, "predict_aux"):
        shared = rest[:-1].transform(features) if len(rest.steps) > 1 else features
        predicted = last.predict_aux(shared)
        probabilities = last.predict_aux_proba(shared)
        for task in predicted.columns:
            table[f"aux_{task}"] = predicted[task].to_numpy()
            for name, values in probabilities.get(task, {}).items():
                table[f"aux_{task}_p_{name}"] = values.to_numpy()
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
    X: str | PathLike | pd.DataFrame | pd.Series | Sequence | np.ndarray,
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
    X : path, DataFrame, Series, list or array of audio
        Recordings or folders, as in :func:`predict_table`. With columns ``start`` and ``end`` the
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
        One row per window, in order: `row` (number of the recording), `file` (None for an array),
        `start` and `end` in seconds, and the other columns of :func:`predict_table`. A recording
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
    extraction, audio = _extraction_of(predicting_estimator(model))
    steps = [audio_step for _, step in extraction for audio_step in audio_steps(step)]
    shortest = max((step._min_duration for step in steps), default=0.0)
    if window < shortest:
        raise ValueError(
            f"window must be at least {shortest:g} s, the minimum of the audio steps of this "
            f"model. Got {window:g} instead."
        )
    # A window below the minimum of the steps would only fail.
    min_window = max(window / 2 if min_window is None else min_window, shortest)
    recordings = find_recordings(X, audio)
    windows = window_table(recordings, window, hop, min_window=min_window, audio=audio)
    table = predict_table(model, windows, verbose=verbose)
    for position, name in ((0, "row"), (2, "start"), (3, "end")):
        table.insert(position, name, windows[name].set_axis(table.index))
    return table
