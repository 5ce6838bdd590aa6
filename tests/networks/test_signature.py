"""Names, shapes and dtypes of a model's inputs and outputs."""

import keras
import pytest
from keras import layers

from keras_bin.networks.signature import TensorInfo, model_signature
from tests.export.kinds import IMAGE, KINDS


def names(model):
    inputs, outputs = model_signature(model)
    return [info.name for info in inputs], [info.name for info in outputs]


def test_names_shapes_and_dtypes_are_those_of_the_graph():
    first = keras.Input((None, 4), name="tokens", dtype="int32")
    second = keras.Input((3,), name="extra")
    x = layers.Dense(2, name="head")(second)
    model = keras.Model([first, second], [x, keras.ops.cast(x, "int32")])
    inputs, outputs = model_signature(model)
    assert inputs == (
        TensorInfo("tokens", (None, None, 4), "int32"),
        TensorInfo("extra", (None, 3), "float32"),
    )
    assert outputs[0] == TensorInfo("head", (None, 2), "float32")
    assert outputs[1][1:] == ((None, 2), "int32")


def test_dicts_are_named_by_their_keys():
    assert names(KINDS["dicts"]()) == (["left", "right"], ["image", "mask"])


def test_lists_are_named_by_their_layers_and_numbered():
    assert names(KINDS["lists"]()) == (["right", "left"], ["z", "a", "z_1"])


def test_nested_dicts_are_named_by_text():
    inputs = keras.Input(IMAGE)
    x = layers.ReLU(name="relu")(inputs)
    model = keras.Model(inputs, {"a": [x, x], "b": {"c": x}})
    _, outputs = names(model)
    assert all(isinstance(name, str) for name in outputs)
    assert len(set(outputs)) == 3


def test_number_does_not_collide_with_another_layer():
    first, second = keras.Input((2,)), keras.Input((2,))
    head, other = layers.Dense(2, name="dense"), layers.Dense(2, name="dense_1")
    _, outputs = names(keras.Model([first, second], [head(first), head(second), other(first)]))
    assert len(set(outputs)) == 3
    assert outputs[0] == "dense"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("my-image", "my_image"),
        ("a b", "a_b"),
        ("größe", "gr__e"),
        ("_x", "input__x"),
        ("é", "input__"),
        ("1", "input_1"),
        ("class", "input_class"),
        ("None", "input_None"),
        ("self", "input_self"),
    ],
)
def test_input_gets_a_name_that_an_argument_can_have(name, expected):
    inputs = {name: keras.Input(IMAGE, name=name)}
    (info,), _ = model_signature(keras.Model(inputs, layers.ReLU()(inputs[name])))
    assert info.name == expected


def test_names_that_become_the_same_are_numbered():
    inputs = [keras.Input(IMAGE, name=name) for name in ("a-b", "a b", "a_b")]
    infos, _ = model_signature(keras.Model(inputs, layers.Add()(inputs)))
    assert sorted(info.name for info in infos) == ["a_b", "a_b_1", "a_b_2"]


def test_batch_axis_is_free_and_half_precision_is_float32():
    inputs = keras.Input(batch_shape=(4, 2), dtype="float16", name="x")
    signature = model_signature(
        keras.Model(inputs, layers.ReLU(dtype="bfloat16", name="y")(inputs))
    )
    assert [(info.shape, info.dtype) for side in signature for info in side] == [
        ((None, 2), "float32")
    ] * 2


def test_output_without_a_name_is_refused():
    inputs = keras.Input(IMAGE)
    with pytest.raises(ValueError, match=r"must not be empty.*\[''\]"):
        model_signature(keras.Model(inputs, {"": layers.ReLU()(inputs)}))


@pytest.mark.parametrize("kind", ["model", "dict"])
def test_input_and_output_of_one_name_are_refused(kind):
    inputs = keras.Input(IMAGE, name="image")
    outputs = inputs if kind == "model" else {"image": layers.ReLU()(inputs)}
    with pytest.raises(ValueError, match=r"different names.*\['image'\]"):
        model_signature(keras.Model(inputs, [outputs] if kind == "model" else outputs))


@pytest.mark.parametrize("old", ["my-image", "my_image"], ids=["of_the_model", "of_an_export"])
def test_input_is_renamed_by_either_of_its_names(old):
    inputs = keras.Input(IMAGE, name="my-image")
    model = keras.Model(inputs, layers.ReLU(name="y")(inputs))
    (info,), _ = model_signature(model, input_names={old: "picture"})
    assert info.name == "picture"
