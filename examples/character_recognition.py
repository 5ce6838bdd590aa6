"""Read coloured digits after learning few of them: residual nets with BN and with BIN.

    python examples/character_recognition.py

The authors of BIN list a comparison on characters in photographs beside the paper
(https://github.com/hyseob/Batch-Instance-Normalization). This is a small setting of that kind:
scikit-learn's handwritten digits, each drawn once in a random colour on another. Residual nets
of depth 8, 20 and 32 learn 50, 100 or 300 digits, in equal shares by class, and read 450 others.
Every training takes the same number of steps, and BN and BIN get the same pictures and seeds.
The output folder receives `results.json`, `results.md`, and `character_recognition.png`:
accuracy against the number of digits learnt, by depth.

The claims: on the average of the depths, BIN is ahead of BN with 50, with 100 and with 300
digits.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import itertools
from statistics import mean, stdev

import keras
import numpy as np
from matplotlib.figure import Figure
from sklearn.model_selection import train_test_split

from common.charts import COLOURS
from common.classifiers import build_classifier
from common.digit_styles import CLASSES, DigitSplit, draw, draw_held_out, load_split
from common.norms import NORMS
from common.options import add_quick, option_parser, read_options
from common.progress import RunBar, run_bars
from common.report import Claim, Report, publish, score_table
from common.training import PARTS, SETTINGS, accuracy, train_steps

PROGRAM = "character_recognition.py"
STYLE = "random colours"
COMPARED = ("BN", "BIN")
SIZES, QUICK_SIZES = (50, 100, 300), (300,)
DEPTHS, QUICK_DEPTHS = (8, 20, 32), (8,)
# Enough for nearly every net to learn its digits by heart. After 300 steps, tried with another
# seed, the deepest with BN reads 27 % of its 300 digits.
STEPS, QUICK_STEPS = 1000, 100
WEIGHT_DECAY = 1e-4


def draw_subset(split: DigitSplit, size: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draws some of the training digits, in equal shares by class, that the seed decides.

    Returns:
        `(pictures, labels)`, of shapes `(size, 8, 8, 3)` and `(size,)`.
    """
    scans, _, labels, _ = train_test_split(
        split.train_scans,
        split.train_labels,
        stratify=split.train_labels,
        train_size=size,
        random_state=seed,
    )
    return draw(scans, STYLE, np.random.default_rng(seed)), labels


def run(
    norm: str, depth: int, size: int, seed: int, steps: int, split: DigitSplit, bar: RunBar
) -> dict:
    """Trains one net, and returns its accuracy on the digits learnt and on those held out."""
    pictures, labels = draw_subset(split, size, seed)
    keras.utils.set_random_seed(seed)
    model = build_classifier(
        f"resnet-{depth}", NORMS[norm], pictures.shape[1:], CLASSES, WEIGHT_DECAY
    )
    train_steps(model, pictures, labels, steps, bar.epoch_callback())
    score = accuracy(model, draw_held_out(split)[STYLE], split.test_labels)
    bar.result = f"{score:.1f} %"
    return {
        "norm": norm,
        "depth": depth,
        "size": size,
        "seed": seed,
        "learnt": accuracy(model, pictures, labels),
        "accuracy": score,
    }


def compare(
    seeds: int, depths: tuple[int, ...], sizes: tuple[int, ...], steps: int, split: DigitSplit
) -> list[dict]:
    """Trains every net on every number of digits with every seed."""
    plan = list(itertools.product(range(seeds), depths, sizes, COMPARED))
    runs = []
    with run_bars(len(plan)) as bars:
        for seed, depth, size, norm in plan:
            name = f"seed {seed}  ResNet-{depth:<2}  {size:3} digits  {norm:3}"
            with bars.run(name, PARTS) as bar:
                result = run(norm, depth, size, seed, steps, split, bar)
            runs.append({**result, "seconds": bar.seconds})
    return runs


def accuracies(runs: list[dict], key: str = "accuracy", **chosen: int) -> dict[str, list[float]]:
    """Returns by normalization the mean accuracy of the chosen runs with each seed.

    Args:
        runs: from `compare`.
        key: "accuracy" on digits held out, or on those "learnt".
        chosen: what the runs have in common: `depth`, `size`, or both.
    """
    seeds = sorted({run["seed"] for run in runs})
    runs = [run for run in runs if all(run[key] == value for key, value in chosen.items())]
    return {
        norm: [
            mean(run[key] for run in runs if (run["norm"], run["seed"]) == (norm, seed))
            for seed in seeds
        ]
        for norm in COMPARED
    }


def values(runs: list[dict], key: str) -> list[int]:
    """Returns the depths or sizes that were run, in order."""
    return list(dict.fromkeys(run[key] for run in runs))


def claims(runs: list[dict]) -> list[Claim]:
    """Compares the means over depths and seeds, for each number of digits."""
    made = []
    for size in values(runs, "size"):
        means = {norm: mean(scores) for norm, scores in accuracies(runs, size=size).items()}
        made.append(
            Claim(
                f"with {size} digits to learn from, BIN ({means['BIN']:.2f} %) is ahead of "
                f"BN ({means['BN']:.2f} %) on the average of the depths",
                means["BIN"] > means["BN"],
            )
        )
    return made


def tabulate(runs: list[dict], key: str = "accuracy") -> dict[str, dict[str, list[float]]]:
    """Returns the rows of a table: each number of digits by depth, and over the depths."""
    rows = {}
    for size in values(runs, "size"):
        for depth in values(runs, "depth"):
            rows[f"{size}, ResNet-{depth}"] = accuracies(runs, key, size=size, depth=depth)
        rows[f"{size}, mean"] = accuracies(runs, key, size=size)
    return rows


def plot(runs: list[dict]) -> Figure:
    """Draws accuracy against the number of digits learnt, a panel per depth."""
    depths, sizes = values(runs, "depth"), values(runs, "size")
    figure = Figure(figsize=(1.5 + 3 * len(depths), 3.6), layout="constrained")
    panels = figure.subplots(1, len(depths), sharey=True, squeeze=False)[0]
    for axes, depth in zip(panels, depths, strict=True):
        for norm in COMPARED:
            scores = [accuracies(runs, depth=depth, size=size)[norm] for size in sizes]
            axes.errorbar(
                list(map(str, sizes)),
                list(map(mean, scores)),
                [stdev(s) if len(s) > 1 else 0 for s in scores],
                color=COLOURS[norm],
                capsize=3,
                marker="o",
                label=norm,
            )
        axes.set(title=f"ResNet-{depth}", xlabel="digits to learn from")
    panels[0].set(ylabel="held-out accuracy (%)", ylim=(0, 100))
    panels[0].legend(loc="lower right")
    return figure


def main(arguments: list[str] | None = None) -> None:
    """Runs the comparison, and reports it."""
    parser = option_parser(
        PROGRAM, __doc__.splitlines()[0], seeds=5, folder="output/character_recognition"
    )
    add_quick(parser, f"ResNet-8 alone, 300 digits, {QUICK_STEPS} steps instead of {STEPS}")
    options = read_options(parser, arguments)
    depths, sizes, steps = (
        (QUICK_DEPTHS, QUICK_SIZES, QUICK_STEPS) if options.quick else (DEPTHS, SIZES, STEPS)
    )
    split = load_split()
    runs = compare(options.seeds, depths, sizes, steps, split)
    report = Report(
        caption=f"Residual nets of depth {', '.join(map(str, depths))} that learn "
        f"{', '.join(map(str, sizes))} handwritten digits of 8x8 pixels in random colours, in "
        f"{steps} steps, and read {len(split.test_scans)} others. Not the characters in "
        "photographs that the authors of BIN used. Mean ± standard deviation over seeds.",
        settings={"style": STYLE, "steps": steps, "weight_decay": WEIGHT_DECAY, **SETTINGS},
        runs=runs,
        tables=[
            score_table("Accuracy on held-out digits, %", "digits, net", tabulate(runs)),
            score_table("On the digits learnt, %", "digits, net", tabulate(runs, "learnt")),
        ],
        claims=claims(runs),
    )
    plot(runs).savefig(options.output / "character_recognition.png", dpi=150)
    publish(report, options)


if __name__ == "__main__":
    main()
