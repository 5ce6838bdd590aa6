"""The model itself is the reference, with the gates that are exported."""

from contextlib import nullcontext

import keras
import numpy as np
import pytest

from keras_bin.export import ValuesError
from keras_bin.export.models.exported_model import ExportedModel
from keras_bin.export.verifying.expected import Expected
from keras_bin.export.verifying.reference import Reference
from testing.weights import randomize
from tests.export.custom_layers import Sloped
from tests.export.kinds import HALF_KINDS, IMAGE, KINDS, bin_model, classifier
from tests.export.values import arrays, predict


def test_reference_is_the_model_itself():
    model = classifier()
    assert ExportedModel(model).model.layers == model.layers


@pytest.mark.parametrize("kind", ["functional", "dicts", "lists", "fixed_batch", "sequential"])
@pytest.mark.parametrize("size", [1, 3])
def test_outputs_are_those_of_the_model_by_name(kind, size):
    model = KINDS[kind]()
    reference = Reference(ExportedModel(model))
    values = arrays(reference.exported.model, size)
    names = [info.name for info in reference.exported.signature.inputs]
    got = reference.outputs(dict(zip(names, values, strict=True)))
    assert list(got) == [info.name for info in reference.exported.signature.outputs]
    for own, expected in zip(got.values(), predict(model, values), strict=True):
        np.testing.assert_array_equal(own, expected)


@pytest.mark.parametrize("change", ["argument", "attribute"])
def test_what_a_config_forgets_is_remembered(change):
    model = Sloped(slope=0.9) if change == "argument" else Sloped()
    model.slope = 0.9
    x = np.full((4, 5, 5, 2), -1.0, "float32")
    model(x)
    (got,) = Reference(ExportedModel(model)).outputs({"inputs": x}).values()
    np.testing.assert_allclose(got, -0.9 / np.sqrt(1.001), rtol=1e-5, atol=0)


def test_gates_are_clipped_and_moved_without_changing_the_model():
    model = bin_model()
    rho = [-0.5, 0.95, 1.25]
    model.get_layer("bin").rho.assign(rho)
    (x,) = arrays(model, 3)
    (got,) = Reference(ExportedModel(model, rho_tolerance=0.125)).outputs({"image": x}).values()
    np.testing.assert_array_equal(model.get_layer("bin").rho, np.float32(rho))
    model.get_layer("bin").rho.assign([0, 1, 1])
    np.testing.assert_array_equal(got, predict(model, [x])[0])


def test_gates_may_stay_as_they_are():
    model = bin_model()
    model.get_layer("bin").rho.assign([-0.5, 0.95, 1.25])
    (x,) = arrays(model, 3)
    (got,) = Reference(ExportedModel(model, None)).outputs({"image": x}).values()
    np.testing.assert_array_equal(got, predict(model, [x])[0])


@pytest.mark.parametrize("kind", HALF_KINDS)
def test_half_precision_model_is_computed_in_float32(kind):
    model = HALF_KINDS[kind]()
    reference = Reference(ExportedModel(model))
    assert reference.exported.is_half
    values = arrays(reference.exported.model, 3)
    names = [info.name for info in reference.exported.signature.inputs]
    floats = [np.float32(value) for value in values]
    got = reference.outputs(dict(zip(names, floats, strict=True)))
    for own, theirs in zip(got.values(), predict(model, values), strict=True):
        assert own.dtype == "float32"
        # Half precision, in a few layers.
        np.testing.assert_allclose(own, np.float32(theirs), rtol=0.1, atol=0.1)


@pytest.mark.parametrize("size", [1.0, 0.02])
def test_half_precision_model_that_computes_something_else_in_float32_is_refused(size):
    """1 - 2e-4 is 1 in float16, and its floor is 0 in float32."""
    inputs = keras.Input((3,), dtype="float16", name="x")
    y = size * keras.ops.floor((inputs * 0 + 1) - 2e-4)
    model = keras.Model(inputs, {"y": y})
    with pytest.raises(
        ValueError, match=r"^A half-precision model must compute about the same.*'y'"
    ):
        Reference(ExportedModel(model)).outputs({"x": np.ones((2, 3), "float32")})


@pytest.mark.parametrize(
    ("shift", "refused"), [(0.0, False), (2e-4, True)], ids=["rounding", "another value"]
)
def test_half_precision_may_be_off_by_what_rounding_makes_of_a_row(shift, refused):
    """Near 1, where float16 has steps of 2**-10, the rounding of 1.0003 is made a thousandfold."""
    inputs = keras.Input((2,), dtype="float16", name="x")
    y = keras.ops.tanh((inputs - 1.0) * 1024.0) + keras.ops.floor(inputs * 0 + 1 - shift)
    reference = Reference(ExportedModel(keras.Model(inputs, {"y": y})))
    x = np.float32([[1.0003, 1.0003], [3.0, -3.0]])
    context = (
        pytest.raises(ValueError, match="half precision loses too many digits")
        if refused
        else nullcontext()
    )
    with context:
        got = reference.outputs({"x": x})["y"]
        np.testing.assert_allclose(got[0], 1 + np.tanh(0.0003 * 1024), rtol=1e-3)


def overflowing(function):
    inputs = keras.Input((2, 2, 1), dtype="float16", name="x")
    return keras.Model(inputs, {"y": function(inputs), "z": inputs * 2})


def test_half_precision_model_that_overflows_is_refused_with_the_way_out():
    """250 * 250 * 2 is above 65504, the largest float16."""
    model = overflowing(lambda x: x * 250 * 250 / 250)
    x = np.float32([[[[1], [2]], [[-2], [0.5]]]])
    with pytest.raises(
        ValueError,
        match=r"(?s)as `samples`.*float32 or bfloat16.*Not finite .*: 'y': 2 of 4 values$",
    ):
        Reference(ExportedModel(model)).outputs({"x": x})
    got = Reference(ExportedModel(model)).outputs({"x": x / 2})["y"]
    np.testing.assert_allclose(got, 125 * x, rtol=1e-6, atol=0)


def test_probe_images_on_which_half_precision_overflows_are_left_out():
    """For zeros, 1 / 9e-8 is above the largest float16."""
    model = overflowing(lambda x: 1 / (x * x + (0 * x + 3e-4) * (0 * x + 3e-4)))
    reference = Reference(ExportedModel(model))
    batches = Expected(reference.exported).batches
    for batch in batches:
        reference.outputs(batch)
    assert not any((image == 0).all() for batch in batches for image in batch["x"])
    usual = Expected(ExportedModel(overflowing(lambda x: x))).batches
    assert any((image == 0).all() for batch in usual for image in batch["x"])


def test_outputs_that_are_not_finite_are_refused():
    inputs = keras.Input((2,), name="x")
    model = keras.Model(inputs, {"y": keras.ops.log(inputs)})
    with pytest.raises(ValuesError, match=r"must be finite.*\n.*'y', batch of 1: 1 of 2"):
        Reference(ExportedModel(model)).outputs({"x": np.float32([[0, 1]])})


def test_inputs_that_the_model_does_not_take_are_refused():
    with pytest.raises(ValueError, match=r"must run on the samples.*\(1, 2, 2, 5\)"):
        Reference(ExportedModel(classifier())).outputs({"image": np.zeros((1, 2, 2, 5), "float32")})


def test_gates_that_are_not_finite_are_refused():
    model = randomize(bin_model())
    model.get_layer("bin").rho.assign([0, np.nan, 1])
    with pytest.raises(ValueError, match=r"`rho` must be finite.*bin/rho=\[ ?0"):
        ExportedModel(model)


def test_shape_of_an_image_is_kept():
    (info,) = ExportedModel(classifier()).signature.inputs
    assert info.shape == (None, *IMAGE)
