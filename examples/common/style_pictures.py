"""The pictures of style transfer, and the options that replace those that are bundled."""

from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from common import photographs


class Pictures(NamedTuple):
    """Pictures of shape `(height, width, 3)`, RGB from 0 to 1.

    Attributes:
        contents: photographs to train on.
        style: the picture whose style is learned.
        held_out: a photograph that no net is trained on.
    """

    contents: list[np.ndarray]
    style: np.ndarray
    held_out: np.ndarray


def add_pictures(parser: ArgumentParser) -> None:
    """Adds the options `--photographs` and `--style`."""
    parser.add_argument(
        "--photographs",
        type=Path,
        metavar="DIR",
        help="folder of photographs to train on (default: those of scikit-image)",
    )
    parser.add_argument(
        "--style",
        type=Path,
        metavar="FILE",
        help=f"picture whose style is learned (default: {photographs.STYLE}, of scikit-image)",
    )


def read_pictures(parser: ArgumentParser, options: Namespace) -> Pictures:
    """Loads the pictures that the options name, or exits if one is unusable."""

    def read(option: str, reader: Callable[[Path], Any], path: Path) -> Any:
        try:
            return reader(path)
        except ValueError as error:
            parser.error(f"argument {option}: {error}")

    return Pictures(
        read("--photographs", photographs.read_folder, options.photographs)
        if options.photographs
        else [photographs.bundled(name) for name in photographs.BUNDLED],
        read("--style", photographs.read, options.style)
        if options.style
        else photographs.bundled(photographs.STYLE),
        photographs.bundled(photographs.HELD_OUT),
    )
