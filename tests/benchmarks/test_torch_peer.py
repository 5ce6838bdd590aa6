"""The official composition in PyTorch computes BIN."""

import numpy as np
import pytest

from testing import reference
from tests import cases

pytest.importorskip("torch", reason="PyTorch is not a dependency; the benchmarks go without it")

from benchmarks.torch_peer import TorchBIN, training_call


def test_equals_the_oracle():
    weights = reference.random_weights(6)
    x, dy = cases.random_input((3, 5, 4, 6)), cases.random_input((3, 5, 4, 6), seed=1)
    layer = TorchBIN(*weights[:3], "cpu")
    y, dx, *others = layer(layer.tensor(x), layer.tensor(dy))
    found = [np.moveaxis(y.numpy(), 1, -1), np.moveaxis(dx.numpy(), 1, -1), *others]
    expected = [reference.forward(x, weights), *reference.backward(x, dy, weights)]
    for each, exact in zip(found, expected, strict=True):
        np.testing.assert_allclose(each, exact, rtol=1e-4, atol=1e-4)


def test_training_updates_the_moving_statistics():
    layer = TorchBIN(np.ones(2), np.zeros(2), np.ones(2), "cpu")
    x = layer.tensor(np.full((2, 3, 3, 2), 5.0))
    layer(x, x)
    np.testing.assert_allclose(layer.moving_mean, 0.05, rtol=1e-6)


def test_call_runs():
    x = cases.random_input((2, 3, 3, 4)).astype("float32")
    training_call(x, x, "cpu")()
