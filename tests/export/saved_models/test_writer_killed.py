"""Exports that are killed at any moment: a server sees whole versions, and the next run cleans up.

One program imports the exporter once, and forks at each request; the fork stops itself at a stage,
and is killed there.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_bin.export import export_saved_model, prune
from keras_bin.export.saved_models.manifest import FILE
from keras_bin.export.saved_models.structure import check_structure
from tests.export.kinds import bin_model
from tests.export.programs import contents, serving

PROGRAM = """
import contextlib
import os
import shutil
import signal
import sys
import types

from keras_bin.export import export_saved_model, prune
from keras_bin.export.files import durable, exchange, publish
from keras_bin.export.saved_models import writer
from keras_bin.export.verifying.artifact import load_artifact
from tests.export.kinds import bin_model


@contextlib.contextmanager
def in_process(_folder):
    yield types.SimpleNamespace(load=load_artifact)


def stop(*_arguments, **_keywords):
    print("stopped", os.getpid(), flush=True)
    signal.pause()


def stop_after(holder, name):
    function = getattr(holder, name)
    setattr(holder, name, lambda *arguments: stop(function(*arguments)))


def stop_at_call(holder, name, number):
    function, calls = getattr(holder, name), iter(range(1, number))

    def call(*arguments, **keywords):
        return stop() if next(calls, None) is None else function(*arguments, **keywords)

    setattr(holder, name, call)


def stop_between_renames():
    exchange._exchange_in_one_step = lambda *_paths: False
    stop_at_call(os, "rename", 2)


STAGES = {
    "made": lambda: stop_after(writer, "ExportSource"),
    "written": lambda: stop_after(writer, "_write"),
    "verified": lambda: stop_after(writer, "compare"),
    "described": lambda: stop_after(writer, "write_manifest"),
    "half synced": lambda: stop_at_call(os, "fsync", 3),
    "renamed": lambda: stop_after(os, "rename"),
    "replacing": stop_between_renames,
    "replaced": lambda: stop_after(exchange, "_exchange_in_one_step"),
    "pruning": lambda: stop_after(os, "rename"),
    "deleting": lambda: stop_at_call(os, "unlink", 2),
}

writer.serving_process = in_process
print("ready", flush=True)
for line in sys.stdin:
    stage, base = line.rstrip("\\n").split("|")
    child = os.fork()
    if child == 0:
        STAGES[stage]()
        if stage in ("pruning", "deleting"):
            prune(base, keep=1)
        else:
            replaces = stage.startswith("replac")
            export_saved_model(bin_model(0.5), base, 1 if replaces else None, overwrite=replaces)
        print("not stopped", flush=True)
        os._exit(1)
    os.waitpid(child, 0)
    print("ended", flush=True)
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def killed():
    """Returns a function that starts something on `base` and kills it at a stage."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    ) as program:
        assert program.stdout.readline() == "ready\n"

        def kill(stage, base):
            print(stage, base, sep="|", file=program.stdin, flush=True)
            word, pid = program.stdout.readline().split()
            assert word == "stopped"
            os.kill(int(pid), signal.SIGKILL)
            assert program.stdout.readline() == "ended\n"

        yield kill
        program.stdin.close()


def hidden(base):
    return [path.name for path in base.iterdir() if path.name.startswith(".")]


def versions(base):
    """Returns the names of the versions, after checking that each is whole and runs."""
    paths = sorted(path for path in base.iterdir() if path.name.isdecimal())
    for path in paths:
        check_structure(path)
        assert (path / FILE).is_file()
        assert (path / "assets.extra" / "tf_serving_warmup_requests").is_file()
        assert serving(path)(image=np.ones((1, 8, 6, 3), "float32"))
    return [path.name for path in paths]


@pytest.mark.parametrize("stage", ["made", "written", "verified", "described", "half synced"])
def test_killed_export_is_no_version_and_the_next_cleans_up(stage, killed, tmp_path):
    killed(stage, tmp_path)
    assert versions(tmp_path) == []
    assert len(hidden(tmp_path)) == 1
    assert export_saved_model(bin_model(), tmp_path).path.name == "1"
    assert versions(tmp_path) == ["1"]
    assert hidden(tmp_path) == []


def test_version_that_has_its_name_when_the_export_is_killed_is_whole(killed, tmp_path):
    killed("renamed", tmp_path)
    assert versions(tmp_path) == ["1"]
    assert export_saved_model(bin_model(), tmp_path).path.name == "2"
    assert versions(tmp_path) == ["1", "2"]
    assert hidden(tmp_path) == []


def test_version_that_was_aside_when_the_export_was_killed_comes_back(killed, tmp_path):
    """Where the system cannot exchange two folders in one step."""
    path = export_saved_model(bin_model(), tmp_path).path
    before = contents(path), (path / FILE).read_bytes()
    killed("replacing", tmp_path)
    assert versions(tmp_path) == []
    assert export_saved_model(bin_model(), tmp_path).path.name == "2"
    assert versions(tmp_path) == ["1", "2"]
    assert (contents(path), (path / FILE).read_bytes()) == before
    assert hidden(tmp_path) == []


def test_version_is_never_missing_while_it_is_replaced(killed, tmp_path):
    path = export_saved_model(bin_model(), tmp_path).path
    before = (path / FILE).read_bytes()
    killed("replaced", tmp_path)
    assert versions(tmp_path) == ["1"]
    assert (path / FILE).read_bytes() != before
    assert prune(tmp_path, keep=1) == []
    assert versions(tmp_path) == ["1"]
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("stage", ["pruning", "deleting"])
def test_killed_prune_leaves_whole_versions(stage, killed, tmp_path):
    for _ in range(2):
        export_saved_model(bin_model(), tmp_path)
    killed(stage, tmp_path)
    assert versions(tmp_path) == ["2"]
    assert len(hidden(tmp_path)) == 1
    assert prune(tmp_path, keep=1) == []
    assert versions(tmp_path) == ["2"]
    assert hidden(tmp_path) == []
