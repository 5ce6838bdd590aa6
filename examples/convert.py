"""Convert trained nets with batch normalization to BIN, fine-tune them, and export one.

    python examples/convert.py

A net of four convolutions with batch normalization (BN) learns 1,347 handwritten digits of
scikit-learn, all of them white on black ("one style"), or each in one of four styles: clean,
inverted, in random colours, and of low contrast. Then three copies of it are trained further in
four styles, on the same pictures, with the same optimizer, seed and number of epochs:

- BN: as it is;
- BIN first: with its first normalization converted to BIN, `where="first"`;
- BIN: with all of them converted.

Converted nets start with every rho at 1, where they compute what the BN net computes. All are
tested on 450 other digits in every style. The output folder receives:

- `results.json`, `results.md` and `convert.png`: accuracies by style, and where rho went;
- `bn.keras`: the BN net of the last seed that knows one style, for `keras-bin convert`;
- `digits.onnx` and `rho.png`: the same net converted, fine-tuned, exported and verified, and its
  gates.

The claims: conversion changes no logit by more than a ten-thousandth of the largest. On average
over the styles, converted nets are ahead of BN by at least one point if they learn new styles, and
nets with all normalizations converted are ahead if they do not.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import functools
from collections.abc import Iterator
from statistics import mean
from typing import NamedTuple

import keras
import numpy as np
from matplotlib.figure import Figure

import keras_bin
from common.charts import COLOURS, plot_grouped_scores, plot_rho
from common.digits import load_digit_scans
from common.mixed_styles import accuracies_by_style
from common.nets import build_cnn
from common.norms import NORMS
from common.options import add_quick, option_parser, read_options
from common.progress import RunBars, run_bars
from common.report import Claim, Report, publish, score_table
from common.scans import Scans
from common.styles import draw, draw_held_out, draw_mixed
from common.training import SETTINGS, accuracy, train
from common.whole_files import save_net, save_picture
from keras_bin.export import export_onnx

PROGRAM = "convert.py"
LEAD = 1.0  # where styles are new
LARGEST_CHANGE = 1e-4  # of a logit at conversion, as a share of the largest


class Epochs(NamedTuple):
    """Passes over the training digits.

    Attributes:
        before: those of the training before the conversion.
        after: those of the fine-tuning.
    """

    before: int
    after: int


FULL, QUICK = Epochs(15, 10), Epochs(2, 2)


def copy(model: keras.Model) -> keras.Model:
    """Returns a model of the same layers and weights."""
    new = keras.models.clone_model(model)
    new.set_weights(model.get_weights())
    return new


TRAINED = "BN, trained"
FINE_TUNED = {
    "BN": copy,
    "BIN first": functools.partial(keras_bin.convert_batch_normalization, where="first"),
    "BIN": keras_bin.convert_batch_normalization,
}
CONVERTED = ("BIN first", "BIN")
FOUR, ONE = "four styles", "one style"  # that the BN net has learnt


def largest_change(
    converted: keras.Model, model: keras.Model, held_out: dict[str, np.ndarray]
) -> float:
    """Returns the largest difference between the logits of two nets, as a share of the largest."""
    pictures = np.concatenate(list(held_out.values()))
    expected, got = (
        keras.ops.convert_to_numpy(net(pictures, training=False)) for net in (model, converted)
    )
    return float(np.abs(got - expected).max() / np.abs(expected).max())


def train_and_convert(
    learnt: str,
    seed: int,
    epochs: Epochs,
    digits: Scans,
    held_out: dict[str, np.ndarray],
    bars: RunBars,
) -> Iterator[tuple[dict, keras.Model]]:
    """Trains a BN net, and fine-tunes it in every form.

    Args:
        learnt: `ONE` or `FOUR`, the styles that the BN net is trained on.
        seed: decides the drawing of the training digits, the initial weights and the orders of
            training.
        epochs: of both trainings.
        digits: the scans to train on, and the labels to test with.
        held_out: from `draw_held_out`.
        bars: show the progress.

    Yields:
        For each form its accuracy by style in percent, the largest change at its conversion, and
        the mean of rho in each BIN layer; and the net.
    """
    rng = np.random.default_rng(seed)
    mixed, _ = draw_mixed(digits.train_scans, rng)
    first = mixed if learnt == FOUR else draw(digits.train_scans, "clean", rng)
    for form in (TRAINED, *FINE_TUNED):
        passes = epochs.before if form == TRAINED else epochs.after
        with bars.run(f"seed {seed}  {learnt:11}  {form:11}", passes) as bar:
            keras.utils.set_random_seed(seed)
            if form == TRAINED:
                model = trained = build_cnn(NORMS["BN"])
            else:
                model = FINE_TUNED[form](trained)
            change = largest_change(model, trained, held_out)
            pictures = first if form == TRAINED else mixed
            train(model, pictures, digits.train_labels, passes, bar.epoch_callback())
            scores = {
                style: accuracy(model, drawn, digits.test_labels)
                for style, drawn in held_out.items()
            }
            bar.result = f"{mean(scores.values()):.1f} %"
        yield (
            {
                "learnt": learnt,
                "norm": form,
                "seed": seed,
                "seconds": bar.seconds,
                "accuracy": scores,
                "change": change,
                "rho": [round(layer.mean, 4) for layer in keras_bin.rho_summary(model)],
            },
            model,
        )


def rows(runs: list[dict], learnt: str) -> dict[str, dict[str, list[float]]]:
    """Returns the accuracies by style with each seed, given what the BN net has learnt."""
    return accuracies_by_style([run for run in runs if run["learnt"] == learnt])


def claims(runs: list[dict]) -> list[Claim]:
    """Compares logits at conversion, and the means over styles and seeds after fine-tuning."""
    change = max(run["change"] for run in runs)
    found = [
        Claim(
            f"conversion changes logits by {change:.0e} of the largest, {LARGEST_CHANGE:.0e} at "
            "most",
            change <= LARGEST_CHANGE,
        )
    ]
    for learnt in dict.fromkeys(run["learnt"] for run in runs):
        means = {form: mean(values) for form, values in rows(runs, learnt)["mean"].items()}
        for form in CONVERTED if learnt == ONE else ["BIN"]:
            lead = round(means[form] - means["BN"], 6)
            found.append(
                Claim(
                    f"fine-tuned after {learnt}, {form} ({means[form]:.2f} %) is ahead of "
                    f"BN ({means['BN']:.2f} %)"
                    + (f" by {LEAD:.0f} point at least" if learnt == ONE else ""),
                    lead >= LEAD if learnt == ONE else lead > 0,
                )
            )
    return found


def plot(runs: list[dict]) -> Figure:
    """Draws the accuracies of the fine-tuned nets in each style, and rho by layer."""
    all_learnt = list(dict.fromkeys(run["learnt"] for run in runs))
    figure = Figure(figsize=(11, 3.8 * len(all_learnt)), layout="constrained")
    grid = figure.subplots(len(all_learnt), 2, width_ratios=[3, 1], squeeze=False)
    for learnt, (scores, gates) in zip(all_learnt, grid, strict=True):
        tuned = [run for run in runs if run["norm"] != TRAINED]
        plot_grouped_scores(scores, rows(tuned, learnt), "held-out accuracy (%)")
        scores.set_title(f"the BN net has learnt {learnt}", loc="left")
        for form in CONVERTED:
            rho = [run["rho"] for run in runs if (run["learnt"], run["norm"]) == (learnt, form)]
            plot_rho(gates, np.array(rho), form, COLOURS[form])
        gates.legend()
    return figure


def main(arguments: list[str] | None = None) -> None:
    """Runs the comparison and the export, and reports them."""
    parser = option_parser(PROGRAM, __doc__.splitlines()[0], seeds=5, folder="output/convert")
    add_quick(parser, f"{QUICK.before} epochs each, and one style to begin with")
    options = read_options(parser, arguments)
    all_learnt, epochs = ([ONE], QUICK) if options.quick else ([FOUR, ONE], FULL)
    digits = load_digit_scans()
    held_out = draw_held_out(digits)
    runs, nets = [], {}
    with run_bars(len(options.seeds) * len(all_learnt) * (1 + len(FINE_TUNED))) as bars:
        for seed in options.seeds:
            for learnt in all_learnt:
                for run, net in train_and_convert(learnt, seed, epochs, digits, held_out, bars):
                    runs.append(run)
                    nets[run["norm"]] = net
    save_net(nets[TRAINED], options.output / "bn.keras")
    save_picture(keras_bin.plot_rho(nets["BIN"]), options.output / "rho.png")
    print(f"The BIN net of the last seed, {options.seeds[-1]}, after one style, exported:")
    print(export_onnx(nets["BIN"], options.output / "digits.onnx", overwrite=True, verbose=False))
    save_picture(plot(runs), options.output / "convert.png")
    title = "Accuracy on held-out digits where the BN net has learnt"
    report = Report(
        caption=f"{len(digits.train_scans)} handwritten digits of 8x8 pixels to train on; "
        f"{len(digits.test_scans)} others, drawn in every style, to test on. A net of four "
        f"convolutions with BN, trained for {epochs.before} epochs, then fine-tuned for "
        f"{epochs.after} in four styles: as it is, with its first normalization converted to BIN, "
        "and with all of them. Mean ± standard deviation over seeds.",
        settings={"epochs": epochs._asdict(), **SETTINGS},
        runs=runs,
        tables=[
            score_table(f"{title} {learnt}, %", "style", rows(runs, learnt))
            for learnt in all_learnt
        ],
        claims=claims(runs),
    )
    publish(report, options)


if __name__ == "__main__":
    main()
