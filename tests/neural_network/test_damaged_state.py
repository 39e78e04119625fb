"""Validation of states from files that were damaged or tampered with."""

import copy
import random

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load, save

from sklearn_ser.exceptions import SerError
from sklearn_ser.neural_network import (
    ClassificationTask,
    ComputeSettings,
    ContrastiveTask,
    DomainAdversarialTask,
    MTLNeuralClassifier,
    ReconstructionTask,
    _state,
)


@pytest.fixture(scope="module")
def fitted(speech):
    """Do not fit again."""
    model = MTLNeuralClassifier(
        max_epochs=3, aux_weight=0.5, tasks={"gender": "auto", "arousal": "auto"}, random_state=0
    )
    return model.fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)


@pytest.fixture(scope="module")
def continued(speech):
    """An ensemble with all kinds of tasks and the states of its optimizers; do not fit again."""
    model = MTLNeuralClassifier(
        hidden_units=(5,),
        n_estimators=2,
        loss_weighting="uncertainty",
        tasks={
            "gender": ClassificationTask(column="gender"),
            "arousal": "ccc",
            "speaker": DomainAdversarialTask(hidden_units=(3,)),
            "rebuilt": ReconstructionTask(time_bins=4),
            "clusters": ContrastiveTask(across="gender", n_components=6),
        },
        random_state=0,
    )
    aux = speech.aux.assign(speaker=speech.speaker)
    X = pd.DataFrame(speech.X, columns=list("abcdefgh"))
    return model.partial_fit(X, speech.y, classes=np.unique(speech.y), aux=aux)


def check_raises(model, change, text):
    """Check that the model with a changed state raises an error with this text."""
    state = model.__getstate__()
    with pytest.raises(SerError, match=f"the state of the neural network is damaged: .*{text}"):
        MTLNeuralClassifier().__setstate__({**state, **change(state)})


def architecture(**changed):
    return lambda state: {"_architecture": state["_architecture"] | changed}


def tasks(change):
    return lambda state: {"_tasks": change(copy.deepcopy(state["_tasks"]))}


def without(name, *tasks):
    return [{key: value for key, value in task.items() if key != name} for task in tasks]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            architecture(activation="os.system"),
            r"_architecture\['activation'\] is 'os\.system', not one of \['gelu',",
        ),
        (
            architecture(encoder=[]),
            r"_architecture\['encoder'\] is \[\], not one of \['attention',",
        ),
        (architecture(dtype="int8"), r"\['dtype'\] is 'int8', not one of"),
        (architecture(dropout=1.0), r"\['dropout'\] is 1\.0, not a float in"),
        (architecture(more=1), r"_architecture is .*, not a dict of \['activation', 'dropout', "),
        (
            architecture(hidden_units=(8,)),
            r"\['hidden_units'\] is \(8,\), not a list of positive integers",
        ),
        (
            architecture(hidden_units=[]),
            r"\['hidden_units'\] is \[\], not a list of positive integers",
        ),
        (architecture(n_features=True), r"\['n_features'\] is True, not a positive integer"),
        (
            architecture(hidden_units=[10**6, 10**6]),
            r"hidden_units is \[1000000, 1000000\], too large for \d+ bytes of weights",
        ),
        (architecture(hidden_units=[1] * 100), "too large for .* bytes of weights"),
        (
            architecture(hidden_units=[64]),
            r"'encoder\.layers\.0\.bias' is \('F32', \(128,\)\) in its weights and \('F32'",
        ),
        (architecture(hidden_units=[128, 4]), "is absent in its weights and"),
        (architecture(dtype="float64"), r"is \('F32', .* in its weights and \('F64', "),
        (lambda state: {"_weights": [b"\0" * 100]}, "its weights cannot be read"),
        (lambda state: {"_weights": [state["_weights"][0][:-4]]}, "its weights cannot be read"),
        (lambda state: {"_weights": ["text"]}, "its weights are a str, not bytes"),
        (
            lambda state: {"_tasks": []},
            r"its tasks have the outputs \[\], and its heads \[\('y', 3\),",
        ),
        (lambda state: {"_tasks": None}, "_tasks is None, not a list"),
        (lambda state: {"_tasks": [[1]]}, "its tasks cannot be read"),
        (tasks(lambda all_: all_[::-1]), "its tasks have the outputs .*, and its heads"),
        (tasks(lambda all_: without("kind", *all_)), r"its tasks cannot be read \(KeyError"),
        (tasks(lambda all_: without("mean", *all_)), r"its tasks cannot be read \(TypeError"),
        (
            tasks(lambda all_: [{**task, "classes": ["a"] * 3} for task in all_[:1]] + all_[1:]),
            "task 'y' has classes that are not a sorted list of labels",
        ),
        (
            tasks(lambda all_: [*all_[:2], {**all_[2], "mean": "0"}]),
            "task 'arousal' has no mean and scale",
        ),
        (lambda state: {"classes_": state["classes_"][::-1]}, "classes_ are not those of its"),
        (lambda state: {"n_features_in_": 1}, "n_features_in_ is 1, and the network has"),
        (lambda state: {"_weights": state["_weights"][0]}, "its weights are a bytes, not a list"),
        (lambda state: {"_weights": state["_weights"] * 2}, "_temperatures is not a list of 2"),
        (lambda state: {"_history": [{}]}, r"the epochs of its history are \[\]"),
        (
            lambda state: {"_temperatures": [0.0]},
            r"_temperatures\[0\] is 0\.0, not a positive float",
        ),
        (architecture(head_units={"sex": [3]}), r"its tasks have hidden units \{\}, not those"),
        (architecture(head_units={"gender": [10**9]}), "too large for .* bytes of weights"),
    ],
)
def test_a_damaged_state_raises(fitted, change, text):
    check_raises(fitted, change, text)


def test_an_incomplete_state_raises(fitted):
    state = fitted.__getstate__()
    for name in ("_weights", "classes_"):
        rest = {key: value for key, value in state.items() if key != name}
        with pytest.raises(SerError, match=rf"damaged: it lacks \['{name}'\]"):
            MTLNeuralClassifier().__setstate__(rest)
    with pytest.raises(SerError, match="damaged: it is a list"):
        MTLNeuralClassifier().__setstate__([1])


def first(name, **changed):
    """Change values of the first of a list of dicts."""
    return lambda state: {name: [state[name][0] | changed, *state[name][1:]]}


def task(place, **changed):
    return tasks(lambda all_: [*all_[:place], all_[place] | changed, *all_[place + 1 :]])


def spec(place, **changed):
    def change(all_):
        all_[place]["spec"] |= changed
        return all_

    return tasks(change)


def state_with(**arrays):
    def change(state):
        before = load(state["_states"][1])
        after = {name: array for name, array in (before | arrays).items() if array is not None}
        return {"_states": [state["_states"][0], save(after)]}

    return change


STEP = np.zeros((), dtype=np.float32)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (task(0, weight=np.nan), "task 'y' has the weight nan"),
        (task(1, weight=-1.0), r"task 'gender' has the weight -1\.0"),
        (task(1, weight="0.1"), r"task 'gender' has the weight '0\.1'"),
        (
            task(1, classes=np.array(["male", "female"])),
            "task 'gender' has classes that are not a sorted",
        ),
        (
            task(1, classes=np.array([["a"], ["b"]])),
            "task 'gender' has classes that are not a sorted",
        ),
        (task(1, kind="sorcery"), r"its tasks cannot be read \(KeyError\('sorcery'\)\)"),
        (task(1, kind=["regression"]), r"its tasks cannot be read \(TypeError"),
        (task(1, labels=None), r"its tasks cannot be read \(TypeError.*labels"),
        (
            task(5, labels=MTLNeuralClassifier()),
            r"_tasks\[5\] is \{.*\}, not a string, a number, an array, or a list or a dict of",
        ),
        (
            task(5, labels="unlabeled"),
            r"task 'clusters' has more values than a task|its tasks cannot be read",
        ),
        (task(2, scale=0.0), "task 'arousal' has no mean and scale"),
        (task(2, mean=np.inf), "task 'arousal' has no mean and scale"),
        (task(4, n_outputs=8.0), r"task 'rebuilt' has 8\.0 outputs"),
        (task(4, n_outputs=10**12), r"task 'rebuilt' has 1000000000000 outputs, not \[8, 32\]"),
        (spec(1, column=3), r"its tasks cannot be read \(InvalidParameterError"),
        (spec(1, class_weight="balanced"), "task 'gender' has more values than a task"),
        (spec(3, hidden_units=[10**9]), r"hidden units \{'speaker': \[1000000000\]\}, not those"),
        (spec(5, n_components=7), r"task 'clusters' has 6 outputs, not \[7\]"),
        (spec(4, time_bins=10**9), r"its tasks cannot be read \(InvalidParameterError"),
        (lambda state: {"classes_": state["classes_"].tolist()}, "classes_ are not those of its"),
        (lambda state: {"dropped_tasks_": [1]}, r"dropped_tasks_ is \[1\]"),
        (lambda state: {"_temperatures": [1.0]}, "_temperatures is not a list of 2"),
        (lambda state: {"_temperatures": [1.0, np.nan]}, r"_temperatures\[1\] is nan"),
        (lambda state: {"_temperatures": [1.0, "2"]}, r"_temperatures\[1\] is '2'"),
        (first("_history", epoch=[]), r"the epochs of its history are \[\]"),
        (first("_history", epoch=[0]), r"the epochs of its history are \[0\]"),
        (first("_history", train_loss=[0.1, 0.2]), "'train_loss' in its history is not 1 numbers"),
        (
            first("_history", train_loss=["x"]),
            r"_history\[0\]\['train_loss'\] is \['x'\], not a list of numbers",
        ),
        (first("_history", more=3), r"_history\[0\]\['more'\] is 3, not a list"),
        (lambda state: {"_best_epochs": [1, 2]}, "a best epoch is 2, of 1"),
        (lambda state: {"_best_epochs": [True, 1]}, r"_best_epochs\[0\] is True, not an integer"),
        (first("_splits", kind="chance"), r"_splits\[0\]\['kind'\] is 'chance', not one of"),
        (first("_splits", n_valid=-1), r"\['n_valid'\] is -1, not an integer of at least 0"),
        (first("_splits", groups=[1]), r"\['groups'\]\[0\] is 1, not a string"),
        (first("_splits", reason=None), r"\['reason'\] is None, not a string"),
        (
            lambda state: {"_splits": [{}, {}]},
            r"_splits\[0\] is \{\}, not a dict of \['groups', 'kind'",
        ),
        (lambda state: {"_seed": -1}, "_seed is -1, not an integer of at least 0"),
        (lambda state: {"_seed": 2**40}, "_seed is 1099511627776, not"),
        (lambda state: {"_seed": None}, "_seed is None, not"),
        (lambda state: {"_states": None}, "_states is not a list of 2, or an empty"),
        (
            lambda state: {"_states": state["_states"][:1]},
            "_states is not a list of 2, or an empty",
        ),
        (lambda state: {"_states": ["a", "b"]}, "its training states are a str, not bytes"),
        (lambda state: {"_states": [b"a", b"b"]}, "its training states cannot be read"),
        (
            state_with(**{"AdamW.99.step": STEP}),
            r"'AdamW\.99\.step' is .* in its training states and absent in",
        ),
        (
            state_with(**{"AdamW.1.step": np.zeros(9)}),
            r"'AdamW\.1\.step' is \('F64', \(9,\)\) in its training states",
        ),
        (
            state_with(**{"AdamW.1.exp_avg": STEP}),
            r"'AdamW\.1\.exp_avg' is .* in its training states and \('F32', \(5",
        ),
        (
            state_with(**{"AdamW.1.exp_avg": None}),
            r"'AdamW\.1\.exp_avg' is absent in its training states and \('F32'",
        ),
        (
            state_with(**{"weighting.log_variances": np.zeros(10**6, dtype=np.float32)}),
            r"'weighting\.log_variances' in its training states is \('F32', \(1000000,\)\)",
        ),
        (lambda state: {"feature_names_in_": np.array(["a"])}, "feature_names_in_ are not 8 names"),
        (
            lambda state: {"n_features_in_": np.zeros(8)},
            "n_features_in_ is <ndarray>, and the network",
        ),
        (lambda state: {"device": 3}, "device is 3"),
        (lambda state: {"compute": ComputeSettings(n_threads=10**9)}, "n_threads is 1000000000"),
        (lambda state: {"compute": ComputeSettings(n_threads=0)}, "n_threads is 0"),
        (lambda state: {"compute": 1}, "compute is 1"),
    ],
)
def test_damage_beside_the_weights_raises(continued, change, text):
    check_raises(continued, change, text)


ON_FRAMES = {
    "attention": {},
    "frame_dnn": {},
    "lstm": {"pooling": "mean"},
    "cnn_blstm": {"channels": (2,)},
    "conformer": {"n_heads": 1, "kernel_size": 1},
}


def with_empty_arrays(weights, n_arrays):
    return save(load(weights) | {f"{i}": np.empty(0, np.float32) for i in range(n_arrays)})


@pytest.mark.parametrize("encoder", ["mlp", *ON_FRAMES])
def test_no_layer_is_built_for_which_there_are_no_arrays(speech, frames, encoder, monkeypatch):
    """Empty arrays take 65 bytes of a file, a layer takes a hundred times as much memory."""
    X, y = (speech.X, speech.y) if encoder == "mlp" else (frames.sequences[:60], frames.y[:60])
    model = MTLNeuralClassifier(
        encoder=encoder, hidden_units=(2,), encoder_params=ON_FRAMES.get(encoder), max_epochs=1
    )
    built, build = [], _state.build_module

    def counted(architecture, **options):
        built.append(build(architecture, **options))
        return built[-1]

    monkeypatch.setattr(_state, "build_module", counted)
    counts = []
    for units in ((2,), (2, 2)):
        state = model.set_params(hidden_units=units).fit(X, y).__getstate__()
        counts.append(len(load(state["_weights"][0])))
        MTLNeuralClassifier().__setstate__(state)
        assert len(built.pop().state_dict()) == counts[-1]
    per_layer = counts[1] - counts[0]
    more = 6 * per_layer - 1
    weights = {"_weights": [with_empty_arrays(state["_weights"][0], more)]}
    too_many = (counts[1] + more) // per_layer + 1
    check_raises(
        model,
        lambda state: architecture(hidden_units=[2] * too_many)(state) | weights,
        rf"hidden_units is \[2, .*\], too large for .* weights in {counts[1] + more} arrays",
    )
    assert not built


def test_the_networks_of_an_ensemble_are_compared_to_one_module(continued, monkeypatch):
    built, build = [], _state.build_module
    monkeypatch.setattr(
        _state, "build_module", lambda *args, **kw: built.append(1) or build(*args, **kw)
    )
    MTLNeuralClassifier().__setstate__(continued.__getstate__())
    assert len(built) == 1


@pytest.mark.parametrize("name", ["_weights", "_states"])
def test_arrays_are_limited_before_they_are_read(continued, name, monkeypatch):
    limit = _state._MAX_ARRAYS * (3 if name == "_states" else 1)
    many = with_empty_arrays(continued.__getstate__()[name][0], limit * 14 // 11 + 1)
    read = []
    deserialize = _state.deserialize
    monkeypatch.setattr(_state, "deserialize", lambda data: read.append(data) or deserialize(data))
    check_raises(
        continued, lambda state: {name: [many, state[name][1]]}, f"have more than {limit} arrays"
    )
    metadata = save({}, {"a": "b" * _state._MAX_HEADER_BYTES})
    check_raises(
        continued, lambda state: {name: [metadata, state[name][1]]}, "a header of more than 4194304"
    )
    assert many not in read
    assert metadata not in read


JUNK = (
    *(None, True, -1, 0, 3, 10**9, 2**70, -0.5, 1e300, float("nan"), float("inf")),
    *("x", "", b"x", [], [1], ["x"], {}, {"a": 1}, (1, 2)),
    *(np.array(3), np.zeros((2, 2)), np.array(["q", "r"]), np.float64(2.0)),
)


def paths(value, path=()):
    """Yield the paths of all values in nested dicts and lists."""
    yield path
    inside = value.items() if isinstance(value, dict) else ()
    for key, part in enumerate(value) if isinstance(value, list) else inside:
        yield from paths(part, (*path, key))


def with_junk(state, path, junk):
    name, *path = path
    if not path:
        return {**state, name: junk}
    changed = part = copy.deepcopy(state[name])
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = junk
    return {**state, name: changed}


def test_a_valid_state_can_be_used(continued, speech):
    """A state with random values raises a SerError, or yields a network that can be used."""
    state = continued.__getstate__()
    fitted_names = [name for name in state if name.startswith("_") or name.endswith("_")]
    everywhere = [path for name in fitted_names for path in paths(state[name], (name,))]
    generator = random.Random(0)
    X, y = speech.X[:60], speech.y[:60]
    aux = speech.aux.assign(speaker=speech.speaker)[:60]
    X = pd.DataFrame(X, columns=list("abcdefgh"))
    n_errors = 0
    for path in generator.choices([*everywhere, ("compute",)], k=300):
        model = MTLNeuralClassifier()
        try:
            model.__setstate__(with_junk(state, path, generator.choice(JUNK)))
        except SerError:
            n_errors += 1
            continue
        assert model.predict_proba(X).shape == (60, 3), path
        assert len(model.predict_aux(X)) == len(model.transform(X)) == 60, path
        assert len(model.members_) == len(model.history_) == 2, path
        if path[0] != "_architecture":  # which may be another that has the same weights
            model.partial_fit(X, y, aux=aux)
    assert 220 < n_errors < 300
