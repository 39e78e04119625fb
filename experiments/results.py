"""Configuration on the command line, and published results of experiments.

A published result is three files of one name: ``.parquet`` (predictions of the corpora whose terms
allow it), ``.json`` (configuration, versions, scores and tests of all corpora, chosen parameters)
and ``.md`` (tables).
"""

import argparse
import json
from datetime import date
from pathlib import Path

import pandas as pd

from experiments.corpora import PUBLISHABLE
from sklearn_ser import EvaluationResult

SETTINGS = ("transductive", "single")
#: Columns of published predictions; the tables use no probabilities.
COLUMNS = ("estimator", "setting", "seed", "fold", "train", "row", "corpus", "speaker")


def parse_config(defaults, description):
    """Return a configuration, with the values given on the command line in place of the defaults.

    Every key is an option: ``n_jobs`` is ``--n-jobs``. A list takes several values.
    """
    parser = argparse.ArgumentParser(description=description)
    for name, value in defaults.items():
        several = isinstance(value, list)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            nargs="+" if several else None,
            type=type(value[0]) if several else type(value),
            default=value,
        )
    return vars(parser.parse_args())


def merge(results):
    """Return one EvaluationResult with the estimators of several, for the same utterances."""
    first = results[0]
    return EvaluationResult(
        pd.concat([result.predictions for result in results], ignore_index=True),
        labels=first.labels,
        protocol=first.protocol,
        utterances=first.utterances,
        **{
            name: pd.concat([getattr(result, name) for result in results], ignore_index=True)
            for name in ("notes", "best_params")
        },
        info=first.info
        | {
            name: {key: value for result in results for key, value in result.info[name].items()}
            for name in ("estimators", "seconds")
        },
    )


def table(result, setting, baselines=()):
    """Tabulate the recalls of each corpus and their mean, and differences to baselines.

    Returns
    -------
    DataFrame
        One row per estimator that has the setting; ``- <baseline>`` and ``p (<baseline>)`` are the
        difference of the means and the p-value of a paired sign-flip test over speakers, not
        corrected for the number of comparisons.
    """
    scores = result.summary().drop(columns="pooled")
    scores = scores[scores.index.get_level_values("setting") == setting].droplevel("setting")
    for baseline in baselines:
        if baseline in scores.index and len(scores) > 1:
            tests = result.compare(baseline, setting=setting).set_index("estimator")
            scores[f"- {baseline}"] = tests["difference"]
            scores[f"p ({baseline})"] = tests["p"].astype(float)
    return scores.reset_index()


def tables(result, baselines=()):
    """Return the tables of both settings by setting, without an empty or a repeated one."""
    found = {setting: table(result, setting, baselines) for setting in SETTINGS}
    return {setting: part for setting, part in found.items() if len(part)}


def publish(result, path, config, *, baselines=()):
    """Write predictions, configuration and tables of a result.

    Parameters
    ----------
    result : EvaluationResult
    path : Path
        Path of the three files, without a suffix.
    config : dict
    baselines : sequence of str
        Estimators that the others are compared with.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    may_publish = result.predictions["corpus"].isin(PUBLISHABLE)
    predictions = result.predictions.loc[may_publish, [*COLUMNS, "y_true", "y_pred"]]
    texts = [name for name in predictions if name not in ("seed", "row")]
    predictions = predictions.astype(dict.fromkeys(texts, "category"))
    predictions = predictions.astype({"seed": "int16", "row": "int32"})
    predictions.to_parquet(f"{path}.parquet", compression="zstd", index=False)
    withheld = result.predictions.loc[~may_publish, "corpus"].unique()
    by_setting = tables(result, baselines)
    content = {
        "date": date.today().isoformat(),
        "config": config,
        "protocol": result.protocol,
        "labels": result.labels,
        "versions": result.info["versions"],
        "estimators": result.info["estimators"],
        "seconds": result.info["seconds"],
        "not published": f"predictions of {', '.join(withheld)}" if len(withheld) else "",
        "scores": {setting: part.to_dict("records") for setting, part in by_setting.items()},
        "best_params": result.best_params.to_dict("records"),
        "notes": result.notes.to_dict("records"),
    }
    text = json.dumps(content, indent=1, default=str)
    Path(f"{path}.json").write_text(f"{text}\n", encoding="utf-8")
    parts = [f"{setting}\n\n{as_markdown(part)}" for setting, part in by_setting.items()]
    Path(f"{path}.md").write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def load_published(path):
    """Read published predictions as an EvaluationResult; scores are of the published corpora.

    Parameters
    ----------
    path : str or Path
        Path of the three files, without a suffix.

    Returns
    -------
    EvaluationResult
    """
    content = json.loads(Path(f"{path}.json").read_text(encoding="utf-8"))
    predictions = pd.read_parquet(f"{path}.parquet")
    texts = predictions.select_dtypes("category").columns
    predictions = predictions.astype(dict.fromkeys(texts, object))
    return EvaluationResult(
        predictions.assign(failed=predictions["y_pred"].isna()),
        labels=content["labels"],
        protocol=content["protocol"],
        best_params=pd.DataFrame(content["best_params"]) if content["best_params"] else None,
        info={"versions": content["versions"], "estimators": content["estimators"]},
    )


def as_markdown(table):
    """Return a DataFrame as a Markdown table, numbers with three digits."""
    lines = [list(map(str, table.columns)), ["---"] * table.shape[1]]
    for row in table.itertuples(index=False):
        lines.append(["" if pd.isna(x) else f"{x:.3f}" if isinstance(x, float) else x for x in row])
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines)
