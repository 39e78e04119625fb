"""``sklearn-ser train``: fit a model on corpora and write it to one file."""

from pathlib import Path

from sklearn_ser.cli._corpora import (
    add_corpus_arguments,
    load_corpora,
    recipe_settings,
    say,
    usable_aux,
)


def add_arguments(parser):
    add_corpus_arguments(parser)
    parser.add_argument("--model", type=Path, required=True, help="the model file to write")
    parser.add_argument(
        "--estimator",
        choices=("svm", "single-task", "multi-task"),
        default="multi-task",
        help="which recipe to fit (default: multi-task)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the fit (default: 0)")


def run(options):
    from sklearn_ser.cli._models import MODELS
    from sklearn_ser.evaluation import fit_model
    from sklearn_ser.evaluation._extraction import audio_steps
    from sklearn_ser.evaluation._fold import with_seed
    from sklearn_ser.persistence import save_model

    corpus = load_corpora(options)
    aux, said = usable_aux(corpus.frame, options.aux)
    for sentence in said:
        say(options, sentence)
    estimator = MODELS[options.estimator](**recipe_settings(options))
    for step in audio_steps(estimator):
        step.set_params(verbose=int(not options.quiet))
    labels = sorted(corpus.frame["emotion"].unique())
    model = fit_model(with_seed(estimator, options.seed), corpus.frame, aux=aux, labels=labels)
    failed = {record["row"] for step in audio_steps(model) for record in step.failures_}
    info = {
        "estimator": options.estimator,
        "features": options.features,
        "corpora": sorted(corpus.frame["corpus"].unique()),
        "labels": labels,
        "aux": list(aux),
        "utterances": len(corpus.frame) - len(failed),
        "licence": corpus.license,
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
