"""The store behaves like a dict under any sequence of operations."""

import tempfile

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from sklearn_ser.store import FeatureStore

some_values = arrays(
    np.float32, array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=6), fill=st.nothing()
)
some_peaks = st.none() | st.floats(allow_nan=False, allow_infinity=False)
some_keys = st.sampled_from([b"a", b"b", b"b\0", b"\0", b"\xff" * 32, b"long" * 50])
some_names = st.sampled_from(["A", "B", "ä"])


class StoreAndDict(RuleBasedStateMachine):
    def __init__(self):
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.store = FeatureStore(self.folder.name)
        self.model = {}

    def teardown(self):
        self.folder.cleanup()

    @rule(
        entries=st.dictionaries(some_keys, st.tuples(some_values, some_peaks), max_size=5),
        extractor=some_names,
    )
    def put(self, entries, extractor):
        self.store.put_many(entries, extractor=extractor)
        for key, (values, clipped) in entries.items():
            self.model[key] = (values.copy(), clipped, extractor)

    @rule(asked=st.lists(some_keys, max_size=5))
    def get(self, asked):
        found = self.store.get_many(asked)
        assert found.keys() == self.model.keys() & set(asked)
        for key, (values, clipped) in found.items():
            expected, expected_clipped, _ = self.model[key]
            assert values.dtype == np.float32
            np.testing.assert_array_equal(values, expected, strict=True)
            assert clipped == expected_clipped

    @rule(extractor=some_names)
    def remove_an_extractors(self, extractor):
        gone = [key for key, (*_, name) in self.model.items() if name == extractor]
        assert self.store.prune(extractor=extractor) == len(gone)
        for key in gone:
            del self.model[key]

    @rule()
    def shrink(self):
        self.store.prune(max_bytes=0)
        self.model.clear()

    @rule()
    def nothing_is_old(self):
        assert self.store.prune(older_than=1) == 0

    @invariant()
    def counts_agree(self):
        info = self.store.info()
        n_bytes = {each["extractor"]: each["bytes"] for each in info["extractors"]}
        expected = {}
        for values, _, name in self.model.values():
            expected[name] = expected.get(name, 0) + values.nbytes
        assert info["entries"] == len(self.model)
        assert n_bytes == expected

    @rule()
    def verify(self):
        assert self.store.verify() == []


StoreAndDict.TestCase.settings = settings(max_examples=30, stateful_step_count=20, derandomize=True)
TestStoreAndDict = StoreAndDict.TestCase
