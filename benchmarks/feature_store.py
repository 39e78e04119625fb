"""Which embedded database keeps features best: SQLite, LMDB or diskcache.

Reading 5,000 entries of 88 float32 (512 at a time), writing them (16 at a time, each write safe on
disk, as extraction does), and two processes that write half of them each. Every candidate keeps
the same bytes with the same checksum. Those that are not installed are left out.

Run: ``python benchmarks/feature_store.py``
"""

import multiprocessing
import pickle
import shutil
import sqlite3
import tempfile
import time
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from _timing import ratio, report

from sklearn_ser.store import FeatureStore
from sklearn_ser.store._store import decode_entry, encode_entry

N_ENTRIES, N_FEATURES = 5000, 88
READ_AT_A_TIME, WRITTEN_AT_A_TIME = 512, 16


class InWal:
    """SQLite with a write-ahead log and a connection that stays open."""

    def __init__(self, folder):
        self.folder = folder
        self.connection = sqlite3.connect(folder / "wal.sqlite", timeout=60, isolation_level=None)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.execute(
            "CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, checksum BLOB, clipped REAL,"
            " shape TEXT, data BLOB)"
        )

    def get_many(self, keys):
        marks = ",".join("?" * len(keys))
        query = f"SELECT * FROM entries WHERE key IN ({marks})"
        return {row[0]: decode_entry(*row) for row in self.connection.execute(query, keys)}

    def put_many(self, entries):
        self.connection.execute("BEGIN IMMEDIATE")
        rows = [encode_entry(key, *entry) for key, entry in entries.items()]
        self.connection.executemany("INSERT OR REPLACE INTO entries VALUES (?,?,?,?,?)", rows)
        self.connection.execute("COMMIT")

    def close(self):
        self.connection.close()


class InLmdb:
    def __init__(self, folder):
        import lmdb

        self.environment = lmdb.open(str(folder / "lmdb"), map_size=1 << 30)

    def get_many(self, keys):
        with self.environment.begin() as transaction:
            rows = {key: transaction.get(key) for key in keys}
        return {key: decode_entry(key, *pickle.loads(row)) for key, row in rows.items() if row}

    def put_many(self, entries):
        rows = [encode_entry(key, *entry) for key, entry in entries.items()]
        with self.environment.begin(write=True) as transaction:
            for key, *row in rows:
                transaction.put(key, pickle.dumps(row))

    def close(self):
        self.environment.close()


class InDiskcache:
    def __init__(self, folder):
        import diskcache

        self.cache = diskcache.Cache(folder / "diskcache", timeout=60, sqlite_synchronous=2)

    def get_many(self, keys):
        with self.cache.transact(retry=True):
            rows = {key: self.cache.get(key) for key in keys}
        return {key: decode_entry(key, *pickle.loads(row)) for key, row in rows.items() if row}

    def put_many(self, entries):
        rows = [encode_entry(key, *entry) for key, entry in entries.items()]
        with self.cache.transact(retry=True):
            for key, *row in rows:
                self.cache.set(key, pickle.dumps(row))

    def close(self):
        self.cache.close()


class InFeatureStore(FeatureStore):
    def close(self):
        """Nothing stays open."""


CANDIDATES = {"SQLite, write-ahead log": InWal}
if find_spec("lmdb"):
    CANDIDATES["LMDB"] = InLmdb
if find_spec("diskcache"):
    CANDIDATES["diskcache"] = InDiskcache


def main():
    random = np.random.default_rng(0)
    entries = {
        random.bytes(32): (random.normal(size=N_FEATURES).astype("float32"), None)
        for _ in range(N_ENTRIES)
    }
    with tempfile.TemporaryDirectory() as folder:
        ours = Candidate(InFeatureStore, Path(folder) / "ours", entries)
        started = time.perf_counter()
        ours.read()
        print(f"FeatureStore reads {N_ENTRIES / (time.perf_counter() - started):,.0f} entries/s")
        for name, cls in CANDIDATES.items():
            candidate = Candidate(cls, Path(folder) / cls.__name__, entries)
            for what in ("read", "write", "write_in_two_processes"):
                ratios = ratio(
                    getattr(candidate, what), getattr(ours, what), clock=time.perf_counter
                )
                report(f"{what.replace('_', ' ')}, {name} / FeatureStore", ratios)


class Candidate:
    """The things to be timed, done with one candidate."""

    def __init__(self, cls, folder, entries):
        self.cls, self.folder, self.entries = cls, folder, entries
        self.keys = list(entries)
        (folder / "filled").mkdir(parents=True)
        self.write_part(folder / "filled", self.keys)

    def read(self):
        with closing(self.cls(self.folder / "filled")) as store:
            for start in range(0, N_ENTRIES, READ_AT_A_TIME):
                keys = self.keys[start : start + READ_AT_A_TIME]
                assert len(store.get_many(keys)) == len(keys)

    def write(self):
        self.write_part(self.fresh(), self.keys)

    def write_in_two_processes(self):
        folder = self.fresh()
        processes = [
            multiprocessing.get_context("fork").Process(
                target=self.write_part, args=(folder, self.keys[half::2])
            )
            for half in (0, 1)
        ]
        for process in processes:
            process.start()
        for process in processes:
            process.join()
            assert process.exitcode == 0
        with closing(self.cls(folder)) as store:
            assert len(store.get_many(self.keys[:900])) == 900

    def write_part(self, folder, keys):
        with closing(self.cls(folder)) as store:
            for start in range(0, len(keys), WRITTEN_AT_A_TIME):
                some = keys[start : start + WRITTEN_AT_A_TIME]
                store.put_many({key: self.entries[key] for key in some})

    def fresh(self):
        folder = self.folder / "fresh"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder


if __name__ == "__main__":
    main()
