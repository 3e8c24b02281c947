"""What lesson 4 leaves in its kernel."""

FIGURES = 15

PROBE = """
import json
figure = plot_history(history, smooth=10)
lines = figure.axes[0].get_lines()
print(json.dumps({
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
}))
plt.close(figure)
"""


def verify(values):
    losses, tests, seen = values["recorded"]
    epochs = tests - 1
    assert losses == 94 * epochs
    assert epochs in (1, 3)  # the checkpoint of lesson 3, or one epoch of its own
    assert seen == [60_000 * epoch for epoch in range(tests)]
    assert 2.0 < values["first_and_last"][0] < 2.7
    assert 0.05 < values["first_and_last"][1] < 0.35
    assert values["smoothing"] < 1e-12
    assert values["labels"] == ["training images seen", "negative log likelihood (nats)"]
    assert values["drawn"] == [losses, losses - 9, tests]
    assert values["test_marker"] == ["o", "None"]
    assert values["written_out"] == "__main__"
    first, uncorrected, count = values["averages"]
    assert abs(first - values["first_and_last"][0]) < 1e-9
    assert count == losses
    assert abs(uncorrected - 0.1 * first) < 1e-9
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
