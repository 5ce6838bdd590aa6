"""Files of examples: complete under their names, or not there."""

import re

import keras
import pytest
from matplotlib.figure import Figure

from common.whole_files import save_net, save_picture, whole, write_whole
from tests.examples.programs import EXAMPLES

WRITERS = {"whole_files.py", "stylize.py"}  # the latter needs neither Keras nor Matplotlib
PROGRAMS = [
    path
    for folder in (".", "common", "fashion")
    for path in sorted((EXAMPLES / folder).glob("*.py"))
    if path.name not in WRITERS
]


def make_net():
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])


def test_file_appears_when_it_is_complete_and_takes_the_place_of_the_last(tmp_path):
    path = tmp_path / "file.json"
    for text in ("old", "new"):
        before = path.read_text() if path.exists() else None
        with whole(path) as hidden:
            hidden.write_text(text)
            assert (path.read_text() if path.exists() else None) == before
        assert path.read_text() == text
    assert list(tmp_path.iterdir()) == [path]


def test_failure_leaves_the_last_file_alone(tmp_path):
    path = tmp_path / "file.json"
    write_whole(path, "old")
    with pytest.raises(UnicodeEncodeError):
        write_whole(path, "half of it \udc00")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["old"]


@pytest.mark.parametrize(
    ("save", "make", "name", "method"),
    [
        (save_net, make_net, "net.keras", "save"),
        (save_picture, Figure, "picture.png", "savefig"),
    ],
    ids=["net", "picture"],
)
def test_nets_and_pictures_are_whole(save, make, name, method, tmp_path, monkeypatch):
    content = make()
    original, seen = getattr(content, method), []

    def note(path, **settings):
        original(path, **settings)
        seen.append((path.suffix, path.name != name, (tmp_path / name).exists()))

    monkeypatch.setattr(content, method, note)
    save(content, tmp_path / name)
    assert seen == [((tmp_path / name).suffix, True, False)]
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_example_writes_whole_files(path):
    assert not re.search(r"\.(save|savefig|write_text|write_bytes)\(", path.read_text())
