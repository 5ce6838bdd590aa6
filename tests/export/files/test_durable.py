"""Everything that must reach the disk is sent there."""

import errno
import os

import pytest

from keras_bin.export.files import durable
from keras_bin.export.files.durable import sync_file, sync_folder, sync_tree
from tests.export.folders import files_synced


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "file").write_text("1")
    (tmp_path / "a" / "other").write_text("2")
    return tmp_path / "a"


def test_every_file_and_folder_of_a_tree_is_synced(tree, monkeypatch):
    synced = files_synced(monkeypatch)
    sync_tree(tree)
    everything = [tree, *tree.rglob("*")]
    assert len(synced) == len(everything) == 4
    assert set(synced) == {path.stat().st_ino for path in everything}


def test_folders_are_synced_after_what_is_in_them(tree, monkeypatch):
    synced = files_synced(monkeypatch)
    sync_tree(tree)
    assert synced[-1] == tree.stat().st_ino


def test_tree_may_be_a_file(tree, monkeypatch):
    synced = files_synced(monkeypatch)
    sync_tree(tree / "other")
    assert synced == [(tree / "other").stat().st_ino]


def test_file_keeps_its_content(tree):
    sync_file(tree / "other")
    assert (tree / "other").read_text() == "2"


@pytest.mark.parametrize("sync", [sync_tree, sync_folder])
def test_full_disk_is_an_error(sync, tree, monkeypatch):
    def fail(_descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(durable.os, "fsync", fail)
    with pytest.raises(OSError, match="No space left"):
        sync(tree)


def test_file_system_that_cannot_sync_folders_is_no_error(tree, monkeypatch):
    def fail(_descriptor):
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))

    monkeypatch.setattr(durable.os, "fsync", fail)
    sync_folder(tree)
    with pytest.raises(OSError, match="Invalid argument"):
        sync_file(tree / "other")
