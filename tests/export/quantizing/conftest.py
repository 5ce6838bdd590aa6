import importlib.util

import pytest

from tests.export.quantizing.nets import MIXED, exported


@pytest.fixture(params=["onnxruntime", "openvino"])
def runtime(request):
    """A runtime that can be quantized for."""
    if request.param == "openvino" and importlib.util.find_spec("nncf") is None:
        pytest.skip("needs the extra `int8`")
    return request.param


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """An ONNX file of a net whose BIN layers all have statistics."""
    return exported(tmp_path_factory.mktemp("mixed"), MIXED)
