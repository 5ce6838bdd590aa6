"""Files that released versions have written load, and are right, for ever."""

from pathlib import Path

import keras
import numpy as np
import pytest

from keras_bin.export import verify
from keras_bin.export.describe import describe
from tests.keras_versions import needs_keras

RELEASES = sorted(Path(__file__).with_name("released").iterdir())
KERAS_FILES = [file for release in RELEASES for file in sorted(release.glob("*.keras"))]
NAMES = [f"{file.parent.name}-{file.stem}" for file in KERAS_FILES]
READS_KERAS_FILES = needs_keras("3.15", "refuses the files, which Keras 3.15 wrote")
of_release = pytest.mark.parametrize("release", RELEASES, ids=[path.name for path in RELEASES])


@READS_KERAS_FILES
@pytest.mark.parametrize("file", KERAS_FILES, ids=NAMES)
def test_a_released_keras_file_computes_what_it_did(file):
    model = keras.saving.load_model(file)
    with np.load(file.with_name("values.npz")) as values:
        got = keras.ops.convert_to_numpy(model(values["image"], training=False))
        np.testing.assert_allclose(got, values["logits"], atol=1e-5, rtol=1e-5)


@READS_KERAS_FILES
@of_release
@pytest.mark.parametrize("artifact", ["net/1", "net.onnx"], ids=["saved_model", "onnx"])
def test_a_released_artifact_verifies(release, artifact):
    model = keras.saving.load_model(release / "net.keras")
    assert verify(release / artifact, model).passed


@of_release
@pytest.mark.parametrize(
    "file",
    [pytest.param("net.keras", marks=READS_KERAS_FILES), "net/1", "net", "net.onnx"],
    ids=["keras", "saved_model", "versions", "onnx"],
)
def test_a_released_file_is_described(release, file):
    assert describe(release / file).size > 0


@READS_KERAS_FILES
def test_what_0_2_0_settled_stays_settled():
    model = keras.saving.load_model(Path(__file__).with_name("released") / "0.2.0" / "net.keras")
    assert model.rho_gradient_scale == 5.0
    assert model.get_layer("settled").rho_constraint.get_config() == {"value": 0.5}
    assert model.get_layer("mixed").rho_regularizer.get_config() == {"strength": 0.01}
