"""The program as a whole: exit codes, help, and options that every command has."""

import contextlib
import os
import subprocess
import sys
import zipfile
from importlib.metadata import entry_points

import pytest

import keras_bin
from keras_bin.export import export_onnx
from keras_bin.export.describe import describe
from keras_bin_cli import run
from keras_bin_cli.program import main
from tests import forks
from tests.export.kinds import bin_model


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["export"],
        ["export", "a", "b", "--format", "h5"],
        ["export", "a", "b", "--opset", "x"],
        ["verify", "a"],
        ["convert", "a"],
        ["convert", "a", "b", "--rho", "x"],
        ["inspect"],
        ["inspect", "a", "--json", "--quiet"],
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_with_2(arguments, capsys):
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == "" or "--json" in arguments
    assert printed.err.startswith("keras-bin: error: ")
    assert printed.err.count("\n") == 1


@pytest.mark.parametrize(
    ("command", "example"),
    [
        ("export", "keras-bin export digits.keras models/digits --format"),
        ("verify", "keras-bin verify models/digits/1 digits.keras"),
        ("inspect", "keras-bin inspect models/digits/1"),
        ("convert", "keras-bin convert trained.keras bin.keras"),
    ],
)
def test_help_shows_an_example_and_the_exit_codes(command, example, capsys):
    assert main([command, "--help"]) == 0
    printed = capsys.readouterr().out
    assert example in printed
    assert "exit codes:\n    0    success" in printed


def test_help_of_the_program_lists_the_commands(capsys):
    assert main(["--help"]) == 0
    printed = capsys.readouterr().out
    for word in ("export ", "verify ", "inspect ", "convert ", "exit codes:"):
        assert word in printed


@pytest.mark.parametrize("command", ["inspect", "verify", "export"])
def test_missing_file_is_one_line_of_error(command, tmp_path, capsys):
    arguments = {"inspect": 1, "verify": 2, "export": 2}[command] * [str(tmp_path / "none.keras")]
    assert main([command, *arguments]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("keras-bin: error: ")
    assert "none.keras" in printed.err
    assert printed.err.count("\n") == 1


@pytest.fixture
def broken_file(tmp_path):
    """A .keras file that is one by its names alone."""
    with zipfile.ZipFile(tmp_path / "broken.keras", "w") as archive:
        archive.writestr("config.json", "")
    return tmp_path / "broken.keras"


def test_debug_prints_the_traceback(broken_file, capsys):
    assert main(["inspect", str(broken_file), "--debug"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("Traceback (most recent call last):\n")
    assert "\nkeras-bin: error: A model must be a whole .keras file" in error


def test_error_is_a_json_object(broken_file, run_json):
    code, found, error = run_json("inspect", broken_file)
    assert code == 1
    assert list(found) == ["error"]
    assert found["error"]["type"] == "ValueError"
    assert error == f"keras-bin: error: {found['error']['message']}\n"


@pytest.mark.parametrize(
    "arguments",
    [[], ["inspect"], ["inspect", "none"], ["inspec"], ["inspect", "--jso"], ["--quiet"]],
    ids=" ".join,
)
def test_wrong_usage_is_a_json_object(arguments, run_json):
    code, found, error = run_json(*arguments)
    assert code == 2
    assert list(found) == ["error"]
    assert found["error"]["type"] == "UsageError"
    assert error.startswith(f"keras-bin: error: {found['error']['message']}")


@pytest.mark.parametrize("option", ["--json", "--quiet", "--debug"])
def test_option_of_commands_is_told_its_place(option, capsys):
    assert main([option, "inspect", "net.keras"]) == 2
    assert f"{option} goes after the command: keras-bin COMMAND {option}" in capsys.readouterr().err


def test_quiet_prints_errors_alone(model_file, tmp_path, capsys):
    assert main(["inspect", str(model_file), "--quiet"]) == 0
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")
    assert main(["inspect", str(tmp_path / "none"), "--quiet"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("keras-bin: error: PATH must be a .keras file")


def test_what_layers_print_is_no_part_of_the_json(model_file, run_json, monkeypatch):
    def describe(*_given):
        print("chatter")
        raise KeyError("surprise")

    monkeypatch.setattr("keras_bin_cli.work.inspect.describe", describe)
    code, found, error = run_json("inspect", model_file)
    assert (code, found) == (1, {"error": {"type": "KeyError", "message": "'surprise'"}})
    assert error == "chatter\nkeras-bin: error: KeyError: 'surprise' (--debug shows where)\n"


def test_what_layers_print_is_no_result(model_file, capsys, monkeypatch):
    found = describe(model_file)
    monkeypatch.setattr(
        "keras_bin_cli.work.inspect.describe", lambda *_given: print("chatter") or found
    )
    assert main(["inspect", str(model_file), "--quiet"]) == 0
    assert capsys.readouterr().out == ""


def test_interrupt_is_one_line_and_code_130(model_file, run_json, monkeypatch):
    def interrupt(*_given):
        raise KeyboardInterrupt

    monkeypatch.setattr("keras_bin_cli.work.inspect.describe", interrupt)
    code, found, error = run_json("inspect", model_file)
    assert (code, error) == (130, "keras-bin: error: interrupted\n")
    assert found["error"]["type"] == "KeyboardInterrupt"


def test_version_is_the_packages(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith(f"keras-bin {keras_bin.__version__} (")


def test_console_script_runs_the_program():
    (script,) = entry_points(group="console_scripts", name="keras-bin")
    assert script.load() is run


@pytest.mark.slow
def test_module_of_the_library_runs_as_a_program(model_file, tmp_path):
    export_onnx(bin_model(0.5), tmp_path / "other.onnx", verbose=False)
    command = [sys.executable, "-m", "keras_bin", "verify", "other.onnx", model_file]
    done = forks.run(command, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stdout.count(" wrong ") == 3
    assert "\nkeras-bin: error: " in done.stderr


@pytest.mark.slow
def test_module_runs_as_a_program_and_shows_nothing_of_tensorflow(model_file, tmp_path):
    command = [sys.executable, "-m", "keras_bin_cli", "inspect"]
    assert forks.run([*command, "none.keras"], cwd=tmp_path).returncode == 2
    done = subprocess.run([*command, model_file], capture_output=True, text=True, check=True)
    assert "rho" in done.stdout
    assert done.stderr == ""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full device")
@pytest.mark.parametrize("how", [[], ["--json"]], ids=["text", "JSON"])
def test_output_that_cannot_be_written_is_one_line(how, model_file, capsys, monkeypatch):
    with open("/dev/full", "w") as full:
        monkeypatch.setattr("sys.stdout", full)
        code = main(["inspect", str(model_file), *how])
        monkeypatch.undo()
        with contextlib.suppress(OSError):  # what is left to write
            full.close()
    assert code == 1
    assert capsys.readouterr().err == "keras-bin: error: [Errno 28] No space left on device\n"


@pytest.mark.parametrize(
    ("words", "position", "completed"),
    [
        ("keras-bin fo", 1, "plain,fold-report"),
        ("keras-bin export a b --lowering red", 5, "plain,reduce_mean"),
        ("keras-bin export a b --over", 4, "plain,--overwrite"),
        ("keras-bin inspect ne", 2, "file,ne"),
    ],
    ids=["command", "word", "option", "file"],
)
def test_shell_completes(words, position, completed, monkeypatch, capsys):
    monkeypatch.setenv("_KERAS_BIN_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", words)
    monkeypatch.setenv("COMP_CWORD", str(position))
    assert main([]) == 0
    assert capsys.readouterr().out.strip() == completed
