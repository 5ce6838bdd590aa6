"""What an index of packages shows, and where the pages of the repository lead."""

import configparser
import importlib.metadata
import re
from pathlib import Path

import pytest

import keras_bin
from tests.test_readme import TRAINING

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "examples" / "README.md", *sorted(ROOT.glob("docs/*.md"))]
LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def metadata():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    return config["metadata"]


@pytest.fixture(scope="module")
def description(metadata):
    return (ROOT / metadata["long_description"].removeprefix("file: ")).read_text(encoding="utf-8")


def test_index_shows_no_link_that_works_in_a_clone_only(description):
    links = LINK.findall(description)
    assert links
    assert [link for link in links if not link.startswith("https://")] == []


def test_index_shows_the_snippet_of_the_readme(description):
    assert re.findall(r"```python\n(.*?)```", description, re.DOTALL)[0] == TRAINING


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page):
    links = [link for link in LINK.findall(page.read_text(encoding="utf-8")) if ":" not in link]
    missing = [link for link in links if not (page.parent / link.split("#")[0]).exists()]
    assert missing == []


def test_version_stands_in_one_place(metadata):
    assert metadata["version"] == "attr: keras_bin.__version__"
    assert importlib.metadata.version("keras-bin") == keras_bin.__version__
    assert "\nversion:" not in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_licence_is_an_expression_of_spdx(metadata):
    assert metadata["license_expression"] == "Apache-2.0"
    assert "License ::" not in metadata["classifiers"]
