"""Public module of public classes and functions."""


def public_module(name):
    """Return a decorator that gives a class or function the module that users import it from.

    Pickles, model files, cache keys and reprs then hold that name, and survive it when the private
    module that defines the object is moved or renamed.

    Parameters
    ----------
    name : str
        Such as "sklearn_ser.preprocessing".

    Returns
    -------
    callable
    """

    def decorate(found):
        found.__module__ = name
        return found

    return decorate
