"""The command line that every experiment has."""

import functools
import math
import shlex
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterable
from pathlib import Path

from common.norms import NORMS

EXAMPLES = Path(__file__).parents[1]


def option_parser(
    program: str, description: str, seeds: int | range, folder: str
) -> ArgumentParser:
    """Makes a command line with the options `--seeds` and `--output`.

    Args:
        program: file name of the program.
        description: what the program does.
        seeds: the default: a number of seeds from 0 on, or a range. Any other number of seeds then
            starts at the first one of the range.
        folder: default folder of the results, inside `examples`.
    """
    parser = ArgumentParser(
        prog=program,
        description=description,
        epilog=f"example: python examples/{program} --seeds {_seeds_text(seeds)} --output DIR",
    )
    default = seeds if isinstance(seeds, range) else range(seeds)
    parser.add_argument(
        "--seeds",
        type=functools.partial(seed_range, start=default.start),
        default=default,
        metavar="N",
        help=f"repeat everything with N seeds from {default.start} on, or with those from A to B "
        f"if it is A-B (default: {_seeds_text(seeds)})",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="DIR",
        help=f"folder for results and pictures (default: examples/{folder})",
    )
    parser.set_defaults(default_output=EXAMPLES / folder)
    return parser


def add_quick(parser: ArgumentParser, meaning: str) -> None:
    """Adds the option `--quick`; `meaning` says what it cuts down."""
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"only show that the program works: {meaning}; its claims are not judged",
    )


def add_norms(
    parser: ArgumentParser, norms: Iterable[str], default: list[str] | None = None
) -> None:
    """Adds the option `--norm`, a list of normalizations.

    Args:
        parser: of the program.
        norms: all that exist.
        default: the value if the option is not given. With None the data decide: all of them with
            Fashion-MNIST, otherwise those that are the same in every layer.
    """
    names = {norm.lower().replace(" ", "-"): norm for norm in norms}

    def name(text: str) -> str:
        key = text.lower().replace(" ", "-")
        if key not in names:
            raise ArgumentTypeError(f"must be among {', '.join(names)}. Received: {text!r}")
        return names[key]

    parser.add_argument(
        "--norm",
        nargs="+",
        type=name,
        default=default,
        metavar="NORM",
        help=f"normalizations to compare, any of {', '.join(names)} "
        f"(default: {_norms_text(default)})",
    )


def _norms_text(norms):
    return " ".join(norms or NORMS).lower() + ("" if norms else ", and with `--data fashion` all")


def positive(text: str) -> int:
    """Reads an integer above 0 from the command line."""
    if not text.isdecimal() or int(text) == 0:
        raise ArgumentTypeError(f"must be an integer above 0. Received: {text!r}")
    return int(text)


def above_zero(text: str) -> float:
    """Reads a number above 0 from the command line."""
    value = _number(text)
    if not 0 < value < math.inf:
        raise ArgumentTypeError(f"must be a number above 0. Received: {text!r}")
    return value


def zero_or_more(text: str) -> float:
    """Reads a number of 0 or more from the command line."""
    value = _number(text)
    if not 0 <= value < math.inf:
        raise ArgumentTypeError(f"must be a number, 0 or more. Received: {text!r}")
    return value


def zero_to_one(text: str) -> float:
    """Reads a number from 0 to 1 from the command line."""
    value = _number(text)
    if not 0 <= value <= 1:
        raise ArgumentTypeError(f"must be a number from 0 to 1. Received: {text!r}")
    return value


def _number(text):
    try:
        return float(text)
    except ValueError:
        return math.nan


def _seeds_text(seeds):
    return f"{seeds[0]}-{seeds[-1]}" if isinstance(seeds, range) else seeds


def seed_range(text: str, start: int = 0) -> range:
    """Reads a number of seeds from `start` on, or the first and the last, from the command line."""
    first, dash, last = text.partition("-")
    if dash and first.isdecimal() and last.isdecimal() and int(first) <= int(last):
        return range(int(first), int(last) + 1)
    if not dash and text.isdecimal() and int(text):
        return range(start, start + int(text))
    raise ArgumentTypeError(
        "must be a number of seeds above 0, as in 3, or the first and the last seed, as in 3-4. "
        f"Received: {text!r}"
    )


def read_options(parser: ArgumentParser, arguments: list[str] | None) -> Namespace:
    """Reads the command line, and makes the output folder, so that a bad one fails early.

    If a program has `--data`, data other than the default have their own default folder.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser.parse_args(arguments)
    if options.output is None:
        options.output = _default_output(parser, options)
    if vars(options).get("norm"):
        options.norm = list(dict.fromkeys(options.norm))
    options.command = shlex.join(["python", f"examples/{parser.prog}", *arguments])
    options.started = time.perf_counter()
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(
            f"argument --output: must be a folder, or a path at which one can be made: {error}"
        )
    return options


def _default_output(parser, options):
    data, output = vars(options).get("data"), options.default_output
    if data == parser.get_default("data"):
        return output
    return output.with_name(f"{output.name}_{data}")
