"""What a type checker says of users' programs, in a clone and where keras_bin is installed."""

import re
import shutil
import subprocess
import sys
import venv
from fnmatch import fnmatch
from pathlib import Path

import pytest

import keras_bin
import keras_bin.export
from tests import typed_program
from tests.structure import PACKAGES, ROOT

PROGRAMS = [Path(__file__).with_name(f"{name}_program.py") for name in ("typed", "mistyped")]
# What is wrong in keras_bin itself is not the user's.
OPTIONS = ["--strict", "--ignore-missing-imports", "--follow-imports=silent", "--hide-error-codes"]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("mypy")


@pytest.fixture
def in_a_clone():
    """The folder to start in, the programs, and the Python that they are for."""
    return ROOT, PROGRAMS, Path(sys.executable)


@pytest.fixture
def installed(tmp_path):
    """Likewise, with keras_bin in the site-packages of another Python, where a wheel puts it."""
    venv.create(tmp_path / "venv", symlinks=True)
    (site_packages,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    for package, folder in PACKAGES.items():
        shutil.copytree(
            ROOT / folder,
            site_packages / package.replace(".", "/"),
            ignore=shutil.ignore_patterns("__pycache__", "export"),
        )
    programs = [Path(shutil.copy(program, tmp_path)) for program in PROGRAMS]
    return tmp_path, programs, tmp_path / "venv" / "bin" / "python"


def errors(folder, programs, python, cache):
    """Returns program, line and message of each error that mypy finds."""
    where = ["--config-file=", f"--cache-dir={cache}", f"--python-executable={python}"]
    command = [sys.executable, "-m", "mypy", *where, *OPTIONS, *map(str, programs)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return [
        (Path(file).name, int(line), message)
        for file, line, message in re.findall(r"(?m)^(.+?):(\d+): error: (.*)$", done.stdout)
    ]


def expected():
    """Returns program, line and the start of the message of each mistake."""
    return [
        (program.name, number + 1, line.partition("# error: ")[2])
        for program in PROGRAMS
        for number, line in enumerate(program.read_text(encoding="utf-8").splitlines(), 1)
        if "# error: " in line
    ]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["in_a_clone", "installed"])
def test_mistakes_alone_are_found(where, cache, request):
    found = errors(*request.getfixturevalue(where), cache)
    assert [each[:2] for each in found] == [each[:2] for each in expected()], found
    for (_, _, message), (_, _, start) in zip(found, expected(), strict=True):
        assert message.startswith(start)


@pytest.mark.slow
def test_typed_program_runs(tmp_path):
    assert typed_program.main(tmp_path) < 1e-4


@pytest.mark.parametrize(
    "name",
    sorted(
        {
            getattr(package, name).__module__
            for package in (keras_bin, keras_bin.export)
            for name in package.__all__
        }
    ),
)
def test_modules_of_public_names_are_checked_in_full(name):
    (listed,) = re.findall(
        r"in full\.\n\[\[tool\.mypy\.overrides\]\]\nmodule = \[(.*?)\]",
        (ROOT / "pyproject.toml").read_text(encoding="utf-8"),
        re.DOTALL,
    )
    assert any(fnmatch(name, pattern) for pattern in re.findall('"(.*?)"', listed))
