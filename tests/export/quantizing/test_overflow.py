import numpy as np
import pytest

from keras_bin.export.quantizing.overflow import overflows
from keras_bin.export.quantizing.running import in_onnx_runtime, in_openvino


def unfused(path):
    return in_onnx_runtime(path, fuses=False)


def test_sums_in_float_do_not_overflow(tmp_path):
    assert not overflows(unfused, tmp_path)


def test_pairs_in_16_bits_do(tmp_path):
    """What processors without VNNI compute, in NumPy."""

    def load(_path):
        def run(batch):
            pairs = np.minimum(batch["x"].reshape(1, 8, 2, -1).sum(2) * 127, 2**15 - 1)
            return {"y": pairs.sum(1)}

        return run

    assert overflows(load, tmp_path)


@pytest.mark.parametrize("load", [in_onnx_runtime, in_openvino])
def test_runtimes_of_one_processor_agree(load, tmp_path):
    pytest.importorskip("openvino", reason="needs the extra `runtimes`")
    assert overflows(load, tmp_path) == overflows(in_onnx_runtime, tmp_path)
