"""Dilated convolutions become one operator, and compute the same."""

import numpy as np
import pytest
from keras import layers

from keras_bin.export.tracing.dilated import join_dilated_convolutions
from tests.export.tracing.graphs import absorbed, image, kinds, run, stacked

LAYERS = {
    "series": (lambda padding: layers.Conv1D(4, 3, dilation_rate=3, padding=padding), 1),
    "pictures": (lambda padding: layers.Conv2D(4, 3, dilation_rate=2, padding=padding), 2),
    "unequal": (lambda padding: layers.Conv2D(4, 3, dilation_rate=(3, 2), padding=padding), 2),
    "volumes": (lambda padding: layers.Conv3D(2, 2, dilation_rate=2, padding=padding), 3),
}


@pytest.mark.parametrize("free", [False, True], ids=["fixed", "free"])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize(("layer", "axes"), LAYERS.values(), ids=LAYERS)
def test_a_dilated_convolution_with_a_bias_becomes_one_operator(layer, axes, padding, free):
    sizes = (11, 9, 8)[:axes]
    shape = (*([None] * axes if free else sizes), 3)
    model = stacked(layer(padding), layers.BatchNormalization(), shape=shape)
    graph, _ = absorbed(model)
    assert "SpaceToBatchND" in kinds(graph)
    join_dilated_convolutions(graph)
    left = kinds(graph)
    assert not {"SpaceToBatchND", "BatchToSpaceND", "FloorMod"} & set(left)
    assert left["Conv3D" if axes == 3 else "Conv2D"] == 1
    x = image(2, *sizes, 3)
    (got,) = run(graph, x).values()
    np.testing.assert_allclose(got, model(x), rtol=1e-4, atol=1e-4)


def test_what_is_read_in_between_is_left():
    model = stacked(layers.Conv2D(4, 3, dilation_rate=2))
    graph, _ = absorbed(model)
    (before,) = (node for node in graph.definition.node if node.op == "SpaceToBatchND")
    graph.outputs["between"] = f"{before.name}:0"
    join_dilated_convolutions(graph)
    assert kinds(graph)["SpaceToBatchND"] == 1


def test_a_convolution_without_dilation_is_left():
    graph, _ = absorbed(stacked(layers.Conv2D(4, 3)))
    before = kinds(graph)
    join_dilated_convolutions(graph)
    assert kinds(graph) == before
