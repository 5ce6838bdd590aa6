"""What only the exporter needs is checked for, and named when missing."""

import sys

import keras
import pytest

from keras_bin.export.extras import require_nncf, require_onnx, require_tensorflow


def test_present_packages_pass():
    require_onnx()
    require_tensorflow()


@pytest.mark.parametrize("package", ["tf2onnx", "onnx", "onnxruntime"])
def test_missing_package_is_named_with_the_extra(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"need {package}; .*'keras-bin\[onnx\]'$") as caught:
        require_onnx()
    assert isinstance(caught.value.__cause__, ImportError)


@pytest.mark.parametrize("package", ["openvino", "nncf"])
def test_missing_package_of_int8_is_named_with_the_extra(package, monkeypatch):
    for each in ("openvino", "nncf"):
        monkeypatch.setitem(sys.modules, each, None if each == package else keras)
    with pytest.raises(ImportError, match=rf"needs {package}; .*'keras-bin\[int8\]'$"):
        require_nncf()


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_other_backend_is_refused_with_the_way_out(backend, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: backend)
    with pytest.raises(RuntimeError, match=rf"KERAS_BACKEND=tensorflow.*backend='{backend}'$"):
        require_tensorflow()
