"""The README's snippets, run as they stand."""

import re
from pathlib import Path

import keras
import numpy as np
import onnxruntime
import pytest

import keras_bin

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
TRAINING, CONVERSION = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_readme_can_be_finished():
    lines = README.splitlines()
    assert len(lines) <= 120
    assert max(len(line) for line in lines if not line.startswith(("![", "|"))) <= 140


@pytest.mark.slow
def test_snippet_trains_and_exports(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(TRAINING, names)
    images = names["images"].astype("float32")
    assert (tmp_path / "models" / "net" / "1" / "saved_model.pb").is_file()
    session = onnxruntime.InferenceSession(tmp_path / "models" / "net.onnx")
    (logits,) = session.run(["logits"], {"image": images})
    expected = names["model"].predict(images, verbose=0)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_snippet_converts():
    layers = [keras.Input((8, 8, 3)), keras.layers.BatchNormalization(name="norm")]
    names = {"keras_bin": keras_bin, "trained_model": keras.Sequential(layers)}
    exec(CONVERSION, names)
    norm = names["bin_model"].get_layer("norm")
    assert isinstance(norm, keras_bin.BatchInstanceNormalization)
