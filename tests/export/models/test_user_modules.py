"""Importing a user's own modules, by name and by file."""

import sys

import pytest

from keras_bin.export.models.user_modules import import_modules
from tests.export.models.own_modules import forgotten_imports, write_module


@pytest.fixture(autouse=True)
def _forgotten(tmp_path):
    with forgotten_imports(tmp_path):
        yield


def package(folder):
    """Writes a package of a submodule that its `__init__` imports, and one that it does not."""
    inner = folder / "own_package" / "parts"
    inner.mkdir(parents=True)
    (inner.parent / "__init__.py").write_text("from .parts import first\n")
    (inner / "__init__.py").write_text("")
    (inner / "first.py").write_text("from . import __name__ as parent\n")
    (inner / "second.py").write_text("from .first import parent\n")
    return inner


@pytest.mark.parametrize("kind", [str, lambda path: path], ids=["text", "path"])
def test_file_finds_its_neighbours(kind, tmp_path):
    (module,) = import_modules([kind(write_module(tmp_path))])
    assert module.Scale().factor == 2
    assert sys.path[0] == str(tmp_path)


def test_file_relative_to_the_working_directory(tmp_path, monkeypatch):
    write_module(tmp_path)
    monkeypatch.chdir(tmp_path)
    (module,) = import_modules(["own_layers.py"])
    assert module.__file__ == str(tmp_path / "own_layers.py")


def test_module_is_found_in_the_working_directory(tmp_path, monkeypatch):
    write_module(tmp_path)
    monkeypatch.chdir(tmp_path)
    (module,) = import_modules(["own_layers"])
    assert module.Scale().factor == 2


def test_module_is_run_once(tmp_path, monkeypatch):
    file = write_module(tmp_path)
    monkeypatch.chdir(tmp_path)
    first, second = import_modules([file, "own_layers"])
    assert import_modules([file]) == [first]
    assert first is second


def test_neighbour_that_was_imported_is_not_run_again(tmp_path):
    file = write_module(tmp_path)
    module, neighbour = import_modules([file, tmp_path / "own_layers_constants.py"])
    assert sys.modules["own_layers_constants"] is neighbour
    assert module.FACTOR is neighbour.FACTOR


@pytest.mark.parametrize("name", ["types.py", "keras.py", "two words.py", "layers.v2.py"])
def test_file_of_any_name_replaces_no_module(name, tmp_path):
    before = {each: sys.modules.get(each) for each in ("types", "keras")}
    file = tmp_path / name
    file.write_text("FOUND = 3\n")
    (module,) = import_modules([file])
    assert module.FOUND == 3
    assert {each: sys.modules.get(each) for each in before} == before


def test_equal_names_in_two_folders_are_two_modules(tmp_path):
    for folder, value in (("a", 1), ("b", 2)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.py").write_text(f"VALUE = {value}\n")
    first, second = import_modules([tmp_path / "a" / "same.py", tmp_path / "b" / "same.py"])
    assert (first.VALUE, second.VALUE) == (1, 2)


def test_file_of_a_package_may_import_relatively(tmp_path):
    second, first = import_modules([package(tmp_path) / "second.py", "own_package.parts.first"])
    assert second.__name__ == "own_package.parts.second"
    assert second.parent == first.parent == "own_package.parts"


@pytest.mark.parametrize("name", ["own_package", "own_package/", "own_package/__init__.py"])
def test_package_comes_with_its_imported_submodules(name, tmp_path, monkeypatch):
    package(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = [module.__name__ for module in import_modules([name])]
    assert found == ["own_package", "own_package.parts", "own_package.parts.first"]


def test_package_of_an_imported_name_is_refused(tmp_path):
    (tmp_path / "keras_bin").mkdir()
    (tmp_path / "keras_bin" / "__init__.py").write_text("")
    with pytest.raises(ImportError, match="another module is called keras_bin: "):
        import_modules([tmp_path / "keras_bin"])


@pytest.mark.parametrize("name", ["layers.py", "some/layers", "./", "/no/where.py"])
def test_missing_file_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"--import needs .* check its spelling.*Received"):
        import_modules([name])


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("own.missing", "ModuleNotFoundError: No module named 'own'"),
        ("", "ValueError: Empty module name"),
        ("net.ipynb", "ModuleNotFoundError: No module named 'net'"),
    ],
    ids=["missing", "missing parent", "empty", "notebook"],
)
def test_missing_module_is_refused(name, found, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ImportError, match="--import needs a module or file") as caught:
        import_modules([name])
    assert str(caught.value).endswith(f"Received: {name!r}, which raises {found}")


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import no_such_package", "No module named 'no_such_package' (bad.py, line 1)"),
        ("x = 1\ny = 1 / 0", "ZeroDivisionError: division by zero (bad.py, line 2)"),
        (
            "from . import neighbour",
            "ImportError: attempted relative import with no known parent package (bad.py, line 1); "
            "name it as a module of its package, such as my_package.layers",
        ),
        ("x = (", "SyntaxError: '(' was never closed (bad.py, line 1)"),
        ("import sys\nsys.exit('usage')", "SystemExit: usage (bad.py, line 2)"),
        ("def f():\n    raise KeyError('a')\nf()", "KeyError: 'a' (bad.py, line 2)"),
    ],
    ids=["import", "code", "relative", "syntax", "exit", "function"],
)
def test_error_of_a_module_is_shown_with_its_place(source, found, tmp_path):
    file = tmp_path / "bad.py"
    file.write_text(source)
    with pytest.raises(ImportError, match="--import needs") as caught:
        import_modules([file])
    assert str(caught.value).endswith(found)
    assert "bad" not in sys.modules


def test_ctrl_c_is_not_swallowed(tmp_path):
    file = tmp_path / "slow.py"
    file.write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        import_modules([file])
