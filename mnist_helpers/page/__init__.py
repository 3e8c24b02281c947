"""A trained network in one HTML file that reads what is drawn in it, and shows why.

``layers.py`` turns a network into a list of layers, which ``network.js`` runs in the browser;
``drawing.js``, ``pad.js`` and ``page.js`` are what one draws on and sees. The file needs nothing beside it.
"""

import base64
import copy
import html
import json
from importlib.resources import files
from pathlib import Path
from string import Template

import numpy as np

from ..data import MNIST_MEAN, MNIST_STD, load_mnist
from ..reading import confusion_matrix, probabilities
from ..running.run_folder import replaced
from .drawing import load_drawings
from .layers import PageError, read_layers

SCRIPTS = ("drawing.js", "pad.js", "network.js", "page.js")
MARK = "<!-- mnist_helpers page -->"  # of a file that may be written again


def write_page(network, path, *, snapshots=(), seen: int = 0, data_dir=None) -> Path:
    """Write a page in which ``network`` reads what is drawn, and return its path.

    ``snapshots`` are those of ``Snapshots``, from the same training; ``seen`` is the number of images that it
    was trained on. The network is left as it is. Evaluates it on the test set, which takes about a second.

    Raises PageError when the network has layers that the page does not know, when ``path`` holds a file that
    is not such a page, or when it cannot be written; DataError when the test set cannot be had.
    """
    path = Path(path)
    try:
        if path.exists() and MARK not in path.read_text(encoding="utf-8", errors="replace")[:200]:
            raise PageError(f"{path}: exists, and is not a page of this course; choose another name")
        text = page_html(network, snapshots=snapshots, seen=seen, data_dir=data_dir)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replaced(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    except OSError as error:
        raise PageError(f"{path}: the page cannot be written ({error.strerror or error})") from None
    return path


def show_page(network, *, height: int = 900, **options):
    """Return the page of ``network`` as a cell's output. ``options`` and errors are as for ``write_page``."""
    from IPython.display import HTML

    text = html.escape(page_html(network, **options))
    frame = f'<iframe srcdoc="{text}" title="A network reads a drawing" width="100%" height="{height}">'
    return HTML(f"<div>{frame}</iframe></div>")  # IPython warns where an iframe comes first


def page_html(network, *, snapshots=(), seen: int = 0, data_dir=None) -> str:
    """Return the whole page as text. Arguments and errors as for ``write_page``."""
    network = copy.deepcopy(network).eval()  # the snapshots are loaded into it
    layers, numbers = read_layers(network)
    _, test = load_mnist(data_dir)
    confidence, predictions = probabilities(network, test.images).max(dim=1)
    confusion = confusion_matrix(test.labels, predictions)
    name = type(network).__name__
    right = int(confusion.diagonal().sum())
    trained = f"Trained on {seen:,} images, it" if seen else "It"
    data = {
        "layers": layers,
        "numbers": encode(numbers),
        "mean": MNIST_MEAN,
        "std": MNIST_STD,
        "seen": seen,
        "confusion": confusion.tolist(),
        "examples": examples(test, confidence),
        "snapshots": [
            {"seen": each["seen"], "numbers": load_half(network, each["model"])} for each in snapshots
        ],
    }
    folder = files(__name__)
    read = lambda file: folder.joinpath(file).read_text(encoding="utf-8")  # noqa: E731
    wrong = f"{10_000 - right:,} of MNIST’s 10,000 test images"
    return Template(read("page.html")).substitute(
        title=html.escape(f"{name} reads what you draw"),
        summary=f"{trained} misreads {wrong}. What does it make of yours?",
        style=read("page.css"),
        script="\n".join(map(read, SCRIPTS)),
        data=json.dumps(data, separators=(",", ":")).replace("<", "\\u003c"),  # text, never markup
    )


def load_half(network, state) -> str:
    """Load an earlier moment into a network, and return its numbers, float16, as base64."""
    try:
        network.load_state_dict(state)
    except RuntimeError:
        raise PageError(f"the snapshots are not of this {type(network).__name__}; leave them out") from None
    return encode(read_layers(network)[1].astype(np.float16))


def encode(numbers) -> str:
    """Return an array's bytes, the lowest of each number first, as base64."""
    return base64.b64encode(numbers.astype(numbers.dtype.newbyteorder("<")).tobytes()).decode()


def examples(test, confidence) -> list[dict]:
    """Return fifteen of the first test digits, the five that are most in doubt, and letters and signs."""
    doubtful = confidence.argsort()[:5].tolist()
    plain = [i for i in range(200) if i not in doubtful]
    first = [next(i for i in plain if test.labels[i] == digit) for digit in range(10)]
    chosen = first + [i for i in plain if i not in first][:5]
    found = [{"name": str(int(test.labels[i])), "pixels": encode(test.images[i].numpy())} for i in chosen]
    for i in doubtful:
        found.append({"name": f"{int(test.labels[i])}, in doubt", "pixels": encode(test.images[i].numpy())})
    return found + load_drawings("signs")
