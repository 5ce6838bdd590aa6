"""What exports print while they work, and where."""

import logging
import re

import keras
import pytest

from keras_bin.export import ValuesError, export_onnx, export_saved_model, verify
from tests.export.kinds import bin_model

SAVED_MODEL = ["sample", "trace", "fold", "write", "verify", "publish"]
ONNX = ["sample", "trace", "fold", "convert", "verify", "publish"]


@pytest.fixture
def keras_log(caplog):
    """Makes Keras log instead of print, and keeps the log."""
    keras.config.disable_interactive_logging()
    with caplog.at_level(logging.INFO, logger="absl"):
        yield caplog
    keras.config.enable_interactive_logging()


def stages_in(text):
    """Returns the stages that are printed, each in a line of its own with its time."""
    return re.findall(r"^(\w+) \.\.\. \d+\.\d s$", text, flags=re.MULTILINE)


@pytest.mark.parametrize("verbose", [None, True])
@pytest.mark.parametrize(
    ("export", "name", "stages", "written"),
    [
        (export_saved_model, "net", SAVED_MODEL, "net/1"),
        (export_onnx, "net.onnx", ONNX, "net.onnx"),
    ],
    ids=["saved_model", "onnx"],
)
def test_export_prints_stages_and_path(export, name, stages, written, verbose, tmp_path, capsys):
    export(bin_model(), tmp_path / name, verbose=verbose)
    printed = capsys.readouterr().out
    assert stages_in(printed) == stages
    assert printed.endswith(f"s\nSaved artifact at '{tmp_path / written}'.\n")


@pytest.mark.parametrize(
    ("export", "name"), [(export_saved_model, "net"), (export_onnx, "net.onnx")]
)
def test_export_prints_nothing_unless_verbose(export, name, tmp_path, capsys):
    export(bin_model(), tmp_path / name, verbose=False)
    assert capsys.readouterr().out == ""


def test_verify_prints_stages_if_verbose(tmp_path, capsys):
    model = bin_model()
    path = export_onnx(model, tmp_path / "net.onnx", verbose=False).path
    verify(path, model)
    assert capsys.readouterr().out == ""
    verify(path, model, verbose=True)
    assert stages_in(capsys.readouterr().out) == ["load", "sample", "verify"]


def test_failed_export_ends_its_line_and_names_no_path(wrong_values, tmp_path, capsys):
    with pytest.raises(ValuesError):
        export_onnx(bin_model(rho=1.0), tmp_path / "net.onnx")
    printed = capsys.readouterr().out
    assert stages_in(printed) == ["sample", "trace", "fold", "convert", "verify"]
    assert printed.endswith(" s\n")


def test_stages_are_logged_where_keras_logs(keras_log, tmp_path, capsys):
    path = tmp_path / "net.onnx"
    export_onnx(bin_model(), path)
    assert capsys.readouterr().out == ""
    # TensorFlow's own logger may speak, too, of tables that other models have left.
    lines = [record.getMessage() for record in keras_log.records if record.name == "absl"]
    assert [line.partition(": ")[0] for line in lines] == [*ONNX, f"Saved artifact at '{path}'."]
