"""The exported nets are twins, and each file computes what its net does."""

from typing import NamedTuple

import keras
import numpy as np
import pytest

from benchmarks.artifacts import (
    GATES,
    ONES,
    PLAIN,
    TWIN,
    Nets,
    free_gates,
    make_nets,
    ours,
    paper_gates,
)
from benchmarks.environment import installed
from benchmarks.nets import NETS
from benchmarks.runtimes import FORMATS, RUNTIMES, packages
from keras_bin import rho_weights
from tests.export.values import predict

# Keras looks whether NumPy has it before it exports to ONNX.
pytestmark = pytest.mark.filterwarnings("ignore:.*`np.object`:FutureWarning")

TINY = NETS["ResNet-8"]._replace(blocks=(1,), size=8, batch=3)
BOTH = ("any", "openvino")
EXPORTS = {
    "ONNX": [
        TWIN,
        PLAIN,
        ONES,
        *(ours("paper", runtime) for runtime in ("any", "onnxruntime", "openvino")),
        ours("paper", "reduce_mean"),
    ],
    "SavedModel": [TWIN, PLAIN, ONES, *(ours("paper", runtime) for runtime in BOTH)],
    "LiteRT": [ONES, *(ours("paper", runtime) for runtime in BOTH)],
}


class Written(NamedTuple):
    nets: Nets
    images: np.ndarray
    paths: dict


@pytest.fixture
def nets():
    return make_nets(TINY, GATES)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    nets, (images, _) = make_nets(TINY, ["paper"]), TINY.data()
    paths = {
        name: kind.write(nets, images, tmp_path_factory.mktemp(name))
        for name, kind in FORMATS.items()
    }
    return Written(nets, images, paths)


def outputs(model, images):
    (values,) = predict(model, [images])
    return values


def assert_computes(call, model, images):
    # Float32 rounding, in another order, of outputs of about 1.
    np.testing.assert_allclose(call(), outputs(model, images), rtol=2e-5, atol=2e-5)


def test_gates_are_spread_as_in_the_paper():
    gates = paper_gates(np.random.default_rng(0), 20_000)
    between = gates[(gates > 0) & (gates < 1)]
    # Four standard deviations of the share of 20,000 gates.
    assert np.mean(gates == 1) == pytest.approx(0.72, abs=0.013)
    assert np.mean(gates == 0) == pytest.approx(0.10, abs=0.009)
    np.testing.assert_allclose(
        np.quantile(between, [0.1, 0.5, 0.9]), [0.1, 0.5, 0.9], rtol=0, atol=0.04
    )


def test_free_gates_are_mixed_but_for_a_few():
    gates = free_gates(np.random.default_rng(0), 20_000)
    assert np.mean(gates == 1) == pytest.approx(0.05, abs=0.007)
    assert np.all((gates == 1) | ((gates >= 0.3) & (gates < 0.7)))


def test_front_has_gates_in_the_first_layer_alone(nets):
    first, *others = map(np.array, rho_weights(nets.mixed["front"]))
    assert np.all(first < 1)
    assert all(np.all(rho == 1) for rho in others)


def test_nets_compute_the_same_where_all_gates_are_1(nets):
    images, _ = TINY.data()
    bn = outputs(nets.bn, images)
    np.testing.assert_allclose(outputs(nets.ones, images), bn, rtol=1e-5, atol=1e-5)
    for mixed in nets.mixed.values():
        assert np.abs(outputs(mixed, images) - bn).max() > 1e-2


def test_bin_nets_differ_in_their_gates_alone(nets):
    assert all(np.all(rho == 1) for rho in map(np.array, rho_weights(nets.ones)))
    for gates in ("paper", "free"):
        assert all(np.unique(rho).size > 2 for rho in map(np.array, rho_weights(nets.mixed[gates])))
    for model in nets.mixed.values():
        for mixed, ones in zip(model.weights, nets.ones.weights, strict=True):
            assert mixed.name == "rho" or np.array_equal(mixed, ones)


def test_weights_are_away_from_where_they_start(nets):
    fresh = TINY.model(keras.layers.BatchNormalization, keras.Model)
    for weight, start in zip(nets.bn.weights, fresh.weights, strict=True):
        assert np.abs(np.array(weight) - np.array(start)).mean() > 1e-2


def test_each_export_is_written_once(written):
    assert {name: list(paths) for name, paths in written.paths.items()} == EXPORTS


@pytest.mark.parametrize(
    ("runtime", "name"),
    [(runtime, name) for runtime, made in RUNTIMES.items() for name in EXPORTS[made.format]],
)
def test_export_computes_what_its_net_does(runtime, name, written):
    if missing := [each for each in packages(runtime) if not installed(each)]:
        pytest.skip(f"{missing} not installed; install the extra `runtimes`")
    made = RUNTIMES[runtime]
    call = made.load(written.paths[made.format][name], 1)(written.images[:2])
    net = {TWIN: written.nets.bn, ONES: written.nets.ones}.get(name, written.nets.mixed["paper"])
    assert_computes(call, net, written.images[:2])


def test_lowerings_differ_and_all_ones_have_the_operators_of_batch_normalization(written):
    describe = FORMATS["ONNX"].describe
    kinds = {name: describe(path)["operators"] for name, path in written.paths["ONNX"].items()}
    assert kinds[ONES] == kinds[TWIN]
    assert "InstanceNormalization" not in kinds[ours("paper", "reduce_mean")]
    for runtime in ("any", "onnxruntime", "openvino"):
        assert "InstanceNormalization" in kinds[ours("paper", runtime)]
        assert ("Slice" in kinds[ours("paper", runtime)]) == (runtime != "openvino")


def test_size_of_a_folder_is_that_of_all_its_files(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(bytes(5))
    (tmp_path / "variables" / "index").write_bytes(bytes(7))
    assert FORMATS["SavedModel"].describe(tmp_path) == {"bytes": 12}
    assert FORMATS["LiteRT"].describe(tmp_path / "saved_model.pb") == {"bytes": 5}
