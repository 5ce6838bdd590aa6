"""Which models have a known graph, and the plain model over it."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_bin.networks.graph import as_functional, check_model, is_graph
from testing.weights import randomize
from tests.export.custom_layers import DoubledBIN
from tests.export.kinds import BIN, IMAGE, KINDS
from tests.export.values import arrays, predict


@pytest.mark.parametrize("kind", KINDS)
def test_plain_model_computes_the_same_with_the_same_layers(kind):
    model = randomize(KINDS[kind]())
    plain = as_functional(model)
    assert is_graph(model)
    assert not plain.compiled
    assert plain.name == model.name
    assert {id(weight) for weight in plain.weights} == {id(weight) for weight in model.weights}
    inputs = arrays(model, 3 if model.inputs[0].shape[0] is None else model.inputs[0].shape[0])
    for got, expected in zip(predict(plain, inputs), predict(model, inputs), strict=True):
        np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize(
    "make",
    [DoubledBIN, BIN, lambda: keras.Sequential([BIN()]), lambda: keras.Model()],
    ids=["own call", "layer", "unbuilt", "subclassed"],
)
def test_others_are_no_graph(make):
    assert not is_graph(make())


def test_dict_inputs_keep_their_keys():
    inputs = {name: keras.Input(IMAGE, name=name) for name in ("left", "right")}
    model = keras.Model(inputs, {"sum": layers.Add()(list(inputs.values()))})
    assert as_functional(model).input.keys() == {"left", "right"}
    assert as_functional(model).output.keys() == {"sum"}


class Affine(keras.Model):
    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return self.dense(inputs) + 1


class TwoInputs(Affine):
    def call(self, inputs, other):
        return super().call(inputs) * other


def test_model_with_a_call_of_its_own_is_the_only_layer_of_a_plain_one():
    model = Affine()
    x = np.random.default_rng(0).normal(size=(3, *IMAGE)).astype("float32")
    expected = np.asarray(model(x))
    plain = as_functional(model)
    assert is_graph(plain)
    assert plain.layers[-1] is model
    assert plain.name == model.name
    assert plain.inputs[0].shape[1:] == IMAGE
    np.testing.assert_array_equal(plain(x), expected)


def test_own_call_on_several_arguments_is_refused_by_name():
    model = TwoInputs()
    model(np.zeros((1, 3), "float32"), np.zeros((1, 2), "float32"))
    match = r"(?s)built by calling it.*keras\.Model\(inputs.*'two_inputs' of type TwoInputs"
    with pytest.raises(ValueError, match=match):
        as_functional(model)


class Structured(keras.Model):
    """Takes a dict or a list of tensors."""

    def __init__(self):
        super().__init__()
        self.dense = layers.Dense(2)

    def call(self, inputs):
        return self.dense(inputs["a"] if isinstance(inputs, dict) else inputs[0]) + 1


@pytest.mark.parametrize("kind", ["dict", "list"])
def test_own_call_on_a_structure_takes_the_structure(kind):
    values = [np.ones((1, 3), "float32"), np.ones((1, 2), "float32")]
    inputs = dict(zip("ab", values, strict=True)) if kind == "dict" else values
    model = Structured()
    expected = np.asarray(model(inputs))
    plain = as_functional(model)
    assert [tensor.shape for tensor in plain.inputs] == [(None, 3), (None, 2)]
    np.testing.assert_array_equal(plain(inputs), expected)


def test_own_call_on_integers_is_refused_by_name():
    class Embedded(keras.Model):
        def __init__(self):
            super().__init__()
            self.table = layers.Embedding(3, 2)

        def call(self, inputs):
            if keras.backend.standardize_dtype(inputs.dtype) != "int32":
                raise TypeError("whole numbers only")
            return self.table(inputs)

    model = Embedded()
    model(np.zeros((1, 3), "int32"))
    match = r"(?s)built by calling it.*keras\.Model\(inputs.*'embedded' of type Embedded"
    with pytest.raises(ValueError, match=match):
        as_functional(model)


def test_batch_size_that_a_model_was_called_on_is_free():
    model = Affine()
    model(np.zeros((2, 3), "float32"))
    assert as_functional(model).input_shape == (None, 3)


def test_own_call_over_a_graph_takes_the_inputs_of_the_graph():
    model = DoubledBIN()
    plain = as_functional(model)
    x = np.random.default_rng(0).normal(size=(3, *IMAGE)).astype("float32")
    assert plain.layers[-1] is model
    assert [tensor.name for tensor in plain.inputs] == [tensor.name for tensor in model.inputs]
    np.testing.assert_array_equal(plain(x), model(x))


def test_own_call_over_a_graph_of_dicts_takes_dicts():
    class Sum(keras.Model):
        def call(self, inputs):
            return inputs["a"] + inputs["b"]

    inputs = {name: keras.Input((2,), name=name, dtype="int32") for name in "ba"}
    plain = as_functional(Sum(inputs, inputs["a"]))
    assert {name: tensor.dtype for name, tensor in plain.input.items()} == dict.fromkeys(
        "ab", "int32"
    )


def test_built_models_of_any_kind_are_taken():
    model = Affine()
    model(np.zeros((1, 3), "float32"))
    check_model(model)
    check_model(DoubledBIN())


@pytest.mark.parametrize("thing", [None, "model.keras", BIN()], ids=["None", "path", "layer"])
def test_what_is_no_model_is_refused(thing):
    with pytest.raises(TypeError, match=r"must be a keras\.Model") as caught:
        check_model(thing)
    assert repr(thing) in str(caught.value)


def test_unbuilt_model_is_refused():
    with pytest.raises(ValueError, match=r"must be built.*unbuilt model 'affine'"):
        check_model(Affine())


@pytest.mark.filterwarnings("ignore::keras_bin.UnscaledRhoWarning")
@pytest.mark.parametrize("kind", ["functional", "sequential", "binmodel"])
def test_compiled_and_fitted_models_are_graphs(kind):
    model = KINDS[kind]()
    model.compile("sgd", keras.losses.MeanSquaredError(), metrics=["mae"])
    (x,) = arrays(model, 2)
    model.fit(x, model(x), verbose=0)
    assert is_graph(model)
