"""What augmenters cost: utterances per second on two processes, beside audiomentations' own.

Each augmenter and the transform of the same kind run in turns, both on two processes at once, on
speech of 3 s at 16 kHz: from samples in memory to changed samples, and from a FLAC file. Reading
is the same work for both. audiomentations' Mp3Compression needs the package fast-mp3-augment; its
line is left out without it.

Run: ``python benchmarks/augmentation.py [--repeats N] [--only NAME]``
"""

import argparse
import statistics
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import soundfile
from joblib import Parallel, delayed

from sklearn_ser import augmentation as ours
from sklearn_ser import make_speech_corpus
from sklearn_ser.audio import read_audio

RATE = 16000
#: Seconds that one measurement takes at least, in each process.
LEAST = 0.15


def pairs(folder):
    """Name to an augmenter and audiomentations' transform of the same kind (None: it has none)."""
    import audiomentations as theirs

    noise, room = str(folder / "noise.flac"), str(folder / "room.flac")
    found = {
        "AddNoise('white')": (
            ours.AddNoise((5, 20), "white"),
            theirs.AddGaussianSNR(5, 20, p=1.0),
        ),
        "AddNoise('pink')": (
            ours.AddNoise((5, 20), "pink"),
            theirs.AddColorNoise(5, 20, -3.01, -3.01, p=1.0),
        ),
        "AddNoise(file)": (
            ours.AddNoise((5, 20), noise),
            theirs.AddBackgroundNoise(noise, 5, 20, p=1.0),
        ),
        "AddReverb(file)": (ours.AddReverb(room), theirs.ApplyImpulseResponse(room, p=1.0)),
        "AddReverb()": (ours.AddReverb(), None),
        "SpeedPerturbation": (
            ours.SpeedPerturbation((0.9, 1.1)),
            theirs.Resample(round(RATE / 1.1), round(RATE / 0.9), p=1.0),
        ),
        "TempoPerturbation": (
            ours.TempoPerturbation((0.8, 1.25)),
            theirs.TimeStretch(0.8, 1.25, leave_length_unchanged=False, p=1.0),
        ),
        "PitchShift": (ours.PitchShift((-4, 4)), theirs.PitchShift(-4, 4, p=1.0)),
        "VocalTractLengthPerturbation": (ours.VocalTractLengthPerturbation(), None),
        "Gain": (ours.Gain((-12, 0)), theirs.Gain(-12, 0, p=1.0)),
        "TelephoneBand": (
            ours.TelephoneBand(),
            theirs.BandPassFilter(1850, 1850, 1.675, 1.675, zero_phase=True, p=1.0),
        ),
        "Clip(share=)": (ours.Clip(share=(0, 0.4)), theirs.ClippingDistortion(0, 40, p=1.0)),
        "Clip()": (ours.Clip(), None),
        "TimeMask": (ours.TimeMask((0.05, 0.2)), theirs.TimeMask(0.05, 0.2, p=1.0)),
        "Codec('mp3')": (ours.Codec("mp3"), mp3(theirs, quality=7)),
        "Codec('mp3'), quality=2": (ours.Codec("mp3"), mp3(theirs, quality=2)),
        "Codec('vorbis')": (ours.Codec("vorbis"), None),
        "Codec('opus')": (ours.Codec("opus"), None),
        "Codec('mulaw')": (ours.Codec("mulaw"), None),
        "TimeShift": (ours.TimeShift((-0.5, 0.5)), theirs.Shift(p=1.0)),
        "AudiomentationsAugmenter": (
            ours.AudiomentationsAugmenter(theirs.AddColorNoise(p=1.0)),
            theirs.AddColorNoise(p=1.0),
        ),
    }
    return found


def mp3(theirs, quality):
    """LAME of the bit rates that ours has on average; of quality 7 by default, 0 is the best."""
    try:
        import fast_mp3_augment  # noqa: F401
    except ImportError:
        return None
    return theirs.Mp3Compression(16, 48, quality=quality, p=1.0)


def prepared(folder, name, whose, from_file):
    """A function that changes the utterance of this number."""
    own, their = pairs(folder)[name]
    files = sorted((folder / "speech").iterdir())
    signals = [read_audio(file, RATE) for file in files]
    if whose == "theirs":
        if from_file:
            return lambda i: their(soundfile.read(files[i % 8], dtype="float32")[0], RATE)
        return lambda i: their(signals[i % 8], RATE)
    own.set_params(random_state=0)
    cells = own.augment([str(file) for file in files])["file"].tolist()
    if from_file:
        return lambda i: read_audio(cells[i % 8], RATE)
    return lambda i: cells[i % 8].make(signals[i % 8])


def rate_of(folder, name, whose, from_file):
    """Utterances per second of one process, warm."""
    warnings.simplefilter("ignore")
    work = prepared(folder, name, whose, from_file)
    for i in range(8):
        work(i)
    started, done = time.perf_counter(), 0
    while time.perf_counter() - started < LEAST:
        for i in range(8):
            work(i)
        done += 8
    return done / (time.perf_counter() - started)


def measured(pool, folder, name, from_file, repeats):
    """Our utterances per second, theirs, and the median of ours / theirs."""
    has_peer = pairs(folder)[name][1] is not None
    rates = {"ours": [], "theirs": []}
    for turn in range(repeats + 1):
        for whose in ("ours", "theirs") if has_peer else ("ours",):
            both = pool(delayed(rate_of)(folder, name, whose, from_file) for _ in range(2))
            if turn:  # the first one imports and fills caches
                rates[whose].append(sum(both))
    own = statistics.median(rates["ours"])
    if not has_peer:
        return own, None, None
    ratios = [a / b for a, b in zip(rates["ours"], rates["theirs"], strict=True)]
    return own, statistics.median(rates["theirs"]), statistics.median(ratios)


def fill(folder):
    (folder / "speech").mkdir()
    frame = make_speech_corpus(4, 1, duration=3.0, random_state=0).frame
    for i, (signal, rate) in enumerate(frame["file"][:8]):
        soundfile.write(folder / "speech" / f"{i}.flac", np.resize(signal, 3 * rate), rate)
    rng = np.random.default_rng(0)
    soundfile.write(folder / "noise.flac", 0.1 * rng.normal(size=60 * RATE), RATE)
    decay = np.exp(-np.arange(RATE // 2) / 1000)
    soundfile.write(folder / "room.flac", 0.2 * decay * rng.normal(size=RATE // 2), RATE)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--only", default="", help="part of the names of augmenters to run")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    print("| augmenter | in memory, /s | audiomentations | ratio | from FLAC, /s | ... | ratio |")
    print("|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as name, Parallel(n_jobs=2) as pool:
        folder = Path(name)
        fill(folder)
        for augmenter in pairs(folder):
            if options.only not in augmenter:
                continue
            columns = []
            for from_file in (False, True):
                own, their, ratio = measured(pool, folder, augmenter, from_file, options.repeats)
                columns += [f"{own:.0f}"]
                columns += ["", ""] if ratio is None else [f"{their:.0f}", f"{ratio:.2f}"]
            print(f"| `{augmenter}` | {' | '.join(columns)} |", flush=True)


if __name__ == "__main__":
    main()
