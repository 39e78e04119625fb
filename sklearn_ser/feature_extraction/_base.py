"""What every step from audio to one row of numbers has in common."""

import os
from abc import ABCMeta, abstractmethod
from contextlib import nullcontext
from numbers import Integral

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils._param_validation import StrOptions

from sklearn_ser.audio import open_audio
from sklearn_ser.audio._failures import handle_failures
from sklearn_ser.exceptions import AudioError
from sklearn_ser.feature_extraction._parallel import extract_rows
from sklearn_ser.utils._frames import FRAMES, frames_table
from sklearn_ser.utils._model_files import passing_state


class AudioExtractor(TransformerMixin, BaseEstimator, metaclass=ABCMeta):
    """Base of the stateless steps that turn each utterance into numbers.

    A subclass stores the parameters common to all (see `_parameter_constraints`) and its own, and
    says how to name the features (`_feature_names`) and how to compute them for one utterance
    (`_extract`) or for several (`_extract_batch`). It keeps nothing heavy in the instance:
    networks and openSMILE objects live in a cache of the process, so that extractors clone, pickle
    and travel to workers as parameters.

    What it gives for an utterance must depend on that utterance and the parameters alone.
    """

    _parameter_constraints = {
        "audio": [str],
        "on_error": [StrOptions({"raise", "warn", "ignore"})],
        "beyond_full_scale": [StrOptions({"raise", "clip"})],
        "remove_dc": ["boolean"],
        "store": [str, os.PathLike, None],
        "n_jobs": [Integral, None],
        "verbose": ["verbose"],
    }
    #: Raised by one whenever the numbers that a class gives change: a store keeps the old apart.
    _revision = 1
    #: Rate in Hz that `_extract` gets its signals at, and their shortest duration in seconds.
    _sampling_rate = 16000
    _min_duration = 0.06  # in a FeatureUnion the same rows fail
    #: Whether an utterance gives a sequence of frames (n_frames, n_features) or one row.
    _frame_level = False
    #: Most utterances, of like length, that `_extract_batch` gets at a time.
    _batch_size = 1

    @abstractmethod
    def _feature_names(self):
        """Names of the features (of a row, or of a frame), in order, as a list of str."""

    @abstractmethod
    def _extract(self, signal):
        """Features of one utterance (1-D float32 array, not all zeros).

        A 1-D array, or a 2-D array (n_frames, n_features) where `_frame_level`. May raise an
        AudioError without a row.
        """

    def _extract_batch(self, signals):
        """Features of several utterances: a list of arrays, AudioError in place of what failed.

        What an utterance gets must not depend on the others.
        """
        results = []
        for signal in signals:
            try:
                results.append(self._extract(signal))
            except AudioError as error:
                results.append(error)
        return results

    def _frame_marks(self):
        """Of a step that gives frames: what their rows are, as in `utils._frames.frame_marks`."""
        return {}

    def _computing(self):
        """A context manager held while a job extracts features: the place to limit threads."""
        return nullcontext()

    def _versions(self):
        """What the numbers depend on beside the parameters: a dict of name to version.

        The audio door's own libraries need not be named. A file that a parameter names belongs
        here by its content.
        """
        return {}

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
            else it is the index of X. No other column of X has any influence. A step that gives
            frames has one column, ``frames``, of float32 arrays of shape (n_frames, n_features);
            where it knows them, the seconds between frames are in ``attrs["hop_length"]``.

        Raises
        ------
        AudioError
            With ``on_error="raise"``, for the first utterance that cannot be used: it names the
            row, the file, what was found and what to do.
        """
        self._validate_params()
        names = self._feature_names()
        table = open_audio(
            X,
            audio=self.audio,
            sampling_rate=self._sampling_rate,
            min_duration=self._min_duration,
            beyond_full_scale=self.beyond_full_scale,
            remove_dc=self.remove_dc,
        )
        if self._frame_level:
            found = [None] * len(table)
        else:
            found = np.full((len(table), len(names)), np.nan, dtype=np.float32)
        failures = extract_rows(self, table, found.__setitem__)
        self.failures_ = handle_failures(failures, self.on_error, len(table))
        if self._frame_level:
            return frames_table(found, table.index, names, self._frame_marks())
        return pd.DataFrame(found, index=table.index, columns=names)

    def get_feature_names_out(self, input_features=None):
        """Names of the columns that `transform` gives; they depend on the parameters only.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        ndarray of str of shape (n_features,)
            Of a step that gives frames: its one column, ``frames``. The names of what a frame
            holds are in ``attrs["frame_features"]`` of the table that `transform` returns.
        """
        self._validate_params()
        names = [FRAMES] if self._frame_level else self._feature_names()
        return np.asarray(names, dtype=object)

    def __getstate__(self):
        return passing_state(super().__getstate__())

    def __setstate__(self, state):
        super().__setstate__(passing_state(state))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        tags.input_tags.two_d_array = False
        tags.input_tags.one_d_array = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags
