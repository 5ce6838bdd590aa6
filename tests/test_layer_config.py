"""BatchInstanceNormalization as a Keras object: config, files, weights and their rules, fit."""

import copy
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

import keras_bin
from tests import cases

WEIGHTS = ["gamma", "beta", "rho", "moving_mean", "moving_variance"]
CHANGED = {
    "axis": 2,
    "momentum": 0.5,
    "epsilon": 0.25,
    "center": True,
    "scale": True,
    "beta_initializer": keras.initializers.Constant(0.5),
    "gamma_initializer": keras.initializers.RandomUniform(0, 1, seed=3),
    "moving_mean_initializer": keras.initializers.Constant(2.0),
    "moving_variance_initializer": keras.initializers.Constant(4.0),
    "beta_regularizer": keras.regularizers.L1(0.125),
    "gamma_regularizer": keras.regularizers.L2(0.25),
    "beta_constraint": keras.constraints.NonNeg(),
    "gamma_constraint": keras.constraints.MaxNorm(3),
    "synchronized": keras.backend.backend() == "tensorflow",  # the only one that has it
    "rho_initializer": keras.initializers.Constant(0.75),
    "rho_regularizer": keras.regularizers.L2(0.5),
    "rho_constraint": keras.constraints.NonNeg(),
    "name": "own",
    "dtype": "mixed_bfloat16",
    "trainable": False,
}
ARGUMENTS = pytest.mark.parametrize(
    "arguments",
    [{}, CHANGED, {"center": False, "scale": False}, {"rho_constraint": None}],
    ids=["defaults", "all changed", "no gamma, no beta", "no constraint"],
)


@ARGUMENTS
def test_config_round_trips_and_building_leaves_it_alone(arguments):
    layer = keras_bin.BatchInstanceNormalization(**arguments)
    before = copy.deepcopy(layer.get_config())
    layer.build((None, 4, 3))
    assert layer.get_config() == before
    again = keras_bin.BatchInstanceNormalization.from_config(layer.get_config())
    assert again.get_config() == before


@pytest.mark.parametrize("name", [name for name in CHANGED if name != "dtype"])
def test_config_keeps_each_argument(name):
    arguments = {**CHANGED, "center": False, "scale": False}
    layer = keras_bin.BatchInstanceNormalization(**arguments)
    kept = keras_bin.BatchInstanceNormalization.from_config(layer.get_config())
    value, expected = getattr(kept, name), arguments[name]
    if hasattr(expected, "get_config"):
        assert type(value) is type(expected)
        value, expected = value.get_config(), expected.get_config()
    assert value == expected


def test_name_is_registered():
    cls = keras_bin.BatchInstanceNormalization
    assert keras.saving.get_registered_name(cls) == "keras_bin>BatchInstanceNormalization"


def saved_model(path, arguments):
    """Saves a net whose BIN layer holds weights that no initializer makes."""
    inputs = keras.Input((6, 3))
    layer = keras_bin.BatchInstanceNormalization(**{**arguments, "name": "bin"})
    model = keras.Model(inputs, layer(inputs))
    rng = np.random.default_rng(0)
    layer.set_weights([rng.uniform(0.1, 0.9, weight.shape) for weight in layer.weights])
    model.save(path)
    return model


@ARGUMENTS
def test_file_keeps_config_weights_and_output(arguments, tmp_path):
    model = saved_model(tmp_path / "model.keras", arguments)
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    layer, kept = (each.get_layer("bin") for each in (model, loaded))
    assert kept.get_config() == layer.get_config()
    for first, second in zip(layer.get_weights(), kept.get_weights(), strict=True):
        np.testing.assert_array_equal(second, first)
    x = cases.random_input((2, 6, 3)).astype("float32")
    np.testing.assert_array_equal(cases.numpy(loaded(x)), cases.numpy(model(x)))


@pytest.mark.slow
def test_file_loads_in_a_process_that_only_imports_the_package(tmp_path):
    path = tmp_path / "model.keras"
    model = saved_model(path, CHANGED)
    program = f"""
import keras, keras_bin
model = keras.saving.load_model({str(path)!r})
print([weight.path for weight in model.weights], float(model.weights[2][1]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    weights = [weight.path for weight in model.weights]
    assert done.stdout.strip() == f"{weights} {float(model.weights[2][1])}"


@pytest.mark.tensorflow
@pytest.mark.filterwarnings("ignore:In the future `np.object`:FutureWarning")
def test_saved_model_of_an_unfolded_layer_loads(tmp_path):
    """Keras's own export, read back as TensorFlow and as Keras read it."""
    model = saved_model(tmp_path / "model.keras", CHANGED)
    model.export(str(tmp_path / "exported"), verbose=False)
    x = cases.random_input((2, 6, 3)).astype("float32")
    layer = keras.layers.TFSMLayer(str(tmp_path / "exported"), call_endpoint="serve")
    np.testing.assert_allclose(cases.numpy(layer(x)), cases.numpy(model(x)), rtol=1e-6, atol=1e-6)


def test_weights_order_shape_and_trainability():
    layer = keras_bin.BatchInstanceNormalization(axis=1)
    layer.build((None, 7, 4, 3))
    assert [weight.name for weight in layer.weights] == WEIGHTS
    assert [weight.name for weight in layer.trainable_weights] == WEIGHTS[:3]
    assert {tuple(weight.shape) for weight in layer.weights} == {(7,)}
    np.testing.assert_array_equal(layer.get_weights(), np.outer([1, 0, 1, 0, 1], np.ones(7)))


BN_CONFIG = {
    **keras.layers.BatchNormalization(axis=2, momentum=0.5, center=False, name="bn").get_config(),
    # Keras 3.9 has none of these.
    "renorm": False,
    "renorm_clipping": None,
    "renorm_momentum": 0.99,
}


@pytest.mark.parametrize(
    "make",
    [
        lambda config: keras_bin.BatchInstanceNormalization(**config),
        keras_bin.BatchInstanceNormalization.from_config,
    ],
    ids=["constructor", "from_config"],
)
def test_config_of_batch_normalization_is_taken(make):
    layer = make(dict(BN_CONFIG))
    kept = layer.get_config()
    assert not [name for name in kept if name.startswith("renorm")]
    assert {name: kept[name] for name in BN_CONFIG if name in kept} == {
        name: value for name, value in BN_CONFIG.items() if not name.startswith("renorm")
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("renorm", True), ("renorm_clipping", {"rmax": 3.0}), ("renorm_momentum", 0.9)],
)
def test_batch_renormalization_is_refused(name, value):
    message = re.escape(f"Leave `{name}` out") + ".*" + re.escape(f"Received: {name}={value!r}")
    with pytest.raises(ValueError, match=message):
        keras_bin.BatchInstanceNormalization(**{**BN_CONFIG, name: value})
