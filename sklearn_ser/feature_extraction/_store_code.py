"""The code of classes outside this package, as content that a key can be made of.

Our own classes have a revision; for others their code stands in: that of every method, of the
functions of the same module that it calls by name, and the plain constants of class and module
(numbers, texts, tuples). A change in another module, or in a list, dict or other object that a
method reads when it runs, is not seen.
"""

import functools
import types

#: Packages whose classes are known by a revision or a version, not by their code. (A class that
#: is made by calling `type` says that it is of the module "abc".)
_KNOWN = {"sklearn_ser", "sklearn", "builtins"}
#: Set by Python, and none of them has an influence on numbers.
_NO_CONTENT = {"__module__", "__qualname__", "__doc__", "__firstlineno__", "__static_attributes__"}
_CONSTANTS = (bool, int, float, complex, str, bytes, tuple, frozenset, types.NoneType)
_CODE = (
    types.FunctionType,
    staticmethod,
    classmethod,
    property,
    functools.cached_property,
    functools.partial,
    functools.partialmethod,
)


def class_code(cls):
    """What a class and its bases outside the known packages consist of.

    Parameters
    ----------
    cls : type

    Returns
    -------
    list
        Of plain values, functions among them taken apart; empty for a class of this package.
    """
    seen = set()
    return [
        {
            name: _content(value, seen)
            for name, value in vars(base).items()
            if name not in _NO_CONTENT and isinstance(value, _CODE + _CONSTANTS)
        }
        for base in cls.__mro__
        if base.__module__.partition(".")[0] not in _KNOWN
    ]


def function_code(function):
    """What a function consists of: its code, defaults, what it encloses and names in its module.

    Parameters
    ----------
    function : function

    Returns
    -------
    dict or list
        Of plain values, functions among them taken apart.
    """
    return _function(function, set())


def _content(value, seen):
    if isinstance(value, staticmethod | classmethod):
        return [type(value).__name__, _content(value.__func__, seen)]
    if isinstance(value, property):
        return ["property", *(_content(part, seen) for part in (value.fget, value.fset))]
    if isinstance(value, functools.cached_property):
        return ["property", _content(value.func, seen)]
    if isinstance(value, functools.partial | functools.partialmethod):
        return [_content(value.func, seen), list(value.args), value.keywords]
    if isinstance(value, types.MethodType):
        return _content(value.__func__, seen)
    if isinstance(value, types.FunctionType):
        return _function(value, seen)
    if isinstance(value, type):
        return value.__name__
    return value  # what has no content is refused when the key is made


def _function(function, seen):
    if function.__code__ in seen:
        return function.__name__
    seen.add(function.__code__)
    if function.__module__.partition(".")[0] in _KNOWN:  # a wrapper: what is wrapped counts
        return [function.__name__, *(_enclosed(cell, seen) for cell in function.__closure__ or ())]
    return {
        "code": _code(function.__code__),
        "defaults": [_content(value, seen) for value in function.__defaults__ or ()],
        "keywords": {
            name: _content(value, seen) for name, value in (function.__kwdefaults__ or {}).items()
        },
        "enclosed": [_enclosed(cell, seen) for cell in function.__closure__ or ()],
        "of its module": {
            name: _content(value, seen)
            for name in sorted(_names(function.__code__))
            if _belongs(value := function.__globals__.get(name), function)
        },
    }


def _enclosed(cell, seen):
    try:
        return _content(cell.cell_contents, seen)
    except ValueError:  # not filled yet
        return None


def _belongs(value, function):
    """Whether a global that a function names is a constant, or a function of the same module."""
    if isinstance(value, types.FunctionType):
        return value.__module__ == function.__module__
    return value is not None and isinstance(value, _CONSTANTS)


def _names(code):
    """Names that a code object and those within it use, globals among them."""
    within = (const for const in code.co_consts if isinstance(const, types.CodeType))
    return set(code.co_names).union(*map(_names, within))


def _code(code):
    """A code object without where it stands; docstrings are among its constants."""
    constants = [_constant(const) for const in code.co_consts]
    names = [list(code.co_names), list(code.co_varnames), list(code.co_freevars)]
    return [code.co_code, code.co_argcount, code.co_kwonlyargcount, code.co_flags, constants, names]


def _constant(const):
    if isinstance(const, types.CodeType):
        return _code(const)
    if isinstance(const, slice):  # since Python 3.14
        return ["slice", const.start, const.stop, const.step]
    if type(const) is tuple:
        return tuple(map(_constant, const))
    return ["..."] if const is Ellipsis else const
