"""The command `keras-bin verify`."""

from pathlib import Path

from keras_bin.cli.arguments import add_command, add_verification, load_samples
from keras_bin.export import VerificationError, verify
from keras_bin.export.files.remote import refuse_remote
from keras_bin.export.models.keras_file import load_keras_file

EXAMPLE = """  keras-bin verify models/digits/1 digits.keras
    compares a SavedModel with the model that it was exported from
"""


def add_parser(commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "verify",
        _verify,
        help="compare an artifact with its .keras model",
        description="Runs an artifact and the .keras model that it was exported from on the same\n"
        "inputs, and compares the name, shape, dtype and values of every output.",
        example=EXAMPLE,
    )
    parser.add_argument(
        "artifact",
        type=Path,
        metavar="ARTIFACT",
        help="a SavedModel (OUT/<version>) or an ONNX file",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="the .keras file")
    add_verification(parser)


def _verify(options, output):
    refuse_remote(options.artifact)
    refuse_remote(options.model)
    samples = load_samples(options.samples)
    with output.status(f"loading {options.model}") as status:
        model = load_keras_file(options.model)
        status.update(f"comparing {options.artifact}")
        try:
            found = verify(options.artifact, model, samples, atol=options.atol, rtol=options.rtol)
        except VerificationError as error:
            if error.verification is not None:
                _show(error.verification, output)
            raise
    _show(found, output)


def _show(found, output):
    output.show(found)
    output.data.update(found.as_dict())
