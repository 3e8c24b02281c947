"""The figures show what they are given."""

import matplotlib
import matplotlib.pyplot as plt
import pytest
import torch

from mnist_helpers import History, load_mnist, plot_confusion, plot_history, show_digits, show_predictions
from mnist_helpers.plots import RED

matplotlib.use("Agg")  # into memory, on a machine with a screen too; for this process, not for the kernels


@pytest.fixture(scope="module")
def digits(data_dir):
    return load_mnist(data_dir)[1]


@pytest.fixture(autouse=True)
def closed():
    yield
    plt.close("all")


def drawn(figure):
    """The axes that hold an image."""
    return [axis for axis in figure.axes if axis.images]


def test_show_digits_draws_each_image_under_its_title(digits):
    figure = show_digits(digits.images[:7], digits.labels[:7].tolist(), columns=3, title="Seven")
    shown = drawn(figure)
    assert len(figure.axes) == 9
    assert len(shown) == 7
    assert [axis.get_title() for axis in shown] == [str(label) for label in digits.labels[:7].tolist()]
    assert (shown[3].images[0].get_array() == digits.images[3].numpy()).all()
    assert figure.get_suptitle() == "Seven"


def test_show_digits_takes_normalised_batches(digits):
    batch = digits.images[:4].unsqueeze(1).float()
    assert len(drawn(show_digits(batch))) == 4


def test_plot_history_draws_line_and_dots():
    history = History(0, [0, 640, 1280, 1920], [2.3, 2.0, 1.5, 1.0], [0, 2560], [2.31, 0.8], [0.1, 0.8])
    axis = plot_history(history, smooth=2).axes[0]
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["training loss", "training loss, mean of 2", "test loss"]
    raw, smooth, test = axis.lines
    assert list(raw.get_xdata()) == history.train_seen
    assert smooth.get_ydata() == pytest.approx([2.15, 1.75, 1.25])
    assert test.get_linestyle() == "None"
    assert test.get_marker() == "o"
    assert axis.get_xlabel() == "training images seen"
    assert "loss" in axis.get_ylabel()


def test_show_predictions_marks_a_mistake_by_more_than_colour(digits):
    labels = torch.tensor([7, 2, 1])
    logits = torch.full((3, 10), -5.0)
    logits[0, 7] = logits[1, 3] = logits[2, 1] = 5.0
    figure = show_predictions(digits.images[:3], labels, logits, columns=3)
    right, wrong = figure.axes[0], figure.axes[1]
    assert "7" in right.get_title()
    assert "100%" in right.get_title().replace(" ", "")
    assert "3" in wrong.get_title()
    assert "2" in wrong.get_title()
    assert wrong.get_title() != right.get_title().replace("7", "3")
    assert not right.axison
    assert wrong.axison, "a frame"
    assert {spine.get_edgecolor() for spine in wrong.spines.values()} == {plt.matplotlib.colors.to_rgba(RED)}


def test_plot_confusion_writes_every_count():
    matrix = torch.arange(100).view(10, 10)
    figure = plot_confusion(matrix)
    written = [text.get_text() for text in figure.axes[0].texts]
    assert len(written) == 100
    assert written[23] == "23"
    assert figure.axes[0].get_xlabel() == "predicted digit"
    assert figure.axes[0].get_ylabel() == "true digit"
    colours = figure.axes[0].images[0].get_array()
    assert colours.diagonal().max() == 0, "the diagonal would drown the mistakes"
