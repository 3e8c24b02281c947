"""The checks of lesson 2, network definition."""

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from .vocabulary import Wrong, call, check, near, tensor, wrong_kind

# How far a probability may be off: the logarithm of a sum of powers loses this much in float32 at 1000.
TOLERANCE = 1e-3


@check(right="28 → 24 → 12 → 8 → 4: these are the sides of the maps in the network that follows.")
def output_size(function):
    """``function(size, kernel_size, stride)`` counts the places of a window along a side."""
    hints = {
        (28, 5, 1): "draw a row of 28 pixels and count the places at which a window of 5 can start",
        (5, 5, 1): "a window as wide as the picture has one place",
        (24, 2, 2): "windows of 2 that move on by 2 lie side by side",
        (7, 2, 2): "the last pixel is left over, and there is no half place",
        (28, 5, 3): "the starts are 0, 3, 6, ... as long as five pixels are left",
    }
    for (size, kernel_size, stride), hint in hints.items():
        answer = float(call(function, size, kernel_size, stride))
        if answer != (size - kernel_size) // stride + 1:
            return f"for size {size}, kernel_size {kernel_size}, stride {stride} it gives {answer:g}; {hint}."
    return None


@check(right="Only differences between logits count, so none of them is too large.")
def softmax(function):
    """``function`` turns logits (B, C) into probabilities (B, C), by hand and for logits of any size."""
    cases = {
        "small logits": [[2.0, 1.0, 0.0], [-1.0, 0.5, 3.0]],
        "logits of 1000": [[1000.0, 999.0, 0.0], [1000.0, 1000.0, 1000.0]],
        "logits of -1000": [[-1000.0, -1000.0, -1001.0], [-1000.0, -999.0, -1000.0]],
        "a row of 1000 above a row of -1000": [[1000.0, 999.0, 998.0], [-1000.0, -999.0, -1000.0]],
    }
    in_place = "it changes the logits it was given. Make a new tensor instead of working in place."
    for name, logits in cases.items():
        logits = torch.tensor(logits)
        try:
            with _ByHand():
                answer = tensor(call(function, logits, unchanged=in_place))
        except RuntimeError as error:
            if "must match" not in str(error):
                raise
            return (
                "two shapes do not line up. Summed along dim=1, (B, C) is (B,); keepdim=True makes it (B, 1)."
            )
        if reason := _explain_softmax(answer, logits, name):
            return reason
    return None


class _ByHand(TorchFunctionMode):
    """Refuses PyTorch's own softmax."""

    def __torch_function__(self, function, types, arguments=(), named=None):
        if "softmax" in function.__name__:
            raise Wrong("this is PyTorch's softmax. Write your own, from powers and sums.")
        return function(*arguments, **(named or {}))


def _explain_softmax(answer, logits, name) -> str | None:
    """Why ``answer`` is not the softmax of ``logits``, or None if it is."""
    if answer.shape != logits.shape:
        return f"the logits are {tuple(logits.shape)} and the result is {tuple(answer.shape)}."
    if not answer.isfinite().all():
        what = "nan" if answer.isnan().any() else "infinity"
        if "above" in name:
            return f"{name} gives {what}. The largest of the batch is not the largest of each row."
        return f"{name} give {what}. What is e to that power, and what may be added to a row?"
    right = logits.double().softmax(dim=1)
    if near(answer, right, TOLERANCE):
        return None
    if near(answer, logits.double().log_softmax(dim=1), TOLERANCE):
        return "these are the logarithms of the probabilities."
    if near(answer.sum(dim=0), torch.ones(3), TOLERANCE):
        return "the columns add up to 1. Along which dimension do the scores of one image lie?"
    if near(answer.sum(), 1, TOLERANCE):
        return "all numbers together add up to 1. Each row should, by itself."
    sums, error = answer.sum(dim=1), (answer - right).abs()
    row = int((sums - 1).abs().argmax())
    if not near(sums[row], 1, TOLERANCE):
        return f"for {name} row {row} adds up to {sums[row]:.4g} rather than to 1."
    row, column = divmod(int(error.argmax()), 3)
    wrong = f"{answer[row, column]:.4f} at [{row}, {column}]"
    return f"for {name} the rows add up to 1, but {wrong} is not the probability."


@check(right="Channels out of one layer are the channels into the next: 8, and then 16 × 5 × 5 = 400.")
def mended(function):
    """``function()`` returns the mended network, (B, 1, 28, 28) to (B, 10)."""
    if isinstance(function, nn.Module):
        return "this is the network itself. Put it inside the function, after return."
    network = call(function)
    if isinstance(network, type) and issubclass(network, nn.Module):
        return f"it returned the class {network.__name__} itself. Call it, so that a network is made."
    if not isinstance(network, nn.Module):
        return wrong_kind(network, "a network")
    x = torch.rand(3, 1, 28, 28)
    for number, part in enumerate(network if isinstance(network, nn.Sequential) else [network]):
        before = tuple(x.shape)
        try:
            with torch.no_grad():
                x = part(x)
        except (RuntimeError, IndexError):
            if part is network:
                raise
            name = f"part [{number}], a {type(part).__name__},"
            return f"{name} cannot take {before}, from 3 images. What is it made for?"
    if x.shape != (3, 10):
        return f"for three images the result is {tuple(x.shape)}; ten logits each are asked for."
    return _other_changes(list(network.modules()))


def _other_changes(parts) -> str | None:
    """What is different, besides the two wrong numbers, in a network whose parts fit, or None."""
    convolutions = [part for part in parts if isinstance(part, nn.Conv2d)]
    counts, sizes = ([getattr(p, name) for p in convolutions] for name in ("out_channels", "kernel_size"))
    if counts != [8, 16]:
        return f"the convolutions have {counts} kernels, not 8 and 16. Mend what goes in, not what comes out."
    if sizes != [(3, 3), (3, 3)]:
        return f"the kernels are now {sizes[0]} and {sizes[1]}. All of it fits, but they were 3 × 3."
    inputs = next((part.in_features for part in parts if isinstance(part, nn.Linear)), None)
    if inputs != 400:
        return f"all of it fits, but the linear layer has {inputs} inputs. Was padding or pooling changed?"
    return None
