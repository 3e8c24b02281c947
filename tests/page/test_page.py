"""The page in a browser, opened from file://."""

import math
import os
import re

import pytest
import torch

from mnist_helpers import load_mnist, models, write_page
from mnist_helpers.data import Digits, NormalisedDigits
from mnist_helpers.page.layers import read_layers

from ..support.browser import SEVEN, draw
from ..support.networks import NETWORKS

ALL = os.environ.get("PAGE_IMAGES") == "all"  # in the weekly run


@pytest.fixture(scope="session")
def trained():
    """Net after 200 batches: enough to read a seven."""
    from torch.optim import SGD

    from mnist_helpers import History, make_loaders, set_seed, train_epoch

    torch.set_num_threads(1)
    set_seed(1)
    network, loaders = models.Net(), make_loaders()
    batches = [batch for batch, _ in zip(loaders.train, range(200), strict=False)]
    train_epoch(network, batches, SGD(network.parameters(), lr=0.05, momentum=0.5), History())
    return network.eval()


def answer(page):
    return page.locator("#answer").inner_text()


def read_in_page(page, digits):
    """Return the page's logits for digits, uint8 (N, 28, 28): float64 (N, 10)."""
    ask = "images => images.map(pixels => window.network.logits(pixels))"
    parts = digits.flatten(1).split(500)
    return torch.cat([torch.tensor(page.evaluate(ask, part.tolist()), dtype=torch.float64) for part in parts])


def explained_in_page(page, digit, layers):
    """Return (layer, unit, explanation) for about ten numbers of each layer."""
    asked = []
    for index, layer in enumerate(layers):
        size = math.prod(layer["shape"])
        asked += [(index, unit) for unit in range(0, size, max(size // 10, 1))]
    ask = """([pixels, asked]) => {
        const outputs = network.outputs(pixels);
        return asked.map(([index, unit]) => network.explain(outputs, index, unit));
    }"""
    told = page.evaluate(ask, [digit.flatten().tolist(), asked])
    return [(layers[index], unit, why) for (index, unit), why in zip(asked, told, strict=True)]


@pytest.mark.parametrize("name", NETWORKS)
def test_it_computes_what_pytorch_does(show, name):
    """Test images are read the same, and the parts of each explained number add up to PyTorch's number."""
    network, digits = NETWORKS[name](), load_mnist()[1].images
    few = digits if ALL else digits[:20] if name == "WideNet" else digits[:200]
    images = NormalisedDigits(Digits(few, torch.zeros(len(few)))).images
    page, layers, there = show(network), read_layers(network)[0], {}
    for module_name, module in network.named_modules():
        module.register_forward_hook(lambda *call, key=module_name: there.update({key: call[-1][3].clone()}))
    with torch.no_grad():
        expected = network(images)

    found = read_in_page(page, few)
    assert (found - expected).abs().max() < 1e-4
    assert (found.argmax(dim=1) == expected.argmax(dim=1)).sum() == len(few)

    compared = set()
    for layer, unit, why in explained_in_page(page, few[3], layers):
        if layer["kind"] in ("conv", "linear"):
            total = torch.tensor(why["products"], dtype=torch.float64).sum().item() + why["bias"]
            assert abs(total - why["value"]) < 1e-6
        if layer["name"]:
            assert abs(why["value"] - there[layer["name"]].flatten()[unit].item()) < 1e-3
            compared.add(layer["name"])
    assert len(compared) >= 2


def test_a_seven_is_drawn_and_read_and_cleared(show, trained):
    page = show(trained, seen=12_800)
    assert answer(page) == "Draw a digit, or choose an example."
    draw(page, SEVEN)
    assert answer(page).startswith("It reads 7 (")
    assert page.locator("#bars .best").inner_text().split()[0] == "7"
    assert re.search(
        r"confuses most with 7 is [^7]: \d+ times, either way", page.locator("#partner").inner_text()
    )
    pixels = page.evaluate("pixels")
    picture = page.evaluate("pad.gray.map(row => [...row])")
    assert pixels == page.evaluate("gray => window.network.prepare(gray)", picture)
    draw(page, [(0.4, 0.5), (0.7, 0.5)])
    page.get_by_role("button", name="Undo").click()
    assert page.evaluate("pixels") == pixels
    page.get_by_role("button", name="Clear").click()
    assert answer(page) == "Draw a digit, or choose an example."


def test_the_answer_changes_with_the_stroke_and_not_after_it(show, trained):
    """No timer, no worker: what the pad calls has the answer on the page when it returns."""
    page = show(trained)
    draw(page, SEVEN)
    assert answer(page).startswith("It reads 7 (")
    undone = """() => {
        pad.change(() => pad.strokes.pop());
        return document.querySelector("#answer").innerText;
    }"""
    assert page.evaluate(undone) == "Draw a digit, or choose an example."


def test_without_mnists_form_a_small_seven_in_the_corner_stays_there(show, trained):
    page = show(trained)
    draw(page, [(0.3 * x, 0.3 * y) for x, y in SEVEN])
    assert answer(page).startswith("It reads 7 (")
    page.get_by_label("bring it into MNIST’s form").uncheck()
    pixels = torch.tensor(page.evaluate("pixels")).view(28, 28)
    assert pixels[:10, :10].sum() == pixels.sum() > 0


def test_a_seven_by_keyboard_alone(show, trained):
    page = show(trained)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "drawing"
    assert page.get_by_role("application", name="Drawing area").count() == 1
    for key in [*6 * ["ArrowUp"], *6 * ["ArrowLeft"], " ", *11 * ["ArrowRight"]]:
        page.keyboard.press(key)
    for _ in range(7):
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("ArrowLeft")
    page.keyboard.press(" ")
    assert answer(page).startswith("It reads 7 (")
    assert page.locator(".pad [role=status]").inner_text() == "The pen is up."
    page.keyboard.press("u")
    assert answer(page) == "Draw a digit, or choose an example."


def test_a_number_is_chosen_by_pointer_and_by_keyboard(show, trained):
    page = show(trained)
    draw(page, SEVEN)
    why = page.locator("#why")
    assert "fc2 (linear), unit 7" in why.inner_text()
    assert "for “this is a 7”" in why.inner_text()
    conv1 = page.get_by_label(re.compile(r"^conv1 .*10 maps of 24 × 24"))
    conv1.scroll_into_view_if_needed()
    conv1.hover(position={"x": 40, "y": 40})
    assert re.match(r"conv1 \(convolution\), map 0, row \d+, column \d+: ", why.inner_text())
    assert why.locator("table").count() == 3
    conv1.focus()
    for key in ("PageDown", "ArrowDown", "ArrowRight"):
        before = page.evaluate("selection.unit")
        page.keyboard.press(key)
        step = {"PageDown": 24 * 24, "ArrowDown": 24, "ArrowRight": 1}[key]
        assert page.evaluate("selection.unit") == before + step


def test_examples_are_read_by_a_click(show, trained):
    page = show(trained)
    buttons = page.locator("#examples button")
    names = buttons.all_inner_texts()
    assert len(names) == 26
    assert sum("in doubt" in name for name in names) == 5
    buttons.nth(7).click()
    assert answer(page).startswith("It reads 7 (")
    page.get_by_role("button", name="letter Q").click()
    assert re.match(r"It reads \d \(", answer(page))


def test_the_slider_reads_the_same_drawing_with_earlier_networks(show, trained):
    untrained = {name: tensor.half() for name, tensor in models.Net().state_dict().items()}
    middle = {name: tensor.half() for name, tensor in trained.state_dict().items()}
    kept = [{"seen": 0, "model": untrained}, {"seen": 6_400, "model": middle}]
    page = show(trained, snapshots=kept, seen=12_800)
    draw(page, SEVEN)
    slider = page.get_by_label("Through training")
    heard = []
    for _ in range(3):
        heard.append((page.locator("#seen").inner_text(), page.evaluate("network.logits(pixels)")))
        slider.press("ArrowLeft")
    assert [text for text, _ in heard] == ["trained: after 12,800 images", "after 6,400 images", "untrained"]
    end, half, start = (torch.tensor(logits) for _, logits in heard)
    assert 0 < (end - half).abs().max() < 0.05  # the same but for half precision
    assert (end - start).abs().max() > 1


def test_without_snapshots_there_is_no_slider(show, trained):
    assert not show(trained).get_by_label("Through training").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(show, trained, scheme):
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    kept = [{"seen": 0, "model": trained.state_dict()}]
    page = show(trained, scheme=scheme, snapshots=kept)
    draw(page, SEVEN)
    results = axe.run(page).response
    assert [(found["id"], found["nodes"][0]["html"]) for found in results["violations"]] == []
    assert len(results["passes"]) > 10


@pytest.mark.parametrize("width", [360, 1600])
def test_no_sideways_scrolling(show, trained, width):
    page = show(trained, width=width)
    draw(page, SEVEN)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_names_are_text_and_never_markup(show, tmp_path):
    name = "</script><img src=x onerror=document.title='owned'>$data"
    network = type(name, (models.Net,), {})()
    page = show(network)
    assert page.title() == f"{name} reads what you draw"
    assert page.locator("h1").inner_text() == f"{name} reads what you draw"
    assert page.locator("img").count() == 0
    layers = torch.nn.Sequential()
    layers.add_module("flat", torch.nn.Flatten())
    layers.add_module("</script><b>bold", torch.nn.Linear(784, 10))
    page.goto(write_page(layers, tmp_path / "page.html").as_uri())
    assert page.locator("b").count() == 0
    assert page.get_by_label(re.compile("^</script><b>bold")).count() == 1
