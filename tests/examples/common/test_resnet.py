"""Residual nets: their shapes, and as many parameters as those of BIN's authors."""

import keras
import numpy as np
import pytest

import keras_bin
from common.norms import NORMS
from common.resnet import build_resnet


def parameters(depth, classes, channels=3):
    """Counts the trainable parameters with BN, from the widths of each convolution.

    Source: the definitions in https://github.com/hyseob/Batch-Instance-Normalization, with
    convolutions without bias, and gamma and beta after each.
    """
    blocks = (depth - 2) // 6
    convolutions = [(3, channels, 16)]
    before = 16
    for width in (16, 32, 64):
        for _ in range(blocks):
            after = 4 * width if depth >= 44 else width
            if depth >= 44:
                convolutions += [(1, before, width), (3, width, width), (1, width, after)]
            else:
                convolutions += [(3, before, width), (3, width, width)]
            if before != after:
                convolutions += [(1, before, after)]
            before = after
    kernels = sum(size**2 * ins * outs for size, ins, outs in convolutions)
    return kernels + 2 * sum(outs for *_, outs in convolutions) + (before + 1) * classes


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


@pytest.mark.parametrize(("depth", "classes"), [(8, 10), (20, 10), (44, 100)])
def test_parameters_are_those_of_the_authors(depth, classes):
    model = build_resnet(NORMS["BN"], depth, (32, 32, 3), classes)
    assert count(model.trainable_weights) == parameters(depth, classes)


def test_count_of_parameters_agrees_with_a_published_one():
    """0.27 M for ResNet-20 (He et al. 2016, Table 6), there without projections."""
    projections = (16 * 32 + 2 * 32) + (32 * 64 + 2 * 64)
    assert parameters(20, 10) - projections == pytest.approx(0.27e6, rel=0.01)


@pytest.mark.parametrize("depth", [8, 44])
def test_bin_adds_one_gate_per_channel(depth):
    nets = {norm: build_resnet(NORMS[norm], depth, (8, 8, 3), 10) for norm in ("BN", "BIN")}
    gates = keras_bin.rho_weights(nets["BIN"])
    channels = sum(
        layer.gamma.shape[0]
        for layer in nets["BN"].layers
        if isinstance(layer, keras.layers.BatchNormalization)
    )
    assert count(gates) == channels
    added = count(nets["BIN"].trainable_weights) - count(nets["BN"].trainable_weights)
    assert added == channels


@pytest.mark.parametrize("norm", NORMS)
def test_every_norm_fits_and_ends_in_logits(norm):
    model = build_resnet(NORMS[norm], 14, (8, 8, 3), 4)
    assert isinstance(model, NORMS[norm].model_class)
    assert model(np.zeros((2, 8, 8, 3), "float32")).shape == (2, 4)


def test_stages_halve_the_picture():
    model = build_resnet(NORMS["BN"], 8, (32, 24, 3), 10)
    shapes = [
        layer.output.shape[1:] for layer in model.layers if isinstance(layer, keras.layers.Add)
    ]
    assert shapes == [(32, 24, 16), (16, 12, 32), (8, 6, 64)]


@pytest.mark.parametrize("depth", [2, 7, 21, 0, -4])
def test_other_depths_are_refused(depth):
    with pytest.raises(ValueError, match=rf"6n \+ 2: 8, 14, 20.*Received: depth={depth}"):
        build_resnet(NORMS["BN"], depth, (8, 8, 3), 10)
