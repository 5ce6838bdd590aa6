"""Artifacts as they are read back: what they state, and what they compute."""

import shutil

import keras
import numpy as np
import onnx
import pytest
import tensorflow as tf

from keras_bin.export import VerificationError, export_onnx, export_saved_model, verify
from keras_bin.export.verifying.artifact import load_artifact
from keras_bin.networks.signature import TensorInfo
from tests.export.folders import sequence_model
from tests.export.kinds import BIN, IMAGE, KINDS
from tests.export.values import arrays, predict


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    keras.utils.set_random_seed(0)
    folder, model = tmp_path_factory.mktemp("artifacts"), KINDS["dicts"]()
    paths = {
        "saved_model": export_saved_model(model, folder).path,
        "onnx": export_onnx(model, folder / "model.onnx").path,
    }
    return model, paths


@pytest.mark.parametrize("kind", ["saved_model", "onnx"])
def test_signature_is_read_from_the_file(kind, written):
    signature = load_artifact(written[1][kind]).signature
    assert sorted(signature.inputs) == [
        TensorInfo("left", (None, *IMAGE), "float32"),
        TensorInfo("right", (None, *IMAGE), "float32"),
    ]
    assert sorted(signature.outputs) == [
        TensorInfo("image", (None, 6, 4, 3), "float32"),
        TensorInfo("mask", (None, *IMAGE), "float32"),
    ]


@pytest.mark.parametrize("kind", ["saved_model", "onnx"])
def test_outputs_are_named_arrays(kind, written):
    model, paths = written
    left, right = values = arrays(model, 3)
    got = load_artifact(paths[kind]).run({"right": right, "left": left})
    assert sorted(got) == ["image", "mask"]
    for name, expected in zip(("image", "mask"), predict(model, values), strict=True):
        assert isinstance(got[name], np.ndarray)
        # float32 rounding of values up to 10.
        np.testing.assert_allclose(got[name], expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("kind", ["saved_model", "onnx"])
@pytest.mark.parametrize("dtype", ["int32", "uint8", "bool"])
def test_dtypes_have_the_names_of_keras(dtype, kind, tmp_path):
    inputs = keras.Input(IMAGE, dtype=dtype, name="x")
    model = keras.Model(inputs, BIN()(keras.ops.cast(inputs, "float32")))
    export = export_saved_model if kind == "saved_model" else export_onnx
    path = export(model, tmp_path / "artifact").path
    assert load_artifact(path).signature.inputs == (TensorInfo("x", (None, *IMAGE), dtype),)


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_path_without_an_artifact_is_refused(name, tmp_path):
    (tmp_path / "empty").mkdir()
    path = tmp_path / name
    with pytest.raises(FileNotFoundError, match=r"SavedModel directory \(base/<version>\)") as got:
        load_artifact(path)
    assert str(path) in str(got.value)


def test_folder_of_versions_is_no_artifact(written):
    with pytest.raises(FileNotFoundError, match="SavedModel directory"):
        load_artifact(written[1]["saved_model"].parent)


def write_saved_model(path, *signatures):
    """Writes a SavedModel with a variable, which lies in a file of its own."""
    module = tf.Module()
    module.scale = tf.Variable(2.0)
    module.serve = tf.function(
        lambda x: {"y": x * module.scale}, input_signature=[tf.TensorSpec((None,), name="x")]
    )
    tf.saved_model.save(module, str(path), dict.fromkeys(signatures, module.serve))
    return path


def without_signature(folder):
    return write_saved_model(folder / "other")


def without_variables(folder):
    path = write_saved_model(folder / "torn", "serving_default")
    shutil.rmtree(path / "variables")
    return path


def damaged(folder):
    path = write_saved_model(folder / "damaged", "serving_default")
    (path / "saved_model.pb").write_bytes(b"no proto")
    return path


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (without_signature, "KeyError: 'serving_default'"),
        (without_variables, "variables/variables"),
        (damaged, "Cannot parse"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_saved_model_that_cannot_be_loaded_is_a_difference(make, words, tmp_path):
    with pytest.raises(VerificationError, match="signature 'serving_default'; export") as caught:
        load_artifact(make(tmp_path))
    assert words in str(caught.value)


def test_onnx_value_that_is_no_tensor_has_its_type_for_a_dtype(tmp_path):
    """As the classifiers of scikit-learn have them."""
    path = tmp_path / "sequence.onnx"
    onnx.save(sequence_model(), path)
    (output,) = load_artifact(path).signature.outputs
    assert (output.name, output.dtype) == ("y", "seq(tensor(float))")


def for_one_image(kind, folder):
    """Writes an artifact that returns a batch of one image as it is, and fails on others."""
    if kind == "saved_model":
        module = tf.Module()

        @tf.function(input_signature=[tf.TensorSpec((None, *IMAGE), name="image")])
        def serve(image):
            tf.debugging.assert_equal(tf.shape(image)[0], 1)
            return {"bin": image + 0.0}

        module.serve = serve
        tf.saved_model.save(module, str(folder / "1"), {"serving_default": module.serve})
        return folder / "1"
    image, result = (
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *IMAGE])
        for name in ("image", "bin")
    )
    shape = onnx.numpy_helper.from_array(np.array((1, *IMAGE)), "shape")
    nodes = [
        onnx.helper.make_node("Shape", ["image"], ["batch_shape"]),
        onnx.helper.make_node("Reshape", ["image", "shape"], ["one"]),
        onnx.helper.make_node("Reshape", ["one", "batch_shape"], ["bin"]),
    ]
    graph = onnx.helper.make_graph(nodes, "single", [image], [result], [shape])
    opsets = [onnx.helper.make_opsetid("", 17)]
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8), folder / "model.onnx"
    )
    return folder / "model.onnx"


@pytest.mark.parametrize(
    ("kind", "runtime"), [("saved_model", "TensorFlow"), ("onnx", "ONNX Runtime")]
)
@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        ({"image": np.ones((3, *IMAGE), "float32")}, "'image': float32 (3, 8, 6, 3)"),
        ({"image": np.ones((1, *IMAGE), "float64")}, "'image': float64 (1, 8, 6, 3)"),
        ({"picture": np.ones((1, *IMAGE), "float32")}, "'picture': float32 (1, 8, 6, 3)"),
        ({}, "without inputs"),
    ],
    ids=["batch", "dtype", "name", "nothing"],
)
def test_what_a_runtime_raises_is_a_difference(inputs, words, kind, runtime, tmp_path):
    artifact = load_artifact(for_one_image(kind, tmp_path))
    assert artifact.run({"image": np.ones((1, *IMAGE), "float32")})["bin"].shape == (1, *IMAGE)
    with pytest.raises(VerificationError, match=f"^{runtime} must run the artifact") as caught:
        artifact.run(inputs)
    batch, said = caught.value.differences
    assert batch == words
    assert said == f"{type(caught.value.__cause__).__name__}: {caught.value.__cause__}"


@pytest.mark.parametrize("kind", ["saved_model", "onnx"])
def test_artifact_that_fails_on_a_batch_is_not_verified(kind, tmp_path):
    image = keras.Input(IMAGE, name="image")
    identity = keras.Model(image, keras.layers.Identity(name="bin")(image))
    with pytest.raises(
        VerificationError, match=r"(?s)must run the artifact.*'image': float32 \(3, 8"
    ):
        verify(for_one_image(kind, tmp_path), identity)
