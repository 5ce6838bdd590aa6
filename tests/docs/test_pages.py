"""The code and the commands on the pages of docs/, each page run from top to bottom."""

import re
import subprocess
import warnings

import pytest

from keras_bin_cli.program import main
from tests import forks
from tests.docs import pages
from tests.keras_versions import needs_keras

# Programs that a page may tell to run; those other than keras-bin are started by `.ci/run`, or
# take longer than a test may.
KNOWN = {"keras-bin", "python", "python3", "pip", "apt", "docker", "curl"}
LANGUAGES = {"python", "shell", "py", "sh", "console", "text"}
NEEDS = dict.fromkeys(("exporting", "runtimes"), needs_keras("3.13", "exports nothing to LiteRT"))
RUN = [
    pytest.param(page, id=page.stem, marks=NEEDS.get(page.stem, ()))
    for page in pages.PAGES
    if pages.blocks(page, "python", "shell")
]
COMMANDS = [
    (page, words)
    for page in (*pages.PAGES, *pages.READMES)
    for _, text in pages.blocks(page, "shell")
    for words in pages.commands(text)
]


def run_commands(text):
    """Runs the commands of keras-bin in a shell block; warnings are no errors there."""
    for words in pages.commands(text):
        if words[0] == "keras-bin":
            with warnings.catch_warnings():
                warnings.simplefilter("default")
                assert main(words[1:]) == 0, " ".join(words)


@pytest.mark.parametrize("page", pages.PAGES, ids=lambda page: page.stem)
def test_blocks_are_of_languages_that_say_whether_they_run(page):
    """Others would be neither run nor checked."""
    fences = re.findall(r"^ *```+ *(.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert [fence for fence in fences if fence[0] != "{" and fence not in LANGUAGES] == []


@pytest.mark.slow
@pytest.mark.parametrize("page", RUN)
def test_page_runs(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", forks.run)
    names = {"__name__": f"docs.{page.stem}"}
    for language, text in pages.blocks(page, "python", "shell"):
        if language == "python":
            exec(compile(text, str(page), "exec"), names)
        else:
            run_commands(text)


@pytest.mark.parametrize(("page", "words"), COMMANDS, ids=lambda value: str(value)[-60:])
def test_command_is_known_and_names_files_that_exist(page, words):
    assert words[0].removeprefix(".venv/bin/") in KNOWN
    for word in words:
        if word.endswith((".py", ".ipynb")) and word.startswith(("examples/", "tests/")):
            assert (pages.ROOT / word).exists()
