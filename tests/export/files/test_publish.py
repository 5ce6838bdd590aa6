"""Files appear under their final name whole, or not at all."""

import errno
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from keras_bin.export.files import publish
from keras_bin.export.files.publish import (
    publish_file,
    publish_folder,
    refuse_existing,
    staging,
)
from keras_bin.export.saved_models.versions import publish_version
from tests.export.folders import contents, fail, file_of, folder_of


def test_staging_is_hidden_inside_the_destination_and_removed(tmp_path):
    with staging(tmp_path / "a" / "b") as staged:
        assert staged.parent == tmp_path / "a" / "b"
        assert staged.name.startswith(".")
        assert list(staged.iterdir()) == []
        folder_of(staged)
    assert contents(tmp_path) == ["a", "a/b"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_failure_inside_staging_leaves_nothing(error, tmp_path):
    def work():
        with staging(tmp_path / "a" / "b") as staged:
            folder_of(staged)
            raise error

    with pytest.raises(error):
        work()
    assert contents(tmp_path) == []


def test_failure_removes_only_the_folders_it_made(tmp_path):
    (tmp_path / "kept").mkdir()
    with pytest.raises(ValueError, match="why"), staging(tmp_path / "kept" / "made"):
        raise ValueError("why")
    assert contents(tmp_path) == ["kept"]


def test_failure_keeps_what_others_put_into_the_folders_it_made(tmp_path):
    def work():
        with staging(tmp_path / "a" / "b"):
            (tmp_path / "a" / "other").write_text("kept")
            raise ValueError("why")

    with pytest.raises(ValueError, match="why"):
        work()
    assert contents(tmp_path) == ["a", "a/other"]


@pytest.mark.parametrize(
    ("path", "error"), [("file", NotADirectoryError), ("file/a/b", NotADirectoryError)]
)
def test_file_in_place_of_a_folder_is_named(path, error, tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(error, match="needs a folder that it can write to") as caught:
        with staging(tmp_path / path):
            pass
    assert caught.value.filename == str(tmp_path / path)
    assert (tmp_path / "file").read_text() == "kept"


def test_folder_that_cannot_be_written_to_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(publish.tempfile, "mkdtemp", fail(errno.EACCES))
    with pytest.raises(PermissionError, match="change its permissions") as caught:
        with staging(tmp_path / "a" / "b"):
            pass
    assert str(tmp_path / "a" / "b") in str(caught.value)
    assert contents(tmp_path) == []


@pytest.mark.parametrize("make", ["file", "folder", "dangling link"])
def test_whatever_exists_is_refused(make, tmp_path):
    path = tmp_path / "there"
    {"file": path.touch, "folder": path.mkdir}.get(make, lambda: path.symlink_to("nowhere"))()
    with pytest.raises(FileExistsError, match=r"pass overwrite=True.*there'$"):
        refuse_existing(path, overwrite=False)
    refuse_existing(path, overwrite=True)
    refuse_existing(tmp_path / "free", overwrite=False)


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
@pytest.mark.parametrize("overwrite", [True, False], ids=["overwrite", "new"])
def test_file_is_published(overwrite, links, tmp_path, monkeypatch):
    if not links:
        monkeypatch.setattr(publish.os, "link", fail(errno.EPERM))
    if overwrite:
        (tmp_path / "final").write_text("old")
    with staging(tmp_path) as staged:
        publish_file(file_of(staged), tmp_path / "final", overwrite)
    assert (tmp_path / "final").read_text() == "new"
    assert contents(tmp_path) == ["final"]


@pytest.mark.parametrize("links", [True, False], ids=["links", "no links"])
def test_file_that_appeared_meanwhile_is_kept(links, tmp_path, monkeypatch):
    if not links:
        monkeypatch.setattr(publish.os, "link", fail(errno.EPERM))
    (tmp_path / "final").write_text("of another exporter")
    with pytest.raises(FileExistsError, match="pass overwrite=True"), staging(tmp_path) as staged:
        publish_file(file_of(staged), tmp_path / "final", overwrite=False)
    assert (tmp_path / "final").read_text() == "of another exporter"


def test_file_is_whole_whenever_it_is_seen(tmp_path):
    """A reader polls while a file is replaced again and again."""
    final, text = tmp_path / "final", "x" * 100_000
    seen, stop = set(), threading.Event()

    def read():
        while not stop.is_set():
            if final.exists():
                seen.add(len(final.read_text()))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        for _ in range(100):
            with staging(tmp_path) as staged:
                publish_file(file_of(staged, text), final, overwrite=True)
    finally:
        stop.set()
        reader.join()
    assert seen == {len(text)}


def test_folder_is_published(tmp_path):
    with staging(tmp_path) as staged:
        publish_folder(folder_of(staged), tmp_path / "1", overwrite=False)
    assert contents(tmp_path) == ["1", "1/file"]


@pytest.mark.parametrize("old", ["folder", "file"])
def test_folder_replaces_what_was_there_whole(old, tmp_path):
    if old == "folder":
        (tmp_path / "1").mkdir()
        (tmp_path / "1" / "left").write_text("old")
    else:
        (tmp_path / "1").write_text("old")
    with staging(tmp_path) as staged:
        publish_folder(folder_of(staged), tmp_path / "1", overwrite=True)
    assert contents(tmp_path) == ["1", "1/file"]


def test_folder_that_appeared_meanwhile_is_kept(tmp_path):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "file").write_text("of another exporter")
    with pytest.raises(OSError, match="1"), staging(tmp_path) as staged:
        publish_folder(folder_of(staged), tmp_path / "1", overwrite=False)
    assert (tmp_path / "1" / "file").read_text() == "of another exporter"


@pytest.mark.parametrize("overwrite", [False, True])
def test_exporters_in_threads_get_different_versions(overwrite, tmp_path):
    """`overwrite` replaces a version that was asked for, never one that appeared meanwhile."""
    start = threading.Barrier(8)

    def export(number):
        with staging(tmp_path) as staged:
            written = folder_of(staged, str(number))
            start.wait()
            return publish_version(written, tmp_path, None, overwrite)

    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(export, range(8)))
    assert sorted(path.name for path in paths) == [str(number) for number in range(1, 9)]
    assert [(path / "file").read_text() for path in paths] == [str(number) for number in range(8)]


@pytest.mark.slow
def test_exporters_in_processes_get_different_versions(tmp_path):
    owners = ("first", "second")
    done = subprocess.run(
        [sys.executable, "-m", "tests.export.files.publishing_program", tmp_path, *owners],
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    printed = [line.split() for line in done.stdout.splitlines()]
    assert sorted(int(version) for _, version in printed) == list(range(1, 41))
    for owner in owners:
        own = [version for printed_by, version in printed if printed_by == owner]
        texts = [(tmp_path / version / "owner").read_text() for version in own]
        assert texts == [f"{owner} {number}" for number in range(20)]


def test_given_version_is_not_moved_to_the_next(tmp_path):
    (tmp_path / "5").mkdir()
    (tmp_path / "5" / "file").write_text("kept")
    with pytest.raises(OSError, match="5"), staging(tmp_path) as staged:
        publish_version(folder_of(staged), tmp_path, 5, False)
    assert contents(tmp_path) == ["5", "5/file"]
