"""The checks of lesson 6, resuming."""

import operator

import torch
from torch.optim import SGD

from ..models import Net
from .vocabulary import NotYet, Wrong, call, check, pair


def _is_truth(value) -> bool:
    # A tensor of one bool and numpy's bool are as good as Python's.
    return isinstance(value, bool) or str(getattr(value, "dtype", "")) in ("bool", "torch.bool")


def _results(function, cases) -> list:
    """Call ``function`` with each tuple of arguments. If some results are None, raise Wrong."""
    results = []
    for arguments in cases:
        try:
            results.append(call(function, *arguments))
        except NotYet:
            results.append(None)
    if all(result is None for result in results):
        raise NotYet
    if any(result is None for result in results):
        raise Wrong("in some cases it returned None; is there a return at the end of every branch?")
    return results


@check(right="Asked before the first batch, this question finds such a fault at once.")
def trains(function):
    """``function(network, optimizer)`` says whether the optimizer holds its parameters and no others."""
    network, twin = Net(), Net()
    twin.load_state_dict(network.state_dict())
    layers = (network.conv1, network.conv2, network.fc1, network.fc2)
    kinds = ([layer.weight for layer in layers], [layer.bias for layer in layers])
    cases = [
        (network, network.parameters(), True, "for an optimizer that was built over network.parameters()."),
        (
            twin,
            network.parameters(),
            False,
            "for another network with equal numbers in it; ask which tensors they are, not what they hold.",
        ),
        (
            network,
            network.fc2.parameters(),
            False,
            "for an optimizer that holds the last layer alone; is every parameter there?",
        ),
        (
            network,
            [*network.parameters(), *twin.parameters()],
            False,
            "for an optimizer that holds another network's parameters as well.",
        ),
        (
            network,
            [{"params": layer.parameters()} for layer in layers],
            True,
            "for an optimizer with four param_groups; look through all of them.",
        ),
        (
            network,
            [{"params": tensors} for tensors in kinds],
            True,
            "for an optimizer that holds the weights first and then the biases; does the order matter?",
        ),
    ]
    answers = _results(function, [(model, SGD(held, lr=0.01)) for model, held, _, _ in cases])
    for answer, (_, _, expected, when) in zip(answers, cases, strict=True):
        if not _is_truth(answer):
            return f"it returned {type(answer).__name__}, where True or False is asked for."
        if bool(answer) != expected:
            return f"it says {bool(answer)} {when}"
    return None


@check(right="That is how a resumed run gets the masks that the unbroken one would have drawn.")
def repeats_the_mask(function):
    """``function(layer, inputs)`` applies dropout two times with one mask and returns both."""
    layer, inputs, calls = torch.nn.Dropout(0.5), torch.ones(1000), []
    layer.register_forward_hook(lambda *_: calls.append(1))
    results = call(function, layer, inputs)
    asked = f"it returned {type(results).__name__}, where two tensors are asked for: return first, second."
    if len(calls) != 2:
        return f"it applied the layer {len(calls)} time(s), where two are asked for."
    first, second = pair(results, asked)
    if bool((first == 1).all()):
        return "nothing was dropped; the layer must stay in training mode."
    if not torch.equal(first, second):
        return (
            f"the two masks differ at {int((first != second).sum())} of 1,000 places; "
            "put the random state back to where it was before the first call."
        )
    if torch.equal(first, call(function, layer, inputs)[0]):
        return (
            "every call of it draws the same mask; use no fixed seed, "
            "and let the state move on after the second application."
        )
    return None


@check(right="Epoch and place, and with them the next image, follow from one integer in the file.")
def place_in_the_data(function):
    """``function(batches)`` returns the epoch (from 1) and how many images of it are used."""
    hints = {
        0: "nothing has been done yet, so it is the first image of epoch 1",
        1500: "these are 938 batches of epoch 1 and 562 of epoch 2",
        938: "that is exactly one epoch, so the next image is the first of epoch 2",
        937: "one batch, the short one, is still to come in epoch 1",
        9380: "these are ten epochs with a short last batch each",
    }
    answers = _results(function, [(batches,) for batches in hints])
    for answer, (batches, hint) in zip(answers, hints.items(), strict=True):
        if not isinstance(answer, (tuple, list)) or len(answer) != 2:
            return f"it returned {answer!r}, where two numbers are asked for: return epoch, images."
        try:
            epoch, images = (operator.index(number) for number in answer)
        except TypeError:
            return f"it returned {answer!r}, and fit takes whole numbers alone; // divides and stays whole."
        if (epoch, images) != (batches // 938 + 1, batches % 938 * 64):
            return f"after {batches:,} batches it says epoch {epoch}, {images:,} images; {hint}."
    return None
