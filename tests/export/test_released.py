"""Files that released versions have written load, and are right, for ever."""

from pathlib import Path

import keras
import numpy as np
import pytest

from keras_bin.export import verify
from keras_bin.export.describe import describe

RELEASES = sorted(Path(__file__).with_name("released").iterdir())
of_release = pytest.mark.parametrize("release", RELEASES, ids=[path.name for path in RELEASES])


@of_release
def test_a_released_keras_file_computes_what_it_did(release):
    model = keras.saving.load_model(release / "net.keras")
    with np.load(release / "values.npz") as values:
        got = keras.ops.convert_to_numpy(model(values["image"], training=False))
        np.testing.assert_allclose(got, values["logits"], atol=1e-5, rtol=1e-5)


@of_release
@pytest.mark.parametrize("artifact", ["net/1", "net.onnx"], ids=["saved_model", "onnx"])
def test_a_released_artifact_verifies(release, artifact):
    model = keras.saving.load_model(release / "net.keras")
    assert verify(release / artifact, model).passed


@of_release
@pytest.mark.parametrize(
    "file",
    ["net.keras", "net/1", "net", "net.onnx"],
    ids=["keras", "saved_model", "versions", "onnx"],
)
def test_a_released_file_is_described(release, file):
    assert describe(release / file).size > 0
