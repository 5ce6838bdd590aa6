"""Runs that each keep a file, so that an experiment can be stopped, continued and joined."""

import datetime
import functools
import json
import re
import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from common.progress import RunBar, run_bars
from common.report import Origin, joined, versions
from common.resumable import recorded_seconds
from common.whole_files import write_whole


class RunFileError(ValueError):
    """A file of a run is broken, or the run was made with settings other than the experiment's."""


class RunFiles:
    """The runs in a folder: those that are finished, and those that were stopped.

    A finished run has a file `NAME.json` with its result, the settings, the versions and the
    date. An unfinished one has a folder `NAME.unfinished`. Folders of runs are joined by
    putting their files together.

    Args:
        folder: of the files; made if needed.
        settings: what decides results besides the run's own name, ready for JSON.
    """

    def __init__(self, folder: Path, settings: dict[str, Any]):
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._settings = json.loads(json.dumps(settings))

    def is_finished(self, run: "Run") -> bool:
        """Returns whether a run is finished: its result and its net exist."""
        net = self.net(run.name)
        return self._finished(run.name).exists() and (net.exists() or not run.saves_net)

    def net(self, name: str) -> Path:
        """Returns where the net of a run is, or will be."""
        return self._folder / f"{name}.keras"

    def check(self, run: "Run") -> None:
        """Checks that a run, if it exists, was made or begun with the current settings.

        Raises:
            RunFileError: it was made with other settings, or a file is broken.
        """
        finished, begun = self._finished(run.name), self._begun(run.name)
        if self.is_finished(run):
            shutil.rmtree(begun.parent, ignore_errors=True)  # left if the run was killed
        for path in (finished, begun):
            if path.exists():
                self._check(path)

    def read(self, name: str) -> dict[str, Any]:
        """Returns the result of a finished run."""
        return self._content(name)["result"]

    def origin(self, names: Iterable[str]) -> Origin:
        """Returns how long finished runs took, when they were made, and with which versions."""
        contents = [self._content(name) for name in names]
        return joined(
            Origin(round(content["result"]["seconds"]), content["date"], content["versions"])
            for content in contents
        )

    def make(self, name: str, work: Callable[[Path], dict[str, Any]], bar: RunBar) -> None:
        """Makes a run, or resumes one that was stopped.

        Args:
            name: of the run.
            work: takes the folder of the unfinished run, and returns the result, to which the
                seconds are added.
            bar: of the run.
        """
        folder = self._begun(name).parent
        folder.mkdir(exist_ok=True)
        write_whole(self._begun(name), json.dumps({"settings": self._settings}))
        bar.seconds_before = recorded_seconds(folder)
        started = time.perf_counter()
        result = work(folder)
        result["seconds"] = round(bar.seconds_before + time.perf_counter() - started, 1)
        content = {
            "settings": self._settings,
            "versions": versions(),
            "date": datetime.date.today().isoformat(),
            "result": result,
        }
        write_whole(self._finished(name), json.dumps(content, indent=1) + "\n")
        shutil.rmtree(folder)

    def _content(self, name):
        return _read(self._finished(name))

    def _finished(self, name):
        return self._folder / f"{name}.json"

    def _begun(self, name):
        return self._folder / f"{name}.unfinished" / "settings.json"

    def _check(self, path):
        found = _read(path)["settings"]
        differing = [
            f"{key} {found.get(key)!r} (now {self._settings.get(key)!r})"
            for key in dict.fromkeys([*found, *self._settings])
            if found.get(key) != self._settings.get(key)
        ]
        if differing:
            raise RunFileError(
                "runs in the output folder must have the settings of this experiment; give "
                f"another `--output`, or delete them. Received: {path}, with "
                f"{', '.join(differing)}"
            )


def _read(path):
    try:
        content = json.loads(path.read_text())
        if not isinstance(content, dict) or "settings" not in content:
            raise ValueError("no settings in it")
        return content
    except ValueError as error:
        raise RunFileError(
            "a file of a run must be complete; delete it, or copy it again. "
            f"Received: {path} ({error})"
        ) from error


class Run(NamedTuple):
    """One run of an experiment.

    Attributes:
        title: shown beside its progress, and the name of its files, see `file_name`.
        work: takes a folder for what a stopped run needs to resume, or None, and a bar, which it
            moves and whose result it sets; returns the run's result.
        saves_net: whether the run is finished only once its net is saved.
    """

    title: str
    work: Callable[[Path | None, RunBar], dict[str, Any]]
    saves_net: bool = False

    @property
    def name(self) -> str:
        """The name of its files."""
        return file_name(self.title)


def file_name(title: str) -> str:
    """Returns a title in letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def make_runs(
    plan: Sequence[Run], steps: int, files: RunFiles | None = None
) -> list[dict[str, Any]]:
    """Makes runs with a bar for each, and returns their results, with the time as `seconds`.

    Args:
        plan: what to run.
        steps: of the bar of each run.
        files: with them, finished runs are read, and stopped ones resume.

    Raises:
        RunFileError: files of runs are broken, or have other settings.
    """
    for run in plan if files else ():
        files.check(run)
    waiting = [run for run in plan if not (files and files.is_finished(run))]
    made = {}
    with run_bars(len(waiting)) as bars:
        for run in waiting:
            with bars.run(run.title, steps) as bar:
                if files:
                    files.make(run.name, functools.partial(run.work, bar=bar), bar)
                else:
                    made[run.name] = run.work(None, bar)
            if not files:
                made[run.name]["seconds"] = bar.seconds
    return [files.read(run.name) if files else made[run.name] for run in plan]
