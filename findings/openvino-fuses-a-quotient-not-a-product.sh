#!/usr/bin/env bash
# Guess: OpenVINO turns an instance normalization in a TensorFlow SavedModel into the same operator, MVN, whether it
#   divides by the standard deviation or multiplies by its reciprocal (tf.math.rsqrt), as tf.nn.batch_normalization does.
# Seen, openvino 2026.4.1, tensorflow-cpu 2.21.0, CPU plugin: the quotient becomes MVN, the product does not: it remains
#   two means and a series of elementwise operators. A ResNet-20 whose 19 normalizations are such products took 1.5
#   times as long as one with quotients (1 image, 2 threads). The results are equal.
# Fails if either form changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet tensorflow-cpu==2.21.0 openvino==2026.4.1 numpy==2.4.6
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import openvino
import tensorflow as tf


def normalize(form):
    @tf.function(input_signature=[tf.TensorSpec((None, 16, 16, 8), tf.float32, name="x")], autograph=False)
    def serve(x):
        y = tf.nn.conv2d(x, np.full((1, 1, 8, 8), 0.1, "float32"), 1, "SAME")
        centred = y - tf.reduce_mean(y, [1, 2], keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), [1, 2], keepdims=True)
        if form == "quotient":
            return {"y": centred / tf.sqrt(variance + 1e-3)}
        return {"y": centred * tf.math.rsqrt(variance + 1e-3)}

    return serve


images = np.random.default_rng(0).normal(size=(2, 16, 16, 8)).astype("float32")
found, results = {}, []  # number of MVN by form
for form in ("quotient", "product"):
    module = tf.Module()
    module.serve = normalize(form)
    tf.saved_model.save(module, form, {"serving_default": module.serve})
    compiled = openvino.Core().compile_model(form, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    results.append(compiled([images])[0])
    kinds = [str(node.get_rt_info()["layerType"].astype(str)) for node in
             compiled.get_runtime_model().get_ordered_ops()]
    found[form] = kinds.count("MVN")
    print(form, kinds)
np.testing.assert_allclose(*results, rtol=1e-4, atol=1e-4)
assert found == {"quotient": 1, "product": 0}, found
PYTHON
