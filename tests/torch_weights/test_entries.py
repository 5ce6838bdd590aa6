"""load_torch_state_dict: which weights come of which entries, and what is refused."""

import math

import keras
import numpy as np
import pytest

import keras_bin
from tests.torch_weights.entries import built, entries, weights_of


@pytest.mark.parametrize("wrap", [lambda s: {"state_dict": s, "epoch": 3}, lambda s: {"model": s}])
@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.module.", "module._orig_mod.", ""])
def test_state_dict_of_a_wrapped_module_inside_a_checkpoint(wrap, prefix):
    layer = built()
    checkpoint = wrap(entries(prefix=f"{prefix}bn1."))
    result = keras_bin.load_torch_state_dict(layer, checkpoint, count=100)
    assert result.loaded == [(layer.path, "bn1")]
    np.testing.assert_allclose(layer.beta, entries()["bias"], rtol=1e-6, atol=0)


def test_entries_go_to_their_weights():
    layer, values = built(), entries()
    result = keras_bin.load_torch_state_dict(layer, values, count=50)
    assert result.loaded == [(layer.path, "")]
    expected = [values[name] for name in ("weight", "bias", "gate", "running_mean")]
    for found, value in zip(
        weights_of(layer), [*expected, values["running_var"] * 0.98], strict=True
    ):
        np.testing.assert_allclose(found, value, rtol=1e-6, atol=0)


def test_layer_without_gate_scale_and_offset_is_batch_normalization():
    layer = built()
    layer.set_weights([np.full(3, value) for value in (2.0, 2.0, 0.5, 2.0, 2.0)])
    values = entries(gate=None, weight=None, bias=None)
    keras_bin.load_torch_state_dict(layer, values, count=math.inf)
    np.testing.assert_array_equal(weights_of(layer)[:3], [[1] * 3, [0] * 3, [1] * 3])


@pytest.mark.usefixtures("float64")
def test_entries_of_equal_branches_stay_as_they_are():
    """To the last digit: gates, and what is the same in both branches."""
    rng = np.random.default_rng(0)
    gate, weight, bias = rng.uniform(0, 1, 50), rng.normal(size=50), rng.normal(size=50)
    values = {"gate": gate, "bat_n.running_mean": bias, "bat_n.running_var": gate}
    for branch in ("bat_n", "ins_n"):
        values |= {f"{branch}.weight": weight, f"{branch}.bias": bias}
    layer = built(channels=50)
    keras_bin.load_torch_state_dict(layer, values, count=math.inf)
    np.testing.assert_array_equal(weights_of(layer), [weight, bias, gate, bias, gate])


def test_gate_stays_where_no_branch_has_a_scale():
    layer, zero = built(), np.zeros(3)
    values = {"gate": np.array([1.0, 0.5, 0.0]), "bat_n.weight": np.array([0.0, 0.0, 2.0])}
    values |= {"ins_n.weight": np.array([3.0, 0.0, 0.0])}
    values |= {"bat_n.running_mean": zero, "bat_n.running_var": zero}
    keras_bin.load_torch_state_dict(layer, values, count=math.inf)
    np.testing.assert_array_equal(layer.gamma, zero)
    np.testing.assert_array_equal(layer.rho, values["gate"])


def test_half_of_the_channels_may_be_bin():
    """The batch half of IBN-Net may itself have a gate, as MetaBIN's library offers."""
    layer = built(channels=5)
    values = {f"BN.{name}": value for name, value in entries(3).items()}
    values |= {"IN.weight": np.array([3.0, 4.0]), "IN.bias": np.array([5.0, 6.0])}
    keras_bin.load_torch_state_dict(layer, values, count=math.inf)
    gamma, beta, rho, _, variance = weights_of(layer)
    np.testing.assert_array_equal(rho, [0, 0, 0, 0.5, 1])
    np.testing.assert_array_equal(variance[:2], [1, 1])
    np.testing.assert_allclose(gamma, [3, 4, *entries()["weight"]], rtol=1e-6, atol=0)
    np.testing.assert_allclose(beta, [5, 6, *entries()["bias"]], rtol=1e-6, atol=0)


class Tensor:
    """Has the methods of torch.Tensor that loading needs, and NumPy's only when it may."""

    def __init__(self, values, dtype="bfloat16", needs=("detach", "cpu")):
        self.values, self.dtype, self.needs = values, dtype, needs

    def _without(self, need):
        return Tensor(self.values, self.dtype, [each for each in self.needs if each != need])

    def detach(self):
        return self._without("detach")

    def cpu(self):
        return self._without("cpu")

    def is_floating_point(self):
        return True

    def double(self):
        return Tensor(self.values, "float64", self.needs)

    def __array__(self, dtype=None, copy=None):
        if self.needs or self.dtype == "bfloat16":
            raise TypeError(f"Can't convert: needs {self.needs}, is {self.dtype}")
        return np.asarray(self.values, "float64")


def test_tensors_that_require_gradients_on_any_device_in_bfloat16():
    layer, values = built(), entries()
    tensors = {name: Tensor(value) for name, value in values.items()}
    keras_bin.load_torch_state_dict(layer, tensors, count=math.inf)
    np.testing.assert_allclose(layer.gamma, values["weight"], rtol=1e-6, atol=0)


NAN, BELOW = np.array([1, np.nan, 1.0]), np.array([0.5, -0.1, 1.0])
WRONG = {
    "shape": ({"bias": np.zeros(4)}, r"one value per channel.*bn\.bias of shape \(4,\) for 3"),
    "one value": ({"gate": np.array(0.5)}, r"bn\.gate of shape \(\) for 3"),
    "rank": ({"bias": np.zeros((3, 3))}, r"bn\.bias of shape \(3, 3\)"),
    "not finite": ({"weight": NAN}, r"must be finite.*bn\.weight with 1 of 3"),
    "gate below 0": ({"gate": BELOW}, r"in \[0, 1\].*bn\.gate from -0\.1 to 1\.0, 1 outside"),
    "gate above 1": ({"gate": 1 + BELOW}, r"bn\.gate from 0\.9 to 2\.0, 2 outside"),
    "negative variance": ({"running_var": BELOW}, r"not be negative.*minimum of -0\.1"),
    "booleans": ({"bias": np.zeros(3, bool)}, r"real numbers.*bool holds no real numbers"),
    "complex": ({"bias": np.zeros(3, complex)}, r"real numbers.*bn\.bias of type ndarray"),
    "text": ({"bias": "abc"}, r"real numbers.*bn\.bias of type str"),
    "ragged": ({"bias": [[1], [2, 3]]}, r"real numbers.*bn\.bias of type list"),
    "no statistics": ({"running_mean": None}, r"needs `running_mean`.*gate, weight, bias"),
    "gate alone": ({"running_mean": None, "running_var": None}, r"needs `running_mean`"),
    "another kind": (
        {"mean_weight": np.zeros(3)},
        r"a normalization other than.*Received: bn\.mean_weight",
    ),
    "statistics of instances": (
        {"gate": np.ones(3), "bat_n.running_mean": np.zeros(3), "bat_n.running_var": np.ones(3)}
        | {name: None for name in ("weight", "bias", "running_mean", "running_var")}
        | {"ins_n.running_mean": np.zeros(3)},
        r"a normalization other than.*Received: bn\.ins_n\.running_mean",
    ),
    "opposite signs": (
        {
            "gate": np.full(3, 0.5),
            "bat_n.running_mean": np.zeros(3),
            "bat_n.running_var": np.ones(3),
        }
        | {name: None for name in ("weight", "bias", "running_mean", "running_var")}
        | {"ins_n.weight": np.array([1.0, -1.0, 2.0])},
        r"one gamma.*opposite signs in bn, channels \[1\]",
    ),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG)
def test_entries_that_do_not_fit_are_refused_and_nothing_is_assigned(changes, message):
    model = keras.Sequential(
        [
            keras.Input((6, 5, 3)),
            *(
                keras_bin.BatchInstanceNormalization(epsilon=1e-5, name=name)
                for name in ("a", "bn")
            ),
        ]
    )
    before = weights_of(model)
    values = entries(prefix="a.") | entries(prefix="bn.", **changes)
    with pytest.raises(ValueError, match=message):
        keras_bin.load_torch_state_dict(model, values, count=100)
    for found, expected in zip(weights_of(model), before, strict=True):
        np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("state_dict", [[1], {1: 2}, None], ids=str)
def test_state_dict_without_names_is_refused(state_dict):
    with pytest.raises(TypeError, match=r"must map names to arrays.*Received: state_dict of type"):
        keras_bin.load_torch_state_dict(built(), state_dict, count=100)
