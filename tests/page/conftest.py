"""Pages in a browser."""

import pytest

from mnist_helpers import write_page


@pytest.fixture
def visit(browser):
    """Return a function that opens a file. At the end, none has asked for anything else or had an error."""
    opened = []

    def open_file(path, width=1200, scheme="light"):
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        page.set_default_timeout(120_000)
        asked, errors = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text))
        page.goto(path.as_uri())
        opened.append((page, path, asked, errors))
        return page

    yield open_file
    for page, path, asked, errors in opened:
        assert errors == []
        assert {url for url in asked if not url.startswith("data:")} == {path.as_uri()}
        page.close()


@pytest.fixture(scope="session")
def written():
    """The pages without options that were written so far, by network: each takes a pass over the test set."""
    return {}


@pytest.fixture
def show(visit, written, tmp_path):
    """Return a function that opens the page of a network."""

    def show_network(network, *, width=1200, scheme="light", **options):
        path = None if options else written.get(network)
        if path is None:
            path = write_page(network, tmp_path / "page.html", **options)
        if not options:
            written[network] = path
        return visit(path, width, scheme)

    return show_network
