"""openSMILE features through the audio door."""

import importlib.metadata
import threading
import warnings
from functools import cache

from sklearn.utils._param_validation import StrOptions

from sklearn_ser.feature_extraction._base import AudioExtractor

SAMPLING_RATE = 16000
#: Shortest utterance in seconds that a set can describe, where it is more than the usual 0.06
#: (measured with opensmile 2.6; below, openSMILE returns NaN).
LONGER_MINIMUM = {"IS10": 0.07, "IS11": 0.07, "IS12": 0.07}
FEATURE_LEVELS = {"functionals": "Functionals"}
_building = threading.Lock()


class OpenSmileExtractor(AudioExtractor):
    """Functionals of acoustic descriptors, computed by openSMILE.

    One row of statistics per utterance (mean pitch, loudness percentiles, spectral slopes, ...).
    Every utterance is given to openSMILE as mono audio at 16 kHz, with nothing beyond full scale:
    at other rates openSMILE computes other features, and louder samples it silently wraps around.
    On the same clean signal the numbers equal those of `opensmile.Smile` bit by bit.

    .. note::
       **Licence**: openSMILE is free for research, education and other non-commercial use only.
       Commercial use needs a licence from audEERING (https://www.audeering.com/).
       :class:`SpeakerEmbedding` has no such condition.

    Parameters
    ----------
    feature_set : str, default="eGeMAPSv02"
        Name of a standard set of `opensmile.FeatureSet`: "eGeMAPSv02" (88 features),
        "GeMAPSv01b" (62), "ComParE_2016" (6373), "emobase" (988), "IS09" (384), "IS10" (1582),
        "IS11" (4368), "IS12" (6125), "IS13" (6373). The older "eGeMAPS", "eGeMAPSv01a",
        "eGeMAPSv01b", "GeMAPS" and "GeMAPSv01a" are there for comparison with older work.
    feature_level : {"functionals"}, default="functionals"
        Statistics over the whole utterance.
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
        "feature_level": [StrOptions(set(FEATURE_LEVELS))],
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

    def _validate_params(self):
        super()._validate_params()
        known = feature_sets()
        if self.feature_set not in known:
            raise ValueError(
                f"The 'feature_set' parameter of OpenSmileExtractor must be one of openSMILE's "
                f"standard sets, {', '.join(known)}. Got {self.feature_set!r} instead."
            )

    def _feature_names(self):
        return load_smile(self.feature_set, self.feature_level).feature_names

    def _versions(self):
        return {"opensmile": importlib.metadata.version("opensmile")}

    def _extract(self, signal):
        return load_smile(self.feature_set, self.feature_level)(signal, SAMPLING_RATE).ravel()


def feature_sets():
    """Names of openSMILE's standard feature sets."""
    import opensmile

    return tuple(opensmile.FeatureSet.__members__)


def load_smile(feature_set, feature_level):
    """The `opensmile.Smile` of a set: it takes half a second to build, so once per process."""
    with _building:
        return _build_smile(feature_set, feature_level)


@cache
def _build_smile(feature_set, feature_level):
    import opensmile

    with warnings.catch_warnings():
        # The older sets are documented as such here; openSMILE would warn about them each time.
        warnings.filterwarnings("ignore", message="Feature set .* is deprecated")
        return opensmile.Smile(
            feature_set=opensmile.FeatureSet[feature_set],
            feature_level=opensmile.FeatureLevel[FEATURE_LEVELS[feature_level]],
        )
