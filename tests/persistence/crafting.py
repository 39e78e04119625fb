"""Crafted model files: whatever facts, trees and arrays a hostile writer would put in one."""

import copy
import json
import random

import numpy as np
import sklearn

from sklearn_ser.exceptions import ModelFileError
from sklearn_ser.persistence import load_model, save_model
from sklearn_ser.persistence._container import read_container
from tests.persistence.models import MODELS, fitted, outputs_of

DTYPES = {"float64": "F64", "float32": "F32", "int64": "I64", "int32": "I32", "uint8": "U8"}


def write(path, facts, arrays, **header):
    """Write a file without any checks; `header` replaces entries of the header."""
    entries, end = {"__metadata__": {"sklearn_ser": json.dumps(facts)}}, 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        entries[name] = {
            "dtype": DTYPES.get(str(array.dtype), "BOOL"),
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
    content = json.dumps(entries | header).encode()
    data = [len(content).to_bytes(8, "little"), content]
    path.write_bytes(
        b"".join([*data, *(np.ascontiguousarray(a).tobytes() for a in arrays.values())])
    )


def parts_of(model, path):
    """Return the facts and the arrays of the file of a model."""
    save_model(model, path)
    facts, arrays = read_container(path)
    path.unlink()
    return facts, arrays


def node(name, params=None, fitted=None, **parts):
    """Return the tree of an object."""
    return {"object": {"class": name, "params": params or {}, "fitted": fitted or {}, **parts}}


def facts_of(tree, **facts):
    versions = {"sklearn_ser": "0.0.1", "scikit_learn": sklearn.__version__}
    return {"format": 3, **versions, "info": {}, "model": tree, **facts}


JUNK = (
    None, True, 0, -1, 1, 3, 2**31, -(2**63), 2**70, 1e300, 0.5, "", "x", "os.system", [], {}, [[]],
    "\ud800", {"float": "nan"}, {"tuple": []}, {"dict": {}}, {"pairs": [[1, 2]]}, {"array": "x"},
    {"float": 1}, {"dtype": "<f8"}, {"dtype": "O"}, {"scalar": ["<i4", 2**40]},
    {"scalar": ["<f8", 1]},
    {"strings": ["|O", ["a", "b"]]}, {"strings": ["<U3", ["a", "abcd"]]}, {"type": "os.system"},
    {"bytes": "x"}, {"unknown": 1}, {"a": 1, "b": 2}, node("os.system"), {"object": 1},
    node("sklearn.svm.SVC"), node("sklearn.pipeline.Pipeline", {"steps": []}),
    node("sklearn_ser.preprocessing.GroupScaler", {"by": "corpus"}),
)  # fmt: skip


def mutated(facts, arrays, generator):
    """Return the facts and arrays of a file with one to three random changes."""
    facts, arrays = copy.deepcopy(facts), dict(arrays)
    for _ in range(generator.choice((1, 1, 1, 2, 3))):
        kind = generator.random()
        if kind < 0.35 and arrays:
            name = generator.choice(list(arrays))
            arrays[name] = _mutated_array(arrays[name], generator)
        elif kind < 0.4 and len(arrays) > 1:
            one, other = generator.sample(list(arrays), 2)
            arrays[one], arrays[other] = arrays[other], arrays[one]
        else:
            _mutate_tree(facts, generator)
    return facts, arrays


def _mutated_array(array, generator):
    changed = array.copy().ravel()
    kind = generator.randrange(7)
    if kind < 3 and changed.size:
        values = (0, 1, -1, 2**31 - 1, np.nan, np.inf, -np.inf, 1e308, 2**62)
        with np.errstate(all="ignore"):
            position = generator.randrange(changed.size)
            value = np.array(generator.choice(values)).astype(changed.dtype)
            changed[position if kind else slice(None)] = value
        return changed.reshape(array.shape)
    if kind == 3:
        return array.astype(generator.choice(list(DTYPES)))
    if kind == 4:
        return changed[: generator.randrange(changed.size + 1)]
    if kind == 5:
        return np.concatenate([array, array]) if array.ndim else changed
    return array.reshape(generator.choice([(-1,), (1, -1), (-1, 1)]))


def _mutate_tree(facts, generator):
    """Replace, remove, copy or add something at a random place."""
    every = list(places(facts))
    container, key = generator.choice(every)
    kind = generator.random()
    if kind < 0.6:
        container[key] = copy.deepcopy(generator.choice(JUNK))
    elif kind < 0.8:
        other, other_key = generator.choice(every)
        container[key] = copy.deepcopy(other[other_key])
    elif kind < 0.9:
        del container[key]
    elif isinstance(container, dict):
        container[generator.choice(["x", "class", "memory", "n_jobs", "__init__", "predict"])] = 1
    else:
        container.insert(0, copy.deepcopy(generator.choice(JUNK)))


def places(tree):
    """Yield every (container, key) of a JSON value, without going below long lists."""
    for key in list(tree) if isinstance(tree, dict) else range(min(len(tree), 8)):
        yield tree, key
        if isinstance(tree[key], dict | list):
            yield from places(tree[key])


def damaged(data, generator):
    """Return the bytes of a file with a few wrong, missing or additional ones."""
    data = bytearray(data)
    for _ in range(generator.choice((1, 1, 2, 8))):
        # The heading is where a change does more than alter a number.
        position = generator.randrange(min(generator.choice((8, 3000, len(data))), len(data)))
        kind = generator.random()
        if kind < 0.7:
            data[position] = generator.randrange(256)
        elif kind < 0.8:
            del data[position:]
        elif kind < 0.9:
            del data[position : position + generator.choice((1, 8))]
        else:
            data[position:position] = generator.randbytes(generator.choice((1, 8)))
        if not data:
            break
    return bytes(data)


def fuzz(n_files, path, seed=0, names=tuple(MODELS)):
    """Load and use damaged and crafted files; return the number of each outcome.

    Any error but a ModelFileError is raised by loading. Of loaded models all methods are called,
    where any error is an outcome.
    """
    generator = random.Random(seed)
    originals = {name: parts_of(fitted(name), path) for name in names}
    counts = {"rejected": 0, "used": 0}
    for number in range(n_files):
        name = names[number % len(names)]
        facts, arrays = originals[name]
        if generator.random() < 0.3:
            write(path, facts, arrays)
            path.write_bytes(damaged(path.read_bytes(), generator))
        else:
            write(path, *mutated(facts, arrays, generator))
        try:
            model = load_model(path)
        except ModelFileError:
            counts["rejected"] += 1
            continue
        try:
            outputs_of(model, MODELS[name][1][:20])
        except Exception as error:
            outcome = f"{type(error).__name__} in use"
            counts[outcome] = counts.get(outcome, 0) + 1
        else:
            counts["used"] += 1
    return counts
