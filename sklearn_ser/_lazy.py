"""Public names that are loaded on first use, listed once, in the stub beside each package."""

import lazy_loader


def attach_stub(package, file):
    """Return `__getattr__`, `__dir__` and `__all__` of a package from its ``__init__.pyi``.

    Parameters
    ----------
    package, file : str
        The package's ``__name__`` and ``__file__``.

    Returns
    -------
    tuple
    """
    load, list_names, names = lazy_loader.attach_stub(package, file)

    def __getattr__(name):
        try:
            return load(name)
        except AttributeError as error:
            if name not in names:
                raise AttributeError(f"module {package!r} has no attribute {name!r}") from None
            # Python would take an AttributeError for a missing name and hide its cause.
            raise ImportError(
                f"{package}.{name} cannot be imported, because a package that it needs is broken "
                f"or does not fit: {error}. Compare sklearn_ser.show_versions() with the versions "
                "that sklearn_ser requires."
            ) from error

    return __getattr__, list_names, names
