"""Meta-estimators of scikit-learn in which rows without a label would become a class."""

import sys

#: Modules whose meta-estimators recode y, or take every value of y for a class.
_RECODING = {
    "sklearn.calibration": "CalibratedClassifierCV",
    "sklearn.ensemble._bagging": "BaggingClassifier",
    "sklearn.ensemble._voting": "VotingClassifier",
    "sklearn.ensemble._stacking": "StackingClassifier",
    # All that is seen of these two in a worker, where this module's function fits.
    "sklearn.ensemble._base": "VotingClassifier or StackingClassifier",
    "sklearn.ensemble._weight_boosting": "AdaBoostClassifier",
    "sklearn.multiclass": "a multiclass meta-estimator",
    "sklearn.multioutput": "a multioutput meta-estimator",
}


def refuse_recoding(unlabelled):
    """Refuse a fit within a meta-estimator in which unlabelled rows would become a class.

    It hands on y as codes of a LabelEncoder's, or itself takes -1 for a class, neither of which
    shows in what arrives here: only who calls tells.

    Raises
    ------
    ValueError
    """
    frame = sys._getframe(1)
    while frame is not None:
        name = _RECODING.get(frame.f_globals.get("__name__"))
        if name is not None:
            raise ValueError(
                f"unlabelled={unlabelled!r} does not work inside {name}, which recodes the labels: "
                "rows without a label would be taken for a class of their own. Fit it on labelled "
                "rows with unlabelled=None, or put the network outermost."
            )
        frame = frame.f_back
