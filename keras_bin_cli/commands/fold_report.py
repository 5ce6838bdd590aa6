"""The arguments of `keras-bin fold-report`."""

import click

from keras_bin_cli.command import command
from keras_bin_cli.commands.export import rho_tolerance
from keras_bin_cli.loading import check_loading, loading_options
from keras_bin_cli.sources import check_model
from keras_bin_cli.values import LocalPath

EXAMPLES = """\
  keras-bin fold-report digits.keras
    shows which layers an export absorbs, and why it does not absorb the others
"""


def fold_report() -> click.Command:
    """Returns the command."""
    return command(
        "fold-report",
        _check,
        [
            click.Argument(["model"], type=LocalPath(), metavar="MODEL"),
            rho_tolerance(),
            *loading_options(),
        ],
        short="Show what becomes of each normalization layer, without writing anything.",
        description="Folds the normalization layers of MODEL, a .keras file, as "
        "keras_bin.export.fold does, compares the result with the model, and shows what became of "
        "each layer, and why. Nothing is written.",
        examples=EXAMPLES,
        is_long=True,
    )


def _check(options):
    check_loading(options)
    check_model(options.model)
