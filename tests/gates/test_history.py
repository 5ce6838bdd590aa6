"""RhoHistory: what it records, logs and draws, beside Keras's own callbacks."""

import csv
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure

import keras_bin
from testing.small_net import batch, build_model
from tests.gates.test_finding import bin_layer

KEYS = ("rho/bin/mean", "rho/bin/share_at_one", "rho/bin/share_at_zero")


class Gates(keras.callbacks.Callback):
    """Sets the gates of the layer `bin` after each epoch, before RhoHistory looks."""

    values = ([0.0, 0.25, 0.5, 1.0], [0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0])

    def on_epoch_end(self, epoch, logs=None):
        self.model.get_layer("bin").rho.assign(self.values[epoch])


def compiled(model=None):
    model = model or build_model(1.0)
    model.compile(
        keras.optimizers.SGD(0.01), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    return model


def fit(model, *callbacks, epochs=2, **kwargs):
    kwargs = {"verbose": 0, **kwargs}
    return model.fit(*batch(), epochs=epochs, callbacks=list(callbacks), **kwargs).history


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What one training of three epochs leaves: in the callback, in History and in two files."""
    folder = tmp_path_factory.mktemp("logs")
    rho_history = keras_bin.RhoHistory()
    logged = fit(
        compiled(),
        *(Gates(), rho_history),
        keras.callbacks.CSVLogger(folder / "log.csv"),
        epochs=3,
        validation_data=batch(),
    )
    return rho_history, logged, folder / "log.csv"


def test_every_gate_is_recorded_from_the_start(trained):
    rho_history, _, _ = trained
    assert rho_history.epochs == [0, 1, 2, 3]
    assert rho_history.rho.keys() == {"bin"}
    np.testing.assert_array_equal(rho_history.rho["bin"], [[0.5] * 4, *Gates.values])


def test_history_holds_mean_and_shares(trained):
    _, logged, _ = trained
    assert [logged[key] for key in KEYS] == [
        [0.4375, 0.25, 0.5],
        [0.25, 0.25, 0.5],
        [0.25, 0.75, 0.5],
    ]
    assert logged.keys() == {"loss", "val_loss", *KEYS}


def test_csv_file_has_a_column_for_each(trained):
    _, logged, path = trained
    with open(path, newline="") as file:
        rows = list(csv.DictReader(file))
    assert {key: [float(row[key]) for row in rows] for key in KEYS} == {
        key: logged[key] for key in KEYS
    }


def test_tensorboard_has_a_chart_for_each(tmp_path):
    pytest.importorskip("tensorboard", reason="needs the extra `test`")
    board = keras.callbacks.TensorBoard(tmp_path, write_graph=False)
    logged = fit(compiled(), Gates(), keras_bin.RhoHistory(), board)
    (path,) = (tmp_path / "train").glob("events*")
    shown = {
        (value.tag, event.step): float(tf.make_ndarray(value.tensor))
        for event in tf.compat.v1.train.summary_iterator(str(path))
        for value in event.summary.value
        if "rho" in value.tag
    }
    assert shown == {
        (f"epoch_{key}", epoch): value for key in KEYS for epoch, value in enumerate(logged[key])
    }


def test_progress_bar_shows_the_last_values(capsys):
    fit(compiled(), Gates(), keras_bin.RhoHistory(), epochs=1, verbose=1)
    assert "rho/bin/mean: 0.4375" in capsys.readouterr().out


def test_progress_bar_that_comes_first_does_not_show_them(capsys):
    logged = fit(
        compiled(), keras.callbacks.ProgbarLogger(), keras_bin.RhoHistory(), epochs=1, verbose=1
    )
    printed = capsys.readouterr().out
    assert "loss" in printed
    assert "rho" not in printed
    assert logged.keys() == {"loss", *KEYS}


def nested_twins(channels=2, model_class=keras_bin.BINModel):
    """A model of two nested ones, whose BIN layers have one path."""
    inputs = x = keras.Input((6, 6, channels))
    for name, rho in (("first", 0.25), ("second", 1.0)):
        inner_inputs = keras.Input((6, 6, channels))
        inner = keras.Model(inner_inputs, bin_layer("bin", rho)(inner_inputs), name=name)
        x = inner(x)
    x = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(x))
    return compiled(model_class(inputs, x))


@pytest.mark.filterwarnings("ignore::keras_bin.UnscaledRhoWarning")
def test_layers_of_one_path_in_a_plain_model_are_told_apart():
    rho_history = keras_bin.RhoHistory()
    fit(nested_twins(model_class=keras.Model), rho_history, epochs=1)
    starts = {name: rho[0].tolist() for name, rho in rho_history.rho.items()}
    assert starts == {"bin": [0.25, 0.25], "bin_1": [1.0, 1.0]}


def test_one_set_of_logs_for_the_whole_model():
    inputs = keras.Input((6, 6, 2))
    x = keras.layers.Conv2D(6, 1)(bin_layer("two", 0.0)(inputs))
    x = keras.layers.GlobalAveragePooling2D()(bin_layer("six", 0.5)(x))
    model = keras.Model(inputs, keras.layers.Dense(3)(x))
    model.trainable = False
    rho_history = keras_bin.RhoHistory(by_layer=False)
    with pytest.warns(UserWarning, match="any trainable weights"):
        logged = fit(compiled(model), rho_history, epochs=1)
    assert {key: value for key, (value,) in logged.items() if key != "loss"} == {
        "rho/mean": 0.375,
        "rho/share_at_zero": 0.25,
        "rho/share_at_one": 0.0,
    }
    assert {name: rho.shape for name, rho in rho_history.rho.items()} == {
        "two": (2, 2),
        "six": (2, 6),
    }


@pytest.mark.parametrize(
    ("initial", "epochs", "expected"),
    [(2, 3, [0, 1, 2, 3]), (1, 3, [0, 1, 2, 3]), (0, 1, [0, 1]), (5, 6, [0, 1, 2, 5, 6])],
    ids=["goes on", "goes back", "begins anew", "leaves a gap"],
)
def test_later_fit_goes_on_from_its_initial_epoch(initial, epochs, expected):
    model, rho_history = compiled(), keras_bin.RhoHistory()
    fit(model, rho_history)
    model.get_layer("bin").rho.assign([0.0, 0.1, 0.2, 0.3])
    fit(model, rho_history, epochs=epochs, initial_epoch=initial)
    assert rho_history.epochs == expected
    start = rho_history.rho["bin"][expected.index(initial)]
    np.testing.assert_allclose(start, [0.0, 0.1, 0.2, 0.3], rtol=0, atol=1e-7)


def test_model_with_other_layers_begins_anew():
    rho_history = keras_bin.RhoHistory()
    fit(compiled(), rho_history)
    fit(nested_twins(), rho_history, epochs=3, initial_epoch=2)
    assert rho_history.epochs == [2, 3]
    assert rho_history.rho.keys() == {"bin", "bin_1"}


@pytest.mark.lacking("jax", "torch", reason="there, Keras builds a model before it trains")
@pytest.mark.parametrize(
    "layer", [keras.layers.BatchNormalization(), None], ids=["without BIN", "not built"]
)
def test_model_without_gates_is_refused_before_training(layer):
    class Held(keras.Model):
        def __init__(self):
            super().__init__(name="held")
            self.layer = layer or keras_bin.BatchInstanceNormalization()
            self.head = keras.layers.Dense(3)

        def call(self, inputs):
            return self.head(keras.ops.mean(self.layer(inputs), (1, 2)))

    with pytest.raises(ValueError, match=r"at least one built Batch.*model='held'"):
        fit(compiled(Held()), keras_bin.RhoHistory())


def test_plot_has_a_line_for_each_gate_and_their_mean(trained):
    rho_history, _, _ = trained
    figure = rho_history.plot()
    assert isinstance(figure, Figure)
    (plot,) = figure.axes
    assert plot.get_title() == "bin (4)"
    drawn = np.array([line.get_ydata() for line in plot.lines])
    rho = rho_history.rho["bin"]
    np.testing.assert_array_equal(drawn, [*rho.T, rho.mean(1)])
    assert all(list(line.get_xdata()) == [0, 1, 2, 3] for line in plot.lines)


def test_plot_has_a_panel_for_each_layer(tmp_path):
    rho_history = keras_bin.RhoHistory()
    fit(nested_twins(), rho_history, epochs=1)
    figure = rho_history.plot()
    assert [plot.get_title() for plot in figure.axes] == ["bin (2)", "bin_1 (2)"]
    figure.savefig(tmp_path / "paths.png")
    assert (tmp_path / "paths.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_recorded_is_not_drawn():
    with pytest.raises(ValueError, match="pass it to `fit`"):
        keras_bin.RhoHistory().plot()


def test_missing_matplotlib_names_the_extra(trained, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    monkeypatch.delitem(sys.modules, "keras_bin.gates.notebook_figure", raising=False)
    with pytest.raises(ImportError, match=r"RhoHistory.plot.*pip install 'keras-bin\[plot\]'"):
        trained[0].plot()
