"""Learn labelled pictures of one style and unlabelled ones of another, with BN and with BIN.

    python examples/domain_adaptation.py
    python examples/domain_adaptation.py --data fashion
    python examples/domain_adaptation.py --office-home FOLDER

A small version of an experiment of the paper (section 4.3, Table 4): unsupervised domain
adaptation. A residual net learns to read digits of a source style, and a second head of it learns
to tell the source from the target style. Gradient reversal (Ganin et al. 2016,
https://arxiv.org/abs/1505.07818) makes the net's features useless for the second head. No training
sees a label of the target style. scikit-learn's handwritten digits are drawn in four styles, and
every ordered pair of styles is a task. The scans in the target style are not those in the source
style, and 450 more are held out to test on, in both styles. Every training is repeated without the
reversal: the second head then has no influence on the features. Target pictures are still in the
batches, and so in the batch statistics. The output folder receives `results.json`, `results.md`,
and `domain_adaptation.png`.

With `--data fashion`, the pictures are 10,000 of Fashion-MNIST, and the net is a ResNet-20. Each
training then has a file in `runs/` of the output folder, and the program resumes where it was
stopped.

With `--office-home`, the four domains are those of the Office-Home data set (see
`common/office_home.py`), at 64x64 pixels, and the net is a ResNet-20 that starts from random
weights. The nets of the paper are larger and pretrained on ImageNet. As usual with that data set,
the net is tested on the target pictures that it saw without labels; its accuracy on the source is
that on the pictures it learnt.

The claim: on the target, with gradient reversal, BIN is not behind BN on average over the twelve
pairs.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import functools
import itertools
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import numpy as np
from matplotlib.figure import Figure
from rich.table import Table

from common.adaptation import SETTINGS, adapt
from common.charts import plot_grouped_scores, plot_leads
from common.digits import load_digit_scans
from common.domains import Domains, digit_domains, office_home_domains, style_domains
from common.options import add_quick, option_parser, read_options
from common.progress import RunBar
from common.report import Claim, Report, publish, score_table
from common.run_files import Run
from common.training import PARTS, accuracy
from common.whole_files import save_picture
from fashion.options import FASHION, add_data, check_data, read_scans
from fashion.runs import make_runs_or_end, set_up_backend

PROGRAM = "domain_adaptation.py"
COMPARED = ("BN", "BIN")
QUICK_DEPTH, QUICK_STEPS = 8, PARTS
PICTURES, HELD_OUT, STEPS = 10_000, 2_000, 400  # of Fashion-MNIST


def run(
    domains: Domains,
    seed: int,
    pair: tuple[str, str],
    reversal: bool,
    norm: str,
    folder: Path | None,
    bar: RunBar,
) -> dict:
    """Trains one net, and returns its accuracies on the target and on the source."""
    source, target = pair
    task = domains.task(source, target, seed)
    reader = adapt(norm, domains, task, seed, bar, reversal, folder)
    scores = {
        "on_target": accuracy(reader, task.target_test, task.target_test_labels),
        "on_source": accuracy(reader, task.source_test, task.source_test_labels),
    }
    bar.result = f"{scores['on_target']:.1f} %"
    return {
        "source": source,
        "target": target,
        "reversal": reversal,
        "norm": norm,
        "seed": seed,
        **scores,
    }


def plan_runs(seeds: Sequence[int], domains: Domains, pairs: list[tuple[str, str]]) -> list[Run]:
    """Plans both nets on every pair with every seed, with gradient reversal and without."""
    width = max(map(len, domains.names))
    plan = []
    for each in itertools.product(seeds, pairs, (True, False), COMPARED):
        seed, (source, target), reversal, norm = each
        how = "reversal   " if reversal else "no reversal"
        title = f"seed {seed}  {source:>{width}} to {target:{width}}  {how}  {norm:3}"
        plan.append(Run(title, functools.partial(run, domains, *each)))
    return plan


def accuracies(
    runs: list[dict], on: str = "on_target", reversal: bool = True
) -> dict[str, dict[str, list[float]]]:
    """Returns the accuracy with each seed, by pair (and for their mean) and by normalization.

    Args:
        runs: of `plan_runs`.
        on: "on_target" or "on_source".
        reversal: whether to take the runs with gradient reversal or those without.
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
            "on the target, with gradient reversal, on average over the pairs, BIN  "
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


def load_domains(parser: ArgumentParser, options: Namespace) -> Domains:
    """Loads what the options say, or exits if that is not possible."""
    if options.office_home and options.data == FASHION:
        parser.error(
            f"argument --office-home: takes the place of `--data`. Received: --data {FASHION}"
        )
    if options.office_home:
        try:
            domains = office_home_domains(options.office_home)
        except ValueError as error:
            parser.error(f"argument --office-home: {error}")
    elif options.data == FASHION:
        scans = read_scans(parser, options, PICTURES, HELD_OUT, least=2)
        domains = style_domains(scans, 20, STEPS, "pictures of Fashion-MNIST")
    else:
        domains = digit_domains(load_digit_scans())
    if options.quick:
        return domains._replace(depth=QUICK_DEPTH, steps=QUICK_STEPS)
    return domains


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
    add_data(parser, PICTURES)
    add_quick(parser, f"one pair, a ResNet-{QUICK_DEPTH}, {QUICK_STEPS} steps")
    options = read_options(parser, arguments)
    check_data(parser, options)
    backend = set_up_backend(parser, options)
    domains = load_domains(parser, options)
    settings = {
        **domains.counts,
        "depth": domains.depth,
        "steps": domains.steps,
        **SETTINGS,
        **backend,
    }
    pairs = list(itertools.permutations(domains.names, 2))[: 1 if options.quick else None]
    plan = plan_runs(options.seeds, domains, pairs)
    runs, origin = make_runs_or_end(parser, options, plan, PARTS, settings)
    report = Report(
        caption=f"{domains.caption} A ResNet-{domains.depth}, {domains.steps} steps. "
        "Mean ± standard deviation over seeds.",
        settings=settings,
        runs=runs,
        tables=tabulate(runs),
        claims=claims(runs),
        origin=origin,
    )
    save_picture(plot(runs, domains.names), options.output / "domain_adaptation.png")
    publish(report, options)


if __name__ == "__main__":
    main()
