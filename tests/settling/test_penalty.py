"""The penalty on instance branches, and what the tenfold step of rho does to it."""

import math

import keras
import numpy as np
import pytest

import keras_bin
from keras_bin import InstancePenalty
from tests.settling.nets import build, compiled, gates, pictures

RATE, STRENGTH = 0.01, 0.3


def gates_after_a_step(penalty, scale, optimizer=None):
    """Takes one step from 0.4; returns how far each gate went, all layers in a row."""
    model = build(lambda *graph: keras_bin.BINModel(*graph, rho_gradient_scale=scale))
    for name in gates(model):
        model.get_layer(name).rho.regularizer = penalty
    compiled(model, optimizer or keras.optimizers.SGD(RATE), run_eagerly=True)
    model.fit(*pictures(16), batch_size=16, shuffle=False, verbose=0)
    return np.concatenate(list(gates(model).values())) - np.float32(0.4)


@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_penalty_moves_each_gate_by_the_scaled_step(scale):
    without, with_it = (
        gates_after_a_step(each, scale) for each in (None, InstancePenalty(STRENGTH))
    )
    # float32 rounding of gates near 0.4.
    np.testing.assert_allclose(with_it - without, RATE * scale * STRENGTH, rtol=0, atol=1e-6)


def test_scale_makes_steps_longer_but_turns_none_around():
    """So gates come to rest where they would without it."""
    penalty = InstancePenalty(0.004)  # of the size of the gradients of the loss
    once, ten_times = (gates_after_a_step(penalty, scale) for scale in (1.0, 10.0))
    assert 0 < np.mean(once > 0) < 1
    # float32 rounding of gates near 0.4, ten times.
    np.testing.assert_allclose(ten_times, 10 * once, rtol=0, atol=1e-6)


def test_value_is_the_strength_for_each_gate_at_0():
    rho = np.float32([0, 0.25, 1])
    assert float(InstancePenalty(2)(rho)) == 3.5


def test_config_goes_through_a_file(tmp_path):
    layer = keras_bin.BatchInstanceNormalization(rho_regularizer=InstancePenalty(0.5))
    model = keras.Sequential([keras.Input((4, 4, 2)), layer])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.layers[0].rho_regularizer.strength == 0.5


@pytest.mark.parametrize("strength", [-1, math.inf, math.nan, "strong", None], ids=repr)
def test_strength_out_of_its_range_is_refused(strength):
    with pytest.raises(ValueError, match=r"`strength` must be .* Received: strength="):
        InstancePenalty(strength)
