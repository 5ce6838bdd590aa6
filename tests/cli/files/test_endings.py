"""Destinations that are names of files of other kinds, and folders whose names have a dot."""

from pathlib import Path

import keras
import pytest

from keras_bin.export import fold
from keras_bin_cli.files.endings import way_to
from tests.export.kinds import bin_model

OTHERS = (
    "tflite lite litert h5 hdf5 keras xml bin pb pbtxt mlmodel mlpackage json ort engine zip tar.gz"
)
NEAR = ["onx", "onnxx", "onn", "oonx", "ONX"]


@pytest.mark.parametrize("ending", [*OTHERS.split(), "TFLITE", "Keras"])
def test_file_of_another_kind_has_another_way(ending):
    way = way_to(Path(f"models/net.{ending}"))
    assert way.startswith(f"A .{ending.lower().split('.')[-1]} file: ")


@pytest.mark.parametrize("ending", NEAR)
def test_slip_is_recognized(ending):
    assert way_to(Path(f"net.{ending}")) == "Did you mean net.onnx?"


@pytest.mark.parametrize(
    "name",
    ["net", "v1.2", "net.v2", "net-1.0.3", "net.final", "net.onnx", "NET.ONNX", ".net"],
)
def test_folder_and_onnx_file_are_free(name):
    assert way_to(Path("models") / name) is None


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.filterwarnings("ignore:You are saving")
def test_way_to_a_keras_file_works(ending, tmp_path):
    path = tmp_path / f"net.{ending}"
    assert "keras_bin.export.fold(model).save(path)" in way_to(path)
    fold(bin_model()).save(path)
    assert keras.saving.load_model(path).count_params()
