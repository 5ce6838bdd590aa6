"""load_torch_state_dict: results of PyTorch after loading, counts, and layers it refuses."""

import math
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_bin
from tests import cases
from tests.torch_weights.entries import built, entries, weights_of

DATA = Path(__file__).parents[1] / "data"
TRAJECTORY = np.load(DATA / "trajectory.npz", allow_pickle=False)
NET = np.load(DATA / "torch_weights.npz", allow_pickle=False)
TORCH_NAMES = {
    "gate": "rho",
    "weight": "gamma",
    "bias": "beta",
    "running_mean": "running_mean",
    "running_var": "running_var",
}


def convolution(filters, name):
    return keras.layers.Conv2D(filters, 3, padding="same", use_bias=False, name=name)


def load_kernels(model, kernels):
    for name, kernel in kernels.items():
        layer = model.get_layer(name)
        rest = layer.get_weights()[1:]
        layer.set_weights([np.transpose(kernel, (*range(2, kernel.ndim), 1, 0)), *rest])


def trajectory_net():
    inputs = keras.Input((12, 12, 3))
    x = inputs
    for index, filters in ((1, 8), (2, 12)):
        x = convolution(filters, f"conv{index}")(x)
        x = keras_bin.BatchInstanceNormalization(epsilon=1e-5, name=f"bin{index}")(x)
        x = keras.layers.ReLU(name=f"relu{index}")(x)
    x = keras.layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, keras.layers.Dense(5, name="dense")(x))
    load_kernels(model, {n: TRAJECTORY[f"final/{n}_kernel"] for n in ("conv1", "conv2", "dense")})
    model.get_layer("dense").bias.assign(TRAJECTORY["final/dense_bias"])
    return model


def trajectory_state():
    """Returns the state dict of the official implementation after its 30 steps."""
    return {
        f"{layer}.{name}": TRAJECTORY[f"final/{layer}_{stored}"]
        for layer in ("bin1", "bin2")
        for name, stored in TORCH_NAMES.items()
    }


@pytest.mark.usefixtures("float64")
def test_net_of_the_authors_computes_their_logits():
    model = trajectory_net()
    keras_bin.load_torch_state_dict(model, trajectory_state(), count=math.inf)
    features = keras.Model(model.input, model.get_layer("relu2").output)
    images = cases.numpy(features(np.moveaxis(TRAJECTORY["test_x"], 1, -1)))
    # Outside of TensorFlow, the last two layers are in float32 (Keras 3.15).
    logits = (
        images.mean((1, 2)) @ TRAJECTORY["final/dense_kernel"].T + TRAJECTORY["final/dense_bias"]
    )
    np.testing.assert_allclose(logits, TRAJECTORY["test_logits"], rtol=0, atol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    "count",
    [
        16 * 12 * 12,
        {"bin1": 16 * 12 * 12, "bin2": 16 * 12 * 12},
        lambda layer: 16 * 144 if layer.name.startswith("bin") else 2,
    ],
    ids=["number", "dict", "function"],
)
def test_count_makes_variances_biased(count):
    model = trajectory_net()
    keras_bin.load_torch_state_dict(model, trajectory_state(), count=count)
    for name in ("bin1", "bin2"):
        found = cases.numpy(model.get_layer(name).moving_variance)
        # 0.9**30 of the initial variance is left in both, and was never unbiased.
        initial = 0.9**30 * TRAJECTORY[f"init/{name}_running_var"]
        expected = TRAJECTORY[f"final/{name}_running_var_biased"] - initial / (16 * 144)
        np.testing.assert_allclose(found, expected, rtol=1e-12, atol=0)


def test_parameters_are_taken_as_they_are():
    torch = pytest.importorskip("torch")
    state = {k: torch.nn.Parameter(torch.tensor(v)) for k, v in trajectory_state().items()}
    model = trajectory_net()
    keras_bin.load_torch_state_dict(model, state, count=math.inf)
    for name in ("bin1", "bin2"):
        found = cases.numpy(model.get_layer(name).rho)
        np.testing.assert_allclose(found, TRAJECTORY[f"final/{name}_rho"], rtol=0, atol=1e-7)


def torch_net():
    """Returns the Keras twin of the net in data/torch_weights.py, with other names and nesting."""

    def block(x, name):
        inputs = keras.Input(x.shape[1:])
        y = convolution(5, "conv1")(inputs)
        y = keras_bin.BatchInstanceNormalization(epsilon=1e-5, name="bn1")(y)
        return keras.Model(inputs, keras.layers.ReLU()(y), name=name)(x)

    inputs = keras.Input((6, 5, 3))
    x = convolution(5, "conv1")(inputs)
    x = keras_bin.BatchInstanceNormalization(epsilon=1e-5, name="bn1")(x)
    x = block(keras.layers.ReLU()(x), "layer1_0")
    x = block(x, "layer1_1")
    x = block(x, "layer2_0")
    x = keras.layers.GlobalAveragePooling2D()(x)
    x = keras.layers.BatchNormalization(epsilon=1e-5, name="neck")(x)
    model = keras.Model(inputs, keras.layers.Dense(3, name="fc")(x))
    load_kernels(model, {name: state(f"{name}.weight") for name in ("conv1", "fc")})
    model.get_layer("fc").bias.assign(state("fc.bias"))
    for name in ("layer1.0", "layer1.1", "layer2.0"):
        kernel = state(f"{name}.conv1.weight")
        load_kernels(model.get_layer(name.replace(".", "_")), {"conv1": kernel})
    return model


def state(key):
    return NET[f"state/module.{key}"]


def torch_state():
    return {
        key.removeprefix("state/"): NET[key] for key in NET.files if key.startswith("state/module")
    }


def torch_inputs():
    return np.moveaxis(NET["x"], 1, -1)


@pytest.mark.usefixtures("float64")
def test_every_kind_of_normalization_computes_what_pytorch_computed():
    """The authors' layer, MetaBIN's two, IBN-Net's and a batch normalization of vectors."""
    model = torch_net()
    result = keras_bin.load_torch_state_dict(model, torch_state(), count=math.inf)
    assert [prefix for _, prefix in result.loaded] == [
        "bn1",
        "layer1.0.bn1",
        "layer1.1.bn1",
        "layer2.0.bn1",
        "neck",
    ]
    assert (result.missing, result.unexpected) == ([], [])
    for training, expected in ((False, NET["inference"]), (True, NET["training"])):
        found = model(torch_inputs(), training=training)
        atol = max(1e-12, cases.KERAS_ERROR)  # of the last three layers
        np.testing.assert_allclose(found, expected, rtol=0, atol=atol, err_msg=f"{training=}")


def test_missing_count_is_said_once_with_the_size():
    model = keras.Sequential(
        [
            keras.Input((6, 5, 3)),
            *(
                keras_bin.BatchInstanceNormalization(epsilon=1e-5, name=name)
                for name in ("a", "b", "c")
            ),
        ]
    )
    values = entries(prefix="a.") | entries(prefix="b.") | entries(prefix="c.")
    with pytest.warns(
        UserWarning, match=r"1\.6 % at 64 .* no count for 'sequential/a', 'sequential/c'$"
    ):
        keras_bin.load_torch_state_dict(model, values, count={"b": 30})
    variances = [weights_of(layer)[-1] / entries()["running_var"] for layer in model.layers]
    np.testing.assert_allclose(variances, np.transpose([[1, 29 / 30, 1]] * 3), rtol=1e-6, atol=0)


BIN, BN = keras_bin.BatchInstanceNormalization, keras.layers.BatchNormalization


@pytest.mark.parametrize(
    ("layer", "changes", "message"),
    [
        (BIN(name="n"), {}, r"`eps` of PyTorch's.*epsilon=1e-05 and 'n with epsilon=0.001'"),
        (BIN(epsilon=1e-5, scale=False, name="n"), {}, r"'n' has no gamma.*gamma from"),
        (BIN(epsilon=1e-5, center=False, name="n"), {}, r"'n' has no beta.*beta from"),
        (BN(epsilon=1e-5, name="n"), {}, r"'n' has no rho.*rho from 0\.0 to 1\.0"),
        (
            BIN(epsilon=1e-5, dtype="float16", name="n"),
            {"running_var": np.array([1, 1e5, 1])},
            r"finite in the dtype.*moving_variance up to 9.*float16",
        ),
    ],
    ids=["epsilon", "no gamma", "no beta", "batch normalization", "half precision"],
)
def test_layers_that_cannot_compute_the_same_are_refused(layer, changes, message):
    before = weights_of(built(layer))
    with pytest.raises(ValueError, match=message):
        keras_bin.load_torch_state_dict(layer, entries(**changes), count=100)
    for found, expected in zip(weights_of(layer), before, strict=True):
        np.testing.assert_array_equal(found, expected)


def test_layer_without_scale_takes_a_scale_of_ones():
    layer = built(BN(epsilon=1e-5, scale=False))
    values = entries(gate=np.ones(3), weight=np.ones(3))
    keras_bin.load_torch_state_dict(layer, values, count=math.inf)
    np.testing.assert_allclose(layer.beta, values["bias"], rtol=1e-6, atol=0)


@pytest.mark.parametrize("epsilon", [1e-3, None], ids=["PyTorch's", "unchecked"])
def test_epsilon_of_pytorch_may_be_another(epsilon):
    layer = built(BIN())
    keras_bin.load_torch_state_dict(layer, entries(), count=100, epsilon=epsilon)
    np.testing.assert_array_equal(layer.rho, [0, 0.5, 1])


def test_layer_that_is_not_built_is_refused():
    with pytest.raises(ValueError, match=r"must be built.*unbuilt 'n'"):
        keras_bin.load_torch_state_dict(BIN(epsilon=1e-5, name="n"), entries(), count=100)


@pytest.mark.parametrize("count", [1, 0, -4, math.nan, "64", {"n": 1}], ids=str)
def test_count_of_one_or_less_is_refused(count):
    layer = built(BIN(epsilon=1e-5, name="n"))
    with pytest.raises(ValueError, match=r"`count` must be above 1.*Received: count="):
        keras_bin.load_torch_state_dict(layer, entries(), count=count)
