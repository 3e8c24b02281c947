"""Lesson 4: what must stand in its kernel at the end, and answers to its exercises."""

from functools import partial

import numpy as np
import torch
from torch.nn import functional as F

PROBE = """
figure = plot_history(history, smooth=100)
lines = figure.axes[0].get_lines()
values = {
    "recorded": [len(history.train_losses), len(history.test_losses), history.test_seen],
    "first_and_last": [history.train_losses[0], history.test_losses[-1]],
    "labels": [figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()],
    "drawn": [len(line.get_xdata()) for line in lines],
    "test_marker": [lines[-1].get_marker(), lines[-1].get_linestyle()],
    "written_out": plot_history.__module__,
    "runs": {
        name: [run.test_seen[-1], len(run.test_losses), run.test_losses[-1]] for name, run in runs.items()
    },
    "puzzle": sorted(puzzle) == sorted(runs),
    "sorted": torch.cat([labels for _, labels in in_order]).diff().min().item(),
    "sweep": ends,
    "by_heart": {name: losses[-1] for name, losses in tests.items()},
    "fits": [[min(run.test_losses), run.test_losses[-1], run.train_losses[-1]] for run in fits.values()],
    "kept": [keep(dots, 100), dots.index(min(dots))],
    "steps": [list(levels.values()) for levels in (first, last)],
}
plt.close(figure)
"""


def verify(values):
    losses, tests, seen = values["recorded"]
    epochs = tests - 1
    assert losses == 938 * epochs
    assert epochs in (1, 3)  # the checkpoint of lesson 3, or one epoch of its own
    assert seen == [60_000 * epoch for epoch in range(tests)]
    assert 2.0 < values["first_and_last"][0] < 2.7
    assert 0.05 < values["first_and_last"][1] < 0.35
    assert values["labels"] == ["training images seen", "loss (nats)"]
    assert values["drawn"] == [losses, losses - 99, tests]
    assert values["test_marker"] == ["o", "None"]
    assert values["written_out"] == "__main__"

    runs = values["runs"]
    assert [run[:2] for run in runs.values()] == [[4 * 94 * 64, 5]] * 6
    assert 0.2 < runs.pop("healthy")[2] < 0.7
    assert all(run[2] > 1.0 for run in runs.values())
    assert values["puzzle"]
    assert values["sorted"] == 0
    assert list(values["sweep"]) == ["0.001", "0.01", "0.1", "1.0"]
    assert min(values["sweep"], key=values["sweep"].get) in ("0.01", "0.1")

    by_heart = values["by_heart"]
    assert by_heart["correct"] < 0.1
    assert by_heart["shuffled labels"] < 0.3
    assert by_heart["no zero_grad"] > 1
    (_, tiny, tiny_line), (_, right, _), (lowest, overfitted, line) = values["fits"]
    assert tiny > 1
    assert tiny_line > 0.5
    assert right < overfitted
    assert line < 0.05
    assert overfitted > 1.1 * lowest
    assert values["kept"][0] == values["kept"][1]
    (moving, still, whole, other), (_, late_still, late_whole, late_other) = values["steps"]
    assert moving - still > still - whole > 0.1
    assert 0.05 < late_still - late_whole < 0.5
    assert abs(whole - other) < 0.06
    assert abs(late_whole - late_other) < 0.06


def _equal_counts_as_new(losses, patience):
    best = 0
    for epoch, loss in enumerate(losses):
        if loss <= losses[best]:
            best = epoch
        elif epoch - best >= patience:
            break
    return best


def _lowest_of_all(losses, patience):
    return int(np.argmin(losses))


def _last_epoch_run(losses, patience):
    best, waited = 0, 0
    for epoch, loss in enumerate(losses):
        best, waited = (epoch, 0) if loss < losses[best] else (best, waited + 1)
        if waited > patience:
            return epoch
    return best


def _counts_from_one(losses, patience):
    return torch.tensor(_keep(losses, patience) + 1)


def _keep(losses, patience, *, restart=True):
    best, waited = 0, 0
    for epoch, loss in enumerate(losses):
        if epoch and loss < losses[best]:
            best, waited = epoch, 0 if restart else waited
        elif epoch:
            waited += 1
        if waited == patience:
            break
    return best


def _first_rise(losses, patience):
    for epoch in range(1, len(losses)):
        if losses[epoch] > losses[epoch - 1]:
            return epoch - 1
    return len(losses) - 1


def _against_the_one_before(losses, patience):
    waited = 0
    for epoch in range(1, len(losses)):
        waited = waited + 1 if losses[epoch] > losses[epoch - 1] else 0
        if waited == patience:
            return int(np.argmin(losses[: epoch + 1]))
    return int(np.argmin(losses))


def _never_restarts(losses, patience):
    return _keep(losses, patience, restart=False)


def _only_when_it_stops(losses, patience):
    for epoch in range(len(losses) - patience):
        if min(losses[epoch + 1 : epoch + patience + 1]) > losses[epoch]:
            return epoch
    return 0  # nothing stopped it


def _lowest_loss(losses, patience):
    return losses[_keep(losses, patience)]


RIGHT = {"A": "data not shuffled", "B": "rate too low", "C": "overfitting", "D": "healthy"}
RIGHT |= {"E": "rate too high", "F": "gradients not cleared", "G": "network too small"}
RIGHT |= {"H": "healthy"}


def _by_heart(network, optimizer, images, labels, steps, *, clear=True, move=True, mode=False, keep=float):
    network.train(mode)
    losses = []
    for _ in range(steps):
        if clear:
            network.zero_grad()
        loss = F.cross_entropy(network(images), labels)
        loss.backward()
        if move:
            optimizer.step()
        losses.append(keep(loss.detach()) if keep is float else keep(loss))
    return losses


def right_keep(losses, patience):
    best = losses.index(min(losses[:1]))
    while min(losses[best + 1 : best + patience + 1], default=np.inf) < losses[best]:
        best = next(i for i in range(best + 1, len(losses)) if losses[i] < losses[best])
    return torch.tensor(best)


CASES = {
    "by_heart": {
        "right": [lambda *arguments: tuple(np.float64(loss) for loss in _by_heart(*arguments))],
        "stub": lambda network, optimizer, images, labels, steps: None,
        "wrong": [
            [partial(_by_heart, clear=False)],
            [partial(_by_heart, move=False)],
            [partial(_by_heart, mode=True)],
            [partial(_by_heart, keep=lambda loss: loss)],
            [partial(_by_heart, keep=torch.Tensor.detach)],
            [partial(_by_heart, keep=str)],
            [partial(_by_heart, keep=lambda loss: loss.item() / 6)],
            [lambda *arguments: _by_heart(*arguments)[-1], lambda *arguments: _by_heart(*arguments)[1:]],
            [[0.5, 0.1]],
        ],
    },
    "epoch_to_keep": {
        "right": [right_keep],
        "stub": lambda losses, patience: None,
        "wrong": [
            [_lowest_of_all, _last_epoch_run],
            [lambda losses, patience: 4],
            [_counts_from_one],
            [_first_rise],
            [_against_the_one_before],
            [_never_restarts],
            [_only_when_it_stops],
            [_equal_counts_as_new],
            [_lowest_loss],
            [lambda losses, patience: float("nan")],
        ],
    },
    "name_the_illness": {
        "right": [{name.lower(): illness.upper().replace(" ", "_") for name, illness in RIGHT.items()}],
        "stub": None,
        "wrong": [
            *[[{**RIGHT, name: "rate too low" if name != "B" else "healthy"}] for name in RIGHT],
            [{**RIGHT, "E": "gradients not cleared"}],
            [{**RIGHT, "C": "healthy"}],
            [{"A": "data not shuffled", "B": "rate too low"}, {**RIGHT, "C": None}],
            [{**RIGHT, "C": "underfitting"}],
            ["overfitting"],
        ],
    },
}
