"""Which versions there are, and which comes next."""

import pytest

from keras_bin.export.saved_models.versions import (
    check_version,
    is_version,
    next_version,
    versions,
)


@pytest.mark.parametrize("version", [0, -1, 1.0, "1", True, 2**63], ids=repr)
def test_version_that_no_server_reads_is_refused(version):
    with pytest.raises(ValueError, match=rf"integer above 0.*version={version!r}$"):
        check_version(version)


def test_integers_above_zero_are_versions():
    check_version(1)
    check_version(2**63 - 1)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1", True),
        ("007", True),
        ("v1", False),
        ("-1", False),
        ("1.0", False),
        (".5", False),
        ("", False),
        ("²", False),
        ("٣", False),
        (str(2**63 - 1), True),
        (str(2**63), False),
    ],
)
def test_versions_are_names_of_ascii_digits(name, expected):
    assert is_version(name) is expected


@pytest.mark.parametrize(
    ("present", "expected"),
    [
        ([], "1"),
        (["1"], "2"),
        (["1", "7"], "8"),
        (["v1", "0.1", "latest", "-3", ".5"], "1"),
        (["v9", "3", "10"], "11"),
        (["007"], "8"),
        (["20261126" * 3], "1"),
    ],
    ids=["empty", "one", "gap", "no integers", "by number", "leading zeros", "beyond int64"],
)
def test_next_version_is_one_above_the_highest(present, expected, tmp_path):
    for name in present:
        (tmp_path / name).mkdir()
    assert str(next_version(tmp_path)) == expected


def test_versions_are_saved_models_in_the_order_of_their_number(tmp_path):
    for name in ("10", "9", "007", "7", "v1", "11"):
        (tmp_path / name).mkdir()
    for name in ("10", "9", "007", "7", "v1"):
        (tmp_path / name / "saved_model.pb").touch()
    assert [path.name for path in versions(tmp_path)] == ["007", "7", "9", "10"]
