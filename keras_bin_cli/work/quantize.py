"""The work of `keras-bin quantize`."""

from keras_bin.export import quantize_onnx
from keras_bin_cli.work.loading import load_arrays


def run(options, output):
    """Quantizes a file, and shows the report."""
    report = quantize_onnx(
        options.artifact,
        options.out,
        load_arrays(options.data, "--data"),
        runtime=options.runtime,
        reduce_range=options.reduce_range or None,
        max_error=options.max_error,
        overwrite=options.overwrite,
        verbose=False,
    )
    output.show(str(report))
    output.data.update(report.as_dict())
