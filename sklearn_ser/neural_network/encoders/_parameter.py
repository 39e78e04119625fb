"""Parameters of encoders beyond those that all of them have (`encoder_params`)."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

from sklearn.utils._param_validation import make_constraint


@dataclass(frozen=True)
class Parameter:
    """Default and constraint of one parameter of an encoder.

    Parameters
    ----------
    default : int, str, bool or tuple of int
    constraint : object
        A constraint of scikit-learn's; of a tuple, what each number must satisfy.
    """

    default: Any
    constraint: Any

    def accepts(self, value):
        """Whether `value` may be this parameter's."""
        constraint = make_constraint(self.constraint)
        if isinstance(self.default, tuple):
            return (
                isinstance(value, tuple | list)
                and len(value) > 0
                and all(constraint.is_satisfied_by(one) for one in value)
            )
        return constraint.is_satisfied_by(value)

    def plain(self, value):
        """`value` as the plain object that is stored with the network."""
        if isinstance(self.default, tuple):
            return [int(one) for one in value]
        if isinstance(self.default, bool):
            return bool(value)
        return int(value) if isinstance(value, Integral) else str(value)

    def __str__(self):
        if isinstance(self.default, tuple):
            return f"a sequence, each of it {make_constraint(self.constraint)}"
        return str(make_constraint(self.constraint))


def resolve_parameters(encoder, known, given):
    """All parameters of an encoder as plain values, defaults filled in.

    Parameters
    ----------
    encoder : str
    known : dict of str to Parameter
    given : dict or None

    Raises
    ------
    ValueError
        Naming the encoder, the parameter, and what there is.
    """
    given = given or {}
    strange = sorted(set(given) - set(known), key=str)
    if strange:
        raise ValueError(
            f"encoder_params names {strange}, which encoder={encoder!r} does not have: it has "
            f"{sorted(known) or 'none'}."
        )
    for name, value in given.items():
        if not known[name].accepts(value):
            raise ValueError(
                f"encoder_params[{name!r}] of encoder={encoder!r} must be {known[name]}, got "
                f"{value!r}."
            )
    return {
        name: parameter.plain(given.get(name, parameter.default))
        for name, parameter in known.items()
    }
