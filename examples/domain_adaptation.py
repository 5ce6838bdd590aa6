"""Learn labelled pictures of one style and unlabelled ones of another, with BN and with BIN.

    python examples/domain_adaptation.py
    python examples/domain_adaptation.py --office-home FOLDER

A setting of the paper (section 4.3, Table 4), small: unsupervised domain adaptation. A residual net
learns to read digits of a source style, and a second head of it learns to tell the source from the
target style. Gradient reversal (Ganin et al. 2016, https://arxiv.org/abs/1505.07818) makes the
net's features useless for that. No label of the target style is ever seen. The styles are four of
scikit-learn's handwritten digits, and every ordered pair of them is a task; other scans are drawn
in the target style than in the source style, and 450 more are held out to test on, in both. Every
training is done a second time without the reversal, which then only watches. The output folder
receives `results.json`, `results.md`, and `domain_adaptation.png`.

With `--office-home`, the four domains are those of the Office-Home data set (see
`common/office_home.py`), at 64x64 pixels, and the net is a ResNet-20 that starts from random
weights: not the setting of the paper, whose nets are larger and were trained on ImageNet before.
As usual with that data set, the net is tested on the target pictures that it saw without labels;
its accuracy on the source is that on the pictures learnt.

The claim: on the average of the twelve pairs, BIN is not behind BN.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import itertools
from pathlib import Path
from statistics import mean

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from rich.table import Table

from common.charts import plot_grouped_scores, plot_leads
from common.digit_styles import load_split
from common.domains import Domains, Task, digit_domains, office_home_domains
from common.gradient_reversal import GradientReversal, ReversalSchedule
from common.layers import Layers
from common.norms import NORMS, Norm
from common.options import add_quick, option_parser, read_options
from common.progress import RunBar, run_bars
from common.report import Claim, Report, publish, score_table
from common.resnet import resnet
from common.training import PARTS, accuracy

PROGRAM = "domain_adaptation.py"
COMPARED = ("BN", "BIN")
QUICK_DEPTH, QUICK_STEPS = 8, PARTS
HALF_BATCH = 32
# Chosen for BN, not BIN: of 0.01, 0.02, 0.05 and 0.1, BN reads most of the target with 0.02, on the
# mean of the twelve pairs of styles, another seed, and training digits kept back.
LEARNING_RATE = 0.02
WEIGHT_DECAY = 1e-4
DOMAIN_UNITS = 64


def build_net(
    norm: Norm, depth: int, shape: tuple[int, int, int], classes: int
) -> tuple[keras.Model, keras.Model]:
    """Builds a residual net with a head for classes and, behind a reversal, one for domains.

    Returns:
        `(both, reader)`: a model that returns logits of the classes and of being the target, and
        a model that shares its layers and returns the logits of the classes alone.
    """
    layers = Layers(norm, WEIGHT_DECAY)
    pictures = keras.Input(shape, name="pictures")
    features = keras.layers.GlobalAveragePooling2D()(resnet(pictures, layers, depth))
    logits = keras.layers.Dense(classes, name="classes")(features)
    x = GradientReversal(name="reversal")(features)
    x = keras.layers.Dense(DOMAIN_UNITS, activation="relu")(x)
    domain = keras.layers.Dense(1, name="domain")(x)
    return norm.model_class(pictures, [logits, domain]), keras.Model(pictures, logits)


def batches(task: Task) -> tf.data.Dataset:
    """Returns batches without end: half source, half target, whose classes weigh nothing."""
    source = tf.data.Dataset.from_tensor_slices((task.source, task.source_labels))
    target = tf.data.Dataset.from_tensor_slices(task.target)
    no_labels = tf.zeros(HALF_BATCH, task.source_labels.dtype)
    is_target = tf.concat([tf.zeros(HALF_BATCH), tf.ones(HALF_BATCH)], 0)

    def join(labelled, unlabelled):
        pictures, labels = labelled
        return (
            tf.concat([pictures, unlabelled], 0),
            (tf.concat([labels, no_labels], 0), is_target[:, tf.newaxis]),
            (1 - is_target, tf.ones(2 * HALF_BATCH)),
        )

    return tf.data.Dataset.zip(
        source.shuffle(len(task.source)).repeat().batch(HALF_BATCH),
        target.shuffle(len(task.target)).repeat().batch(HALF_BATCH),
    ).map(join)


def adapt(
    norm: str, domains: Domains, task: Task, seed: int, bar: RunBar, reversal: bool = True
) -> keras.Model:
    """Trains one net on a task; returns the model that reads classes.

    Without `reversal`, the head that tells domains learns, but changes nothing before it.
    """
    keras.utils.set_random_seed(seed)
    both, reader = build_net(NORMS[norm], domains.depth, task.source.shape[1:], domains.classes)
    both.compile(
        keras.optimizers.SGD(
            keras.optimizers.schedules.CosineDecay(LEARNING_RATE, domains.steps), momentum=0.9
        ),
        [
            keras.losses.SparseCategoricalCrossentropy(
                from_logits=True, reduction="mean_with_sample_weight"
            ),
            keras.losses.BinaryCrossentropy(from_logits=True),
        ],
    )
    reverse = both.get_layer("reversal")
    reverse.scale.assign(0)
    schedule = [ReversalSchedule(reverse, domains.steps)] if reversal else []
    both.fit(
        batches(task),
        steps_per_epoch=domains.steps // PARTS,
        epochs=PARTS,
        shuffle=False,
        callbacks=[*schedule, bar.epoch_callback()],
        verbose=0,
    )
    return reader


def compare(seeds: int, domains: Domains, pairs: list[tuple[str, str]]) -> list[dict]:
    """Trains both nets on every pair with every seed, with reversal and without, and tests them."""
    plan = list(itertools.product(range(seeds), pairs, (True, False), COMPARED))
    width = max(map(len, domains.names))
    runs = []
    with run_bars(len(plan)) as bars:
        for seed, (source, target), reversal, norm in plan:
            how = "reversed" if reversal else "as it is"
            name = f"seed {seed}  {source:>{width}} to {target:{width}}  {how}  {norm:3}"
            with bars.run(name, PARTS) as bar:
                task = domains.task(source, target, seed)
                reader = adapt(norm, domains, task, seed, bar, reversal)
                scores = {
                    "on_target": accuracy(reader, task.test, task.test_labels),
                    "on_source": accuracy(reader, task.source_test, task.source_test_labels),
                }
                bar.result = f"{scores['on_target']:.1f} %"
            runs.append(
                {
                    "source": source,
                    "target": target,
                    "reversal": reversal,
                    "norm": norm,
                    "seed": seed,
                    **scores,
                    "seconds": bar.seconds,
                }
            )
    return runs


def accuracies(
    runs: list[dict], on: str = "on_target", reversal: bool = True
) -> dict[str, dict[str, list[float]]]:
    """Returns by pair, and for their mean, by normalization, the accuracy with each seed.

    Args:
        runs: from `compare`.
        on: "on_target" or "on_source".
        reversal: whether the runs with gradient reversal are meant, or those without.
    """
    pairs = dict.fromkeys((run["source"], run["target"]) for run in runs)
    runs = [run for run in runs if run["reversal"] is reversal]
    rows = {
        f"{source} to {target}": {
            norm: [
                run[on]
                for run in runs
                if (run["source"], run["target"], run["norm"]) == (source, target, norm)
            ]
            for norm in COMPARED
        }
        for source, target in pairs
    }
    rows["mean"] = {
        norm: [mean(seed) for seed in zip(*(row[norm] for row in rows.values()), strict=True)]
        for norm in COMPARED
    }
    return rows


def claims(runs: list[dict]) -> list[Claim]:
    """Compares the means over pairs and seeds."""
    means = {norm: mean(values) for norm, values in accuracies(runs)["mean"].items()}
    return [
        Claim(
            f"on the average of the pairs, BIN ({means['BIN']:.2f} %) is not behind "
            f"BN ({means['BN']:.2f} %)",
            means["BIN"] >= means["BN"],
        )
    ]


def leads(runs: list[dict], names: tuple[str, ...]) -> np.ndarray:
    """Returns by how many points BIN leads on the target: a row per source, a column per target."""
    rows = accuracies(runs)
    values = np.full((len(names), len(names)), np.nan)
    for (i, source), (j, target) in itertools.product(enumerate(names), repeat=2):
        scores = rows.get(f"{source} to {target}")
        if scores:
            values[i, j] = mean(scores["BIN"]) - mean(scores["BN"])
    return values


def plot(runs: list[dict], names: tuple[str, ...]) -> Figure:
    """Draws the lead of BIN by pair, and the means over pairs."""
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    pairs, means = figure.subplots(1, 2, width_ratios=[1.5, 1])
    plot_leads(pairs, leads(runs, names), names)
    pairs.set(xlabel="target", ylabel="source", title="accuracy on the target")
    plot_grouped_scores(
        means,
        {
            "target": accuracies(runs)["mean"],
            "target,\nno reversal": accuracies(runs, reversal=False)["mean"],
            "source": accuracies(runs, "on_source")["mean"],
            "source,\nno reversal": accuracies(runs, "on_source", reversal=False)["mean"],
        },
    )
    means.set(title="mean over pairs", ylabel="accuracy (%)", ylim=(0, 100))
    means.legend(loc="upper left")
    return figure


def tabulate(runs: list[dict]) -> list[Table]:
    """Makes a table of the target and one of the source, with reversal and without."""
    return [
        score_table(
            f"Accuracy on the {on}, {how} gradient reversal, %",
            "source to target",
            accuracies(runs, f"on_{on}", reversal),
        )
        for reversal, how in ((True, "with"), (False, "without"))
        for on in ("target", "source")
    ]


def main(arguments: list[str] | None = None) -> None:
    """Runs the comparison, and reports it."""
    parser = option_parser(
        PROGRAM, __doc__.splitlines()[0], seeds=3, folder="output/domain_adaptation"
    )
    parser.add_argument(
        "--office-home",
        type=Path,
        metavar="FOLDER",
        help="use the domains of Office-Home, which lie in this folder",
    )
    add_quick(parser, f"one pair, a ResNet-{QUICK_DEPTH}, {QUICK_STEPS} steps")
    options = read_options(parser, arguments)
    if options.office_home is None:
        domains = digit_domains(load_split())
    else:
        try:
            domains = office_home_domains(options.office_home)
        except ValueError as error:
            parser.error(f"argument --office-home: {error}")
    pairs = list(itertools.permutations(domains.names, 2))
    if options.quick:
        pairs = pairs[:1]
        domains = domains._replace(depth=QUICK_DEPTH, steps=QUICK_STEPS)
    runs = compare(options.seeds, domains, pairs)
    report = Report(
        caption=f"{domains.caption} A ResNet-{domains.depth}, {domains.steps} steps. "
        "Mean ± standard deviation over seeds.",
        settings={
            "depth": domains.depth,
            "steps": domains.steps,
            "batch_size": 2 * HALF_BATCH,
            "learning_rate": LEARNING_RATE,
            "momentum": 0.9,
            "weight_decay": WEIGHT_DECAY,
        },
        runs=runs,
        tables=tabulate(runs),
        claims=claims(runs),
    )
    plot(runs, domains.names).savefig(options.output / "domain_adaptation.png", dpi=150)
    publish(report, options)


if __name__ == "__main__":
    main()
