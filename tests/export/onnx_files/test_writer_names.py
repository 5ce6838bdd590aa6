"""ONNX files whose inputs and outputs have other names than the model's."""

import json

import keras
import numpy as np
import onnx
import onnxruntime
import pytest

from keras_bin.export import export_onnx, verify
from keras_bin.export.describe import describe
from tests.export.kinds import BIN, KINDS, bin_model
from tests.export.values import arrays, predict

INPUTS, OUTPUTS = ["minuend", "subtrahend"], ["zeta", "größe", "again"]


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    return KINDS["lists"]()


@pytest.fixture(scope="module")
def renamed(model, tmp_path_factory):
    """The path of the model's file with names of its own."""
    path = tmp_path_factory.mktemp("renamed") / "model.onnx"
    return export_onnx(model, path, input_names=INPUTS, output_names=OUTPUTS).path


def test_given_names_stand_in_the_order_of_keras(model, renamed):
    session = onnxruntime.InferenceSession(renamed)
    assert [value.name for value in session.get_inputs()] == INPUTS
    assert [value.name for value in session.get_outputs()] == OUTPUTS
    values = arrays(model, 3)
    got = session.run(None, dict(zip(INPUTS, values, strict=True)))
    for found, expected in zip(got, predict(model, values), strict=True):
        # float32 rounding of values up to 10.
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_given_names_are_described_and_recorded(renamed):
    found = describe(renamed)
    assert [info.name for info in found.inputs] == INPUTS
    assert [info.name for info in found.outputs] == OUTPUTS
    stated = json.loads(found.metadata["given_names"])
    assert stated == {"inputs": INPUTS, "outputs": OUTPUTS}


def test_free_sizes_go_by_the_given_names(tmp_path):
    inputs = keras.Input((None, None, 3), name="image")
    model = keras.Model(inputs, BIN(name="bin")(inputs))
    path = export_onnx(model, tmp_path / "x.onnx", input_names=["picture"]).path
    (value,) = onnx.load(path).graph.input
    sizes = [size.dim_param for size in value.type.tensor_type.shape.dim]
    assert sizes == ["batch", "picture_1", "picture_2", ""]


@pytest.mark.parametrize("names", [["x", "X"], ["batch", "Add"]], ids=["case", "words_of_graphs"])
def test_onnx_tells_names_apart_that_a_graph_of_tensorflow_has(names, model, tmp_path):
    path = export_onnx(model, tmp_path / "model.onnx", input_names=names).path
    assert [info.name for info in describe(path).inputs] == names


def test_verify_takes_the_names_from_the_file(model, renamed):
    assert verify(renamed, model).passed


def test_names_of_another_program_are_none_of_ours(model, renamed, tmp_path):
    proto = onnx.load(renamed)
    onnx.helper.set_model_props(proto, {"given_names": "{0: 'person'}"})
    onnx.save(proto, tmp_path / "foreign.onnx")
    names = {"input_names": INPUTS, "output_names": OUTPUTS}
    assert verify(tmp_path / "foreign.onnx", model, **names).passed


def test_wrong_names_are_refused_before_anything_is_written(tmp_path):
    with pytest.raises(ValueError, match=r"different names.*\['bin'\]"):
        export_onnx(bin_model(), tmp_path / "base" / "x.onnx", input_names=["bin"])
    assert not (tmp_path / "base").exists()


def test_changes_of_the_file_that_is_replaced_are_said(model, tmp_path):
    path = tmp_path / "model.onnx"
    export_onnx(model, path)
    assert export_onnx(model, path, overwrite=True).path == path
    with pytest.warns(
        UserWarning, match=r"model\.onnx' have to change.*'z' .* → 'first' "
    ) as warned:
        export_onnx(model, path, overwrite=True, output_names={"z": "first"})
    (warning,) = [each for each in warned if each.category is UserWarning]
    assert warning.filename == __file__


def test_empty_file_that_is_replaced_has_no_clients(model, tmp_path):
    """So has one that reserved the name, as `tempfile` makes."""
    (tmp_path / "net.onnx").touch()
    export_onnx(model, tmp_path / "net.onnx", overwrite=True)


def test_other_order_is_a_change(model, tmp_path):
    path = tmp_path / "model.onnx"
    export_onnx(model, path, verbose=False)
    with pytest.warns(UserWarning, match=r"'right' \(.*, 'left' \(.* → 'left' \(.*, 'right' \("):
        export_onnx(
            model,
            path,
            overwrite=True,
            input_names={"right": "left", "left": "right"},
            verbose=False,
        )
