"""The site as Sphinx builds it, read by a parser and by a browser, as on a phone and a desk."""

import html.parser
import re
import sys
import urllib.parse

import pytest

from tests import forks
from tests.docs import browser, pages, questions

WIDTHS = {"phone": 390, "desk": 1400}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the site, built without a warning; a link to nowhere on it is one."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--quiet", pages.DOCS, folder]
    done = forks.run(command)
    assert done.returncode == 0, done.stderr
    return folder


def stems():
    """Returns the pages, by their paths without an ending."""
    sources = [*pages.PAGES, *pages.DOCS.glob("*.ipynb")]
    return sorted(str(path.relative_to(pages.DOCS).with_suffix("")) for path in sources)


class Page(html.parser.HTMLParser):
    """Addresses that a page leads to or loads, and places on it that others can lead to."""

    def __init__(self, path):
        super().__init__()
        self.links, self.places, self.loaded = set(), {""}, set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("href", "src"):
                self.links.add(value)
                if name == "src" or tag == "link":
                    self.loaded.add(value)
            elif name in ("id", "name"):
                self.places.add(value)


@pytest.mark.slow
def test_every_page_is_built(site):
    assert [stem for stem in stems() if not (site / f"{stem}.html").is_file()] == []


@pytest.mark.slow
def test_links_of_the_site_lead_to_a_page_and_a_place_on_it(site):
    parsed = {path: Page(path) for path in site.rglob("*.html")}
    broken = []
    for path, page in parsed.items():
        for link in page.links:
            address = urllib.parse.urlsplit(link)
            if address.scheme or address.netloc:
                continue
            inner = urllib.parse.unquote(address.path)
            target = (path.parent / inner).resolve() if inner else path
            places = parsed[target].places if target in parsed else {address.fragment}
            if not target.exists() or address.fragment not in places:
                broken.append((path.name, link))
    assert broken == []


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(site):
    for path in site.rglob("*.html"):
        assert [link for link in Page(path).loaded if "//" in link] == []
    for path in site.rglob("*.css"):
        assert not re.search(r"@import|url\(['\"]?(https?:)?//", path.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_docstrings_are_rendered_as_they_are_meant(site):
    """Examples and formulas are blocks, what is returned is no type, and no markup is left over."""
    for path in (site / "api").glob("*.html"):
        text = re.sub(r"<pre>.*?</pre>", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
        assert not re.search(r"&gt;&gt;&gt;|``|::\s*<|Return type", text), path.name


@pytest.fixture(scope="module")
def driver(site, tmp_path_factory):
    """A browser, and the address of the site."""
    with browser.served(site) as address:
        with browser.chromium(tmp_path_factory.mktemp("profile")) as chromium:
            yield chromium, address


@pytest.mark.slow
@pytest.mark.parametrize("stem", stems())
def test_page_opens_without_an_error_and_fits(driver, stem):
    chromium, address = driver
    chromium.get(f"{address}/{stem}.html")
    for width in WIDTHS.values():
        browser.set_width(chromium, width)
        inner, outer = chromium.execute_script(
            "const page = document.documentElement; return [page.scrollWidth, page.clientWidth]"
        )
        assert inner <= outer, width
    assert browser.broken_pictures(chromium) == []
    assert chromium.get_log("browser") == []


@pytest.mark.slow
@pytest.mark.parametrize(("words", "wanted"), questions.SEARCHES)
def test_search_finds_the_page(driver, words, wanted):
    chromium, address = driver
    browser.set_width(chromium, WIDTHS["desk"])
    found = browser.search_by_address(chromium, address, words)
    assert chromium.get_log("browser") == []
    assert wanted in [each.split("#")[0] for each in found[:5]]


@pytest.mark.slow
def test_page_opens_after_a_search_for_words_in_the_titles_of_icons(driver):
    chromium, address = driver
    browser.search(chromium, address, "contents gates")
    chromium.get(f"{address}/gates.html")
    browser.wait_for(chromium, "return document.querySelectorAll('.highlighted').length > 0")
    assert chromium.get_log("browser") == []


@pytest.mark.slow
@pytest.mark.parametrize("width", WIDTHS)
def test_search_lists_a_heading_of_these_words(driver, width):
    chromium, address = driver
    browser.set_width(chromium, WIDTHS[width])
    assert "command-line#exit-codes" in browser.search(chromium, address, "exit codes")[:2]
    assert browser.search(chromium, address, "zzqqxx") == []
