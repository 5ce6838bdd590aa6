"""Signals and standard error: of small programs that work as `keras-bin` does, and of itself."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from tests.forks import Fork, run
from tests.structure import ROOT

LINE = "keras-bin: error: interrupted\n"


@pytest.fixture(autouse=True)
def _signals_are_taken():
    """Lets the programs take signals that nohup or a script which runs the tests ignores."""
    actions = {signal.SIGINT: signal.default_int_handler}
    if hasattr(signal, "SIGHUP"):
        actions[signal.SIGHUP] = signal.SIG_DFL
    before = [signal.signal(*each) for each in actions.items()]
    yield
    for number, action in zip(actions, before, strict=True):
        signal.signal(number, action)


def started(way, folder, *options, **settings):
    command = [sys.executable, "-m", "tests.cli.process_program", way, *options]
    return subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **settings,
    )


def interrupted(process, number=signal.SIGINT):
    """Waits until a program is ready, and interrupts it; returns its code and what it printed."""
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, err = process.communicate()
    return process.returncode, out, err


@pytest.mark.parametrize(
    "way",
    [
        "work",
        "swallow",
        "swallow_last",
        "convert",
        "finalize",
        "finalize_half_made",
        "finalize_in_clean_up",
        "print_in_c",
        "print_other_in_c",
    ],
)
def test_interrupted_work_is_one_line_and_leaves_nothing(way, tmp_path):
    assert interrupted(started(way, tmp_path)) == (130, "", LINE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="this system has one signal alone")
@pytest.mark.parametrize("way", ["work", "start"])
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_request_to_end_is_one_line(name, way, tmp_path):
    number = getattr(signal, name)
    code, _, err = interrupted(started(way, tmp_path), number)
    assert code == 128 + number
    assert err.endswith(f"keras-bin: error: ended by {name}\n")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("way", ["work", "start"])
def test_interruption_is_a_json_object(way, tmp_path):
    code, out, _ = interrupted(started(way, tmp_path, "--json"))
    assert code == 130
    error = {"type": "KeyboardInterrupt", "message": "interrupted"}
    assert json.loads(out) == {"error": error}


def test_signal_that_the_caller_ignores_stays_ignored(tmp_path):
    ignore = f"import signal, os, sys; signal.signal({int(signal.SIGHUP)}, signal.SIG_IGN)"
    program = f"{ignore}; os.execv(sys.executable, sys.argv[1:])"
    command = [sys.executable, "-m", "tests.cli.process_program", "work"]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *command],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGINT)
    assert process.communicate() == ("", LINE)
    assert process.returncode == 130


@pytest.mark.parametrize(
    ("way", "code", "out", "err"),
    [("publish", 0, "published\n", ""), ("publish_twice", 130, "published\n", LINE)],
    ids=["last", "more to do"],
)
def test_what_has_its_name_is_not_interrupted(way, code, out, err, tmp_path):
    process = started(way, tmp_path)
    assert process.communicate() == (out, err)
    assert process.returncode == code


def test_what_libraries_print_when_they_start_is_kept_and_warnings_are_not(tmp_path):
    assert interrupted(started("start", tmp_path)) == (
        130,
        "",
        f"keras-bin: warning: careful\n{LINE}",
    )


@pytest.mark.parametrize(
    ("way", "err"),
    [
        ("start_in_vain", "TensorFlow starts\nkeras-bin: error: no TensorFlow\n"),
        ("debug", "TensorFlow starts\n"),
    ],
)
def test_what_libraries_print_is_shown_if_the_start_fails_or_it_is_asked_for(way, err, tmp_path):
    assert started(way, tmp_path).communicate() == ("", err)


def command_of_export(model_file, out):
    formats = ["--format", "saved_model", "--format", "onnx"]
    return [sys.executable, "-m", "keras_bin_cli", "export", str(model_file), str(out), *formats]


def assert_nothing_is_left(code, errors, model_file):
    *stages, error = errors.splitlines()
    assert (code, f"{error}\n") == (130, LINE)
    assert all(line.startswith("keras-bin: ") and line.endswith(" s") for line in stages)
    assert list(model_file.parent.iterdir()) == [model_file]


@pytest.mark.slow
def test_export_interrupted_at_its_start_leaves_nothing(model_file, tmp_path):
    command = command_of_export(model_file, tmp_path / "new" / "net")
    process = subprocess.Popen(command, text=True, stderr=subprocess.PIPE)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    errors = process.communicate()[1]
    assert_nothing_is_left(process.returncode, errors, model_file)


@pytest.mark.slow
@pytest.mark.parametrize("moment", ["load", "trace", "write"])
def test_interrupted_export_leaves_nothing(moment, model_file, tmp_path):
    process = Fork(command_of_export(model_file, tmp_path / "new" / "net"))
    assert any(line.startswith(f"keras-bin: {moment}: ") for line in process.stderr)
    process.send_signal(signal.SIGINT)
    assert_nothing_is_left(*process.end(), model_file)


@pytest.mark.slow
def test_export_that_is_not_interrupted_is_there(model_file, tmp_path):
    command = [sys.executable, "-m", "keras_bin_cli", "export", model_file, "net.onnx"]
    done = run(command, cwd=tmp_path)
    assert (done.returncode, done.stdout.startswith("net.onnx: ")) == (0, True)
    assert done.stderr.endswith(" s\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == [model_file.name, "net.onnx"]


@pytest.mark.parametrize("arguments", [["--help"], ["export", "--help"]], ids=" ".join)
def test_closed_pipe_is_silent(arguments):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "keras_bin_cli", *arguments]
    process = subprocess.Popen(command, text=True, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert process.communicate()[1] == ""
    assert process.returncode == 141


@pytest.mark.parametrize("closed", [1, 2], ids=["standard output", "standard error"])
def test_closed_stream_is_no_traceback(closed):
    command = f"{sys.executable} -m keras_bin_cli inspect none.keras {closed}>&-"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("how", [[], ["--json"]], ids=["text", "JSON"])
def test_closed_pipe_of_results_is_silent(how, model_file):
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "keras_bin_cli", "inspect", model_file, *how]
    process = Fork(command, stdout=writing)
    os.close(writing)
    assert process.end() == (141, "")
