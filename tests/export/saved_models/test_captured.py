"""Variables and tables that calls use are in a SavedModel, or it is refused."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

from keras_bin.export import export_saved_model, verify
from tests.export.custom_layers import around
from tests.export.kinds import BIN, IMAGE
from tests.export.serving import serving


class Averaging(layers.Layer):
    """Adds the mean of all means that it has seen, by a metric."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.mean = keras.metrics.Mean()

    def call(self, inputs):
        self.mean.update_state(ops.mean(inputs))
        return inputs + self.mean.result()


class AveragingModel(Averaging, keras.Model):
    """The same as a model that is no graph."""


class Elsewhere(layers.Layer):
    """Counts its calls in what it gets from elsewhere."""

    def __init__(self, count, **kwargs):
        super().__init__(**kwargs)
        self.count = count

    def call(self, inputs):
        self.count().assign_add(1.0)
        return inputs + self.count()


@pytest.mark.parametrize("kind", [Averaging, AveragingModel])
def test_metric_of_a_layer_counts_on_where_it_is_served(kind, tmp_path):
    model = around(BIN(), kind(name="mean"))
    path = export_saved_model(model, tmp_path, verbose=False).path
    assert float(model.get_layer("mean").mean.count) == 0
    assert verify(path, model).passed
    serve = serving(path)
    zeros, ones = (np.full((1, *IMAGE), value, "float32") for value in (0, 1))
    (first,), (second,), (third,) = (
        serve(image=tf.constant(x)).values() for x in (zeros, ones, ones)
    )
    means = [float(each.numpy().mean()) for each in (first, second, third)]
    assert means[1] < means[2]  # the mean of 1, 1 and 0 is above that of 1 and 0


def test_variable_that_no_layer_holds_is_refused_with_the_way_out(tmp_path):
    count = tf.Variable(0.0)
    model = around(BIN(), Elsewhere(lambda: count, name="elsewhere"))
    with pytest.raises(ValueError, match=r"`add_weight`.*no layer.*elsewhere_1/AssignAdd"):
        export_saved_model(model, tmp_path / "served", verbose=False)
    assert not (tmp_path / "served").exists()


def test_table_that_no_layer_holds_is_refused(tmp_path):
    values = tf.constant([1.0, 2.0])
    table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer([1, 2], values), 0.0)
    inputs = keras.Input((2,), dtype="int32", name="ids")
    outputs = layers.Lambda(lambda x: table.lookup(x), output_shape=(2,), name="found")(inputs)
    with pytest.raises(ValueError, match="or the table as an attribute of its layer"):
        export_saved_model(keras.Model(inputs, outputs), tmp_path, verbose=False)
