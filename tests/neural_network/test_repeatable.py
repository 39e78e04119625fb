"""With everything random switched on, one seed gives one network, wherever it is fitted."""

import numpy as np
import pytest
import torch
from joblib import Parallel, delayed, parallel_config
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from sklearn_ser.model_selection import SpeakerKFold
from sklearn_ser.neural_network import (
    ContrastiveTask,
    DomainAdversarialTask,
    MTLNeuralClassifier,
    ReconstructionTask,
)

TASKS = {
    "gender": DomainAdversarialTask(),
    "arousal": "ccc",
    "copy": ReconstructionTask(),
    "near": ContrastiveTask(),
}


def net(**parameters):
    """Every option that draws, and those that keep something between steps."""
    return (
        MTLNeuralClassifier()
        .set_params(
            max_epochs=2,
            n_estimators=2,
            tasks=TASKS,
            loss_weighting="pcgrad",
            perturbation__mixup_alpha=0.3,
            perturbation__noise=0.2,
            perturbation__dropout=0.1,
            optimization__weight_averaging="ema",
            optimization__lr_schedule="cosine",
            optimization__warmup=0.1,
            calibrate=True,
            validation__refit=True,
            device="cpu",
            random_state=3,
        )
        .set_params(**parameters)
    )


def weights(data, seed):
    model = net(random_state=seed).fit(data.X, data.y, aux=data.aux, groups=data.speaker)
    return model._weights, model._temperatures


@pytest.mark.parametrize("kind", ["speech", "frames"])
def test_fits_in_a_row_repeat_and_fits_in_threads_equal_them(request, kind):
    data = request.getfixturevalue(kind)
    in_a_row = [weights(data, seed) for seed in (0, 1, 0)]
    assert in_a_row[0] == in_a_row[2]
    assert in_a_row[0][0][0] not in in_a_row[1][0]
    in_threads = Parallel(n_jobs=3, backend="threading")(
        delayed(weights)(data, seed) for seed in (0, 1, 0)
    )
    assert in_threads == in_a_row


def states():
    """Of the global generators, numpy's being the legacy one."""
    return torch.get_rng_state().tolist(), np.random.get_state()[1].tolist()  # noqa: NPY002


@pytest.mark.parametrize("kind", ["speech", "frames"])
def test_global_generators_and_threads_are_left_alone(request, kind):
    data = request.getfixturevalue(kind)
    before = states()
    torch_threads = torch.get_num_threads()
    model = net().fit(data.X, data.y, aux=data.aux, groups=data.speaker)
    model.partial_fit(data.X, data.y, aux=data.aux)
    model.predict_proba(data.X)
    assert states() == before
    assert torch.get_num_threads() == torch_threads


def test_the_global_generators_do_not_matter(speech):
    first = weights(speech, 0)
    torch.manual_seed(1)
    np.random.seed(1)  # noqa: NPY002
    assert weights(speech, 0) == first


@pytest.mark.parametrize("option", ["mixup_alpha", "noise", "dropout"])
def test_what_is_off_draws_nothing_for_the_others(speech, option):
    """Each has a stream of its own: switched off, and fitted again, it changes itself alone."""
    on = net().fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)
    off = net(**{f"perturbation__{option}": 0.0}).fit(
        speech.X, speech.y, aux=speech.aux, groups=speech.speaker
    )
    assert on._weights != off._weights
    assert on.validation_split_ == off.validation_split_


def search(n_jobs=1):
    return GridSearchCV(
        net(),
        {"perturbation__noise": [0.0, 0.2]},
        cv=SpeakerKFold(2),
        n_jobs=n_jobs,
        error_score="raise",
    )


def results(speech, model):
    model = clone(model).fit(speech.X, speech.y, aux=speech.aux, groups=speech.speaker)
    return model.best_estimator_._weights, model.cv_results_["mean_test_score"].tolist()


@pytest.fixture(scope="module")
def serial(speech):
    return results(speech, search())


def test_a_search_in_threads(speech, serial):
    with parallel_config(backend="threading"):
        assert results(speech, search(n_jobs=2)) == serial


@pytest.mark.slow
def test_a_search_in_processes(speech, serial):
    assert results(speech, search(n_jobs=2)) == serial


@pytest.mark.slow
def test_a_search_on_dask_workers(speech, serial):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0"
        ) as cluster,
        distributed.Client(cluster),
        parallel_config(backend="dask"),
    ):
        assert results(speech, search(n_jobs=2)) == serial
