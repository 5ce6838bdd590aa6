"""The work of `keras-bin export`."""

from keras_bin.export.onnx_files.writer import check_onnx_export, write_onnx
from keras_bin.export.preparation import Preparation, check_settings
from keras_bin.export.saved_models.manifest import source_file
from keras_bin.export.saved_models.writer import check_saved_model_export, write_saved_model
from keras_bin_cli.work.loading import load_model, load_samples


def run(options, output):
    """Exports a model to each format, and shows the reports."""
    check_settings(options.rho_tolerance, options.atol, options.rtol, options.runtime)
    if "onnx" in options.formats:
        check_onnx_export(options.onnx_file, options.opset, options.lowering, options.overwrite)
    if "saved_model" in options.formats:
        check_saved_model_export(options.base, options.version, options.overwrite)
    common = {"overwrite": options.overwrite, "atol": options.atol, "rtol": options.rtol}
    samples = load_samples(options.samples)
    model = load_model(options)
    names = (options.input_names, options.output_names)
    prepared = Preparation(model, options.rho_tolerance, samples, *names, options.runtime)
    if "saved_model" in options.formats:
        file = source_file(options.model)
        report = write_saved_model(prepared, options.base, options.version, file=file, **common)
        _show(report, output)
    if "onnx" in options.formats:
        report = write_onnx(prepared, options.onnx_file, options.opset, options.lowering, **common)
        _show(report, output)
    if report.layers:  # the same in both formats
        output.show(report)


def _show(report, output):
    output.show(report.summary)
    output.data.setdefault("reports", []).append(report.as_dict())
