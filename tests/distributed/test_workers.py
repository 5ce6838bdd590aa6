"""BINModel under MultiWorkerMirroredStrategy: two processes beside one."""

import json
import re

import numpy as np
import pytest
import tensorflow as tf

from testing.processes import free_ports, run_together
from tests.distributed.workers_program import Settings, train
from tests.keras_versions import REPORTS_OF_REPLICAS
from tests.replicas import two_replicas

pytestmark = pytest.mark.slow
TRAININGS = {
    "fit": {"epochs": 3},
    "a loop": {"epochs": 3, "loop": True},
    "unsynchronized": {"epochs": 2, "synchronized": False},
    "uneven first batch": {"epochs": 1, "rows": 7},
}
CLOSE = {"rtol": 0, "atol": 1e-5}


def run_workers(number, trainings, folder):
    """Returns what each worker made of each training."""
    ports = ",".join(map(str, free_ports(number)))
    program = "-m", "tests.distributed.workers_program"
    commands = [(*program, worker, ports, json.dumps(trainings)) for worker in range(number)]
    return run_together(commands, folder, {})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("workers")


@pytest.fixture(scope="module")
def killed(folder):
    """What was said as a worker died in the middle of the third epoch; both kept backups."""
    training = {**TRAININGS["fit"], "backup": str(folder), "killed_after": 5}
    with pytest.raises(RuntimeError) as error:
        run_workers(2, [training], folder)
    return str(error.value)


@pytest.fixture(scope="module")
def results(killed, folder):
    """What each worker made of each training, one of them from the end of the second epoch."""
    trainings = {**TRAININGS, "resumed": {**TRAININGS["fit"], "backup": str(folder)}}
    found = run_workers(2, list(trainings.values()), folder)
    return [dict(zip(trainings, each, strict=True)) for each in found]


@pytest.fixture(scope="module")
def alone():
    """What one device makes of the same training, with the whole batch."""
    return train(Settings(**TRAININGS["fit"]), tf.distribute.get_strategy())


def check_equal(found, expected):
    for name, value in expected.items():
        np.testing.assert_allclose(found[name], value, **CLOSE, err_msg=name)


@REPORTS_OF_REPLICAS
def test_fit_equals_that_of_one_device(results, alone):
    check_equal(results[0]["fit"], alone)


def test_loop_over_train_steps_equals_fit(results):
    expected = results[0]["fit"]
    check_equal(results[0]["a loop"], {n: expected[n] for n in ("losses", "gates", "weights")})


@pytest.mark.parametrize("training", TRAININGS)
def test_workers_have_the_same_weights_and_gates_in_0_to_1(results, training):
    first, second = (each[training] for each in results)
    assert first == second
    gates = np.array(first["gates"])
    assert gates.min() == 0 if training == "fit" else gates.min() >= 0
    assert gates.max() <= 1
    assert np.isfinite(first["losses"]).all()


def test_unsynchronized_workers_equal_replicas_in_one_process(results):
    expected = train(Settings(**TRAININGS["unsynchronized"]), two_replicas())
    check_equal(results[0]["unsynchronized"], expected)


@REPORTS_OF_REPLICAS
def test_training_goes_on_after_a_worker_was_killed(killed, results, alone):
    assert re.match(r"exit codes .*-9", killed)
    for found in (each["resumed"] for each in results):
        np.testing.assert_allclose(found["losses"], alone["losses"][2:], **CLOSE)
        np.testing.assert_allclose(found["gates"], alone["gates"][4:], **CLOSE)
        np.testing.assert_allclose(found["evaluated"], alone["evaluated"], **CLOSE)
        np.testing.assert_allclose(found["weights"], alone["weights"], **CLOSE)
