"""The work of `keras-bin convert`."""

from keras_bin.conversion.carrying_out import to_bin
from keras_bin.conversion.report import CONVERTED
from keras_bin_cli.work.converted_file import write_converted
from keras_bin_cli.work.loading import load_model
from keras_bin_cli.work.tables import table_of

_LAYERS = {
    "layer": "layer",
    "kind": "class",
    "channels": "channels",
    "became": "became",
    "reason": "why",
}


def run(options, output):
    """Converts a model, writes it, and shows what became of each layer."""
    model = load_model(options)
    converted, layers, notes = to_bin(model, options.rho, options.where)
    write_converted(converted, options)
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
