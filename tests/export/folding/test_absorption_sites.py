"""Which layer can absorb each normalization layer of a model, and why none can."""

import keras
import pytest
from keras import layers

from keras_bin.export.folding.absorption_sites import absorption_sites
from keras_bin.keras_internals import calls_in_order
from keras_bin.networks.graph import graphs_of
from keras_bin.networks.normalizations import normalizations_of
from tests.export.kinds import BIN, IMAGE

BN = layers.BatchNormalization
INSIDE = (6, 4, 3)  # what a valid convolution leaves of an image


def conv(name="conv", **settings):
    return layers.Conv2D(3, 3, name=name, **settings)


def stacked(*stack, shape=IMAGE, **call):
    """Layers that follow each other; `call` goes to the last one."""
    x = inputs = keras.Input(shape)
    for layer in stack[:-1]:
        x = layer(x)
    return keras.Model(inputs, stack[-1](x, **call))


def site_of(model, name="norm", affine=None):
    """Where the layer called `name` is, all normalization layers being affine by default."""
    found = {layer.name: layer for layer in normalizations_of(model)}
    affine = found if affine is None else affine
    return absorption_sites(model, {id(found[each]) for each in affine})[id(found[name])]


@pytest.mark.parametrize("normalization", [BN, BIN])
@pytest.mark.parametrize(
    "between",
    [
        [],
        [layers.Dropout(0.5)],
        [layers.SpatialDropout2D(0.5), layers.GaussianNoise(0.1), layers.Identity()],
        [layers.GaussianDropout(0.5), layers.AlphaDropout(0.1), layers.ActivityRegularization(0.1)],
    ],
    ids=["next", "dropout", "several", "others"],
)
def test_layer_before_is_found_through_what_is_idle_at_inference(between, normalization):
    model = stacked(conv(), *between, normalization(name="norm"))
    site = site_of(model)
    assert site.producer is model.get_layer("conv")
    assert site.reason == ""
    assert site.is_output


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: stacked(BN(name="norm")), "its input is an input of the model"),
        (
            lambda: stacked(conv(), keras.Sequential([keras.Input(INSIDE), BN(name="norm")])),
            "its input is an input of the model, or of the model that it is in",
        ),
        (
            lambda: stacked(conv(), layers.ReLU(name="relu"), BN(name="norm")),
            "the layer before, ReLU 'relu', is not a convolution",
        ),
        (
            lambda: stacked(conv(activation="relu"), BN(name="norm")),
            "Conv2D 'conv' has an activation",
        ),
        (
            lambda: stacked(conv(), BN(axis=1, name="norm")),
            "the channels of Conv2D 'conv' are on axis 3, not 1",
        ),
        (
            lambda: stacked(
                keras.Sequential([keras.Input(IMAGE), conv()], name="in"), BN(name="norm")
            ),
            "the layer before, Sequential 'in', is not a convolution",
        ),
    ],
    ids=["model input", "nested input", "other layer", "activation", "axis", "nested conv"],
)
def test_reason_says_why_no_layer_can_absorb_it(make, reason):
    site = site_of(make())
    assert site.producer is None
    assert site.reason.startswith(reason)


def test_operation_before_has_its_name_in_the_reason():
    inputs = keras.Input(IMAGE)
    model = keras.Model(inputs, BN(name="norm")(conv()(inputs) * 2.0))
    assert site_of(model).reason.startswith("the layer before, Multiply 'multiply', is not a conv")


def test_shared_normalization_stays():
    norm, inputs = BN(name="norm"), keras.Input(IMAGE)
    model = keras.Model(inputs, norm(conv(padding="same")(norm(inputs))))
    assert site_of(model).reason == "the layer is called 2 times"


def test_shared_convolution_absorbs_nothing():
    shared, inputs = conv(padding="same"), keras.Input(IMAGE)
    model = keras.Model(inputs, BN(name="norm")(shared(shared(inputs))))
    reason = "the layer before, Conv2D 'conv', is called 2 times"
    assert site_of(model).reason == reason


def test_convolution_that_another_layer_holds_absorbs_nothing():
    class Holder(layers.Layer):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def call(self, inputs):
            return self.inner(inputs)

    shared, inputs = conv(), keras.Input(IMAGE)
    x = Holder(shared)(inputs)
    model = keras.Model(inputs, [x, BN(name="norm")(shared(inputs))])
    reason = "the layer before, Conv2D 'conv', is called 2 times"
    assert site_of(model).reason == reason


def test_convolution_that_is_called_in_another_graph_absorbs_nothing():
    shared, inputs = conv(padding="same"), keras.Input(IMAGE)
    inner = keras.Sequential([keras.Input(IMAGE), shared])
    model = keras.Model(inputs, [inner(inputs), BN(name="norm")(shared(inputs))])
    reason = "the layer before, Conv2D 'conv', is called 2 times"
    assert site_of(model).reason == reason


@pytest.mark.parametrize("idle", [[], [layers.Dropout(0.1, name="drop")]], ids=["conv", "dropout"])
@pytest.mark.parametrize("read", ["by a layer", "as an output", "twice by one layer"])
def test_output_that_is_read_elsewhere_stays_as_it_is(read, idle):
    inputs = keras.Input(IMAGE)
    x = conv()(inputs)
    for layer in idle:
        x = layer(x)
    y = BN(name="norm")(x)
    others = {
        "by a layer": lambda: [layers.ReLU()(x)],
        "as an output": lambda: [x],
        "twice by one layer": lambda: [layers.Add()([x, x])],
    }
    model = keras.Model(inputs, [y, *others[read]()])
    name = "Dropout 'drop'" if idle else "Conv2D 'conv'"
    assert site_of(model).reason == f"the output of the layer before, {name}, is used elsewhere too"


def test_dropout_that_is_called_in_training_is_idle_as_under_predict():
    inputs = keras.Input(IMAGE)
    x = layers.Dropout(0.5, name="drop")(conv()(inputs), training=True)
    model = keras.Model(inputs, BN(name="norm")(x))
    assert site_of(model).producer is model.get_layer("conv")


class AlwaysOn(layers.Dropout):
    def call(self, inputs, training=None):
        return super().call(inputs, training=True)


def test_subclass_with_a_call_of_its_own_is_not_idle():
    model = stacked(conv(), AlwaysOn(0.5, name="drop"), BN(name="norm"))
    assert site_of(model).reason.startswith(
        "the layer before, AlwaysOn 'drop', is not a convolution"
    )


def test_chain_reaches_the_convolution_through_an_absorbed_layer():
    model = stacked(conv(), BN(name="first"), layers.Dropout(0.5), BIN(name="norm"))
    assert site_of(model, "first").producer is model.get_layer("conv")
    assert not site_of(model, "first").is_output
    assert site_of(model).producer is model.get_layer("conv")


def test_chain_ends_at_a_layer_with_statistics_of_its_own():
    model = stacked(conv(), BIN(name="first"), BN(name="norm"))
    assert site_of(model, affine=["norm"]).reason.startswith(
        "the layer before, BatchInstanceNormalization 'first', is not a convolution"
    )


def test_chain_ends_at_an_affine_map_that_stays():
    model = stacked(BN(name="first"), BN(name="norm"))
    assert site_of(model).reason.startswith(
        "the layer before, BatchNormalization 'first', is not a convolution"
    )


def test_absorbed_layer_that_is_an_output_hides_the_convolution_from_the_next():
    inputs = keras.Input(IMAGE)
    first = BN(name="first")(conv()(inputs))
    model = keras.Model(inputs, [first, BN(name="norm")(first)])
    assert site_of(model, "first").producer is model.get_layer("conv")
    assert site_of(model, "first").is_output
    assert site_of(model).reason == (
        "the output of the layer before, BatchNormalization 'first', is used elsewhere too"
    )


def test_layers_of_a_nested_model_are_placed_in_it():
    inner = keras.Sequential([keras.Input(IMAGE), conv(), BN(name="norm"), layers.ReLU()])
    site = site_of(stacked(layers.Identity(), inner))
    assert site.producer is inner.get_layer("conv")
    assert not site.is_output


def test_nested_model_that_is_called_twice_is_searched_once():
    inner = keras.Sequential([keras.Input(IMAGE), conv(padding="same"), BN(name="norm")])
    inputs = keras.Input(IMAGE)
    model = keras.Model(inputs, [inner(inputs), inner(inner(inputs))])
    assert site_of(model).producer is inner.get_layer("conv")
    assert [graph.name for graph in graphs_of(model)] == [model.name, inner.name]


def test_calls_are_listed_from_input_to_output_without_inputs():
    model = stacked(conv(), BN(name="norm"), layers.ReLU(name="relu"))
    assert [node.operation.name for node in calls_in_order(model)] == ["conv", "norm", "relu"]
