"""Measures keras-bin beside its peers, and records the results.

    python -m benchmarks [--quick] [--only SECTION ...]

Prints a table for each section. Without `--quick`, it also writes them to `benchmarks/results/` as
JSON and Markdown, under the date and the name of the device.
"""

import argparse
import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # read when TensorFlow is imported

import tensorflow as tf
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks import layer, processes
from benchmarks.accuracy import accuracy
from benchmarks.answers import answers
from benchmarks.export import export
from benchmarks.plan import FULL, QUICK
from benchmarks.report import command_line, document, rich_table, wide_console, write
from benchmarks.step import step
from benchmarks.workers import workers

SECTIONS = {
    section.__name__: section
    for section in (
        layer.layer,
        layer.floor,
        layer.inference,
        layer.scaling,
        step,
        workers,
        processes.memory,
        processes.first_step,
        processes.jax,
        processes.torch,
        export,
        accuracy,
        answers,
    )
}


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description="Measure keras-bin beside its peers."
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="few rounds, small shapes and nets, and nothing written: a test of the program",
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=SECTIONS,
        metavar="SECTION",
        help=f"what to measure, of {', '.join(SECTIONS)} (default: all)",
    )
    return parser.parse_args(arguments)


def accelerator() -> str | None:
    """Returns the name of the GPU that TensorFlow uses, None if it uses the processor."""
    gpus = tf.config.list_physical_devices("GPU")
    return tf.config.experimental.get_device_details(gpus[0])["device_name"] if gpus else None


def main(arguments: list[str] | None = None) -> None:
    """Measures, and shows and writes the results."""
    options = parse_arguments(arguments)
    # TensorFlow mistakes the many functions that are made here for one that is traced too often.
    tf.get_logger().setLevel("ERROR")
    plan = QUICK if options.quick else FULL
    names = [name for name in SECTIONS if not options.only or name in options.only]
    console = wide_console()
    sections = []
    columns = (TextColumn("{task.description:10}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("", total=len(names))

        def track(cases):
            """Yields the cases of a section, and moves the bar by their share of it."""
            for case in cases:
                yield case
                progress.advance(task, 1 / len(cases))

        for name in names:
            progress.update(task, description=name)
            sections.append(SECTIONS[name](plan, track))
            console.print(rich_table(sections[-1]))
    if not options.quick:
        run = document(sections, plan, command_line("benchmarks"), accelerator())
        partial = names if options.only else ()
        for path in write(run, partial):
            console.print(f"Written: {path}")


if __name__ == "__main__":
    main()
