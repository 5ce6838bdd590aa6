"""What is checked before the library is imported is what the library checks."""

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from keras_bin.export.files.remote import refuse_remote
from keras_bin.export.models.rho_tolerance import check_rho_tolerance
from keras_bin.export.onnx_files import lowering, writer
from keras_bin.export.saved_models.versions import check_version
from keras_bin.export.verifying.tolerance import ATOL, RTOL, check_tolerances
from keras_bin.runtimes import ANY, RUNTIMES
from keras_bin_cli.commands import export, inspect
from keras_bin_cli.program import main


def test_settings_of_onnx_files_are_the_exporters():
    assert (export.OPSETS, export.DEFAULT_OPSET) == (writer.OPSETS, writer.DEFAULT_OPSET)
    assert lowering.LOWERINGS == export.LOWERINGS
    assert lowering.DEFAULT_LOWERING == export.LOWERINGS[0]


def test_runtimes_are_the_librarys():
    assert (export.RUNTIMES, export.RUNTIMES[0]) == (RUNTIMES, ANY)


def test_default_tolerances_in_the_help_are_the_exporters(capsys):
    assert ATOL == RTOL == 1e-4
    assert main(["verify", "--help"]) == 0
    assert " ".join(capsys.readouterr().out.split()).count("Default: 1e-4") == 2


def accepted(check, text, kind):
    """Whether the library takes a number; texts that are none are refused before."""
    try:
        check(kind(text))
    except (ValueError, OverflowError):
        return False
    return True


NUMBERS = ["-1", "0", "1", "0.2", "0.49", "0.5", "1e-30", "nan", "inf", "-inf", "1e999", "x", "1_0"]
CASES = [
    *(("--atol", lambda value: check_tolerances(value, None), float, n) for n in NUMBERS),
    *(("--rtol", lambda value: check_tolerances(None, value), float, n) for n in NUMBERS),
    *(("--rho-tolerance", check_rho_tolerance, float, n) for n in NUMBERS),
    *(("--opset", writer.check_opset, int, n) for n in ["12", "13", "18", "19", "17.0", "x"]),
    *(("--version", check_version, int, n) for n in ["0", "1", str(2**63 - 1), str(2**63), "-1"]),
]


@pytest.mark.parametrize(
    ("option", "check", "kind", "text"), CASES, ids=[f"{case[0]} {case[3]}" for case in CASES]
)
def test_number_is_taken_where_the_library_takes_it(option, check, kind, text, capsys):
    """MODEL is missing, which is said of numbers that are right."""
    out = ["--format", "saved_model", "--format", "onnx"]
    assert main(["export", "none.keras", "out", *out, option, text]) == 2
    error = capsys.readouterr().err
    right = accepted(check, text, kind)
    assert ("MODEL must be a .keras file" in error) == right
    assert (f"Received: {text}\n" in error) == (not right)


@pytest.mark.parametrize(
    "path",
    ["s3://bucket/net", "gs:/bucket/net", "hdfs:\\net", "C:\\net", "a b://c", "n:1", "x:/y"],
)
def test_address_is_refused_where_the_library_refuses_it(path, capsys):
    refused = not accepted(refuse_remote, path, Path)
    assert main(["inspect", path]) == 2
    assert ("path of a local file" in capsys.readouterr().err) == refused


def test_pictures_are_what_matplotlib_writes():
    assert set(inspect.PICTURES) <= Figure().canvas.get_supported_filetypes().keys()
