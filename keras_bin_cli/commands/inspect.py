"""The arguments of `keras-bin inspect`."""

import click

from keras_bin_cli.command import command
from keras_bin_cli.destinations import check_new_file
from keras_bin_cli.errors import WrongArguments
from keras_bin_cli.files.kinds import MODELS, find
from keras_bin_cli.loading import check_loading, loading_options
from keras_bin_cli.sources import check_described
from keras_bin_cli.values import LocalPath

# What matplotlib writes.
PICTURES = tuple("eps jpg jpeg pdf pgf png ps raw rgba svg svgz tif tiff webp".split())
EXAMPLES = """\
  keras-bin inspect models/digits/1
    lists the signatures of a SavedModel, and its operators
  keras-bin inspect digits.keras --plot rho.png
    draws the distribution of rho, a row for each layer
"""


def inspect() -> click.Command:
    """Returns the command."""
    return command(
        "inspect",
        _check,
        [
            click.Argument(["path"], type=LocalPath(), metavar="PATH"),
            click.Option(
                ["--plot"],
                type=LocalPath(),
                metavar="FILE",
                help="Draw the distribution of rho of a .keras file, and write it to FILE (.png, "
                ".svg, .pdf); needs the extra `plot`.",
            ),
            *loading_options(),
        ],
        short="Show what is in a model file or an artifact.",
        description="Shows what is in PATH: inputs, outputs, versions and size; the gates of a "
        ".keras file; the operators of a SavedModel (OUT/<version>) or an ONNX file; the versions "
        "in a folder (OUT). Artifacts are not run.",
        examples=EXAMPLES,
    )


def _check(options):
    check_loading(options)
    check_described(options.path, "PATH")
    if options.plot is None:
        return
    if find(options.path).kind not in MODELS:
        raise WrongArguments(
            "--plot needs a .keras file: an artifact holds summaries of rho, not the gates. Give "
            f"the file that it was exported from. Received: {str(options.path)!r}"
        )
    if options.plot.suffix.lower()[1:] not in PICTURES:
        raise WrongArguments(
            "--plot needs a file name whose ending gives the format, such as rho.png. "
            f"Received: {str(options.plot)!r}"
        )
    check_new_file(options.plot, "--plot", overwrite=True)
