"""What `fit` of AugmentingClassifier does: rows and their metadata made, the estimator fitted."""

from collections.abc import Mapping
from inspect import signature

import numpy as np
import pandas as pd
from sklearn import config_context
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _check_method_params, _num_samples

from sklearn_ser.augmentation._named import ORIGINAL
from sklearn_ser.augmentation._split_originals import (
    ORIGINAL_ROWS,
    SOURCES,
    forget_requests,
    let_ask_for_weights,
    with_own_splitters,
    with_split_originals,
)
from sklearn_ser.augmentation._training_rows import TrainingRows, copies_of, joined, resampled
from sklearn_ser.exceptions import MetadataError
from sklearn_ser.feature_extraction._leading import leading_audio_steps
from sklearn_ser.utils._alignment import check_aux
from sklearn_ser.utils._ids import find_id
from sklearn_ser.utils._nested_estimators import parameters_named
from sklearn_ser.utils._routing import arguments_for, arguments_through, consumed, routing_is_on
from sklearn_ser.utils._unlabeled import without_marks


def fit_on_rows(meta, augmenters, seed, X, y, metadata):
    """Fit a clone of the estimator of `meta` on rows and copies.

    Parameters
    ----------
    meta : AugmentingClassifier
    augmenters : dict of str to augmenter
    seed : int
    X, y, metadata
        As given to `fit`; no metadata is None.

    Returns
    -------
    estimator
        Fitted.
    rows : TrainingRows
        What it was fitted on.
    """
    n_rows = _num_samples(X)
    if y is None and (meta.resampler is not None or any(map(_needs_labels, augmenters.values()))):
        raise ValueError("y is None, and samplers and augmenters that mix rows need labels.")
    labeled = _labeled(meta.estimator, y, n_rows)
    base = TrainingRows.of(X, ORIGINAL)
    if meta.resampler is not None:
        base = resampled(meta.resampler, base, y, labeled, seed)
    late = {name: each for name, each in augmenters.items() if _is_of_features(each)}
    early = {name: each for name, each in augmenters.items() if name not in late}
    extraction = leading_audio_steps(meta.estimator) if late else []
    rows = joined([base, *copies_of(base, early, meta.copies, seed, y, labeled)])
    if extraction:
        steps = Pipeline([(name, clone(step)) for name, step in extraction])
        rows.X = steps.fit_transform(rows.X)
        base = rows.take(np.arange(len(base)))
    rows = joined([rows, *copies_of(base, late, meta.copies, seed, y, labeled)])
    if not meta.keep_original:
        rows = rows.take(np.flatnonzero(~rows.original))
    labels = None if y is None else _safe_indexing(_without_index(y), rows.labels)
    estimator = meta.estimator
    if extraction:
        # The rest of it, of its own class and with its own settings.
        estimator = clone(estimator).set_params(steps=estimator.steps[len(extraction) :])
    with_kinds = bool(augmenters) or _is_a_task(meta.task, meta.estimator)
    taken, made = _metadata(meta, metadata, X, n_rows, rows, with_kinds)
    made_up = _made_up_speakers(meta.estimator, {**taken, **made}, rows)
    prepared = with_split_originals(estimator, rows.sources, rows.original, unseen=list(made_up))
    made |= {SOURCES: rows.sources, ORIGINAL_ROWS: rows.original, **made_up}
    asking = let_ask_for_weights(prepared) if "sample_weight" in made else (set(), {})
    given = {**arguments_through(meta, "fit", taken), **arguments_for(prepared, "fit", made)}
    if "aux" in made and not routing_is_on() and "aux" in signature(prepared.fit).parameters:
        given["aux"] = made["aux"]  # an estimator that asks for nothing, and yet takes it
    if (rows.weights != 1).any():
        _check_weighted(meta.estimator, given)
    # What the inner estimator's parts consume reaches them only with routing on.
    with config_context(enable_metadata_routing=bool(given) or routing_is_on()):
        try:
            prepared.fit(rows.X, labels, **given)
        except (TypeError, ValueError) as error:
            _explain_unlabeled(error, meta.estimator, labeled)
            raise
    forget_requests(prepared, *asking)
    with_own_splitters(prepared)
    if extraction:
        prepared = clone(meta.estimator).set_params(steps=[*steps.steps, *prepared.steps])
    return prepared, rows


def _explain_unlabeled(error, estimator, labeled):
    """Raise what scikit-learn's message does not say, where it is about rows without a label."""
    about_labels = any(part in str(error).lower() for part in ("unknown label", "y contains nan"))
    if labeled.all() or parameters_named(estimator, "unlabeled") or not about_labels:
        return
    missing = np.flatnonzero(~labeled)
    last = estimator[-1] if isinstance(estimator, Pipeline) else estimator
    raise ValueError(
        f"y is None or NaN in {len(missing)} of {len(labeled)} rows, the first of them row "
        f"{missing[0]}, and {type(last).__name__} takes labeled rows alone: leave these out, or "
        "take an estimator that learns from unlabeled rows, such as "
        "MTLNeuralClassifier(unlabeled='nan')."
    ) from error


def _is_of_features(augmenter):
    first = augmenter.steps[0][1] if isinstance(augmenter, Pipeline) else augmenter
    return getattr(first, "_augments", None) == "features"


def _is_a_task(name, estimator):
    """Whether a network in it wants this target, also where every augmenter is switched off."""
    return any(
        isinstance(value, Mapping) and name in value
        for value in parameters_named(estimator, "tasks").values()
    )


def _needs_labels(augmenter):
    return hasattr(augmenter, "augment_rows")


def _labeled(estimator, y, n_rows):
    """Rows with a label. Only the estimator says whether -1 is one."""
    if y is None or np.ndim(y) != 1:
        return np.ones(n_rows, dtype=bool)
    return ~np.asarray(pd.isna(without_marks(estimator, np.asarray(y, dtype=object))), dtype=bool)


def _without_index(values):
    """Values without an index, which would say nothing of rows that were copied."""
    is_pandas = isinstance(values, pd.Series | pd.DataFrame)
    return values.reset_index(drop=True) if is_pandas else values


def _metadata(meta, given, X, n_rows, rows, with_kinds):
    """Metadata of all rows: what was given to `fit`, and what it makes itself."""
    aux = _aux(meta.task, given.get("aux"), n_rows, rows, with_kinds)
    other = {name: value for name, value in given.items() if name != "aux"}
    weights = _weights(other.pop("sample_weight", None), n_rows, rows)
    for name, value in other.items():
        if hasattr(value, "__len__") and not isinstance(value, str) and len(value) != n_rows:
            raise MetadataError(
                f"{name} has {len(value)} rows and X has {n_rows}: give one value per row of X."
            )
    taken = _check_method_params(X, other, rows.sources[:, 0])
    taken = {name: _without_index(value) for name, value in taken.items()}
    made = {} if "groups" in taken else _named_speakers(taken, X, rows)
    for name, value in {"aux": aux, "sample_weight": weights}.items():
        if value is not None:
            # With routing off nobody says who takes weights, those given as little as our own.
            ours = name not in given or (name == "sample_weight" and not routing_is_on())
            (made if ours else taken)[name] = value
    return taken, made


def _check_weighted(estimator, given):
    if "sample_weight" not in given:
        raise MetadataError(
            f"an augmenter mixes rows of two classes, whose shares are sample weights, and "
            f"{type(estimator).__name__} takes none: leave that augmenter out, or take an "
            "estimator with sample weights."
        )


def _weights(given, n_rows, rows):
    if given is None:
        return None if (rows.weights == 1).all() else rows.weights
    given = np.asarray(given)
    if given.shape != (n_rows,):
        raise ValueError(f"sample_weight.shape == {given.shape}, expected {(n_rows,)}!")
    return np.where(rows.synthetic, 1.0, given[rows.labels] * rows.weights)


def _aux(task, given, n_rows, rows, with_kinds):
    """Auxiliary targets of all rows, what made them among these."""
    table = check_aux(given, n_rows)
    if table is not None and task in table.columns:
        raise MetadataError(
            f"aux has a column {task!r} already, where AugmentingClassifier puts what made each "
            "row: rename it, or give another task=."
        )
    if table is None:
        taken = pd.DataFrame(index=range(len(rows)))
    else:
        first, second = (table.iloc[side].reset_index(drop=True) for side in rows.sources.T)
        agree = (first == second).fillna(False).astype(bool) & ~rows.synthetic[:, None]
        taken = _maskable(first, agree).where(agree)
    if with_kinds:
        taken = taken.assign(**{task: pd.Series(rows.kinds, index=taken.index, dtype=object)})
    return taken if len(taken.columns) else None


def _maskable(table, kept):
    """The table with whole numbers and booleans that can be missing, where some have to be.

    As floats, codes of classes would look like values.
    """
    nullable = {"i": "Int64", "u": "Int64", "b": "boolean"}
    kinds = {
        name: nullable[table[name].dtype.kind]
        for name in table.columns
        if getattr(table[name].dtype, "kind", "O") in nullable and not kept[name].all()
    }
    return table.astype(kinds)


def _named_speakers(taken, X, rows):
    """The speakers that X names, where none were given: a step inside may lose them."""
    speakers = None if "speaker" in taken else find_id(X, "speaker")
    if speakers is None:
        return {}
    return {"speaker": np.asarray(speakers, dtype=object)[rows.sources[:, 0]]}


def _made_up_speakers(estimator, known, rows):
    """Each row as a speaker of its own, so that copies stay together, where no speakers are known.

    Not for an estimator that knows of copies.
    """
    if "speaker" in known or "groups" in known:
        return {}
    if consumed(estimator, "fit", {SOURCES: rows.sources}):
        return {}
    return dict.fromkeys(("speaker", "groups"), rows.sources[:, 0])
