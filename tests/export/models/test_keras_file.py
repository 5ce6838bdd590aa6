"""What a `.keras` file is said to hold, and files that hold no model."""

import json
import zipfile

import keras
import numpy as np
import pytest
from keras import layers

import keras_bin
from keras_bin.export.models.keras_file import describe_keras_file, load_keras_file
from keras_bin.networks.signature import TensorInfo, model_signature
from testing.weights import randomize
from tests.export.kinds import BIN, IMAGE, KINDS, classifier


@keras.saving.register_keras_serializable(package="tests")
class Subclassed(keras.Model):
    def __init__(self, **arguments):
        super().__init__(**arguments)
        self.norm = BIN(name="norm")

    def build(self, shape):
        self.norm.build(shape)

    def call(self, inputs):
        return self.norm(inputs)


@keras.saving.register_keras_serializable(package="tests")
class OfIntegers(Subclassed):
    def call(self, inputs):
        return super().call(keras.ops.cast(keras.ops.bitwise_and(inputs, 3), "float32"))


def own_loss(y, predicted):
    return y - predicted


def saved(model, folder):
    model.save(folder / "model.keras")
    return folder / "model.keras"


def test_description_is_that_of_the_model(tmp_path):
    model = randomize(classifier())
    path = saved(model, tmp_path)
    found = describe_keras_file(path)
    assert (found.path, found.size) == (path, path.stat().st_size)
    assert found.metadata["keras_version"] == keras.__version__
    assert found.inputs == (TensorInfo("image", (None, *IMAGE), "float32"),)
    assert found.outputs == (TensorInfo("head", (None, 2), "float32"),)
    assert found.layers == 8
    assert found.parameters == sum(np.size(weight) for weight in model.weights)
    assert list(found.rho) == keras_bin.rho_summary(model)


@pytest.mark.parametrize("kind", ["sequential", "dicts", "lists", "shared_model"])
def test_names_are_those_of_an_export(kind, tmp_path):
    path = saved(KINDS[kind](), tmp_path)
    found = describe_keras_file(path)
    model = load_keras_file(path)
    if isinstance(model, keras.Sequential):
        model = keras.Model(model.inputs[0], model.outputs[0])
    assert (found.inputs, found.outputs) == model_signature(model)


@pytest.mark.parametrize(("kind", "count"), [("shared_model", 5), ("nested_twice", 7)])
def test_layers_of_nested_models_count_once(kind, count, tmp_path):
    """Inputs are layers too: there are 3 of them."""
    assert describe_keras_file(saved(KINDS[kind](), tmp_path)).layers == count


def test_name_that_no_export_takes_is_described(tmp_path):
    inputs = keras.Input(IMAGE, name="my-image")
    found = describe_keras_file(saved(keras.Model(inputs, layers.ReLU()(inputs)), tmp_path))
    assert found.inputs[0].name == "my-image"


def test_subclassed_model_is_described_as_it_is_exported(tmp_path):
    model = Subclassed()
    model(np.zeros((1, *IMAGE), "float32"))
    found = describe_keras_file(saved(model, tmp_path))
    assert found.inputs == (TensorInfo("inputs", (None, *IMAGE), "float32"),)
    assert [output.shape for output in found.outputs] == [(None, *IMAGE)]
    assert [summary.channels for summary in found.rho] == [3]


def test_model_whose_inputs_are_unknown_has_none(tmp_path):
    model = OfIntegers()
    model(np.zeros((1, *IMAGE), "int32"))
    found = describe_keras_file(saved(model, tmp_path))
    assert (found.inputs, found.outputs) == ((), ())
    assert [summary.channels for summary in found.rho] == [3]


def test_plain_values_survive_strict_json(tmp_path):
    plain = describe_keras_file(saved(classifier(), tmp_path)).as_dict()
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert plain["kind"] == "keras"
    assert plain["inputs"] == [{"name": "image", "shape": [None, *IMAGE], "dtype": "float32"}]
    assert plain["rho"][0]["at_one"] == 4


def test_model_is_loaded_without_its_training(tmp_path):
    """An export needs neither a custom loss nor the state of the optimizer."""
    model = classifier()
    model.compile(optimizer="adam", loss=own_loss)
    assert not load_keras_file(saved(model, tmp_path)).compiled


def test_missing_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must be a .keras file. Received: '.*none"):
        load_keras_file(tmp_path / "none.keras")


def test_damaged_file_is_refused(tmp_path):
    path = saved(classifier(), tmp_path)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"whole .keras.*model.keras', which is not .* cut off"):
        load_keras_file(path)


def test_h5_file_of_another_name_is_refused(tmp_path):
    """Keras 2.11 and before wrote HDF5 whatever the name."""
    keras.Sequential([keras.Input((2,)), layers.Dense(1)]).save_weights(tmp_path / "a.weights.h5")
    path = (tmp_path / "a.weights.h5").rename(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"rename .* ends in .h5. Received: '.*model.keras'$"):
        load_keras_file(path)


def with_metadata(folder, content):
    """Writes a model with other metadata, or none."""
    path = saved(classifier(), folder)
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    del members["metadata.json"]
    if content is not None:
        members["metadata.json"] = content
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


@pytest.mark.parametrize(
    ("content", "metadata"),
    [(None, {}), ("{}", {}), ('{"by": [1]}', {"by": [1]})],
    ids=["missing", "empty", "other"],
)
def test_metadata_is_what_is_there(content, metadata, tmp_path):
    assert describe_keras_file(with_metadata(tmp_path, content)).metadata == metadata


@pytest.mark.parametrize("content", ["", "{", "[]", "3", "null", b"\xff"], ids=repr)
def test_metadata_of_another_type_is_refused(content, tmp_path):
    path = with_metadata(tmp_path, content)
    with pytest.raises(ValueError, match=r"'metadata.json' in .* must be (a )?JSON") as caught:
        describe_keras_file(path)
    assert str(path) in str(caught.value)
