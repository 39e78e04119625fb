"""Output of an evaluation: the printed table, and files with table, report and plots."""

from pathlib import Path


def show_result(result, out, *, data="", audit=None):
    """Print the table, and write it, the report, plots and predictions to `out`.

    Parameters
    ----------
    result : EvaluationResult
    out : Path
    data : str, default=""
        Description of the data, written below the table in the file.
    audit : AuditReport, optional
        Findings for the report.

    Returns
    -------
    list of Path
        The files written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from sklearn_ser.inspection import ConfusionDisplay, UARDisplay

    out = Path(out)
    result.save(out)
    print(_heading(result))
    print(result.summary().round(3).to_string())
    for remark in result.remarks():
        print(remark)
    below = [f"```text\n{data}\n```"] if data else []
    table = out / "table.md"
    table.write_text(
        "\n\n".join([_heading(result), result.to_markdown(), *result.remarks(), *below]) + "\n",
        encoding="utf-8",
    )
    result.report(out / "report.html", audit=audit)
    written = [table, out / "report.html", out / "predictions.parquet"]

    def draw(name, size, drawer):
        figure = Figure(figsize=size, layout="constrained")
        FigureCanvasAgg(figure)
        drawer(figure)
        figure.savefig(out / name, dpi=120)
        written.append(out / name)

    names = list(result.predictions["estimator"].unique())
    size = (1.7 * min(5, result.summary().shape[1]) + 3, 2.5 + 0.45 * len(names))
    draw("uar.png", size, lambda figure: UARDisplay.from_result(result, ax=figure))

    def confusions(figure):
        figure.suptitle(f"{result.protocol}, transductive scores where available")
        axes = figure.subplots(1, len(names), squeeze=False)[0]
        for name, ax in zip(names, axes, strict=True):
            ConfusionDisplay.from_result(result, name, ax=ax)

    draw("confusion.png", (3.6 * len(names), 4), confusions)
    return written


def _heading(result):
    seeds = result.predictions["seed"].nunique()
    return (
        f"Unweighted average recall, {result.protocol}, {len(result.labels)} emotions "
        f"({', '.join(map(str, result.labels))}), mean over {seeds} seed(s) of the networks.\n"
        f"'single': each utterance predicted on its own; 'transductive': scaled by unlabeled "
        f"statistics of the test corpus."
    )
