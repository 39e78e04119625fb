"""Loading of a synthetic MSP-Podcast in its original layout: time and memory by number of rows.

    python benchmarks/corpora.py [ROWS ...]

The files are empty: to load a corpus, none is opened. Each size is loaded in a process of its own;
CPU time is compared with reading the same tables by pandas and walking the folder, memory with what
the process needs after the imports.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

RATERS = 5


def make(root, n_rows):
    """Write the tables and the empty audio files of `n_rows` utterances."""
    audio, labels = root / "Audios", root / "Labels"
    audio.mkdir()
    labels.mkdir()
    names = [f"MSP-PODCAST_{i // 100:04}_{i % 100:04}.wav" for i in range(n_rows)]
    for name in names:
        (audio / name).touch()
    with open(labels / "labels_consensus.csv", "w") as table:
        table.write("FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set\n")
        for i, name in enumerate(names):
            speaker = "Unknown" if i % 9 == 0 else i // 150
            gender = ("Male", "Female")[i // 150 % 2]
            part = ("Train", "Development", "Test1")[i // 1000 % 3]
            table.write(f"{name},{'NHASXUO'[i % 7]},4.2,3.6,4.0,{speaker},{gender},{part}\n")
    with open(labels / "labels_detailed.csv", "w") as table:
        table.write("FileName,Workers,EmoClass_Major,EmoClass_Second,EmoAct,EmoVal,EmoDom\n")
        for i, name in enumerate(names):
            for rater in range(RATERS):
                label = ("Neutral", "Happy", "Angry", "Other-Tired")[(i + rater) % 4]
                table.write(f"{name},WORKER{rater},{label},{label},4,3,4\n")


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def load(root):
    """Load the corpus; print CPU seconds, those of the floor, and MiB beyond the imports."""
    import pandas as pd

    from sklearn_ser.datasets import load_corpus

    before = peak()
    warnings.simplefilter("ignore")
    start = time.process_time()
    corpus = load_corpus("msp-podcast", root)
    seconds, used = time.process_time() - start, peak() - before
    start = time.process_time()
    for table in (Path(root) / "Labels").iterdir():
        pd.read_csv(table, dtype=str)
    n_files = sum(len(files) for _, _, files in os.walk(root))
    floor = time.process_time() - start
    assert len(corpus) == len(corpus.votes) == n_files - 2
    print(f"{seconds:.2f} {floor:.2f} {used:.0f}")


def main(sizes):
    results = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            make(Path(folder), size)
            run = subprocess.run(
                [sys.executable, __file__, "--load", folder],
                capture_output=True,
                text=True,
                check=True,
            )
        seconds, floor, used = map(float, run.stdout.split())
        results.append((size, used))
        print(
            f"{size} rows: {seconds} s of CPU time, {seconds / floor:.2f} times the reading of the "
            f"tables and the walk ({floor} s); {used:.0f} MiB beyond the imports"
        )
    (small, least), (large, most) = results[0], results[-1]
    if least:
        print(f"rows {large / small:.1f} times, memory {most / least:.2f} times")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        load(sys.argv[2])
    else:
        main([int(size) for size in sys.argv[1:]] or [20_000, 200_000])
