"""The accuracies of nets that learnt few pictures, side by side."""

from collections.abc import Sequence
from statistics import mean, stdev
from typing import NamedTuple

from matplotlib.figure import Figure

from common.charts import COLOURS

COLOURED, CONTROL = "random colours", "clean"
COMPARED = ("BN", "BIN")


class Reader(NamedTuple):
    """A net, and the style of the pictures that it reads.

    Attributes:
        style: a key of `STYLES`.
        depth: of the residual net.
    """

    style: str
    depth: int

    def __str__(self):
        return f"ResNet-{self.depth}{', white on black' if self.style == CONTROL else ''}"


def accuracies(
    runs: list[dict], key: str = "accuracy", **chosen: int | str
) -> dict[str, list[float]]:
    """Returns the mean accuracy of the chosen runs with each seed, by normalization.

    Args:
        runs: made by the program.
        key: "accuracy" on held-out pictures, or "learnt" for those learnt.
        chosen: what the runs have in common: any of `style`, `depth` and `size`.
    """
    seeds = sorted({run["seed"] for run in runs})
    runs = [run for run in runs if all(run[name] == value for name, value in chosen.items())]
    return {
        norm: [
            mean(run[key] for run in runs if (run["norm"], run["seed"]) == (norm, seed))
            for seed in seeds
        ]
        for norm in COMPARED
    }


def errors_avoided(runs: list[dict], style: str, depth: int, sizes: Sequence[int]) -> float:
    """Returns the percentage of BN's errors that BIN avoids, on average over sizes.

    It is 0 if BN makes none.
    """
    shares = []
    for size in sizes:
        scores = accuracies(runs, style=style, depth=depth, size=size)
        errors = 100 - mean(scores["BN"])
        avoided = mean(scores["BIN"]) - mean(scores["BN"])
        shares.append(avoided / errors if errors else 0)
    return 100 * mean(shares)


def tabulate(
    runs: list[dict], readers: Sequence[Reader], sizes: Sequence[int], key: str = "accuracy"
) -> dict[str, dict[str, list[float]]]:
    """Returns the rows of a table: each number of pictures by net, and their mean in colours."""
    rows = {}
    for size in sizes:
        for style in (COLOURED, CONTROL):
            for reader in readers:
                if reader.style == style:
                    rows[f"{size}, {reader}"] = accuracies(
                        runs, key, style=style, depth=reader.depth, size=size
                    )
            if style == COLOURED and sum(reader.style == style for reader in readers) > 1:
                rows[f"{size}, mean in random colours"] = accuracies(
                    runs, key, style=style, size=size
                )
    return rows


def plot(
    runs: list[dict], readers: Sequence[Reader], sizes: Sequence[int], what: str = "digits"
) -> Figure:
    """Draws accuracy against the number of pictures learnt, a panel per net."""
    figure = Figure(figsize=(1.5 + 2.5 * len(readers), 3.6), layout="constrained")
    panels = figure.subplots(1, len(readers), sharey=True)
    for axes, reader in zip(panels, readers, strict=True):
        for norm in COMPARED:
            scores = [
                accuracies(runs, style=reader.style, depth=reader.depth, size=size)[norm]
                for size in sizes
            ]
            axes.errorbar(
                list(map(str, sizes)),
                list(map(mean, scores)),
                [stdev(s) if len(s) > 1 else 0 for s in scores],
                color=COLOURS[norm],
                capsize=3,
                marker="o",
                label=norm,
            )
        axes.set(title=str(reader), xlabel=f"{what} to learn from")
    panels[0].set(ylabel="held-out accuracy (%)", ylim=(0, 100))
    panels[0].legend(loc="lower right")
    return figure
