"""Subclassed models and custom layers: what is folded inside them, and what the report says."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin import FoldedBatchInstanceNormalization as Folded
from keras_bin.export import fold, fold_report
from keras_bin.keras_internals import all_layers
from testing.weights import randomize
from tests.export.custom_layers import HoldsRectified, Rectified, around
from tests.export.folding.inside import (
    FORMS,
    Block,
    Held,
    HoldsBatchNormalization,
    Nested,
    net,
)
from tests.export.kinds import BIN, IMAGE
from tests.export.values import layers_of, snapshot

pytestmark = pytest.mark.usefixtures("float64")


def outputs(model, batch=3):
    shape = model.inputs[0].shape[1:] if hasattr(model, "inputs") else IMAGE
    x = np.random.default_rng(batch).normal(1.5, 2, (batch, *shape))
    return [ops.convert_to_numpy(y) for y in keras.tree.flatten(model(x, training=False))]


def assert_exact(folded, model):
    for got, expected in zip(outputs(folded), outputs(model), strict=True):
        # float64 on both sides, values up to 100.
        np.testing.assert_allclose(got, expected, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("form", FORMS)
def test_layers_inside_become_constants_and_are_not_folded_again(form):
    make, number = FORMS[form]
    model = make()
    before = snapshot(model)
    folded, report = fold(model), fold_report(model)
    assert len(layers_of(folded, Folded)) == number
    assert not [layer for layer in layers_of(folded, BIN) if layer.built]
    assert [each.became for each in report] == ["batch-instance normalization"] * number
    assert_exact(folded, model)
    assert fold_report(folded) == []
    for got, expected in zip(outputs(fold(folded)), outputs(folded), strict=True):
        np.testing.assert_array_equal(got, expected)
    for path, value in snapshot(model).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)


@pytest.mark.parametrize("rho", [0.0, 1.0])
def test_gates_at_an_end_give_layers_of_one_branch(rho):
    model = randomize(around(Block()), rho)
    folded, report = fold(model), fold_report(model)
    became = {0.0: "instance normalization", 1.0: "affine map"}[rho]
    reason = {0.0: "", 1.0: "it is inside a layer whose `call` decides what it reads"}[rho]
    assert [(each.became, each.reason) for each in report] == [(became, reason)] * 3
    assert {(layer.batch, layer.instance) for layer in layers_of(folded, Folded)} == {
        (rho == 1, rho == 0)
    }
    assert_exact(folded, model)


def test_layer_that_is_used_twice_is_folded_once():
    block = Block()
    model = around(block, block)
    folded = fold(model)
    assert len(layers_of(folded, Folded)) == len(fold_report(model)) == 3
    assert_exact(folded, model)


def test_bin_layer_of_an_own_layer_that_is_in_the_graph_too_stays_shared():
    block, inputs = Block(), keras.Input(IMAGE)
    x = block(inputs)
    y = block.norm(layers.Conv2D(3, 3, name="conv")(x))
    model = randomize(keras.Model(inputs, [x, y]))
    folded = fold(model)
    assert len(layers_of(folded, Folded)) == len(fold_report(model)) == 3
    assert_exact(folded, model)


@pytest.mark.parametrize("first", ["inside", "outside"])
@pytest.mark.parametrize("normalization", [BIN, layers.BatchNormalization])
def test_layer_in_a_dict_that_is_in_the_graph_too_stays_shared(normalization, first):
    norm, inputs = normalization(name="norm"), keras.Input(IMAGE)
    own = Held(lambda held: {"a": norm}, lambda held: held["a"])
    calls = (own, norm) if first == "inside" else (norm, own)
    model = randomize(keras.Model(inputs, calls[1](calls[0](inputs))))
    folded = fold(model)
    assert len(layers_of(folded, Folded)) == len(fold_report(model)) == 2
    assert not layers_of(folded, normalization)
    assert_exact(folded, model)


def test_convolution_of_an_own_layer_absorbs_nothing_outside():
    block, inputs = Block(), keras.Input(IMAGE)
    x = block(inputs)
    y = layers.BatchNormalization(name="bn")(block.conv(inputs))
    model = randomize(keras.Model(inputs, [x, y]))
    reasons = {each.layer: each.reason for each in fold_report(model)}
    assert reasons["bn"] == f"the layer before, Conv2D {block.conv.name!r}, is called 2 times"
    assert_exact(fold(model), model)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (HoldsRectified, "it overrides `call`, so it stays as it is"),
        (HoldsBatchNormalization, "it is inside a layer, where only BIN layers are folded"),
    ],
    ids=["own call", "batch normalization"],
)
def test_layer_that_folding_leaves_inside_another_says_so(make, reason):
    model = around(make())
    (report,) = fold_report(model)
    assert (report.became, report.reason, report.channels) == ("unfolded", reason, 3)
    assert_exact(fold(model), model)


def test_gates_of_layers_that_are_copied_are_snapped_and_counted():
    model, moved = around(HoldsRectified()), around(HoldsRectified())
    layers_of(model, Rectified)[0].rho.assign([0.0, 0.0625, 0.9375])
    layers_of(moved, Rectified)[0].rho.assign([0.0, 0.0, 1.0])
    (report,) = fold_report(model, rho_tolerance=0.125)
    assert report.snapped == 2
    assert_exact(fold(model, rho_tolerance=0.125), moved)


def test_subclassed_model_keeps_its_name_and_gets_named_inputs_and_outputs():
    model = net()
    folded = fold(model)
    assert folded.name == model.name
    assert folded.output_names == [model.name]
    assert [tensor.name for tensor in folded.inputs] == ["inputs"]
    assert folded.input_shape == (None, *IMAGE)


def test_half_precision_inside_becomes_float32():
    keras.config.set_dtype_policy("mixed_float16")
    folded = fold(around(Nested()))
    assert {layer.compute_dtype for layer in all_layers(folded)} == {"float32"}
