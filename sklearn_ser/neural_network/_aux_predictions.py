"""What a multi-task network says beside its main task, and of single frames."""

import numpy as np
import pandas as pd
from scipy.special import softmax
from sklearn.utils.validation import check_is_fitted

from sklearn_ser.exceptions import MetadataError
from sklearn_ser.neural_network._base import index_of
from sklearn_ser.neural_network._fitted_tasks import Labels
from sklearn_ser.neural_network._scores import task_score
from sklearn_ser.utils._alignment import refuse_other_order
from sklearn_ser.utils._aux_table import check_aux
from sklearn_ser.utils._failed import with_missing


class AuxiliaryPredictions:
    """Predictions of the auxiliary tasks, and of frames."""

    def predict_aux(self, X):
        """Predictions of the auxiliary tasks.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        DataFrame of shape (n_samples, n_tasks)
            One column per task that has labels or values, adversarial ones too, and X's index if
            it has one. Missing in rows of failed audio.
        """
        outputs, failed = self._outputs(X)
        columns = {
            task.name: with_missing(task.decode(output), failed)
            for task, output in self._answering(outputs)
        }
        return pd.DataFrame(columns, index=index_of(X, len(failed)))

    def predict_aux_proba(self, X):
        """Class probabilities of the auxiliary tasks that have classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences

        Returns
        -------
        dict of str to DataFrame of shape (n_samples, n_classes)
            For each task, one column per class, and X's index if it has one; NaN in rows of
            failed audio.
        """
        outputs, failed = self._outputs(X)
        return {
            task.name: pd.DataFrame(
                with_missing(task.probabilities(output), failed),
                columns=task.classes,
                index=index_of(X, len(failed)),
            )
            for task, output in self._answering(outputs)
            if isinstance(task, Labels)
        }

    def score_aux(self, X, aux):
        """How well the auxiliary tasks are answered.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features), or frame sequences
        aux : DataFrame of shape (n_samples, n_aux), Series or array-like
            True targets, in columns named as in `fit`; tasks whose column it lacks are left out.
            Rows with a missing target, and those of failed audio, do not count. Labels that the
            network does not know count as misses, as classes of their own.

        Returns
        -------
        Series of float
            By task: unweighted average recall for classes (of an adversarial task, low is good),
            concordance correlation coefficient for values. NaN where no row counts.
        """
        refuse_other_order(aux, X, "aux", "X")
        outputs, failed = self._outputs(X)
        table = check_aux(aux, len(failed))
        if table is None:
            raise MetadataError("score_aux needs aux, the true targets of the auxiliary tasks.")
        table = table[~failed].reset_index(drop=True)
        scores = {}
        for task, output in self._answering(outputs):
            column = task.spec.column or task.name
            if column in table.columns:
                targets, known = task.encode(table[column])
                if isinstance(task, Labels):
                    targets, known = _with_new_classes(task, table[column], targets, known)
                scores[task.name] = task_score(task, output, targets, known)
        return pd.Series(scores, dtype=float)

    def predict_frame_proba(self, X):
        """Class probabilities of every frame, from a network that works frame by frame.

        Parameters
        ----------
        X : frame sequences

        Returns
        -------
        dict of str to list of ndarray of shape (n_frames, n_classes)
            One array per row, None for failed audio. First the main task, ``y``, with the classes
            of `classes_`, then the auxiliary ones with those of `aux_classes_`. Of several
            networks, the mean.

        Raises
        ------
        ValueError
            If the encoder gives one representation for a sequence.

        Notes
        -----
        Frames are not calibrated. The temperature of `calibrate` is of an utterance: of one
        network, ``predict_proba`` gives the mean of these probabilities over the frames, raised to
        the power 1 / temperature and scaled to sum to 1, which changes no label. To divide the
        outputs of frames by it would make neither frames nor their mean honest.
        """
        check_is_fitted(self)
        tasks = self._fitted_tasks()
        places = [place for place, task in enumerate(tasks) if isinstance(task, Labels)]
        if not self.net_.module_.frame_level:
            raise ValueError(
                f"the encoder {self._architecture['encoder']!r} gives one representation for a "
                "whole sequence: probabilities of frames need one that works frame by frame, e.g. "
                'encoder="frame_dnn" or "lstm" with encoder_params={"pooling": "frames"}.'
            )

        def ragged(module, batch):
            # As objects, which the driver puts in the order of the rows whatever their lengths.
            outputs = module(batch)
            return [_Ragged(outputs[place].split(batch.lengths.tolist())) for place in places]

        members, failed = self._run(X, ragged)
        result = {}
        for position, place in enumerate(places):
            known = iter(zip(*(member[position] for member in members), strict=True))
            result[tasks[place].name] = [
                None if lost else np.mean([_probabilities(part) for part in next(known)], axis=0)
                for lost in failed
            ]
        return result

    def _answering(self, outputs):
        """The auxiliary tasks that answer something, with their outputs."""
        return [
            (task, output)
            for task, output in zip(self._fitted_tasks(), outputs, strict=True)
            if task.predicts
        ][1:]


def _with_new_classes(task, column, codes, known):
    """Codes of all labels, those that the task does not know after its own classes."""
    new = column.notna().to_numpy() & ~known
    found, _ = pd.factorize(column[new])
    codes[new] = task.n_outputs + found
    return codes, known | new


def _probabilities(outputs):
    return softmax(outputs.astype(np.float64), axis=1)


class _Ragged:
    """Tensors of several lengths that go to numpy as one array of objects."""

    def __init__(self, parts):
        self.parts = parts

    def cpu(self):
        return self

    def numpy(self):
        values = np.empty(len(self.parts), dtype=object)
        for row, part in enumerate(self.parts):  # arrays of one shape would be taken for one array
            values[row] = part.cpu().numpy()
        return values
