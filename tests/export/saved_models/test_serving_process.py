"""The process that serves: what it computes, what it imports, and how it ends."""

import os
import signal
import sys
import textwrap
import time

import numpy as np
import pytest
import tensorflow as tf

from keras_bin.export import VerificationError
from keras_bin.export.saved_models import serving_process
from keras_bin.export.saved_models.serving_process import serving_process as start
from keras_bin.networks.signature import Signature, TensorInfo
from tests import forks


def write(path, function, *specs):
    tf.saved_model.save(
        tf.Module(),
        str(path),
        tf.function(function, autograph=False).get_concrete_function(*specs),
    )
    return path


def sum_and_text(x, text):
    return {"sum": x + 1, "joined": tf.strings.join([text, "!"])}


SPECS = (tf.TensorSpec((None, 2), tf.bfloat16, "x"), tf.TensorSpec((None,), tf.string, "text"))


@pytest.fixture(scope="module")
def process(tmp_path_factory):
    with start(tmp_path_factory.mktemp("serving")) as process:
        yield process


def test_signature_and_values_are_those_of_the_file(process, tmp_path):
    artifact = process.load(write(tmp_path, sum_and_text, *SPECS))
    assert Signature(*map(sorted, artifact.signature)) == Signature(
        [TensorInfo("text", (None,), "string"), TensorInfo("x", (None, 2), "bfloat16")],
        [TensorInfo("joined", (None,), "string"), TensorInfo("sum", (None, 2), "bfloat16")],
    )
    x = np.ones((3, 2), tf.bfloat16.as_numpy_dtype)
    got = artifact.run({"x": x, "text": np.array(["a", "b", "größer"])})
    assert got["sum"].dtype == x.dtype
    np.testing.assert_array_equal(got["sum"], 2 * x)
    assert got["joined"].tolist() == [b"a!", b"b!", "größer!".encode()]


def test_several_batches_run(process, tmp_path):
    run = process.load(
        write(tmp_path, lambda x: {"y": 2 * x}, tf.TensorSpec((None,), name="x"))
    ).run
    for size in (1, 3):
        np.testing.assert_array_equal(run({"x": np.ones(size, "float32")})["y"], np.full(size, 2))


def test_error_of_a_run_has_the_process_s_own_words(process, tmp_path):
    run = process.load(
        write(tmp_path, lambda x: {"y": tf.reshape(x, (4, -1))}, tf.TensorSpec((None,), name="x"))
    ).run
    assert run({"x": np.ones(4, "float32")})["y"].shape == (4, 1)
    with pytest.raises(
        VerificationError, match=r"fresh process(?s:.*)InvalidArgumentError(?s:.*)4"
    ):
        run({"x": np.ones(3, "float32")})
    assert run({"x": np.ones(8, "float32")})["y"].shape == (4, 2)


def test_missing_model_is_an_error_and_the_process_lives(process, tmp_path):
    with pytest.raises(VerificationError, match="does not exist") as caught:
        process.load(tmp_path / "missing")
    assert str(tmp_path / "missing") in str(caught.value)
    assert process.alive


def test_only_the_last_model_can_be_run(process, tmp_path):
    spec = tf.TensorSpec((None,), name="x")
    first = process.load(write(tmp_path / "1", lambda x: {"y": x}, spec))
    process.load(write(tmp_path / "2", lambda x: {"y": 2 * x}, spec))
    with pytest.raises(VerificationError, match="no longer loaded"):
        first.run({"x": np.ones(1, "float32")})


def test_python_functions_of_the_caller_do_not_work_there(process, tmp_path):
    path = write(
        tmp_path,
        lambda x: {"y": tf.ensure_shape(tf.numpy_function(np.negative, [x], tf.float32), (None,))},
        tf.TensorSpec((None,), name="x"),
    )
    run = process.load(path).run
    with pytest.raises(VerificationError, match="pyfunc"):
        run({"x": np.ones(1, "float32")})


def start_program(monkeypatch, tmp_path, program):
    """Starts a process that runs another program."""
    (tmp_path / "program.py").write_text(textwrap.dedent(program))
    monkeypatch.setattr(serving_process.serving_program, "__file__", str(tmp_path / "program.py"))
    return start(tmp_path)


@pytest.mark.parametrize(
    ("program", "match"),
    [
        ("raise ImportError('no TensorFlow here')", "code 1(?s:.*)no TensorFlow here"),
        ("import os, sys; sys.stdin.buffer.read(1); os.abort()", "code -6"),
        (
            "import sys; print('last words', file=sys.stderr); sys.stdin.buffer.read(1)",
            "code 0(?s:.*)last words",
        ),
        (
            "import os, pickle; os.write(1, pickle.dumps((None, 'a' * 99))[:9]); os._exit(3)",
            "code (3|-9)$",
        ),
        ("import os, time; os.write(1, b'hello'); time.sleep(30)", "code -9$"),
        ("import os, time; os.write(1, b'cache\\nis empty\\n'); time.sleep(30)", "code -9$"),
    ],
    ids=["at the start", "crash", "silent end", "part of a reply", "no reply", "text"],
)
def test_death_is_an_error_with_its_last_words(program, match, monkeypatch, tmp_path):
    with start_program(monkeypatch, tmp_path, program) as process:
        with pytest.raises(VerificationError, match=match):
            process.load(tmp_path)
        assert not process.alive
        with pytest.raises(VerificationError, match=match):
            process.load(tmp_path)


def test_only_the_last_lines_are_shown(monkeypatch, tmp_path):
    program = "import sys\nfor n in range(100): print('line', n, file=sys.stderr)"
    with start_program(monkeypatch, tmp_path, program) as process:
        with pytest.raises(VerificationError) as caught:
            process.load(tmp_path)
    assert caught.value.differences[1:] == tuple(f"line {n}" for n in range(80, 100))


REPORT = """
import json, os, pickle, sys
pickle.load(sys.stdin.buffer)
state = {"folder": os.listdir(), "path": sys.path[0], "log": os.environ["TF_CPP_MIN_LOG_LEVEL"],
         "own": os.environ["OWN"], "group": os.getpgrp() == os.getpid()}
pickle.dump((None, json.dumps(state)), sys.stdout.buffer)
"""


def test_process_starts_in_an_empty_folder_with_the_callers_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("OWN", "kept")
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL")
    with start_program(monkeypatch, tmp_path, REPORT) as process:
        with pytest.raises(VerificationError) as caught:
            process.load(tmp_path)
    assert caught.value.differences == (
        '{"folder": [], "path": "", "log": "3", "own": "kept", "group": true}',
    )


@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_process_and_its_folder_are_gone_afterwards(error, monkeypatch, tmp_path):
    def work():
        with start_program(monkeypatch, tmp_path, "import time; time.sleep(30)") as process:
            work.process = process
            assert process.alive
            assert len(list(tmp_path.iterdir())) == 2
            if error is not None:
                raise error

    if error is None:
        work()
    else:
        with pytest.raises(error):
            work()
    assert work.process._process.returncode == -signal.SIGKILL
    assert [path.name for path in tmp_path.iterdir()] == ["program.py"]


@pytest.mark.parametrize("executable", ["", None, "/no/python"], ids=repr)
def test_python_that_cannot_be_started_is_named(executable, monkeypatch, tmp_path):
    """If Python is embedded in another program, `sys.executable` may be empty or None."""
    monkeypatch.setattr(sys, "executable", executable)
    with pytest.raises(RuntimeError, match=rf"names; set it to.*sys.executable={executable!r};"):
        with start(tmp_path):
            pass
    assert list(tmp_path.iterdir()) == []


CALLER = """
import os, pathlib, signal, sys
from keras_bin.export.saved_models.serving_process import serving_process
with serving_process(pathlib.Path(sys.argv[2])) as process:
    artifact = process.load(pathlib.Path(sys.argv[1]))
    print(artifact.signature.inputs[0].name, process._process.pid, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.slow
def test_process_ends_with_a_caller_that_is_killed(tmp_path):
    """The caller is a `python -c` without a guard, as in a notebook."""
    path = write(tmp_path / "1", lambda x: {"y": x}, tf.TensorSpec((None,), name="x"))
    for name in ("own", "system"):
        (tmp_path / name).mkdir()
    done = forks.run(
        [sys.executable, "-c", CALLER, path, tmp_path / "own"],
        env={"TMPDIR": str(tmp_path / "system")},
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    name, pid = done.stdout.split()
    assert name == "x"
    assert ended(int(pid))
    assert len(list((tmp_path / "own").iterdir())) == 1
    assert list((tmp_path / "system").iterdir()) == []


def ended(pid, seconds=20):
    """Waits until a process has ended; returns whether it has."""
    for _ in range(seconds * 20):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False


KNOWN = """
import sys
{program}
def load(self, path):
    raise ValueError([name for name in ("keras", "keras_bin", "tf_keras") if sys.modules.get(name)])
_Server.load = load
main()
"""


@pytest.mark.slow
def test_process_knows_no_keras(monkeypatch, tmp_path):
    with open(serving_process.serving_program.__file__) as file:
        program = file.read().replace('if __name__ == "__main__":\n    main()\n', "")
    with start_program(monkeypatch, tmp_path, KNOWN.format(program=program)) as process:
        with pytest.raises(VerificationError) as caught:
            process.load(tmp_path)
    assert caught.value.differences == ("ValueError: []",)
