"""Parameters that are one number, or a range to draw from."""

from sklearn.utils._param_validation import InvalidParameterError


def check_range(step, name, interval):
    """Refuse a parameter that is neither a number in `interval` nor a range within it.

    Parameters
    ----------
    step : estimator
    name : str
        Of the parameter.
    interval : sklearn.utils._param_validation.Interval

    Raises
    ------
    InvalidParameterError
    """
    value = getattr(step, name)
    ends = list(value) if isinstance(value, tuple | list) else [value]
    is_range = len(ends) == 2 and all(map(interval.is_satisfied_by, ends)) and ends[0] <= ends[1]
    if not (is_range or (len(ends) == 1 and interval.is_satisfied_by(value))):
        raise InvalidParameterError(
            f"The {name!r} parameter of {type(step).__name__} must be {interval}, or a range "
            f"(lowest, highest) of such numbers. Got {value!r} instead."
        )


def draw(value, rng):
    """The number itself, or one drawn evenly from a range.

    Parameters
    ----------
    value : float or (float, float)
    rng : numpy.random.Generator

    Returns
    -------
    float
    """
    if isinstance(value, tuple | list):
        return float(rng.uniform(*value))
    return float(value)
