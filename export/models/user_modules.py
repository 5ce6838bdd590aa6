"""Importing modules that define a model's own layers."""

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import ModuleType


def import_modules(
    names: Sequence[str | os.PathLike[str]], needed: Iterable[str] = ()
) -> list[ModuleType]:
    """Imports modules, so that classes in them are registered with Keras.

    For a file, the folder that holds it, or holds its package, is put first on `sys.path`, as
    `python FILE` does. For a module name, the working directory is, as for `python -m MODULE`.
    Neither is added twice. A module that was imported before is not run again.

    Args:
        names: names of modules, such as `"my.package"`, and paths of files or of package folders,
            such as `"layers.py"`. A name that ends in `.py` or has a separator is a path.
        needed: names of modules that are imported as well if they are in packages of `names`.

    Returns:
        The modules, and all submodules of packages that are imported by then.

    Raises:
        FileNotFoundError: a path is neither a file nor the folder of a package.
        ImportError: a module is not found, or its code raises an error.
    """
    imported = [_imported(os.fspath(name)) for name in names]
    inside = tuple(f"{module.__name__}." for module in imported)
    for name in needed:
        if name.startswith(inside) and _is_there(name):
            _attempted(name, importlib.import_module, name)
    submodules = [module for name, module in sys.modules.items() if name.startswith(inside)]
    return [*imported, *submodules]


def _imported(name):
    is_path = name.endswith(".py") or "/" in name or os.sep in name
    file = _file(name) if is_path else None
    if file is None:
        return _attempted(name, _from_name, name, Path.cwd())
    return _attempted(name, _from_file, file)


def _attempted(name, load, *arguments):
    try:
        return load(*arguments)
    except (Exception, SystemExit) as error:  # the code of the module may raise anything
        raise ImportError(
            "--import needs a module or file that Python can import; fix it, or install what it "
            f"needs. Received: {name!r}, which raises {_short(error)}"
        ) from error


def _is_there(name):
    """Tells whether a package still has a module; imports the packages on the way to it."""
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _file(name):
    path = Path(name, "__init__.py") if os.path.isdir(name) else Path(name)
    if not path.is_file():
        raise FileNotFoundError(
            "--import needs the name of a module, such as my.package, or a Python file, such as "
            f"layers.py; check its spelling. Received: {name!r}, and there is no file {str(path)!r}"
        )
    return path.resolve()


def _from_name(name, folder):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    return importlib.import_module(name)


def _from_file(file):
    for module in list(sys.modules.values()):
        if getattr(module, "__file__", None) == str(file):
            return module
    names, folder = ([] if file.stem == "__init__" else [file.stem]), file.parent
    while (folder / "__init__.py").is_file():
        names.insert(0, folder.name)
        folder = folder.parent
    if folder == file.parent:
        return _from_single_file(file)
    module = _from_name(".".join(names), folder)
    if module.__file__ != str(file):
        raise ImportError(f"another module is called {module.__name__}: {module.__file__}")
    return module


def _from_single_file(file):
    if str(file.parent) not in sys.path:
        sys.path.insert(0, str(file.parent))
    name = file.stem
    while name in sys.modules or name in sys.stdlib_module_names:
        name += "_"
    spec = importlib.util.spec_from_file_location(name, file)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _short(error):
    """Returns an error on one line, with the place in the user's code that raised it."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and "importlib" not in frame.filename
    ]
    hint = ""
    if isinstance(error, ImportError) and "no known parent package" in str(error):
        hint = "; name it as a module of its package, such as my_package.layers"
    where = f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {error}{where}{hint}"
