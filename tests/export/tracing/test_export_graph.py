"""What an artifact is made of: the model's own graph, its normalization layers as constants."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_bin.export.models.exported_model import ExportedModel
from keras_bin.export.results.layer_report import ABSORBED, AFFINE, INSTANCE, MIXED, UNFOLDED
from keras_bin.export.tracing.export_graph import ExportGraph
from keras_bin.export.tracing.traced_model import TracedModel
from keras_bin.export.verifying.reference import Reference
from keras_bin.keras_internals import all_layers
from testing.weights import randomize
from tests.export.custom_layers import Branch, HidesBIN, Rectified, around, sloped
from tests.export.kinds import BIN, HALF_KINDS, IMAGE, KINDS, bin_model, classifier
from tests.export.tracing.graphs import image, kinds, run
from tests.export.values import arrays, layers_of, predict

BN = layers.BatchNormalization


def exported(model, rho_tolerance=0.0):
    exported = ExportedModel(model, rho_tolerance)
    return ExportGraph(exported, TracedModel(exported), runtime="any")


def became(exported_graph):
    return [(fold.layer, fold.became, fold.into) for fold in exported_graph.layers]


class Holder(layers.Layer):
    """Calls one BIN layer under two names, one of them where Keras does not look."""

    def __init__(self, hold, **kwargs):
        super().__init__(**kwargs)
        self.bin = BIN()
        self.other = hold(self.bin)

    def build(self, input_shape):
        self.bin.build(input_shape)

    def call(self, inputs):
        return self.bin(inputs) + self.other()(2 * inputs)


HOLDERS = {
    "dict": lambda layer: _Calls({"n": layer}),
    "tuple": lambda layer: _Calls((layer,)),
    "function": lambda layer: lambda: layer,
}


class _Calls:
    """Holds something outside what Keras tracks."""

    def __init__(self, held):
        self._held = held

    def __call__(self):
        return self._held["n"] if isinstance(self._held, dict) else self._held[0]


class MadeInBuild(layers.Layer):
    """Fills a list of layers when it is built."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.parts = []

    def build(self, input_shape):
        self.parts += [layers.Conv2D(4, 3, padding="same"), BIN()]
        for part in self.parts:
            part.build(input_shape)
            input_shape = part.compute_output_shape(input_shape)

    def call(self, inputs):
        for part in self.parts:
            inputs = part(inputs)
        return inputs


class Trained(layers.Layer):
    """Calls layers inside it with training=True, whatever it is called with."""

    def __init__(self, inner, **kwargs):
        super().__init__(**kwargs)
        self.inner = inner

    def build(self, input_shape):
        self.inner.build(input_shape)

    def call(self, inputs):
        return self.inner(inputs, training=True)


MODELS = {
    **{name: KINDS[name] for name in ("functional", "nested_twice", "shared_layer", "masked")},
    **{name: HALF_KINDS[name] for name in ("mixed_float16", "pure_float16")},
    **{
        f"two names, {name}": lambda hold=hold: around(Holder(hold))
        for name, hold in HOLDERS.items()
    },
    "forgetful": sloped,
    "made in build": lambda: around(MadeInBuild()),
    "private": lambda: around(layers.Conv2D(3, 3), HidesBIN()),
    "own call": lambda: around(Rectified()),
    "branch": lambda: around(layers.Conv2D(3, 3), Branch()),
    "training": lambda: around(Trained(BIN())),
    "training BN": lambda: around(Trained(BN())),
    "grouped": lambda: around(layers.Conv2D(6, 3, groups=3), BIN()),
    "silu": lambda: around(layers.Conv2D(4, 3), BIN(), layers.Activation("silu")),
}


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_graph_computes_what_the_model_computes(build):
    model = randomize(build())
    reference = Reference(ExportedModel(model))
    graph = exported(model).graph
    values = [
        np.float32(v) if v.dtype.kind == "f" else v for v in arrays(reference.exported.model, 3)
    ]
    names = [info.name for info in reference.exported.signature.inputs]
    got = run(graph, *values)
    for name, expected in reference.outputs(dict(zip(names, values, strict=True))).items():
        # float32 rounding of values up to 20.
        np.testing.assert_allclose(got[name], expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
def test_tracing_leaves_the_model_as_it_is(build):
    model = randomize(build())
    calls = [layer.call for layer in all_layers(model)]
    before = [np.array(variable) for variable in model.variables]
    exported(model)
    for layer, call in zip(all_layers(model), calls, strict=True):
        assert layer.call == call
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_calls_come_back_after_an_error():
    model = around(layers.Conv2D(3, 3), BN(name="bn"), BIN(name="bin"))
    model.get_layer("bin").gamma.assign([np.nan, 1, 1])
    with pytest.raises(ValueError, match=r"Layer 'bin' cannot be folded.*`gamma` must be finite"):
        exported(model)
    assert "call" not in vars(model.get_layer("bn"))


def test_layers_are_reported_in_the_order_of_computation():
    model = classifier()
    model.get_layer("bin1").rho.assign([1, 1, 1, 1])
    model.get_layer("bin2").rho.assign([0, 0, 0, 0, 0])
    assert became(exported(model)) == [("bin1", ABSORBED, "conv1"), ("bin2", INSTANCE, None)]


def test_nothing_is_left_of_gates_of_one():
    x = inputs = keras.Input(IMAGE)
    for _ in range(2):
        x = layers.ReLU()(BIN()(layers.Conv2D(4, 3, use_bias=False)(x)))
    graph = exported(randomize(keras.Model(inputs, x), rho=1.0)).graph
    assert kinds(graph) == {"Conv2D": 2, "BiasAdd": 2, "Relu": 2}


@pytest.mark.parametrize("kind", ["mixed_float16", "pure_float16", "mixed_bfloat16"])
def test_half_precision_keeps_nothing_from_being_absorbed(kind):
    model = randomize(HALF_KINDS[kind](), rho=1.0)
    assert {fold.became for fold in exported(model).layers} == {ABSORBED}


def test_layer_inside_a_layer_is_absorbed_too():
    model = randomize(around(layers.Conv2D(3, 3, name="conv"), Branch(name="own")), rho=1.0)
    (layer,) = layers_of(model, BIN)
    assert became(exported(model)) == [(layer.path, ABSORBED, "conv")]


def test_layer_that_is_called_twice_names_all_that_absorb_it():
    first, second = (keras.Input(IMAGE) for _ in range(2))
    shared = BIN(name="shared")
    outputs = [
        shared(layers.Conv2D(4, 3, name=name)(x)) for name, x in (("a", first), ("b", second))
    ]
    model = randomize(keras.Model([first, second], outputs), rho=1.0)
    ((layer, kind, into),) = became(exported(model))
    assert (layer, kind, set(into.split(", "))) == ("shared", ABSORBED, {"a", "b"})


@pytest.mark.parametrize(
    ("build", "rho", "kind", "reason"),
    [
        (lambda: bin_model(), 1.0, AFFINE, "its input is an input of the model"),
        (lambda: around(layers.ReLU(), BIN()), 1.0, AFFINE, "comes from Relu"),
        (lambda: around(Trained(BIN())), 1.0, UNFOLDED, "training=True"),
        (lambda: around(layers.ReLU(), BIN()), 0.5, MIXED, ""),
    ],
    ids=["input", "relu", "training", "mixed"],
)
def test_layer_that_is_left_says_why(build, rho, kind, reason):
    (fold,) = exported(randomize(build(), rho=rho)).layers
    assert fold.became == kind
    assert reason in fold.reason
    assert bool(reason) == bool(fold.reason)


def test_clipped_and_moved_gates_are_counted():
    model = bin_model()
    model.get_layer("bin").rho.assign([1.5, 0.95, 0.5])
    (fold,) = exported(model, rho_tolerance=0.1).layers
    assert (fold.clipped, fold.snapped) == (1, 1)


@pytest.mark.parametrize("training", [True, False])
def test_training_in_the_graph_counts_for_nothing(training):
    """As in `predict`, which calls the model with training=False."""
    inputs = keras.Input(IMAGE, name="image")
    x = layers.Dropout(0.5)(inputs, training=training)
    x = BN()(layers.Conv2D(4, 3)(x), training=training)
    model = randomize(keras.Model(inputs, BIN(name="y")(x, training=training)))
    x = image(3, *IMAGE)
    (got,) = run(exported(model).graph, x).values()
    np.testing.assert_allclose(got, model.predict(x, verbose=0), rtol=1e-4, atol=2e-5)
    np.testing.assert_allclose(got, predict(model, [x])[0], rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("rho", [0.0, 0.5], ids=["zero", "half"])
@pytest.mark.parametrize("value", [0.0, 128.0, 255.0])
def test_constant_images_are_exact_after_a_convolution(value, rho):
    """The running mean after one step on raw pixels is far from what zeros give."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((64, 64, 3), name="image")
    y = BIN(rho_initializer=keras.initializers.Constant(rho), momentum=0.0, name="y")(
        layers.Conv2D(8, 3, use_bias=False)(inputs)
    )
    model = keras.Model(inputs, y)
    model(
        np.random.default_rng(0).integers(0, 256, (8, 64, 64, 3)).astype("float32"), training=True
    )
    x = np.full((2, 64, 64, 3), value, "float32")
    (got,) = run(exported(model).graph, x).values()
    # Only the batch branch rounds, values up to 4.
    np.testing.assert_allclose(got, predict(model, [x])[0], rtol=0, atol=1e-6 if rho == 0 else 4e-6)
