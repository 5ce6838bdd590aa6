"""Reading keras_bin.json; see saved_models/test_manifest.py for what is written."""

import pytest

from keras_bin.export.files.manifest import MANIFEST_FILE, read_manifest


def test_folder_without_a_manifest_has_none(tmp_path):
    assert read_manifest(tmp_path) is None


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"{", r", '.*keras_bin\.json', must be JSON"),
        (b"", r", '.*keras_bin\.json', must be JSON"),
        (b"[" * 100_000, r", '.*keras_bin\.json', must be JSON"),
        (b"\xff", " must be text in UTF-8"),
        (b"[]", r" must be a JSON object.*holds \[\]"),
    ],
    ids=lambda value: str(value)[:6],
)
@pytest.mark.usefixtures("no_collection")
def test_damaged_manifest_is_refused(content, match, tmp_path):
    (tmp_path / MANIFEST_FILE).write_bytes(content)
    with pytest.raises(ValueError, match=rf"manifest of a SavedModel{match}") as caught:
        read_manifest(tmp_path)
    assert str(tmp_path / MANIFEST_FILE) in str(caught.value)
