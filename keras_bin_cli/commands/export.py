"""The arguments of `keras-bin export`."""

from pathlib import Path

import click

from keras_bin_cli.command import command
from keras_bin_cli.destinations import check_free, check_new_file, check_new_folder
from keras_bin_cli.errors import WrongArguments
from keras_bin_cli.files.endings import ONNX, way_to
from keras_bin_cli.files.kinds import Kind, find
from keras_bin_cli.loading import check_loading, loading_options
from keras_bin_cli.names import check_names, name_options
from keras_bin_cli.sources import check_model
from keras_bin_cli.values import LocalPath, Number, Word
from keras_bin_cli.verification import check_verification, verification_options

# What the exporter accepts; it is not imported here, as it imports TensorFlow.
FORMATS = ("saved_model", "onnx")
RUNTIMES = ("any", "onnxruntime", "openvino", "litert", "tensorflow")
LOWERINGS = ("instance_normalization", "reduce_mean")
OPSETS = range(13, 19)
DEFAULT_OPSET = 17
_OF_FORMAT = {"opset": "onnx", "lowering": "onnx", "version": "saved_model"}
_BY_KERAS = " keras_bin.export.fold(model).export(path, format={!r}) writes it."
_ELSEWHERE = {
    "tflite": _BY_KERAS.format("litert"),
    "litert": _BY_KERAS.format("litert"),
    "openvino": _BY_KERAS.format("openvino"),
    **dict.fromkeys(("keras", "h5"), " keras_bin.export.fold(model).save(path) writes it."),
}
EXAMPLES = """\
  keras-bin export digits.keras models/digits --format saved_model --format onnx
    writes models/digits/1/ (the next free version) and models/digits.onnx
  keras-bin export digits.keras digits.onnx --opset 15
    writes an ONNX file for an older runtime
  keras-bin export digits.keras models/digits --input-names image --output-names logits
    writes a SavedModel whose clients send an image and read logits
"""


def export() -> click.Command:
    """Returns the command."""
    return command(
        "export",
        _check,
        [
            click.Argument(["model"], type=LocalPath(), metavar="MODEL"),
            click.Argument(["out"], type=LocalPath(), metavar="OUT"),
            click.Option(
                ["--format", "formats"],
                multiple=True,
                type=Word(FORMATS, _ELSEWHERE),
                help="What to write; repeat it to write both. Default: onnx if OUT ends in .onnx, "
                "otherwise saved_model.",
            ),
            click.Option(
                ["--version"],
                type=Number(int, "an integer above 0 and below 2**63", lambda v: 0 < v < 2**63),
                metavar="N",
                help="Version of the SavedModel. Default: the next free one.",
            ),
            click.Option(
                ["--opset"],
                type=Number(
                    int, f"an integer from {OPSETS[0]} to {OPSETS[-1]}", OPSETS.__contains__
                ),
                metavar="N",
                help=f"ONNX operator set. Default: {DEFAULT_OPSET}.",
            ),
            click.Option(
                ["--lowering"],
                type=Word(LOWERINGS),
                help="How the ONNX file computes statistics: with the operator "
                "InstanceNormalization or with ReduceMean and arithmetic. "
                f"Default: {LOWERINGS[0]}.",
            ),
            click.Option(
                ["--runtime"],
                type=Word(RUNTIMES),
                default=RUNTIMES[0],
                help="Which runtime it is for: each is fastest with different operators. "
                f"Default: {RUNTIMES[0]}, none of them in particular.",
            ),
            click.Option(["--overwrite"], is_flag=True, help="Replace what is at the destination."),
            rho_tolerance(),
            *name_options("Names of the {} in the artifact, instead of the model's"),
            *verification_options(),
            *loading_options(),
        ],
        short="Fold a .keras model and export it to SavedModel or ONNX, verified.",
        description="Folds the BIN layers of MODEL, a .keras file, into constants, and writes it "
        "in each format: the SavedModel to OUT/<version>/, the ONNX file to OUT.onnx. OUT may end "
        "in .onnx. No file appears under its name until it has been compared with the model.",
        examples=EXAMPLES,
        is_long=True,
    )


def rho_tolerance() -> click.Option:
    """Returns the option `--rho-tolerance`."""
    return click.Option(
        ["--rho-tolerance"],
        type=Number(float, "a number from 0 to below 0.5", lambda value: 0 <= value < 0.5),
        default=0.0,
        metavar="X",
        help="Set each rho that is within X of 0 or 1 to that value. Default: 0.",
    )


def _check(options):
    check_loading(options)
    check_model(options.model, other=(options.out, "OUT"))
    out = options.out
    is_onnx = out.name.lower().endswith(ONNX)
    options.formats = options.formats or (("onnx",) if is_onnx else ("saved_model",))
    _check_name(out)
    for option, needed in _OF_FORMAT.items():
        if needed not in options.formats and getattr(options, option) is not None:
            raise WrongArguments(
                f"--{option} goes with --format {needed}. Received: {' and '.join(options.formats)}"
            )
    options.base, options.onnx_file = (
        (out.with_suffix(""), out) if is_onnx else (out, Path(f"{out}{ONNX}"))
    )
    options.opset = options.opset or DEFAULT_OPSET
    options.lowering = options.lowering or LOWERINGS[0]
    if "onnx" in options.formats:
        check_new_file(options.onnx_file, "OUT", options.overwrite)
    if "saved_model" in options.formats:
        check_new_folder(options.base, "OUT")
        if options.version is not None:
            check_free(options.base / str(options.version), "OUT", options.overwrite)
    check_names(options)
    check_verification(options)


def _check_name(out):
    if out.name.lower() in ("", "..", ONNX):
        raise WrongArguments(
            f"OUT must end in a name, such as models/digits. Received: {str(out)!r}"
        )
    way = None if find(out).kind is Kind.VERSIONS else way_to(out)
    if way is not None:
        raise WrongArguments(
            f"OUT must end in {ONNX}, or be the name of a folder for a SavedModel. {way} "
            f"Received: {str(out)!r}"
        )
