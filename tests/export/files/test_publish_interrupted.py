"""Ctrl-C at every line of what publishes files and folders: all is there, or nothing."""

import itertools
import sys
from pathlib import Path

import pytest

from keras_bin.export import files
from keras_bin.export.files.publish import publish_file, publish_folder, staging
from tests.export.folders import contents, file_of, folder_of

FOLDER = Path(files.__file__).parent
# Between opening a file and the block that closes it, only the collector is left to close it.
pytestmark = pytest.mark.filterwarnings("ignore:.*:pytest.PytestUnraisableExceptionWarning")


def interrupted_at(step, work):
    """Runs `work`, and raises KeyboardInterrupt at a line of the package, counted as it runs.

    Returns:
        Whether it came that far.
    """
    lines = itertools.count(1)

    def trace(frame, event, _arg):
        if Path(frame.f_code.co_filename).parent != FOLDER:
            return None
        if event == "line" and next(lines) == step:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False


def file_in(base, overwrite):
    with staging(base, base / "file") as staged:
        publish_file(file_of(staged), base / "file", overwrite)


def folder_in(base, overwrite):
    with staging(base) as staged:
        publish_folder(folder_of(staged), base / "1", overwrite)


@pytest.mark.parametrize(
    ("publish", "published"),
    [(file_in, ["new", "new/file"]), (folder_in, ["new", "new/1", "new/1/file"])],
    ids=["file", "folder"],
)
def test_interrupted_publication_leaves_all_or_nothing(publish, published, tmp_path):
    found = []
    for step in itertools.count(1):
        base = tmp_path / str(step)
        base.mkdir()
        if not interrupted_at(step, lambda base=base: publish(base / "new", overwrite=False)):
            break
        found.append(contents(base))
    assert len(found) > 20
    assert [left for left in found if left not in ([], published)] == []


@pytest.mark.parametrize("publish", [file_in, folder_in], ids=["file", "folder"])
def test_interrupted_replacement_leaves_the_old_or_the_new(publish, tmp_path):
    for step in itertools.count(1):
        base = tmp_path / str(step)
        publish(base, overwrite=False)
        (old,) = (path for path in base.rglob("file"))
        old.write_text("old")
        if not interrupted_at(step, lambda base=base: publish(base, overwrite=True)):
            break
        assert [path.name for path in base.rglob("*") if path.is_file()] == ["file"]
        assert old.read_text() in ("old", "new")
    assert step > 20
