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
    if is_standard(feature_set):
        path, digest = standard_path(feature_set), None
        level = STANDARD_LEVELS[feature_level]
    else:
        path, digest = Path(os.path.abspath(feature_set)), config_digest(feature_set)
        level = feature_level
        if level == FUNCTIONALS and FUNCTIONALS not in written_levels(path):
            level = STANDARD_LEVELS[FUNCTIONALS]
    with _building:
        found_digest, engine = _engines.get((path, level), (None, None))
        if engine is None or found_digest != digest:
            standard = is_standard(feature_set)
            sink = fast_sink_of_standard_set(path, level) if standard else fast_sink(level)
            try:
                engine = SmileEngine(path, level, sink)
            except RefusedConfig as error:
                raise ValueError(_refusal(feature_set, path, feature_level, error)) from None
            _engines[path, level] = digest, engine
    return engine


def standard_path(feature_set):
    """Configuration file of a standard set."""
    import opensmile

    return config_root() / f"{opensmile.FeatureSet[feature_set].value}.conf"


def _refusal(feature_set, path, feature_level, error):
    levels = written_levels(path)
    if f"level '{feature_level}' was not found" in str(error) and feature_level not in levels:
        return (
            f"{feature_set!r} has no level {feature_level!r} (parameter 'feature_level' of "
            f"OpenSmileExtractor): its components write {', '.join(map(repr, levels)) or 'none'}."
        )
    return f"openSMILE refuses the configuration {feature_set!r}: {error}"
