"""openSMILE features through the audio door."""

import importlib.metadata
import os
import threading
from pathlib import Path

from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction._base import AudioExtractor
from sklearn_ser.feature_extraction._opensmile_engine import (
    RefusedConfig,
    SmileEngine,
    config_digest,
    config_root,
    fast_sink,
    fast_sink_of_standard_set,
    written_levels,
)
from sklearn_ser.utils._public import public_module

#: Shortest utterance in seconds that a set can describe, at any of its levels, where it is more
#: than the usual 0.06 (measured with opensmile 2.6; below, openSMILE gives nothing).
LONGER_MINIMUM = {"IS10": 0.07, "IS11": 0.07, "IS12": 0.07}


@public_module("sklearn_ser.feature_extraction")
class OpenSmileExtractor(AudioExtractor):
    r"""Acoustic descriptors and their statistics, computed by openSMILE.

    By default one row of statistics per utterance (mean pitch, loudness percentiles, spectral
    slopes, ...), or the descriptors themselves, frame by frame. Every utterance is given to
    openSMILE as mono audio at 16 kHz, with nothing beyond full scale: at other rates openSMILE
    computes other features, and louder samples it silently wraps around. On the same clean signal
    the numbers equal those of `opensmile.Smile` bit by bit.

    .. note::
       **License**: openSMILE is free for research, education and other non-commercial use only.
       Commercial use needs a license from audEERING (https://www.audeering.com/).
       :class:`SpeakerEmbedding` has no such condition.

    Parameters
    ----------
    feature_set : str, default="eGeMAPSv02"
        Name of a standard set of `opensmile.FeatureSet`, or the path of a configuration file (see
        Notes). Functionals and descriptors a frame of the standard sets:

        ===================================== ===== ====
        "eGeMAPSv02"                             88   25
        "GeMAPSv01b"                             62   18
        "ComParE_2016"                         6373   65
        "emobase"                               988   26
        "IS09"                                  384   16
        "IS10"                                 1582   38
        "IS11"                                 4368   59
        "IS12"                                 6125   64
        "IS13"                                 6373   65
        "eGeMAPS", "eGeMAPSv01a" (older)         88   23
        "eGeMAPSv01b" (older)                    88   23
        "GeMAPS", "GeMAPSv01a" (older)           62   18
        ===================================== ===== ====
    feature_level : str, default="functionals"
        - ``"functionals"``: statistics over the whole utterance, one row.
        - ``"lld"``: the low-level descriptors, a frame every 10 ms. Nothing is missing in them:
          what has no value (the pitch of an unvoiced frame) is 0.
        - ``"lld_de"``: their first-order differences over time, as many. The GeMAPS family has
          none.

        Of a configuration file: the name of a level that one of its components writes
        ("functionals" also finds a level "func").
    audio : str, default="file"
        Column of X that holds the audio. `start` and `end` (seconds) are read where present, id
        columns become index levels, every other column is ignored.
    on_error : {"raise", "warn", "ignore"}, default="raise"
        What to do with audio that cannot be used. "warn" and "ignore" give a row of NaN and a
        record in `failures_`.
    beyond_full_scale : {"raise", "clip"}, default="raise"
        What to do with samples outside [-1, 1]; "clip" cuts them off with a warning.
    remove_dc : bool, default=False
        Subtract the mean of each utterance first: an offset of 0.2 silences most features.
    store : str or Path, default=None
        Folder of a :class:`FeatureStore`: what is there is not computed again, what is new is
        added. It changes no number.
    n_jobs : int, default=None
        Utterances at a time; threads (openSMILE releases the interpreter lock), unless
        `joblib.parallel_config` names another backend.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    failures_ : list of dict
        The utterances that the last `transform` could not use: `row`, `file`, `reason`.

    See Also
    --------
    SpeakerEmbedding : Features of a pretrained network, without conditions on use.

    Notes
    -----
    Utterances must last 0.06 s at least, for IS10, IS11 and IS12 0.07 s.

    **Levels of frames** give one column, ``frames``, of float32 arrays (n_frames, n_features), of
    as many frames as openSMILE gives: deltas have two more at the end than descriptors, sets with
    longer windows fewer.

    **Configuration files** are those that `opensmile.Smile` takes, too. They contain

    - ``\{\cm[source{?}:source include config]}``, where the audio comes from (it writes the level
      "wave"),
    - ``\{\cm[sink{?}:include external sink]}`` at the end, which hands the level on,
    - an instance of cDataMemory, and components of any kind between.

    A level that gives a single vector for each of two test signals of 1 s and 5 s gives rows,
    every other one frames. Files included by relative paths are looked for beside the file that
    includes them. When the file or one that it includes or names changes, it is read again, and a
    feature store keeps what it gives apart. The file is not part of a saved model: where a model
    is loaded, it must be found under the same path.

    References
    ----------
    F. Eyben, M. Woellmer, B. Schuller, "openSMILE: the Munich versatile and fast open-source
    audio feature extractor", ACM Multimedia 2010.

    F. Eyben et al., "The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research
    and Affective Computing", IEEE Transactions on Affective Computing 7(2), 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_ser.feature_extraction import OpenSmileExtractor
    >>> noise = np.random.default_rng(0).normal(scale=0.05, size=(2, 8000))
    >>> extractor = OpenSmileExtractor("eGeMAPSv02")
    >>> features = extractor.fit_transform(list(noise))
    >>> features.shape
    (2, 88)
    >>> print(extractor.get_feature_names_out()[0])
    F0semitoneFrom27.5Hz_sma3nz_amean
    """

    _parameter_constraints = {
        "feature_set": [str],
        "feature_level": [str],
        **AudioExtractor._parameter_constraints,
    }

    def __init__(
        self,
        feature_set="eGeMAPSv02",
        feature_level="functionals",
        *,
        audio="file",
        on_error="raise",
        beyond_full_scale="raise",
        remove_dc=False,
        store=None,
        n_jobs=None,
        verbose=0,
    ):
        self.feature_set = feature_set
        self.feature_level = feature_level
        self.audio = audio
        self.on_error = on_error
        self.beyond_full_scale = beyond_full_scale
        self.remove_dc = remove_dc
        self.store = store
        self.n_jobs = n_jobs
        self.verbose = verbose

    @property
    def _min_duration(self):
        return LONGER_MINIMUM.get(self.feature_set, 0.06)

    @property
    def _frame_level(self):
        if is_standard(self.feature_set):
            return self.feature_level != FUNCTIONALS
        return self._engine().gives_frames

    def _validate_params(self):
        super()._validate_params()
        check_config(self.feature_set, self.feature_level)
        if not is_standard(self.feature_set):
            self._engine()  # openSMILE itself checks a custom file

    def _engine(self):
        return load_engine(self.feature_set, self.feature_level)

    def _feature_names(self):
        return self._engine().names

    def _versions(self):
        versions = {"opensmile": importlib.metadata.version("opensmile")}
        if not is_standard(self.feature_set):
            versions["config"] = config_digest(self.feature_set)
        return versions

    def _extract(self, signal):
        engine = self._engine()
        vectors = engine.extract(signal)
        if is_standard(self.feature_set):
            per_frame = self.feature_level != FUNCTIONALS
        else:
            per_frame = engine.gives_frames
        if per_frame:
            return vectors
        if len(vectors) > 1:
            raise AudioError(
                f"openSMILE gives {len(vectors)} vectors for this utterance of "
                f"{len(signal) / self._sampling_rate:.3f} s, where level {self.feature_level!r} of "
                f"{self.feature_set!r} gives one for 1 s and for 5 s: such a level is neither one "
                f"of rows nor one of frames, so let it give one of the two"
            )
        return vectors.ravel()


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
