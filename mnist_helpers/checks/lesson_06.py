"""The checks of lesson 6, resuming."""

import operator

import torch
from torch import nn
from torch.optim import SGD

from .vocabulary import NotYet, Wrong, call, check, pair, tensor, wrong_kind


def _results(function, cases) -> list:
    """Call ``function`` with each tuple of arguments. If only some results are None, raise Wrong."""
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
    network, twin = (nn.Sequential(*(nn.Linear(4, 4) for _ in range(4))) for _ in range(2))
    twin.load_state_dict(network.state_dict())
    own = list(network.parameters())
    by_layer = [{"params": layer.parameters()} for layer in network]
    by_kind = [{"params": own[::2]}, {"params": own[1::2]}]
    cases = [
        (network, own, True, "for an optimizer that was built over network.parameters()."),
        (twin, own, False, "for another network with equal numbers; ask which tensors they are."),
        (
            network,
            own[-2:],
            False,
            "where it holds the last layer alone; is every parameter there?",
        ),
        (network, [*own, *twin.parameters()], False, "where it holds another network's parameters as well."),
        (network, by_layer, True, "for an optimizer with four param_groups; look through all of them."),
        (
            network,
            by_kind,
            True,
            "where it holds the weights, then the biases; does the order matter?",
        ),
    ]
    answers = _results(function, [(model, SGD(held, lr=0.01)) for model, held, _, _ in cases])
    for answer, (_, _, expected, when) in zip(answers, cases, strict=True):
        # A tensor of one bool and numpy's bool are as good as Python's.
        if not isinstance(answer, bool) and str(getattr(answer, "dtype", "")) not in ("bool", "torch.bool"):
            return wrong_kind(answer, "True or False")
        if bool(answer) != expected:
            return f"it says {bool(answer)} {when}"
    return None


@check(right="That is how a resumed run drops the numbers that the unbroken one would have dropped.")
def repeats_the_mask(function):
    """``function(layer, inputs)`` applies dropout twice with one mask and returns both."""
    layer, inputs, calls = nn.Dropout(0.5), torch.ones(1000), []
    layer.register_forward_hook(lambda *_: calls.append(1))
    results = call(function, layer, inputs)
    if len(calls) != 2:
        return f"it applied the layer {len(calls)} time(s), where two are asked for."
    first, second = map(tensor, pair(results, wrong_kind(results, "two tensors")))
    if bool((first == 1).all()):
        return "nothing was dropped; the layer must stay in training mode."
    if not torch.equal(first, second):
        differ = f"the two results differ at {int((first != second).sum())} of 1,000 places"
        return f"{differ}; put the random state back to where it was before the first call."
    if torch.equal(first, tensor(call(function, layer, inputs)[0])):
        return "every call drops the same numbers: use no fixed seed, and let the state move on afterwards."
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
        if not isinstance(answer, tuple | list) or len(answer) != 2:
            return f"it returned {answer!r}, where two numbers are asked for: return epoch, images."
        try:
            epoch, images = map(operator.index, answer)
        except TypeError:
            return f"it returned {answer!r}, and fit takes whole numbers alone; // divides and stays whole."
        if (epoch, images) != (batches // 938 + 1, batches % 938 * 64):
            return f"after {batches:,} batches it says epoch {epoch}, {images:,} images; {hint}."
    return None
