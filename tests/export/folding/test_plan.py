"""Plans of a fold: what stands for which layer, and a model that planning leaves alone."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_bin.export.folding.plan import plan_folding
from keras_bin.export.folding.replacements import Absorbed, Absorbing, Folded
from keras_bin.keras_internals import call_count
from keras_bin.networks.copying import copy_model
from testing.weights import randomize
from tests.export.custom_layers import Rectified, around
from tests.export.folding.inside import Block
from tests.export.kinds import BIN, IMAGE
from tests.export.values import layers_of, snapshot

BN = layers.BatchNormalization


def stand_ins(model, plan):
    """The kind of replacement of each layer that has one, by the name of the layer."""
    return {
        layer.name: type(plan.replacements[id(layer)])
        for layer in model.layers
        if id(layer) in plan.replacements
    }


def test_each_layer_has_its_replacement_and_others_have_none():
    model = around(
        layers.Conv2D(4, 3, name="conv"),
        BN(name="absorbed"),
        layers.ReLU(name="relu"),
        BN(name="affine"),
        Rectified(name="own"),
        layers.Dense(3, name="dense"),
        BIN(name="mixed"),
    )
    plan = plan_folding(model)
    assert stand_ins(model, plan) == {
        "conv": Absorbing,
        "absorbed": Absorbed,
        "affine": Folded,
        "dense": Absorbing,
        "mixed": Folded,
    }
    assert [(each.layer, each.became, each.into) for each in plan.layers] == [
        ("absorbed", "absorbed", "conv"),
        ("affine", "affine map", None),
        ("own", "unfolded", None),
        ("mixed", "batch-instance normalization", None),
    ]


def test_linear_layer_absorbs_the_maps_after_it_in_order():
    model = around(layers.Conv2D(4, 3, name="conv"), BN(name="first"), BN(name="second"))
    scale, offset = plan_folding(model).replacements[id(model.get_layer("conv"))]
    first, second = map(model.get_layer, ("first", "second"))
    x = np.random.default_rng(0).normal(1.5, 2, (2, 6, 4, 4)).astype("float32")
    expected = second(first(x))
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(scale * x + offset, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("inside", "became"), [(True, "batch-instance"), (False, "unfolded")])
def test_layers_inside_others_are_planned_on_demand(inside, became):
    model = around(Block(), BIN(name="last"))
    plan = plan_folding(model, inside=inside)
    last, *held = plan.layers
    assert (last.layer, last.became) == ("last", "batch-instance normalization")
    assert len(held) == 3
    assert all(each.became.startswith(became) for each in held)
    assert len(plan.replacements) == (4 if inside else 1)


def test_planning_calls_and_changes_no_layer():
    model = around(layers.Conv2D(4, 3, use_bias=False), BIN(), Block())
    before, calls = snapshot(model), list(map(call_count, model.layers))
    plan_folding(model)
    assert list(map(call_count, model.layers)) == calls
    for path, value in snapshot(model).items():
        np.testing.assert_array_equal(value, before[path], err_msg=path)


def test_plan_is_carried_out_as_often_as_it_is_needed():
    model = around(layers.Conv2D(4, 3, use_bias=False), BIN(), BN())
    replacements = plan_folding(model).replacements
    first, second = (copy_model(model, replacements=replacements) for _ in range(2))
    for got, expected in zip(first.weights, second.weights, strict=True):
        assert got is not expected
        np.testing.assert_array_equal(got, expected)


def test_layer_that_a_wrapper_of_keras_shares_with_the_graph_stays_shared():
    norm, inputs = BN(name="norm"), keras.Input((3, *IMAGE))
    wrapped = layers.TimeDistributed(norm)
    x = wrapped(inputs)
    model = randomize(keras.Model(inputs, norm(layers.Reshape((3 * IMAGE[0], *IMAGE[1:]))(x))))
    folded = copy_model(model, replacements=plan_folding(model).replacements)
    (stand_in,) = layers_of(folded, type(folded.layers[-1]))
    assert folded.layers[1].layer is stand_in
