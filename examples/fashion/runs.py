"""Runs, and experiments made of them, as the options of a program specify."""

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from common.norms import ALL_NORMS
from common.report import Origin
from common.run_files import Run, RunFileError, RunFiles, make_runs
from fashion.experiment import Experiment, MakeTask
from fashion.options import FASHION, read_recipe, read_scans


def set_up_backend(parser: ArgumentParser, options: Namespace) -> dict[str, Any]:
    """Lets TensorFlow repeat its operations bit for bit if the options ask for that.

    Exits if they do and Keras has another backend.

    Returns:
        The settings of an experiment that say what it runs on.
    """
    backend, deterministic = keras.backend.backend(), bool(options.deterministic)
    if deterministic and backend != "tensorflow":
        parser.error(
            "argument --deterministic: needs TensorFlow as Keras's backend; JAX repeats its runs "
            f"on CPUs without it. Received: {backend}"
        )
    if deterministic:
        tf.config.experimental.enable_op_determinism()
    return {"backend": backend, "deterministic": deterministic}


def make_runs_or_end(
    parser: ArgumentParser,
    options: Namespace,
    plan: Sequence[Run],
    steps: int,
    settings: Mapping[str, Any],
) -> tuple[list[dict[str, Any]], Origin | None]:
    """Makes runs; those on Fashion-MNIST have files. Exits if these cannot be used.

    Args:
        parser: of the program.
        options: `data`, `output` and `quick`.
        plan: what to run.
        steps: of the bar of each run.
        settings: what decides results besides the run's own name.

    Returns:
        The results, and their origin if they have files.
    """
    files = RunFiles(runs_folder(options), settings) if options.data == FASHION else None
    try:
        runs = make_runs(plan, steps, files)
        return runs, files.origin(run.name for run in plan) if files else None
    except RunFileError as error:
        parser.error(str(error))


def runs_folder(options: Namespace) -> Path:
    """Returns the folder of the runs in the output folder; quick runs have their own."""
    return options.output / ("runs_quick" if options.quick else "runs")


def read_experiment(
    parser: ArgumentParser,
    options: Namespace,
    tasks: Mapping[str, MakeTask],
    pictures: int,
    held_out: int,
) -> Experiment:
    """Makes the experiment that the options say, or exits if that is not possible.

    Args:
        parser: of the program.
        options: those of `add_files` and `add_recipe`, `norm`, `seeds`, `epochs`, `output` and
            `quick`.
        tasks: what makes a task from the scans and a seed, by name.
        pictures: how many training pictures are learnt by default.
        held_out: how many test pictures to use.
    """
    backend = set_up_backend(parser, options)
    scans = read_scans(parser, options, pictures, held_out)
    norms = options.norm or list(ALL_NORMS)
    try:
        return Experiment(
            tasks,
            norms,
            options.seeds,
            scans,
            read_recipe(options),
            runs_folder(options),
            backend,
        )
    except ValueError as error:
        parser.error(str(error))
