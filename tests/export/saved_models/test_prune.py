"""Old versions are removed; the newest, and everything else, stay."""

import errno
import os

import pytest

from keras_bin.export import prune
from keras_bin.export.files.publish import staging
from tests.export.folders import contents, files_synced


def make(base, *names):
    for name in names:
        (base / name / "variables").mkdir(parents=True)
        (base / name / "saved_model.pb").write_text(name)


def names(base):
    return sorted(path.name for path in base.iterdir())


@pytest.mark.parametrize(
    ("present", "keep", "removed"),
    [
        (["1", "2", "3"], 1, ["1", "2"]),
        (["1", "2", "3"], 2, ["1"]),
        (["1", "2", "3"], 3, []),
        (["1", "2", "3"], 9, []),
        (["8", "9", "10", "11"], 2, ["8", "9"]),
        (["7", "3"], 1, ["3"]),
        (["007", "8"], 1, ["007"]),
        ([], 1, []),
    ],
)
def test_all_but_the_newest_are_removed(present, keep, removed, tmp_path):
    make(tmp_path, *present)
    assert prune(tmp_path, keep) == [tmp_path / name for name in removed]
    assert names(tmp_path) == sorted(set(present) - set(removed))
    for name in names(tmp_path):
        assert contents(tmp_path / name) == ["saved_model.pb", "variables"]


def test_what_is_no_version_is_left(tmp_path):
    others = ["v1", "1.0", "-2", "latest", ".hidden"]
    make(tmp_path, "1", "2", *others)
    (tmp_path / "0").write_text("a file")
    assert prune(str(tmp_path), keep=1) == [tmp_path / "1"]
    assert names(tmp_path) == sorted(["0", "2", *others])


def test_the_newest_model_stays_where_a_later_folder_holds_none(tmp_path):
    make(tmp_path, "1", "2")
    (tmp_path / "3").mkdir()
    assert prune(tmp_path, keep=1) == [tmp_path / "1"]
    assert names(tmp_path) == ["2", "3"]


def test_link_to_a_version_is_removed_and_its_target_stays(tmp_path):
    base = tmp_path / "base"
    make(tmp_path, "elsewhere")
    make(base, "2")
    (base / "1").symlink_to(tmp_path / "elsewhere")
    assert prune(base, keep=1) == [base / "1"]
    assert names(base) == ["2"]
    assert contents(tmp_path / "elsewhere") == ["saved_model.pb", "variables"]


# Links by the names that they have in the folder of versions, and what is removed of 1 and 2.
LINKS = {
    "link": ({"9": "2"}, ["1"]),
    "chain": ({"9": "8", "8": "2"}, ["1"]),
    "absolute": ({"9": "{base}/2"}, ["1"]),
    "through the folder around": ({"9": "../base/./2"}, ["1"]),
    "through another name of the folder": ({"9": "../alias/2"}, ["1"]),
    "through a link elsewhere": ({"9": "../elsewhere/back"}, ["1"]),
    "of no number": ({"9": "../elsewhere", "latest": "2"}, ["1"]),
    "hidden": ({"9": "../elsewhere", ".stable": "2"}, ["1"]),
    "in a folder of no number": ({"9": "../elsewhere", "tests/best": "../2"}, ["1"]),
    "file in a version": ({"9": "2", "2/copy": "../1/saved_model.pb"}, []),
    "folder in a version": ({"9": "2", "2/assets": "../1/variables"}, []),
    "to the folder itself": ({"9": "../elsewhere", "all": "."}, ["1", "2"]),
    "to itself": ({"9": "../elsewhere", "turn": "turn"}, ["1", "2"]),
    "to nothing": ({"9": "../elsewhere", "lost": "gone/2"}, ["1", "2"]),
    "of a version to nothing": ({"9": "gone", "8": "../elsewhere"}, ["1", "2"]),
    "that goes, to what goes": ({"9": "../elsewhere", "8": "2"}, ["1", "2", "8"]),
    "that goes, to what stays": ({"9": "2", "8": "2"}, ["1", "8"]),
}


@pytest.mark.parametrize("given", ["path", "alias", "relative"])
@pytest.mark.parametrize(("links", "removed"), LINKS.values(), ids=LINKS)
def test_version_that_something_kept_leads_to_stays(links, removed, given, tmp_path, monkeypatch):
    base = tmp_path / "base"
    make(tmp_path, "elsewhere")
    make(base, "1", "2")
    (tmp_path / "alias").symlink_to("base")
    (tmp_path / "elsewhere" / "back").symlink_to("../base/2")
    for name, target in links.items():
        (base / name).parent.mkdir(exist_ok=True)
        (base / name).symlink_to(target.format(base=base))
    elsewhere = contents(tmp_path / "elsewhere")
    leads = {name: os.path.exists(base / name) for name in links if name not in removed}

    monkeypatch.chdir(tmp_path)
    found = prune({"path": base, "alias": tmp_path / "alias", "relative": "base"}[given], keep=1)
    assert [path.name for path in found] == removed
    assert names(base) == sorted({"1", "2", *(x.split("/")[0] for x in links)} - set(removed))
    assert {name: os.path.exists(base / name) for name in leads} == leads
    assert contents(tmp_path / "elsewhere") == elsewhere


@pytest.mark.parametrize("keep", [0, -1, 1.0, "1", True, None], ids=repr)
def test_the_newest_can_not_be_removed(keep, tmp_path):
    make(tmp_path, "1")
    with pytest.raises(ValueError, match=rf"`keep` must be an integer above 0.*keep={keep!r}$"):
        prune(tmp_path, keep)
    assert names(tmp_path) == ["1"]


@pytest.mark.parametrize("base", ["missing", "file"])
def test_base_must_be_a_folder(base, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FileNotFoundError, match="folder that holds a model's versions") as caught:
        prune(tmp_path / base, keep=1)
    assert str(tmp_path / base) in str(caught.value)
    assert names(tmp_path) == ["file"]


def test_version_is_whole_or_out_of_sight(tmp_path, monkeypatch):
    """Looks at every version before each deletion of anything."""
    make(tmp_path, "1", "2", "3")
    seen = []

    def look(delete):
        def look_and_delete(*arguments, **keywords):
            visible = [path for path in tmp_path.iterdir() if path.name.isdecimal()]
            seen.append(all((path / "saved_model.pb").is_file() for path in visible))
            return delete(*arguments, **keywords)

        return look_and_delete

    for function in ("unlink", "rmdir"):
        monkeypatch.setattr(os, function, look(getattr(os, function)))
    prune(tmp_path, keep=1)
    assert names(tmp_path) == ["3"]
    assert len(seen) >= 6
    assert all(seen)


def test_removal_reaches_the_disk(tmp_path, monkeypatch):
    make(tmp_path, "1", "2")
    synced = files_synced(monkeypatch)
    prune(tmp_path, keep=1)
    assert tmp_path.stat().st_ino in synced


def test_version_that_cannot_be_moved_stays_whole(tmp_path, monkeypatch):
    make(tmp_path, "1", "2")

    def fail(source, _destination):
        raise PermissionError(errno.EACCES, "Permission denied", str(source))

    monkeypatch.setattr(os, "rename", fail)
    with pytest.raises(PermissionError, match="1"):
        prune(tmp_path, keep=1)
    assert contents(tmp_path / "1") == ["saved_model.pb", "variables"]
    assert names(tmp_path) == ["1", "2"]


def test_live_exporter_is_left_and_the_leftovers_of_a_dead_one_go(tmp_path):
    make(tmp_path, "1", ".keras-bin-dead")
    with staging(tmp_path) as staged:
        prune(tmp_path, keep=1)
        assert names(tmp_path) == sorted(["1", staged.name])
