"""``sklearn-ser train``: fit of a model on corpora, saved to one file."""

from collections.abc import Callable
from pathlib import Path

from sklearn_ser.cli._options import (
    add_corpus_arguments,
    choose_aux,
    create_folder,
    load_corpora,
    load_unlabeled,
    recipe_settings,
)
from sklearn_ser.cli._output import say


def add_arguments(parser):
    add_corpus_arguments(parser)
    parser.add_argument("--model", type=Path, required=True, help="model file to write")
    parser.add_argument(
        "--estimator",
        choices=("svm", "single-task", "multi-task", "self-trained"),
        help="recipe to fit (default: multi-task, or self-trained with --unlabeled); svm predicts "
        "labels without probabilities",
    )
    parser.add_argument(
        "--unlabeled",
        action="append",
        default=[],
        type=Path,
        metavar="DIR",
        help="folder of recordings without labels, such as those that the model will be used on, "
        "searched with its subfolders; a metadata.csv in it may name the speakers, and its labels "
        "are not used. The network is adapted to them by self-training; repeat for each folder",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the fit (default: 0)")


def run(options):
    import pandas as pd

    from sklearn_ser.evaluation import fit_model
    from sklearn_ser.evaluation._audio_steps import audio_steps
    from sklearn_ser.evaluation._run_fold import with_seed
    from sklearn_ser.persistence import save_model
    from sklearn_ser.recipes import (
        make_multi_task_net,
        make_self_trained_net,
        make_single_task_net,
        make_svm_baseline,
    )
    from sklearn_ser.utils._unlabeled import labeled_rows

    if options.model.is_dir():
        raise OSError(f"--model {str(options.model)!r} is a folder; expected the name of a file")
    name = options.estimator or ("self-trained" if options.unlabeled else "multi-task")
    if options.unlabeled and name != "self-trained":
        raise ValueError(
            f"--unlabeled requires --estimator self-trained: {name} is trained on labeled "
            "recordings only"
        )
    create_folder(options.model.parent)
    corpus = load_corpora(options)
    frame = corpus.frame
    aux = choose_aux(options, frame)
    unlabeled = [load_unlabeled(folder, options).frame for folder in options.unlabeled]
    frame = pd.concat([frame, *unlabeled], ignore_index=True)
    settings = recipe_settings(options)
    if name == "self-trained" and "gender" not in aux:
        settings["tasks"] = None
    if name == "svm":
        settings["cv"] = min(5, frame["speaker"].nunique())
        say(options, "an SVM predicts labels without probabilities")
    recipes: dict[str, Callable] = {
        "svm": make_svm_baseline,
        "single-task": make_single_task_net,
        "multi-task": make_multi_task_net,
        "self-trained": make_self_trained_net,
    }
    estimator = with_seed(recipes[name](**settings), options.seed)
    labeled = labeled_rows(frame["emotion"])
    labels = sorted(frame["emotion"][labeled].unique())
    model = fit_model(estimator, frame, aux=aux, labels=labels, verbose=not options.quiet)
    failed = {record["row"] for step in audio_steps(model) for record in step.failures_}
    if name == "self-trained" and not labeled.all():
        rounds = model[-1].pseudo_labels_
        say(
            options,
            f"self-training: the network is trained on pseudo-labels of "
            f"{rounds['selected'][rounds['retained']].max()} of {(~labeled).sum()} "
            f"unlabeled recordings; it ended by {rounds['stopped'].iloc[-1]!r}",
        )
    n_rows = len(frame) if name == "self-trained" else int(labeled.sum())
    info = {
        "estimator": name,
        "features": options.features,
        "corpora": sorted(frame["corpus"].unique()),
        "labels": labels,
        "aux": list(aux) if name in ("multi-task", "self-trained") else [],
        "utterances": n_rows - len(failed),
        "license": corpus.license,
        "seed": options.seed,
    }
    save_model(model, options.model, info=info)
    say(
        options,
        f"{options.model}: {name} on {options.features}, "
        f"{info['utterances']} utterances of {', '.join(info['corpora'])}, "
        f"emotions {', '.join(labels)}",
    )
    return 0
