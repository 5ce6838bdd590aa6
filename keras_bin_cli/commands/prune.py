"""The arguments of `keras-bin prune`."""

import click

from keras_bin_cli.command import command
from keras_bin_cli.sources import check_versions
from keras_bin_cli.values import LocalPath, Number

EXAMPLES = """\
  keras-bin prune models/digits --keep 3
    removes all but the three highest versions in models/digits
"""


def prune() -> click.Command:
    """Returns the command."""
    return command(
        "prune",
        _check,
        [
            click.Argument(["base"], type=LocalPath(), metavar="BASE"),
            click.Option(
                ["--keep"],
                required=True,
                type=Number(int, "an integer above 0", lambda number: number > 0),
                metavar="N",
                help="How many versions to keep, those with the highest numbers.",
            ),
        ],
        short="Remove old versions of a SavedModel.",
        description="Removes all but the newest versions of a SavedModel from BASE, the OUT of "
        "keras-bin export. A server that watches BASE never sees a partial version. Anything that "
        "is not a version stays, and so does a version that a link in BASE points to.",
        examples=EXAMPLES,
    )


def _check(options):
    check_versions(options.base, "BASE")
