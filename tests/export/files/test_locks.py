"""Locks on folders, within a process and between processes."""

import errno
import subprocess
import sys
import threading

import pytest

from keras_bin.export.files import locks
from keras_bin.export.files.locks import lock

HOLDER = """
import fcntl, os, sys
fcntl.flock(os.open(sys.argv[1], os.O_RDONLY), fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def is_free(folder):
    with lock(folder, wait=False) as held:
        return held


def test_lock_excludes_until_it_is_left(tmp_path):
    with lock(tmp_path) as held:
        assert held
        assert not is_free(tmp_path)
    assert is_free(tmp_path)


def test_folders_have_locks_of_their_own(tmp_path):
    (tmp_path / "inside").mkdir()
    with lock(tmp_path):
        assert is_free(tmp_path / "inside")


def test_lock_is_left_by_an_error(tmp_path):
    with pytest.raises(ValueError, match="why"), lock(tmp_path):
        raise ValueError("why")
    assert is_free(tmp_path)


def test_lock_is_waited_for(tmp_path):
    order = []

    def wait():
        with lock(tmp_path) as held:
            order.append(held)

    waiting = threading.Thread(target=wait)
    with lock(tmp_path):
        waiting.start()
        waiting.join(0.1)
        order.append("left")
    waiting.join()
    assert order == ["left", True]


def test_killed_process_loses_its_lock(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"held\n"
        assert not is_free(tmp_path)
        process.kill()
        process.wait()
        assert is_free(tmp_path)


def test_system_without_locks_says_so(tmp_path, monkeypatch):
    monkeypatch.setattr(locks, "fcntl", None)
    with lock(tmp_path) as held:
        assert not held


def test_file_system_without_locks_says_so(tmp_path, monkeypatch):
    def fail(*_arguments):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(locks.fcntl, "flock", fail)
    with lock(tmp_path) as held:
        assert not held


def test_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), lock(tmp_path / "missing"):
        pass
