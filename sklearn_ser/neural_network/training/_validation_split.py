"""Split of training samples into those to train on and those to validate on, by speakers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from sklearn_ser.exceptions import TrainingWarning
from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.neural_network._random import numpy_stream
from sklearn_ser.utils._ids import canonical_ids
from sklearn_ser.utils._warnings import warn_user

if TYPE_CHECKING:
    from sklearn_ser.neural_network.training._batches import ResidentRows
    from sklearn_ser.neural_network.training._inputs import TrainingData
    from sklearn_ser.neural_network.training._train_network import TrainingSettings

#: What to do if no ids reach the network, which are in the index of what extractors return.
NO_IDS_REMEDY = (
    ". Steps that return arrays by default (StandardScaler, PCA, FeatureUnion and others of "
    "scikit-learn) drop the ids in the index of X: call set_output(transform='pandas') on the "
    "Pipeline. Or pass the speakers: as groups= to fit, through a Pipeline as NAME__groups= with "
    "the name of the network's step, with metadata routing as speaker=. If each sample is of "
    "another speaker, they are range(n_samples)"
)
#: Minimum number of validation samples. The loss of fewer is mostly chance.
MIN_VALIDATION_ROWS = 10


@dataclass(frozen=True)
class ValidationSplit:
    """Positions of training and validation samples; unlabeled ones of held-out groups are in
    neither.
    """

    train: np.ndarray
    valid: np.ndarray
    record: dict[str, Any]  # `validation_split_` of MTLNeuralClassifier
    ignores_groups: bool = False  # groups were passed but could not be held out as a whole


def hold_out(
    rows: ResidentRows, data: TrainingData, settings: TrainingSettings, turn: int
) -> ValidationSplit:
    """Choose the validation samples, by the `turn`-th best choice of groups."""
    codes = np.where(rows.weights[:, 0].cpu() > 0, rows.targets[0].cpu(), -1)
    fraction = settings.validation_fraction
    if fraction is None:
        reason = "partial_fit holds nothing out" if settings.one_epoch else "early_stopping=False"
        return no_validation(codes, reason)
    generator = numpy_stream(settings.seed, "validation")
    split = split_validation(codes, data.groups, fraction, generator, turn, data.sources)
    if split.record["kind"] == "stratified" and turn == 0:
        purpose = "self-training is validated on"
        if settings.params.early_stopping:
            purpose = "early stopping monitors"
        elif settings.params.calibrate:
            purpose = "calibration uses"
        reason, remedy = split.record["reason"], ""
        if data.groups is None:
            reason, remedy = "no speaker ids reached the network", NO_IDS_REMEDY
        warn_user(
            f"{purpose} samples of speakers that are also trained on, because {reason}{remedy}",
            TrainingWarning,
        )
    return split


def split_validation(
    codes: np.ndarray,
    groups: np.ndarray | None,
    fraction: float,
    generator: np.random.Generator,
    turn: int,
    sources: np.ndarray | None,
) -> ValidationSplit:
    """Choose the validation samples: whole groups if possible, else at random within each class.

    Every class stays in training and is about as frequent in both parts. `codes` are -1 for samples
    that cannot validate. Samples of which a source (of shape (n_samples, k)) is held out are not
    trained on; mixtures of several sources are not validated on.
    """
    labeled = codes >= 0
    at_random = _random_rows(codes, fraction, generator, sources)
    n_labeled, n_random = _n_originals(labeled, sources), _n_originals(at_random, sources)
    if n_random < MIN_VALIDATION_ROWS:
        return no_validation(
            codes,
            f"{fraction} of the {n_labeled} labeled samples, class by class, is {n_random}, and at "
            f"least {MIN_VALIDATION_ROWS} are needed",
        )
    reason = "no groups were given"
    if groups is not None:
        ids, names = pd.factorize(canonical_ids(groups), use_na_sentinel=False)
        chosen, reason = _choose_groups(codes[labeled], ids[labeled], fraction, turn)
        if chosen is not None:
            valid, train = _separate(np.isin(ids, chosen), labeled, sources)
            if not valid.any():
                return no_validation(codes, "the samples of held-out groups are mixtures")
            held_out = sorted(str(names[i]) for i in chosen)
            return _split("groups", codes, valid, train, groups=held_out)
    valid, train = _separate(at_random, labeled, sources)
    return _split(
        "stratified", codes, valid, train, reason=reason, ignores_groups=groups is not None
    )


def no_validation(codes: np.ndarray, reason: str) -> ValidationSplit:
    """Return a split with every sample in training."""
    none = np.zeros(len(codes), dtype=bool)
    return _split("none", codes, none, ~none, reason=reason)


def _split(kind, codes, valid, train, *, groups=(), reason="", ignores_groups=False):
    record = {
        "kind": kind,
        "n_train": int((train & (codes >= 0)).sum()),
        "n_valid": int(valid.sum()),
        "groups": list(groups),
        "reason": reason,
    }
    return ValidationSplit(np.flatnonzero(train), np.flatnonzero(valid), record, ignores_groups)


def _choose_groups(codes, ids, fraction, turn):
    """Return the groups to hold out, or None and the reason."""
    n_groups = len(np.unique(ids))
    if n_groups < 2:
        return None, f"there are fewer than two groups ({n_groups})"
    overall = np.bincount(codes) / len(codes)
    n_splits = min(n_groups, max(2, round(1 / fraction)))
    choices = []
    names, positions = np.unique(ids, return_inverse=True)
    # The masks themselves: `split` raises an error if any of them loses a class.
    for train, valid in SpeakerKFold(n_splits)._iter_masks(positions, list(names), codes):
        counts = np.bincount(codes[train], minlength=len(overall))
        if (counts[overall > 0] == 0).any():
            continue
        shares = np.bincount(codes[valid], minlength=len(overall)) / valid.sum()
        mismatch = abs(valid.sum() / len(codes) - fraction) + abs(shares - overall).sum() / 2
        choices.append((mismatch, np.unique(ids[valid])))
    if not choices:
        return None, "every split by groups removes a whole class from training"
    choices.sort(key=lambda choice: choice[0])
    return choices[turn % len(choices)][1], ""


def _n_originals(rows, sources):
    """Return the number of samples without augmented copies."""
    return int(rows.sum()) if sources is None else len(np.unique(sources[rows, 0]))


def _separate(held_out, labeled, sources):
    """Return the masks of validation and training samples, given those that are held out."""
    if sources is None:
        return held_out & labeled, ~held_out
    mixed = (sources != sources[:, :1]).any(axis=1)
    held_out_sources = sources[held_out, 0]  # a mixture has the group of its first source
    return held_out & labeled & ~mixed, ~np.isin(sources, held_out_sources).any(axis=1)


def _random_rows(codes, fraction, generator, sources):
    """Return the mask of about `fraction` of each class, never all of it; copies stay together."""
    chosen = np.zeros(len(codes), dtype=bool)
    originals = np.flatnonzero(codes >= 0)
    if sources is not None:
        originals = originals[np.unique(sources[originals, 0], return_index=True)[1]]
    for code in np.unique(codes[originals]):
        rows = originals[codes[originals] == code]
        n_valid = min(round(len(rows) * fraction), len(rows) - 1)
        chosen[generator.permutation(rows)[:n_valid]] = True
    return chosen if sources is None else np.isin(sources[:, 0], sources[chosen, 0])
