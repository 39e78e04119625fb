"""``sklearn-ser train``: fit of a model on corpora, saved to one file."""

from pathlib import Path

from sklearn_ser.cli._options import (
    add_corpus_arguments,
    choose_aux,
    create_folder,
    load_corpora,
    recipe_settings,
)
from sklearn_ser.cli._output import say


def add_arguments(parser):
    add_corpus_arguments(parser)
    parser.add_argument("--model", type=Path, required=True, help="model file to write")
    parser.add_argument(
        "--estimator",
        choices=("svm", "single-task", "multi-task"),
        default="multi-task",
        help="recipe to fit (default: multi-task); svm predicts labels without probabilities",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the fit (default: 0)")


def run(options):
    from sklearn_ser.evaluation import fit_model
    from sklearn_ser.evaluation._audio_steps import audio_steps
    from sklearn_ser.evaluation._run_fold import with_seed
    from sklearn_ser.persistence import save_model
    from sklearn_ser.recipes import make_multi_task_net, make_single_task_net, make_svm_baseline

    if options.model.is_dir():
        raise OSError(f"--model {str(options.model)!r} is a folder; expected the name of a file")
    create_folder(options.model.parent)
    corpus = load_corpora(options)
    frame = corpus.frame
    aux = choose_aux(options, frame)
    settings = recipe_settings(options)
    if options.estimator == "svm":
        settings["cv"] = min(5, frame["speaker"].nunique())
        say(options, "an SVM predicts labels without probabilities")
    recipes = {
        "svm": make_svm_baseline,
        "single-task": make_single_task_net,
        "multi-task": make_multi_task_net,
    }
    estimator = with_seed(recipes[options.estimator](**settings), options.seed)
    labels = sorted(frame["emotion"].unique())
    model = fit_model(estimator, frame, aux=aux, labels=labels, verbose=not options.quiet)
    failed = {record["row"] for step in audio_steps(model) for record in step.failures_}
    info = {
        "estimator": options.estimator,
        "features": options.features,
        "corpora": sorted(frame["corpus"].unique()),
        "labels": labels,
        "aux": [] if options.estimator != "multi-task" else list(aux),
        "utterances": len(frame) - len(failed),
        "license": corpus.license,
        "seed": options.seed,
    }
    save_model(model, options.model, info=info)
    say(
        options,
        f"{options.model}: {options.estimator} on {options.features}, "
        f"{info['utterances']} utterances of {', '.join(info['corpora'])}, "
        f"emotions {', '.join(labels)}",
    )
    return 0
