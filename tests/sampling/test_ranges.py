"""Ranges of integers: as wide as the model runs on, all rows of a table included."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin.networks.signature import model_signature
from keras_bin.sampling.batches import sample_batches


def ids(name="ids", shape=(5,), dtype="int32"):
    return keras.Input(shape, dtype=dtype, name=name)


def ranges_of(model):
    """The smallest and the largest integer of each input, over all batches."""
    batches = sample_batches(model_signature(model), None, model)
    return {
        name: (min(batch[name].min() for batch in batches), max(b[name].max() for b in batches))
        for name in batches[0]
    }


def table(rows):
    return layers.Embedding(rows, 3)


def range_for(function, **arguments):
    inputs = ids(**arguments)
    return ranges_of(keras.Model(inputs, function(inputs)))["ids"]


@pytest.mark.parametrize("shape", [(1,), (5,), (2, 3), ()], ids=str)
@pytest.mark.parametrize(
    "function",
    [
        lambda x: x // 2,
        lambda x: x % 3,
        pytest.param(
            lambda x: ops.one_hot(x, 4),
            marks=pytest.mark.lacking("torch", reason="PyTorch refuses what is out of range"),
        ),
    ],
    ids=["floor", "remainder", "one hot"],
)
def test_integers_have_either_sign_and_reach_far(function, shape):
    assert range_for(function, shape=shape) == (-1000, 1000)


def test_small_negative_numbers_are_among_them():
    inputs = ids(shape=(1,))
    model = keras.Model(inputs, inputs // 2)
    values = np.concatenate([b["ids"] for b in sample_batches(model_signature(model), None, model)])
    assert ((values < 0) & (values > -20)).any()
    assert ((values > 0) & (values < 20)).any()


@pytest.mark.parametrize(
    ("dtype", "expected"),
    [
        ("int8", (-128, 127)),
        ("uint8", (0, 255)),
        ("int16", (-1000, 1000)),
        ("uint32", (0, 1000)),
        ("int64", (-1000, 1000)),
    ],
)
def test_integers_are_within_their_dtype(dtype, expected):
    assert range_for(lambda x: ops.cast(x, "float32") * 2, dtype=dtype) == expected


@pytest.mark.parametrize("rows", [1, 2, 50, 3000])
@pytest.mark.parametrize(
    "read",
    [lambda x: x, lambda x: x[:, 1:4], lambda x: ops.reshape(x, (-1, 1))],
    ids=["whole", "part", "reshaped"],
)
def test_table_gets_all_of_its_rows(rows, read):
    assert range_for(lambda x: table(rows)(read(x))) == (0, rows - 1)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda x: table(9)(x % 9), (-1000, 1000)),
        (lambda x: table(9)(x + 2), (0, 3)),
        (lambda x: ops.take(ops.arange(1200.0), x), (-1000, 1000)),
        (lambda x: ops.take(ops.arange(100.0), x), (-20, 20)),
        (lambda x: ops.take(ops.arange(12.0), x), (0, 7)),
        (lambda x: ops.sqrt(ops.cast(x, "float32")), (0, 1000)),
        (lambda x: ops.exp(ops.cast(x, "float32")), (-20, 20)),
        (lambda x: 12 // x, (1, 1)),
    ],
    ids=["remainder", "sum", "large", "medium", "small", "root", "exponential", "divisor"],
)
def test_other_integers_reach_as_far_as_the_model_runs(function, expected):
    assert range_for(function) == expected


def test_each_input_has_a_range_of_its_own():
    first, second, third = ids("first"), ids("second"), ids("third")
    outputs = [table(9)(first), table(40)(second), third // 2, table(20)(second)]
    found = ranges_of(keras.Model([first, second, third], outputs))
    assert found == {"first": (0, 8), "second": (0, 19), "third": (-1000, 1000)}


@pytest.mark.parametrize("rows", [2, 50])
def test_row_of_a_padded_table_is_never_all_padding(rows):
    inputs = ids(shape=(4,))
    masked = layers.Embedding(rows, 3, mask_zero=True)(inputs)
    model = keras.Model(inputs, layers.GlobalAveragePooling1D()(masked))
    for batch in sample_batches(model_signature(model), None, model):
        assert batch["ids"].any(axis=1).all()
    assert ranges_of(model) == {"ids": (0, rows - 1)}


def test_booleans_have_both_values():
    assert range_for(lambda x: ops.logical_not(x), dtype="bool") == (False, True)


def test_model_that_runs_on_no_integers_gets_small_ones():
    assert range_for(lambda x: ops.reshape(x, (-1, 7))) == (0, 1)
