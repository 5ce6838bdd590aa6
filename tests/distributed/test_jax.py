"""JAX on four devices, in one process and in two: it trains as one device does."""

import keras
import numpy as np
import pytest

from testing.processes import free_port, run_together
from testing.small_net import batch
from tests.backends import QUICK_TO_COMPILE, skip_without

pytestmark = pytest.mark.slow
CLOSE = {"rtol": 1e-5, "atol": 1e-5}
WAYS = ("fit", "loop")


def run(folder, devices, processes=1):
    """Returns what the program printed in each process, each of which has `devices` devices."""
    skip_without("jax")
    command = ["-m", "tests.distributed.jax_program", folder]
    commands = [command]
    if processes > 1:
        port = free_port()
        commands = [[*command, rank, processes, port] for rank in range(processes)]
    flags = f"{QUICK_TO_COMPILE} --xla_force_host_platform_device_count={devices}"
    return run_together(commands, folder, {"KERAS_BACKEND": "jax", "XLA_FLAGS": flags})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("jax")


@pytest.fixture(scope="module")
def devices(folder):
    """What the program printed in one process with four devices."""
    (results,) = run(folder, devices=4)
    return results


@pytest.fixture(scope="module")
def processes(folder):
    """What the program printed in each of two processes with two devices."""
    return run(folder, devices=2, processes=2)


def check_gates(result):
    gates = np.array(result["gates"])
    assert gates.min() == 0
    assert gates.max() == 1
    assert np.any((gates[-1] > 0) & (gates[-1] < 1))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("distribution", ["data", "model"])
def test_four_devices_train_as_one(devices, distribution, way):
    one, four = devices[f"one, {way}"], devices[f"{distribution}, {way}"]
    for name in ("losses", "gates", "weights"):
        np.testing.assert_allclose(four[name], one[name], err_msg=name, **CLOSE)
    check_gates(four)


@pytest.mark.parametrize("way", WAYS)
def test_layout_map_divides_the_gates_among_devices(devices, way):
    divided = {name: devices[f"{name}, {way}"]["channels per device"] for name in ("data", "model")}
    assert divided == {"data": [4, 4], "model": [2, 2]}


@pytest.mark.parametrize("distribution", ["data", "model"])
def test_files_and_predictions_are_those_of_one_device(devices, folder, distribution):
    expected, _ = devices["one, fit"]["predictions"]
    net = keras.saving.load_model(folder / f"{distribution}.keras")
    on_tensorflow = net.predict(batch()[0], verbose=0)
    for found in (*devices[f"{distribution}, fit"]["predictions"], on_tensorflow):
        np.testing.assert_allclose(found, expected, **CLOSE)


@pytest.mark.parametrize("way", WAYS)
def test_two_processes_train_as_one_device(devices, processes, way):
    one = devices[f"one, {way}"]
    for process in processes:
        for name in ("losses", "gates", "weights"):
            found = process[f"data, {way}"][name]
            np.testing.assert_allclose(found, one[name], err_msg=name, **CLOSE)


def test_gates_divided_among_processes_are_recorded_whole(devices, processes):
    for process in processes:
        result = process["model, fit"]
        assert result["channels per device"] == [1, 1]
        for name in ("losses", "gates"):
            np.testing.assert_allclose(result[name], devices["one, fit"][name], **CLOSE)


def test_file_of_any_process_predicts_as_one_device(devices, processes, folder):
    for rank, _ in enumerate(processes):
        net = keras.saving.load_model(folder / f"process-{rank}.keras")
        found = net.predict(batch()[0], verbose=0)
        np.testing.assert_allclose(found, devices["one, fit"]["predictions"][0], **CLOSE)
