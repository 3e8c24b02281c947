"""The pad and the page in JupyterLab, in a real browser."""

import json
import os
import re
import subprocess
import sys
import time

import nbformat
import pytest

from mnist_helpers.page.drawing import draw_strokes
from mnist_helpers.pictures import prepare

from ..support.browser import SEVEN, draw

CELLS = [
    "from mnist_helpers import Net, Pad, show_page\npad = Pad()\npad",
    "import json\nprint('drawn', json.dumps([pad.strokes, pad.width, pad.digit.flatten().tolist()]))",
    "show_page(Net(), height=700)",
]


@pytest.fixture
def lab(tmp_path):
    """JupyterLab in an empty folder, with a notebook of CELLS; yields the notebook's address."""
    cells = [nbformat.v4.new_code_cell(source) for source in CELLS]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}  # or JupyterLab asks for it
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=kernel), tmp_path / "pad.ipynb")
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path),
        "JUPYTER_WIDGETS_ECHO": "0",  # what the kernel repeats would hide a stroke that was not sent
    }
    options = [
        "--no-browser",
        "--allow-root",
        "--port=0",
        "--IdentityProvider.token=pad",
        "--LabApp.news_url=",
    ]
    command = [sys.executable, "-m", "jupyterlab", *options]
    log = tmp_path / "lab.log"
    with (
        open(log, "w") as file,
        subprocess.Popen(command, cwd=tmp_path, env=environment, stderr=file) as server,
    ):
        try:
            while not (found := re.search(r"http://\S+:(\d+)/lab", log.read_text())):
                assert server.poll() is None, log.read_text()
                time.sleep(0.2)
            yield f"http://localhost:{found[1]}/lab/tree/pad.ipynb?token=pad"
        finally:
            server.terminate()


def test_the_pad_and_the_page(browser, lab):
    pytest.importorskip("anywidget")
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    page.set_default_timeout(240_000)
    page.goto(lab)
    page.get_by_text("Python 3 (ipykernel) | Idle").wait_for()
    page.locator(".jp-Cell").first.click()
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+Enter")
    page.locator(".jp-OutputArea .drawing").wait_for()
    for stroke in (SEVEN, [(0.3, 0.5), (0.7, 0.5)]):  # each is handed over by itself
        draw(page, stroke)
        page.wait_for_timeout(1000)
    page.locator(".jp-Cell .jp-InputArea-editor").nth(1).click()
    page.keyboard.press("Shift+Enter")
    said = page.locator(".jp-OutputArea-output", has_text=re.compile("^drawn")).inner_text()
    strokes, width, digit = json.loads(said.removeprefix("drawn"))
    assert len(strokes) == 2
    assert len(strokes[0]) == 13
    for place, drawn in zip(SEVEN, strokes[0][::4], strict=True):
        assert drawn == pytest.approx(place, abs=0.01)
    assert digit == prepare(draw_strokes(strokes, width)).flatten().tolist()

    page.keyboard.press("Shift+Enter")
    inside = page.frame_locator("iframe")
    inside.get_by_role("button", name="letter Q").click()
    assert inside.locator("#answer").inner_text().startswith("It reads ")
    page.close()
