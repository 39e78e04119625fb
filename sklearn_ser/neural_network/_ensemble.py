"""Several networks that answer as one."""

import numpy as np
from scipy.special import log_softmax, logsumexp


def average_outputs(tasks, members):
    """Outputs of an ensemble: of classes, the logarithms of the mean probabilities.

    Parameters
    ----------
    tasks : sequence of fitted tasks
    members : list of list of ndarray of shape (n_rows, n_outputs)
        Outputs of each network, one array per task.

    Returns
    -------
    list of ndarray
        One network's are given as they are.
    """
    if len(members) == 1:
        return members[0]
    averaged = []
    for place, task in enumerate(tasks):
        outputs = np.stack([outputs[place] for outputs in members])
        if task.predicts and task.kind != "regression":
            logs = log_softmax(outputs.astype(np.float64), axis=2)
            averaged.append(logsumexp(logs, axis=0) - np.log(len(members)))
        else:
            averaged.append(outputs.mean(axis=0))
    return averaged
