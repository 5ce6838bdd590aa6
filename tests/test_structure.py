"""The floor plan: one way for imports, private names of other libraries in one place each."""

import configparser
import re

import pytest

from tests import structure

INTERNALS = {
    "keras_bin.keras_internals": ("keras.src",),
    "keras_bin.export.tensorflow_internals": ("tensorflow.python", "tensorflow.core"),
    "keras_bin.export.tf2onnx_internals": ("tf2onnx",),
    "testing.keras_internals": ("keras.src",),
}
# Public in spite of the `_`: of named tuples, and of `os`.
OF_PYTHON = {"_asdict", "_exit", "_fields", "_replace"}
EXCEPTIONS = {
    ("tests.networks.test_signature", "_x"): "the name of an input",
    ("tests.cli.test_program", "_KERAS_BIN_COMPLETE"): "a variable of the environment",
    ("tests.test_layer_precision", "_f32"): "the end of keys",
    (
        "tests.training.test_model_saving",
        "_get_model",
    ): "what fit, which needs scikit-learn 1.6, trains",
    (
        "tests.export.onnx_files.test_graph_conversion",
        "tf2onnx.optimizer.IdentityOptimizer._optimize",
    ): "an optimizer that is made to fail",
}
LONGEST = 300


@pytest.fixture(scope="module")
def foreign_names():
    return list(structure.foreign_names())


def used_outside_internals(names):
    return [
        f"{module}:{line}: {name}"
        for module, line, name in names
        if module not in INTERNALS
        and module != __name__  # holds names to be found
        and name not in OF_PYTHON
        and (module, name) not in EXCEPTIONS
    ]


def copy_of_the_tree(folder, changes):
    """Writes the two packages into a folder and adds lines to some modules, of theirs or others."""
    changed = {n: path for n, path in structure.helper_modules().items() if n in changes}
    for name, path in (structure.modules() | changed).items():
        copy = folder / path.relative_to(structure.ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text(encoding="utf-8") + changes.get(name, ""), encoding="utf-8")
    return folder


def test_private_names_of_other_libraries_are_used_in_one_module_each(foreign_names):
    assert used_outside_internals(foreign_names) == []


@pytest.mark.parametrize("module", INTERNALS)
def test_module_of_internals_uses_one_library(module, foreign_names):
    used = {name for where, _, name in foreign_names if where == module}
    outside = {name for name in used if name.startswith(structure.OUTSIDE)}
    assert outside
    assert all(name.startswith(INTERNALS[module]) for name in outside)


@pytest.mark.parametrize("module", INTERNALS)
def test_module_of_internals_says_what_it_was_checked_on(module):
    files = structure.modules() | structure.helper_modules()
    text = files[module].read_text(encoding="utf-8")
    assert re.search(r"Checked on \w+ \d+\.\d+\.\d+", text)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("from keras.src import backend", "keras.src"),
        ("import tensorflow.python.eager", "tensorflow.python.eager"),
        ("from tensorflow.core.framework import types_pb2", "tensorflow.core.framework"),
        ("from tf2onnx import optimizer", "tf2onnx.optimizer"),
        ("print(keras.Model()._nodes_by_depth)", "_nodes_by_depth"),
        ("print(keras.Model()._axes)", "_axes"),
        ("getattr(keras.Model(), '_nodes_by_depth')", "_nodes_by_depth"),
    ],
    ids=["keras", "import", "core", "tf2onnx", "attribute", "name of ours elsewhere", "string"],
)
def test_private_name_elsewhere_is_found(tmp_path, line, found):
    root = copy_of_the_tree(tmp_path, {"keras_bin.export.describe": f"\n{line}\n"})
    names = used_outside_internals(structure.foreign_names(root))
    assert any(each.endswith(f" {found}") for each in names)


@pytest.mark.parametrize(
    ("module", "line", "found"),
    [
        ("tests.cases", "from keras.src import backend", "keras.src"),
        ("testing.weights", "print(keras.Model()._nodes_by_depth)", "_nodes_by_depth"),
        ("benchmarks.layer", "getattr(keras.Model(), '_nodes_by_depth')", "_nodes_by_depth"),
        ("examples.stylize", "patch('tf2onnx.optimizer.optimize')", "tf2onnx.optimizer.optimize"),
    ],
    ids=["import", "attribute", "string", "path"],
)
def test_private_name_beside_the_packages_is_found(tmp_path, module, line, found):
    root = copy_of_the_tree(tmp_path, {module: f"\n{line}\n"})
    names = used_outside_internals(structure.foreign_names(root))
    assert any(each.endswith(f" {found}") for each in names)


def test_every_exception_is_used(foreign_names):
    assert EXCEPTIONS.keys() <= {(module, name) for module, _, name in foreign_names}


def test_no_two_neighbours_import_each_other():
    assert structure.cycles() == set()


@pytest.mark.parametrize(
    ("module", "line", "pair"),
    [
        ("tracing.forms", "from ..verifying.verify import verify", ("tracing", "verifying")),
        (
            "folding.linear_layers",
            "from .fold import fold",
            ("folding.fold", "folding.linear_layers"),
        ),
    ],
    ids=["packages", "modules"],
)
def test_cycle_is_found(tmp_path, module, line, pair):
    root = copy_of_the_tree(tmp_path, {f"keras_bin.export.{module}": f"\n{line}\n"})
    assert tuple(f"keras_bin.export.{name}" for name in pair) in structure.cycles(root)


def test_export_imports_itself_only_by_relative_imports():
    found = [
        f"{path.relative_to(structure.ROOT)}: {line}"
        for name, path in structure.modules().items()
        if name.startswith("keras_bin.export")
        for line in path.read_text(encoding="utf-8").splitlines()
        if re.match(r"\s*(from|import) (keras_bin\.)?export\b", line)
    ]
    assert found == []


@pytest.mark.parametrize("folder", ["benchmarks", "examples", "testing"])
def test_only_tests_import_tests(folder):
    assert structure.importers("tests", folder) == []


@pytest.mark.parametrize(
    "line", ["import tests.cases", "from tests import cases", "from tests.cases import run"]
)
def test_import_of_tests_is_found(tmp_path, line):
    path = tmp_path / "benchmarks" / "inner" / "layer.py"
    path.parent.mkdir(parents=True)
    path.write_text(f"def measure():\n    {line}\n")
    assert structure.importers("tests", "benchmarks", tmp_path) == ["benchmarks/inner/layer.py"]


def test_installation_holds_every_package_of_the_tree():
    """A package that setup.cfg does not list is missing where keras_bin is not editable."""
    config = configparser.ConfigParser()
    config.read(structure.ROOT / "setup.cfg", encoding="utf-8")
    listed = config["options"]["packages"].split()
    packages = [name for name, path in structure.modules().items() if path.name == "__init__.py"]
    assert sorted(listed) == sorted(packages)


def test_no_file_is_longer_than_300_lines():
    long = [
        f"{path.relative_to(structure.ROOT)}: {lines} lines"
        for folder in (
            "keras_bin",
            "keras_bin_cli",
            "export",
            "testing",
            "tests",
            "benchmarks",
            "examples",
        )
        for path in (structure.ROOT / folder).rglob("*.py")
        if (lines := len(path.read_text(encoding="utf-8").splitlines())) > LONGEST
    ]
    assert long == []
