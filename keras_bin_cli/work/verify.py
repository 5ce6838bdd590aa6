"""The work of `keras-bin verify`."""

from keras_bin.export import VerificationError, verify
from keras_bin.export.models.keras_file import load_keras_file
from keras_bin_cli.work.samples import load_samples


def run(options, output):
    """Compares an artifact with its model, and shows what was found, right or wrong."""
    samples = load_samples(options.samples)
    with output.stage("load"):
        model = load_keras_file(options.model)
    try:
        with output.stage("verify"):
            found = verify(options.artifact, model, samples, atol=options.atol, rtol=options.rtol)
    except VerificationError as error:
        if error.verification is not None:
            _show(error.verification, output)
        raise
    _show(found, output)


def _show(found, output):
    output.show(found)
    output.data.update(found.as_dict())
