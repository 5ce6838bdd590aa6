"""The command line: `keras-bin export`, also as `python -m keras_bin export`."""

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
from rich.console import Console

import keras_bin
from keras_bin.export import export_onnx, export_saved_model
from keras_bin.export.extras import require_onnx
from keras_bin.export.onnx_file import DEFAULT_OPSET, check_opset
from keras_bin.export.publish import refuse_existing
from keras_bin.export.saved_model import check_version
from keras_bin.export.verify import ATOL, RTOL, check_tolerances

EXAMPLE = """example:
  keras-bin export digits.keras models/digits --format saved_model --format onnx
    writes models/digits/1/ (the next free version) and models/digits.onnx
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line.

    Args:
        arguments: the words after the program's name, by default those it was called with.

    Returns:
        The exit code: 0 if everything was done, 1 if something failed. Usage errors exit
        with code 2.
    """
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)

    def show(message, *_args, **_kwargs):
        console.print(f"keras-bin: warning: {message}", markup=False)

    with warnings.catch_warnings():
        warnings.showwarning = show
        try:
            options.run(options, console)
        except (ImportError, OSError, RuntimeError, TypeError, ValueError) as error:
            console.print(f"keras-bin: error: {error}", markup=False)
            return 1
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="keras-bin", description="Batch-Instance Normalization for Keras: model files."
    )
    parser.add_argument("--version", action="version", version=keras_bin.__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    export = commands.add_parser(
        "export",
        help="fold a .keras model and write it as SavedModel or ONNX, verified",
        description="Folds the BIN layers of a .keras model into constants, writes it in each\n"
        "format, and compares what was written with the model before it gets its name.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    export.set_defaults(run=_export)
    export.add_argument("model", type=Path, metavar="MODEL", help="the .keras file")
    export.add_argument(
        "out",
        type=Path,
        metavar="OUT",
        help="the SavedModel goes to OUT/<version>/, the ONNX file to OUT.onnx; "
        "OUT may end in .onnx",
    )
    export.add_argument(
        "--format",
        action="append",
        choices=("saved_model", "onnx"),
        dest="formats",
        help="what to write; repeat it to write both (default: onnx where OUT ends in .onnx, "
        "saved_model elsewhere)",
    )
    export.add_argument(
        "--version", type=int, metavar="N", help="version of the SavedModel (default: next free)"
    )
    export.add_argument(
        "--opset",
        type=int,
        metavar="N",
        help=f"ONNX operator set (default: {DEFAULT_OPSET})",
    )
    export.add_argument(
        "--overwrite", action="store_true", help="replace what is already at the destination"
    )
    for tolerance, default, unit in (("atol", ATOL, "absolute"), ("rtol", RTOL, "relative")):
        export.add_argument(
            f"--{tolerance}",
            type=float,
            default=default,
            metavar="X",
            help=f"{unit} tolerance of the verification (default: %(default)g)",
        )
    export.add_argument(
        "--samples",
        type=Path,
        metavar="FILE",
        help=".npz file with an array per input to verify with (default: made-up inputs)",
    )
    return parser


def _export(options, console):
    out = options.out
    is_onnx = out.name.lower().endswith(".onnx")
    formats = options.formats or (["onnx"] if is_onnx else ["saved_model"])
    if out.name.lower() in ("", "..", ".onnx"):
        raise ValueError(f"OUT must end in a name, such as models/digits. Received: {out}")
    for option, needed in (("opset", "onnx"), ("version", "saved_model")):
        if needed not in formats and getattr(options, option) is not None:
            raise ValueError(f"--{option} goes with --format {needed}. Received: {formats}")
    opset = DEFAULT_OPSET if options.opset is None else options.opset
    base, onnx_file = (out.with_suffix(""), out) if is_onnx else (out, Path(f"{out}.onnx"))
    check_tolerances(options.atol, options.rtol)
    if "onnx" in formats:
        require_onnx()
        check_opset(opset)
        refuse_existing(onnx_file, options.overwrite)
    if "saved_model" in formats and options.version is not None:
        check_version(options.version)
        refuse_existing(base / str(options.version), options.overwrite)

    settings = {"overwrite": options.overwrite, "atol": options.atol, "rtol": options.rtol}
    if options.samples is not None:
        settings["samples"] = _load_samples(options.samples)
    with console.status(f"loading {options.model}") as status:
        model = _load_model(options.model)
        if "saved_model" in formats:
            status.update("exporting to SavedModel")
            print(export_saved_model(model, base, version=options.version, **settings))
        if "onnx" in formats:
            status.update("exporting to ONNX")
            print(export_onnx(model, onnx_file, opset, **settings))


def _load_model(path):
    if not path.is_file():
        raise FileNotFoundError(f"MODEL must be a .keras file. Received: {path}, which is no file")
    try:
        return keras.saving.load_model(path, compile=False)
    except Exception as error:  # Keras raises what its zip, JSON and HDF5 readers do
        raise ValueError(
            "MODEL must be a whole .keras file that Keras can load. "
            f"Received: {path}; Keras says: {error}"
        ) from error


def _load_samples(path):
    try:
        arrays = np.load(path)
        return {name: arrays[name] for name in arrays.files}
    except Exception as error:  # NumPy raises what its zip and pickle readers do
        raise ValueError(
            "--samples must be an .npz file with an array per input. "
            f"Received: {path}; NumPy says: {error}"
        ) from error
