"""A model card in Markdown, made of what an evaluation found."""

from sklearn_ser.evaluation._report import conclusions, protocol_in_words
from sklearn_ser.evaluation._text_tables import as_markdown


def model_card(result, estimator, *, baseline=None, audit=None):
    """The text; see :meth:`EvaluationResult.model_card`."""
    result._of(estimator, None)  # an unknown name says so
    others = [name for name in result.estimators if name != estimator]
    baseline = baseline or (others[0] if others else None)
    if baseline == estimator:
        raise ValueError(f"baseline must be another estimator than {estimator!r} itself")
    sections = [
        ("Model", _model(result, estimator)),
        ("Intended use", _use(result)),
        ("How it was tested", "\n\n".join(protocol_in_words(result))),
        ("Data", as_markdown(_data(result))),
        ("Scores", as_markdown(_scores(result, estimator))),
        ("Beside a baseline", _beside(result, estimator, baseline)),
        ("Groups of speakers", _groups(result, estimator)),
        ("Where it fails", _fails(result, estimator)),
        ("Findings about the data", None if audit is None else str(audit)),
        ("Caveats", "\n".join(f"- {line}" for line in result.remarks())),
    ]
    parts = [f"# Model card: {estimator}"]
    parts += [f"## {name}\n\n{text}" for name, text in sections if text]
    return "\n\n".join(parts) + "\n"


def _model(result, estimator):
    text = result.info.get("estimators", {}).get(estimator)
    versions = result.info.get("versions", {})
    parts = [] if text is None else [f"```\n{text}\n```"]
    if versions:
        parts.append(", ".join(f"{name} {version}" for name, version in versions.items()) + ".")
    return "\n\n".join(parts)


def _use(result):
    labels = ", ".join(map(str, result.labels))
    return (
        f"It names one of {len(result.labels)} emotions ({labels}) that an utterance *sounds* "
        "like, as actors or listeners of the corpora below understood them. It does not tell what "
        "anyone feels, and these figures are no ground for decisions about people. Other "
        "languages, recording conditions and ages than those below were not tested."
    )


def _data(result):
    first = result.predictions.drop_duplicates("row")
    table = first.groupby("corpus").agg(utterances=("row", "size"), speakers=("speaker", "nunique"))
    for column in ("language", "naturalness"):
        if column in result.utterances:
            values = first.assign(value=result._column(first, column))
            table[column] = values.groupby("corpus")["value"].agg(
                lambda found: ", ".join(sorted(map(str, found.dropna().unique())))
            )
    return table.reset_index()


def _scores(result, estimator):
    table = result.intervals()
    table = table[table["estimator"] == estimator].drop(columns=["estimator", "note"])
    return table.rename(columns={"estimate": "UAR"})


def _beside(result, estimator, baseline):
    if baseline is None:
        return None
    lines = conclusions(result, baseline)  # a line per other estimator, in their order
    others = [name for name in result.estimators if name != baseline]
    return "\n\n".join([lines[others.index(estimator)], lines[-1]])


def _groups(result, estimator):
    parts = []
    for column in ("gender", "language"):
        if column in result.utterances and result.utterances[column].nunique() > 1:
            table = result.by(column)
            table = table[table["estimator"] == estimator].drop(columns="estimator")
            parts.append(as_markdown(table.rename(columns={"score": "UAR"})))
    return "\n\n".join(parts)


def _fails(result, estimator):
    shares = result.confusion(estimator)
    wrong = [
        (shares.loc[truth, said], truth, said)
        for truth in shares.index
        for said in shares.columns
        if truth != said and shares.loc[truth, said] > 0
    ]
    lines = [
        f"- {share:.0%} of {truth} "
        + ("has no prediction." if said not in result.labels else f"is taken for {said}.")
        for share, truth, said in sorted(wrong, key=lambda found: -found[0])[:3]
    ]
    speakers = result.by("speaker", metric="war")
    own = speakers[speakers["estimator"] == estimator].sort_values("score")
    if len(own) > 1:
        low, high = own.iloc[0], own.iloc[-1]
        lines.append(
            f"- Accuracy lies between {low['score']:.2f} ({low['speaker']}) and "
            f"{high['score']:.2f} ({high['speaker']}) for single speakers."
        )
    return "\n".join(lines)
