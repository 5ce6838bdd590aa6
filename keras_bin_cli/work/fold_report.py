"""The work of `keras-bin fold-report`."""

from keras_bin.export import fold_report
from keras_bin.export.results.plain import plain
from keras_bin_cli.work.loading import load_model
from keras_bin_cli.work.tables import titled_table


def run(options, output):
    """Folds a model, and shows what became of each normalization layer."""
    found = fold_report(load_model(options), options.rho_tolerance)
    table = found.table()
    output.show(
        f"{options.model}: {table.title}",
        *titled_table("normalization layers", table.columns, table.rows),
    )
    output.data.update(model=str(options.model), layers=plain(found))
