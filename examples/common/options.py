"""The command line that every experiment has."""

import shlex
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from pathlib import Path

EXAMPLES = Path(__file__).parents[1]


def option_parser(program: str, description: str, seeds: int, folder: str) -> ArgumentParser:
    """Makes a command line with the options `--seeds` and `--output`.

    Args:
        program: file name of the program.
        description: what the program does.
        seeds: default number of seeds.
        folder: default folder of the results, inside `examples`.
    """
    parser = ArgumentParser(
        prog=program,
        description=description,
        epilog=f"example: python examples/{program} --seeds 3 --output DIR",
    )
    parser.add_argument(
        "--seeds",
        type=positive,
        default=seeds,
        metavar="N",
        help="repeat everything with the seeds 0 to N-1 (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=EXAMPLES / folder,
        metavar="DIR",
        help=f"folder for results and pictures (default: examples/{folder})",
    )
    return parser


def add_quick(parser: ArgumentParser, meaning: str) -> None:
    """Adds the option `--quick`; `meaning` says what it cuts down."""
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"only show that the program works: {meaning}; its claims are not judged",
    )


def positive(text: str) -> int:
    """Reads an integer above 0 from the command line."""
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"must be an integer above 0. Received: {text!r}")
    return int(text)


def read_options(parser: ArgumentParser, arguments: list[str] | None) -> Namespace:
    """Reads the command line, and makes the output folder so that a bad one fails early."""
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(arguments)
    options.command = shlex.join(["python", f"examples/{parser.prog}", *arguments])
    options.started = time.perf_counter()
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(
            f"argument --output: must be a folder, or a path where one can be made: {error}"
        )
    return options
