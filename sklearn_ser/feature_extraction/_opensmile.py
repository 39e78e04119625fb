"""Features of openSMILE: standard sets and configuration files."""

from __future__ import annotations

import importlib.metadata
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction._base import (
    AudioExtractor,
    BeyondFullScale,
    OnError,
    document_audio_parameters,
)
from sklearn_ser.feature_extraction._opensmile_engine import (
    InvalidConfig,
    SmileEngine,
    config_digest,
    config_root,
    fast_sink,
    fast_sink_of_standard_set,
    written_levels,
)
from sklearn_ser.utils._public import public_module

#: Minimum duration in seconds of sets that need more than the usual 0.06 at any of their levels
#: (measured with opensmile 2.6; below, openSMILE gives nothing).
LONGER_MINIMUM = {"IS10": 0.07, "IS11": 0.07, "IS12": 0.07}
#: Name that scikit-learn users expect for the level "func" of `opensmile.FeatureLevel`.
FUNCTIONALS = "functionals"
#: Levels of the standard sets, and their names in the configuration files.
STANDARD_LEVELS = {FUNCTIONALS: "func", "lld": "lld", "lld_de": "lld_de"}
#: Part of the names of sets whose configuration has no deltas.
_WITHOUT_DELTAS = "GeMAPS"

_engines: dict[tuple[Path, str, bool], tuple[str | None, SmileEngine]] = {}
_building = threading.Lock()


@public_module("sklearn_ser.feature_extraction")
@document_audio_parameters
class OpenSmileExtractor(AudioExtractor):
    r"""Acoustic descriptors and their statistics, computed by openSMILE.

    By default, each utterance gives one row of statistics (mean pitch, loudness percentiles,
    spectral slopes, ...); other levels give the descriptors, frame by frame. Every utterance is
    passed to openSMILE as mono audio at 16 kHz within full scale: at other rates openSMILE
    computes other features, and it silently wraps samples beyond full scale around. On the same
    clean signal the values equal those of `opensmile.Smile` bit by bit.

    .. note::
       **License**: openSMILE is free for research, education and other non-commercial use only.
       Commercial use needs a license from audEERING (https://www.audeering.com/).
       :class:`SpeakerEmbedding` has no such condition.

    Parameters
    ----------
    feature_set : str, default="eGeMAPSv02"
        Name of a standard set of `opensmile.FeatureSet`, or path of a configuration file (see
        Notes). Functionals, and descriptors per frame, of the standard sets:

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
        Level of the features:

        - ``"functionals"``: statistics over the whole utterance, one row.
        - ``"lld"``: the low-level descriptors, a frame every 10 ms. No value is missing:
          undefined ones (the pitch of an unvoiced frame) are 0.
        - ``"lld_de"``: their first-order differences over time, equal in number. The GeMAPS family
          has none.

        For a configuration file: the name of a level that one of its components writes
        ("functionals" also stands for a level "func").
    %(audio_parameters)s

    Attributes
    ----------
    %(failures_attribute)s

    See Also
    --------
    SpeakerEmbedding : Features of a pretrained network, without conditions on their use.

    Notes
    -----
    Utterances must last at least 0.06 s, for IS10, IS11 and IS12 0.07 s. A constant offset of the
    signal of 0.2 silences most features: remove it by `remove_dc`.

    **Levels of frames** give one column, ``frames``, of float32 arrays (n_frames, n_features), with
    as many frames as openSMILE gives: deltas have two more at the end than descriptors, sets with
    longer windows fewer.

    **Configuration files** have the format of `opensmile.Smile`. They contain

    - ``\{\cm[source{?}:source include config]}``, the source of the audio (it writes the level
      "wave"),
    - ``\{\cm[sink{?}:include external sink]}`` at the end, which outputs the level,
    - an instance of cDataMemory, and components of any kind in between.

    A level that gives a single vector for each of two test signals of 1 s and 5 s gives rows, any
    other level gives frames. Relative paths of included files start at the file that includes
    them. A configuration is read again when the file, or one that it includes or names, changes,
    and its features have another cache key then. The file is not part of a saved model: it must
    exist under the same path where the model is loaded.

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
        feature_set: str = "eGeMAPSv02",
        feature_level: str = "functionals",
        *,
        audio: str = "file",
        on_error: OnError = "raise",
        beyond_full_scale: BeyondFullScale = "raise",
        remove_dc: bool = False,
        store: str | os.PathLike[str] | None = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        super().__init__(audio, on_error, beyond_full_scale, remove_dc, store, n_jobs, verbose)
        self.feature_set = feature_set
        self.feature_level = feature_level

    @property
    def _min_duration(self) -> float:
        return LONGER_MINIMUM.get(self.feature_set, super()._min_duration)

    @property
    def _frame_level(self) -> bool:
        if is_standard(self.feature_set):
            return self.feature_level != FUNCTIONALS
        return self._engine().gives_frames

    def _validate_params(self) -> None:
        super()._validate_params()
        check_config(self.feature_set, self.feature_level)
        if not is_standard(self.feature_set):
            self._engine()  # openSMILE itself checks a custom file

    def _engine(self) -> SmileEngine:
        return load_engine(self.feature_set, self.feature_level)

    def _feature_names(self) -> list[str]:
        return self._engine().names

    def _versions(self) -> dict[str, Any]:
        versions = {"opensmile": importlib.metadata.version("opensmile")}
        if not is_standard(self.feature_set):
            versions["config"] = config_digest(self.feature_set)
        return versions

    def _extract(self, signal: np.ndarray) -> ArrayLike:
        engine = self._engine()
        vectors = engine.extract(signal)
        # Not by `_frame_level`, which would check the files of a configuration once more.
        standard = is_standard(self.feature_set)
        if self.feature_level != FUNCTIONALS if standard else engine.gives_frames:
            return vectors
        if len(vectors) > 1:
            raise AudioError(
                f"openSMILE gives {len(vectors)} vectors for this utterance of "
                f"{len(signal) / self._sampling_rate:.3f} s, but level {self.feature_level!r} of "
                f"{self.feature_set!r} gives one vector for 1 s and for 5 s. Configure the level "
                f"to give one vector per utterance or one per frame"
            )
        return vectors.ravel()


def feature_sets() -> tuple[str, ...]:
    """Return the names of openSMILE's standard feature sets."""
    import opensmile

    return tuple(opensmile.FeatureSet.__members__)


def check_config(feature_set: str, feature_level: str) -> None:
    """Check that the parameters name a level of a standard set, or an existing file."""
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


def is_standard(feature_set: str) -> bool:
    """Return whether this is the name of one of openSMILE's own sets, and not a path."""
    return feature_set in feature_sets()


def standard_levels(feature_set: str) -> list[str]:
    """Return the levels of a standard set."""
    return [
        level
        for level in STANDARD_LEVELS
        if not (level == "lld_de" and _WITHOUT_DELTAS in feature_set)
    ]


def load_engine(feature_set: str, feature_level: str) -> SmileEngine:
    """Return the engine of a set and level, built once per process and when its files change.

    Raise a ValueError if openSMILE does not accept the file, or it has no such level.
    """
    standard = is_standard(feature_set)
    path = standard_path(feature_set) if standard else Path(os.path.abspath(feature_set))
    digest = None if standard else config_digest(path)
    key = path, feature_level, standard
    with _building:
        cached_digest, engine = _engines.get(key, (None, None))
        if engine is None or cached_digest != digest:
            try:
                engine = _new_engine(*key)
            except InvalidConfig as error:
                message = _config_error(feature_set, path, feature_level, error)
                raise ValueError(message) from None
            _engines[key] = digest, engine
    return engine


def _new_engine(path, feature_level, standard):
    level = STANDARD_LEVELS.get(feature_level, feature_level)
    if standard:
        return SmileEngine(path, level, fast_sink_of_standard_set(path, level))
    if feature_level in written_levels(path):
        level = feature_level  # a level of the file that is itself called "functionals"
    return SmileEngine(path, level, fast_sink(level))


def standard_path(feature_set: str) -> Path:
    """Return the path of the configuration file of a standard set."""
    import opensmile

    return config_root() / f"{opensmile.FeatureSet[feature_set].value}.conf"


def _config_error(feature_set, path, feature_level, error):
    if "component 'extsink.reader' requires it" in str(error):
        levels = ", ".join(map(repr, written_levels(path)))
        return (
            f"{feature_set!r} has no level {feature_level!r} (parameter 'feature_level' of "
            f"OpenSmileExtractor). Its components write {levels or 'none'}."
        )
    return f"openSMILE does not accept the configuration {feature_set!r}: {error}"
