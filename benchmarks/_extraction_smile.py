"""OpenSmileExtractor beside opensmile's own ways, and the time that its C library needs anyway.

Part of ``benchmarks/extraction.py``; by itself: ``python benchmarks/_extraction_smile.py``
(``--quick`` for a part of it).

The floor is the time inside the C library's `smile_run`, on objects that opensmile set up in its
own way, divided by the number of jobs: no set-up, no reading, no Python.
"""

import os
import statistics
import sys
import time
from pathlib import Path

import numpy as np
import opensmile
from opensmile.core.config import config
from opensmile.core.lib import OpenSMILE

from sklearn_ser.audio import read_audio
from sklearn_ser.feature_extraction import OpenSmileExtractor

N_JOBS = 2
N_ROUNDS = 3
FEATURE_SETS = ("eGeMAPSv02", "ComParE_2016")
LOOP = "a loop of Smile.process_signal"
FILES, SIGNALS = f"files, n_jobs={N_JOBS}", f"decoded signals, n_jobs={N_JOBS}"
THREADS = f"Smile(num_workers={N_JOBS}).process_files, nkululeko's way"
PROCESSES = f"Smile(num_workers={N_JOBS}, multiprocessing=True).process_files"


def measure(corpora_root, quick=False):
    """Measure, in one run: in every round each candidate once, medians over the rounds.

    Parameters
    ----------
    corpora_root : str or Path
        The folder that holds ``<corpus>/audio/*.flac``.
    quick : bool, default=False
        64 utterances instead of 320.

    Returns
    -------
    list of (str, float, str, str or None)
        What was measured, the value, its unit, and what it is to be.
    """
    found = sorted(Path(corpora_root).glob("*/audio/*.flac"))
    chosen = np.linspace(0, len(found) - 1, 64 if quick else 320).astype(int)
    np.random.default_rng(0).shuffle(chosen)
    files = [str(found[position]) for position in chosen]
    rows = []
    for feature_set in FEATURE_SETS:
        measured = measure_set(feature_set, files)
        rows += [(f"{feature_set}, {name}", *rest) for name, *rest in measured]
    return rows


def measure_set(feature_set, files):
    """The rows of one feature set."""
    signals = [read_audio(file) for file in files]
    smiles = {
        "one": new_smile(feature_set),
        THREADS: new_smile(feature_set, num_workers=N_JOBS),
        PROCESSES: new_smile(feature_set, num_workers=N_JOBS, multiprocessing=True),
    }
    extractor = OpenSmileExtractor(feature_set, n_jobs=N_JOBS)
    candidates = {
        LOOP: lambda: [smiles["one"].process_signal(signal, 16000) for signal in signals],
        FILES: lambda: extractor.transform(files),
        SIGNALS: lambda: extractor.transform(signals),
        THREADS: lambda: smiles[THREADS].process_files(files),
        PROCESSES: lambda: smiles[PROCESSES].process_files(files),
    }
    check_equal(extractor.transform(signals[:4]), smiles["one"], signals[:4])
    wall = {name: [] for name in candidates}
    cpu = {name: [] for name in candidates}
    run = []
    for _ in range(N_ROUNDS):
        run.append(np.sum([seconds_in_run(smiles["one"], signal) for signal in signals], axis=0))
        for name, candidate in candidates.items():
            started, cpu_started = time.perf_counter(), time.process_time()
            candidate()
            wall[name].append(time.perf_counter() - started)
            cpu[name].append(time.process_time() - cpu_started)

    floor = [seconds / N_JOBS for seconds, _ in run]
    run_cpu = [cpu_seconds for _, cpu_seconds in run]
    rows = [
        (f"{name}, throughput", len(files) / statistics.median(seconds), "utterances/s", None)
        for name, seconds in wall.items()
    ]
    rows += [
        (f"{FILES} / {LOOP}, throughput", ratio(wall[LOOP], wall[FILES]), "times", ">= 1.9"),
        (f"{FILES} / {THREADS}, throughput", ratio(wall[THREADS], wall[FILES]), "times", None),
        ("floor", 1e3 * statistics.median(floor) / len(files), "ms/utterance", None),
        (f"{FILES} / floor, time", ratio(wall[FILES], floor), "times", "<= 1.35"),
        (f"{SIGNALS} / floor, time", ratio(wall[SIGNALS], floor), "times", None),
        (f"{LOOP} / floor, time", ratio(wall[LOOP], floor), "times", None),
    ]
    rows += [
        (f"{name}, CPU time", 1e3 * statistics.median(cpu[name]) / len(files), "ms/utterance", None)
        for name in (LOOP, FILES, SIGNALS)
    ]
    # On a machine that is busy with other work, these two say more than the times above.
    rows += [
        (f"{name} / smile_run alone, CPU time", ratio(cpu[name], run_cpu), "times", None)
        for name in (LOOP, FILES)
    ]
    return rows


def new_smile(feature_set, **options):
    """opensmile's own object, for functionals."""
    functionals = opensmile.FeatureLevel.Functionals
    return opensmile.Smile(opensmile.FeatureSet[feature_set], functionals, **options)


def check_equal(found, smile, signals):
    """Fast and wrong is no result."""
    expected = [smile(signal, 16000)[0, :, 0] for signal in signals]
    np.testing.assert_array_equal(found.to_numpy(), expected)


def seconds_in_run(smile, signal):
    """Wall and CPU time inside `smile_run` for one signal."""
    options = smile._options()
    options["source"] = os.path.join(smile.default_config_root, config.EXTERNAL_INPUT_CONFIG)
    options.update(sampleRate=16000, nBits=16)
    engine = OpenSMILE()
    engine.initialize(smile.config_path, options)
    engine.external_sink_set_callback_ex(config.EXTERNAL_OUTPUT_COMPONENT, lambda *_: None)
    samples = (signal * 32768).astype(np.int16).tobytes()
    engine.external_audio_source_write_data(config.EXTERNAL_SOURCE_COMPONENT, samples)
    engine.external_audio_source_set_eoi(config.EXTERNAL_SOURCE_COMPONENT)
    started, cpu_started = time.perf_counter(), time.thread_time()
    engine.run()
    seconds = time.perf_counter() - started, time.thread_time() - cpu_started
    engine.free()
    return seconds


def ratio(candidate, reference):
    """Median over the rounds: what was timed in another round does not compare."""
    pairs = zip(candidate, reference, strict=True)
    return statistics.median(one / other for one, other in pairs)


def main():
    root = Path(os.environ["SKLEARN_SER_SHARED"]) / "corpora"
    for name, value, unit, target in measure(root, quick="--quick" in sys.argv[1:]):
        print(f"{name}: {value:.3g} {unit}" + ("" if target is None else f" (wanted: {target})"))


if __name__ == "__main__":
    main()
