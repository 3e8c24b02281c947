"""The figures that more than one lesson draws. Each function returns the Figure; ``plt.show()`` shows it."""

import matplotlib.pyplot as plt
import torch

# Okabe and Ito's palette, which colour-blind readers can tell apart; line style and marker differ as well.
BLUE, ORANGE, GREEN, RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"


def show_digits(images, titles=None, *, columns=6, title=None, size=1.3):
    """Draw images in a grid, white on black. Written out in lesson 1.

    ``images`` is (N, 28, 28) or (N, 1, 28, 28), of any range of values; ``titles`` has one text or number
    for each image; ``size`` is the width of one image in inches.
    """
    images = images.reshape(-1, 28, 28).cpu().numpy()
    rows = -(-len(images) // columns)  # rounded up
    height = size * (1.0 if titles is None else 1.25) * rows + (0.4 if title else 0)
    figure, axes = plt.subplots(
        rows, columns, figsize=(size * columns, height), squeeze=False, layout="constrained"
    )
    for axis in axes.flat:
        axis.set_axis_off()
    for index, (axis, image) in enumerate(zip(axes.flat, images, strict=False)):
        axis.imshow(image, cmap="gray")
        if titles is not None:
            axis.set_title(str(titles[index]), fontsize=9)
    if title:
        figure.suptitle(title)
    return figure


def plot_history(history, *, title="Loss against images seen", smooth=0):
    """Draw the training loss as a line and the test loss as dots. Written out in lesson 4.

    ``history`` is a History; with ``smooth=n`` the mean of each n neighbouring training losses is drawn over
    the raw ones. Both axes are labelled: images seen, and the mean cross-entropy in nats.
    """
    figure, axis = plt.subplots(figsize=(7, 4), layout="constrained")
    raw = torch.tensor(history.train_losses)
    axis.plot(
        history.train_seen, raw, color=BLUE, alpha=0.35 if smooth else 1, linewidth=1, label="training loss"
    )
    if smooth:
        window = raw.unfold(0, smooth, 1).mean(dim=1)  # (len - smooth + 1,)
        middle = history.train_seen[smooth // 2 : smooth // 2 + len(window)]
        axis.plot(middle, window, color=BLUE, linewidth=2, label=f"training loss, mean of {smooth}")
    axis.plot(
        history.test_seen, history.test_losses, "o", color=RED, markersize=7, zorder=3, label="test loss"
    )
    axis.set(xlabel="training images seen", ylabel="loss (nats)", title=title)
    axis.set_ylim(bottom=0)
    axis.legend()
    return figure


def show_predictions(images, labels, logits, *, columns=6, title=None):
    """Draw digits with the network's answers and confidences; a mistake has a cross, its label and a frame.

    ``images`` (N, 1, 28, 28) or (N, 28, 28), ``labels`` (N,), ``logits`` (N, 10). Written out in lesson 5.
    """
    confidence, predicted = logits.cpu().softmax(dim=1).max(dim=1)  # (N,) each
    titles = []
    answers = zip(predicted.tolist(), labels.tolist(), confidence.tolist(), strict=True)
    for digit, label, share in answers:
        said = f"{digit}" if digit == label else f"✗ {digit}, label {label}"
        titles.append(f"{said}\n{share:.0%}")
    figure = show_digits(images, titles, columns=columns, title=title)
    for axis, said in zip(figure.axes, titles, strict=False):  # the last row may have empty cells
        if said.startswith("✗"):
            axis.set_axis_on()  # show_digits had switched it off, and the frame with it
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set(color=RED, linewidth=3)  # the four sides
            axis.title.set_fontweight("bold")
    return figure


def plot_confusion(matrix, *, title="Confusion matrix"):
    """Draw a matrix of counts (10, 10), rows true digits and columns predictions. Written out in lesson 5.

    The diagonal, which holds the hits, is grey: the colours tell the mistakes apart.
    """
    counts = torch.as_tensor(matrix).cpu()
    mistakes = counts.clone().fill_diagonal_(0)
    figure, axis = plt.subplots(figsize=(6.5, 5.6), layout="constrained")
    shown = axis.imshow(mistakes.numpy(), cmap="Oranges", vmin=0)
    for row in range(10):
        axis.add_patch(plt.Rectangle((row - 0.5, row - 0.5), 1, 1, color="lightgrey"))  # the hits
        for column in range(10):
            count = int(counts[row, column])
            dark = mistakes[row, column] > 0.75 * mistakes.max()  # white is easier to read from there on
            weight = "bold" if row == column else "normal"
            colour = "white" if dark else "black"
            axis.text(
                column, row, count or "·", ha="center", va="center", color=colour, weight=weight, fontsize=9
            )
    axis.set(xticks=range(10), yticks=range(10), xlabel="predicted digit", ylabel="true digit", title=title)
    whole_numbers = plt.MaxNLocator(integer=True)
    figure.colorbar(shown, label="mistakes (images)", shrink=0.8, ticks=whole_numbers)
    return figure
