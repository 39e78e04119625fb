"""Augmenters with names, and parameters within them: ``augmenters__noise__snr``."""

from collections.abc import Mapping

import numpy as np
from sklearn.base import clone

from sklearn_ser.utils._nested_estimators import parameters_named

#: The name of rows that no augmenter has changed.
ORIGINAL = "original"


def named_augmenters(augmenters):
    """A dict of name to augmenter, whatever form was given; those that are None are left out.

    Parameters
    ----------
    augmenters : augmenter, list of augmenters, list of (str, augmenter), dict, or None
        One without a name is called by its class in lower case, and by its place (``gain-2``)
        where several are of one class.

    Returns
    -------
    dict of str to augmenter

    Raises
    ------
    TypeError, ValueError
        Saying which one cannot be used, and why.
    """
    pairs = [(name, each) for name, each in _pairs(augmenters) if each is not None]
    for name, augmenter in pairs:
        _check_name(name)
        if isinstance(augmenter, type) or not _can_augment(augmenter):
            raise TypeError(
                f"augmenter {name!r} must have a method augment, augment_rows or fit_transform "
                f"(such as Gain(), or a Pipeline of augmenters), got {augmenter!r}."
            )
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError(f"augmenters must have different names, got {names}.")
    return dict(pairs)


def _pairs(augmenters):
    if augmenters is None:
        return []
    if isinstance(augmenters, Mapping):
        return list(augmenters.items())
    if not isinstance(augmenters, list | tuple):
        return [(_class_name(augmenters), augmenters)]
    named = [_is_pair(each) for each in augmenters]
    if any(named) and not all(named):
        place = named.index(False)
        raise TypeError(
            f"augmenters must be a list of augmenters or a list of (name, augmenter): "
            f"augmenters[{place}] has no name and others do."
        )
    if any(named):
        return [tuple(each) for each in augmenters]
    names = [_class_name(each) for each in augmenters]
    seen = dict.fromkeys(names, 0)
    pairs = []
    for name, augmenter in zip(names, augmenters, strict=True):
        seen[name] += 1
        pairs.append((f"{name}-{seen[name]}" if names.count(name) > 1 else name, augmenter))
    return pairs


def _is_pair(each):
    return isinstance(each, tuple | list) and len(each) == 2 and isinstance(each[0], str)


def _class_name(augmenter):
    steps = getattr(augmenter, "steps", None)
    if steps:  # of a Pipeline, its steps tell more
        return "-".join(name for name, _ in steps)
    return type(augmenter).__name__.lower()


def _check_name(name):
    if not isinstance(name, str) or not name or "__" in name:
        raise ValueError(f'augmenters need names without "__", got {name!r}.')
    if name == ORIGINAL:
        raise ValueError(f"an augmenter cannot be called {ORIGINAL!r}: unchanged rows are.")


def _can_augment(augmenter):
    return any(hasattr(augmenter, name) for name in ("augment", "augment_rows", "fit_transform"))


class NestedAugmenters:
    """Lets ``get_params`` and ``set_params`` reach the augmenters in a list or mapping.

    A change makes a new container and a clone of the augmenter that is changed, so that whoever
    shares them keeps them as they are.
    """

    def get_params(self, deep=True):
        """Parameters of this estimator.

        Parameters
        ----------
        deep : bool, default=True
            Also those of the inner estimator, as ``estimator__<parameter>``, and of augmenters
            in a list or mapping, as ``augmenters__<name>`` and ``augmenters__<name>__<parameter>``
            (of a single one, ``augmenters__<parameter>``).

        Returns
        -------
        dict
        """
        params = super().get_params(deep=deep)
        if deep and isinstance(self.augmenters, Mapping | list | tuple):
            for name, augmenter in _readable_pairs(self.augmenters):
                params[f"augmenters__{name}"] = augmenter
                if hasattr(augmenter, "get_params") and not isinstance(augmenter, type):
                    for parameter, value in augmenter.get_params().items():
                        params[f"augmenters__{name}__{parameter}"] = value
        return params

    def set_params(self, **params):
        """Set parameters, also of the inner estimator and of augmenters.

        Parameters
        ----------
        **params
            As `get_params` names them. ``augmenters__<name>=None`` switches one off.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If there is no such parameter or augmenter.
        """
        nested = {name: value for name, value in params.items() if name.startswith("augmenters__")}
        super().set_params(**{name: params[name] for name in params if name not in nested})
        if self.augmenters is not None and not isinstance(self.augmenters, Mapping | list | tuple):
            return super().set_params(**nested)
        # Whole augmenters before their parameters, in whatever order they are given.
        for path in sorted(nested, key=lambda path: path.count("__")):
            _, name, *rest = path.split("__", 2)
            self._set_augmenter(name, rest, nested[path])
        return self

    def _set_augmenter(self, name, rest, value):
        pairs = _readable_pairs(self.augmenters)
        names = [each for each, _ in pairs]
        if name not in names:
            raise ValueError(f"there is no augmenter {name!r}: the augmenters are {names}.")
        place = names.index(name)
        if rest:
            augmenter = pairs[place][1]
            if not hasattr(augmenter, "set_params"):
                raise ValueError(f"augmenter {name!r} has no parameters: it is {augmenter!r}.")
            value = clone(augmenter).set_params(**{rest[0]: value})
        pairs[place] = (name, value)
        is_dict = isinstance(self.augmenters, Mapping)
        self.augmenters = dict(pairs) if is_dict else pairs


def _readable_pairs(augmenters):
    """As given, faults included: a repr must not raise."""
    try:
        return [(str(name), each) for name, each in _pairs(augmenters)]
    except TypeError:
        return []


def seeded(augmenter, *seed):
    """A clone whose every `random_state`, its parts' included, is drawn from `seed`.

    Parameters
    ----------
    augmenter : object
    *seed : int or str
        What tells it from the others.
    """
    augmenter = clone(augmenter, safe=False)
    if not hasattr(augmenter, "get_params"):
        return augmenter
    named = sorted(parameters_named(augmenter, "random_state"))
    states = {name: seed_of(*seed, name) for name in named}
    return augmenter.set_params(**states) if states else augmenter


def seed_of(*parts):
    """A seed made of numbers and names."""
    words = [byte for part in parts for byte in (*str(part).encode(), 0)]
    return int(np.random.SeedSequence(words).generate_state(1)[0] >> 1)
