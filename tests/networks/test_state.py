"""What is run leaves a model as it was."""

import contextlib

import keras
import numpy as np
import pytest
from keras import layers, ops

from keras_bin.networks.state import restored, variables_of
from tests.export.kinds import BIN, IMAGE


class Counter(layers.Layer):
    """Counts its calls, in a variable and a metric, and adds random numbers."""

    def __init__(self, trainable_count, **kwargs):
        super().__init__(**kwargs)
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=trainable_count)
        self.metric = keras.metrics.Sum()
        self.seeds = keras.random.SeedGenerator(3)

    def call(self, inputs):
        self.count.assign(self.count + 1)
        self.metric.update_state(1)
        return inputs + keras.random.normal(ops.shape(inputs), seed=self.seeds)


@pytest.mark.parametrize("trainable", [True, False])
@pytest.mark.parametrize("fails", [False, True], ids=["runs", "fails"])
def test_weights_and_states_are_as_before(trainable, fails):
    inputs = keras.Input(IMAGE, name="image")
    model = keras.Model(inputs, BIN()(Counter(trainable)(inputs)))
    variables = model.variables + model.metrics_variables
    before = [np.array(variable) for variable in variables]
    with contextlib.suppress(ZeroDivisionError), restored(model):
        model(np.ones((2, *IMAGE), "float32"))
        assert np.array(model.layers[1].count) == 1
        if fails:
            raise ZeroDivisionError
    for variable, value in zip(variables, before, strict=True):
        np.testing.assert_array_equal(variable, value, err_msg=variable.path)


class Tracker(keras.Model):
    """A model that is no graph, and updates a metric."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.mean = keras.metrics.Mean()

    def call(self, inputs):
        self.mean.update_state(ops.mean(inputs))
        return 2 * inputs


def test_metric_of_a_model_inside_is_restored():
    inputs = keras.Input(IMAGE, name="image")
    tracker = Tracker()
    model = keras.Model(inputs, tracker(inputs))
    assert {id(v) for v in tracker.mean.variables} <= set(map(id, variables_of(model)))
    with restored(model):
        model(np.ones((2, *IMAGE), "float32"))
        assert float(tracker.mean.count) == 1
    assert float(tracker.mean.count) == 0
