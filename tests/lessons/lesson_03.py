"""Lesson 3: what must stand in its kernel at the end, and answers to its exercises."""

import numpy as np
import torch
from torch.nn import functional as F

PROBE = """
import json
from mnist_helpers.checkpoints import read_checkpoint
stored = read_checkpoint(path)
again = Net()
again.load_state_dict(stored["model"])
definitions = (History, train_epoch, evaluate, fit)
values = {
    "gradients": [by_hand, weight.grad.item(), finite - exact],
    "plain": plain,
    "with_momentum": with_momentum,
    "sgd_difference": difference,
    "hand_moved": max((a - b).abs().max().item() for a, b in zip(mine.parameters(), net.parameters())),
    "losses": [losses[0], forgetful_losses[0], last, forgetful, len(losses)],
    "early": [sum(losses[20:60]) / 40, sum(forgetful_losses[20:60]) / 40],
    "twice": [torch.equal(first_look, second_look), torch.equal(third_look, fourth_look)],
    "modes": [shares_by_mode[True], shares_by_mode[False]],
    "device": [str(next(network.parameters()).device.type), device.type],
    "converted": [str(kernels.dtype), changed],
    "written_out": [definition.__module__ for definition in definitions],
    "untrained": [untrained_loss, untrained],
    "baseline": baseline,
    "history": {name: len(kept) for name, kept in vars(history).items() if name != "seen"},
    "train_seen": history.train_seen[:2] + history.train_seen[-1:],
    "test_seen": history.test_seen,
    "accuracies": history.test_accuracies,
    "test_losses": history.test_losses,
    "six": [before, after, six_labels],
    "stored": [stored["sampler"]["epoch"], len(stored["history"]["train_losses"]), path.as_posix()],
    "stored_accuracy": evaluate(again, loaders.test)[1],
    "parameters": sum(p.numel() for p in network.parameters()),
    "training": network.training,
    "labels": [axis.get_xlabel(), curve.get_xlabel(), curve.get_ylabel()],
}
"""


def verify(values):
    by_hand, autograd, wobbled = values["gradients"]
    assert by_hand == autograd == -6.75
    assert abs(wobbled) < 1e-6
    verify_descent(values)
    verify_switches(values)
    verify_training(values)
    assert values["written_out"] == ["__main__"] * 4
    assert all(values["labels"])


def verify_descent(values):
    for path, expected in [("plain", [0.5, 1.175, 1.54625]), ("with_momentum", [0.5, 1.175, 1.88375])]:
        assert len(values[path]) == 7
        assert all(abs(a - b) < 1e-9 for a, b in zip(values[path], expected, strict=False))
    assert values["sgd_difference"] < 1e-12
    assert values["hand_moved"] > 1e-5
    first, forgetful_first, last, forgetful, count = values["losses"]
    assert first == forgetful_first
    assert count == 200
    assert last < 1.6
    assert 2.2 < forgetful < 2.6
    assert values["early"][1] < values["early"][0]


def verify_switches(values):
    assert values["twice"] == [False, True]
    training, evaluation = values["modes"]
    assert len(set(evaluation)) == 1
    assert max(training) < min(evaluation) - 0.05
    assert values["device"][0] == values["device"][1]
    assert values["converted"] == ["torch.float64", 0]  # changed: in evaluation mode no guess differs


def verify_training(values):
    loss, untrained = values["untrained"]
    assert 2.2 < loss < 2.5
    assert 0.01 < untrained < 0.3
    assert abs(values["baseline"] - 0.82) < 0.005
    assert values["history"] == {
        "train_seen": 2814,
        "train_losses": 2814,
        "test_seen": 4,
        "test_losses": 4,
        "test_accuracies": 4,
    }
    assert values["train_seen"] == [0, 64, 120_000 + 937 * 64]
    assert values["test_seen"] == [0, 60_000, 120_000, 180_000]
    accuracies = values["accuracies"]
    assert accuracies[0] == untrained
    assert 0.92 < accuracies[1] < 0.96
    assert 0.955 < accuracies[3] < 0.985
    assert values["test_losses"][3] < values["test_losses"][1] < 0.3
    before, after, labels = values["six"]
    assert labels == [7, 2, 1, 0, 4, 1]
    assert sum(a == b for a, b in zip(after, labels, strict=True)) >= 5
    assert before != after
    assert values["stored"] == [4, 2814, "checkpoints/lesson_03.pt"]
    assert abs(values["stored_accuracy"] - accuracies[3]) < 0.001
    assert values["parameters"] == 21_840
    assert values["training"] is False


def _forgets_zero_grad(network, optimizer, images, labels):
    loss = F.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def _forgets_step(network, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(network(images), labels)
    loss.backward()
    return loss.item()


def _clears_before_the_step(network, optimizer, images, labels):
    loss = F.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.zero_grad()
    optimizer.step()
    return loss.item()


def _steps_before_backward(network, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(network(images), labels)
    optimizer.step()
    loss.backward()
    return loss.item()


def _clears_afterwards(network, optimizer, images, labels):
    loss = _forgets_zero_grad(network, optimizer, images, labels)
    optimizer.zero_grad()
    return loss


def _right_step(network, optimizer, images, labels):
    optimizer.zero_grad()
    return _forgets_zero_grad(network, optimizer, images, labels)


def _returns_the_graph(network, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.step()
    return loss


def _returns_nothing(network, optimizer, images, labels):
    _right_step(network, optimizer, images, labels)


def _returns_the_loss_after(network, optimizer, images, labels):
    _right_step(network, optimizer, images, labels)
    return F.cross_entropy(network(images), labels).item()


def _sums_the_losses(network, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(network(images), labels, reduction="sum")
    loss.backward()
    optimizer.step()
    return loss.item()


def _trains_on(loss_of):
    """A step whose only fault is its loss."""

    def step(network, optimizer, images, labels):
        optimizer.zero_grad()
        loss = loss_of(network(images), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


_softmax_first = _trains_on(lambda logits, labels: F.cross_entropy(logits.softmax(dim=1), labels))
_nll_of_logits = _trains_on(F.nll_loss)
_swapped = _trains_on(lambda logits, labels: F.cross_entropy(labels, logits))


def _switches_the_mode(network, optimizer, images, labels):
    network.eval()
    return _right_step(network, optimizer, images, labels)


def _returns_a_detached_tensor(network, optimizer, images, labels):
    return torch.tensor(_right_step(network, optimizer, images, labels), dtype=torch.float64)


def _returns_text(network, optimizer, images, labels):
    return str(_right_step(network, optimizer, images, labels))


def _in_a_loop(step, network, optimizer, batches):
    return [step(network, optimizer, images, labels) for images, labels in batches]


def _as_given(network, optimizer, batches):
    losses = []
    for images, labels in batches:
        loss = F.cross_entropy(network(images), labels)
        loss.backward()
        optimizer.zero_grad()
        optimizer.step()
        losses.append(loss)
    return losses


def _stays_in_evaluation(network, optimizer, batches):
    return _in_a_loop(_right_step, network, optimizer, batches)


def _trains(step):
    def repaired(network, optimizer, batches):
        network.train()
        return _in_a_loop(step, network, optimizer, batches)

    return repaired


def _first_loss_alone(network, optimizer, batches):
    network.train()
    return _in_a_loop(_right_step, network, optimizer, batches)[0]


def step_by_nll(network, optimizer, images, labels):
    network.zero_grad()
    loss = F.nll_loss(network(images).log_softmax(dim=1), labels)
    loss.backward()
    optimizer.step()
    return np.float64(loss.item())


def right_repaired(network, optimizer, batches):
    network.train()
    return tuple(float(step_by_nll(network, optimizer, *batch)) for batch in batches)


CASES = {
    "gradient_by_hand": {
        "right": [[-9, -3], np.array([-9.0, -3.0]), (torch.tensor(-9.0), -3.0004)],
        "stub": None,
        "wrong": [
            [(9, 3)],
            [torch.tensor([-3.0, -3.0])],
            [(-9, -9)],
            [[-4.5, -1.5]],
            [(-3, -9)],
            [(-9, 2.25)],
            [(2.25, -3)],
            [-9.0, {"dw": -9, "db": -3}],
            [("-9", "-3"), (None, None)],
        ],
    },
    "step": {
        "right": [step_by_nll],
        "stub": lambda network, optimizer, images, labels: None,
        "wrong": [
            [_forgets_zero_grad, _clears_afterwards],
            [_forgets_step],
            [_clears_before_the_step, _steps_before_backward],
            [_sums_the_losses, _softmax_first, _nll_of_logits, _returns_the_loss_after],
            [_swapped],
            [_switches_the_mode],
            [_returns_a_detached_tensor],
            [_returns_text],
            [_returns_the_graph],
            [_returns_nothing],
        ],
    },
    "repaired": {
        "right": [right_repaired],
        "stub": lambda network, optimizer, batches: None,
        "wrong": [
            [_as_given, _trains(_steps_before_backward)],
            [_stays_in_evaluation],
            [_trains(_forgets_zero_grad)],
            [_trains(_returns_the_graph)],
            [_first_loss_alone],
            [_trains(_softmax_first)],
            [_trains(_swapped)],
            [_trains(_returns_a_detached_tensor)],
            [_trains(_returns_text)],
        ],
    },
}
