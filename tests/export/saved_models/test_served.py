"""The version before an export, and what a version says of its inputs and outputs."""

import json

import keras
import pytest
import tensorflow as tf

from keras_bin.export import export_saved_model
from keras_bin.export.files.manifest import MANIFEST_FILE
from keras_bin.export.saved_models.served import served_before, stated_signature
from keras_bin.networks.signature import TensorInfo
from tests.export.kinds import bin_model


@pytest.fixture
def versions(tmp_path):
    for name in ("2", "10", "next"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pb").touch()
    (tmp_path / "11").mkdir()  # half copied
    return tmp_path


@pytest.mark.parametrize(
    ("version", "name"),
    [(None, "10"), (2, "2"), (10, "10"), (3, "10"), (11, "10"), (12, "10")],
)
def test_version_before_is_the_one_replaced_or_the_highest(version, name, versions):
    assert served_before(versions, version) == versions / name


def test_first_version_has_none_before(tmp_path):
    assert served_before(tmp_path, None) is None
    assert served_before(tmp_path, 3) is None


@pytest.mark.parametrize("manifest", ["whole", "none", "other_format", "no_model"])
def test_signature_is_that_of_manifest_or_graph(manifest, tmp_path):
    path = export_saved_model(bin_model(), tmp_path).path
    if manifest != "whole":
        (path / MANIFEST_FILE).unlink()
    if manifest == "other_format":
        (path / MANIFEST_FILE).write_text(json.dumps({"format": 2, "model": {"inputs": 3}}))
    if manifest == "no_model":
        (path / MANIFEST_FILE).write_text(json.dumps({"format": 1}))
    assert stated_signature(path) == (
        (TensorInfo("image", (None, 8, 6, 3), "float32"),),
        (TensorInfo("bin", (None, 8, 6, 3), "float32"),),
    )


def test_manifest_comes_first(tmp_path):
    infos = [{"name": "x", "shape": [None, 2], "dtype": "float32"}]
    content = {"format": 1, "model": {"inputs": infos, "outputs": infos}}
    (tmp_path / MANIFEST_FILE).write_text(json.dumps(content))
    info = TensorInfo("x", (None, 2), "float32")
    assert stated_signature(tmp_path) == ((info,), (info,))


def test_signature_of_another_exporter_is_read(tmp_path):
    inputs = keras.Input((None, 3), name="x")
    keras.Model(inputs, keras.layers.Dense(2)(inputs)).export(tmp_path, verbose=False)
    assert stated_signature(tmp_path) == (
        (TensorInfo("x", (None, None, 3), "float32"),),
        (TensorInfo("output_0", (None, None, 2), "float32"),),
    )


def test_shape_of_unknown_rank_is_none(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec(None, tf.float32, "x")])
    def serve(x):
        return {"y": x}

    module = tf.Module()
    module.serve = serve
    tf.saved_model.save(module, tmp_path, serve)
    assert stated_signature(tmp_path) == (
        (TensorInfo("x", None, "float32"),),
        (TensorInfo("y", None, "float32"),),
    )


def test_version_without_the_signature_of_clients_is_refused(tmp_path):
    module = tf.Module()
    module.serve = tf.function(lambda x: x, [tf.TensorSpec([None], tf.float32)])
    tf.saved_model.save(module, tmp_path, {"predict": module.serve})
    with pytest.raises(ValueError, match=r"'serving_default'\. Received: signatures .*predict"):
        stated_signature(tmp_path)
