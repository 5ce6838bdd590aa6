"""Serving SavedModels: signatures, names, shapes, and equal numbers in another process."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bin.export import export_saved_model
from testing.weights import randomize
from tests.export.kinds import BIN, HALF_KINDS, IMAGE, KINDS, classifier
from tests.export.serving import (
    OUTPUT_NAMES,
    SAVED_MODEL,
    assert_served,
    serve_in_process,
    serving,
)
from tests.export.values import arrays, predict

# One kind for each thing that signatures or tracing could get wrong.
KINDS_SERVED = (
    "functional",
    "sequential",
    "lists",
    "dicts",
    "free_sizes",
    "masked",
    "mask_as_argument",
    "without_bin",
    "adapted_normalization",
    "lambda_with_closure",
    "operations",
    "dropout",
)


def shapes(specs):
    return {name: tuple(spec.shape) for name, spec in specs.items()}


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    return serve_in_process(SAVED_MODEL, KINDS_SERVED, export_saved_model, folder)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS_SERVED)
def test_process_without_keras_computes_the_same(kind, served):
    assert_served(served[kind], OUTPUT_NAMES.get(kind))


@pytest.mark.parametrize("signature", ["serving_default", "serve"])
def test_signatures_have_free_batch_and_names(signature, tmp_path):
    model = KINDS["dicts"]()
    serve = serving(export_saved_model(model, tmp_path).path, signature)
    assert shapes(serve.structured_input_signature[1]) == {
        "left": (None, *IMAGE),
        "right": (None, *IMAGE),
    }
    assert shapes(serve.structured_outputs) == {"image": (None, 6, 4, 3), "mask": (None, *IMAGE)}


@pytest.mark.parametrize(
    ("kind", "inputs", "outputs"),
    [
        ("functional", {"image": (None, *IMAGE)}, {"head": (None, 2)}),
        ("binmodel", {"image": (None, *IMAGE)}, {"head": (None, 2)}),
        (
            "lists",
            {"left": (None, *IMAGE), "right": (None, *IMAGE)},
            {"z": (None, *IMAGE), "a": (None, 6, 4, 3), "z_1": (None, *IMAGE)},
        ),
    ],
)
def test_names_and_shapes(kind, inputs, outputs, tmp_path):
    serve = serving(export_saved_model(KINDS[kind](), tmp_path).path)
    assert shapes(serve.structured_input_signature[1]) == inputs
    assert shapes(serve.structured_outputs) == outputs


def test_fixed_batch_size_becomes_free(tmp_path):
    model = KINDS["fixed_batch"]()
    serve = serving(export_saved_model(model, tmp_path).path)
    (spec,) = serve.structured_input_signature[1].values()
    assert tuple(spec.shape) == (None, *IMAGE)


def test_free_sizes_stay_free(tmp_path):
    serve = serving(export_saved_model(KINDS["free_sizes"](), tmp_path).path)
    (spec,) = serve.structured_input_signature[1].values()
    assert tuple(spec.shape) == (None, None, None, 3)


@pytest.mark.parametrize("kind", ["mixed_float16", "pure_float16"])
def test_half_precision_is_exported_in_float32_and_says_so(kind, tmp_path):
    model = HALF_KINDS[kind]()
    with pytest.warns(UserWarning, match=f"'{model.name}' computes in half precision"):
        report = export_saved_model(model, tmp_path)
    assert report.cast_to_float32
    assert "cast to float32" in str(report)
    serve = serving(report.path)
    assert {spec.dtype for spec in serve.structured_outputs.values()} == {tf.float32}
    twin = randomize(classifier())
    twin.set_weights(model.get_weights())
    x = tf.constant(arrays(model, 3)[0])
    # Half precision itself is 1e-3 off; float32 rounding is below this.
    np.testing.assert_allclose(serve(image=x)["head"], predict(twin, [x])[0], rtol=1e-5, atol=1e-5)


def test_layers_folded_counts_shared_layers_once(tmp_path):
    for kind, count in {"nested_twice": 3, "shared_across_models": 1, "without_bin": 0}.items():
        assert export_saved_model(KINDS[kind](), tmp_path / kind).layers_folded == count


def test_two_outputs_never_share_a_name(tmp_path):
    """A layer used twice is numbered, and another layer may have that very name."""
    first, second = keras.Input(IMAGE), keras.Input(IMAGE)
    head, other = keras.layers.Dense(2, name="dense"), keras.layers.Dense(2, name="dense_1")
    model = keras.Model([first, second], [head(first), head(second), other(first)])
    report = export_saved_model(model, tmp_path)
    assert len(serving(report.path).structured_outputs) == 3


def test_input_name_that_tensorflow_would_change_is_changed(tmp_path):
    inputs = keras.Input(IMAGE, name="my-image")
    path = export_saved_model(keras.Model(inputs, BIN()(inputs)), tmp_path).path
    assert list(serving(path).structured_input_signature[1]) == ["my_image"]


def test_sizes_that_only_tensorflow_knows_are_no_error(tmp_path):
    """The output sizes of this EinsumDense are given as None; TensorFlow infers them."""
    inputs = keras.Input(IMAGE)
    dense = keras.layers.EinsumDense("abcd,de->abce", output_shape=(None, None, 4))
    model = randomize(keras.Model(inputs, BIN()(dense(inputs))))
    assert export_saved_model(model, tmp_path).path.name == "1"
