"""Folders that are SavedModels."""

from keras_bin.export.files.saved_model import is_saved_model


def test_folder_is_a_saved_model_once_it_has_the_file(tmp_path):
    assert not is_saved_model(tmp_path)
    (tmp_path / "saved_model.pb").touch()
    assert is_saved_model(tmp_path)


def test_folder_in_place_of_the_file_makes_no_saved_model(tmp_path):
    (tmp_path / "saved_model.pb").mkdir()
    assert not is_saved_model(tmp_path)


def test_path_of_a_file_or_of_nothing_is_no_saved_model(tmp_path):
    (tmp_path / "file").touch()
    assert not is_saved_model(tmp_path / "file")
    assert not is_saved_model(tmp_path / "missing")
