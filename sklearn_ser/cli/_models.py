"""The models of the command line, by name."""

from sklearn_ser.recipes import make_multi_task_net, make_single_task_net, make_svm_baseline

MODELS = ("svm", "single-task", "multi-task")


def make_model(name, features, *, n_jobs=None, on_error="raise"):
    """The recipe of one name; features is None where X holds features already."""
    make = {
        "svm": make_svm_baseline,
        "single-task": make_single_task_net,
        "multi-task": make_multi_task_net,
    }[name]
    return make(features, n_jobs=n_jobs, on_error=on_error)


def make_ablation(aux, features, *, n_jobs=None, on_error="raise"):
    """SVM, single-task net, and the net with each auxiliary target alone and with all of them.

    Returns
    -------
    dict of str to estimator
    """
    settings = {"n_jobs": n_jobs, "on_error": on_error}
    models = {
        "SVM": make_svm_baseline(features, **settings),
        "single-task": make_single_task_net(features, **settings),
    }
    subsets = [(name,) for name in aux] + ([tuple(aux)] if len(aux) > 1 else [])
    for subset in subsets:
        tasks = dict.fromkeys(subset, "auto")
        name = "".join(f" + {task}" for task in subset)
        models[f"MTL{name}"] = make_multi_task_net(features, tasks=tasks, **settings)
    return models
