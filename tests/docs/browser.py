"""Debian's Chromium without a window, driven by Selenium, and a server for the pages it opens."""

import contextlib
import functools
import http.server
import os
import shutil
import threading
import urllib.parse

import pytest

PROGRAMS = ("chromium", "chromedriver")
# Nothing but the pages of a test: no updates, no account, no services of the vendor.
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_args):
        pass


@contextlib.contextmanager
def served(folder):
    """Serves a folder on a free port; yields the address."""
    handler = functools.partial(_Quiet, directory=folder)
    with http.server.ThreadingHTTPServer(("localhost", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://localhost:{server.server_port}"
        finally:
            server.shutdown()


@contextlib.contextmanager
def chromium(profile):
    """Starts the browser; skips the test where there is none, unless one is required."""
    missing = [program for program in PROGRAMS if not shutil.which(program)]
    if missing and not os.environ.get("KERAS_BIN_REQUIRE_BROWSER"):
        pytest.skip(f"needs {' and '.join(missing)} (Debian: apt install chromium chromium-driver)")
    assert not missing, f"not found: {missing}"
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for argument in [*ARGUMENTS, f"--user-data-dir={profile}"]:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options, service)
    try:
        yield driver
    finally:
        driver.quit()


def set_width(driver, width):
    """Gives the page a width in CSS pixels, below the least that a window has, too."""
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 500}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def broken_pictures(driver):
    """Returns the addresses of pictures that the open page cannot show."""
    script = """
        return [...document.images].filter(
            (image) => image.complete && image.naturalWidth === 0 && image.src
        ).map((image) => image.src)
    """
    return driver.execute_script(script)


def search(driver, address, words):
    """Types words into the search box of the site; returns the pages it lists, best first."""
    from selenium.webdriver.common.by import By

    driver.get(f"{address}/index.html")
    box = driver.find_element(By.NAME, "q")
    box.send_keys(words)
    box.submit()
    return _found(driver, address)


def search_by_address(driver, address, words):
    """Opens what the search box leads to, which takes half as long; returns what `search` does."""
    driver.get(f"{address}/search.html?{urllib.parse.urlencode({'q': words})}")
    return _found(driver, address)


def _found(driver, address):
    from selenium.webdriver.common.by import By

    said = "document.querySelector('#search-results p')?.textContent"
    wait_for(driver, f"return /finished|did not match/.test({said})")
    links = driver.find_elements(By.CSS_SELECTOR, "#search-results li > a")
    found = [each.get_attribute("href").removeprefix(f"{address}/") for each in links]
    return [path.replace(".html", "").removesuffix("#") for path in found]


def wait_for(driver, script):
    """Waits until a script returns something true."""
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(driver, 20, poll_frequency=0.02).until(lambda each: each.execute_script(script))
