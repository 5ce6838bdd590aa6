"""Find the learning rate and schedule with which nets are most accurate in mixed styles.

    python examples/fashion_rates.py

The experiments on Fashion-MNIST use the rate and the schedule that suit BN best here: a ResNet-20
learns the first 20,000 training pictures as in `mixed_domain.py --data fashion`, and reads the last
5,000, which are held back, in every style. The pictures that the experiments test on decide
nothing, and the seeds are others, from 100 on. The program also looks for what is best for BIN.

The output folder receives `results.json`, `results.md` and `fashion_rates.png`; each run has a file
in `runs/`, in a folder of its rate, and the program resumes where it was stopped.

The claim: of what was tried, BN is most accurate with the rate and the schedule of the experiments.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from statistics import mean
from typing import Any

from matplotlib.figure import Figure

from common.charts import plot_grouped_scores
from common.norms import ALL_NORMS
from common.options import add_norms, add_quick, option_parser, read_options
from common.report import Claim, Report, joined, publish, score_table
from common.run_files import file_name
from common.scans import Scans
from common.whole_files import save_picture
from fashion.experiment import Experiment
from fashion.options import (
    QUICK_RECIPE,
    QUICK_SCANS,
    add_files,
    load_or_end,
    number_of_pictures,
)
from fashion.runs import runs_folder, set_up_backend
from fashion.tasks import mixed_styles
from fashion.training import RECIPE, Recipe

PROGRAM = "fashion_rates.py"
TRIED = (
    ("cosine", 0.03),
    ("cosine", 0.1),
    ("cosine", 0.3),
    ("steps", 0.1),
    ("constant", 0.03),
)
PICTURES, KEPT_BACK = 20_000, 5_000
SEEDS = range(100, 102)
KEPT = "training pictures kept back"


def keep_back(scans: Scans, pictures: int, kept_back: int) -> Scans:
    """Returns the first training scans to train on, and the last ones to test on."""
    return Scans(
        scans.train_scans[:pictures],
        scans.train_scans[-kept_back:],
        scans.train_labels[:pictures],
        scans.train_labels[-kept_back:],
    )


def name(recipe: Recipe) -> str:
    """Names what is tried."""
    return f"{recipe.schedule} {recipe.learning_rate:g}"


def accuracies(runs: dict[str, list[dict]]) -> dict[str, dict[str, list[float]]]:
    """Returns the mean accuracy over styles with each seed, by recipe and normalization."""
    norms = list(dict.fromkeys(run["norm"] for made in runs.values() for run in made))
    return {
        recipe: {
            norm: [mean(run["accuracy"].values()) for run in made if run["norm"] == norm]
            for norm in norms
        }
        for recipe, made in runs.items()
    }


def claims(rows: dict[str, dict[str, list[float]]], chosen: str) -> list[Claim]:
    """Judges what was chosen for BN, if BN was run."""
    means = {recipe: mean(scores["BN"]) for recipe, scores in rows.items() if "BN" in scores}
    if chosen not in means:
        return []
    listed = ", ".join(f"{recipe} {value:.2f} %" for recipe, value in means.items())
    return [
        Claim(
            f"of what was tried, BN is most accurate with {chosen} ({listed})",
            means[chosen] == max(means.values()),
        )
    ]


def best(rows: dict[str, dict[str, list[float]]], norm: str) -> str:
    """Says with what a normalization is most accurate, and how accurate."""
    means = {recipe: mean(scores[norm]) for recipe, scores in rows.items()}
    recipe = max(means, key=means.__getitem__)
    return f"{norm} is most accurate with {recipe}: {means[recipe]:.2f} %."


def plot(rows: dict[str, dict[str, list[float]]]) -> Figure:
    """Draws the accuracies with each rate and schedule."""
    figure = Figure(figsize=(8, 3.8), layout="constrained")
    plot_grouped_scores(figure.subplots(), rows, "accuracy on pictures kept back (%)")
    return figure


def read_experiments(
    parser: ArgumentParser,
    options: Namespace,
    scans: Scans,
    recipes: Sequence[Recipe],
    backend: Mapping[str, Any],
) -> dict[str, Experiment]:
    """Makes an experiment for each recipe, or exits if one cannot be made."""
    try:
        return {
            name(recipe): Experiment(
                {"": mixed_styles},
                options.norm,
                options.seeds,
                scans,
                recipe,
                runs_folder(options) / file_name(name(recipe)),
                backend,
                KEPT,
            )
            for recipe in recipes
        }
    except ValueError as error:
        parser.error(str(error))


def main(arguments: list[str] | None = None) -> None:
    """Runs the comparison, and reports it."""
    parser = option_parser(PROGRAM, __doc__.splitlines()[0], SEEDS, folder="output/fashion_rates")
    add_files(parser, PICTURES)
    add_norms(parser, ALL_NORMS, default=["BN", "BIN"])
    add_quick(parser, "two of the rates, few pictures, a small net, 2 epochs")
    options = read_options(parser, arguments)
    if options.seeds[0] < SEEDS[0]:
        parser.error(
            f"argument --seeds: must be from {SEEDS[0]} on, as in {SEEDS[0]}-{SEEDS[-1]}: those "
            f"below are of the experiments. Received: {options.seeds[0]}"
        )
    backend = set_up_backend(parser, options)
    tried, kept_back, base = TRIED, KEPT_BACK, RECIPE
    if options.quick:
        tried, kept_back, base = TRIED[:2], QUICK_SCANS, QUICK_RECIPE
    scans = load_or_end(parser, options)
    pictures = number_of_pictures(parser, options, PICTURES, scans, kept_back=kept_back)
    scans = keep_back(scans, pictures, kept_back)
    recipes = [base._replace(schedule=schedule, learning_rate=rate) for schedule, rate in tried]
    experiments = read_experiments(parser, options, scans, recipes, backend)
    runs = {}
    for recipe, experiment in experiments.items():
        print(recipe)
        runs[recipe] = experiment.run()
    rows = accuracies(runs)
    save_picture(plot(rows), options.output / "fashion_rates.png")
    last = list(experiments.values())[-1].settings
    report = Report(
        caption=f"{pictures:,} training pictures of Fashion-MNIST, each drawn in one of four "
        f"styles, to learn from; {kept_back:,} other training pictures, drawn in every style, to "
        f"test on; {base.net}, {base.epochs} epochs. Mean ± standard deviation over seeds. "
        + " ".join(best(rows, norm) for norm in options.norm),
        settings={
            "tried": list(experiments),
            **{key: last[key] for key in last.keys() - {"schedule", "learning_rate"}},
        },
        runs=[{"recipe": recipe, **run} for recipe, made in runs.items() for run in made],
        tables=[score_table("Accuracy on pictures kept back, mean of styles, %", "rate", rows)],
        claims=claims(rows, name(RECIPE)),
        origin=joined(experiment.origin() for experiment in experiments.values()),
        judged_seeds=len(SEEDS),
    )
    publish(report, options)


if __name__ == "__main__":
    main()
