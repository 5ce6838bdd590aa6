"""SavedModels whose weights stay variables, at a limit that small models reach."""

import functools

import pytest
import tensorflow as tf

from keras_bin.export import export_saved_model
from keras_bin.export.models import weight_size
from tests.export.kinds import HALF_KINDS, KINDS, of_policy

MODELS = {
    "float32": KINDS["functional"],
    "loop": KINDS["recurrent"],
    "pure_float16": HALF_KINDS["pure_float16"],
    "pure_float16_loop": functools.partial(of_policy, KINDS["recurrent"], "float16"),
    "mixed_bfloat16": HALF_KINDS["mixed_bfloat16"],
}


@pytest.mark.parametrize("build", MODELS.values(), ids=MODELS)
@pytest.mark.filterwarnings("ignore:Model .* computes in half precision")
def test_weights_are_variables_in_their_own_precision(build, tmp_path, monkeypatch):
    monkeypatch.setattr(weight_size, "LARGEST_INSIDE", 0)
    model = build()
    report = export_saved_model(model, tmp_path)
    assert report.max_abs_difference < 1e-5
    loaded = tf.saved_model.load(str(report.path))
    stored = {(tuple(value.shape), value.dtype.name) for value in loaded.captured}
    weights = {(tuple(weight.shape), weight.dtype) for weight in model.weights}
    kernels = {(shape, dtype) for shape, dtype in weights if len(shape) > 1}
    assert kernels <= stored <= weights  # those of BIN layers are constants
