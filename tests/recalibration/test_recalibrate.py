"""Moving statistics anew from data, against NumPy in float64."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_bin import BatchInstanceNormalization, recalibrate
from tests.recalibration.moving_statistics import (
    BATCH,
    CLOSE,
    assert_statistics,
    batches,
    images,
    moments,
    sequential,
)

BatchNormalization = keras.layers.BatchNormalization
# What is trained is a Sequential, as statistics are what matters.
pytestmark = pytest.mark.filterwarnings("ignore::keras_bin.UnscaledRhoWarning")


@pytest.mark.parametrize("size", [3, 7, None])
@pytest.mark.parametrize("kind", [BatchNormalization, BatchInstanceNormalization])
def test_first_layer_gets_the_moments_of_the_data_at_every_batch_size(kind, size):
    layer = kind()
    recalibrate(sequential(layer), images(), batch_size=size, verbose=0)
    assert_statistics(layer, [images()])


@pytest.mark.parametrize(
    "data",
    [
        lambda x: tf.data.Dataset.from_tensor_slices((x, x, x[:, 0, 0, 0])).batch(BATCH),
        lambda x: tf.data.Dataset.from_tensor_slices(x).repeat().batch(BATCH),
        lambda x: ((part,) for part in batches(x)),
    ],
    ids=["with targets and weights", "endless", "generator"],
)
def test_steps_end_any_kind_of_data(data):
    layer = BatchNormalization()
    recalibrate(sequential(layer), data(images()), steps=2, verbose=0)
    assert_statistics(layer, [images()[: 2 * BATCH]])


@pytest.mark.parametrize("options", [{"jit_compile": True}, {"jit_compile": False}], ids=str)
def test_deeper_layer_sees_what_was_normalized_by_batch(options):
    first, second = BatchNormalization(epsilon=0.1), BatchNormalization()
    model = sequential(first, keras.layers.Dropout(0.9), keras.layers.ReLU(), second, **options)
    first.gamma.assign([1.0, -2.0, 0.5])
    first.beta.assign([0.0, 0.3, -0.1])
    recalibrate(model, images(), batch_size=BATCH, verbose=0)
    assert_statistics(first, [images()])
    reached = [
        np.maximum((x - mean) / np.sqrt(variance + 0.1) * [1, -2, 0.5] + [0, 0.3, -0.1], 0)
        for x in batches(images())
        for mean, variance in [moments([x])]
    ]
    assert_statistics(second, reached)


class Subclassed(keras.Model):
    """Takes a dict, has layers that inference does not call, and a predict step of its own."""

    def __init__(self):
        super().__init__()
        self.norm, self.auxiliary = BatchNormalization(), BatchNormalization(name="auxiliary")

    def call(self, inputs, training=None):
        x = self.norm(inputs["x"] + inputs["y"])
        return self.auxiliary(x) if training else x

    def predict_step(self, data):
        return super().predict_step({**data, "y": 10 * data["y"]})


@pytest.mark.lacking("jax", reason="there, `predict_step` takes a state")
def test_subclassed_model_runs_its_own_predict_step():
    model, data = Subclassed(), {"x": images(), "y": images() ** 2}
    model(data, training=True)
    with pytest.warns(UserWarning, match=r"did not call .*/auxiliary$"):
        recalibrate(model, data, verbose=0)
    assert_statistics(model.norm, [images() + 10 * images() ** 2])
    assert np.asarray(model.auxiliary.moving_variance).min() > 0.9


class Noise(keras.layers.Layer):
    """Has a seed, a counter and a metric that each call changes."""

    def __init__(self):
        super().__init__()
        self.seed = keras.random.SeedGenerator(1)
        # On JAX, Keras 3.15 trains no layer that has a metric.
        self.mean = None if keras.backend.backend() == "jax" else keras.metrics.Mean()
        self.calls = self.add_weight(initializer="zeros", trainable=False)

    def call(self, inputs):
        self.calls.assign_add(1.0)
        if self.mean is not None:
            self.mean.update_state(inputs)
        return inputs + keras.random.normal((1, 4, 5, 3), seed=self.seed)


@pytest.fixture(scope="module")
def trained():
    layers = Noise(), BatchInstanceNormalization(), BatchNormalization()
    model = sequential(*layers, name="net", optimizer="adam", loss="mse", metrics=["mae"])
    model.fit(images(), images(), verbose=0)
    model.layers[0].trainable = False
    model.layers[1].gamma.trainable = False
    return model


def everything(model):
    """Returns values of variables by what they belong to, and all flags."""
    state = {variable.path: np.array(variable) for variable in model.variables}
    for variable in (*model.optimizer.variables, *model.metrics_variables):
        state[variable.path] = np.array(variable)
    state["trainable"] = [each.trainable for each in (*model.layers, *model.variables)]
    state["momentum"] = [layer.momentum for layer in model.layers[1:]]
    state["types"] = [type(layer) for layer in model.layers]
    return state


def test_all_but_the_statistics_stays(trained):
    before = everything(trained)
    recalibrate(trained, images(), verbose=0)
    after = everything(trained)
    changed = [name for name in before if not np.array_equal(before[name], after[name])]
    assert [name.rpartition("/")[2] for name in changed] == ["moving_mean", "moving_variance"] * 2


@pytest.mark.lacking("jax", reason="there, Keras trains on only if nothing was frozen")
def test_training_goes_on(trained):
    recalibrate(trained, images(), verbose=0)
    trained.fit(images(), images(), verbose=0)


def failing():
    yield (images()[:BATCH],)
    raise OSError("disk on fire")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (failing, "disk on fire"),
        (
            lambda: np.full_like(images(), np.nan),
            "finite.*Received: non-finite values in net/batch_inst.*, net/batch_",
        ),
        (lambda: images()[:, :, :2], "must be equal|broadcast|must match"),
    ],
    ids=["data end in an error", "NaN", "other shape"],
)
def test_everything_stays_on_an_error(trained, data, message):
    before = everything(trained)
    with pytest.raises(Exception, match=message):
        recalibrate(trained, data(), verbose=0)
    after = everything(trained)
    assert [name for name in before if not np.array_equal(before[name], after[name])] == []


def test_old_statistics_may_be_nan():
    layers = [BatchNormalization(), BatchNormalization()]
    model = sequential(*layers)
    for layer in layers:
        layer.moving_variance.assign([np.nan] * 3)
    recalibrate(model, images(), batch_size=20, verbose=0)
    assert_statistics(
        layers[1],
        [(images() - images().mean((0, 1, 2))) / images().std((0, 1, 2))],
        rtol=0,
        atol=2e-3,
    )


def test_float16_is_summed_in_float32():
    layer = BatchInstanceNormalization(dtype="mixed_float16")
    x = (images() + 1000).astype("float16")
    recalibrate(sequential(layer), x, verbose=0)
    assert_statistics(layer, [x])


def test_pure_bfloat16_rounds_once():
    layer = BatchInstanceNormalization(dtype="bfloat16")
    x = np.round(images())
    recalibrate(sequential(layer), x, verbose=0)
    assert_statistics(layer, [x], rtol=2**-8, atol=0)


def test_batch_renormalization_gets_all_of_its_statistics():
    try:
        layer = BatchNormalization(renorm=True, epsilon=0.1)
    except (TypeError, ValueError):
        pytest.skip("this Keras has no renorm")
    recalibrate(sequential(layer), images(), verbose=0)
    assert_statistics(layer, [images()])
    mean, variance = moments([images()])
    np.testing.assert_allclose(layer.renorm_mean, mean, **CLOSE)
    for deviation in (layer.renorm_stddev, layer.moving_stddev):
        np.testing.assert_allclose(deviation, np.sqrt(variance + 0.1), **CLOSE)


class Cell(keras.layers.Layer):
    """The cell of a recurrent layer, with batch normalization of its input."""

    state_size = output_size = 3

    def __init__(self):
        super().__init__()
        self.norm = BatchNormalization()

    def build(self, shape):
        self.norm.build(shape)

    def call(self, inputs, states):
        return self.norm(inputs) + states[0], [states[0]]


def recurrent(**options):
    return sequential(keras.layers.RNN(Cell(), **options), shape=(5, 3))


def test_unrolled_steps_are_pooled():
    model = recurrent(unroll=True)
    recalibrate(model, images()[:, 0], batch_size=BATCH, verbose=0)
    assert_statistics(model.layers[0].cell.norm, [images()[:, 0]])


@pytest.mark.parametrize(
    ("model", "data", "error", "message"),
    [
        (
            lambda: BatchNormalization(),
            images,
            TypeError,
            "must be a keras.Model.*Received: <BatchNormalization",
        ),
        (
            lambda: keras.Sequential([BatchNormalization()], name="new"),
            images,
            ValueError,
            "must be built.*Received: unbuilt model 'new'",
        ),
        (
            lambda: sequential(keras.layers.ReLU(), name="plain"),
            images,
            ValueError,
            "must contain a built.*Received: model='plain'",
        ),
        (recurrent, lambda: images()[:, 0], ValueError, "unroll=True.*layer='.*batch_norm"),
        (
            lambda: sequential(BatchNormalization()),
            lambda: tf.data.Dataset.from_tensor_slices(images()[:0]).batch(1),
            ValueError,
            "at least one batch.*Received: data=<_BatchDataset",
        ),
        (
            lambda: sequential(keras.layers.Masking(), BatchNormalization(), shape=(5, 3)),
            lambda: np.zeros((3, 5, 3)),
            ValueError,
            "that no mask excludes.*Received: none for .*batch_norm",
        ),
    ],
    ids=["a layer", "not built", "no normalization", "loop", "no batch", "all masked"],
)
@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_refused(model, data, error, message):
    with pytest.raises(error, match=message):
        recalibrate(model(), data(), verbose=0)
