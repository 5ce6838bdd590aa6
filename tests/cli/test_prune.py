"""The command `keras-bin prune`: what it removes, what it says of it, and what it refuses."""

import pytest

from keras_bin_cli.program import main


@pytest.fixture
def base(tmp_path):
    """A folder with versions 2, 9 and 10, by what makes a folder one."""
    for version in ("2", "9", "10"):
        (tmp_path / "net" / version).mkdir(parents=True)
        (tmp_path / "net" / version / "saved_model.pb").write_bytes(b"\x08\x01\x12\x00")
    return tmp_path / "net"


def test_highest_versions_stay(base, capsys):
    (base / "notes").mkdir()
    assert main(["prune", str(base), "--keep", "2"]) == 0
    assert sorted(path.name for path in base.iterdir()) == ["10", "9", "notes"]
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == (f"{base}: versions removed: 2; left: 9, 10\n", "")


def test_json_has_all_paths(base, run_json):
    code, found, error = run_json("prune", base, "--keep", 1)
    assert (code, error) == (0, "")
    assert found == {
        "base": str(base),
        "removed": [str(base / "2"), str(base / "9")],
        "left": [str(base / "10")],
    }


def test_nothing_is_removed_where_all_may_stay(base, capsys):
    assert main(["prune", str(base), "--keep", "3"]) == 0
    assert "versions removed: none; left: 2, 9, 10" in capsys.readouterr().out


REFUSED = {
    "none": (["net", "--keep", "0"], "'--keep': it must be an integer above 0. Received: 0"),
    "no number": (["net", "--keep", "all"], "it must be an integer above 0. Received: all"),
    "not told": (["net"], "Missing option '--keep'."),
    "a version": (["net/9", "--keep", "1"], "BASE must be the folder of all versions: net."),
    "missing": (["nett", "--keep", "1"], "'nett', which does not exist; did you mean 'net'?"),
    "other folder": ([".", "--keep", "1"], "'.', which is a folder without a SavedModel"),
}


@pytest.mark.parametrize(("arguments", "error"), REFUSED.values(), ids=REFUSED)
def test_wrong_argument_is_refused(arguments, error, base, capsys, monkeypatch):
    monkeypatch.chdir(base.parent)
    assert main(["prune", *arguments]) == 2
    assert error in capsys.readouterr().err
    assert len(list(base.iterdir())) == 3
