"""Evaluation of an SVM and of networks: the models, the printed table, and the files."""

from sklearn_ser.cli._output import show
from sklearn_ser.recipes import make_multi_task_net, make_single_task_net, make_svm_baseline
from sklearn_ser.utils._printable import encodable


def make_ablation(aux, *, cv=5, **settings):
    """Make an SVM and networks: single-task, with each auxiliary target, and with all of them.

    `cv` is the number of inner folds of the SVM's search; `settings` go to all recipes.
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


def show_result(result, out, *, data="", audit=None):
    """Write the table (above `data`), report, plots and predictions to a folder; print the table.

    The paths of the files are returned.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    result.save(out)
    heading, remarks = _heading(result), result.remarks()
    parts = [heading, result.to_markdown(), *remarks, *([f"```text\n{data}\n```"] if data else [])]
    text = encodable("\n\n".join(parts) + "\n")
    (out / "table.md").write_text(text, encoding="utf-8")
    result.report(out / "report.html", audit=audit)

    names = result.estimators
    width, height = 1.7 * min(5, result.summary().shape[1]) + 3, 2.5 + 0.45 * len(names)
    scores = Figure(figsize=(width, height), layout="constrained")
    result.plot_scores(ax=scores)
    confusions = Figure(figsize=(3.6 * len(names), 4), layout="constrained")
    confusions.suptitle(f"{result.protocol}, transductive scores where available")
    axes = confusions.subplots(1, len(names), squeeze=False)[0]
    for name, ax in zip(names, axes, strict=True):
        result.plot_confusion(name, ax=ax)
    for figure, name in ((scores, "uar.png"), (confusions, "confusion.png")):
        FigureCanvasAgg(figure)
        figure.savefig(out / name, dpi=120)
    show(heading, result.summary().round(3).to_string(), *remarks)
    written = ("table.md", "report.html", "predictions.parquet", "uar.png", "confusion.png")
    return [out / name for name in written]


def _heading(result):
    seeds = result.predictions["seed"].nunique()
    return (
        f"Unweighted average recall, {result.protocol}, {len(result.labels)} emotions "
        f"({', '.join(map(str, result.labels))}), mean over {seeds} seed(s) of the networks.\n"
        f"'single': each utterance predicted on its own; 'transductive': scaled by unlabeled "
        f"statistics of the test corpus."
    )
