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

The program ends with exit code 1 unless BIN is ahead of BN on the average of the seeds.
"""

import argparse
import functools
import importlib.metadata
import json
import math
import os
import platform
import sys
import time
from pathlib import Path
from statistics import mean, stdev

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import keras
import numpy as np
import onnxruntime
from matplotlib.figure import Figure
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import keras_bin
from digit_styles import (
    CLASSES,
    STYLES,
    DigitSplit,
    build_cnn,
    draw_held_out,
    draw_mixed,
    load_split,
)
from keras_bin.export import export_onnx, export_saved_model

NETS = {
    "BN": (keras.layers.BatchNormalization, keras.Model),
    "BIN": (keras_bin.BatchInstanceNormalization, keras_bin.BINModel),
}
# Chosen for BN, on training digits kept back for that and with other seeds than these. The
# held-out digits decided nothing.
BATCH_SIZE = 32
LEARNING_RATE = 0.1
# Keras's 0.99 averages over some 100 steps: more than two epochs, in which the weights move on.
MOMENTUM = 0.9
PACKAGES = ("keras-bin", "keras", "tensorflow", "numpy", "scikit-learn", "onnxruntime")


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Reads the command line, and makes the output folder so that a bad one fails early."""
    parser = argparse.ArgumentParser(
        description="Train on digits in four styles with BN and with BIN, compare them on "
        "held-out digits, and export the BIN net to a SavedModel and an ONNX file.",
        epilog="example: python examples/quickstart.py --seeds 5 --output digits",
    )
    parser.add_argument(
        "--seeds",
        type=_positive,
        default=3,
        metavar="N",
        help="train each net with the seeds 0 to N-1 (default: %(default)s)",
    )
    parser.add_argument(
        "--epochs",
        type=_positive,
        default=15,
        metavar="N",
        help="passes over the training digits (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path(__file__).parent / "output",
        metavar="DIR",
        help="folder for results, pictures and exports (default: examples/output)",
    )
    parsed = parser.parse_args(arguments)
    try:
        parsed.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        parser.error(
            f"argument --output: must be a folder, or a path where one can be made: {error}"
        )
    return parsed


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"must be an integer above 0. Received: {text!r}")
    return int(text)


def train(
    norm: str, seed: int, epochs: int, digits: DigitSplit, callback: keras.callbacks.Callback
) -> keras.Model:
    """Trains the net `norm` of `NETS` on the training digits, drawn in styles by `seed`."""
    pictures, _ = draw_mixed(digits.train_scans, np.random.default_rng(seed))
    keras.utils.set_random_seed(seed)
    normalization, model_class = NETS[norm]
    model = build_cnn(functools.partial(normalization, momentum=MOMENTUM), model_class)
    steps = epochs * math.ceil(len(pictures) / BATCH_SIZE)
    model.compile(
        keras.optimizers.SGD(
            keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps), momentum=0.9
        ),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    model.fit(
        pictures,
        digits.train_labels,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        callbacks=[callback],
        verbose=0,
    )
    return model


def accuracy(
    model: keras.Model, pictures: dict[str, np.ndarray], labels: np.ndarray
) -> dict[str, float]:
    """Returns the percentage of pictures read right, by style."""
    return {
        style: round(100 * np.mean(model.predict(drawn, verbose=0).argmax(-1) == labels), 2)
        for style, drawn in pictures.items()
    }


def epoch_bar(
    progress: Progress, norm: str, seed: int, epochs: int
) -> keras.callbacks.LambdaCallback:
    """Adds a bar to `progress`, and returns the callback that moves it."""
    task = progress.add_task(norm, total=epochs, seed=seed, loss=math.nan)
    return keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: progress.update(task, advance=1, loss=logs["loss"])
    )


def compare(
    seeds: int, epochs: int, digits: DigitSplit, held_out: dict[str, np.ndarray], console: Console
) -> tuple[list[dict], keras.Model]:
    """Trains and tests every net with every seed; returns the results and the last BIN net."""
    columns = (
        TextColumn("seed {task.fields[seed]}  {task.description:3}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs, loss {task.fields[loss]:.4f}"),
        TimeElapsedColumn(),
    )
    runs = []
    with Progress(*columns, console=console) as progress:
        for seed in range(seeds):
            for norm in NETS:
                started = time.perf_counter()
                bar = epoch_bar(progress, norm, seed, epochs)
                model = train(norm, seed, epochs, digits, bar)
                scores = accuracy(model, held_out, digits.test_labels)
                seconds = round(time.perf_counter() - started, 1)
                runs.append({"norm": norm, "seed": seed, "seconds": seconds, "accuracy": scores})
    return runs, model


def mean_accuracies(runs: list[dict], norm: str) -> list[float]:
    """Returns the accuracy of a net on all styles, one value per seed."""
    return [mean(run["accuracy"].values()) for run in runs if run["norm"] == norm]


def accuracy_table(runs: list[dict], seeds: int) -> Table:
    """Sets BN and BIN side by side, style by style, mean and standard deviation over seeds."""
    rows = {
        style: {
            norm: [run["accuracy"][style] for run in runs if run["norm"] == norm] for norm in NETS
        }
        for style in STYLES
    }
    rows["mean"] = {norm: mean_accuracies(runs, norm) for norm in NETS}
    table = Table(title=f"Accuracy on held-out digits, % (seeds: {seeds})")
    for column in ("style", *NETS, "BIN - BN"):
        table.add_column(column, justify="left" if column == "style" else "right")
    for style, scores in rows.items():
        if style == "mean":
            table.add_section()
        cells = [
            f"{mean(values):.1f}" + (f" ± {stdev(values):.1f}" if seeds > 1 else "")
            for values in scores.values()
        ]
        table.add_row(style, *cells, f"{mean(scores['BIN']) - mean(scores['BN']):+.1f}")
    return table


def read_with_onnx(path: Path, pictures: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Returns the digits that ONNX Runtime reads in the pictures, by style."""
    session = onnxruntime.InferenceSession(path)
    return {
        style: session.run(["logits"], {"pictures": drawn})[0].argmax(-1)
        for style, drawn in pictures.items()
    }


def prediction_table(predictions: dict[str, np.ndarray], labels: np.ndarray) -> Table:
    """Lists what was read below the true digit, errors in red and brackets."""
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
    bn, bin_ = (round(mean(mean_accuracies(runs, norm)), 2) for norm in ("BN", "BIN"))
    figures = f"BIN {bin_:.2f} %, BN {bn:.2f} % on average over the styles (seeds: {seeds})"
    if seeds == 1:
        print(f"{figures}. One seed proves nothing: compare with --seeds 3 or more.")
    elif bin_ > bn:
        print(f"BIN is ahead of BN: {figures}.")
    else:
        sys.exit(f"BIN is not ahead of BN: {figures}.")


def main(arguments: list[str] | None = None) -> None:
    """Runs the comparison, the export and the check."""
    options = parse_arguments(arguments)
    console = Console()
    digits = load_split()
    held_out = draw_held_out(digits)

    runs, bin_net = compare(options.seeds, options.epochs, digits, held_out, console)
    console.print(accuracy_table(runs, options.seeds))
    results = {
        "epochs": options.epochs,
        "versions": {
            "python": platform.python_version(),
            **{package: importlib.metadata.version(package) for package in PACKAGES},
        },
        "runs": runs,
    }
    (options.output / "results.json").write_text(json.dumps(results, indent=2) + "\n")
    keras_bin.plot_rho(bin_net).savefig(options.output / "rho.png", dpi=150)
    bin_net.save(options.output / "digits.keras")

    print(f"The BIN net of the last seed, {options.seeds - 1}, exported:")
    print(export_saved_model(bin_net, options.output / "digits"))
    onnx_file = options.output / "digits.onnx"
    print(export_onnx(bin_net, onnx_file, overwrite=True))

    shown = [np.flatnonzero(digits.test_labels == label)[0] for label in range(CLASSES)]
    pictures = {style: drawn[shown] for style, drawn in held_out.items()}
    labels = digits.test_labels[shown]
    predictions = read_with_onnx(onnx_file, pictures)
    console.print(prediction_table(predictions, labels))
    plot_predictions(pictures, predictions, labels).savefig(
        options.output / "predictions.png", dpi=150
    )
    print(f"Written to {options.output}: results.json, digits.keras, rho.png, predictions.png")
    check_claim(runs, options.seeds)


if __name__ == "__main__":
    main()
