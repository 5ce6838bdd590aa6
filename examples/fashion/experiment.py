"""Every task with every normalization and seed, each a run with files of its own."""

import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import keras
from rich.table import Table

from common.report import Claim, Origin, Report
from common.run_files import Run, RunFiles, make_runs
from common.scans import Scans
from fashion.training import MOMENTUM, Recipe, Task, build, train

MakeTask = Callable[[Scans, int], Task]


class Experiment:
    """What is compared, and where the runs are kept.

    Args:
        tasks: what makes a task from the scans and a seed, by name.
        norms: keys of `ALL_NORMS` or `SERVED_NORMS`.
        seeds: each task is learnt with every normalization and seed.
        scans: to learn from, and to test on.
        recipe: how each net is trained.
        folder: of the runs.
        backend: what they run on, from `runs.set_up_backend`.
        tested_on: says which pictures the test scans are.

    Attributes:
        settings: what decides results, besides task, normalization and seed.

    Raises:
        ValueError: there is no such net, it lacks the places of a normalization, or runs in the
            folder were made with other settings.
    """

    def __init__(
        self,
        tasks: Mapping[str, MakeTask],
        norms: Sequence[str],
        seeds: Sequence[int],
        scans: Scans,
        recipe: Recipe,
        folder: Path,
        backend: Mapping[str, Any],
        tested_on: str = "test pictures",
    ):
        self.settings = {
            "data": "Fashion-MNIST",
            "pictures": len(scans.train_scans),
            "held_out": len(scans.test_scans),
            "tested_on": tested_on,
            **recipe._asdict(),
            "momentum": MOMENTUM,
            **backend,
        }
        self._tasks = tasks
        self._norms = norms
        self._seeds = seeds
        self._scans = scans
        self._recipe = recipe
        self._files = RunFiles(folder, self.settings)
        for norm in norms:
            build(recipe, norm)
        for run in self._plan():
            self._files.check(run)

    def run(self) -> list[dict]:
        """Makes the unfinished runs, and returns the results of all.

        Returns:
            For each run its `task`, `norm` and `seed`, what `training.train` returns, and
            `seconds`.
        """
        return make_runs(self._plan(), self._recipe.epochs, self._files)

    def origin(self) -> Origin:
        """Returns how long the runs took, when they were made, and with which versions."""
        return self._files.origin(run.name for run in self._plan())

    def report(
        self,
        trained: str,
        tested: str,
        runs: Sequence[dict],
        tables: Sequence[Table],
        claims: Sequence[Claim],
    ) -> Report:
        """Makes the report of the runs; `trained` and `tested` say how pictures were drawn."""
        return Report(
            caption=f"{len(self._scans.train_scans):,} pictures of Fashion-MNIST, {trained}, to "
            f"train on; {len(self._scans.test_scans):,} others, {tested}, to test on; "
            f"{self._recipe.net}, {self._recipe.epochs} epochs. "
            "Mean ± standard deviation over seeds.",
            settings=self.settings,
            runs=runs,
            tables=tables,
            claims=claims,
            origin=self.origin(),
        )

    def load_net(self, seed: int, task: str, norm: str) -> keras.Model:
        """Loads the trained net of a run."""
        return keras.saving.load_model(self._net(seed, task, norm))

    def task(self, task: str, seed: int) -> Task:
        """Makes a task, with the pictures of a seed."""
        return self._tasks[task](self._scans, seed)

    def _plan(self) -> list[Run]:
        return list(
            itertools.starmap(
                self._planned, itertools.product(self._seeds, self._tasks, self._norms)
            )
        )

    def _planned(self, seed: int, task: str, norm: str) -> Run:
        width = max(map(len, self._norms))
        title = "  ".join(filter(None, (f"seed {seed}", task, f"{norm:{width}}")))

        def work(folder, bar):
            net = self._net(seed, task, norm)
            result = train(self.task(task, seed), norm, seed, self._recipe, folder, net, bar)
            bar.result = f"{mean(result['accuracy'].values()):.1f} %"
            return {"task": task, "norm": norm, "seed": seed, **result}

        return Run(title, work, saves_net=True)

    def _net(self, seed: int, task: str, norm: str) -> Path:
        return self._files.net(self._planned(seed, task, norm).name)
