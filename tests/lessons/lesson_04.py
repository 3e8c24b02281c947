"""Lesson 4: what must stand in its kernel at the end, and answers to its exercises."""

import numpy as np
import torch

PROBE = """
import json
figure = plot_history(history, smooth=100)
lines = figure.axes[0].get_lines()
values = {
    "recorded": [len(history.train_losses), len(history.test_losses), history.test_seen],
    "first_and_last": [history.train_losses[0], history.test_losses[-1]],
    "smoothing": difference.item(),
    "labels": [figure.axes[0].get_xlabel(), figure.axes[0].get_ylabel()],
    "drawn": [len(line.get_xdata()) for line in lines],
    "test_marker": [lines[-1].get_marker(), lines[-1].get_linestyle()],
    "written_out": plot_history.__module__,
    "averages": [corrected[0], uncorrected[0], len(corrected)],
    "fall": fall,
    "noise": [len(of_64), len(of_512), ratio.item(), (whole_64.std() / of_64.std()).item()],
    "gaps": gaps,
    "validation": [list(part.shape) for part in validation[0]],
    "runs": {
        name: [run.train_seen[-1], run.test_seen[-1], len(run.test_losses), run.test_losses[-1]]
        for name, run in {**gallery, "500 images, dropout": with_dropout}.items()
    },
    "sweep": ends,
    "blind": network_high(images).std(dim=0).mean().item(),
    "sorted": torch.cat([labels for _, labels in in_order]).diff().min().item(),
    "few": [min(few_losses), few_losses[-1], gallery["500 images"].train_losses[-1]],
    "kept": [solution_keep(few_losses, 100), few_losses.index(min(few_losses))],
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
    assert values["smoothing"] < 1e-12
    assert values["labels"] == ["training images seen", "negative log likelihood (nats)"]
    assert values["drawn"] == [losses, losses - 99, tests]
    assert values["test_marker"] == ["o", "None"]
    assert values["written_out"] == "__main__"
    first, uncorrected, count = values["averages"]
    assert abs(first - values["first_and_last"][0]) < 1e-9
    assert count == losses
    assert abs(uncorrected - 0.01 * first) < 1e-9
    assert 0.02 < values["fall"] < 0.9
    assert values["noise"][:2] == [937, 117]
    assert 2.1 < values["noise"][2] < 3.6
    assert values["noise"][3] < 0.95  # dropout adds to the spread

    on, off = values["gaps"]["epoch 1, dropout on"], values["gaps"]["epoch 1, dropout off"]
    assert on[0] > on[1] > 0.1
    assert off[0] > 0.1
    assert abs(off[1]) < 0.001
    last = values["gaps"]["last epoch, dropout on"]
    assert 0.05 < last[1] < 0.5
    assert all(abs(gap[2]) < 0.06 for gap in (on, off, last))

    assert values["validation"] == [[1000, 1, 28, 28], [1000]]
    runs = values["runs"]
    assert list(runs) == [
        "healthy",
        "rate too high",
        "rate too low",
        "not shuffled",
        "no zero_grad",
        "500 images",
        "500 images, dropout",
    ]
    assert [end for _, end, _, _ in runs.values()] == [24_000] * 5 + [16_000] * 2
    assert all(begun < end for begun, end, _, _ in runs.values())
    assert [count for _, _, count, _ in runs.values()] == [5] * 5 + [33] * 2
    assert 0.2 < runs["healthy"][3] < 0.7
    assert runs["rate too high"][3] > 1.5
    assert values["blind"] < 0.02
    assert 2.0 < runs["rate too low"][3] < 2.5
    assert runs["not shuffled"][3] > 1.5
    assert runs["no zero_grad"][3] > 1.0
    assert values["sorted"] == 0
    assert list(values["sweep"]) == ["0.001", "0.01", "0.1", "1.0"]
    lowest, end, training = values["few"]
    assert training < 0.02
    assert end > 1.1 * lowest
    assert runs["500 images, dropout"][3] < end
    assert values["kept"][0] == values["kept"][1]


def _uncorrected(losses, beta):
    average, averages = 0.0, []
    for loss in losses:
        average = beta * average + (1 - beta) * loss
        averages.append(average)
    return averages


def _corrected(losses, beta):
    return [value / (1 - beta ** (step + 1)) for step, value in enumerate(_uncorrected(losses, beta))]


def _from_the_first_loss(losses, beta):
    averages = [losses[0]]
    for loss in losses[1:]:
        averages.append(beta * averages[-1] + (1 - beta) * loss)
    return averages


def _power_one_behind(losses, beta):
    raw = _uncorrected(losses, beta)
    return torch.tensor([value / (1 - beta ** max(step, 1)) for step, value in enumerate(raw)])


def _places_swapped(losses, beta):
    return _corrected(losses, 1 - beta)


def _same_correction(losses, beta):
    return np.array(_uncorrected(losses, beta)) / (1 - beta)


def _divides_at_once(losses, beta):
    average, averages = 0.0, []
    for step, loss in enumerate(losses, start=1):
        average = (beta * average + (1 - beta) * loss) / (1 - beta**step)  # corrects what is carried on
        averages.append(average)
    return averages


def _last_alone(losses, beta):
    return _corrected(losses, beta)[-1]


def _beta_written_in(losses, beta):
    return _corrected(losses, 0.9)


def _divides_by_zero(losses, beta):
    return [value / (1 - beta**step) for step, value in enumerate(_uncorrected(losses, beta))]


def _rounded(losses, beta):
    return [round(value, 3) for value in _corrected(losses, beta)]


def _generator(losses, beta):
    yield from _corrected(losses, beta)


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


RIGHT = {"A": "data not shuffled", "B": "rate too low", "C": "overfitting"}


def right_smooth(losses, beta):
    weights = [[beta ** (t - s) * (s <= t) for s in range(len(losses))] for t in range(len(losses))]
    return torch.tensor([np.dot(row, losses) / sum(row) for row in weights])


def right_keep(losses, patience):
    best = losses.index(min(losses[:1]))
    while min(losses[best + 1 : best + patience + 1], default=np.inf) < losses[best]:
        best = next(i for i in range(best + 1, len(losses)) if losses[i] < losses[best])
    return torch.tensor(best)


CASES = {
    "smooth_exponentially": {
        "right": [right_smooth],
        "stub": lambda losses, beta: None,
        "wrong": [
            [_uncorrected],
            [_from_the_first_loss],
            [_power_one_behind],
            [_places_swapped],
            [_same_correction],
            [_divides_at_once],
            [_last_alone],
            [_beta_written_in],
            [_divides_by_zero],
            [_rounded],
            [_generator],
            [0.9],
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
        "right": [{"a": "Not shuffled", "b": "rate_too_low", "c": "OVERFITTING "}],
        "stub": None,
        "wrong": [
            [{**RIGHT, "A": "rate too high"}],
            [{**RIGHT, "B": "rate too high"}],
            [{**RIGHT, "B": "no zero_grad"}],
            [{**RIGHT, "C": "rate too low"}],
            [
                {"A": "data not shuffled", "B": "rate too low"},
                {"A": "data not shuffled", "B": "rate too low", "C": None},
            ],
            [{**RIGHT, "C": "underfitting"}],
            ["overfitting"],
        ],
    },
}
