"""The web site: the lessons as they are stored, the README, the core's API, FAULTS.md. Nothing is executed.

``python course.py site`` builds it. The source folder is the repository, so no file has a second copy; what
differs from Jupyter (folded solutions, badges that are fetched from nowhere) is changed while it is read.
"""

import html
import sys
import tomllib
from pathlib import Path

import nbformat
from docutils import nodes

ROOT = Path(__file__).resolve().parent.parent
PROJECT = ROOT / "pyproject.toml"  # it has the address
sys.path[:0] = [str(ROOT), str(ROOT / "site")]

project = "MNIST in notebooks"
html_title = project
language = "en"
root_doc = "site/index"
include_patterns = ["site/*.md", "notebooks/[0-9][0-9]_*.ipynb", "teaching/*.md"]
include_patterns += ["README.md", "CONTRIBUTING.md", "tests/faults/FAULTS.md"]
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton"]

nb_execution_mode = "off"
nb_custom_formats = {".ipynb": "conf.read_lesson"}
nb_ipywidgets_js = {}  # no lesson has a widget, and the scripts would come from the net
myst_heading_anchors = 3
myst_enable_extensions = []  # no $formulas$: a dollar is a dollar in the README
autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_inherit_docstrings = False

REPOSITORY = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
owner, name = REPOSITORY.split("/")[-2:]
html_baseurl = f"https://{owner}.github.io/{name}/"  # for previews, which need a whole address

html_theme = "sphinx_book_theme"
html_static_path = ["static"]
html_css_files = ["course.css"]
templates_path = ["templates"]
html_sidebars = {"**": ["home", "sbt-sidebar-nav"]}
html_show_sphinx = html_show_sourcelink = False
html_theme_options = {
    "repository_url": REPOSITORY,
    "repository_branch": "main",
    "path_to_docs": "",
    "launch_buttons": {"colab_url": "https://colab.research.google.com"},
    "use_repository_button": True,
    "use_download_button": True,
    "show_toc_level": 2,
    "footer_content_items": [],
}


def read_lesson(text: str) -> nbformat.NotebookNode:
    """Return a lesson as the site shows it: its solutions folded, its card with a head."""
    notebook = nbformat.reads(text, as_version=4)
    notebook.cells[1].source = notebook.cells[1].source.replace("| | |", "| About | this lesson |", 1)
    for cell in notebook.cells:
        if "solution" in cell.metadata.get("tags", []):
            cell.metadata["tags"] = [*cell.metadata["tags"], "hide-cell"]
            cell.metadata["mystnb"] = {"code_prompt_show": "Show the solution", "code_prompt_hide": "Hide it"}
    return notebook


def without_remote_pictures(app, doctree) -> None:
    """Show a picture of the site's own in place of Colab's badge, and no other badges."""
    for image in list(doctree.findall(nodes.image)):
        if "colab" in image["uri"]:
            image["uri"] = "/site/colab.svg"
        elif "://" in image["uri"]:
            paragraph = image.parent.parent  # of a link to how the tests went
            paragraph.parent.remove(paragraph)


def describe(app, pagename, templatename, context, doctree) -> None:
    """Give a page its first sentence and picture as its description, for search engines and previews."""
    texts = (part.astext() for part in doctree.findall(nodes.paragraph)) if doctree else ()
    sentence = next((text for text in texts if len(text.split()) > 8), "")
    if sentence:
        content = html.escape(" ".join(sentence.split()))
        context["metatags"] += f'<meta name="description" content="{content}">'
        context["metatags"] += f'<meta property="og:title" content="{html.escape(context["title"])}">'
    uris = (image["uri"] for image in doctree.findall(nodes.image)) if doctree else ()
    picture = next((uri for uri in uris if "_images/" in uri and uri.endswith(".png")), None)
    if picture:
        address = html_baseurl + picture[picture.index("_images/") :]
        context["metatags"] += f'<meta property="og:image" content="{address}">'


def without_field_numbers(app, what, name, member, skip, options) -> bool | None:
    """Leave out a named tuple's fields, which autodoc calls aliases for numbers; the docstring has them."""
    return True if type(member).__name__ == "_tuplegetter" else None


def finish(app, error) -> None:
    """Add the live page of a trained network, and let the folder itself open the first page."""
    if error or app.builder.name != "html":
        return
    from mnist_helpers import load_mnist, write_page
    from mnist_helpers.data import NormalisedDigits
    from mnist_helpers.recipes import FAST, train_recipe

    digits = NormalisedDigits(load_mnist()[0])
    network = train_recipe(FAST, digits.images, digits.labels, seed=1)
    write_page(network, Path(app.outdir) / "page.html", seen=FAST.images_seen)
    to_first = '<!DOCTYPE html><html lang="en"><title>MNIST in notebooks</title><meta http-equiv="refresh" '
    to_first += 'content="0; url=site/index.html"><a href="site/index.html">MNIST in notebooks</a></html>\n'
    (Path(app.outdir) / "index.html").write_text(to_first, encoding="utf-8")


def setup(app) -> None:
    """Connect the functions above to the build."""
    app.connect("doctree-read", without_remote_pictures, priority=100)  # before Sphinx collects them
    app.connect("html-page-context", describe)
    app.connect("autodoc-skip-member", without_field_numbers)
    app.connect("build-finished", finish)
