"""The command `keras-bin convert`."""

from pathlib import Path

from keras_bin.cli.arguments import add_command
from keras_bin.cli.converted_file import check_destination, write_converted
from keras_bin.cli.tables import table_of
from keras_bin.conversion.carrying_out import to_bin
from keras_bin.conversion.report import CONVERTED
from keras_bin.export.files.remote import refuse_remote
from keras_bin.export.models.keras_file import load_keras_file

EXAMPLE = """  keras-bin convert trained.keras bin.keras --where first
    writes a model whose first batch normalization is BIN, with the weights of trained.keras
"""
_LAYERS = {
    "layer": "layer",
    "kind": "class",
    "channels": "channels",
    "became": "became",
    "reason": "why",
}


def add_parser(commands) -> None:
    """Adds the command."""
    parser = add_command(
        commands,
        "convert",
        _convert,
        help="make a BIN model of a trained model with batch normalization",
        description="Puts a BIN layer in place of each BatchNormalization of a .keras model, with "
        "its\nweights. With every rho at 1 the model computes what it did, and rho can learn from\n"
        "there. The new model is not compiled: the state of an optimizer is not carried over.\n"
        "No file appears under its name before it was loaded and compared.",
        example=EXAMPLE,
    )
    parser.add_argument("model", type=Path, metavar="IN", help="the .keras file; it stays as it is")
    parser.add_argument(
        "out", type=Path, metavar="OUT", help="the file to write; it must end in .keras"
    )
    parser.add_argument(
        "--where",
        metavar="PATTERN",
        help="convert only the layers whose name or path matches, as in 'stage1_*'; the word first "
        "means the one that is called first (default: all)",
    )
    parser.add_argument(
        "--rho",
        type=float,
        default=1.0,
        metavar="X",
        help="where every rho starts, from 0 (instance normalization) to 1 (default: 1)",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace OUT if it exists")


def _convert(options, output):
    refuse_remote(options.model)
    check_destination(options.out, options.model, options.overwrite)
    if not 0 <= options.rho <= 1:
        raise ValueError(
            "--rho must be a number from 0 (instance normalization) to 1 (batch normalization). "
            f"Received: {options.rho}"
        )
    with output.status(f"loading {options.model}") as status:
        model = load_keras_file(options.model)
        status.update("converting the model")
        converted, layers, notes = to_bin(model, options.rho, options.where)
        status.update(f"writing {options.out}")
        write_converted(converted, options.out, options.overwrite)
    for note in notes:
        output.warn(note)
    rows = [layer._asdict() for layer in layers]
    count = sum(layer.became == CONVERTED for layer in layers)
    kind = type(converted).__name__
    output.show(
        f"{options.out}: {kind}, not compiled; batch normalization layers converted: {count} of "
        f"{len(layers)}",
        *table_of("batch normalization layers", _LAYERS, rows),
    )
    output.data.update(path=str(options.out), model=kind, converted=count, layers=rows)
