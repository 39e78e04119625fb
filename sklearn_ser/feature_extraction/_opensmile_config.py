"""Which configuration of openSMILE a pair of parameters means, and its engine."""

import os
import threading
from pathlib import Path

from sklearn_ser.feature_extraction._opensmile_engine import RefusedConfig, SmileEngine, config_root
from sklearn_ser.feature_extraction._opensmile_files import config_digest, written_levels
from sklearn_ser.feature_extraction._opensmile_sink import fast_sink, fast_sink_of_standard_set

#: What `opensmile.FeatureLevel` calls "func" has the name that scikit-learn users expect.
FUNCTIONALS = "functionals"
#: The levels of the standard sets, and their names in the configuration files.
STANDARD_LEVELS = {FUNCTIONALS: "func", "lld": "lld", "lld_de": "lld_de"}
#: Sets whose configuration has no deltas.
_WITHOUT_DELTAS = "GeMAPS"

_engines = {}
_building = threading.Lock()


def feature_sets():
    """Names of openSMILE's standard feature sets."""
    import opensmile

    return tuple(opensmile.FeatureSet.__members__)


def check_config(feature_set, feature_level):
    """Raise a ValueError unless these name a level of a standard set, or an existing file.

    Parameters
    ----------
    feature_set, feature_level : str
        As in OpenSmileExtractor.
    """
    known = feature_sets()
    if feature_set in known:
        levels = standard_levels(feature_set)
        if feature_level not in levels:
            raise ValueError(
                f"The 'feature_level' parameter of OpenSmileExtractor must be one of the levels "
                f"of {feature_set}, {', '.join(map(repr, levels))}. Got {feature_level!r} instead."
            )
    elif not os.path.isfile(feature_set):
        if feature_set.endswith(".conf"):
            raise ValueError(
                f"The 'feature_set' parameter of OpenSmileExtractor names a configuration file "
                f"that does not exist: {feature_set!r} (relative paths start at the working "
                f"directory, {os.getcwd()!r})."
            )
        raise ValueError(
            f"The 'feature_set' parameter of OpenSmileExtractor must be one of openSMILE's "
            f"standard sets, {', '.join(known)}, or the path of a .conf file. Got {feature_set!r} "
            f"instead."
        )


def is_standard(feature_set):
    """Whether it is the name of one of openSMILE's own sets, and not a path."""
    return feature_set in feature_sets()


def standard_levels(feature_set):
    """The levels that a standard set has."""
    return [
        level
        for level in STANDARD_LEVELS
        if not (level == "lld_de" and _WITHOUT_DELTAS in feature_set)
    ]


def load_engine(feature_set, feature_level):
    """The engine of a set and level: built once per process, and again when its files change.

    Parameters
    ----------
    feature_set, feature_level : str
        As in OpenSmileExtractor; they have passed `check_config`.

    Returns
    -------
    SmileEngine

    Raises
    ------
    ValueError
        If openSMILE refuses the file, or it has no such level.
    """
    standard = is_standard(feature_set)
    path = standard_path(feature_set) if standard else Path(os.path.abspath(feature_set))
    digest = None if standard else config_digest(path)
    key = path, feature_level, standard
    with _building:
        found_digest, engine = _engines.get(key, (None, None))
        if engine is None or found_digest != digest:
            try:
                engine = _new_engine(*key)
            except RefusedConfig as error:
                raise ValueError(_refusal(feature_set, path, feature_level, error)) from None
            _engines[key] = digest, engine
    return engine


def _new_engine(path, feature_level, standard):
    level = STANDARD_LEVELS.get(feature_level, feature_level)
    if standard:
        return SmileEngine(path, level, fast_sink_of_standard_set(path, level))
    if feature_level in written_levels(path):
        level = feature_level  # its own "functionals"
    return SmileEngine(path, level, fast_sink(level))


def standard_path(feature_set):
    """Configuration file of a standard set."""
    import opensmile

    return config_root() / f"{opensmile.FeatureSet[feature_set].value}.conf"


def _refusal(feature_set, path, feature_level, error):
    if "component 'extsink.reader' requires it" in str(error):
        levels = ", ".join(map(repr, written_levels(path)))
        return (
            f"{feature_set!r} has no level {feature_level!r} (parameter 'feature_level' of "
            f"OpenSmileExtractor): its components write {levels or 'none'}."
        )
    return f"openSMILE refuses the configuration {feature_set!r}: {error}"
