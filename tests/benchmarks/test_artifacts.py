"""The exported nets are twins, and each file computes what its net does."""

from typing import NamedTuple

import keras
import numpy as np
import pytest

from benchmarks.artifacts import (
    ONES,
    OURS,
    PLAIN,
    TWIN,
    Twins,
    make_twins,
    paper_gates,
    write_onnx,
    write_saved_models,
)
from benchmarks.export_latency import describe_file, load_onnx, load_saved_model
from benchmarks.nets import NETS
from keras_bin import rho_weights
from tests.export.values import predict

# Keras looks whether NumPy has it before it exports to ONNX.
pytestmark = pytest.mark.filterwarnings("ignore:.*`np.object`:FutureWarning")

TINY = NETS["ResNet-8"]._replace(blocks=(1,), size=8, batch=3)
LOWERED = [f"{OURS}, {lowering}" for lowering in ("instance_normalization", "reduce_mean")]


class Written(NamedTuple):
    twins: Twins
    images: np.ndarray
    onnx: dict
    saved_models: dict


@pytest.fixture
def twins():
    return make_twins(TINY)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    twins, (images, _) = make_twins(TINY), TINY.data()
    folder = tmp_path_factory.mktemp("written")
    return Written(
        twins,
        images,
        write_onnx(twins, images, folder),
        write_saved_models(twins, images, folder),
    )


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


def test_twins_compute_the_same_where_all_gates_are_1(twins):
    images, _ = TINY.data()
    bn, mixed, ones = (outputs(model, images) for model in twins)
    np.testing.assert_allclose(ones, bn, rtol=1e-5, atol=1e-5)
    assert np.abs(mixed - bn).max() > 1e-2


def test_bin_nets_differ_in_their_gates_alone(twins):
    assert all(np.all(rho == 1) for rho in map(np.array, rho_weights(twins.ones)))
    assert all(np.unique(rho).size > 2 for rho in map(np.array, rho_weights(twins.mixed)))
    for mixed, ones in zip(twins.mixed.weights, twins.ones.weights, strict=True):
        assert mixed.name == "rho" or np.array_equal(mixed, ones)


def test_weights_are_away_from_where_they_start(twins):
    fresh = TINY.model(keras.layers.BatchNormalization, keras.Model)
    for weight, start in zip(twins.bn.weights, fresh.weights, strict=True):
        assert np.abs(np.array(weight) - np.array(start)).mean() > 1e-2


def test_each_export_is_written_once(written):
    assert list(written.onnx) == [TWIN, PLAIN, *LOWERED, ONES]
    assert list(written.saved_models) == [TWIN, PLAIN, OURS, ONES]


@pytest.mark.parametrize(
    ("name", "net"),
    [(TWIN, "bn"), (PLAIN, "mixed"), *((name, "mixed") for name in LOWERED), (ONES, "ones")],
)
def test_onnx_file_computes_what_its_net_does(written, name, net):
    call = load_onnx(written.onnx[name], threads=1)(written.images)
    assert_computes(call, getattr(written.twins, net), written.images)


@pytest.mark.parametrize(
    ("name", "net"), [(TWIN, "bn"), (PLAIN, "mixed"), (OURS, "mixed"), (ONES, "ones")]
)
def test_saved_model_computes_what_its_net_does(written, name, net):
    call = load_saved_model(written.saved_models[name], 1)(written.images[:2])
    assert_computes(call, getattr(written.twins, net), written.images[:2])


def test_lowerings_differ_and_all_ones_have_the_operators_of_batch_normalization(written):
    kinds = {name: describe_file(path)["operators"] for name, path in written.onnx.items()}
    assert kinds[ONES] == kinds[TWIN]
    assert "InstanceNormalization" in kinds[LOWERED[0]]
    assert "InstanceNormalization" not in kinds[LOWERED[1]]
