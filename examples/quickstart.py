"""Train on digits in four styles with BN and with BIN, compare them, and export the BIN net.

    python examples/quickstart.py

A small net learns 1,347 handwritten digits of scikit-learn, each drawn in one of four
styles, and is tested on 450 others in every style. BN and BIN get the same pictures, seed,
optimizer and number of epochs. The output folder receives:

- `results.json`: held-out accuracy of every run;
- `rho.png`: where rho went, from the first layer to the last;
- `digits.keras`: the BIN net of the last seed, for `keras-bin export`;
- `digits/<version>/` and `digits.onnx`: the same net, folded and verified;
- `predictions.png`: what ONNX Runtime reads from `digits.onnx` in held-out digits.

The program ends with exit code 1 unless BIN is ahead of BN on average over the seeds.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import json
import sys
from pathlib import Path
from statistics import mean

import numpy as np
import onnxruntime
from matplotlib.figure import Figure
from rich.console import Console
from rich.table import Table

import keras_bin
from common.digits import load_digit_scans
from common.mixed_styles import accuracies_by_style, compare_norms
from common.options import option_parser, positive, read_options
from common.report import score_table, versions
from common.scans import CLASSES
from common.styles import draw_held_out
from common.whole_files import save_net, save_picture, write_whole
from keras_bin.export import export_onnx, export_saved_model

COMPARED = ("BN", "BIN")


def read_with_onnx(path: Path, pictures: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the digits that ONNX Runtime reads in the pictures, by style."""
    session = onnxruntime.InferenceSession(path)
    return {
        style: session.run(["logits"], {"pictures": drawn})[0].argmax(-1)
        for style, drawn in pictures.items()
    }


def prediction_table(predictions: dict[str, np.ndarray], labels: np.ndarray) -> Table:
    """Lists what was read below the true digit, with errors in red and in brackets."""
    table = Table("true digit", *map(str, labels), title="Read by ONNX Runtime from digits.onnx")
    for style, predicted in predictions.items():
        cells = [
            str(got) if got == label else f"[red]({got})[/red]"
            for got, label in zip(predicted, labels, strict=True)
        ]
        table.add_row(style, *cells)
    return table


def plot_predictions(
    pictures: dict[str, np.ndarray], predictions: dict[str, np.ndarray], labels: np.ndarray
) -> Figure:
    """Draws the pictures, a row per style, each with the digit that was read above it."""
    figure = Figure(figsize=(9.5, 4.4), layout="constrained")
    figure.suptitle("Held-out digits, and what ONNX Runtime read in them")
    grid = figure.subplots(len(pictures), len(labels))
    for row, style in zip(grid, pictures, strict=True):
        row[0].set_ylabel(style, rotation="horizontal", ha="right", va="center")
        for axes, picture, got, label in zip(
            row, pictures[style], predictions[style], labels, strict=True
        ):
            axes.imshow(picture, vmin=0, vmax=1)
            right = got == label
            axes.set_title(
                got if right else f"{got}, not {label}", color="black" if right else "red"
            )
            axes.set(xticks=[], yticks=[])
    return figure


def check_claim(runs: list[dict], seeds: int) -> None:
    """Ends the program with exit code 1 if BIN is not ahead; one seed is not judged."""
    means = accuracies_by_style(runs)["mean"]
    bn, bin_ = (round(mean(means[norm]), 2) for norm in COMPARED)
    figures = f"BIN {bin_:.2f} %, BN {bn:.2f} % on average over the styles (seeds: {seeds})"
    if seeds == 1:
        print(f"{figures}. One seed proves nothing: compare with --seeds 3 or more.")
    elif bin_ > bn:
        print(f"BIN is ahead of BN: {figures}.")
    else:
        sys.exit(f"BIN is not ahead of BN: {figures}.")


def main(arguments: list[str] | None = None) -> None:
    """Runs the comparison, the export and the check."""
    parser = option_parser("quickstart.py", __doc__.splitlines()[0], seeds=3, folder="output")
    parser.add_argument(
        "--epochs",
        type=positive,
        default=15,
        metavar="N",
        help="passes over the training digits (default: %(default)s)",
    )
    options = read_options(parser, arguments)
    console = Console()
    digits = load_digit_scans()
    held_out = draw_held_out(digits)

    runs, bin_net = compare_norms(COMPARED, options.seeds, options.epochs, digits, held_out)
    console.print(score_table("Accuracy on held-out digits, %", "style", accuracies_by_style(runs)))
    results = {"epochs": options.epochs, "versions": versions(), "runs": runs}
    write_whole(options.output / "results.json", json.dumps(results, indent=2) + "\n")
    save_picture(keras_bin.plot_rho(bin_net), options.output / "rho.png")
    save_net(bin_net, options.output / "digits.keras")

    print(f"The BIN net of the last seed, {options.seeds[-1]}, exported:")
    print(export_saved_model(bin_net, options.output / "digits", verbose=False))
    onnx_file = options.output / "digits.onnx"
    print(export_onnx(bin_net, onnx_file, overwrite=True, verbose=False))

    shown = [np.flatnonzero(digits.test_labels == label)[0] for label in range(CLASSES)]
    pictures = {style: drawn[shown] for style, drawn in held_out.items()}
    labels = digits.test_labels[shown]
    predictions = read_with_onnx(onnx_file, pictures)
    console.print(prediction_table(predictions, labels))
    save_picture(
        plot_predictions(pictures, predictions, labels), options.output / "predictions.png"
    )
    print(f"Written to {options.output}: results.json, digits.keras, rho.png, predictions.png")
    check_claim(runs, len(options.seeds))


if __name__ == "__main__":
    main()
