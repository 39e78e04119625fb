"""Utterances, augmented copies and noisy versions of them, as features, extracted once.

The copies are made by the augmenters of the package and extracted through the feature store; each
sample then has one copy of each kind, whatever the fold and the seed of the network.
"""

from functools import cache

import joblib
import numpy as np
import pandas as pd

from experiments.corpora import EMOTIONS, NAMES, shared_folder, work_folder
from sklearn_ser import LogMelSpectrogram, SpeakerEmbedding, concat_corpora, load_corpus
from sklearn_ser.augmentation import AddNoise, AddReverb, SpeedPerturbation

#: Noises of training copies, and kinds that are tested only.
TRAINING_NOISES = (
    *(f"sb_noise{number}.flac" for number in range(1, 6)),
    "sc_exercise_bike.flac",
    "made_speechshaped.flac",
    "esc50_3-103051-C-19.flac",
)
TEST_NOISES = {
    "kitchen": "sc_doing_the_dishes.flac",
    "water": "sc_running_tap.flac",
    "babble": "made_babble8_nemo.flac",
}
SNRS = (20, 10, 0)
#: Kinds of training copies.
COPIES = ("slower", "faster", "noise", "room")
ROOMS = ("sb_rir1.flac", "openair_room.flac", "openair_basement.flac", "sb_rir4.flac")


def load_rows():
    """Load all utterances of the four corpora; `emotion` is None for other emotions.

    Duplicates are left out. The column `linked_speaker` is the speaker, or one name for speakers
    who share a recording: it is what splits keep together.
    """
    folder = shared_folder() / "corpora"
    frame = concat_corpora([load_corpus(name, folder / name) for name in NAMES]).frame
    known = frame["emotion"].isin(EMOTIONS)
    frame = frame.assign(
        emotion=frame["emotion"].astype(object).where(known, None),
        linked_speaker=linked_speakers(frame),
    )
    return frame.reset_index(drop=True)


def linked_speakers(frame):
    """Return the speaker of each row, or a common name of speakers who share a recording."""
    if "recording" not in frame:
        return frame["speaker"].to_numpy(dtype=object)
    names = dict(zip(frame["speaker"], frame["speaker"], strict=True))
    for _, speakers in frame.dropna(subset="recording").groupby("recording")["speaker"]:
        linked = {names[speaker] for speaker in speakers}
        first = min(linked)
        names = {key: first if value in linked else value for key, value in names.items()}
    return frame["speaker"].map(names).to_numpy(dtype=object)


def training_copies():
    """Return the augmenter of each kind of copy, by name."""
    noises, rooms = shared_folder() / "noise" / "audio", shared_folder() / "rir" / "audio"
    return {
        "slower": SpeedPerturbation(0.9, random_state=0),
        "faster": SpeedPerturbation(1.1, random_state=0),
        "noise": AddNoise((5.0, 20.0), [noises / name for name in TRAINING_NOISES], random_state=0),
        "room": AddReverb([rooms / name for name in ROOMS], random_state=0),
    }


def test_conditions():
    """Return the augmenter of each noisy condition, by name."""
    folder = shared_folder() / "noise" / "audio"
    return {
        f"{kind}, {snr} dB": AddNoise(float(snr), [folder / file], random_state=1)
        for snr in SNRS
        for kind, file in TEST_NOISES.items()
    }


def extract(frame, kind, n_jobs):
    """Extract features of the originals, every copy and every condition, and store them in files.

    Parameters
    ----------
    frame : DataFrame
    kind : {"ge2e", "logmel"}
    n_jobs : int
    """
    settings = {"store": work_folder("features"), "n_jobs": n_jobs, "on_error": "raise"}
    if kind == "ge2e":
        step = SpeakerEmbedding(**settings)
    else:
        step = LogMelSpectrogram(n_mels=40, hop_length=0.02, window_length=0.04, **settings)
    ids = {"corpus": frame["corpus"], "speaker": frame["linked_speaker"]}
    index = pd.MultiIndex.from_frame(pd.DataFrame(ids).assign(row=np.arange(len(frame))))
    for name, augmenter in _augmenters().items():
        audio = frame[["file"]] if augmenter is None else augmenter.augment(frame[["file"]])
        table = step.fit_transform(audio)
        joblib.dump(table.set_axis(index, axis=0), _table_file(kind, name))
        print(f"{name}: extracted", flush=True)


def _augmenters():
    return {"original": None, **training_copies(), **test_conditions()}


def _table_file(kind, name):
    return work_folder(f"mtl_aug/tables-{kind}") / f"{name}.joblib"


@cache
def load_tables(kind):
    """Load the tables that :func:`extract` stored, once per process.

    Returns
    -------
    dict of str to DataFrame
        "original", and the names of :func:`training_copies` and :func:`test_conditions`. The
        index has the levels corpus, speaker and row.
    """
    return {name: joblib.load(_table_file(kind, name)) for name in _augmenters()}


class StoredCopies:
    """Augmenter that looks its copies up.

    Parameters
    ----------
    table : DataFrame
        Copies of all rows, with the index level ``row``.
    suffix : str or None
        Appended to the corpus of a copy, so that GroupScaler scales these copies separately.
    """

    def __init__(self, table, suffix=None):
        self.table = table
        self.suffix = suffix

    def augment(self, X):
        copies = self.table.iloc[X.index.get_level_values("row")]
        if self.suffix is not None:
            levels = copies.index.to_frame(index=False)
            levels["corpus"] = levels["corpus"] + self.suffix
            copies = copies.set_axis(pd.MultiIndex.from_frame(levels), axis=0)
        return copies

    def __deepcopy__(self, memo):
        return self  # it is never changed, and `clone` would copy the table
