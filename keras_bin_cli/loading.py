"""The options that say how a model is loaded."""

import os
import sys
from types import SimpleNamespace

import click

from keras_bin_cli.errors import WrongArguments


def loading_options() -> list[click.Option]:
    """Returns `--import` and `--unsafe`."""
    return [
        click.Option(
            ["--import", "imports"],
            multiple=True,
            metavar="MODULE_OR_FILE",
            help="A module, such as my.package, or a file, such as layers.py, with layers and "
            "functions of the model; repeat it for several.",
        ),
        click.Option(
            ["--unsafe"],
            is_flag=True,
            help="Run Python code that is stored in the model, as that of Lambda layers; only for "
            "models from those whom you trust.",
        ),
    ]


def check_loading(options: SimpleNamespace) -> None:
    """Checks that each module or file of `--import` is there; it is not imported.

    Raises:
        WrongArguments: one is not.
    """
    for name in options.imports:
        if name.endswith(".py") or "/" in name or os.sep in name:
            found = os.path.isfile(
                os.path.join(name, "__init__.py") if os.path.isdir(name) else name
            )
        else:
            found = _is_module(name.partition(".")[0])
        if not found:
            raise WrongArguments(
                "--import needs the name of a module that Python finds, such as my.package, or a "
                f"Python file, such as layers.py; check its spelling. Received: {name!r}"
            )


def _is_module(name):
    import importlib.util

    before = list(sys.path)
    sys.path.insert(0, os.getcwd())  # as for `python -m`
    try:
        return importlib.util.find_spec(name) is not None
    except (ImportError, ValueError):
        return False
    finally:
        sys.path[:] = before
