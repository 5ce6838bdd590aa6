"""What counts as equal: tolerances, what is not finite, and the figures that are reported."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin.export import DtypeError, ShapeError, ValuesError, fold
from keras_bin.export.models.exported_model import ExportedModel
from keras_bin.export.verifying.artifact import Artifact
from keras_bin.export.verifying.expected import Expected
from keras_bin.export.verifying.verify import compare
from keras_bin.networks.inference import run_model
from keras_bin.networks.signature import model_signature
from testing.weights import randomize
from tests.export.custom_layers import Counting
from tests.export.kinds import BIN
from tests.export.values import compared


def fixed(*values):
    """A model and an artifact of one output, of the given expected and actual values."""
    expected, got = (np.asarray(value, "float32") for value in values)
    inputs = keras.Input((1,), name="x")
    model = keras.Model(inputs, {"y": inputs * 0 + expected})
    artifact = Artifact(
        model_signature(model), lambda batch: {"y": np.stack([got] * len(batch["x"]))}
    )
    return artifact, model


def deep_net():
    """A net that makes float32 rounding 1,000 times larger."""
    x = inputs = keras.Input((4, 4, 3), name="image")
    for number in range(20):
        x = layers.Conv2D(8, 3, padding="same", use_bias=False)(x)
        x = layers.Activation("tanh")(BIN(name=f"bin{number}")(x) * 5.0)
    x = layers.GlobalAveragePooling2D()(x)
    return randomize(keras.Model(inputs, {"y": layers.Dense(5)(x)}))


def run_in_place_of_artifact(model, folded):
    """An artifact that runs the folded form of a model."""
    signature = model_signature(model)
    return Artifact(
        signature, lambda batch: {"y": np.array(run_model(folded, [batch["image"]])[0])}
    )


def test_deep_net_may_differ_by_its_rounding():
    model = deep_net()
    artifact = run_in_place_of_artifact(model, fold(model))
    found = compared(artifact, model)
    assert found.used_rounding
    assert found.max_abs > 1e-4 * (1 + 2.5)  # no output is as large as 2.5


@pytest.mark.parametrize(
    ("atol", "rtol", "rule"),
    [
        (None, None, r"atol=0\.0001, rtol=0\.0001.*as near to the exact result"),
        (0.25, None, r"atol=0\.25, rtol=0\.0001.*leave both out to allow"),
        (None, 0.25, r"atol=0\.0001, rtol=0\.25.*leave both out to allow"),
        (0.0, 0.0, r"atol=0, rtol=0 .*leave both out to allow"),
    ],
    ids=["neither", "atol", "rtol", "both"],
)
def test_rounding_is_allowed_only_where_no_tolerance_is_given(atol, rtol, rule):
    with pytest.raises(ValuesError, match=rule):
        compared(*fixed([1.0], [2.0]), atol, rtol)


@pytest.mark.parametrize(
    ("row", "passed"), [(0, True), (1, False)], ids=["moved by its input", "steady"]
)
def test_row_that_moves_with_its_input_may_differ_though_the_model_was_exact_by_chance(row, passed):
    """At 1 the slope is 2**17, so that 8 units in the last place, 2**-20, make 0.125."""
    inputs = keras.Input((1,), name="x")
    y = ops.where(ops.abs(inputs - 1.0) < 0.5, (inputs - 1.0) * 2.0**17, 1.0) + 1.0
    model = keras.Model(inputs, {"y": y})
    x = np.float32([[1], [2], [3], [4]])

    def off(batch):
        (expected,) = run_model(model, [batch["x"]])
        return {"y": np.array(expected) + np.float32(0.01) * (batch["x"] == x[row])}

    expected = Expected(ExportedModel(model))
    expected.batches = [{"x": x}]
    context = nullcontext() if passed else pytest.raises(ValuesError)
    with context:
        artifact = Artifact(model_signature(model), off)
        found = compare(artifact, expected, None, None)
        assert [check.unsteady for check in found.outputs] == [1]


@pytest.mark.parametrize("layer", ["bin1", "bin12"])
def test_one_weight_of_a_deep_net_that_is_off_by_one_percent_is_found(layer):
    model = deep_net()
    folded = fold(model)
    scale = folded.get_layer(layer).scale
    scale.assign(np.array(scale) * np.where(np.arange(8) == 2, 1.01, 1.0))
    with pytest.raises(ValuesError, match="as near to the exact result as the model's") as caught:
        compared(run_in_place_of_artifact(model, folded), model)
    assert not any(check.passed for check in caught.value.verification.outputs)


def _single(x):
    """Adds a constant outside TensorFlow, in float32 whatever the precision of its input."""
    import tensorflow as tf

    y = tf.numpy_function(lambda values: np.float32(np.add(values, (1, 2))), [x], tf.float32)
    return tf.ensure_shape(y, x.shape)


def test_model_that_has_no_float64_form_is_told_so():
    inputs = keras.Input((2,), name="x")
    model = keras.Model(inputs, {"y": layers.Lambda(_single)(inputs)})
    right = Artifact(model_signature(model), lambda batch: {"y": batch["x"] + np.float32([1, 2])})
    assert compared(right, model).passed
    wrong = right._replace(run=lambda batch: {"y": batch["x"]})
    with pytest.raises(ValuesError, match=r"not known, as the model does not run in float64: "):
        compared(wrong, model)


def test_rounding_of_a_model_that_counts_is_that_of_the_same_calls():
    inputs = keras.Input((2,), name="x")
    model = keras.Model(inputs, {"y": Counting()(inputs / 3)})
    wrong = Artifact(model_signature(model), lambda batch: {"y": batch["x"]})
    with pytest.raises(ValuesError) as caught:
        compared(wrong, model)
    roundings = [check.rounding for check in caught.value.verification.outputs]
    assert max(roundings) < 1e-6
    assert float(model.layers[-1].calls) == 0


def test_all_wrong_outputs_are_reported():
    inputs = keras.Input((2,), name="x")
    model = keras.Model(inputs, {"a": inputs * 2, "b": inputs * 3, "c": inputs * 4})

    def run(batch):
        return {"a": batch["x"], "b": batch["x"] * 3, "c": batch["x"]}

    with pytest.raises(ValuesError) as caught:
        compared(Artifact(model_signature(model), run), model, 1e-4, 1e-4)
    assert [line[:3] for line in caught.value.differences] == ["'a'", "'c'"] * 3
    checks = caught.value.verification.outputs
    assert [(check.name, check.batch, check.passed) for check in checks] == [
        (name, batch, name == "b") for batch in (1, 3, 16) for name in "abc"
    ]


@pytest.mark.parametrize(
    ("got", "error", "line"),
    [
        (np.zeros((1, 4), "float32"), ShapeError, "'y': expected (1, 3), got (1, 4)"),
        (np.zeros((1, 3), "float64"), DtypeError, "'y': expected float32, got float64"),
    ],
    ids=["shape", "dtype"],
)
def test_what_an_artifact_returns_counts_not_what_it_declares(got, error, line):
    artifact, model = fixed([1, 2, 3], [1, 2, 3])
    with pytest.raises(error) as caught:
        compared(artifact._replace(run=lambda batch: {"y": got}), model, 1e-4, 1e-4)
    assert caught.value.differences == (line,)


@pytest.mark.parametrize("difference", [0.9, 1.1], ids=["inside", "outside"])
@pytest.mark.parametrize(
    ("atol", "rtol", "allowed"), [(0.25, 0.0, 0.25), (0.0, 0.25, 1.0), (0.25, 0.25, 1.25)], ids=str
)
def test_tolerance_is_atol_plus_rtol_times_the_expected_value(atol, rtol, allowed, difference):
    artifact, model = fixed([-4.0], [-4.0 - difference * allowed])
    if difference < 1:
        found = compared(artifact, model, atol, rtol)
        # float32 rounding of 4.
        assert found.max_abs == pytest.approx(difference * allowed, rel=1e-6)
        assert found.max_rel == pytest.approx(difference * allowed / 4, rel=1e-6)
    else:
        with pytest.raises(ValuesError, match=rf"relative {difference * allowed / 4:.3g}"):
            compared(artifact, model, atol, rtol)


def test_relative_difference_leaves_out_values_below_atol():
    artifact, model = fixed([1e-6, 10.0], [5e-6, 10.01])
    found = compared(artifact, model, 1e-4, 1e-2)
    # float32 holds 10.01 to 1e-6, 1e-4 of the difference.
    assert found.max_abs == pytest.approx(0.01, rel=1e-4)
    assert found.max_rel == pytest.approx(0.001, rel=1e-4)


@pytest.mark.parametrize("worse", [1, 16], ids=["first batch", "last batch"])
def test_largest_difference_is_that_of_all_batches(worse):
    artifact, model = fixed([4.0], [4.0])

    def run(batch):
        rows = len(batch["x"])
        return {"y": np.full((rows, 1), 4.5 if rows == worse else 4.25, "float32")}

    found = compared(artifact._replace(run=run), model, 1.0, 0.0)
    assert (found.max_abs, found.max_rel) == (0.5, 0.125)


def test_zero_tolerances_allow_equality():
    found = compared(*fixed([0.0, 3.0], [0.0, 3.0]), 0.0, 0.0)
    assert (found.max_abs, found.max_rel) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ([1, 2], [np.nan, 2]),
        ([1, 2], [np.nan, np.nan]),
        ([1, 2], [np.inf, 2]),
        ([np.nan, 2], [1, 2]),
        ([np.nan, 2], [np.nan, 2]),
        ([np.nan, np.nan], [np.nan, np.nan]),
        ([np.inf, 2], [np.inf, 2]),
        ([np.inf, 2], [1, 2]),
        ([-np.inf, np.inf], [np.inf, np.inf]),
    ],
    ids=lambda values: ",".join(map(str, values)),
)
def test_what_is_not_finite_is_wrong(expected, got):
    with pytest.raises(ValuesError, match=r"must be finite.*\n.*'y', batch of 1"):
        compared(*fixed(expected, got), 1e-4, 1e-4)


@pytest.mark.parametrize(
    ("dtype", "got"), [("float32", 3.5), ("bool", True), ("int32", 3)], ids=lambda value: value
)
def test_difference_in_a_scalar_output_is_reported(dtype, got):
    inputs = keras.Input((1,), name="x")
    model = keras.Model(inputs, {"y": ops.cast(ops.max(inputs) * 0, dtype)})
    artifact = Artifact(model_signature(model), lambda batch: {"y": np.asarray(got, dtype)})
    with pytest.raises(ValuesError, match=rf"'y'.*largest absolute difference {got:.3g}"):
        compared(artifact, model, 1e-4, 1e-4)
