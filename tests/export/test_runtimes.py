"""Exports for a runtime: what is computed stays the same, and OpenVINO sees one operator."""

import json

import keras
import numpy as np
import onnx
import pytest
from keras import layers

import keras_bin
from keras_bin.export import export_onnx, export_saved_model, fold, verify
from keras_bin.runtimes import RUNTIMES, check_runtime
from testing.weights import randomize
from tests.export.kinds import BIN, bin_model
from tests.export.values import arrays, predict
from tests.keras_versions import needs_version
from tests.runtimes.openvino_runtime import OPENVINO, SETTINGS
from tests.runtimes.runtime import require


@pytest.fixture(scope="module")
def model():
    inputs = keras.Input((12, 12, 3), name="image")
    x = layers.ReLU()(BIN()(layers.Conv2D(16, 3)(inputs)))
    x = BIN()(layers.Conv2D(16, 3)(x))
    return randomize(keras.Model(inputs, layers.GlobalAveragePooling2D(name="mean")(x)))


@pytest.mark.parametrize("rho", [0.0, None, 1.0], ids=["0", "mixed", "1"])
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_folded_model_computes_the_same_for_each(runtime, rho):
    original = bin_model(rho)
    values = arrays(original, 3)
    folded = fold(original, runtime=runtime)
    # float32 rounding of values up to 10.
    np.testing.assert_allclose(
        predict(folded, values)[0], predict(original, values)[0], rtol=1e-5, atol=1e-5
    )


def test_folded_file_keeps_its_runtime(tmp_path):
    path = tmp_path / "folded.keras"
    fold(bin_model(0.5), runtime="openvino").save(path)
    assert keras.saving.load_model(path).get_layer("bin").runtime == "openvino"


def test_masked_layer_computes_the_same_for_openvino():
    x = np.random.default_rng(0).normal(size=(2, 6, 3)).astype("float32")
    mask = np.arange(6) < np.array([[4], [6]])
    outputs = []
    for runtime in ("any", "openvino"):
        layer = keras_bin.FoldedBatchInstanceNormalization(runtime=runtime)
        layer.build(x.shape)
        layer.instance_scale.assign(np.ones(3))
        outputs.append(np.asarray(layer(x, mask=mask)))
    np.testing.assert_array_equal(*outputs)


@pytest.mark.parametrize("write", [fold, export_onnx, export_saved_model], ids=lambda f: f.__name__)
def test_unknown_runtime_is_refused_before_anything_is_made(write, tmp_path):
    arguments = () if write is fold else (tmp_path / "new" / "model.onnx",)
    with pytest.raises(
        ValueError, match=r"`runtime` must be one of .*Received: runtime='tensorrt'"
    ):
        write(bin_model(0.5), *arguments, runtime="tensorrt")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("runtime", ["onnx", "", None, 1, ["any"]], ids=repr)
def test_runtime_is_checked(runtime):
    with pytest.raises(ValueError, match="`runtime` must be one of"):
        check_runtime(runtime)


def test_artifacts_say_which_runtime_they_are_for(model, tmp_path):
    onnx_file = export_onnx(model, tmp_path / "model.onnx", runtime="openvino").path
    metadata = {each.key: each.value for each in onnx.load(onnx_file).metadata_props}
    assert metadata["runtime"] == "openvino"
    folder = export_saved_model(model, tmp_path / "model", runtime="openvino").path
    assert json.loads((folder / "keras_bin.json").read_text())["runtime"] == "openvino"


@pytest.fixture(scope="module")
def far_off():
    """A net whose running mean is far from a constant image, which OpenVINO's form then feels."""
    inputs = keras.Input((32, 32, 3), name="image")
    x = BIN(name="bin")(layers.Conv2D(16, 3, name="conv")(inputs))
    model = randomize(keras.Model(inputs, layers.GlobalMaxPooling2D(name="largest")(x)), 0.0)
    model.get_layer("bin").moving_mean.assign(np.full(16, -40.3))
    return model


@pytest.mark.parametrize("write", [export_onnx, export_saved_model], ids=lambda f: f.__name__)
def test_digits_that_openvino_costs_are_allowed_for_there_alone(write, far_off, tmp_path):
    images = {"image": np.full((3, 32, 32, 3), 0.37, "float32")}
    report = write(far_off, tmp_path / "net", runtime="openvino", samples=images)
    assert report.atol == report.verification.rtol == 0.01
    assert 1e-4 < report.max_abs_difference < 0.01
    assert verify(report.path, far_off, samples=images).atol == 0.01
    with pytest.raises(ValueError, match=r"atol=0\.0001"):
        verify(report.path, far_off, samples=images, atol=1e-4)
    report = write(far_off, tmp_path / "any", samples=images)
    assert report.atol == 1e-4


@pytest.mark.parametrize("write", [export_onnx, export_saved_model], ids=lambda f: f.__name__)
def test_net_without_an_instance_branch_is_compared_as_strictly_for_openvino(write, tmp_path):
    model = bin_model(1.0)
    report = write(model, tmp_path / "net", runtime="openvino")
    assert report.atol == verify(report.path, model).atol == 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "ONNX",
        pytest.param(
            "SavedModel", marks=needs_version("openvino", "2026.1", "fuses nothing of a SavedModel")
        ),
    ],
)
def test_openvino_makes_one_operator_of_each_layer(kind, model, tmp_path):
    """From the SavedModel for any runtime it makes none, and takes twice as long."""
    require(OPENVINO, kind)
    import openvino

    def run(runtime):
        if kind == "ONNX":
            path = export_onnx(model, tmp_path / f"{runtime}.onnx", runtime=runtime).path
        else:
            path = export_saved_model(model, tmp_path / runtime, runtime=runtime).path
        compiled = openvino.Core().compile_model(str(path), "CPU", SETTINGS)
        kinds = [
            str(node.get_rt_info()["layerType"].astype(str))
            for node in compiled.get_runtime_model().get_ordered_ops()
        ]
        values = arrays(model, 3)
        # float32 rounding of values up to 10.
        np.testing.assert_allclose(
            compiled(values)[0], predict(model, values)[0], rtol=1e-5, atol=1e-5
        )
        return kinds.count("MVN")

    assert run("openvino") == 2
    assert run("any") == {"ONNX": 2, "SavedModel": 0}[kind]
