"""Models of the command line, by name."""

from sklearn_ser.recipes import make_multi_task_net, make_single_task_net, make_svm_baseline

MODELS = {
    "svm": make_svm_baseline,
    "single-task": make_single_task_net,
    "multi-task": make_multi_task_net,
}


def make_ablation(aux, *, cv=5, **settings):
    """Make an SVM and networks: single-task, with each auxiliary target, and with all of them.

    Parameters
    ----------
    aux : sequence of str
    cv : int, default=5
        Number of inner folds of the SVM's search.
    **settings
        Parameters that all recipes have, such as `features`.

    Returns
    -------
    dict of str to estimator
    """
    models = {
        "SVM": make_svm_baseline(cv=cv, **settings),
        "single-task": make_single_task_net(**settings),
    }
    subsets = [(name,) for name in aux] + ([tuple(aux)] if len(aux) > 1 else [])
    for subset in subsets:
        tasks = dict.fromkeys(subset, "auto")
        name = "".join(f" + {task}" for task in subset)
        models[f"MTL{name}"] = make_multi_task_net(tasks=tasks, **settings)
    return models
