"""What a model says of each moment of a long recording."""

from numbers import Real

import pandas as pd
from sklearn.utils._param_validation import Interval, validate_params

from sklearn_ser.audio._cell import path_of
from sklearn_ser.evaluation._extraction import audio_steps, split_extraction, that_predicts
from sklearn_ser.evaluation._model import predict_table
from sklearn_ser.preprocessing import window_table
from sklearn_ser.utils._public import public_module


@public_module("sklearn_ser.evaluation")
@validate_params(
    {
        "window": [Interval(Real, 0, None, closed="neither")],
        "hop": [Interval(Real, 0, None, closed="neither")],
        "min_window": [Interval(Real, 0, None, closed="neither"), None],
    },
    prefer_skip_nested_validation=False,
)
def predict_timeline(model, X, window=4.0, hop=2.0, *, min_window=None, verbose=0):
    """Label, probabilities and auxiliary predictions for each window of each recording.

    Windows that cannot be used (digital silence, for one) do not stop the others: they have no
    label, and the reason stands in the column `error`. No recording is in memory as a whole.

    Parameters
    ----------
    model : fitted Pipeline, or an AugmentingClassifier of one, or a search over one
        From audio to emotion.
    X : DataFrame, Series, list or array of audio
        Recordings, in a DataFrame with their id columns where known. With ``start`` and ``end``
        the windows lie between these.
    window : float, default=4.0
        Seconds of a window; best about as long as the utterances that the model was trained on,
        and at least what its audio steps can use (0.06 s for most).
    hop : float, default=2.0
        Seconds from the beginning of a window to that of the next; at most `window`.
    min_window : float, default=None
        A rest at the end becomes a shorter window if it has at least this many seconds; else a
        window of full length ends with the recording. None: half a window. In any case at least
        what the audio steps can use.
    verbose : int, default=0
        1 shows the progress of the extraction on a terminal.

    Returns
    -------
    pandas.DataFrame
        One row a window, in order: `row` (the recording's position in X), `file` (None for an
        array), `start` and `end` in seconds, `label`, one ``p_<label>`` per class where the model
        gives probabilities, one ``aux_<task>`` per auxiliary task, and `error` (None where all is
        well). A recording that cannot be opened has one row, without times.

    See Also
    --------
    predict_table : One row a recording.

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
    extraction, _ = split_extraction(that_predicts(model))
    steps = [found for _, step in extraction for found in audio_steps(step)]
    audio = steps[0].audio if steps else "file"
    shortest = shortest_window(model)
    if window < shortest:
        raise ValueError(
            f"window must be at least {shortest:g} s, the least that this model's audio steps can "
            f"use. Got {window:g} instead."
        )
    # A rest that is too short for the steps would only fail.
    least = max(window / 2 if min_window is None else min_window, shortest)
    windows = window_table(X, window, hop, min_window=least, audio=audio)
    table = predict_table(model, windows, verbose=verbose)
    # Of dtype object: as text, pandas would write NaN for the arrays' None.
    files = pd.Series([path_of(cell) for cell in windows[audio]], windows.index, dtype=object)
    places = windows[["row", "start", "end"]]
    places.insert(1, "file", files)
    for position, name in enumerate(places.columns):
        table.insert(position, name, places[name].set_axis(table.index))
    return table


def shortest_window(model):
    """Seconds that a window must have for each audio step of a model."""
    extraction, _ = split_extraction(that_predicts(model))
    steps = [found for _, step in extraction for found in audio_steps(step)]
    return max((step._min_duration for step in steps), default=0.0)
