"""Grouped convolutions in one, two and three dimensions run without XLA."""

import numpy as np
import pytest
from keras import layers

from keras_bin.export.tracing.grouped import split_grouped_convolutions
from tests.export.tracing.graphs import absorbed, image, kinds, run, stacked
from tests.export.values import predict

BN = layers.BatchNormalization
CONVOLUTIONS = {
    "1-D": ([layers.Conv1D(6, 3, groups=3), BN()], (9, 3), {"Conv2D": 1}),
    "2-D": ([layers.Conv2D(6, 3, groups=3), BN()], (8, 9, 3), {"Conv2D": 1}),
    "3-D": ([layers.Conv3D(6, 2, groups=3), BN()], (4, 5, 6, 3), {"Conv3D": 3}),
    "3-D strided": (
        [layers.Conv3D(8, 2, strides=2, groups=2, padding="same")],
        (4, 5, 6, 4),
        {"Conv3D": 2},
    ),
    "3-D whole": ([layers.Conv3D(6, 2)], (4, 5, 6, 3), {"Conv3D": 1}),
}


@pytest.mark.parametrize(("stack", "shape", "expected"), CONVOLUTIONS.values(), ids=CONVOLUTIONS)
def test_grouped_convolution_computes_the_same(stack, shape, expected):
    model = stacked(*stack, shape=shape)
    graph, _ = absorbed(model)
    split_grouped_convolutions(graph)
    found = kinds(graph)
    assert {op: found.get(op, 0) for op in expected} == expected
    x = image(3, *shape)
    (got,) = run(graph, x).values()
    # float32 rounding of values up to 30.
    np.testing.assert_allclose(got, predict(model, [x])[0], rtol=1e-4, atol=2e-5)
