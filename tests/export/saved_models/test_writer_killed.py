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
from keras_bin.export.files.manifest import MANIFEST_FILE
from keras_bin.export.saved_models.structure import check_structure
from tests.export.folders import contents
from tests.export.kinds import bin_model
from tests.export.serving import serving

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def killed():
    """Returns a function that starts something on `base` and kills it at a stage."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.export.saved_models.killed_program"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
        start_new_session=True,
    ) as program:
        assert program.stdout.readline() == "ready\n"

        def kill(stage, base):
            print(stage, base, sep="|", file=program.stdin, flush=True)
            word, pid = program.stdout.readline().split()
            assert word == "stopped"
            os.kill(int(pid), signal.SIGKILL)
            assert program.stdout.readline() == "ended\n"

        yield kill
        os.killpg(program.pid, signal.SIGKILL)  # with a fork that waits after a failure


def hidden(base):
    return [path.name for path in base.iterdir() if path.name.startswith(".")]


def versions(base):
    """Returns the names of the versions, after checking that each is whole and runs."""
    paths = sorted(path for path in base.iterdir() if path.name.isdecimal())
    for path in paths:
        check_structure(path)
        assert (path / MANIFEST_FILE).is_file()
        assert (path / "assets.extra" / "tf_serving_warmup_requests").is_file()
        assert serving(path)(image=np.ones((1, 8, 6, 3), "float32"))
    return [path.name for path in paths]


@pytest.mark.parametrize("stage", ["traced", "written", "verified", "described", "half synced"])
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
    """On a system that cannot exchange two folders in one step."""
    path = export_saved_model(bin_model(), tmp_path).path
    before = contents(path), (path / MANIFEST_FILE).read_bytes()
    killed("replacing", tmp_path)
    assert versions(tmp_path) == []
    assert export_saved_model(bin_model(), tmp_path).path.name == "2"
    assert versions(tmp_path) == ["1", "2"]
    assert (contents(path), (path / MANIFEST_FILE).read_bytes()) == before
    assert hidden(tmp_path) == []


def test_version_is_never_missing_while_it_is_replaced(killed, tmp_path):
    path = export_saved_model(bin_model(), tmp_path).path
    before = (path / MANIFEST_FILE).read_bytes()
    killed("replaced", tmp_path)
    assert versions(tmp_path) == ["1"]
    assert (path / MANIFEST_FILE).read_bytes() != before
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
