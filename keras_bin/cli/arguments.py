"""Arguments that several commands have in common, and the files that they name."""

import argparse
from pathlib import Path

import numpy as np

from keras_bin.export.files.remote import refuse_remote
from keras_bin.export.verifying.tolerance import ATOL, RTOL

EXIT_CODES = """exit codes:
  0  success, and everything compared agrees
  1  failure; one line on standard error says what failed
  2  wrong arguments
  130  interrupted by Ctrl-C
"""


def add_command(commands, name: str, run, *, help: str, description: str, example: str):
    """Adds a command with the options that every command has, and returns its parser."""
    parser = commands.add_parser(
        name,
        help=help,
        description=description,
        epilog=f"example:\n{example}\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.set_defaults(run=run)
    how = parser.add_mutually_exclusive_group()
    how.add_argument(
        "--json",
        action="store_true",
        help="print one JSON object, errors included, and nothing else",
    )
    how.add_argument(
        "--quiet",
        action="store_true",
        help="print errors only; TensorFlow still prints a few lines when it starts",
    )
    parser.add_argument("--debug", action="store_true", help="print the traceback of an error")
    return parser


def add_verification(parser) -> None:
    """Adds the options of a verification."""
    for tolerance, default, unit in (("atol", ATOL, "absolute"), ("rtol", RTOL, "relative")):
        parser.add_argument(
            f"--{tolerance}",
            type=float,
            metavar="X",
            help=f"{unit} tolerance of the verification (default: {default:g}; if neither "
            "tolerance is given, the rounding of the model itself is allowed as well)",
        )
    parser.add_argument(
        "--samples",
        type=Path,
        metavar="FILE",
        help=".npz file with an array per input to verify with (default: generated inputs)",
    )


def load_samples(path: Path | None) -> dict[str, np.ndarray] | None:
    """Loads the file that `--samples` names; returns None if there is none.

    Raises:
        ValueError: it cannot be read, or `path` is an address of an object store.
    """
    if path is None:
        return None
    refuse_remote(path)
    try:
        with open(path, "rb") as file, np.load(file) as arrays:
            return dict(arrays)
    except Exception as error:  # NumPy raises what its zip and pickle readers do
        raise ValueError(
            "--samples must be an .npz file with an array per input. "
            f"Received: {path}; NumPy says: {error}"
        ) from error
