"""The work of `keras-bin fold-report`."""

from keras_bin.export import fold_report
from keras_bin_cli.work.loading import load_model
from keras_bin_cli.work.tables import LAYERS, table_of


def run(options, output):
    """Folds a model, and shows what became of each normalization layer."""
    rows = [layer._asdict() for layer in fold_report(load_model(options), options.rho_tolerance)]
    absorbed = sum(bool(row["into"]) for row in rows)
    output.show(
        f"{options.model}: normalization layers absorbed: {absorbed} of {len(rows)}",
        *table_of("normalization layers", LAYERS, rows),
    )
    output.data.update(model=str(options.model), layers=rows)
