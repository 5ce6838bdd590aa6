"""Learn labelled pictures of one style and unlabelled ones of another, with BN and with BIN.

    python examples/domain_adaptation.py
    python examples/domain_adaptation.py --office-home FOLDER

A setting of the paper (section 4.3, Table 4), small: unsupervised domain adaptation. A residual net
learns to read digits of a source style, and a second head of it learns to tell the source from the
target style. Gradient reversal (Ganin et al. 2016, https://arxiv.org/abs/1505.07818) makes the
net's features useless for that. No training sees a label of the target style. The styles are four
of scikit-learn's handwritten digits, and every ordered pair of them is a task; other scans are
drawn in the target style than in the source style, and 450 more are held out to test on, in both.
Every training is done a second time without the reversal: the second head then only watches. Target
pictures still share the batches, and so the batch statistics. The output folder receives
`results.json`, `results.md`, and `domain_adaptation.png`.

With `--office-home`, the four domains are those of the Office-Home data set (see
`common/office_home.py`), at 64x64 pixels, and the net is a ResNet-20 that starts from random
weights: not the setting of the paper, whose nets are larger and were trained on ImageNet before.
As usual with that data set, the net is tested on the target pictures that it saw without labels;
its accuracy on the source is that on the pictures learnt.

The claim: on the target, with gradient reversal, on the average of the twelve pairs, BIN is not
behind BN.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import itertools
from pathlib import Path
from statistics import mean

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from common.adaptation import SETTINGS, adapt
from common.charts import plot_grouped_scores, plot_leads
from common.digit_styles import load_split
from common.domains import Domains, digit_domains, office_home_domains
from common.options import add_quick, option_parser, read_options
from common.progress import run_bars
from common.report import Claim, Report, publish, score_table
from common.training import PARTS, accuracy

PROGRAM = "domain_adaptation.py"
COMPARED = ("BN", "BIN")
QUICK_DEPTH, QUICK_STEPS = 8, PARTS


def compare(seeds: int, domains: Domains, pairs: list[tuple[str, str]]) -> list[dict]:
    """Trains both nets on every pair with every seed, with reversal and without, and tests them."""
    plan = list(itertools.product(range(seeds), pairs, (True, False), COMPARED))
    width = max(map(len, domains.names))
    runs = []
    with run_bars(len(plan)) as bars:
        for seed, (source, target), reversal, norm in plan:
            how = "reversal   " if reversal else "no reversal"
            name = f"seed {seed}  {source:>{width}} to {target:{width}}  {how}  {norm:3}"
            with bars.run(name, PARTS) as bar:
                task = domains.task(source, target, seed)
                reader = adapt(norm, domains, task, seed, bar, reversal)
                scores = {
                    "on_target": accuracy(reader, task.target_test, task.target_test_labels),
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
            "on the target, with gradient reversal, on the average of the pairs, BIN "
            f"({means['BIN']:.2f} %) is not behind BN ({means['BN']:.2f} %)",
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
        "accuracy (%)",
    )
    means.set_title("mean over pairs", loc="left")
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
        settings={"depth": domains.depth, "steps": domains.steps, **SETTINGS},
        runs=runs,
        tables=tabulate(runs),
        claims=claims(runs),
    )
    plot(runs, domains.names).savefig(options.output / "domain_adaptation.png", dpi=150)
    publish(report, options)


if __name__ == "__main__":
    main()
