"""The web site, built as ``python course.py site`` builds it, in a browser without a network."""

import html
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.lessons.notebooks import NOTEBOOKS, code_cells, number, read, tagged

pytest.importorskip("sphinx")


@pytest.fixture(scope="module")
def site(tmp_path_factory, data_dir):
    """The folder of the site; a warning of Sphinx, such as one about a dead link, is an error."""
    folder = tmp_path_factory.mktemp("built")
    build = "import course, sys; sys.exit(course.build_site(sys.executable, sys.argv[1]))"
    command = [sys.executable, "-c", build, folder / "site"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert f"open {folder / 'site' / 'index.html'}" in done.stdout
    return folder / "site"


@pytest.fixture(scope="module")
def pages(site) -> list[Path]:
    """What a reader can open; not the search, and no index that is made for machines."""
    found = [page for place in ("site", "notebooks", "teaching") for page in (site / place).glob("*.html")]
    return [*sorted(found), *site.glob("[A-Z]*.html"), site / "tests" / "faults" / "FAULTS.html"]


@pytest.fixture
def tab(browser, site):
    """A page of a browser that has no network; at the end, nothing beyond the site has been asked for."""
    context = browser.new_context(offline=True)
    tab, asked = context.new_page(), []
    tab.set_default_timeout(120_000)
    tab.on("request", lambda request: asked.append(request.url))
    yield tab
    inside = (site.as_uri(), "data:", "blob:", "about:")
    assert [url for url in asked if not url.startswith(inside)] == []
    context.close()


def test_every_lesson_has_its_page_and_the_whole_fits_on_a_stick(site, pages):
    assert {path.stem for path in NOTEBOOKS} < {page.stem for page in pages}
    files = [path for path in site.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 40e6
    assert (site / "page.html").stat().st_size < 300_000


def test_the_first_page_has_the_live_network_the_commands_and_the_lessons(site, tab):
    tab.goto((site / "index.html").as_uri())
    tab.wait_for_url("**/site/index.html")
    tab.frame_locator(".live-page").locator(".drawing").wait_for()
    text = tab.locator("article").inner_text()
    for part in ("python course.py\n", "python course.py test"):
        assert part in text
    assert tab.locator("article a[href*='notebooks/']").count() >= len(NOTEBOOKS)


def test_nothing_is_wrong_by_axe_in_light_and_dark(pages, tab):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    wrong = {}
    for page in pages if os.environ.get("SITE_PAGES") == "all" else pages[:1] + pages[4:5] + pages[-4:]:
        tab.goto(page.as_uri())
        tab.add_style_tag(content="* { transition: none !important }")  # else colours are judged on their way
        found = axe.run(tab).response["violations"]
        tab.evaluate("document.documentElement.dataset.theme = 'dark'")
        dark = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
        found += axe.run(tab, options=dark).response["violations"]
        if found:
            wrong[page.name] = [(each["id"], each["nodes"][0]["html"][:200]) for each in found]
    assert wrong == {}


def test_no_page_scrolls_sideways_on_a_phone(pages, tab):
    tab.set_viewport_size({"width": 360, "height": 740})
    wide = {}
    for page in pages:
        tab.goto(page.as_uri())
        width = tab.evaluate("document.documentElement.scrollWidth")
        if width > 360:
            wide[page.name] = width
    assert wide == {}


WORDS = {  # and the lesson that comes first, or among the first three
    "broadcasting": "01",
    "pooling": "02",
    "zero_grad": "03",
    "overfit": "04",
    "calibration": "05",
    "checkpoint": "06",
    "argparse": "07",
    "permutation": "08",
    "swanlab": "09",
    "muon": "10",
    "all_reduce": "11",
}


@pytest.mark.parametrize("word", WORDS)
def test_the_search_finds_the_lesson(word, site, tab):
    tab.goto(f"{(site / 'search.html').as_uri()}?q={word}")
    tab.wait_for_selector("#search-results li a")
    first = tab.locator("#search-results li > a").evaluate_all("links => links.map(link => link.href)")[:3]
    assert any(f"notebooks/{WORDS[word]}_" in link for link in first), first


@pytest.mark.parametrize("path", NOTEBOOKS, ids=number)
def test_figures_have_their_sentences_and_solutions_are_folded(path, site):
    text = (site / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
    cells = code_cells(read(path))
    sentences = [cell.metadata["mystnb"]["image"]["alt"] for cell in cells if "mystnb" in cell.metadata]
    shown = [html.unescape(each) for each in re.findall(r'<img alt="([^"]*)"[^>]*_images', text)]
    assert [each for each in shown if each in sentences] == sentences
    assert not [each for each in shown if "/" in each or each.endswith(".png")], "a file's name"
    assert text.count("Show the solution") == len(tagged(read(path), "solution"))


def test_a_lesson_by_the_keyboard_alone(site, tab):
    """Tab reaches the link past the navigation first; a fold opens by Enter."""
    tab.goto((site / "notebooks" / f"{NOTEBOOKS[2].stem}.html").as_uri())
    tab.keyboard.press("Tab")
    assert "main content" in tab.evaluate("document.activeElement.textContent")
    fold = tab.locator("details.hide summary").first
    fold.focus()
    before = fold.evaluate("summary => summary.parentElement.open")
    tab.keyboard.press("Enter")
    assert (before, fold.evaluate("summary => summary.parentElement.open")) == (False, True)


def test_the_first_page_by_the_keyboard_alone(site, tab):
    """Tab reaches the search, the switch of the theme and the lessons; Enter opens one."""
    tab.goto((site / "site" / "index.html").as_uri())
    seen = ""
    for _ in range(120):
        tab.keyboard.press("Tab")
        seen += tab.evaluate("document.activeElement.outerHTML.slice(0, 300)")
        if "01_data_exploration" in seen and "theme-switch" in seen and "search" in seen:
            break
    else:
        pytest.fail(seen)
    tab.locator("article a[href*='01_data_exploration']").first.focus()
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/notebooks/01_data_exploration.html*")


def test_a_lesson_prints_with_its_figures_and_whole_lines(site, tab):
    tab.goto((site / "notebooks" / f"{NOTEBOOKS[3].stem}.html").as_uri())
    figures = sum("mystnb" in cell.metadata for cell in code_cells(read(NOTEBOOKS[3])))
    assert tab.pdf().count(b"/Subtype /Image") >= figures
    tab.emulate_media(media="print")
    tab.set_viewport_size({"width": 700, "height": 900})  # of a sheet, in pixels
    cut = tab.locator("article pre").evaluate_all("all => all.filter(e => e.scrollWidth > e.clientWidth)")
    assert cut == []


def test_every_lesson_has_a_picture_and_a_sentence_for_previews(site):
    for path in NOTEBOOKS:
        text = (site / "notebooks" / f"{path.stem}.html").read_text(encoding="utf-8")
        assert re.search('<meta name="description" content="[^"]{40,}">', text), path.name
        picture = re.search('<meta property="og:image" content="https://[^"]*/(_images/[^"]*)">', text)
        assert (site / picture[1]).exists()


def test_a_lesson_links_to_colab_and_to_its_file(site):
    name = NOTEBOOKS[0].name
    text = (site / "notebooks" / f"{NOTEBOOKS[0].stem}.html").read_text(encoding="utf-8")
    assert re.search(rf'href="https://colab.research.google.com/github/\S+/notebooks/{name}"', text)
    assert f'href="../_sources/notebooks/{name}"' in text
    assert (site / "_sources" / "notebooks" / name).exists()


def test_one_folder_is_what_the_command_takes(capsys):
    import course

    for words in (["site", "a", "b"], ["site", "--fast"]):
        with pytest.raises(SystemExit, match="2"):
            course.read_arguments(words)
        assert "site takes one folder" in capsys.readouterr().err
    assert course.read_arguments(["site", "stick"])[1] == ["stick"]
