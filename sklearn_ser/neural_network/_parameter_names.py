"""Errors for names that are not parameters, with the parameter that was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from functools import wraps
from inspect import signature
from typing import Any, Self

from sklearn.base import BaseEstimator

#: Parameters of networks by their names in scikit-learn, skorch and Keras.
NAMES_ELSEWHERE = {
    "alpha": "optimization__weight_decay",
    "criterion": "y_task",
    "epochs": "max_epochs",
    "hidden_layer_sizes": "hidden_units",
    "l2": "optimization__weight_decay",
    "learning_rate": "lr",
    "learning_rate_init": "lr",
    "loss": "y_task",
    "max_iter": "max_epochs",
    "module": "encoder",
    "n_epochs": "max_epochs",
    "n_iter_no_change": "patience",
    "num_epochs": "max_epochs",
    "optimizer": "optimization__optimizer",
    "optimizer__lr": "lr",
    "optimizer__momentum": "optimization__optimizer_params",
    "seed": "random_state",
    "solver": "optimization__optimizer",
    "train_split": "validation",
    "units": "hidden_units",
}


class SuggestingEstimator(BaseEstimator):
    """Base class of estimators and parameter objects whose constructors suggest parameters."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "__init__" not in vars(cls):
            return
        init = cls.__init__
        known = signature(init).parameters

        @wraps(init)
        def checked(self: Any, *args: Any, **params: Any) -> None:
            unknown = [name for name in params if name not in known]
            if unknown:
                raise TypeError(_message(cls, unknown, constructs=True))
            init(self, *args, **params)

        cls.__init__ = checked  # type: ignore[method-assign]

    def set_params(self, **params: Any) -> Self:
        """Set the parameters of this object.

        Parameters
        ----------
        **params
            Parameters by name.

        Returns
        -------
        self : estimator instance
            This object.

        Raises
        ------
        ValueError
            If there is no such parameter.
        """
        known = self.get_params(deep=False)
        unknown = [name for name in params if name.partition("__")[0] not in known]
        if unknown:
            raise unknown_parameters(self, unknown)
        return super().set_params(**params)


def unknown_parameters(estimator: BaseEstimator, names: Iterable[str]) -> ValueError:
    """Return the error of ``set_params`` for names that are not parameters."""
    return ValueError(_message(type(estimator), names, estimator.get_params()))


def _message(kind, names, params=None, constructs=False):
    own = [name for name in signature(kind.__init__).parameters if name != "self"]
    if params is None:
        params = kind().get_params() if _has_defaults(kind) else dict.fromkeys(own)
    sentences = []
    for name in names:
        sentences.append(f"Invalid parameter {name!r} for estimator {kind.__name__}.")
        meant = _similar(name, list(params), own)
        if meant is not None and meant != name:
            sentences.append(f"Did you mean {meant!r}?")
        if constructs and meant is not None and "__" in meant:
            sentences.append(
                f"Nested parameters are set after construction: set_params({meant}=...)."
            )
    return f"{' '.join(sentences)} Valid parameters are: {sorted(own)!r}."


def _has_defaults(kind):
    parameters = list(signature(kind.__init__).parameters.values())[1:]
    return all(parameter.default is not parameter.empty for parameter in parameters)


def _similar(name, valid, own):
    """Return the parameter that was probably meant, or None."""
    if name in valid:
        return name
    first, _, rest = name.partition("__")
    if first == "module" and rest and "encoder_params" in own:
        return f"encoder_params__{rest}"
    last = name.rpartition("__")[2]
    by_last = {other.rpartition("__")[2]: other for other in reversed(valid)}
    for key in (name, last):
        if NAMES_ELSEWHERE.get(key) in valid:
            return NAMES_ELSEWHERE[key]
        if key in by_last:
            return by_last[key]
    close = difflib.get_close_matches(name, valid, 1)
    close += [by_last[each] for each in difflib.get_close_matches(last, by_last, 1)]
    return close[0] if close else None
