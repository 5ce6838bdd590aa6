"""The options that say how a model is loaded."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace

import click

from keras_bin_cli.errors import WrongArguments
from keras_bin_cli.sources import neighbour


def loading_options() -> list[click.Option]:
    """Returns `--import` and `--unsafe`."""
    return [
        click.Option(
            ["--import", "imports"],
            multiple=True,
            metavar="MODULE_OR_FILE",
            help="A module, such as my.package, or a file, such as layers.py, that contains layers "
            "or functions of the model; repeat it for several.",
        ),
        click.Option(
            ["--unsafe"],
            is_flag=True,
            help="Run Python code that is stored in the model, such as that of Lambda layers; only "
            "for models from sources that you trust.",
        ),
    ]


def check_loading(options: SimpleNamespace) -> None:
    """Checks that each module or file of `--import` exists, without importing it.

    Raises:
        WrongArguments: one does not exist.
    """
    for name in options.imports:
        if name.endswith(".py") or "/" in name or os.sep in name:
            path = os.path.join(name, "__init__.py") if os.path.isdir(name) else name
            found, meant = os.path.isfile(path), ""
            if not found:
                meant = neighbour(Path(name))
        else:
            found, meant = _find_module(name)
        if not found:
            raise WrongArguments(
                "--import needs the name of a module that Python can find, such as my.package, or "
                f"a Python file, such as layers.py; check its spelling. Received: {name!r}{meant}"
            )


def _find_module(name):
    """Tells whether Python finds a module, and if not, suggests one with a similar name.

    No package in its name is imported.
    """
    import importlib.machinery

    parts = name.split(".")
    spec, places = _top_level(parts[0]), [os.getcwd()]
    for index, part in enumerate(parts):
        if index and spec is not None:
            places = list(spec.submodule_search_locations or ())
            spec = importlib.machinery.PathFinder.find_spec(f"{spec.name}.{part}", places)
        if spec is None:
            return False, _meant(parts, index, places)
    return True, ""


def _top_level(name):
    import importlib.util

    before = list(sys.path)
    sys.path.insert(0, os.getcwd())  # as for `python -m`
    try:
        return importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    finally:
        sys.path[:] = before


def _meant(parts, index, places):
    import difflib
    import pkgutil

    names = [module.name for module in pkgutil.iter_modules(places)]
    close = difflib.get_close_matches(parts[index], names, n=1)
    meant = ".".join([*parts[:index], *close, *parts[index + 1 :]])
    return f"; did you mean {meant!r}?" if close else ""
