"""What is prepared once for all formats, and what changing gates costs."""

import warnings

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from keras_bin.export import export_onnx, export_saved_model
from keras_bin.export.onnx_files.lowering import LOWERINGS
from keras_bin.export.onnx_files.writer import write_onnx
from keras_bin.export.preparation import Preparation
from keras_bin.export.saved_models.writer import write_saved_model
from testing import reference
from testing.weights import randomize
from tests.export.custom_layers import Counting
from tests.export.kinds import BIN, HALF_KINDS, IMAGE, bin_model
from tests.export.values import arrays


def with_gates(*rho):
    """A model with these gates, and a batch of its inputs."""
    model = bin_model()
    model.get_layer("bin").rho.assign(rho)
    return model, [{"image": arrays(model, 5)[0]}]


def snapping_difference(model, batches, rho_tolerance=0.125):
    prepared = Preparation(model, rho_tolerance)
    prepared.expected.batches = batches
    return prepared.snapping_difference


@pytest.mark.parametrize(
    ("rho", "moved"),
    [([0.0, 0.1, 0.05], [0, 0, 0]), ([1.17, -0.5, 0.5], [1, 0, 0.5]), ([1.5, 0.9, 2], [1, 1, 1])],
    ids=["moved", "clipped", "both"],
)
def test_difference_is_that_of_the_formula_with_other_gates(rho, moved):
    model, batches = with_gates(*rho)
    weights = reference.Weights(*(np.float64(w) for w in model.get_layer("bin").weights))
    own, other = (
        reference.forward(batches[0]["image"], each, training=False)
        for each in (weights, weights._replace(rho=np.float64(moved)))
    )
    # The difference of two float32 values up to 10.
    found = snapping_difference(model, batches)
    np.testing.assert_allclose(found, np.abs(own - other).max(), rtol=0, atol=1e-5)
    assert found > 0.01
    np.testing.assert_array_equal(model.get_layer("bin").rho, np.float32(rho))


@pytest.mark.parametrize("tolerance", [0.0, 0.04], ids=["default", "too small"])
def test_gates_that_stay_cost_nothing(tolerance):
    model, batches = with_gates(0.0, 0.1, 0.05)
    assert snapping_difference(model, batches, tolerance) is None


def test_largest_difference_of_all_outputs_counts_whatever_their_dtype():
    inputs = keras.Input(IMAGE, name="image")
    y = BIN(name="bin")(inputs)
    outputs = {"above": y > 1.0, "level": keras.ops.cast(keras.ops.abs(y), "uint8"), "y": 0.0 * y}
    model = randomize(keras.Model(inputs, outputs), rho=0.1)
    steps = snapping_difference(model, [{"image": arrays(model, 5)[0]}])
    assert steps == int(steps)
    assert 1 <= steps < 20  # as uint8, one step down would be 255


class Drawing(layers.Layer):
    """Adds the number of its calls, and random numbers."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.counting, self.seeds = Counting(), keras.random.SeedGenerator(3)

    def build(self, input_shape):
        self.counting.build(input_shape)

    def call(self, inputs):
        return self.counting(inputs) + keras.random.normal(ops.shape(inputs), seed=self.seeds)


def test_counts_and_random_numbers_are_no_difference():
    inputs = keras.Input(IMAGE, name="image")
    model = randomize(keras.Model(inputs, Drawing()(0 * BIN()(inputs) + inputs)), rho=0.1)
    before = [np.array(variable) for variable in model.variables]
    batches = [{"image": arrays(model, rows)[0]} for rows in (1, 3)]
    assert snapping_difference(model, batches) == 0
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value, err_msg=variable.path)


def _as_text(x):
    import tensorflow as tf

    return tf.as_string(x)


def test_text_has_no_difference():
    inputs = keras.Input(IMAGE, name="image")
    y = BIN()(inputs)
    text = layers.Lambda(_as_text, output_shape=IMAGE)(y)
    model = randomize(keras.Model(inputs, {"text": text, "y": y * 0.0}), rho=0.1)
    assert snapping_difference(model, [{"image": arrays(model, 2)[0]}]) == 0


def test_gates_are_summed_up_as_they_are_exported():
    model, _ = with_gates(0.0, 0.1, 1.5)
    (summary,) = Preparation(model, rho_tolerance=0.125).rho
    assert (summary.layer, summary.at_zero, summary.at_one) == ("bin", 2, 1)


def test_half_precision_is_announced():
    model = HALF_KINDS["mixed_float16"]()
    with pytest.warns(UserWarning, match=f"'{model.name}' computes in half precision"):
        Preparation(model)


CALLS = []


class Noting(layers.Layer):
    """Notes in `CALLS` how it is called: eagerly, or in a trace."""

    def call(self, inputs):
        import tensorflow as tf

        CALLS.append("eager" if tf.executing_eagerly() else "traced")
        return inputs


@pytest.mark.parametrize("tolerance", [0.0, 0.125], ids=["as they are", "moved gates"])
def test_second_format_neither_runs_nor_traces_the_model(tolerance, tmp_path):
    inputs = keras.Input(IMAGE, name="image")
    model = randomize(keras.Model(inputs, Noting()(BIN()(inputs))), rho=0.1)
    samples = {"image": arrays(model, 5)[0]}
    prepared = Preparation(model, tolerance, samples)
    CALLS.clear()
    write_onnx(prepared, tmp_path / "model.onnx", 17, LOWERINGS[0], False, None, None)
    assert CALLS.count("traced") == 1
    # Each of three batches once, and once more with gates as they are in the model.
    assert CALLS.count("eager") == (6 if tolerance else 3)
    CALLS.clear()
    write_saved_model(prepared, tmp_path / "model", None, False, None, None, None)
    assert CALLS == []


def unnamed():
    inputs = keras.Input(IMAGE)
    return keras.Model(inputs, layers.Dense(2)(inputs))


def said_of_names(model, **arguments):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        Preparation(model, **arguments)
    return [str(each.message) for each in caught if "without a name" in str(each.message)]


def test_names_that_keras_makes_up_are_said_once():
    unnamed()
    (message,) = said_of_names(unnamed())
    assert message.startswith("Inputs and outputs without a name get one from Keras that depends")
    assert message.endswith("'functional_1' with inputs ['keras_tensor_2'] and outputs ['dense_1']")
    assert "keras.Input and the last layer, or pass `input_names` and `output_names`" in message


@pytest.mark.parametrize(
    ("names", "end"),
    [
        ({"input_names": ["image"]}, "with outputs ['dense']"),
        ({"output_names": {"dense": "dense"}}, "with inputs ['keras_tensor']"),
    ],
    ids=["list", "dict"],
)
def test_side_with_given_names_is_left_out(names, end):
    (message,) = said_of_names(unnamed(), **names)
    assert message.endswith(end)


def test_nothing_is_said_of_given_names():
    assert said_of_names(bin_model()) == []
    assert said_of_names(unnamed(), input_names=["image"], output_names=["dense"]) == []


@pytest.mark.parametrize("export", [export_saved_model, export_onnx])
def test_warning_points_at_the_users_own_line(export, tmp_path):
    with pytest.warns(UserWarning, match="without a name") as caught:
        export(unnamed(), tmp_path / "model", verbose=False)
    assert [each.filename for each in caught if "without a name" in str(each.message)] == [__file__]


@pytest.mark.parametrize(
    ("model_name", "layer_name", "wrong"),
    [
        ("my net", "bin", "my net"),
        ("_net", "bin", "_net"),
        ("-net", "bin", "-net"),
        ("net", "my bin", "my bin"),
        ("net", "größe", "größe"),
        ("net", "a\\b", "a\\b"),
    ],
)
def test_name_that_tensorflow_does_not_take_is_refused(model_name, layer_name, wrong):
    inputs = keras.Input(IMAGE, name="image")
    model = keras.Model(inputs, layers.Dense(2, name=layer_name)(inputs), name=model_name)
    with pytest.raises(ValueError, match=r"also in `predict`; .* Received: ") as caught:
        Preparation(model)
    assert str(caught.value).endswith(f"Received: {[wrong]}")
    with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match=r"scope name|Node name"):
        model.predict(np.ones((1, *IMAGE)), verbose=0)


@pytest.mark.parametrize(
    ("model_name", "layer_name"), [(".net", "_bin"), ("a>b", "-bin"), ("2", ">2")]
)
def test_odd_name_that_tensorflow_takes_is_not_refused(model_name, layer_name):
    inputs = keras.Input(IMAGE, name="größe 2")
    model = keras.Model(inputs, layers.Dense(2, name=layer_name)(inputs), name=model_name)
    model.predict(np.ones((1, *IMAGE)), verbose=0)
    Preparation(model)
