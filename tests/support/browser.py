"""A headless Chromium, as Debian packages it or as the reader's machine has it."""

import os
import shutil
from contextlib import contextmanager

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Chromium asks its makers' servers at its start, and as root it needs --no-sandbox.
OPTIONS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
SEVEN = [(0.3, 0.25), (0.7, 0.25), (0.6, 0.5), (0.5, 0.8)]  # a stroke


@contextmanager
def chromium():
    """Yield a Playwright browser, or skip the test where there is none."""
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium here; .ci/run installs it on Debian, elsewhere set CHROMIUM to its path")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        yield browser
        browser.close()


def draw(page, points):
    """Draw one stroke with the mouse, and leave the page time to answer."""
    area = page.locator(".drawing")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()
