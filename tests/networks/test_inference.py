"""Models run in inference mode, directly and as the function that is served."""

import numpy as np
import pytest
import tensorflow as tf

from keras_bin.networks.inference import run_model, serving_function
from keras_bin.networks.signature import model_signature
from tests.export.kinds import IMAGE, KINDS
from tests.export.values import arrays, predict


@pytest.mark.parametrize("kind", ["dicts", "lists", "list_of_one", "shared_model"])
def test_model_runs_on_flat_inputs(kind):
    model = KINDS[kind]()
    values = arrays(model, 3)
    for own, theirs in zip(run_model(model, values), predict(model, values), strict=True):
        np.testing.assert_array_equal(own, theirs)


@pytest.mark.tensorflow
def test_serving_function_maps_flat_tensors_to_named_ones():
    model = KINDS["dicts"]()
    serve = serving_function(model, model_signature(model))
    assert [spec.name for spec in serve.input_signature] == ["left", "right"]
    assert [tuple(spec.shape) for spec in serve.input_signature] == [(None, *IMAGE)] * 2
    values = arrays(model, 2)
    got = serve(*map(tf.constant, values))
    assert list(got) == ["image", "mask"]
    for own, theirs in zip(got.values(), predict(model, values), strict=True):
        # Traced and eager operations may round differently in float32.
        np.testing.assert_allclose(own, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.tensorflow
def test_serving_function_runs_in_inference_mode():
    model = KINDS["dropout"]()
    serve = serving_function(model, model_signature(model))
    x = tf.ones((64, *IMAGE))
    (first,), (second,) = serve(x).values(), serve(x).values()
    np.testing.assert_array_equal(first, second)
