"""The size of a folder is that of all files in it."""

from keras_bin.export.files.size import size_on_disk


def test_size_is_that_of_all_files(tmp_path):
    (tmp_path / "1" / "variables").mkdir(parents=True)
    (tmp_path / "1" / "saved_model.pb").write_bytes(b"12345")
    (tmp_path / "1" / "variables" / "index").write_bytes(b"123")
    assert size_on_disk(tmp_path / "1") == 8
    assert size_on_disk(tmp_path / "1" / "saved_model.pb") == 5
    assert size_on_disk(tmp_path / "2") == 0
