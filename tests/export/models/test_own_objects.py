"""Models with classes and functions of the user's own: found, or named in the error."""

import json
import zipfile

import h5py
import keras
import numpy as np
import pytest
from keras import layers

from keras_bin.export.describe import describe
from keras_bin.export.models.keras_file import load_keras_file
from keras_bin.export.models.user_modules import import_modules
from tests.export.models.own_modules import forgotten_imports, net, save_model, write_module

MADE = {
    "layer": (lambda own: net(own.Scale(name="scale")), "'Scale'", "scale"),
    "inner layer": (lambda own: net(own.Outer(name="outer")), "'Scale'", "inner"),
    "nested model": (lambda own: net(net(own.Scale(name="deep"))), "'Scale'", "deep"),
    "wrapped layer": (
        lambda own: net(layers.TimeDistributed(own.Scale(name="wrapped"))),
        "'Scale'",
        "wrapped",
    ),
    "registered": (lambda own: net(own.Registered(name="reg")), "'Registered'", "reg"),
    "activation": (lambda own: net(layers.Dense(2, own.double, name="d")), "'double'", "d"),
    "function": (lambda own: net(layers.Lambda(own.double, name="l")), "'double'", "l"),
    "name of an operation": (
        lambda own: net(layers.Activation(own.square, name="a")),
        "'square'",
        "a",
    ),
    "initializer": (
        lambda own: net(layers.Dense(2, kernel_initializer=own.Twos(), name="d")),
        "'Twos'",
        "d",
    ),
    "initializer function": (
        lambda own: net(layers.Dense(2, kernel_initializer=own.threes, name="d")),
        "'threes'",
        "d",
    ),
    "regularizer": (
        lambda own: net(layers.Dense(2, kernel_regularizer=own.Sum(), name="d")),
        "'Sum'",
        "d",
    ),
    "constraint": (
        lambda own: net(layers.Dense(2, bias_constraint=own.Positive(), name="d")),
        "'Positive'",
        "d",
    ),
    "model": (lambda own: net(layers.ReLU(), model_class=own.OwnModel), "'OwnModel'", "own_model"),
}
FORMATS = ["model.keras", "model.h5"]
# Keras advises against .h5 files, and functions that cannot be saved by more than their names.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:keras")


@pytest.fixture(autouse=True)
def _forgotten(tmp_path):
    with forgotten_imports(tmp_path):
        yield


@pytest.fixture(params=MADE)
def made(request):
    return MADE[request.param]


@pytest.mark.parametrize("name", FORMATS)
def test_objects_of_a_module_are_found(made, name, tmp_path):
    path, file = save_model(tmp_path, made[0], name)
    model = load_keras_file(path, [file])
    x = np.ones((2, 4, 4, 3), "float32")
    values = model.predict(x, verbose=0)
    again = load_keras_file(path, [file]).predict(x, verbose=0)
    np.testing.assert_allclose(values, again, atol=0, rtol=0)


@pytest.mark.parametrize("name", FORMATS)
def test_without_it_the_error_names_layer_and_option(made, name, tmp_path):
    path, _ = save_model(tmp_path, made[0], name)
    with pytest.raises(ValueError, match=r"imported first; .* with --import\. Rec") as caught:
        load_keras_file(path)
    message = str(caught.value)
    assert made[1] in message
    assert f"(layer {made[2]!r})" in message
    assert str(path) in message
    assert len(message) - len(str(path)) < 220


def test_error_names_the_module_that_the_config_names(tmp_path):
    path, _ = save_model(tmp_path, lambda own: net(own.Scale(name="scale")))
    with pytest.raises(ValueError, match=r"'Scale' of module 'own_layers' \(layer 'scale'\)$"):
        load_keras_file(path)


def test_error_lists_three_and_counts_the_others(tmp_path):
    def model(own):
        sum_layer = layers.Dense(2, kernel_regularizer=own.Sum(), bias_constraint=own.Positive())
        return net(own.Outer(), own.LayerNormalization(), layers.Dense(2, own.double), sum_layer)

    path, _ = save_model(tmp_path, model)
    with pytest.raises(ValueError, match=r"'Scale'.*'Outer'.*'LayerNormal.*\) and 3 more$"):
        load_keras_file(path)


def test_module_that_lacks_one_is_not_enough(tmp_path):
    path, _ = save_model(tmp_path, lambda own: net(own.Scale(name="scale")))
    other = tmp_path / "other.py"
    other.write_text("")
    with pytest.raises(ValueError, match=r"and register .* its top level. Received: .*'Scale'"):
        load_keras_file(path, [other])


@pytest.mark.parametrize(
    "config",
    [
        *(None, [], "text", {"class_name": 3, "config": {}}, {"class_name": "A", "config": None}),
        {"class_name": "A", "registered_name": [], "module": 1, "config": {"name": {}}},
        {"class_name": "function", "config": ["f"], "module": "builtins"},
        {"class_name": "A", "config": {"activation": [], "layers": [[{"class_name": "B"}]]}},
    ],
    ids=str,
)
def test_config_of_any_form_is_refused_in_short(config, tmp_path):
    path, file = save_model(tmp_path, lambda own: net(own.Scale(name="scale")))
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("metadata.json", "{}")
    with pytest.raises(ValueError, match=r"Received: '.*model.keras'") as caught:
        load_keras_file(path, [file])
    assert len(str(caught.value)) < 700


def test_error_of_a_layers_own_code_is_shown_plainly(tmp_path):
    path, file = save_model(tmp_path, lambda own: net(own.Outer(name="outer")))
    file.write_text(file.read_text().replace("self.inner(inputs)", "missing(inputs)"))
    with pytest.raises(ValueError, match=r"Keras says: .*'missing' is not defined") as caught:
        load_keras_file(path, [file])
    assert "\x1b" not in str(caught.value)


def test_class_that_has_lost_its_registration_is_found(tmp_path):
    path, file = save_model(tmp_path, lambda own: net(own.Registered(name="reg")))
    text = file.read_text()
    file.write_text(
        text.replace('@keras.saving.register_keras_serializable(package="my_pack")', "")
    )
    assert type(load_keras_file(path, [file]).get_layer("reg")).__name__ == "Registered"


def test_class_called_as_one_of_keras_stands_for_its_own_layers_only(tmp_path):
    def model(own):
        return net(own.LayerNormalization(name="own"), layers.LayerNormalization(name="keras"))

    path, file = save_model(tmp_path, model)
    loaded = load_keras_file(path, [file])
    assert type(loaded.get_layer("own")).__module__ == "own_layers"
    assert type(loaded.get_layer("keras")) is layers.LayerNormalization


@pytest.mark.parametrize("name", FORMATS)
def test_function_called_as_one_of_keras_is_warned_of(name, tmp_path):
    """Keras saves "relu" for both; see findings/keras-saves-functions-by-name.sh."""
    path, file = save_model(tmp_path, lambda own: net(layers.Dense(2, own.relu)), name)
    with pytest.warns(UserWarning, match="Keras's own 'relu', although module 'own_layers'"):
        model = load_keras_file(path, [file])
    assert model.layers[-1].activation is keras.activations.relu


def test_losses_are_neither_needed_nor_named(tmp_path):
    def model(own, *inner):
        made = net(layers.ReLU(), *inner)
        made.compile("sgd", own.own_loss)
        return made

    path, _ = save_model(tmp_path, model)
    assert not load_keras_file(path).compiled
    path, _ = save_model(tmp_path, lambda own: model(own, own.Scale(name="scale")))
    with pytest.raises(ValueError, match=r"with 'Scale' of module 'own_layers' \(layer 'scale'\)$"):
        load_keras_file(path)


@pytest.mark.parametrize("name", FORMATS)
def test_class_that_refuses_its_config_is_named(name, tmp_path):
    path, file = save_model(tmp_path, lambda own: net(own.Refusing(3)), name)
    with pytest.raises(ValueError, match=r"`get_config`.*'refusing'\): .*unexpected") as caught:
        load_keras_file(path, [file])
    assert "functional" not in str(caught.value)


@pytest.mark.parametrize("name", FORMATS)
def test_lambda_needs_unsafe(name, tmp_path):
    path, _ = save_model(
        tmp_path, lambda _: net(layers.Lambda(lambda x: 2 * x, name="twice")), name
    )
    with pytest.raises(ValueError, match=r"--unsafe. Received: .* in layer 'twice'$"):
        load_keras_file(path)
    model = load_keras_file(path, unsafe=True)
    x = np.ones((1, 4, 4, 3), "float32")
    np.testing.assert_allclose(model.predict(x, verbose=0), 2 * x, atol=0, rtol=0)


def test_lambda_of_keras_2_needs_unsafe(tmp_path):
    path = tmp_path / "old.h5"
    code = {"name": "twice", "function": ["4wEAAAAA", None, None], "function_type": "lambda"}
    config = {"class_name": "Sequential", "config": [{"class_name": "Lambda", "config": code}]}
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
    with pytest.raises(ValueError, match=r"--unsafe. Received: .* in layer 'twice'$"):
        load_keras_file(path)


@pytest.mark.parametrize("name", FORMATS)
def test_layer_of_keras_2_for_a_function_of_tensorflow_is_explained(name, tmp_path):
    path = tmp_path / name
    layer = {"class_name": "TFOpLambda", "config": {"name": "tf.nn.relu", "function": "nn.relu"}}
    config = {"class_name": "Functional", "config": {"name": "m", "layers": [layer]}}
    if name == "model.h5":
        with h5py.File(path, "w") as file:
            file.attrs["model_config"] = json.dumps(config)
    else:
        config["module"] = "keras"
        layer["module"] = "keras.layers"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps(config))
    with pytest.raises(ValueError, match=r"Keras 2 saved .*'TFOpLambda'.*\(layer 'tf.nn.relu'\)$"):
        load_keras_file(path)


def test_weights_alone_are_no_model(tmp_path):
    net(layers.Dense(2)).save_weights(tmp_path / "some.weights.h5")
    with pytest.raises(ValueError, match=r"whole model in an .h5 file. .*No model config found"):
        load_keras_file(tmp_path / "some.weights.h5")


@pytest.mark.parametrize("name", FORMATS)
def test_description_of_a_model_with_own_layers(name, tmp_path):
    path, file = save_model(tmp_path, lambda own: net(own.Scale(name="scale")), name)
    found = describe(path, [file])
    assert (found.layers, found.outputs[0].name) == (2, "scale")
    assert found.metadata["keras_version"] == keras.__version__


def test_nothing_is_imported_without_being_asked_for(tmp_path, monkeypatch):
    """Keras 3.9 would import the module that the config names, if it were on Python's path."""
    write_module(tmp_path)
    monkeypatch.chdir(tmp_path)
    path, _ = save_model(tmp_path, lambda own: net(own.Scale(name="scale")))
    with pytest.raises(ValueError, match="--import"):
        load_keras_file(path)


@pytest.mark.parametrize("init", ["", "from .inner import unused\n"], ids=["there", "gone"])
def test_class_in_a_module_of_an_imported_package_is_found(init, tmp_path):
    """Where the package does not import the module, and where the module has moved since."""
    inner = tmp_path / "own_net" / "inner"
    inner.mkdir(parents=True)
    (inner.parent / "__init__.py").touch()
    (inner / "__init__.py").touch()
    file = write_module(inner)
    file.write_text(file.read_text().replace("from own_layers", "from .own_layers"))
    with forgotten_imports(tmp_path):
        (module,) = import_modules([file])
        net(module.Scale(name="scale")).save(tmp_path / "model.keras")
    if init:
        file.rename(inner / "unused.py")
        (inner / "__init__.py").write_text("from .unused import Scale\n")
        (inner.parent / "__init__.py").write_text(init)
    model = load_keras_file(tmp_path / "model.keras", [inner.parent])
    assert type(model.get_layer("scale")).__name__ == "Scale"
