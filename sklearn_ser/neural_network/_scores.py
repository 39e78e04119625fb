"""How good a task's answers are: one number by which tasks of a kind compare."""

import numpy as np

from sklearn_ser.metrics import concordance_cc


def task_score(task, outputs, targets, weights):
    """Unweighted average recall of labels, concordance correlation of values.

    Parameters
    ----------
    task : Labels or Values
    outputs : ndarray of shape (n_rows, n_outputs)
    targets : ndarray of shape (n_rows,)
        Codes of classes, or standardized values.
    weights : ndarray of shape (n_rows,)
        Rows of weight 0 do not count; otherwise weights change nothing.

    Returns
    -------
    float
        NaN where no row counts.
    """
    known = weights > 0
    if not known.any():
        return float("nan")
    targets = targets[known]
    if task.kind == "regression":
        return concordance_cc(targets.astype(np.float64), outputs[known, 0].astype(np.float64))
    right = outputs[known].argmax(axis=1) == targets
    n_rows, n_right = np.bincount(targets), np.bincount(targets, weights=right)
    present = n_rows > 0
    return float((n_right[present] / n_rows[present]).mean())
