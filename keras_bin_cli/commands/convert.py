"""The arguments of `keras-bin convert`."""

import os

import click

from keras_bin_cli.command import command
from keras_bin_cli.destinations import check_new_file
from keras_bin_cli.errors import WrongArguments
from keras_bin_cli.loading import check_loading, loading_options
from keras_bin_cli.sources import check_model
from keras_bin_cli.values import LocalPath, Number

EXAMPLES = """\
  keras-bin convert trained.keras bin.keras --where first
    writes a model whose first batch normalization is BIN, with the weights of trained.keras
"""


def convert() -> click.Command:
    """Returns the command."""
    return command(
        "convert",
        _check,
        [
            click.Argument(["model"], type=LocalPath(), metavar="IN"),
            click.Argument(["out"], type=LocalPath(), metavar="OUT"),
            click.Option(
                ["--where"],
                metavar="PATTERN",
                help="Convert only the layers whose name or path matches, as in 'stage1_*'; the "
                "word first means the layer that is called first. Default: all.",
            ),
            click.Option(
                ["--rho"],
                type=Number(
                    float,
                    "a number from 0 (instance normalization) to 1 (batch normalization)",
                    lambda value: 0 <= value <= 1,
                ),
                default=1.0,
                metavar="X",
                help="Where every rho starts, from 0 (instance normalization) to 1. Default: 1.",
            ),
            click.Option(["--overwrite"], is_flag=True, help="Replace OUT if it exists."),
            *loading_options(),
        ],
        short="Make a BIN model from a trained model with batch normalization.",
        description="Replaces each BatchNormalization of IN, a .keras file, with a BIN layer that "
        "has its weights, and writes the result to OUT, which must end in .keras; IN does not "
        "change. With every rho at 1, the model computes the same as before, and rho can learn "
        "from there. The new model is not compiled: the state of an optimizer is not carried over. "
        "OUT does not appear until it has been loaded and compared.",
        examples=EXAMPLES,
        is_long=True,
    )


def _check(options):
    check_loading(options)
    source, out = options.model, options.out
    check_model(source, "IN", (out, "OUT"))
    if out.suffix != ".keras" or os.path.isdir(out):
        raise WrongArguments(
            "OUT must be the name of a file that ends in .keras, such as bin.keras; keras-bin "
            f"export writes other files. Received: {str(out)!r}"
        )
    if os.path.exists(out) and os.path.samefile(source, out):
        raise WrongArguments(
            "OUT must not be the same file as IN, which does not change; choose another name. "
            f"Received: {str(out)!r} for both"
        )
    check_new_file(out, "OUT", options.overwrite)
