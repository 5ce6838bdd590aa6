"""Recognize pictures by the recipe of BIN's authors, with BN, IN, their fixed mean, and BIN.

    python examples/classification.py
    python examples/classification.py --data fashion
    python examples/classification.py --data cifar100 --net resnet-110 --norm bn bin --seeds 1

Object recognition as in the paper (section 4.1, Tables 1 and 2, Figure 1). The recipe is that of
https://github.com/hyseob/Batch-Instance-Normalization: 164 epochs in batches of 128, by SGD with
momentum 0.9 and a learning rate of 0.1, a tenth and a hundredth of that from epochs 81 and 122 on;
a weight decay of 1e-4 for all weights but rho, whose gradients are ten times as long; pictures are
padded, cropped and mirrored at random.

Without options, the recipe runs at reduced size: a ResNet-14, and handwritten digits of
scikit-learn, 8x8 pixels in random colours, padded by one pixel and not mirrored. With `--data
cifar10` or `cifar100`, Keras downloads the data, and the net is a ResNet-110. That takes days on a
CPU, so use a GPU. `--net` accepts every net of Table 2, and others of their families: see
`common/classifiers.py`. The output folder receives `results.json`, `results.md`,
`classification.png` with the accuracy after each epoch, and the trained nets, `bin-0.keras` and so
on.

The claims: BIN learns faster than BN, which means that on average over the epochs up to the first
drop of the learning rate, it is ahead of BN on held-out pictures; and after the last epoch, it is
not behind by more than half a point.

With `--data fashion`, a ResNet-20 learns 10,000 unchanged pictures of Fashion-MNIST, with the
schedule of `mixed_domain.py`, and with the placements that are compared there. Here style carries
no information and disturbs little, so BN has nothing to lose. The claim is that BIN is not behind
it by more than 0.1 points. Each run has a file in `runs/` of the output folder, and the program
resumes where it was stopped. The pictures are `learning.png` and `rho.png`.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

from argparse import ArgumentParser, Namespace
from collections.abc import Sequence

import keras
import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

import keras_bin
from common.charts import plot_curves
from common.classifiers import FAMILIES, build_classifier
from common.norms import ALL_NORMS, NORMS
from common.options import add_norms, add_quick, option_parser, read_options
from common.progress import run_bars
from common.recipe import (
    BATCH_SIZE,
    DROPS,
    EPOCHS,
    LEARNING_RATE,
    MOMENTUM,
    WEIGHT_DECAY,
    drop_epoch,
    train,
)
from common.recognition import DATASETS, DataSet, Pictures
from common.report import Claim, Report, publish, score_table
from common.run_files import file_name
from common.whole_files import save_net, save_picture
from fashion import plain
from fashion.options import FASHION, add_data, add_epochs, add_recipe, check_data
from fashion.training import RECIPE

PROGRAM = "classification.py"
QUICK_EPOCHS = 4
QUICK_PICTURES = 512
MARGIN = 0.5  # points; less than the deviation over seeds with the digits, 0.6 to 0.9


def build(norm: str, net: str, data: DataSet) -> keras.Model:
    """Builds a net for a data set, not compiled."""
    shape = (data.side, data.side, 3)
    return build_classifier(net, ALL_NORMS[norm], shape, data.classes, WEIGHT_DECAY)


def count_parameters(norms: Sequence[str], net: str, data: DataSet) -> dict[str, int]:
    """Counts the weights that a net learns, including rho, by normalization."""
    return {
        norm: sum(int(np.prod(w.shape)) for w in build(norm, net, data).trainable_weights)
        for norm in norms
    }


def compare(options: Namespace, data: DataSet, pictures: Pictures) -> list[dict]:
    """Trains and saves a net with every seed and normalization."""
    runs = []
    with run_bars(len(options.seeds) * len(options.norm)) as bars:
        for seed in options.seeds:
            for norm in options.norm:
                with bars.run(f"seed {seed}  {norm:5}", options.epochs) as bar:
                    keras.utils.set_random_seed(seed)
                    model = build(norm, options.net, data)
                    accuracies = train(model, pictures, options.epochs, seed, bar.epoch_callback())
                    save_net(model, options.output / f"{file_name(norm)}-{seed}.keras")
                    bar.result = f"{accuracies['test_accuracy'][-1]:.1f} %"
                runs.append(
                    {
                        "norm": norm,
                        "seed": seed,
                        "seconds": bar.seconds,
                        **accuracies,
                        "rho": [round(layer.mean, 4) for layer in keras_bin.rho_summary(model)],
                    }
                )
    return runs


def curves(runs: list[dict], part: str) -> dict[str, np.ndarray]:
    """Returns the accuracies of part "train" or "test" by normalization: a row per seed."""
    norms = dict.fromkeys(run["norm"] for run in runs)
    return {
        norm: np.array([run[f"{part}_accuracy"] for run in runs if run["norm"] == norm])
        for norm in norms
    }


def before_drop(accuracies: np.ndarray) -> np.ndarray:
    """Returns, of the accuracies of `curves`, those up to the first drop of the learning rate."""
    return accuracies[:, : drop_epoch(DROPS[0], accuracies.shape[1])]


def claims(runs: list[dict]) -> list[Claim]:
    """Compares BN with BIN if both were run."""
    rows = curves(runs, "test")
    if not {"BN", "BIN"} <= rows.keys():
        return []
    bn, bin_ = rows["BN"].mean(0), rows["BIN"].mean(0)
    early = {norm: before_drop(rows[norm]).mean() for norm in ("BN", "BIN")}
    return [
        Claim(
            f"on average over the epochs up to the first drop, BIN ({early['BIN']:.2f} %) is "
            f"ahead of BN ({early['BN']:.2f} %) on the pictures held out",
            bool(early["BIN"] > early["BN"]),
        ),
        Claim(
            f"after the last epoch, BIN ({bin_[-1]:.2f} %) is not behind BN ({bn[-1]:.2f} %) by "
            f"more than {MARGIN} points on the pictures held out",
            bool(bin_[-1] >= bn[-1] - MARGIN),
        ),
    ]


def tabulate(runs: list[dict], parameters: dict[str, int]) -> list[Table]:
    """Makes the tables of accuracies, and of parameters."""
    rows = {}
    for name, part in (("train", "train"), ("held out", "test")):
        accuracies = curves(runs, part)
        rows[f"{name}, early"] = {
            norm: before_drop(epochs).mean(1).tolist() for norm, epochs in accuracies.items()
        }
        rows[f"{name}, last"] = {
            norm: epochs[:, -1].tolist() for norm, epochs in accuracies.items()
        }
    title = "Accuracy, %; early: mean up to the first drop, last: after the last epoch"
    counts = Table("norm", title="Trainable parameters")
    counts.add_column("parameters", justify="right")
    for norm, number in parameters.items():
        counts.add_row(norm, f"{number:,}")
    return [score_table(title, "on", rows), counts]


def plot(runs: list[dict], epochs: int) -> Figure:
    """Draws accuracy after each epoch, as the paper's Figure 1 does: mean and deviation."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    for axes, part, title in zip(
        panels, ("train", "test"), ("training pictures, varied", "pictures held out"), strict=True
    ):
        plot_curves(axes, range(1, epochs + 1), curves(runs, part))
        for drop in DROPS:
            axes.axvline(drop_epoch(drop, epochs), color="0.6", ls=":", lw=1)
        axes.set(title=title, xlabel="epoch")
    panels[0].set(ylabel="accuracy (%)", ylim=(None, 101))
    panels[1].legend(loc="lower right")
    return figure


def run_recipe(
    options: Namespace, data: DataSet, pictures: Pictures, parameters: dict[str, int]
) -> Report:
    """Compares nets that learn by the recipe of BIN's authors."""
    if options.quick:
        pictures = pictures.first(QUICK_PICTURES)
    short = options.epochs < EPOCHS
    cut = "Cut short. " if short or options.quick else ""
    length = f"{options.epochs} of {EPOCHS} epochs" if short else f"{options.epochs} epochs"
    runs = compare(options, data, pictures)
    save_picture(plot(runs, options.epochs), options.output / "classification.png")
    return Report(
        caption=f"{cut}{data.caption} {options.net}, {length}, "
        f"{len(pictures.train):,} pictures to train on, {len(pictures.test):,} others to test on. "
        "Mean ± standard deviation over seeds.",
        settings={
            "data": options.data,
            "net": options.net,
            "epochs": options.epochs,
            "drops": [drop_epoch(drop, options.epochs) for drop in DROPS],
            "batch_size": BATCH_SIZE,
            "learning_rate": LEARNING_RATE,
            "momentum": MOMENTUM,
            "weight_decay": WEIGHT_DECAY,
            "parameters": parameters,
        },
        runs=runs,
        tables=tabulate(runs, parameters),
        claims=claims(runs),
    )


def make_parser() -> ArgumentParser:
    """Builds the argument parser."""
    parser = option_parser(
        PROGRAM, __doc__.splitlines()[0], seeds=5, folder="output/classification"
    )
    parser.add_argument(
        "--net",
        metavar="NAME",
        help=f"such as {', '.join(family.example for family in FAMILIES.values())} "
        f"(default: {', '.join(f'{each.net} for {key}' for key, each in DATASETS.items())}, "
        f"{RECIPE.net} for {FASHION})",
    )
    add_recipe(add_data(parser, plain.PICTURES, list(DATASETS)))
    add_epochs(parser, EPOCHS)
    add_norms(parser, ALL_NORMS)
    add_quick(
        parser,
        f"{QUICK_EPOCHS} epochs by default, and only the first {QUICK_PICTURES} pictures; of "
        "Fashion-MNIST fewer, and a small net",
    )
    return parser


def main(arguments: list[str] | None = None) -> None:
    """Runs the comparison, and reports it."""
    parser = make_parser()
    options = read_options(parser, arguments)
    check_data(parser, options)
    if options.data == FASHION:
        publish(plain.run(parser, options), options)
        return
    data = DATASETS[options.data]
    options.net = options.net or data.net
    options.epochs = options.epochs or (QUICK_EPOCHS if options.quick else EPOCHS)
    options.norm = options.norm or list(NORMS)
    try:
        parameters = count_parameters(options.norm, options.net, data)
        pictures = data.load()
    except (ValueError, ConnectionError) as error:
        parser.error(str(error))
    publish(run_recipe(options, data, pictures, parameters), options)


if __name__ == "__main__":
    main()
