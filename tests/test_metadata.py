"""What an index of packages shows, and where the pages of the repository lead."""

import configparser
import html.parser
import importlib.metadata
import os
import re
import runpy
import subprocess
from pathlib import Path

import markdown_it
import pytest

import keras_bin

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", ROOT / "examples" / "README.md"]
CHANGELOG = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
CODE = re.compile(r"```.*?```", re.DOTALL)


class Links(html.parser.HTMLParser):
    """The addresses in a page of Markdown, of links and of pictures."""

    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(markdown_it.MarkdownIt("commonmark").enable("table").render(text))

    def handle_starttag(self, tag, attrs):
        self.found += [value for name, value in attrs if name in ("href", "src")]


@pytest.fixture(scope="module")
def metadata():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config["metadata"]


@pytest.fixture(scope="module")
def description():
    return runpy.run_path(str(ROOT / "setup.py"))["description"](README.read_text("utf-8"))


def test_index_shows_no_link_and_no_picture_that_need_a_clone(description):
    assert [link for link in Links(description).found if not link.startswith("https://")] == []
    assert "](" not in re.sub(r"\]\(https://", "", CODE.sub("", description))


def test_index_shows_the_readme(description):
    """All its sections, code and tables, and every line that no marker excludes."""
    readme = README.read_text(encoding="utf-8")
    assert readme.count("<!-- in a clone -->") == readme.count("<!-- end -->") == 2
    assert "<!--" not in description
    assert CODE.findall(description) == CODE.findall(readme)
    for beginning in ("#", "|", "- ", "    y ="):
        lines = [line for line in readme.splitlines() if line.startswith(beginning)]
        assert lines
        for line in lines:
            assert re.sub(r"\[([^\]]*)\]\(\S+\)", r"\1", line) in description


def test_index_is_given_the_description_at_installation(description):
    shown = importlib.metadata.metadata("keras-bin")
    assert shown["Description-Content-Type"].startswith("text/markdown")
    again = "README.md or setup.py has changed since: pip install --no-deps -e ."
    assert shown.get_payload().strip() == description.strip(), again


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page):
    links = Links(page.read_text(encoding="utf-8")).found
    inner = [link for link in links if ":" not in link]
    assert [link for link in inner if "#" in link] == []  # whose places are not looked for
    assert [link for link in inner if not (page.parent / link).exists()] == []


def test_version_stands_in_one_place(metadata):
    assert metadata["version"] == "attr: keras_bin.__version__"
    assert importlib.metadata.version("keras-bin") == keras_bin.__version__
    assert "\nversion:" not in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_changelog_begins_with_this_version():
    versions = re.findall(r"^## (\S+) \((\d{4}-\d\d-\d\d)\)$", CHANGELOG, re.MULTILINE)
    assert versions[0][0] == keras_bin.__version__
    assert versions == sorted(versions, key=lambda each: each[1], reverse=True)
    assert len(versions) == CHANGELOG.count("\n## ")


def test_licence_is_an_expression_of_spdx(metadata):
    assert metadata["license_expression"] == "Apache-2.0"
    assert "License ::" not in metadata["classifiers"]


@pytest.mark.parametrize("script", ["run", "ranges"])
def test_script_of_ci_runs_in_a_shell(script):
    path = ROOT / ".ci" / script
    assert os.access(path, os.X_OK)
    subprocess.run(["bash", "-n", path], check=True)


def test_ranges_find_the_oldest_python_and_every_requirement():
    """`.ci/ranges` reads these lines of setup.cfg; a requirement without a bound has no lowest."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    assert re.fullmatch(r">=3\.\d+", config["options"]["python_requires"])
    groups = [config["options"]["install_requires"], *config["options.extras_require"].values()]
    lines = [line for group in groups for line in group.split("\n") if line]
    unbounded = [line for line in lines if not re.search(r"[>=]=", line)]
    assert [line for line in unbounded if not line.startswith("keras-bin[")] == []
