import importlib.util

import pytest


@pytest.fixture(params=["onnxruntime", "openvino"])
def runtime(request):
    """A runtime that can be quantized for."""
    if request.param == "openvino" and importlib.util.find_spec("nncf") is None:
        pytest.skip("needs the extra `int8`")
    return request.param
