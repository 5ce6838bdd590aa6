"""The arguments of `keras-bin quantize`."""

import click

from keras_bin_cli.command import command
from keras_bin_cli.destinations import check_new_file
from keras_bin_cli.sources import check_onnx_file, check_samples
from keras_bin_cli.values import LocalPath, Number, Word

# What the quantizer accepts; it is not imported here, as it imports TensorFlow.
RUNTIMES = ("onnxruntime", "openvino")
MAX_ERROR = 0.1
EXAMPLES = """\
  keras-bin quantize digits.onnx digits-int8.onnx --data pictures.npz
    writes an int8 file for ONNX Runtime, calibrated on the pictures
  keras-bin export digits.keras openvino.onnx --runtime openvino
  keras-bin quantize openvino.onnx openvino-int8.onnx --data pictures.npz --runtime openvino
    write one for OpenVINO; needs the extra `int8`
"""


def quantize() -> click.Command:
    """Returns the command."""
    return command(
        "quantize",
        _check,
        [
            click.Argument(["artifact"], type=LocalPath(), metavar="ARTIFACT"),
            click.Argument(["out"], type=LocalPath(), metavar="OUT"),
            click.Option(
                ["--data"],
                type=LocalPath(),
                required=True,
                metavar="FILE",
                help="An .npz file with an array per input: a few hundred typical inputs from all "
                "domains that are to be served.",
            ),
            click.Option(
                ["--runtime"],
                type=Word(RUNTIMES),
                default=RUNTIMES[0],
                help=f"Which runtime it is for. Default: {RUNTIMES[0]}.",
            ),
            click.Option(
                ["--reduce-range"],
                is_flag=True,
                help="Give weights 7 bits, for x86 processors without VNNI instructions. By "
                "default they have 8, or 7 if this processor needs it.",
            ),
            click.Option(
                ["--max-error"],
                type=Number(float, "a finite number above 0", lambda value: value > 0),
                default=MAX_ERROR,
                metavar="X",
                help="Largest allowed difference of an output, as a share of its norm. "
                f"Default: {MAX_ERROR}.",
            ),
            click.Option(["--overwrite"], is_flag=True, help="Replace what is at OUT."),
        ],
        short="Quantize an ONNX file to int8, keeping statistics in float.",
        description="Quantizes ARTIFACT, an ONNX file in float, and writes the result to OUT. "
        "ARTIFACT should be a file that `export` has written for the runtime. The statistics of a "
        "sample are still computed in float. The file is run on the data and compared with "
        "ARTIFACT before it appears.",
        examples=EXAMPLES,
        is_long=True,
    )


def _check(options):
    check_onnx_file(options.artifact, "ARTIFACT")
    check_samples(options.data, "--data")
    check_new_file(options.out, "OUT", options.overwrite)
