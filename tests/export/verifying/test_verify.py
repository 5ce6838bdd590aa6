"""Verifying artifacts: each kind of difference has its own error, with its figures."""

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin.export import (
    DtypeError,
    NamesError,
    ShapeError,
    ValuesError,
    Verification,
    VerificationError,
    export_onnx,
    export_saved_model,
    verify,
)
from keras_bin.keras_internals import call_count
from testing.weights import randomize
from tests.export.kinds import BIN, HALF_KINDS, IMAGE, KINDS, bin_model, classifier
from tests.export.values import arrays, snapshot


def shifted(model, by, name="image", output="bin"):
    """A model like `bin_model()` whose outputs are off by `by`."""
    inputs = keras.Input(IMAGE, name=name)
    outputs = model(inputs) + by
    return keras.Model(inputs, layers.Identity(name=output)(outputs))


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory):
    """Both artifacts of `bin_model()`, and what it was made from."""
    keras.utils.set_random_seed(0)
    folder, model = tmp_path_factory.mktemp("artifacts"), bin_model()
    return {
        "saved_model": export_saved_model(model, folder).path,
        "onnx": export_onnx(model, folder / "model.onnx").path,
    }


@pytest.fixture(params=["saved_model", "onnx"])
def artifact(request, artifacts):
    return artifacts[request.param]


@pytest.mark.parametrize("as_type", [str, lambda path: path], ids=["str", "Path"])
def test_right_artifact_passes(artifact, as_type):
    found = verify(as_type(artifact), bin_model())
    assert isinstance(found, Verification)
    assert found.passed
    assert found.max_abs < 1e-5
    assert (found.atol, found.rtol, found.samples) == (1e-4, 1e-4, 3)


def test_other_weights_raise_with_figures(artifact):
    with pytest.raises(ValuesError, match=r"atol=0\.0001, rtol=0\.0001") as caught:
        verify(artifact, shifted(bin_model(), np.array([0, 0.125, 0], "float32")))
    assert [line.split(":")[0] for line in caught.value.differences] == [
        "'bin', batch of 1",
        "'bin', batch of 3",
        "'bin', batch of 16",
    ]
    for line in caught.value.differences:
        assert "largest absolute difference 0.125" in line
        assert line.count(", 1): expected ") == 1
        assert line in str(caught.value)


@pytest.mark.parametrize(
    ("name", "output", "side", "expected", "got"),
    [
        ("picture", "bin", "input", "picture", "image"),
        ("image", "norm", "output", "norm", "bin"),
    ],
    ids=["input", "output"],
)
def test_other_names_raise(name, output, side, expected, got, artifact):
    with pytest.raises(NamesError) as caught:
        verify(artifact, shifted(bin_model(), 0.0, name, output))
    assert caught.value.differences == (f"{side}s: expected ['{expected}'], got ['{got}']",)


@pytest.mark.parametrize("shape", [(8, 5, 3), (None, None, 3)], ids=["other", "free"])
def test_other_input_shape_raises(shape, artifact):
    with pytest.raises(ShapeError) as caught:
        verify(artifact, bin_model(shape=shape))
    (line, *_) = caught.value.differences
    assert line == f"input 'image': expected {(None, *shape)}, got {(None, *IMAGE)}"


def test_other_output_shape_raises(artifact):
    inputs = keras.Input(IMAGE, name="image")
    with pytest.raises(ShapeError) as caught:
        verify(artifact, keras.Model(inputs, layers.Flatten(name="bin")(inputs)))
    (line,) = caught.value.differences
    assert line == f"output 'bin': expected (None, 144), got {(None, *IMAGE)}"


@pytest.mark.parametrize("side", ["input", "output"])
def test_other_dtype_raises(side, artifact):
    inputs = keras.Input(IMAGE, name="image", dtype="int32" if side == "input" else "float32")
    outputs = BIN()(inputs) if side == "input" else ops.cast(inputs > 0, "int32")
    model = keras.Model(inputs, {"bin": outputs})
    with pytest.raises(DtypeError) as caught:
        verify(artifact, model)
    name = "image" if side == "input" else "bin"
    assert caught.value.differences == (f"{side} '{name}': expected int32, got float32",)


def test_every_error_is_a_value_error():
    for error in (NamesError, ShapeError, DtypeError, ValuesError):
        assert issubclass(error, VerificationError)
    assert issubclass(VerificationError, ValueError)


def test_names_are_compared_before_shapes_and_shapes_before_dtypes(artifact):
    inputs = keras.Input((4, 3), name="image", dtype="int32")
    with pytest.raises(NamesError):
        verify(artifact, keras.Model(inputs, BIN(name="other")(inputs)))
    with pytest.raises(ShapeError):
        verify(artifact, keras.Model(inputs, BIN(name="bin")(inputs)))


def test_samples_are_what_is_compared(artifact):
    """Outputs that agree on the samples pass, whatever else would have been generated."""
    inputs = keras.Input(IMAGE, name="image")
    same = bin_model()(inputs) + 100 * ops.relu(inputs - 50)
    model = keras.Model(inputs, layers.Identity(name="bin")(same))
    (x,) = arrays(model, 5)
    assert verify(artifact, model, samples={"image": x}).samples == 3
    with pytest.raises(ValuesError):
        verify(artifact, model, samples={"image": x + 60})


def test_samples_are_cast_to_the_inputs_dtype(artifact):
    x = arrays(bin_model(), 3)[0].astype("float64")
    assert verify(artifact, bin_model(), samples={"image": x}).max_abs < 1e-5
    assert x.dtype == "float64"


@pytest.mark.parametrize(
    ("samples", "received"),
    [
        ({}, r"\[\] for inputs \['image'\]"),
        ({"other": np.zeros((3, *IMAGE))}, r"\['other'\] for inputs \['image'\]"),
        ({"image": np.zeros((3, *IMAGE)), "other": np.zeros((3, 1))}, r"\['image', 'other'\]"),
        ({"image": np.zeros((2, *IMAGE))}, r"at least 3.*\{'image': \(2, 8, 6, 3\)\}"),
        ({"image": np.float32(3)}, r"at least 3.*\{'image': \(\)\}"),
        ({"image": np.full((3, *IMAGE), "x")}, r"NumPy says:.*\['image \(float32\)'\]"),
        (np.zeros((3, *IMAGE)), r"ndarray for inputs \['image'\]"),
    ],
    ids=["none", "name", "one too many", "rows", "scalar", "text", "array"],
)
def test_samples_that_do_not_fit_are_refused(samples, received, artifact):
    with pytest.raises(ValueError, match=rf"`samples`.*Received: .*{received}|{received}"):
        verify(artifact, bin_model(), samples=samples)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0], ids=str)
@pytest.mark.parametrize("name", ["atol", "rtol"])
def test_tolerance_that_is_negative_or_not_finite_is_refused(name, value, artifacts):
    with pytest.raises(ValueError, match=rf"finite numbers.*{name}={value}") as caught:
        verify(artifacts["onnx"], bin_model(), **{name: value})
    assert not isinstance(caught.value, VerificationError)


def test_samples_of_another_shape_are_refused_with_their_shape(artifact):
    with pytest.raises(ValueError, match=r"(?s)must run on the samples.*\(1, 7, 6, 3\)"):
        verify(artifact, bin_model(), samples={"image": np.zeros((3, 7, 6, 3))})


def test_free_sizes_are_run_at_four_sizes(tmp_path):
    model = bin_model(shape=(None, None, 3))
    report = export_saved_model(model, tmp_path)
    assert verify(report.path, model).samples == 3 + 3 * 2


def test_size_that_the_model_cannot_take_asks_for_samples(tmp_path):
    inputs = keras.Input((None, 3), name="x")
    model = randomize(keras.Model(inputs, BIN()(layers.Reshape((-1, 37, 3))(inputs))))
    samples = {"x": np.random.default_rng(0).normal(2, 1, (3, 74, 3))}
    with pytest.raises(ValueError, match="pass inputs that it accepts as `samples`"):
        export_saved_model(model, tmp_path)
    assert export_saved_model(model, tmp_path, samples=samples).path.name == "1"


@pytest.mark.parametrize("kind", ["functional", "dicts", "shared_model"])
def test_model_is_untouched(kind, tmp_path):
    model = KINDS[kind]()
    path = export_saved_model(model, tmp_path).path
    before, calls = snapshot(model), list(map(call_count, model.layers))
    verify(path, model)
    assert list(map(call_count, model.layers)) == calls
    for name, value in snapshot(model).items():
        np.testing.assert_array_equal(value, before[name], err_msg=name)


@pytest.mark.parametrize("kind", ["mixed_float16", "pure_float16"])
def test_half_precision_model_is_compared_in_float32(kind, tmp_path):
    twin = randomize(classifier())
    model = HALF_KINDS[kind]()
    twin.set_weights(model.get_weights())
    path = export_saved_model(twin, tmp_path).path
    # In half precision the difference would be 1e-3.
    assert verify(path, model, atol=1e-5, rtol=1e-5).max_abs < 1e-5


def test_rho_outside_the_unit_interval_is_compared_clipped(artifact):
    model = bin_model()
    rho = np.array(model.get_layer("bin").rho)
    model.get_layer("bin").rho.assign([rho[0] - 0.5, rho[1] + 0.5, rho[2]])
    assert verify(artifact, model).max_abs < 1e-5
    np.testing.assert_allclose(model.get_layer("bin").rho[:2], [-0.5, 1.5], rtol=0, atol=0)


def test_input_of_half_precision_is_exported_and_verified_in_float32(tmp_path):
    inputs = keras.Input(IMAGE, dtype="float16", name="image")
    model = randomize(keras.Model(inputs, BIN(name="bin")(inputs)))
    with pytest.warns(UserWarning, match="half precision"):
        path = export_saved_model(model, tmp_path).path
    assert verify(path, bin_model()).max_abs < 1e-5


def test_sequential_is_verified(tmp_path):
    model = KINDS["sequential"]()
    assert verify(export_saved_model(model, tmp_path).path, model).max_abs < 1e-5


@pytest.mark.parametrize(
    ("thing", "error", "match"),
    [
        ("model.keras", TypeError, "must be a keras.Model"),
        (keras.Sequential([BIN()]), ValueError, "must be built"),
    ],
    ids=["path", "unbuilt"],
)
def test_bad_models_are_refused(thing, error, match, artifact):
    with pytest.raises(error, match=match):
        verify(artifact, thing)
