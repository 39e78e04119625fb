"""The model that is handed over: fitted on everything, and asked about new recordings."""

import pandas as pd
from sklearn.base import clone
from sklearn.pipeline import Pipeline

from sklearn_ser.evaluation._data import select_data
from sklearn_ser.evaluation._extraction import (
    all_audio_steps,
    audio_steps,
    extract,
    split_extraction,
    that_predicts,
    with_ids,
)
from sklearn_ser.evaluation._fold import probability_columns
from sklearn_ser.exceptions import AudioError
from sklearn_ser.utils._failed import failed_rows
from sklearn_ser.utils._public import public_module
from sklearn_ser.utils._routing import fit_routed


@public_module("sklearn_ser.evaluation")
def fit_model(
    estimator,
    frame,
    *,
    X=None,
    y="emotion",
    aux=("gender", "naturalness"),
    corpus="corpus",
    speaker="speaker",
    labels=None,
    verbose=0,
):
    """Fit one estimator on every labeled utterance of `frame`, with the metadata it asks for.

    An estimator that learns from rows without a label (a parameter `unlabeled` that is not None)
    is given those too; see the notes of :func:`cross_corpus_validate`.

    Parameters
    ----------
    estimator : estimator
        Not changed: a clone is fitted.
    frame, X, y, aux, corpus, speaker, labels
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
    name = type(estimator).__name__
    chosen = {"X": X, "y": y, "aux": aux, "corpus": corpus, "speaker": speaker, "labels": labels}
    data = select_data({name: estimator}, frame, **chosen)
    extraction, rest = split_extraction(estimator) if data.is_audio else ([], clone(estimator))
    if extraction:
        features, _ = extract(extraction, data.X, verbose=verbose)
        features = with_ids(features, data.ids)
    else:
        features = data.X
    usable = ~failed_rows(features)
    metadata = {name: values[usable] for name, values in data.metadata().items()}
    fit_routed(rest, features[usable], data.targets(data.marks.used[name])[usable], **metadata)
    if not extraction:
        return rest
    steps = rest.steps if isinstance(rest, Pipeline) else [("search", rest)]
    return Pipeline([*extraction, *steps])


@public_module("sklearn_ser.evaluation")
def predict_table(model, X, *, verbose=0):
    """Label, probabilities and auxiliary predictions of each recording, as one table.

    Recordings that cannot be used do not stop the others: they have no label, and the reason
    stands in the column `error`.

    Parameters
    ----------
    model : fitted Pipeline, or an AugmentingClassifier of one, or a search over one
        From audio to emotion.
    X : pandas.DataFrame
        Audio column and, where known, id columns.
    verbose : int, default=0
        1 shows the progress of the extraction on a terminal.

    Returns
    -------
    pandas.DataFrame
        One row per recording: `label`, one ``p_<label>`` per class where the model gives
        probabilities, one ``aux_<task>`` per auxiliary task, and `error` (None where all is well).
    """
    model = that_predicts(model)
    extraction, _ = split_extraction(model)
    if not extraction or not isinstance(model, Pipeline):
        within = ", or has it further inside" if all_audio_steps(model) else ""
        raise AudioError(
            f"this model does not begin with an audio step{within}, so it cannot read recordings: "
            f"it is a {type(model).__name__}. Give a Pipeline that begins with one"
            + (", such as what fit_model makes of it" if extraction else "")
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
