"""The ways of fitting a multi-task network: whole trainings, and single epochs."""

import numpy as np
import pandas as pd
from sklearn.base import _fit_context

from sklearn_ser.neural_network._fitting import fit_network
from sklearn_ser.utils._unlabeled import labeled_rows


class FitMethods:
    """`fit` and `partial_fit`."""

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y, aux=None, groups=None, sample_weight=None, sources=None):
        """Train the network.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences
            Standardized features. Frame sequences are arrays (n_frames, n_features), one for each
            sample: in the column ``frames`` that an audio step with frames gives, in a list, a
            Series or an object array, or all in one array (n_samples, n_frames, n_features).
        y : array-like of shape (n_samples,)
            Labels.
        aux : DataFrame of shape (n_samples, n_aux), Series or array-like, default=None
            Auxiliary targets, row by row in the order of X; None, NaN or NA where one is not
            known. Columns of an array are called aux0, aux1, and so on.
        groups : array-like of shape (n_samples,), default=None
            The speaker of each row, whom early stopping keeps apart from the training rows. If
            not given, a column or index level ``speaker`` of X is used, if there is one; if there
            is none, rows are held out at random. Rows without a group count as one group.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, in the losses of all tasks.
        sources : array-like of int of shape (n_samples,) or (n_samples, k), default=None
            Of rows that are copies of others, or mixtures: the numbers of the original rows that
            each was made from (an original has its own number). Early stopping never watches a
            row that shares a source with one that is trained on. Given by
            :class:`~sklearn_ser.augmentation.AugmentingClassifier`.

        Returns
        -------
        self

        Raises
        ------
        MetadataError
            If `aux`, `tasks` or `groups` do not fit together or with X.
        ValueError
            If X or y cannot be used, or are not what `encoder` takes, or fewer than two classes
            are left. It names the row.
        SerError
            If the device is not there, or training diverges.
        KeyboardInterrupt
            If interrupted; see the notes on the class.

        Warns
        -----
        TrainingWarning
            If rows of failed audio or constant auxiliary targets are left out, or groups were
            given and could not be kept apart.
        """
        continued = self.warm_start and hasattr(self, "_weights")
        fit_network(self, X, y, aux, groups, sample_weight, sources=sources, continued=continued)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y, classes=None, aux=None, groups=None, sample_weight=None):
        """Train one epoch, from where training is; nothing is held out.

        The first call, before any fit, makes the network: its tasks, and what they know (classes,
        scales), are those of the rows of this call. After :meth:`fit`, it fine-tunes.

        The optimizer goes on from call to call, through pickle too; after a fit, another
        `loss_weighting` or other tasks in the sum it begins anew. How many calls there will be is
        not known: the learning rate is constant, weights are not averaged, and what grows with
        training (adversaries) does so over `max_epochs` calls. A temperature that :meth:`fit` has
        found stays. An interrupted call, or one that fails, changes nothing.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences
        y : array-like of shape (n_samples,)
            May lack classes and, after the first call, with `unlabeled` have no label at all.
        classes : array-like of shape (n_classes,), default=None
            All labels that any call will have. Needed in the first call.
        aux, groups, sample_weight
            As in :meth:`fit`. Tasks whose column is not there are not trained in this call.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If labels are new, `classes` is missing in the first call, or parameters that make the
            network were changed.
        """
        known = None if classes is None else np.unique(np.asarray(classes))
        continued = hasattr(self, "_weights")
        if not continued:
            if known is None:
                raise ValueError("classes must be passed on the first call to partial_fit.")
            _check_classes(known, self.unlabeled)
        elif known is not None and not np.array_equal(known, self.classes_):
            raise ValueError(
                f"`classes={classes!r}` is not the same as on last call to partial_fit, was: "
                f"{self.classes_!r}"
            )
        fit_network(
            self,
            X,
            y,
            aux,
            groups,
            sample_weight,
            continued=continued,
            one_epoch=True,
            classes=known,
        )
        return self


def _check_classes(classes, unlabeled):
    if len(classes) < 2:
        raise ValueError(f"classes must hold at least 2 labels, got {classes.tolist()}.")
    if not labeled_rows(classes, unlabeled).all() or pd.isna(classes).any():
        raise ValueError(
            f"classes holds {classes.tolist()}, among them what marks rows without a label "
            f"(unlabeled={unlabeled!r}, NaN and None): give the labels alone."
        )
