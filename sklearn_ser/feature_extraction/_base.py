"""What every step from audio to one row of numbers has in common."""

from abc import ABCMeta, abstractmethod
from contextlib import nullcontext
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import StrOptions

from sklearn_ser.audio import handle_failures, open_audio
from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction._parallel import extract_rows


class AudioExtractor(TransformerMixin, BaseEstimator, metaclass=ABCMeta):
    """Base of the stateless steps that turn each utterance into one row of numbers.

    A subclass stores the parameters common to all (see `_parameter_constraints`) and its own, and
    says how to name the features (`_feature_names`) and how to compute them for one utterance
    (`_extract`). It keeps nothing heavy in the instance: networks and openSMILE objects live in a
    cache of the process, so that extractors clone, pickle and travel to workers as parameters.
    """

    _parameter_constraints = {
        "audio": [str],
        "on_error": [StrOptions({"raise", "warn", "ignore"})],
        "beyond_full_scale": [StrOptions({"raise", "clip"})],
        "remove_dc": ["boolean"],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }
    #: Rate in Hz that `_extract` gets its signals at, and their shortest duration in seconds.
    _sampling_rate = 16000
    _min_duration = 0.0

    @abstractmethod
    def _feature_names(self):
        """Names of the features, in order, as a list of str."""

    @abstractmethod
    def _extract(self, signal):
        """Features of one utterance (1-D float32 array) as a 1-D array."""

    def _computing(self):
        """A context manager held while a job extracts features: the place to limit threads."""
        return nullcontext()

    def fit(self, X, y=None):
        """Check the parameters; there is nothing to learn and no audio is read.

        Parameters
        ----------
        X : DataFrame, Series, list or array of audio
            Ignored, as is y.
        y : None
            Ignored.

        Returns
        -------
        self
        """
        self._validate_params()
        return self

    def transform(self, X):
        """Turn each utterance into a row of features.

        Parameters
        ----------
        X : DataFrame, Series, list or array of audio
            A DataFrame with the column `audio` (a path, a 1-D array, or a pair of array and
            sampling rate in Hz; optional `start` and `end` in seconds), or these values alone. A
            bare array is taken to be at 16 kHz.

        Returns
        -------
        DataFrame of float32 of shape (n_utterances, n_features)
            Its index levels are the id columns of X (corpus, speaker, ...) where there are any,
            else it is the index of X. No other column of X has any influence.

        Raises
        ------
        AudioError
            With ``on_error="raise"``, for the first utterance that cannot be used: it names the
            row, the file, what was found and what to do.
        """
        names = self.get_feature_names_out()
        table = open_audio(
            X,
            audio=self.audio,
            sampling_rate=self._sampling_rate,
            min_duration=self._min_duration,
            beyond_full_scale=self.beyond_full_scale,
            remove_dc=self.remove_dc,
        )
        features, failures = extract_rows(self, table, n_features=len(names))
        self.failures_ = handle_failures(failures, self.on_error, len(table), stacklevel=3)
        return pd.DataFrame(features, index=table.index, columns=names)

    def get_feature_names_out(self, input_features=None):
        """Names of the features; they depend on the parameters only.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str of shape (n_features,)
        """
        self._validate_params()
        return np.asarray(self._feature_names(), dtype=object)

    def _features_of(self, signal):
        """`_extract`, but an utterance that has no usable features raises an AudioError."""
        if not signal.any():
            raise AudioError(
                "digital silence: every sample is 0, so there is no voice to describe; leave the "
                "utterance out, or pass on_error='warn' for a row of NaN"
            )
        features = self._extract(signal)
        n_bad = np.count_nonzero(~np.isfinite(features))
        if n_bad:
            raise AudioError(
                f"{n_bad} of the {len(features)} features of {type(self).__name__} are NaN or "
                f"infinite for this utterance of {len(signal) / self._sampling_rate:.3f} s; leave "
                f"it out, or pass on_error='warn' for a row of NaN"
            )
        return features

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags
