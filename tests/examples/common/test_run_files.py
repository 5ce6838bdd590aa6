"""Runs with files: what is made, read, refused and joined."""

import json
import re

import pytest

from common.run_files import Run, RunFileError, RunFiles, file_name, make_runs
from common.whole_files import write_whole

SETTINGS = {"epochs": 2, "rate": 0.1}


class Works:
    """Runs that give their number, and note that they were made; number 13 fails."""

    def __init__(self):
        self.made = []

    def plan(self, *numbers):
        return [Run(f"seed {number}  BN+IN  ", self._work(number)) for number in numbers]

    def _work(self, number):
        def work(folder, bar):
            self.made.append(number)
            if number == 13:
                raise RuntimeError
            bar.result = f"{number} %"
            return {"number": number, "folder": folder and folder.name}

        return work


@pytest.fixture
def works():
    return Works()


def numbers(results):
    return [result["number"] for result in results]


def test_runs_without_files_are_made_each_time(works, capsys):
    for _ in range(2):
        results = make_runs(works.plan(0, 1), 2)
        assert numbers(results) == [0, 1]
        assert all(result["folder"] is None and result["seconds"] >= 0 for result in results)
    assert works.made == [0, 1, 0, 1]
    assert "seed 1  BN+IN    1 %, 0.0 s" in capsys.readouterr().out


def test_finished_runs_are_read_from_their_files(works, tmp_path):
    files = RunFiles(tmp_path / "runs", SETTINGS)
    first = make_runs(works.plan(1), 2, files)
    results = make_runs(works.plan(0, 1), 2, files)
    assert works.made == [1, 0]
    assert numbers(results) == [0, 1]
    assert results[1] == first[0]
    assert results[0]["folder"] == "seed-0-bn-in.unfinished"
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == [
        "seed-0-bn-in.json",
        "seed-1-bn-in.json",
    ]
    content = json.loads((tmp_path / "runs" / "seed-0-bn-in.json").read_text())
    assert content["settings"] == SETTINGS
    assert "keras" in content["versions"]


def test_stopped_run_keeps_its_folder_and_its_time_counts(works, tmp_path):
    files = RunFiles(tmp_path, SETTINGS)
    with pytest.raises(RuntimeError):
        make_runs(works.plan(13), 2, files)
    folder = tmp_path / "seed-13-bn-in.unfinished"
    write_whole(folder / "epochs.json", json.dumps([{"seconds": 1000}, {"seconds": 500}]))
    plan = [works.plan(13)[0]._replace(work=works.plan(2)[0].work)]
    (result,) = make_runs(plan, 2, files)
    assert 1500 <= result["seconds"] < 1505
    assert not folder.exists()


@pytest.mark.parametrize("finished", [True, False])
def test_runs_with_other_settings_are_refused_before_any_is_made(finished, works, tmp_path):
    files = RunFiles(tmp_path, SETTINGS)
    if finished:
        make_runs(works.plan(1), 2, files)
    else:
        with pytest.raises(RuntimeError):
            make_runs(works.plan(13), 2, files)
    works.made.clear()
    others = RunFiles(tmp_path, {**SETTINGS, "rate": 0.3})
    with pytest.raises(RunFileError, match=r"another `--output`.* rate 0.1 \(now 0.3\)$"):
        make_runs(works.plan(0, 1, 13), 2, others)
    assert works.made == []


@pytest.mark.parametrize("name", ["seed-0-bn-in.json", "seed-0-bn-in.unfinished/settings.json"])
@pytest.mark.parametrize("content", ['{"settings": {"ep', "{}", "[]"])
def test_broken_file_is_named_before_any_run_is_made(name, content, works, tmp_path):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content)
    message = f"must be complete; delete it, or copy it again. Received: {path} "
    with pytest.raises(RunFileError, match=re.escape(message)):
        make_runs(works.plan(1, 0), 2, RunFiles(tmp_path, SETTINGS))
    assert works.made == []


def test_folders_are_joined_by_putting_their_files_together(works, tmp_path):
    for number in (0, 1):
        make_runs(works.plan(number), 2, RunFiles(tmp_path / str(number), SETTINGS))
    (tmp_path / "1" / "seed-1-bn-in.json").rename(tmp_path / "0" / "seed-1-bn-in.json")
    works.made.clear()
    assert numbers(make_runs(works.plan(0, 1), 2, RunFiles(tmp_path / "0", SETTINGS))) == [0, 1]
    assert works.made == []


def test_run_without_its_net_is_made_again(works, tmp_path):
    files = RunFiles(tmp_path, SETTINGS)
    plan = [run._replace(saves_net=True) for run in works.plan(0)]
    for _ in range(2):
        make_runs(plan, 2, files)
        files.net(plan[0].name).touch()
    assert works.made == [0]
    files.net(plan[0].name).unlink()
    make_runs(plan, 2, files)
    assert works.made == [0, 0]


def test_what_a_kill_left_of_a_finished_run_is_removed(works, tmp_path):
    files = RunFiles(tmp_path, SETTINGS)
    make_runs(works.plan(0), 2, files)
    left = tmp_path / "seed-0-bn-in.unfinished"
    left.mkdir()
    make_runs(works.plan(0), 2, files)
    assert not left.exists()


def test_run_that_lacks_its_net_keeps_what_was_done_of_it(works, tmp_path):
    files = RunFiles(tmp_path, SETTINGS)
    make_runs(works.plan(0), 2, files)
    begun = tmp_path / "seed-0-bn-in.unfinished" / "epochs.json"
    begun.parent.mkdir()
    write_whole(begun, json.dumps([{"seconds": 1000}]))
    plan = [run._replace(saves_net=True) for run in works.plan(0)]
    assert make_runs(plan, 2, files)[0]["seconds"] >= 1000


def test_origin_is_that_of_all_files(works, tmp_path):
    files = RunFiles(tmp_path, SETTINGS)
    make_runs(works.plan(0, 1), 2, files)
    path = tmp_path / "seed-0-bn-in.json"
    content = json.loads(path.read_text())
    content["date"], content["result"]["seconds"] = "2026-01-01", 100
    path.write_text(json.dumps(content))
    origin = files.origin(run.name for run in works.plan(0, 1))
    assert origin.seconds == 100
    assert origin.date.startswith("2026-01-01 to 20")
    assert origin.versions == content["versions"]


def test_time_left_counts_what_was_done_before_the_stop(works, tmp_path, capsys):
    files = RunFiles(tmp_path, SETTINGS)
    folder = tmp_path / "seed-0-bn-in.unfinished"
    folder.mkdir()
    write_whole(folder / "epochs.json", json.dumps([{"seconds": 1800}]))
    make_runs(works.plan(0, 1, 2), 2, files)
    first, second, third = capsys.readouterr().out.strip().splitlines()
    assert first.endswith("0 %, 1800.0 s; about 1:00:00 left")
    assert second.endswith("1 %, 0.0 s; about 0:15:00 left")
    assert third.endswith("2 %, 0.0 s")


@pytest.mark.parametrize(
    ("title", "name"),
    [("seed 0  BN+IN  ", "seed-0-bn-in"), ("ResNet-8, white on black", "resnet-8-white-on-black")],
)
def test_file_names_are_letters_digits_and_hyphens(title, name):
    assert file_name(title) == name
