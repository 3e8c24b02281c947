"""Lesson 3: what must stand in its kernel at the end, and answers to its exercises."""

import numpy as np
import torch
from torch.nn import functional as F

PROBE = """
from mnist_helpers.checkpoints import read_checkpoint
stored = read_checkpoint(path)
again = Net()
again.load_state_dict(stored["model"])
definitions = (History, train_epoch, evaluate, fit)
values = {
    "gradients": [wobbled, exact],
    "descent": [loss_of(descend(0.5, lr)[-1]).item() for lr in (0.0115, 0.46)],
    "rolled": [roll(0.0)[-1].norm().item(), roll(0.7)[-1].norm().item()],
    "gaps": [gap.item() for gap in gaps],
    "moved": (mine.fc2.bias - fine.fc2.bias).abs().max().item(),
    "losses": [losses[0], forgetful[0], sum(losses[-20:]) / 20, sum(forgetful[-20:]) / 20],
    "early": [sum(losses[20:60]) / 40, sum(forgetful[20:60]) / 40],
    "modes": by_mode,
    "written_out": [definition.__module__ for definition in definitions],
    "history": {name: len(kept) for name, kept in vars(history).items() if name != "seen"},
    "seen": [history.train_seen[:2], history.train_seen[-1], history.test_seen],
    "accuracies": history.test_accuracies,
    "mistakes": mistakes,
    "kernels": [untrained.abs().max().item(), trained.abs().max().item()],
    "stored": [stored["sampler"]["epoch"], len(stored["history"]["train_losses"]), path.as_posix()],
    "stored_accuracy": evaluate(again, loaders.test)[1],
    "training": network.training,
}
"""


def verify(values):
    wobbled, exact = values["gradients"]
    assert abs(wobbled - exact) < 1e-6
    small, large = values["descent"]
    assert small < 5 < large  # 5.06 at the start
    plain, with_momentum = values["rolled"]
    assert 2 * with_momentum < plain
    assert max(values["gaps"]) < 1e-12
    assert values["moved"] > 1e-5
    first, forgetful_first, last, forgetful = values["losses"]
    assert first == forgetful_first
    assert last < 1.6
    assert 2.2 < forgetful < 2.6
    assert values["early"][1] < values["early"][0]
    training, evaluation = values["modes"]
    assert len(set(evaluation)) == 1
    assert min(training) > 2 * max(evaluation)
    assert values["written_out"] == ["__main__"] * 4
    verify_training(values)


def verify_training(values):
    counts = {"train_seen": 2814, "train_losses": 2814, "test_seen": 4, "test_losses": 4}
    assert values["history"] == {**counts, "test_accuracies": 4}
    assert values["seen"] == [[0, 64], 120_000 + 937 * 64, [0, 60_000, 120_000, 180_000]]
    untrained, one_epoch, _, three_epochs = values["accuracies"]
    assert 0.01 < untrained < 0.3
    assert 0.92 < one_epoch < 0.96
    assert 0.955 < three_epochs < 0.985
    assert abs(values["mistakes"] - 10_000 * (1 - three_epochs)) < 1
    before, after = values["kernels"]
    assert before <= 0.2 < after
    assert values["stored"] == [4, 2814, "checkpoints/lesson_03.pt"]
    assert abs(values["stored_accuracy"] - three_epochs) < 0.001
    assert values["training"] is False


def _in_place(weight, gradient, velocity, lr, momentum):
    velocity *= momentum
    velocity += gradient
    return weight - lr * velocity, velocity


def _first_number_alone(weight, gradient, velocity, lr, momentum):
    velocity = torch.as_tensor(momentum * velocity + gradient).flatten()[0]
    return torch.as_tensor(weight).flatten()[0] - lr * velocity, velocity


def _forgets_zero_grad(network, optimizer, images, labels):
    loss = F.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()


def _steps_before_backward(network, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(network(images), labels)
    optimizer.step()
    loss.backward()
    return loss.item()


def _right_step(network, optimizer, images, labels):
    optimizer.zero_grad()
    return _forgets_zero_grad(network, optimizer, images, labels)


def _returns_the_graph(network, optimizer, images, labels):
    optimizer.zero_grad()
    loss = F.cross_entropy(network(images), labels)
    loss.backward()
    optimizer.step()
    return loss


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
_swapped = _trains_on(lambda logits, labels: F.cross_entropy(labels, logits))


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
    "sgd_step": {
        "right": [lambda w, g, v, lr, m: [w - lr * (m * v + g), m * v + g]],
        "stub": lambda weight, gradient, velocity, lr, momentum: None,
        "wrong": [
            [lambda w, g, v, lr, m: (w + lr * (m * v + g), m * v + g)],
            [lambda w, g, v, lr, m: (w - lr * (m * v + g), v)],
            [lambda w, g, v, lr, m: (m * v + g, w - lr * (m * v + g))],
            [lambda w, g, v, lr, m: (w - lr * g, g)],
            [lambda w, g, v, lr, m: (w - lr * g, m * v + g)],
            [lambda w, g, v, lr, m: (w - lr * v, m * v + g)],
            [lambda w, g, v, lr, m: (w - m * v - g, m * v + g)],
            [
                lambda w, g, v, lr, m: (w - m * v - lr * g, m * v + lr * g),
                lambda w, g, v, lr, m: (w - lr * (m * v + (1 - m) * g), m * v + (1 - m) * g),
            ],
            [lambda w, g, v, lr, m: w - lr * (m * v + g), lambda w, g, v, lr, m: (w, g, v)],
            [_in_place],
            [_first_number_alone],
            [(1.45, 5.5)],
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
