"""SavedModels whose inputs and outputs have other names than the model's."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_bin.export import NamesError, export_saved_model, verify
from keras_bin.export.describe import describe
from keras_bin.export.files.manifest import read_manifest
from keras_bin.export.saved_models.warm_up import read_warm_up
from tests.export.kinds import BIN, IMAGE, KINDS, bin_model
from tests.export.serving import serving
from tests.export.values import arrays, predict

INPUTS, OUTPUTS = ["minuend", "subtrahend"], ["zeta", "größe", "again"]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return KINDS["lists"]()


@pytest.fixture(scope="module")
def renamed(model, tmp_path_factory):
    """The path of the model's artifact with names of its own."""
    base = tmp_path_factory.mktemp("renamed")
    return export_saved_model(model, base, input_names=INPUTS, output_names=OUTPUTS).path


def test_given_names_stand_in_signature_manifest_and_warm_up(renamed):
    for signature in describe(renamed).signatures:
        assert sorted(info.name for info in signature.inputs) == sorted(INPUTS)
        assert sorted(info.name for info in signature.outputs) == sorted(OUTPUTS)
    stated = read_manifest(renamed)["model"]
    assert sorted(info["name"] for info in stated["inputs"]) == sorted(INPUTS)
    assert sorted(info["name"] for info in stated["outputs"]) == sorted(OUTPUTS)
    assert stated["given_names"] == {"inputs": INPUTS, "outputs": OUTPUTS}
    assert all(sorted(request) == sorted(INPUTS) for request in read_warm_up(renamed))


def test_given_names_stand_for_the_tensors_in_the_order_of_keras(model, renamed):
    values = arrays(model, 3)
    got = serving(renamed)(**dict(zip(INPUTS, values, strict=True)))
    for name, expected in zip(OUTPUTS, predict(model, values), strict=True):
        # float32 rounding of values up to 10.
        np.testing.assert_allclose(got[name], expected, rtol=1e-5, atol=1e-5)


def test_dict_renames_some(tmp_path):
    path = export_saved_model(
        KINDS["dicts"](), tmp_path, input_names={"left": "west"}, output_names={"mask": "hidden"}
    ).path
    stated = read_manifest(path)["model"]["given_names"]
    assert stated == {"inputs": ["west", "right"], "outputs": ["image", "hidden"]}


def test_model_keeps_its_own_names(model, renamed):
    assert [tensor.name for tensor in model.inputs] == ["right", "left"]
    assert model.output_names == ["z", "a", "z"]
    assert verify(renamed, model).passed


def test_samples_go_by_the_given_names(tmp_path):
    model = bin_model()
    x = arrays(model, 3)[0]
    names = {"input_names": ["picture"]}
    assert export_saved_model(model, tmp_path, samples={"picture": x}, **names).path.is_dir()
    with pytest.raises(ValueError, match=r"\['image'\] for inputs \['picture'\]"):
        export_saved_model(model, tmp_path, samples={"image": x}, **names)


@pytest.mark.parametrize(
    ("names", "error", "match"),
    [
        ({"input_names": "image"}, TypeError, "`input_names` must be a list"),
        ({"output_names": ["a", "b"]}, ValueError, "a name for each output"),
        ({"input_names": {"picture": "x"}}, ValueError, r"\['picture'\] are unknown"),
        ({"output_names": [""]}, ValueError, "printable text that is not empty"),
        ({"input_names": ["bin"]}, ValueError, r"different names.*\['bin'\]"),
    ],
    ids=["type", "number", "unknown", "empty", "input_and_output"],
)
def test_wrong_names_are_refused_before_anything_is_written(names, error, match, tmp_path):
    with pytest.raises(error, match=match):
        export_saved_model(bin_model(), tmp_path / "base", **names)
    assert not (tmp_path / "base").exists()


@pytest.mark.parametrize("given", [False, True], ids=["of_the_model", "given"])
def test_inputs_that_differ_in_case_only_are_refused(given, tmp_path):
    inputs = [keras.Input(IMAGE, name=name) for name in (("x", "y") if given else ("x", "X"))]
    model = keras.Model(inputs, BIN(name="bin")(layers.Add()(inputs)))
    with pytest.raises(ValueError, match=r"`input_names`\. Received: \['x', 'X'\]"):
        export_saved_model(model, tmp_path / "base", input_names=["x", "X"] if given else None)
    assert not (tmp_path / "base").exists()


def test_verify_takes_names_in_place_of_recorded_ones(model, renamed):
    names = {"input_names": INPUTS, "output_names": OUTPUTS}
    assert verify(renamed, model, **names).passed
    with pytest.raises(NamesError, match=r"expected .*'other'.*got .*'zeta'"):
        verify(renamed, model, output_names=["other", *OUTPUTS[1:]])


def test_artifact_of_a_model_with_other_inputs_has_wrong_names(renamed):
    with pytest.raises(NamesError, match=r"inputs: expected .'image'., got .'minuend', 'subtr"):
        verify(renamed, bin_model())


def test_changes_of_the_version_before_are_said_where_the_user_exports(tmp_path):
    export_saved_model(bin_model(), tmp_path)
    with pytest.warns(UserWarning, match="have to change") as warned:
        export_saved_model(bin_model(shape=(4, 4, 3)), tmp_path, output_names=["normalized"])
    (warning,) = [each for each in warned if each.category is UserWarning]
    assert warning.filename == __file__
    assert str(warning.message) == (
        f"Clients of '{tmp_path}/1' have to change, as this export has other names, dtypes or "
        "shapes; pass the old names as `input_names` and `output_names` (--input-names and "
        "--output-names in a shell) to keep those. The changes are: "
        "inputs: 'image' (float32, shape (None, 8, 6, 3)) → "
        "'image' (float32, shape (None, 4, 4, 3)); "
        "outputs: 'bin' (float32, shape (None, 8, 6, 3)) → "
        "'normalized' (float32, shape (None, 4, 4, 3))"
    )


def test_names_of_the_version_before_can_be_kept(tmp_path):
    export_saved_model(bin_model(), tmp_path, input_names=["x"], output_names=["y"])
    names = {"input_names": ["x"], "output_names": {"bin": "y"}}
    assert export_saved_model(bin_model(), tmp_path, **names).path.name == "2"


def test_changes_that_are_not_wanted_publish_nothing(tmp_path):
    export_saved_model(bin_model(), tmp_path)
    with pytest.raises(UserWarning, match="have to change"):  # as warnings are errors here
        export_saved_model(bin_model(), tmp_path, input_names=["x"])
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
