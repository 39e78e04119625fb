"""Meta-estimators of scikit-learn in which rows without a label would become a class."""

import sys

#: All that is seen of these two in a worker, where a function of a module that they share fits.
_EITHER = "VotingClassifier or StackingClassifier"
#: Modules whose meta-estimators recode y, or take every value of y for a class.
_RECODING = {
    "sklearn.calibration": "CalibratedClassifierCV",
    "sklearn.ensemble._bagging": "BaggingClassifier",
    "sklearn.ensemble._voting": "VotingClassifier",
    "sklearn.ensemble._stacking": "StackingClassifier",
    "sklearn.ensemble._base": _EITHER,
    "sklearn.ensemble._weight_boosting": "AdaBoostClassifier",
    "sklearn.multiclass": "a multiclass meta-estimator",
    "sklearn.multioutput": "a multioutput meta-estimator",
}
#: Methods for which cross_val_predict recodes y.
_PREDICTING_CLASSES = ("predict_proba", "predict_log_proba", "decision_function")


def refuse_recoding(unlabeled):
    """Refuse a fit within a meta-estimator in which unlabeled rows would become a class.

    It hands on y as codes of a LabelEncoder's, or itself takes -1 for a class, neither of which
    shows in what arrives here: only who calls tells.

    Raises
    ------
    ValueError
    """
    names = [name for frame in _frames(sys._getframe(1)) if (name := _recoder(frame))]
    if names:
        name = next((name for name in names if name != _EITHER), _EITHER)
        raise ValueError(
            f"unlabeled={unlabeled!r} does not work inside {name}, which recodes the labels: "
            "rows without a label would be taken for a class of their own. Fit it on labeled "
            "rows with unlabeled=None, or put the network outermost."
        )


def _recoder(frame):
    """What recodes labels there, or None."""
    module = frame.f_globals.get("__name__")
    if module == "sklearn.model_selection._validation":
        # cross_val_predict encodes the labels where it is asked for more than predictions.
        method = frame.f_locals.get("method")
        if frame.f_code.co_name == "_fit_and_predict" and method in _PREDICTING_CLASSES:
            return f"cross_val_predict(method={method!r})"
    return _RECODING.get(module)


def _frames(frame):
    """A frame and all that called it, from the inside out."""
    while frame is not None:
        yield frame
        frame = frame.f_back
