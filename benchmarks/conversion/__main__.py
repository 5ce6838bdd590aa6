"""Converts third-party networks from batch normalization to BIN, and records how it went.

    pip install -e ".[examples]"
    pip install --no-deps -r benchmarks/zoo/requirements.txt
    python -m benchmarks.conversion [--only NAME ...] [--no-export] [--limit SECONDS]

Every architecture of keras.applications that has batch normalization, the backbones of KerasHub,
and nets of the zoo's other packages. Each runs in a fresh process. Prints a table, and updates
`benchmarks/results/` after each network; with `--only`, rows of the same day stay.
"""

import argparse
import dataclasses
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

from benchmarks.conversion.nets import NETS, NOT_EXPORTED
from benchmarks.conversion.row import counts, row
from benchmarks.report import Section
from benchmarks.zoo.networks import measure_all, measured, network_parser

COMMAND = "benchmarks.conversion"
SECTION = "conversion"


@dataclasses.dataclass(frozen=True)
class ConversionPlan:
    """How networks are converted.

    Attributes:
        limit: seconds that each may take.
        export: whether they are exported.
    """

    limit: float
    export: bool


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = network_parser(COMMAND, "Convert third-party networks.", NETS)
    parser.add_argument("--no-export", action="store_true", help="neither fold nor export")
    return parser.parse_args(arguments)


def convert_net(name: str, plan: ConversionPlan) -> dict:
    """Converts a network in a fresh process; returns its row."""
    options = [] if plan.export and name not in NOT_EXPORTED else ["--no-export"]
    command = ("benchmarks.conversion.convert_net", name, *options)
    return measured(NETS[name], name, command, plan.limit, row)


def conversion_section(rows: dict[str, dict]) -> Section:
    """Makes the section of the rows, which come by name."""
    ordered = [rows[name] for name in NETS if name in rows]
    return Section(
        SECTION,
        "third-party networks, converted from batch normalization to BIN",
        "Each in its own process, on the CPU, small, as its package builds it, with random "
        "gamma and beta and the moving statistics of a batch, or with the weights that come with "
        "it. Differences are the largest over the largest value of the same output, of the worst "
        "output, on inputs of this program's own. float64: rho = 1, in inference; training and "
        "statistics: outputs and moving statistics of one call in training, in float64. "
        "float32 / rounding: the difference in float32, over that of the source from itself in "
        "float64. convert / clone_model: CPU seconds, without the comparison, medians of 3; "
        "passes: how often a network runs for the comparison; comparison / passes: its whole "
        "time over theirs. memory: by how much the conversion raised the peak of the process, "
        "in addition to the weights of its result. "
        "reverted: the way back, compared with the source. Then gates at random, a quarter at 0 "
        "and a quarter at 1, folded and exported, and compared as `python -m benchmarks.zoo` does. "
        f"{counts(ordered)}.",
        ordered,
    )


def main(arguments: list[str] | None = None) -> None:
    """Converts, and shows and writes the results."""
    options = parse_arguments(arguments)
    plan = ConversionPlan(options.limit, not options.no_export)
    measure_all(
        COMMAND,
        [name for name in NETS if not options.only or name in options.only],
        plan,
        lambda name: convert_net(name, plan),
        conversion_section,
        more=bool(options.only),
    )


if __name__ == "__main__":
    main()
