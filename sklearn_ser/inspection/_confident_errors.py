"""The errors that an estimator was surest of, emotion by emotion, with their files."""

from numbers import Integral

import numpy as np

from sklearn_ser.evaluation._predictions_table import probability_columns
from sklearn_ser.inspection._selection import predictions_of, refuse_another_frame
from sklearn_ser.utils._public import public_module

#: Columns of a frame that say which recording a row is, where it has them.
_ABOUT = ("file", "start", "end", "text", "gender")


@public_module("sklearn_ser.inspection")
def confident_errors(result, estimator, frame=None, n=5, *, setting=None):
    """List, for each emotion, the utterances that were most surely taken for another one.

    They are worth listening to: wrong or doubtful labels, damaged recordings and emotions that
    sound alike gather here.

    Parameters
    ----------
    result : EvaluationResult
    estimator : str
        One that gives probabilities; they are averaged over seeds (and, with the protocol
        "pairwise", over the training corpora), and the class with the highest mean is the
        prediction.
    frame : pandas.DataFrame, default=None
        What was evaluated, row by row: gives the columns `file`, `start`, `end`, `text` and
        `gender`, as far as it has them.
    n : int, default=5
        Of each true emotion, at most.
    setting : {"single", "transductive"}, default=None
        By default "transductive" where there is one.

    Returns
    -------
    DataFrame
        `y_true`, `y_pred`, `confidence` (mean probability of the prediction), `p_truth` (of the
        true emotion), `corpus`, `speaker`, `row` (position in the evaluated frame), and the columns
        of `frame`; sorted by emotion, the surest errors first.

    Raises
    ------
    ValueError
        If there is no such estimator or setting, it gives no probabilities, `n` is below 1, or
        `frame` is not the table that was evaluated.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_ser import GroupScaler, cross_corpus_validate, load_features
    >>> from sklearn_ser.inspection import confident_errors
    >>> data = load_features("egemaps")
    >>> few = data.frame.groupby(["speaker", "emotion"]).head(1)
    >>> model = make_pipeline(GroupScaler(by="corpus"), LogisticRegression(C=0.01))
    >>> result = cross_corpus_validate({"lr": model}, few, X=data.X.iloc[few.index], aux=())
    >>> errors = confident_errors(result, "lr", few, n=1)
    >>> list(errors.columns)
    ['y_true', 'y_pred', 'confidence', 'p_truth', 'corpus', 'speaker', 'row', 'file', 'text',
     'gender']
    """
    if not isinstance(n, Integral) or n < 1:
        raise ValueError(f"n must be a whole number of at least 1, got {n!r}")
    part = predictions_of(result, estimator, setting)
    columns = probability_columns(result.labels)
    if not {*columns} <= {*part.columns} or part[columns].isna().all(axis=None):
        raise ValueError(
            f"{estimator!r} gives no probabilities, so none of its errors is surer than another: "
            f"put it into sklearn.calibration.CalibratedClassifierCV"
        )
    means = part.dropna(subset=columns).groupby("row")[columns].mean()
    about = part.drop_duplicates("row").set_index("row").loc[means.index]
    values = means.to_numpy()
    labels = np.asarray(result.labels, dtype=object)
    truth = about["y_true"].to_numpy(dtype=object)
    own = [result.labels.index(label) for label in truth]
    table = about[["y_true"]].assign(
        y_pred=labels[values.argmax(axis=1)],
        confidence=values.max(axis=1),
        p_truth=values[np.arange(len(values)), own],
        corpus=about["corpus"],
        speaker=about["speaker"],
    )
    table = table[table["y_pred"].to_numpy(dtype=object) != truth].reset_index()
    table["place"] = table["y_true"].map({label: at for at, label in enumerate(result.labels)})
    table = table.sort_values(["place", "confidence"], ascending=[True, False], kind="stable")
    table = table.groupby("place").head(n).reset_index(drop=True)
    table = table[[*(name for name in table if name not in ("row", "place")), "row"]]
    if frame is not None:
        refuse_another_frame(frame, part)
        for name in _ABOUT:
            if name in frame.columns:
                table[name] = frame[name].to_numpy(dtype=object)[table["row"]]
    return table
