"""The checks of lesson 2, network definition."""

import torch
from torch import nn

from .vocabulary import call, check, tensor

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


@check(right="Smaller kernels, twice the parameters: 800 numbers reach fc1, and it pays for each.")
def variant_parameters(answer):
    """``answer`` is the number of parameters of the variant with kernels of 3 × 3."""
    if isinstance(answer, nn.Module):
        return "this is a network, and a number is asked for. Count its parameters as in section 2.6."
    count = float(answer)
    right = _parameters(side=5)
    if count == right:
        return None
    misreadings = {
        right - 16 - 32 - 50 - 10: "these are the weights alone. Each output has a bias as well.",
        _parameters(side=4): "fc1 has the wrong number of inputs. Which side do the maps have at each step?",
        _parameters(side=7): "fc1 has the wrong number of inputs. A kernel of 3 takes 2 off each side.",
        _parameters(side=6): "fc1 has the wrong number of inputs. Pooling leaves an odd last row out.",
        _parameters(side=11): "fc1 gets the maps after pooling, not before it.",
        right - 32 * 25 * 50 + 320 * 50: "fc1 still has the 320 inputs of Net, and the maps are others now.",
        right - 16 * 9 * 32 + 9 * 32: "conv2 has kernels for one channel. Each of them sees all 16.",
        21_840: "this is Net itself. Its kernels are 5 × 5.",
    }
    if count in misreadings:
        return f"{count:,.0f} is not it: {misreadings[count]}"
    direction = "few" if count < right else "many"
    return f"{count:,.0f} are too {direction}. Follow the side of the maps down from 28, then count by layer."


def _parameters(*, side: int) -> int:
    """Parameters of the variant if the maps before ``fc1`` had ``side`` × ``side`` pixels."""
    return (9 + 1) * 16 + (16 * 9 + 1) * 32 + (32 * side**2 + 1) * 50 + (50 + 1) * 10


@check(right="Only differences between logits count, so none of them is too large.")
def softmax(function):
    """``function`` turns logits (B, C) into probabilities (B, C), by hand and for logits of any size."""
    ordinary = torch.tensor([[2.0, 1.0, 0.0], [-1.0, 0.5, 3.0]])
    cases = {
        "small logits": ordinary,
        "logits of 1000": torch.tensor([[1000.0, 999.0, 0.0], [1000.0, 1000.0, 1000.0]]),
        "logits of -1000": torch.tensor([[-1000.0, -1000.0, -1001.0], [-1000.0, -999.0, -1000.0]]),
        "a row of 1000 above a row of -1000": torch.tensor(
            [[1000.0, 999.0, 998.0], [-1000.0, -999.0, -1000.0]]
        ),
    }
    for name, logits in cases.items():
        given = logits.clone()
        answer = tensor(call(function, given))
        if not torch.equal(given, logits):
            return "it changes the logits it was given. Make a new tensor instead of working in place."
        reason = _explain_softmax(answer, logits, name)
        if reason:
            return reason
    return None


def _explain_softmax(answer, logits, name) -> str | None:
    """Why ``answer`` is not the softmax of ``logits``, or None if it is."""
    if answer.shape != logits.shape:
        return f"the logits are {tuple(logits.shape)} and the result is {tuple(answer.shape)}."
    if not answer.isfinite().all():
        if "above" in name:
            return f"{name} gives {_worst(answer)}. The largest of the batch is not the largest of each row."
        return f"{name} give {_worst(answer)}. What is e to that power, and what may be added to a row?"
    error = (answer - logits.double().softmax(dim=1)).abs()
    if error.max() < TOLERANCE:
        return None
    if (answer - logits.double().log_softmax(dim=1)).abs().max() < TOLERANCE:
        return "these are the logarithms of the probabilities."
    if (answer.sum(dim=0) - 1).abs().max() < TOLERANCE:
        return "the columns add up to 1. Along which dimension do the scores of one image lie?"
    if (answer.sum() - 1).abs() < TOLERANCE:
        return "all numbers together add up to 1. Each row should, by itself."
    sums = answer.sum(dim=1)
    row = int((sums - 1).abs().argmax())
    if (sums[row] - 1).abs() > TOLERANCE:
        return f"for {name} row {row} adds up to {sums[row]:.4g} rather than to 1."
    row, column = divmod(int(error.argmax()), error.shape[1])
    wrong = f"{answer[row, column]:.4f} at [{row}, {column}]"
    return f"for {name} the rows add up to 1, but {wrong} is not the probability."


def _worst(answer) -> str:
    return "nan" if answer.isnan().any() else "infinity"


@check(right="Channels out of one layer are the channels into the next: 8, and then 16 × 5 × 5 = 400.")
def mended(function):
    """``function()`` returns the mended network, (B, 1, 28, 28) to (B, 10)."""
    if isinstance(function, nn.Module):
        return "this is the network itself. Put it inside the function, after return."
    network = call(function)
    if isinstance(network, nn.Sequential):
        reason = _first_misfit(network)
    elif isinstance(network, nn.Module):
        reason = None
    elif isinstance(network, type) and issubclass(network, nn.Module):
        return f"it returned the class {network.__name__} itself. Call it, so that a network is made."
    else:
        return f"it returned {type(network).__name__}, where a network is asked for."
    if reason:
        return reason
    with torch.no_grad():
        shape = tuple(network(torch.rand(3, 1, 28, 28)).shape)
    if shape != (3, 10):
        return f"for three images the result is {shape}; ten logits each are asked for."
    return _other_changes(network)


def _other_changes(network) -> str | None:
    """What else than the two wrong numbers is different in a network whose parts fit, or None."""
    convolutions = [part for part in network.modules() if isinstance(part, nn.Conv2d)]
    counts = [part.out_channels for part in convolutions]
    if counts != [8, 16]:
        return f"the convolutions have {counts} kernels, not 8 and 16. Mend what goes in, not what comes out."
    sizes = [part.kernel_size for part in convolutions]
    if sizes != [(3, 3), (3, 3)]:
        return f"the kernels are now {sizes[0]} and {sizes[1]}. All of it fits, but they were 3 × 3."
    inputs = next((part.in_features for part in network.modules() if isinstance(part, nn.Linear)), None)
    if inputs != 400:
        return (
            f"all of it fits, but with {inputs} inputs to the linear layer. Was padding or pooling changed?"
        )
    return None


def _first_misfit(network) -> str | None:
    """Which part of the network does not take what the part before it gives, or None."""
    x = torch.rand(3, 1, 28, 28)
    for number, part in enumerate(network):
        before = tuple(x.shape)
        try:
            with torch.no_grad():
                x = part(x)
        except (RuntimeError, IndexError):
            return f"part [{number}], a {type(part).__name__}, cannot take {before}. What is it made for?"
    return None
