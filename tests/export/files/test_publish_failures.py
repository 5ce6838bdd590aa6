"""What full disks, lost permissions and killed processes leave, and what is on the disk when."""

import errno
import os

import pytest

from keras_bin.export.files import exchange, locks
from keras_bin.export.files.publish import publish_file, publish_folder, staging
from keras_bin.export.saved_models.versions import publish_version
from tests.export.folders import contents, fail, fail_at, file_of, files_synced, folder_of


def old_version(base):
    (base / "1").mkdir(parents=True)
    (base / "1" / "file").write_text("old")


def assert_old_version(base):
    assert (base / "1" / "file").read_text() == "old"
    assert contents(base) == ["1", "1/file"]


@pytest.mark.parametrize("one_step", [True, False], ids=["one step", "three renames"])
def test_old_folder_comes_back_if_the_new_one_cannot_be_moved(one_step, tmp_path, monkeypatch):
    old_version(tmp_path)
    rename = os.rename

    def fail_on_model(source, destination):
        if source.name == "model":
            raise OSError(errno.EIO, "disk")
        rename(source, destination)

    if one_step:
        monkeypatch.setattr(exchange, "_exchange_in_one_step", fail(errno.EIO, "disk"))
    else:
        monkeypatch.setattr(exchange, "_exchange_in_one_step", lambda *_paths: False)
        monkeypatch.setattr(exchange.os, "rename", fail_on_model)
    with pytest.raises(OSError, match="disk"), staging(tmp_path) as staged:
        publish_folder(folder_of(staged), tmp_path / "1", overwrite=True)
    assert_old_version(tmp_path)


@pytest.mark.parametrize("one_step", [True, False], ids=["one step", "three renames"])
@pytest.mark.parametrize("step", range(3))
def test_full_disk_while_a_folder_replaces_another(step, one_step, tmp_path, monkeypatch):
    """The file, its folder and, after the rename, the parent folder are synced."""
    old_version(tmp_path)
    if not one_step:
        monkeypatch.setattr(exchange, "_exchange_in_one_step", lambda *_paths: False)

    def work():
        with staging(tmp_path) as staged:
            written = folder_of(staged)
            fail_at(step, errno.ENOSPC, monkeypatch)
            publish_folder(written, tmp_path / "1", overwrite=True)

    with pytest.raises(OSError, match="No space left"):
        work()
    assert_old_version(tmp_path)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES], ids=["disk", "permission"])
@pytest.mark.parametrize("step", range(3))
def test_failing_sync_leaves_no_new_folder(step, code, tmp_path, monkeypatch):
    def work():
        with staging(tmp_path) as staged:
            written = folder_of(staged)
            fail_at(step, code, monkeypatch)
            publish_folder(written, tmp_path / "1", overwrite=False)

    with pytest.raises(OSError, match=os.strerror(code)):
        work()
    assert contents(tmp_path) == []


def test_folder_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    synced, rename = files_synced(monkeypatch), os.rename

    def rename_and_note(source, destination):
        rename(source, destination)
        synced.append("renamed")

    monkeypatch.setattr(os, "rename", rename_and_note)
    with staging(tmp_path) as staged:
        publish_folder(folder_of(staged), tmp_path / "1", overwrite=False)
    inode = {name: (tmp_path / name).stat().st_ino for name in ("1/file", "1", ".")}
    assert synced == [inode["1/file"], inode["1"], "renamed", inode["."]]


def test_file_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    synced, link = files_synced(monkeypatch), os.link

    def link_and_note(source, destination):
        link(source, destination)
        synced.append("named")

    monkeypatch.setattr(os, "link", link_and_note)
    with staging(tmp_path) as staged:
        publish_file(file_of(staged), tmp_path / "final", overwrite=False)
    assert synced == [(tmp_path / "final").stat().st_ino, "named", tmp_path.stat().st_ino]


def test_folders_made_on_the_way_are_on_the_disk(tmp_path, monkeypatch):
    synced = files_synced(monkeypatch)
    with staging(tmp_path / "a" / "b"):
        pass
    assert set(synced) == {(tmp_path / "a").stat().st_ino, tmp_path.stat().st_ino}


def test_leftovers_of_the_dead_are_removed_and_the_living_kept(tmp_path):
    (tmp_path / ".keras-bin-dead" / "model").mkdir(parents=True)
    (tmp_path / ".keras-bin-dead" / "model" / "file").touch()
    (tmp_path / ".other").mkdir()
    with staging(tmp_path) as living:
        folder_of(living)
        with staging(tmp_path) as own:
            names = sorted(path.name for path in tmp_path.iterdir())
            assert names == sorted([living.name, own.name, ".other"])
        assert contents(living) == ["model", "model/file"]


@pytest.mark.parametrize("missing", ["system", "file system", "folder"])
def test_without_locks_nothing_of_others_is_touched(missing, tmp_path, monkeypatch):
    flock = locks.fcntl.flock

    def fail_in_folder(descriptor, operation):
        if os.path.samestat(os.fstat(descriptor), tmp_path.stat()):
            raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))
        flock(descriptor, operation)

    if missing == "system":
        monkeypatch.setattr(locks, "fcntl", None)
    else:
        failing = fail(errno.ENOTSUP) if missing == "file system" else fail_in_folder
        monkeypatch.setattr(locks.fcntl, "flock", failing)
    (tmp_path / ".keras-bin-other").mkdir()
    with staging(tmp_path) as staged:
        publish_folder(folder_of(staged), tmp_path / "1", overwrite=False)
    assert contents(tmp_path) == [".keras-bin-other", "1", "1/file"]


def test_version_that_a_dead_process_had_moved_aside_comes_back(tmp_path):
    old_version(tmp_path / ".keras-bin-dead" / exchange.ASIDE)
    with staging(tmp_path):
        assert (tmp_path / "1" / "file").read_text() == "old"
    assert_old_version(tmp_path)


def test_version_that_cannot_come_back_yet_is_kept_for_the_next_run(tmp_path, monkeypatch):
    old_version(tmp_path / ".keras-bin-dead" / exchange.ASIDE)
    with monkeypatch.context() as patch:
        patch.setattr(os, "rename", fail(errno.EACCES))
        with staging(tmp_path):
            pass
    assert not (tmp_path / "1").exists()
    with staging(tmp_path):
        pass
    assert (tmp_path / "1" / "file").read_text() == "old"


def test_folder_that_cannot_be_removed_is_left_to_the_next_run(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(os, "rmdir", fail(errno.EACCES))
        with staging(tmp_path) as staged:
            publish_folder(folder_of(staged), tmp_path / "1", overwrite=False)
    assert staged.exists()
    with staging(tmp_path):
        pass
    assert contents(tmp_path) == ["1", "1/file"]


def test_failing_disk_is_not_tried_again(tmp_path, monkeypatch):
    errors = iter([OSError(errno.ENOSPC, "No space left")])

    def fail_once(*_paths):
        raise next(errors, AssertionError("tried again"))

    monkeypatch.setattr(os, "rename", fail_once)
    with pytest.raises(OSError, match="No space left"), staging(tmp_path) as staged:
        publish_version(folder_of(staged), tmp_path, None, False)
    assert contents(tmp_path) == []
