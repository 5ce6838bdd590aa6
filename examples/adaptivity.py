"""Read digits at any contrast, or read the contrast: one normalization for both tasks.

    python examples/adaptivity.py

A small net sees handwritten digits of scikit-learn, each drawn in two random greys that are 0.15,
0.3, 0.45 or 0.6 apart, dark on light or light on dark, and learns one of two tasks:

- digit: which digit it is. The style (brightness and contrast) disturbs.
- contrast: which of the four contrasts it is drawn at. The style is the message.

The pictures are the same, only the labels differ. Batch normalization (BN) keeps the style of
every picture, instance normalization (IN) removes it, and the mean of both (BN+IN) does half of
each. BIN learns what to do. The output folder receives `results.json`, `results.md`, and
`adaptivity.png`: accuracies on held-out digits, and where rho went.

The claims: on each task BIN is within 0.5 points of the better of BN and IN; on the average of
both tasks it is ahead of each; and in the first two layers, which see the style, rho falls
below 0.5 where the style disturbs and stays above where it is the message.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import itertools
from statistics import mean
from typing import NamedTuple

import keras
import numpy as np
from matplotlib.figure import Figure

import keras_bin
from common.charts import plot_rho, plot_scores
from common.digit_styles import (
    CLASSES,
    HELD_OUT_SEED,
    LEVELS,
    DigitSplit,
    draw_contrasts,
    load_split,
)
from common.nets import build_cnn
from common.norms import NORMS
from common.options import add_quick, option_parser, read_options
from common.progress import RunBar, run_bars
from common.report import Claim, Report, publish, score_table
from common.training import SETTINGS, accuracy, train

PROGRAM = "adaptivity.py"
TASKS = {"digit": CLASSES, "contrast": len(LEVELS)}
EPOCHS, QUICK_EPOCHS = 15, 2
DRAWINGS = 4  # of each held-out digit
STYLED_LAYERS = 2


class Pictures(NamedTuple):
    """Drawn digits, and what is to be read in them.

    Attributes:
        pictures: shape `(n, 8, 8, 3)`.
        labels: by task, integers of shape `(n,)`.
    """

    pictures: np.ndarray
    labels: dict[str, np.ndarray]


def draw(scans: np.ndarray, digits: np.ndarray, seed: int) -> Pictures:
    """Draws each scan once, at a contrast that the seed decides."""
    pictures, levels = draw_contrasts(scans, np.random.default_rng(seed))
    return Pictures(pictures, {"digit": digits, "contrast": levels})


def run(
    task: str, norm: str, seed: int, epochs: int, split: DigitSplit, test: Pictures, bar: RunBar
) -> dict:
    """Trains one net on one task, and returns its held-out accuracy and its gates."""
    training = draw(split.train_scans, split.train_labels, seed)
    keras.utils.set_random_seed(seed)
    model = build_cnn(NORMS[norm], classes=TASKS[task])
    train(model, training.pictures, training.labels[task], epochs, bar.epoch_callback())
    score = accuracy(model, test.pictures, test.labels[task])
    bar.result = f"{score:.1f} %"
    rho = [round(layer.mean, 4) for layer in keras_bin.rho_summary(model)] if norm == "BIN" else []
    return {"task": task, "norm": norm, "seed": seed, "accuracy": score, "rho": rho}


def compare(seeds: int, epochs: int, split: DigitSplit, test: Pictures) -> list[dict]:
    """Trains every net on every task with every seed."""
    plan = list(itertools.product(range(seeds), TASKS, NORMS))
    runs = []
    with run_bars(len(plan)) as bars:
        for seed, task, norm in plan:
            with bars.run(f"seed {seed}  {task:8}  {norm:5}", epochs) as bar:
                result = run(task, norm, seed, epochs, split, test, bar)
            runs.append({**result, "seconds": bar.seconds})
    return runs


def accuracies(runs: list[dict]) -> dict[str, dict[str, list[float]]]:
    """Returns by task, and for their average, by normalization, the accuracy with each seed."""
    rows = {
        task: {
            norm: [run["accuracy"] for run in runs if (run["task"], run["norm"]) == (task, norm)]
            for norm in NORMS
        }
        for task in TASKS
    }
    rows["average"] = {
        norm: [mean(pair) for pair in zip(*(rows[task][norm] for task in TASKS), strict=True)]
        for norm in NORMS
    }
    return rows


def gates(runs: list[dict]) -> dict[str, np.ndarray]:
    """Returns by task the mean rho of each layer with each seed, shape `(seeds, layers)`."""
    return {
        task: np.array([run["rho"] for run in runs if run["rho"] and run["task"] == task])
        for task in TASKS
    }


def claims(runs: list[dict]) -> list[Claim]:
    """Compares the means over seeds."""
    means = {
        row: {norm: mean(values) for norm, values in scores.items()}
        for row, scores in accuracies(runs).items()
    }
    behind = {
        task: max(means[task]["BN"], means[task]["IN"]) - means[task]["BIN"] for task in TASKS
    }
    average = means["average"]
    rho = {task: gates(runs)[task][:, :STYLED_LAYERS].mean() for task in TASKS}
    return [
        *(
            Claim(
                f"on {task}, BIN ({means[task]['BIN']:.2f} %) is within 0.5 points of the better "
                f"of BN ({means[task]['BN']:.2f} %) and IN ({means[task]['IN']:.2f} %)",
                behind[task] <= 0.5,
            )
            for task in TASKS
        ),
        Claim(
            f"on the average of both tasks, BIN ({average['BIN']:.2f} %) is ahead of "
            f"BN ({average['BN']:.2f} %) and IN ({average['IN']:.2f} %)",
            average["BIN"] > max(average["BN"], average["IN"]),
        ),
        Claim(
            "in the first two layers, the mean of rho falls below 0.5 on digit (to "
            f"{rho['digit']:.2f}) and stays above on contrast (at {rho['contrast']:.2f})",
            bool(rho["digit"] < 0.5 < rho["contrast"]),
        ),
    ]


def plot(runs: list[dict]) -> Figure:
    """Draws the accuracies of each task, and rho from the first layer to the last."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    *bars, rho = figure.subplots(1, 3)
    for axes, task in zip(bars, TASKS, strict=True):
        plot_scores(axes, accuracies(runs)[task], "held-out accuracy (%)")
        axes.set_title(f"task: {task}")
    for task, values in gates(runs).items():
        plot_rho(rho, values, task)
    rho.legend(title="task")
    return figure


def main(arguments: list[str] | None = None) -> None:
    """Runs the comparison, and reports it."""
    parser = option_parser(PROGRAM, __doc__.splitlines()[0], seeds=5, folder="output/adaptivity")
    add_quick(parser, f"{QUICK_EPOCHS} epochs instead of {EPOCHS}")
    options = read_options(parser, arguments)
    epochs = QUICK_EPOCHS if options.quick else EPOCHS
    split = load_split()
    test = draw(
        np.tile(split.test_scans, (DRAWINGS, 1, 1)),
        np.tile(split.test_labels, DRAWINGS),
        HELD_OUT_SEED,
    )
    runs = compare(options.seeds, epochs, split, test)
    report = Report(
        caption=f"{len(split.train_scans)} handwritten digits of 8x8 pixels, drawn in two greys, "
        f"to train on; {len(split.test_scans)} others, drawn {DRAWINGS} times each, to test on; a "
        f"net of four convolutions, {epochs} epochs. Mean ± standard deviation over seeds.",
        settings={"epochs": epochs, **SETTINGS},
        runs=runs,
        tables=[score_table("Accuracy on held-out digits, %", "task", accuracies(runs))],
        claims=claims(runs),
    )
    plot(runs).savefig(options.output / "adaptivity.png", dpi=150)
    publish(report, options)


if __name__ == "__main__":
    main()
