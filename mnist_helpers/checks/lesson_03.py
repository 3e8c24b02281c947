"""The checks of lesson 3, training."""

import torch

from .vocabulary import call, check, compare, near, pair, pair_of_numbers
from .watched import Watched, batches_of_five, call_training, explain_training


@check(right="A larger input makes a larger gradient: w is multiplied by 3, and b, so to speak, by 1.")
def gradient_by_hand(answer):
    """``answer`` is (dw, db), the gradient of (w x + b - y)² at w=0.5, b=-1, x=3, y=2."""
    asked = "the answer is a pair of numbers: (derivative for w, derivative for b)."
    weight, bias = pair_of_numbers(answer, asked)
    hints = {
        (9.0, 3.0): "the sizes are right and the signs are not: is w x + b above or below y?",
        (-3.0, -9.0): "these are the right two numbers the wrong way round: w first, then b.",
        (-3.0, -3.0): "the one for w lacks its inner derivative: how much does w x + b grow with w?",
        (-9.0, -9.0): "the one for b has the wrong inner derivative: how much does w x + b grow with b?",
        (-4.5, -1.5): "both are half of what they should be: what is the derivative of a square?",
    }
    which = "b" if near(weight, -9, 1e-3) else "w"
    otherwise = (
        f"({weight:g}, {bias:g}) is not it; look at {which}. Change it by 0.001: what does the loss do?"
    )
    return compare((weight, bias), (-9.0, -3.0), hints, otherwise, within=1e-3)


@check(right="These two lines are what torch.optim.SGD does to each weight.")
def sgd_step(function):
    """``function(weight, gradient, velocity, lr, momentum)`` returns the new weight and the new velocity."""
    asked = "the answer is a pair: the new weight, then the new velocity."
    unchanged = "it changes a tensor that it was given. Make a new one, without += or a name that ends in _."
    weight, gradient, velocity, lr, momentum = 2.0, 4.0, 3.0, 0.1, 0.5
    answer = pair_of_numbers(call(function, weight, gradient, velocity, lr, momentum), asked)
    right = momentum * velocity + gradient
    hints = {
        (weight + lr * right, right): "the velocity is right, and the weight goes uphill with it.",
        (weight - lr * right, velocity): "the weight is right, but the velocity came back as it went in.",
        (right, weight - lr * right): "these are the right two numbers the wrong way round.",
        (
            weight - lr * gradient,
            gradient,
        ): "the velocity forgets all that was before; where is the momentum?",
        (weight - lr * gradient, right): "the velocity is right, and the weight does not use it.",
        (weight - lr * velocity, right): "the weight moves by the old velocity. Which comes first?",
        (weight - right, right): "the weight moves by the whole velocity; where is the learning rate?",
    }
    otherwise = f"for {weight=}, {gradient=}, {velocity=}, {lr=}, {momentum=} it gives {[*answer]}."
    if reason := compare(answer, (weight - lr * right, right), hints, otherwise):
        return reason
    tensors = [torch.tensor([number, -number]) for number in (weight, gradient, velocity)]
    moved, velocity = pair(call(function, *tensors, lr, momentum, unchanged=unchanged), asked)
    if not near(torch.stack([moved, velocity]), [[1.45, -1.45], [5.5, -5.5]], within=1e-5):
        return "for numbers it is right, and for tensors it is not. Is one of them turned into a number?"
    return None


@check(right="The network trains, in training mode, and the losses are plain numbers.")
def repaired(function):
    """``function(network, optimizer, batches)`` trains on each batch and returns the list of losses."""
    network, batches = Watched().eval(), batches_of_five()
    losses = call_training(function, network, network.optimizer, batches)
    if reason := explain_training(network, losses, batches):
        return reason
    if not all(network.modes):
        return "it learns, but in evaluation mode, where dropout is off. In which mode did it arrive?"
    return None
