"""The structure of the tree, read from its files: who imports whom, and private names."""

import ast
import collections
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
# The folder of each package in the tree, by its name when it is installed.
PACKAGES = {
    "keras_bin": "keras_bin",
    "keras_bin.export": "export",
    "keras_bin_cli": "keras_bin_cli",
}
OUTSIDE = ("keras.src", "tensorflow.python", "tensorflow.core", "tf2onnx")
HELPERS = ("tests", "testing", "benchmarks", "examples")  # folders beside the packages
PRIVATE = re.compile(r"_[A-Za-z]\w*")
PATH = re.compile(rf"({'|'.join(map(re.escape, OUTSIDE))})(\.\w+)+")


def modules(root: Path = ROOT) -> dict[str, Path]:
    """Maps the names of all modules of the packages to their files."""
    found = {}
    for package, folder in PACKAGES.items():
        for path in sorted((root / folder).rglob("*.py")):
            if folder == "keras_bin" and (root / folder / "export") in path.parents:
                continue  # the link to the other package
            parts = path.relative_to(root / folder).with_suffix("").parts
            name = ".".join((package, *parts)).removesuffix(".__init__")
            found[name] = path
    return found


def helper_modules(root: Path = ROOT) -> dict[str, Path]:
    """Maps the names of all modules of tests, benchmarks and examples to their files."""
    paths = [path for folder in HELPERS for path in sorted((root / folder).rglob("*.py"))]
    return {
        ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): path
        for path in paths
    }


def imports(name: str, path: Path, known: dict[str, Path]) -> set[str]:
    """Returns the modules that a module imports, those of type checkers and functions too."""
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            base = ".".join((*(above if node.level else ()), *filter(None, [node.module])))
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                found.add(inner if inner in known else base)
    return found


def importers(package: str, folder: str, root: Path = ROOT) -> list[str]:
    """Returns the files in a folder that import a package of the tree."""
    return [
        str(path.relative_to(root))
        for path in sorted((root / folder).rglob("*.py"))
        if any(name.split(".")[0] == package for name in imports(path.stem, path, {}))
    ]


def cycles(root: Path = ROOT) -> set[tuple[str, str]]:
    """Returns neighbours in a package that import each other, directly or through others."""
    known = modules(root)
    arrows = collections.defaultdict(set)
    for name, path in known.items():
        for other in imports(name, path, known) & known.keys():
            shared = _shared(name, other)
            ends = [_step(shared, each) for each in (name, other)]
            if None not in ends and ends[0] != ends[1]:
                arrows[ends[0]].add(ends[1])
    reached = {name: _reached(name, arrows) for name in list(arrows)}
    return {
        (first, second)
        for first, others in reached.items()
        for second in others
        if first < second and first in reached.get(second, ())
    }


def _shared(first, second):
    """Returns the parts of the innermost package that two modules are in."""
    parts = []
    for one, other in zip(first.split("."), second.split("."), strict=False):
        if one != other:
            break
        parts.append(one)
    return parts


def _step(package, name):
    """Returns the neighbour inside a package that a module is, or is in; None for itself."""
    parts = name.split(".")[: len(package) + 1]
    return ".".join(parts) if len(parts) > len(package) else None


def _reached(name, arrows):
    found, waiting = set(), [name]
    while waiting:
        for other in arrows.get(waiting.pop(), ()):
            if other not in found:
                found.add(other)
                waiting.append(other)
    return found


def foreign_names(root: Path = ROOT) -> Iterator[tuple[str, int, str]]:
    """Yields module, line and name of whatever is private in another library and used here.

    That is a private module that is imported or named in a string, or a name that starts with one
    `_`, as an attribute or in a string, unless it is ours. In the two packages, attributes are ours
    if the same module sets or defines them, and strings if any module of the two does. Elsewhere,
    where our own private names are patched and tested, both are ours if any module does.
    """
    packages = modules(root)
    found = {
        name: _names(path.read_text(encoding="utf-8"))
        for name, path in (packages | helper_modules(root)).items()
    }
    in_tree = set().union(*(names.defined for names in found.values()))
    in_packages = set().union(*(found[name].defined for name in packages))
    for name, names in found.items():
        attributes, strings = in_tree, in_tree
        if name in packages:
            attributes, strings = names.defined, in_packages
        for line, used, in_string in names.used:
            ours = strings if in_string else attributes
            if used not in ours or used.startswith(OUTSIDE):
                yield name, line, used


class _Names(NamedTuple):
    """What a module defines, and names that it uses: line, name, and whether in a string."""

    defined: frozenset[str]
    used: list[tuple[int, str, bool]]


@functools.cache
def _names(source):
    tree = ast.parse(source)
    text = set(map(id, _text(tree)))
    used = [
        (node.lineno, name, isinstance(node, ast.Constant))
        for node in ast.walk(tree)
        if id(node) not in text
        for name in _used(node)
        if PRIVATE.fullmatch(name) or name.startswith(OUTSIDE)
    ]
    return _Names(frozenset(_defined(tree)), used)


def _defined(tree):
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"):
                yield node.attr
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id


def _text(tree):
    """Yields strings that are not names: parts of others, and what is cut off others."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield from node.values
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in ("removeprefix", "removesuffix"):
                yield from node.args


def _used(node):
    if isinstance(node, ast.Attribute):
        yield node.attr
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        if PRIVATE.fullmatch(node.value) or PATH.fullmatch(node.value):
            yield node.value
    elif isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names if "." in alias.name)
    elif isinstance(node, ast.ImportFrom) and not node.level:
        yield node.module
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
