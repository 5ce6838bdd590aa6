"""The command `keras-bin export`."""

from pathlib import Path

from keras_bin.cli.arguments import add_command, add_verification, load_samples
from keras_bin.export.files.remote import refuse_remote
from keras_bin.export.models.keras_file import load_keras_file
from keras_bin.export.onnx_files.lowering import DEFAULT_LOWERING, LOWERINGS
from keras_bin.export.onnx_files.writer import DEFAULT_OPSET, check_onnx_export, write_onnx
from keras_bin.export.preparation import Preparation, check_settings
from keras_bin.export.saved_models.manifest import source_file
from keras_bin.export.saved_models.writer import check_saved_model_export, write_saved_model

EXAMPLE = """  keras-bin export digits.keras models/digits --format saved_model --format onnx
    writes models/digits/1/ (the next free version) and models/digits.onnx
"""


def add_parser(commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "export",
        _export,
        help="fold a .keras model and export it to SavedModel or ONNX, verified",
        description="Folds the BIN layers of a .keras model into constants and writes it in each\n"
        "format. No file appears under its name before it was compared with the model.",
        example=EXAMPLE,
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="the .keras file")
    parser.add_argument(
        "out",
        type=Path,
        metavar="OUT",
        help="the SavedModel goes to OUT/<version>/, the ONNX file to OUT.onnx; "
        "OUT may end in .onnx",
    )
    parser.add_argument(
        "--format",
        action="append",
        choices=("saved_model", "onnx"),
        dest="formats",
        help="what to write; repeat it to write both (default: onnx where OUT ends in .onnx, "
        "saved_model elsewhere)",
    )
    parser.add_argument(
        "--version", type=int, metavar="N", help="version of the SavedModel (default: next free)"
    )
    parser.add_argument(
        "--opset",
        type=int,
        metavar="N",
        help=f"ONNX operator set (default: {DEFAULT_OPSET})",
    )
    parser.add_argument(
        "--lowering",
        choices=LOWERINGS,
        help="how the ONNX file computes statistics: by the operator InstanceNormalization or by "
        f"ReduceMean and arithmetic (default: {DEFAULT_LOWERING})",
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="replace what exists at the destination"
    )
    parser.add_argument(
        "--rho-tolerance",
        type=float,
        default=0.0,
        metavar="X",
        help="set each rho that is within X of 0 or 1 to that value (default: 0)",
    )
    add_verification(parser)


def _export(options, output):
    out = options.out
    refuse_remote(out)
    refuse_remote(options.model)
    is_onnx = out.name.lower().endswith(".onnx")
    formats = options.formats or (["onnx"] if is_onnx else ["saved_model"])
    if out.name.lower() in ("", "..", ".onnx"):
        raise ValueError(f"OUT must end in a name, such as models/digits. Received: {out}")
    for option, needed in (("opset", "onnx"), ("lowering", "onnx"), ("version", "saved_model")):
        if needed not in formats and getattr(options, option) is not None:
            raise ValueError(f"--{option} goes with --format {needed}. Received: {formats}")
    base, onnx_file = (out.with_suffix(""), out) if is_onnx else (out, Path(f"{out}.onnx"))
    opset = DEFAULT_OPSET if options.opset is None else options.opset
    lowering = options.lowering or DEFAULT_LOWERING
    check_settings(options.rho_tolerance, options.atol, options.rtol)
    if "onnx" in formats:
        check_onnx_export(onnx_file, opset, lowering, options.overwrite)
    if "saved_model" in formats:
        check_saved_model_export(base, options.version, options.overwrite)

    common = {"overwrite": options.overwrite, "atol": options.atol, "rtol": options.rtol}
    samples = load_samples(options.samples)
    with output.status(f"loading {options.model}") as status:
        model = load_keras_file(options.model)
        status.update("preparing the model")
        prepared = Preparation(model, options.rho_tolerance, samples)
        if "saved_model" in formats:
            status.update("exporting to SavedModel")
            file = source_file(options.model)
            report = write_saved_model(prepared, base, options.version, file=file, **common)
            _show(report, output)
        if "onnx" in formats:
            status.update("exporting to ONNX")
            report = write_onnx(prepared, onnx_file, opset, lowering, **common)
            _show(report, output)
    if report.layers:  # the same in both formats
        output.show(report)


def _show(report, output):
    output.show(str(report))
    output.data.setdefault("reports", []).append(report.as_dict())
