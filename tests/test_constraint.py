"""UnitInterval: clips to [0, 1], keeps shape and dtype, survives serialization."""

import keras
import numpy as np
import pytest

import keras_bin


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (-np.inf, 0.0),
        (-0.5, 0.0),
        (0.0, 0.0),
        (1e-7, 1e-7),
        (0.25, 0.25),
        (1.0, 1.0),
        (1.0000001, 1.0),
        (np.inf, 1.0),
        (np.nan, np.nan),
    ],
)
def test_value_is_clipped(value, expected):
    clipped = keras_bin.UnitInterval()(keras.ops.convert_to_tensor([value], "float32"))
    np.testing.assert_array_equal(clipped, np.array([expected], "float32"))


@pytest.mark.usefixtures("x64")
@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_shape_and_dtype_are_kept(dtype, shape):
    clipped = keras_bin.UnitInterval()(keras.ops.full(shape, 2, dtype))
    assert tuple(clipped.shape) == shape
    assert keras.backend.standardize_dtype(clipped.dtype) == dtype
    np.testing.assert_array_equal(keras.ops.cast(clipped, "float32"), np.ones(shape))


def test_variable_of_any_layer_is_kept_inside():
    dense = keras.layers.Dense(3, kernel_constraint=keras_bin.UnitInterval())
    model = keras.Sequential([keras.Input((2,)), dense])
    dense.set_weights([np.array([[-1, 0.5, 2], [0, 1, 3]]), np.zeros(3)])
    model.compile(keras.optimizers.SGD(0.0), "mse")
    model.fit(np.ones((2, 2)), np.ones((2, 3)), verbose=0)
    np.testing.assert_array_equal(dense.kernel, [[0, 0.5, 1], [0, 1, 1]])


def test_serialization_round_trips_without_custom_objects():
    config = keras.constraints.serialize(keras_bin.UnitInterval())
    assert config["registered_name"] == "keras_bin>UnitInterval"
    assert type(keras.constraints.deserialize(config)) is keras_bin.UnitInterval
    assert type(keras.constraints.get(config)) is keras_bin.UnitInterval


@pytest.mark.parametrize("name", ["unit_interval", "UnitInterval", "keras_bin>UnitInterval"])
def test_keras_finds_it_by_its_names(name):
    constraint = keras.constraints.get(name)
    assert type(constraint) is keras_bin.UnitInterval
    layer = keras_bin.BatchInstanceNormalization(rho_constraint=name)
    assert type(layer.rho_constraint) is keras_bin.UnitInterval
    same = keras_bin.BatchInstanceNormalization(rho_constraint=constraint)
    assert same.rho_constraint is constraint
    assert type(keras.layers.Dense(3, kernel_constraint=name).kernel_constraint) is type(constraint)


@pytest.mark.parametrize("value", [0, 0.25, 1])
def test_settled_rho_sets_every_weight(value):
    variable = keras.Variable([-1.0, 0.5, 2.0])
    settled = keras_bin.SettledRho(value)(variable)
    np.testing.assert_array_equal(settled, np.full(3, value, "float32"))
    assert keras.backend.standardize_dtype(settled.dtype) == "float32"


@pytest.mark.parametrize("value", [-0.1, 1.1, np.nan, "half", None], ids=repr)
def test_settled_rho_is_in_the_unit_interval(value):
    with pytest.raises(ValueError, match=r"`value` must be in \[0, 1\].*Received: value="):
        keras_bin.SettledRho(value)
