"""What a layer's branches are worth, and what it costs."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_bin
from keras_bin import rho_worth
from tests.settling.nets import BINS, build, compiled, pictures

# Elements of a sample: 8x8x4, 4x4x6, 4x4x8.
COSTS = np.array([256, 96, 128]) / 480


def states(model):
    return [np.array(variable) for variable in [*model.variables, *model.optimizer.variables]]


def loss_with_batch_statistics(model, x, y):
    """The loss in training, without dropout; moving statistics are put back."""
    before = [np.array(variable) for variable in model.non_trainable_variables]
    loss = float(keras.ops.convert_to_numpy(model.loss(y, model(x, training=True))))
    for variable, value in zip(model.non_trainable_variables, before, strict=True):
        variable.assign(value)
    return loss


@pytest.mark.parametrize("model_class", [keras.Model, keras_bin.BINModel])
def test_change_is_that_of_the_loss_in_training(model_class):
    model = compiled(build(model_class))
    x, y = pictures(32)
    worths = rho_worth(model, (x, y))
    as_it_is = loss_with_batch_statistics(model, x, y)
    assert [worth.layer for worth in worths] == list(BINS)
    assert worths.value == pytest.approx(as_it_is, rel=1e-5)
    for worth in worths:
        rho = model.get_layer(worth.layer).rho
        for end, change in ((1, worth.without_instance), (0, worth.without_batch)):
            before = np.array(rho)
            rho.assign(np.full(rho.shape, end))
            expected = loss_with_batch_statistics(model, x, y) - as_it_is
            rho.assign(before)
            assert change == pytest.approx(expected, abs=1e-5)
            assert abs(change) > 1e-4  # or equality would say nothing


def test_cost_is_the_share_of_elements():
    worths = rho_worth(compiled(build(), run_eagerly=True), pictures(32))
    np.testing.assert_allclose([worth.cost for worth in worths], COSTS, rtol=1e-6)
    assert [worth.channels for worth in worths] == [4, 6, 8]
    np.testing.assert_allclose([worth.mean for worth in worths], 0.4, rtol=1e-6)


def test_sizes_may_be_free():
    worths = rho_worth(compiled(build(spatial=(None, None)), run_eagerly=True), pictures(32))
    np.testing.assert_allclose([worth.cost for worth in worths], COSTS, rtol=1e-6)


def test_model_stays_as_it_was_and_trains_on():
    model = compiled(build(bins=("front",)), metrics=["accuracy"])
    x, y = pictures(32)
    model.fit(x, y, verbose=0)
    before, calls = states(model), model.train_function
    kinds = [type(layer) for layer in model.layers]
    evaluated = model.evaluate(x, y, verbose=0, return_dict=True)
    rho_worth(model, (x, y))
    for value, after in zip(before, states(model), strict=True):
        np.testing.assert_array_equal(value, after)
    assert model.train_function is calls
    assert [type(layer) for layer in model.layers] == kinds
    assert model.evaluate(x, y, verbose=0, return_dict=True) == evaluated
    assert "test_step" not in vars(model)


def test_step_of_ones_own_is_used_and_put_back():
    model = compiled(build(), run_eagerly=True)
    calls = []

    def test_step(*arguments):
        calls.append(len(arguments))
        return type(model).test_step(model, *arguments)

    object.__setattr__(model, "test_step", test_step)
    rho_worth(model, pictures(32))
    assert calls
    assert vars(model)["test_step"] is test_step


def test_metrics_of_an_epoch_are_put_back():
    model = compiled(build(), metrics=["accuracy"], run_eagerly=True)
    x, y = pictures(32)
    before = model.train_on_batch(x, y, return_dict=True)
    rho_worth(model, (x, y))
    assert model.get_metrics_result() == before


def test_failing_evaluation_leaves_the_model_as_it_was():
    model = compiled(build())
    x, y = pictures(32)
    with pytest.raises(ValueError, match="accuracy"):
        rho_worth(model, (x, y), metric="accuracy")
    with pytest.raises(Exception, match=r"shape|dimensions"):
        rho_worth(model, (x, y[:, None, None] + np.zeros((1, 5, 1))))
    assert "test_step" not in vars(model)
    np.testing.assert_allclose(np.array(model.get_layer("front").rho), 0.4, rtol=1e-6)


def test_metric_is_one_that_the_model_is_compiled_with():
    model = compiled(build(), metrics=["accuracy"], run_eagerly=True)
    worths = rho_worth(model, pictures(32), metric="accuracy")
    assert worths.metric == "accuracy"
    assert 0 <= worths.value <= 1
    assert all(
        worth.without_instance * 32 == pytest.approx(round(worth.without_instance * 32))
        for worth in worths
    )


@pytest.fixture(scope="module")
def worths_in_two_batches():
    return rho_worth(compiled(build(), run_eagerly=True), pictures(32), batch_size=16)


@pytest.mark.parametrize("kind", ["weights", "tf.data", "PyDataset"])
def test_data_are_what_evaluate_takes(kind, worths_in_two_batches):
    x, y = pictures(32)

    class Batches(keras.utils.PyDataset):
        def __len__(self):
            return 2

        def __getitem__(self, index):
            chosen = slice(16 * index, 16 * index + 16)
            return x[chosen], y[chosen]

    data = {
        "weights": (x, y, np.ones(32)),
        "tf.data": tf.data.Dataset.from_tensor_slices((x, y)).batch(16),
        "PyDataset": Batches(),
    }[kind]
    model = compiled(build(), run_eagerly=True)
    found = rho_worth(model, data, batch_size=16 if kind == "weights" else None)
    np.testing.assert_allclose(
        [each[3:] for each in found],
        [each[3:] for each in worths_in_two_batches],
        rtol=1e-4,
        atol=1e-6,
    )


def test_layer_in_a_subclassed_model_and_one_that_is_called_twice_are_found():
    class Twice(keras.Model):
        def __init__(self):
            super().__init__()
            self.bin = keras_bin.BatchInstanceNormalization(rho_initializer=0.5)
            self.other = keras_bin.BatchInstanceNormalization(rho_initializer=0.5)
            self.head = layers.Dense(2)

        def call(self, x, training=None):
            x = self.bin(self.bin(x, training=training), training=training)
            x = self.other(x[:, ::2, ::2], training=training)
            return self.head(keras.ops.mean(x, (1, 2)))

    model = compiled(Twice(), run_eagerly=True)
    x, y = pictures(16)
    model(x)
    first, second = rho_worth(model, (x, y))
    assert first.cost == pytest.approx(8 / 9)
    assert second.cost == pytest.approx(1 / 9)


def test_table_shows_layers_costs_and_changes():
    worths = rho_worth(compiled(build(), run_eagerly=True), pictures(32))
    title, head, *rows = str(worths).splitlines()
    assert title.startswith("loss 0.")
    assert head.split("  ")[0] == "layer"
    assert [row.split()[0] for row in rows] == list(BINS)
    assert "53.3 %" in rows[0]
    assert "<table>" in worths._repr_html_()


def test_what_cannot_be_measured_is_refused():
    x, y = pictures(16)
    model = build()
    with pytest.raises(ValueError, match="must be compiled"):
        rho_worth(model, (x, y))
    with pytest.raises(TypeError, match=r"Received: data of type generator"):
        rho_worth(compiled(model), (batch for batch in [(x, y)]))
    with pytest.raises(TypeError, match=r"Received: data of type ndarray"):
        rho_worth(model, x)
    endless = tf.data.Dataset.from_tensors((x, y)).repeat()
    with pytest.raises(TypeError, match=r"Received: endless data of type"):
        rho_worth(model, endless)
    with pytest.raises(ValueError, match=r"Received: data of 1 parts"):
        rho_worth(model, (x,))
    plain = keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten(), layers.Dense(2)])
    with pytest.raises(ValueError, match="at least one built BatchInstanceNormalization"):
        rho_worth(compiled(plain), (x, y))
