"""Read digits at any contrast, or read the contrast: one normalization for both tasks.

    python examples/adaptivity.py
    python examples/adaptivity.py --data fashion

A small net sees handwritten digits of scikit-learn, each drawn in two random greys that are 0.15,
0.3, 0.45 or 0.6 apart, dark on light or light on dark, and learns one of two tasks:

- digit: which digit it is. The style (brightness and contrast) disturbs.
- contrast: which of the four contrasts it is drawn at. The style is the message.

The pictures are the same, only the labels differ. Batch normalization (BN) keeps the style of every
picture, instance normalization (IN) removes it, and the mean of both (BN+IN) does half of each. BIN
learns which of them to use. The output folder receives `results.json`, `results.md`, and
`adaptivity.png`: accuracies on held-out digits, and where rho went.

The claims: on each task, BIN is within 0.5 points of the better of BN and IN; on average over both
tasks, it is ahead of each; and in the first two layers, which see the style, rho falls below 0.5
where the style disturbs and stays above where it is the message.

With `--data fashion`, a ResNet-20 reads garments, or their contrast, in 10,000 pictures of
Fashion-MNIST, also with the placements of `mixed_domain.py`. The claims are then: on each task BIN
is within 0.3 points of the better of BN and IN, and every normalization whose mixture is fixed
loses more than that on one of them. Each run has a file in `runs/` of the output folder, and the
program resumes where it was stopped. `learning_TASK.png` and `rho.png` show the training.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import itertools
from argparse import Namespace
from collections.abc import Sequence
from typing import NamedTuple

import keras
import numpy as np

import keras_bin
from common.digits import load_digit_scans
from common.nets import build_cnn
from common.norms import ALL_NORMS
from common.options import add_norms, add_quick, option_parser, read_options
from common.progress import RunBar, run_bars
from common.report import Claim, Report, publish, score_table
from common.scans import CLASSES, Scans
from common.styles import HELD_OUT_SEED, LEVELS, draw_contrasts
from common.training import SETTINGS, accuracy, train
from common.two_tasks import (
    accuracies,
    close_to_the_better,
    gates,
    mean_accuracies,
    plot_tasks,
)
from common.whole_files import save_picture
from fashion import contrast
from fashion.options import FASHION, add_data, add_epochs, add_recipe, check_data, digit_norms

PROGRAM = "adaptivity.py"
TASKS = {"digit": CLASSES, "contrast": len(LEVELS)}
EPOCHS, QUICK_EPOCHS = 15, 2  # of digits
MARGIN = 0.5  # points
DRAWINGS = 4  # of each held-out digit
STYLED_LAYERS = 2


class Pictures(NamedTuple):
    """Drawn digits, and what nets should read in them.

    Attributes:
        pictures: shape `(n, 8, 8, 3)`.
        labels: integers of shape `(n,)`, by task.
    """

    pictures: np.ndarray
    labels: dict[str, np.ndarray]


def draw(scans: np.ndarray, digits: np.ndarray, seed: int) -> Pictures:
    """Draws each scan once, at a contrast that the seed decides."""
    pictures, levels = draw_contrasts(scans, np.random.default_rng(seed))
    return Pictures(pictures, {"digit": digits, "contrast": levels})


def run(
    task: str, norm: str, seed: int, epochs: int, split: Scans, test: Pictures, bar: RunBar
) -> dict:
    """Trains one net on one task, and returns its held-out accuracy and its gates."""
    training = draw(split.train_scans, split.train_labels, seed)
    keras.utils.set_random_seed(seed)
    model = build_cnn(ALL_NORMS[norm], classes=TASKS[task])
    train(model, training.pictures, training.labels[task], epochs, bar.epoch_callback())
    score = accuracy(model, test.pictures, test.labels[task])
    bar.result = f"{score:.1f} %"
    rho = [round(layer.mean, 4) for layer in keras_bin.rho_summary(model)]
    return {"task": task, "norm": norm, "seed": seed, "accuracy": score, "rho": rho}


def compare(
    seeds: Sequence[int], norms: Sequence[str], epochs: int, split: Scans, test: Pictures
) -> list[dict]:
    """Trains every net on every task with every seed."""
    plan = list(itertools.product(seeds, TASKS, norms))
    runs = []
    with run_bars(len(plan)) as bars:
        for seed, task, norm in plan:
            with bars.run(f"seed {seed}  {task:8}  {norm:5}", epochs) as bar:
                result = run(task, norm, seed, epochs, split, test, bar)
            runs.append({**result, "seconds": bar.seconds})
    return runs


def claims(runs: list[dict]) -> list[Claim]:
    """Judges BIN on digits, if BN and IN were run, too."""
    means = mean_accuracies(runs)
    average = means.pop("average")
    if not {"BN", "IN", "BIN"} <= average.keys():
        return []
    rho = {task: gates(runs)[task][:, :STYLED_LAYERS].mean() for task in TASKS}
    return [
        *close_to_the_better(means, MARGIN),
        Claim(
            f"on average over both tasks, BIN ({average['BIN']:.2f} %) is ahead of "
            f"BN ({average['BN']:.2f} %) and IN ({average['IN']:.2f} %)",
            average["BIN"] > max(average["BN"], average["IN"]),
        ),
        Claim(
            "in the first two layers, the mean of rho falls below 0.5 on digit (to "
            f"{rho['digit']:.2f}) and stays above on contrast (at {rho['contrast']:.2f})",
            bool(rho["digit"] < 0.5 < rho["contrast"]),
        ),
    ]


def run_digits(options: Namespace, norms: Sequence[str]) -> Report:
    """Compares nets of four convolutions that learn digits, or their contrast."""
    epochs = options.epochs or (QUICK_EPOCHS if options.quick else EPOCHS)
    split = load_digit_scans()
    test = draw(
        np.tile(split.test_scans, (DRAWINGS, 1, 1)),
        np.tile(split.test_labels, DRAWINGS),
        HELD_OUT_SEED,
    )
    runs = compare(options.seeds, norms, epochs, split, test)
    return Report(
        caption=f"{len(split.train_scans)} handwritten digits of 8x8 pixels, drawn in two greys, "
        f"to train on; {len(split.test_scans)} others, drawn {DRAWINGS} times each, to test on; a "
        f"net of four convolutions, {epochs} epochs. Mean ± standard deviation over seeds.",
        settings={"epochs": epochs, **SETTINGS},
        runs=runs,
        tables=[score_table("Accuracy on held-out digits, %", "task", accuracies(runs))],
        claims=claims(runs),
    )


def main(arguments: list[str] | None = None) -> None:
    """Runs the comparison, and reports it."""
    parser = option_parser(PROGRAM, __doc__.splitlines()[0], seeds=5, folder="output/adaptivity")
    add_recipe(add_data(parser, contrast.PICTURES))
    add_epochs(parser, EPOCHS)
    add_norms(parser, ALL_NORMS)
    add_quick(parser, f"{QUICK_EPOCHS} epochs, and of Fashion-MNIST few pictures and a small net")
    options = read_options(parser, arguments)
    check_data(parser, options)
    if options.data == FASHION:
        report = contrast.run(parser, options)
    else:
        report = run_digits(options, digit_norms(parser, options))
    save_picture(plot_tasks(report.runs), options.output / "adaptivity.png")
    publish(report, options)


if __name__ == "__main__":
    main()
