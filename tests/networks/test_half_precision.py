"""Half precision is found wherever it is, and turned into float32."""

import keras
import pytest
from keras import layers, ops

from keras_bin.networks.half_precision import (
    global_policy,
    in_single_precision,
    is_half_precision,
)
from tests.export.kinds import BIN, IMAGE

MIXED_MAP = {"config": {"default_policy": "mixed_bfloat16", "policy_map": {"dense": "float16"}}}


def with_layer(**arguments):
    inputs = keras.Input(IMAGE)
    return keras.Model(inputs, BIN()(layers.Conv2D(2, 1, **arguments)(inputs)))


def with_input(dtype):
    inputs = keras.Input(IMAGE, dtype=dtype)
    return keras.Model(inputs, BIN()(inputs))


def with_cast(dtype):
    inputs = keras.Input(IMAGE)
    return keras.Model(inputs, ops.cast(BIN()(inputs), dtype))


@pytest.mark.parametrize(
    "make",
    [
        lambda: with_layer(dtype="mixed_float16"),
        lambda: with_layer(dtype="bfloat16"),
        lambda: with_layer(dtype=keras.dtype_policies.DTypePolicyMap("mixed_float16")),
        lambda: with_input("float16"),
        lambda: with_cast("bfloat16"),
    ],
    ids=["mixed layer", "bfloat16 layer", "policy map", "input", "output"],
)
def test_half_precision_is_found(make):
    assert is_half_precision(make())


@pytest.mark.parametrize(
    "make",
    [with_layer, lambda: with_layer(dtype="float64"), lambda: with_input("int32")],
    ids=["float32", "float64", "integers"],
)
def test_full_precision_is_not_taken_for_half(make):
    assert not is_half_precision(make())


@pytest.mark.parametrize("policy", ["float16", "bfloat16", "mixed_float16", "mixed_bfloat16"])
def test_config_names_float32_in_place_of(policy):
    config = {"dtype": {"config": {"name": policy}}, "units": 3, "list": [policy, 1]}
    assert in_single_precision(config) == {
        "dtype": {"config": {"name": "float32"}},
        "units": 3,
        "list": ["float32", 1],
    }


def test_policy_map_is_converted_inside():
    expected = {"config": {"default_policy": "float32", "policy_map": {"dense": "float32"}}}
    assert in_single_precision(MIXED_MAP) == expected


@pytest.mark.parametrize("name", ["float32", "float64", "uint8", "half", 16, None])
def test_other_values_stay(name):
    assert in_single_precision({"dtype": name}) == {"dtype": name}


def test_default_policy_comes_back_after_an_error():
    keras.config.set_dtype_policy("mixed_float16")
    seen = []

    @global_policy("float32")
    def fail():
        seen.append(keras.config.dtype_policy().name)
        raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert seen == ["float32"]
    assert keras.config.dtype_policy().name == "mixed_float16"
