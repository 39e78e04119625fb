"""Public names that load on first use, so that importing the package stays light."""

import importlib


def lazy_attributes(package, locations):
    """`__getattr__` and `__dir__` for a package whose public names live in private modules.

    Parameters
    ----------
    package : str
        The package's ``__name__``.
    locations : dict of str to str
        Public name -> module that defines it (absolute). A name whose module is
        ``package + "." + name`` is that submodule itself.

    Returns
    -------
    getattr_function, dir_function : callables
    """

    def __getattr__(name):
        if name not in locations:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module = importlib.import_module(locations[name])
        is_submodule = locations[name] == f"{package}.{name}"
        return module if is_submodule else getattr(module, name)

    def __dir__():
        return sorted(locations)

    return __getattr__, __dir__
