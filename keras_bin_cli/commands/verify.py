"""The arguments of `keras-bin verify`."""

import click

from keras_bin_cli.command import command
from keras_bin_cli.loading import check_loading, loading_options
from keras_bin_cli.names import check_names, name_options
from keras_bin_cli.sources import check_artifact, check_model
from keras_bin_cli.values import LocalPath
from keras_bin_cli.verification import check_verification, verification_options

EXAMPLES = """\
  keras-bin verify models/digits/1 digits.keras
    compares a SavedModel with the model that it was exported from
"""


def verify() -> click.Command:
    """Returns the command."""
    return command(
        "verify",
        _check,
        [
            click.Argument(["artifact"], type=LocalPath(), metavar="ARTIFACT"),
            click.Argument(["model"], type=LocalPath(), metavar="MODEL"),
            *name_options(
                "Names of the {} in ARTIFACT, if they are neither the model's nor those that it "
                "was exported with"
            ),
            *verification_options(),
            *loading_options(),
        ],
        short="Compare an artifact with its .keras model.",
        description="Runs ARTIFACT, a SavedModel (OUT/<version>) or an ONNX file, and MODEL, the "
        ".keras file that it was exported from, on the same inputs, and compares the name, shape, "
        "dtype and values of every output.",
        examples=EXAMPLES,
        is_long=True,
    )


def _check(options):
    check_loading(options)
    check_artifact(options.artifact, "ARTIFACT", options.model)
    check_model(options.model)
    check_names(options)
    check_verification(options)
