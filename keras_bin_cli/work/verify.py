"""The work of `keras-bin verify`."""

from keras_bin.export import VerificationError, verify
from keras_bin_cli.work.loading import load_model, load_samples


def run(options, output):
    """Compares an artifact with its model, and shows what was found, right or wrong."""
    samples = load_samples(options.samples)
    model = load_model(options)
    try:
        found = verify(
            options.artifact,
            model,
            samples,
            input_names=options.input_names,
            output_names=options.output_names,
            atol=options.atol,
            rtol=options.rtol,
            verbose=False,
        )
    except VerificationError as error:
        if error.verification is not None:
            _show(error.verification, output)
        raise
    _show(found, output)


def _show(found, output):
    output.show(found)
    output.data.update(found.as_dict())
