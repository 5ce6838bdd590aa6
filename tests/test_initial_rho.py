"""What rho starts at: numbers, arrays, and the warning of values outside [0, 1]."""

import json
import warnings

import keras
import numpy as np
import pytest

import keras_bin

BIN = keras_bin.BatchInstanceNormalization
CHANNELS = 3
INITIALIZERS = keras.initializers


def built(**kwargs):
    layer = BIN(**kwargs)
    layer.build((None, 4, 4, CHANNELS))
    return layer


ALIKE = {
    "float": 0.5,
    "integer": 1,
    "NumPy scalar": np.float32(0.1),
    "NumPy array without axes": np.array(0.3),
    "tensor": keras.ops.convert_to_tensor(0.25),
}
EACH = {
    "list": [0, 0.1, 1],
    "tuple": (0.3, 0.2, 0.1),
    "array": np.linspace(0, 1, 3),
    "integers": np.array([1, 0, 1]),
    "tensor of values": keras.ops.convert_to_tensor([0.1, 0.2, 0.3]),
}


@pytest.mark.parametrize("given", [*ALIKE.values(), *EACH.values()], ids=[*ALIKE, *EACH])
def test_numbers_and_arrays_start_rho_in_copies_too(given, tmp_path):
    layer = built(rho_initializer=given)
    expected = np.broadcast_to(np.asarray(given, "float32"), CHANNELS)
    np.testing.assert_array_equal(layer.rho, expected)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(layer)))
    copies = [keras.saving.deserialize_keras_object(config), BIN.from_config(layer.get_config())]
    for copy in copies:
        if not copy.built:
            copy.build((None, 4, 4, CHANNELS))
        np.testing.assert_array_equal(copy.rho, expected)
        assert copy.get_config() == layer.get_config()


def test_array_is_kept_in_files_and_clones(tmp_path):
    model = keras.Sequential([keras.Input((4, 4, CHANNELS)), BIN(rho_initializer=[0.1, 0.5, 1.0])])
    model.save(tmp_path / "net.keras")
    for copy in (
        keras.saving.load_model(tmp_path / "net.keras"),
        keras.models.clone_model(model),
    ):
        np.testing.assert_array_equal(copy.layers[0].rho, model.layers[0].rho)


def test_array_given_is_not_the_one_that_is_kept():
    values = np.array([0.1, 0.5, 1.0])
    layer = BIN(rho_initializer=values)
    values[:] = 0
    layer.build((None, 4, 4, CHANNELS))
    np.testing.assert_array_equal(layer.rho, np.array([0.1, 0.5, 1.0], "float32"))


@pytest.mark.parametrize(
    "given",
    [1.5, -0.1, float("nan"), float("inf"), [0, 2, 1], [0, np.nan, 1], [], [[0.5] * 3], ["a"]],
    ids=str,
)
def test_values_outside_of_the_unit_interval_are_refused(given):
    with pytest.raises(
        ValueError, match=r"number in \[0, 1\].*one per channel.*Received: rho_init"
    ):
        BIN(rho_initializer=given)


def test_array_of_another_length_is_refused():
    with pytest.raises(ValueError, match=r"one number.*Received: 2 values.*shape \(3,\)"):
        built(rho_initializer=[0.5, 1.0])


@pytest.mark.parametrize(
    ("initializer", "shares"),
    [
        ("random_uniform", "50% of the gates therefore start at 0, and 0% at 1"),
        ("random_normal", "50% of the gates therefore start at 0, and 0% at 1"),
        ("truncated_normal", "50% of the gates therefore start at 0, and 0% at 1"),
        ("glorot_uniform", "50% of the gates therefore start at 0, and 0% at 1"),
        (INITIALIZERS.RandomUniform, "50% of the gates therefore start at 0, and 0% at 1"),
        (INITIALIZERS.RandomUniform(-1, 3), "25% of the gates therefore start at 0, and 50% at 1"),
        (INITIALIZERS.RandomNormal(0.5, 0.5), "16% of the gates therefore start at 0, and 16% at"),
        (INITIALIZERS.TruncatedNormal(0.5, 0.5), "14% of the gates therefore start at 0, and 14%"),
        (INITIALIZERS.Constant(1.5), "0% of the gates therefore start at 0, and 100% at 1"),
        (INITIALIZERS.Constant([-1, 0.5]), "50% of the gates therefore start at 0, and 0% at 1"),
    ],
)
def test_initializer_that_is_clipped_is_warned_of_where_it_is_chosen(initializer, shares):
    with pytest.warns(UserWarning, match=shares) as caught:
        layer = BIN(rho_initializer=initializer)
    assert "RandomUniform(0, 1)" in str(caught[0].message)
    assert caught[0].filename == __file__
    config = layer.get_config()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        BIN.from_config(config)  # was warned of


@pytest.mark.parametrize(
    "initializer",
    [
        "ones",
        INITIALIZERS.RandomUniform(0, 1),
        INITIALIZERS.RandomUniform(0.5, 0.5),
        INITIALIZERS.RandomNormal(0.5, 0.1),
        INITIALIZERS.RandomNormal(0.5, 0.0),
        INITIALIZERS.TruncatedNormal(0.5, 0.25),
        INITIALIZERS.Constant(1.0),
        lambda shape, dtype=None: keras.ops.ones(shape, dtype),
    ],
)
def test_initializer_within_the_unit_interval_is_not_warned_of(initializer):
    assert (np.asarray(built(rho_initializer=initializer).rho) >= 0).all()
