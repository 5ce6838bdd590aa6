"""Folds and exports 47 third-party networks, and records what became of each.

    pip install -e ".[examples]"
    pip install --no-deps -r benchmarks/zoo/requirements.txt
    python -m benchmarks.zoo [--only NAME ...] [--limit SECONDS]

Each runs in a fresh process. Inputs and comparison are independent of the exporter. Prints a table,
and updates `benchmarks/results/` after each network, so that an interrupted run can continue with
`--only` and the names of the rest: rows of the same day stay.

Without `--no-deps`, some packages would require a Keras or TensorFlow from years ago; the file
names what they import. A network whose package is missing is listed as such.
"""

import argparse
import dataclasses
import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

from benchmarks.oracle import ALLOWED, ROUNDINGS
from benchmarks.report import Section, wide_console
from benchmarks.zoo.nets import NETS
from benchmarks.zoo.networks import measure_all, measured, network_parser
from benchmarks.zoo.outcome import counts, row

COMMAND = "benchmarks.zoo"
SECTION = "zoo"


@dataclasses.dataclass(frozen=True)
class ZooPlan:
    """How networks are exported.

    Attributes:
        limit: seconds that each may take.
    """

    limit: float


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = network_parser(COMMAND, "Export third-party networks.", NETS)
    return parser.parse_args(arguments)


def export_net(name: str, limit: float) -> dict:
    """Folds and exports a network in a fresh process; returns its row.

    Args:
        name: of the network.
        limit: seconds after which the process is ended.
    """
    return measured(NETS[name], name, ("benchmarks.zoo.export_net", name), limit, row)


def zoo_section(rows: dict[str, dict]) -> Section:
    """Makes the section of the rows, which come by name."""
    ordered = [rows[name] for name in NETS if name in rows]
    return Section(
        SECTION,
        "third-party networks",
        "Each in its own process, on the CPU, small, as its package builds it, with random "
        "gamma and beta and the moving statistics of a batch, or with the weights that come with "
        "it. The difference is the largest on two inputs of this program's own between the model "
        "and what was made of it, beside the largest value. What was exported is ok if every "
        f"output differs by at most {ALLOWED:g} * (1 + its value), or by {ROUNDINGS} times "
        "what the outputs change by when every weight and input moves by one unit in its last "
        "place; it is wrong if not. "
        "Transposes are inner ones where an order of axes that suits convolutions would save them: "
        "those of attention, or at an input, an output or a Reshape, are not. "
        f"{counts(ordered)}.",
        ordered,
    )


def main(arguments: list[str] | None = None) -> None:
    """Exports, and shows and writes the results."""
    options = parse_arguments(arguments)
    section = measure_all(
        COMMAND,
        [name for name in NETS if not options.only or name in options.only],
        ZooPlan(options.limit),
        lambda name: export_net(name, options.limit),
        zoo_section,
        more=bool(options.only),
    )
    wide_console().print(counts(section.rows))


if __name__ == "__main__":
    main()
