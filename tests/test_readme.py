"""The README's snippet, run as it stands."""

import re
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


@pytest.mark.slow
def test_snippet_trains_and_exports(tmp_path, monkeypatch):
    (snippet,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(snippet, names)
    images = names["images"].astype("float32")
    assert (tmp_path / "models" / "net" / "1" / "saved_model.pb").is_file()
    session = onnxruntime.InferenceSession(tmp_path / "models" / "net.onnx")
    (logits,) = session.run(["logits"], {"image": images})
    expected = names["model"].predict(images, verbose=0)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)
