"""Read digits whatever their style, or read the style: one normalization for both tasks.

    python examples/adaptivity.py

A small net sees handwritten digits of scikit-learn in four styles, and learns one of two tasks:

- digit: which digit it is. The style disturbs.
- style: which style it is drawn in. The style is the message.

The pictures are the same, only the labels differ. Batch normalization (BN) keeps the style of
every picture, instance normalization (IN) removes it, and the mean of both (BN+IN) does half of
it. BIN learns which to do. The output folder receives `results.json`, `results.md`, and
`adaptivity.png`: the accuracies, and where rho went.

The claims: on each task BIN is within 0.5 points of the better of BN and IN; on the average of
both tasks it is ahead of each; and rho falls further on the digits than on the styles.
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
from common.digit_styles import CLASSES, STYLES, draw_held_out, draw_mixed, load_split
from common.experiment import (
    Claim,
    Report,
    RunBar,
    add_quick,
    option_parser,
    plot_scores,
    publish,
    read_options,
    run_bars,
    score_table,
)
from common.nets import build_cnn
from common.norms import NORMS
from common.training import SETTINGS, accuracy, train

PROGRAM = "adaptivity.py"
TASKS = {"digit": CLASSES, "style": len(STYLES)}
EPOCHS, QUICK_EPOCHS = 15, 2


class Data(NamedTuple):
    """Pictures to train on and to test on, each with its digit and its style.

    Attributes:
        scans: training scans, drawn anew for each seed.
        digits: the digit on each of the scans.
        pictures: held-out pictures of shape `(1800, 8, 8, 3)`, every scan in every style.
        labels: by task, what is to be read in them, shape `(1800,)`.
    """

    scans: np.ndarray
    digits: np.ndarray
    pictures: np.ndarray
    labels: dict[str, np.ndarray]


def load_data() -> Data:
    """Splits the digits, and draws the held-out ones."""
    split = load_split()
    held_out = draw_held_out(split)
    count = len(split.test_labels)
    labels = {
        "digit": np.tile(split.test_labels, len(STYLES)),
        "style": np.repeat(np.arange(len(STYLES)), count),
    }
    return Data(
        split.train_scans, split.train_labels, np.concatenate(list(held_out.values())), labels
    )


def run(task: str, norm: str, seed: int, epochs: int, data: Data, bar: RunBar) -> dict:
    """Trains one net on one task, and returns its held-out accuracy and its gates."""
    pictures, styles = draw_mixed(data.scans, np.random.default_rng(seed))
    labels = {"digit": data.digits, "style": styles}
    keras.utils.set_random_seed(seed)
    model = build_cnn(NORMS[norm], classes=TASKS[task])
    train(model, pictures, labels[task], epochs, bar.epoch_callback())
    score = accuracy(model, data.pictures, data.labels[task])
    bar.result = f"{score:.1f} %"
    rho = [round(layer.mean, 4) for layer in keras_bin.rho_summary(model)] if norm == "BIN" else []
    return {"task": task, "norm": norm, "seed": seed, "accuracy": score, "rho": rho}


def compare(seeds: int, epochs: int, data: Data) -> list[dict]:
    """Trains every net on every task with every seed."""
    plan = list(itertools.product(range(seeds), TASKS, NORMS))
    runs = []
    with run_bars(len(plan)) as bars:
        for seed, task, norm in plan:
            with bars.run(f"seed {seed}  {task:5}  {norm:5}", epochs) as bar:
                result = run(task, norm, seed, epochs, data, bar)
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
    rho = {task: float(values.mean()) for task, values in gates(runs).items()}
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
            f"the mean of rho falls further on digit (to {rho['digit']:.2f}) than on style "
            f"(to {rho['style']:.2f})",
            rho["digit"] < rho["style"],
        ),
    ]


def plot(runs: list[dict]) -> Figure:
    """Draws the accuracies of each task, and rho from the first layer to the last."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    *bars, rho = figure.subplots(1, 3)
    for axes, task in zip(bars, TASKS, strict=True):
        scores = accuracies(runs)[task]
        plot_scores(axes, scores)
        axes.set(title=f"task: {task}", ylabel="held-out accuracy (%)")
    for task, values in gates(runs).items():
        layers = [f"norm{number}" for number in range(1, values.shape[1] + 1)]
        rho.errorbar(layers, values.mean(0), values.std(0), capsize=3, marker="o", label=task)
    rho.set(title="where rho went", ylabel="mean of rho over channels", ylim=(0, 1.05))
    rho.legend(title="task")
    return figure


def main(arguments: list[str] | None = None) -> None:
    """Runs the comparison, and reports it."""
    parser = option_parser(PROGRAM, __doc__.splitlines()[0], seeds=5, folder="output/adaptivity")
    add_quick(parser, f"{QUICK_EPOCHS} epochs instead of {EPOCHS}")
    options = read_options(parser, arguments)
    epochs = QUICK_EPOCHS if options.quick else EPOCHS
    data = load_data()
    runs = compare(options.seeds, epochs, data)
    title = "Accuracy on held-out pictures, %"
    report = Report(
        caption=f"{len(data.scans)} handwritten digits in four styles, 8x8 pixels, to train on, "
        f"{len(data.pictures)} pictures of {len(data.pictures) // len(STYLES)} others to test on; "
        f"a net of four convolutions, {epochs} epochs. Mean ± standard deviation over seeds.",
        settings={"epochs": epochs, **SETTINGS},
        runs=runs,
        tables=[score_table(title, "task", accuracies(runs))],
        claims=claims(runs),
    )
    plot(runs).savefig(options.output / "adaptivity.png", dpi=150)
    publish(report, options)


if __name__ == "__main__":
    main()
