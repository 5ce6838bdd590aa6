"""The pictures of gates: nothing in them is cut, and no texts overlap."""

import functools

import keras
import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure

import keras_bin
from keras_bin.gates.paths import plot_paths
from tests.gates.test_finding import bin_layer
from tests.pictures import check_texts

SETTINGS = [
    {},
    {"font.size": 20},
    {"xtick.major.size": 0, "ytick.major.size": 0},
    {"font.size": 5, "figure.dpi": 200},
    {"axes.labelsize": 18, "axes.titlesize": 20, "xtick.labelsize": 18, "ytick.labelsize": 16},
    {"figure.constrained_layout.use": True},
    {"figure.autolayout": True},
]


@pytest.fixture(
    params=SETTINGS, ids=["default", "large", "no ticks", "small", "labels", "constrained", "tight"]
)
def settings(request):
    with matplotlib.rc_context(request.param):
        yield


class Stage(keras.layers.Layer):
    """Builds its layers, and calls none, which would take a second for hundreds."""

    def __init__(self, layers):
        super().__init__(name="the_stage_of_the_largest_images")
        self.layers = layers

    def build(self, shape):
        for layer in self.layers:
            layer.build(shape)

    def call(self, inputs):
        return inputs


@functools.cache
def model_of(layers, channels=2):
    """Layers in another layer, with paths of 80 characters."""
    names = [f"the_normalization_of_residual_block_{number:03}" for number in range(layers)]
    inner = Stage([bin_layer(name) for name in names])
    inner.build((None, 8, channels))
    assert {len(layer.path) for layer in inner.layers} == {71}
    for number, rho in enumerate(keras_bin.rho_weights(inner)):
        rho.assign(np.linspace(0, 1, channels) * (number + 1) / layers)
    return keras.Sequential([keras.Input((8, channels)), inner])


def paths_of(names):
    return {name: np.linspace([1.0] * 3, [0.0, 0.4, 1.0], 4) for name in names}


@pytest.mark.parametrize("by", ["layer", "depth"])
def test_texts_of_long_names_have_room(by):
    check_texts(keras_bin.plot_rho(model_of(55), by=by))


@pytest.mark.slow
def test_texts_of_many_layers_have_room():
    check_texts(keras_bin.plot_rho(model_of(300)))


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(("layers", "channels"), [(1, 3), (1, 1), (4, 1)])
def test_texts_have_room_under_the_settings_of_the_user(layers, channels):
    check_texts(keras_bin.plot_rho(model_of(layers, channels)))


@pytest.mark.usefixtures("settings")
def test_histograms_have_room_under_the_settings_of_the_user():
    check_texts(keras_bin.plot_rho(model_of(3), by="depth"))


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    "names", [["bin"], list("abcde"), [80 * "n", 81 * "n", 300 * "n"]], ids=len
)
def test_paths_have_room_under_the_settings_of_the_user(names):
    check_texts(plot_paths(range(4), paths_of(names)))


@pytest.mark.slow
def test_paths_of_long_names_have_room():
    check_texts(plot_paths(range(4), paths_of(f"{number:080}" for number in range(55))))


@pytest.mark.parametrize("name", ["a$b$c^2", "$", "$\\nonsense$", "two\nlines"])
def test_names_stand_as_they_are(name):
    model = keras.Sequential([keras.Input((8, 3)), bin_layer(name)])
    figure = keras_bin.plot_rho(model)
    check_texts(figure)
    (label,) = figure.axes[0].get_yticklabels()
    assert label.get_text() == f"{model.layers[0].path} (3)"
    assert not label.get_parse_math()
    check_texts(plot_paths(range(4), paths_of([name])))


def test_pictures_have_titles():
    model = model_of(3)
    figures = [keras_bin.plot_rho(model), keras_bin.plot_rho(model, by="depth")]
    assert [figure.get_suptitle() for figure in figures] == [
        "rho in each layer (channels), input first",
        "rho by depth",
    ]


def test_paths_that_leave_the_interval_are_counted_in_the_title():
    paths = {"a": np.array([[1.0, 0.5, 0.0], [1.5, 0.5, np.nan]]), "b": np.array([[1.0], [0.0]])}
    figure = plot_paths(range(2), paths)
    assert figure.get_suptitle().endswith("   (not in [0, 1], so not drawn: 2)")
    check_texts(figure)


@pytest.mark.parametrize(
    ("place", "text"),
    [((0.9, 0.5), "cut at the edge"), ((0.4, 0.5), "over another")],
    ids=["outside", "overlapping"],
)
def test_the_check_can_fail(place, text):
    figure = Figure(figsize=(3, 3))
    figure.text(0.4, 0.5, "some text")
    figure.text(*place, text)
    with pytest.raises(AssertionError, match=text):
        check_texts(figure)
