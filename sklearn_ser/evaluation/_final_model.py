"""Final model: fitting on all samples, and predictions for new recordings as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklearn_ser.audio._decoding import file_of, path_of
from sklearn_ser.audio._input import as_table, find_references
from sklearn_ser.audio._source import AUDIO_SUFFIXES
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
def predict_table(
    model: BaseEstimator,
    X: str | PathLike | pd.DataFrame | pd.Series | Sequence | np.ndarray,
    *,
    verbose: int = 0,
) -> pd.DataFrame:
    """Predict label, probabilities and auxiliary targets of each recording.

    Recordings that cannot be used raise no error: they have no label, and the column `error` holds
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
    return predict_rows(predicting_estimator(model), X, {}, None, verbose)


def predict_rows(
    model: BaseEstimator,
    X: Any,
    left_out: Mapping[int, str],
    averaging: Callable[[np.ndarray], Any] | None,
    verbose: int,
) -> pd.DataFrame:
    """Return the table of :func:`predict_table`.

    Rows of `left_out` get no prediction, but its reason. `averaging` returns, for the positions of
    the rows with predictions, a matrix that averages these.
    """
    extraction, audio = extraction_of(model)
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
    rows = np.setdiff1d(np.arange(len(X)), [*left_out])
    table = pd.DataFrame(index=range(len(X)), columns=["label"], dtype=object)
    reasons = dict(left_out)
    if len(rows):
        features, failures = extract(extraction, X.iloc[rows], verbose=verbose)
        reasons |= {rows[record["row"]]: record["reason"] for record in failures}
        usable = ~failed_rows(features)
        rows = rows[usable]
    if len(rows):
        rest = Pipeline(model.steps[len(extraction) :])
        weights = None if averaging is None else averaging(rows)
        predicted = _predict_usable(rest, features[usable], weights)
        table = predicted.set_axis(rows, axis=0).reindex(table.index)
    table["label"] = table["label"].where(table.index.isin(rows), None)
    # Of dtype object: as strings, pandas would replace the None of arrays by NaN.
    table.insert(0, "file", pd.Series(list(map(file_of, X[audio])), dtype=object))
    return table.assign(error=pd.Series([reasons.get(row) for row in table.index], dtype=object))


def extraction_of(model: BaseEstimator) -> tuple[list, str]:
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
        if file.suffix.lower() in AUDIO_SUFFIXES
        and not file.name.startswith(".")
        and file.is_file()
    ]
    return files or [reference]  # (whose error is reported like that of a file)


def _predict_usable(rest, features, weights):
    table = pd.DataFrame({"label": rest.predict(features)}, dtype=object)
    if hasattr(rest, "predict_proba"):
        probabilities = rest.predict_proba(features)
        if weights is not None:
            probabilities = weights @ probabilities
            labels = np.asarray(rest.classes_, dtype=object)[probabilities.argmax(axis=1)]
            table["label"] = pd.Series(labels, dtype=object)
        table[probability_columns(rest.classes_)] = probabilities
    last = rest.steps[-1][1]
    if hasattr(last, "predict_aux"):
        shared = rest[:-1].transform(features) if len(rest.steps) > 1 else features
        predicted = last.predict_aux(shared)
        by_task = last.predict_aux_proba(shared)
        for task in predicted.columns:
            values, probabilities = predicted[task].to_numpy(), by_task.get(task)
            if weights is not None and probabilities is None:
                values = weights @ values
            elif weights is not None:
                probabilities = probabilities.set_axis(range(len(probabilities)))
                probabilities[:] = weights @ probabilities.to_numpy()
                classes = probabilities.columns.to_numpy(dtype=object)
                values = classes[probabilities.to_numpy().argmax(axis=1)]
            table[f"aux_{task}"] = values
            for name, column in () if probabilities is None else probabilities.items():
                table[f"aux_{task}_p_{name}"] = column.to_numpy()
    return table
